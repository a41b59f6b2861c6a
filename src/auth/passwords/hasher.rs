//! What one hashing thread does: Argon2 over memory it keeps, to and from PHC strings.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use argon2::password_hash::{Output, ParamsString, Salt, SaltString};
use argon2::{Algorithm, Argon2, Block, Params, PasswordHash, Version};
use subtle::ConstantTimeEq;
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use super::{HashingCost, Verified};
use crate::domain::{Secret, random};

const SALT_BYTES: usize = 16;
const OUTPUT_BYTES: usize = 32;

/// Computes hashes, one at a time.
pub(super) struct Hasher {
    cost: HashingCost,
    /// Allocated at the first hash, since most processes that start do not hash.
    memory: Vec<Block>,
    hashes: Arc<AtomicU64>,
}

/// A stored hash, read and found fit to be computed.
struct Stored {
    algorithm: Algorithm,
    version: Version,
    params: Params,
    salt: Vec<u8>,
    output: Output,
}

impl Hasher {
    pub(super) fn new(cost: HashingCost, hashes: Arc<AtomicU64>) -> Self {
        Self { cost, memory: Vec::new(), hashes }
    }

    /// The memory it holds between hashes.
    #[cfg(test)]
    pub(super) fn kib(&self) -> usize {
        self.memory.capacity()
    }

    /// A new PHC string; none if the system lacks memory.
    pub(super) fn hash(&mut self, password: &Secret<String>) -> Option<String> {
        let salt: [u8; SALT_BYTES] = random();
        let params = self.params()?;
        let mut output = [0; OUTPUT_BYTES];
        self.compute(Algorithm::Argon2id, Version::V0x13, &params, password, &salt, &mut output)?;
        let salt = SaltString::encode_b64(&salt).ok()?;
        let phc = PasswordHash {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            params: ParamsString::try_from(&params).ok()?,
            salt: Some(salt.as_salt()),
            hash: Some(Output::new(&output).ok()?),
        };
        Some(phc.to_string())
    }

    /// Compares with a stored PHC string.
    pub(super) fn verify(&mut self, stored: Option<&str>, password: &Secret<String>) -> Verified {
        let Some(stored) = stored.and_then(Stored::read) else {
            // SECURITY: L5. As much work as for a member's password.
            let _ = self.hash(password);
            return Verified { matches: false, upgraded: None };
        };
        let matches = self.matches(&stored, password);
        let renews = match matches {
            true => !stored.is_up_to_date(self.cost),
            // SECURITY: L5. A wrong password for a cheap old hash takes as long as one for a member there is not.
            false => stored.cost().work_kib() < self.cost.work_kib(),
        };
        let renewed = renews.then(|| self.hash(password)).flatten();
        Verified { matches, upgraded: renewed.filter(|_| matches) }
    }

    fn matches(&mut self, stored: &Stored, password: &Secret<String>) -> bool {
        let Stored { algorithm, version, params, salt, output: expected } = stored;
        let mut output = [0; Output::MAX_LENGTH];
        let output = &mut output[..expected.len()];
        self.compute(*algorithm, *version, params, password, salt, output).is_some()
            && output.ct_eq(expected.as_bytes()).into()
    }

    fn params(&self) -> Option<Params> {
        let HashingCost { memory_kib, iterations, parallelism } = self.cost;
        Params::new(memory_kib, iterations, parallelism, Some(OUTPUT_BYTES)).ok()
    }

    /// SECURITY: AUTH-02. The password is composed (NFC) first: keyboards and systems differ in how they spell an é.
    fn compute(
        &mut self,
        algorithm: Algorithm,
        version: Version,
        params: &Params,
        password: &Secret<String>,
        salt: &[u8],
        output: &mut [u8],
    ) -> Option<()> {
        let blocks = params.block_count();
        let missing = blocks.saturating_sub(self.memory.len());
        self.memory.try_reserve_exact(missing).ok()?;
        self.memory.resize(blocks, Block::new());
        let password: Zeroizing<String> = Zeroizing::new(password.expose().nfc().collect());
        let done = Argon2::new(algorithm, version, params.clone()).hash_password_into_with_memory(
            password.as_bytes(),
            salt,
            output,
            &mut self.memory,
        );
        self.hashes.fetch_add(1, Ordering::Relaxed);
        // A stored hash may have taken more than is usual here.
        let usual = usize::try_from(self.cost.memory_kib).unwrap_or(usize::MAX);
        self.memory.truncate(usual);
        self.memory.shrink_to(usual);
        done.ok()
    }
}

impl Stored {
    /// Reads a PHC string of any Argon2; none if it isn't one, or would cost too much (SECURITY: AUTH-07, L6).
    fn read(text: &str) -> Option<Self> {
        let phc = PasswordHash::new(text).ok()?;
        let stored = Self {
            algorithm: Algorithm::try_from(phc.algorithm).ok()?,
            // The first version wrote none.
            version: phc.version.map_or(Ok(Version::V0x10), Version::try_from).ok()?,
            params: Params::try_from(&phc).ok()?,
            salt: salt_bytes(phc.salt?)?,
            output: phc.hash?,
        };
        stored.cost().is_within_bounds().then_some(stored)
    }

    fn cost(&self) -> HashingCost {
        let params = &self.params;
        HashingCost { memory_kib: params.m_cost(), iterations: params.t_cost(), parallelism: params.p_cost() }
    }

    /// Whether a new hash would be made in the same way.
    fn is_up_to_date(&self, cost: HashingCost) -> bool {
        self.algorithm == Algorithm::Argon2id
            && self.version == Version::V0x13
            && self.cost() == cost
            && self.salt.len() >= SALT_BYTES
            && self.output.len() == OUTPUT_BYTES
    }
}

fn salt_bytes(salt: Salt<'_>) -> Option<Vec<u8>> {
    let mut bytes = [0; Salt::MAX_LENGTH];
    salt.decode_b64(&mut bytes).ok().map(<[u8]>::to_vec)
}
