//! What one hashing thread does: Argon2 to and from PHC strings, and the hashes of old forums.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use argon2::password_hash::{Output, ParamsString, SaltString};
use argon2::{Algorithm, Params, PasswordHash, Version};
use subtle::ConstantTimeEq;
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use super::argon::{Memory, Phc};
use super::decoys::Decoys;
use super::legacy::Legacy;
use super::{HashingCost, Verified};
use crate::domain::{Secret, random};

const SALT_BYTES: usize = 16;
const OUTPUT_BYTES: usize = 32;

/// Computes hashes, one at a time.
pub(super) struct Hasher {
    cost: HashingCost,
    memory: Memory,
    hashes: Arc<AtomicU64>,
    decoys: Arc<Decoys>,
}

/// What is stored as a member's password, read once. What can't be read is nothing.
enum Stored {
    Argon2(Phc),
    Legacy(Legacy),
}

impl Stored {
    fn read(text: &str) -> Option<Self> {
        Phc::read(text).ok().map(Self::Argon2).or_else(|| Legacy::parse(text).map(Self::Legacy))
    }
}

impl Hasher {
    pub(super) fn new(cost: HashingCost, hashes: Arc<AtomicU64>, decoys: Arc<Decoys>) -> Self {
        Self { cost, memory: Memory::new(cost), hashes, decoys }
    }

    /// The memory it holds between hashes.
    #[cfg(test)]
    pub(super) fn kib(&self) -> usize {
        self.memory.kib()
    }

    /// Nobody has needed it for some time.
    pub(super) fn rest(&mut self) {
        self.memory.release();
    }

    /// A new PHC string; none if the system lacks memory.
    pub(super) fn hash(&mut self, password: &Secret<String>) -> Option<String> {
        let HashingCost { memory_kib, iterations, parallelism } = self.cost;
        let salt: [u8; SALT_BYTES] = random();
        let params = Params::new(memory_kib, iterations, parallelism, Some(OUTPUT_BYTES)).ok()?;
        let mut output = [0; OUTPUT_BYTES];
        self.count(1);
        let how = (Algorithm::Argon2id, Version::V0x13, &params);
        self.memory.compute(how, composed(password).as_bytes(), &salt, &mut output)?;
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

    /// Compares with what is stored.
    pub(super) fn verify(&mut self, stored: Option<&str>, password: &Secret<String>) -> Verified {
        match stored.and_then(Stored::read) {
            None => {
                // SECURITY: L5. As much work as for a member's password.
                let _ = self.hash(password);
                self.refuse(None, password)
            }
            Some(Stored::Argon2(phc)) => self.verify_argon2(&phc, password),
            Some(Stored::Legacy(legacy)) => self.verify_legacy(&legacy, password),
        }
    }

    fn verify_argon2(&mut self, phc: &Phc, password: &Secret<String>) -> Verified {
        self.count(1);
        let output = phc.compute(composed(password).as_bytes(), &mut self.memory);
        if !output.is_some_and(|output| output.ct_eq(phc.output()).into()) {
            // SECURITY: L5. A wrong password for a cheap old hash takes as long as one for a member there is not.
            if phc.cost().work_kib() < self.cost.work_kib() {
                let _ = self.hash(password);
            }
            return self.refuse(None, password);
        }
        let is_up_to_date = phc.is_up_to_date(self.cost, SALT_BYTES, OUTPUT_BYTES);
        let upgraded = if is_up_to_date { None } else { self.hash(password) };
        Verified { matches: true, upgraded }
    }

    /// SECURITY: AUTH-08. One sign-in, and the old hash is gone.
    fn verify_legacy(&mut self, legacy: &Legacy, password: &Secret<String>) -> Verified {
        let decoy = self.decoys.expect(legacy);
        let (matches, tried) = legacy.verify(password.expose(), &mut self.memory);
        self.count(tried);
        let renewed = self.hash(password);
        if matches {
            Verified { matches, upgraded: renewed }
        } else {
            self.refuse(decoy.as_deref(), password)
        }
    }

    /// SECURITY: L5, AUTH-08. A wrong password is followed by the work of every slow kind that members still have,
    /// apart from what was `done` for this one, so that it takes the same for everybody, and for nobody.
    fn refuse(&mut self, done: Option<&Legacy>, password: &Secret<String>) -> Verified {
        for decoy in self.decoys.all() {
            if done != Some(&*decoy) {
                let (_, tried) = decoy.verify(password.expose(), &mut self.memory);
                self.count(tried);
            }
        }
        Verified { matches: false, upgraded: None }
    }

    fn count(&self, hashes: u64) {
        self.hashes.fetch_add(hashes, Ordering::Relaxed);
    }
}

/// SECURITY: AUTH-02. Composed (NFC), since keyboards and systems differ in how they spell an é.
fn composed(password: &Secret<String>) -> Zeroizing<String> {
    Zeroizing::new(password.expose().nfc().collect())
}
