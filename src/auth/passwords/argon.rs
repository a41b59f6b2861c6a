//! Argon2 over memory that a thread keeps, and the PHC strings it is stored as.

use argon2::password_hash::{Output, Salt};
use argon2::{Algorithm, Argon2, Block, Params, PasswordHash, Version};

use super::HashingCost;

/// What hashes are computed in. Allocated at the first one, since most processes that start do not hash.
pub(super) struct Memory {
    blocks: Vec<Block>,
    /// KiB to keep between hashes.
    usual: usize,
}

impl Memory {
    pub(super) fn new(cost: HashingCost) -> Self {
        Self { blocks: Vec::new(), usual: usize::try_from(cost.memory_kib).unwrap_or(usize::MAX) }
    }

    /// What is kept between hashes.
    #[cfg(test)]
    pub(super) fn kib(&self) -> usize {
        self.blocks.capacity()
    }

    /// Gives back what is kept between hashes.
    pub(super) fn release(&mut self) {
        self.blocks = Vec::new();
    }

    /// None if the system lacks memory.
    pub(super) fn compute(
        &mut self,
        (algorithm, version, params): (Algorithm, Version, &Params),
        password: &[u8],
        salt: &[u8],
        output: &mut [u8],
    ) -> Option<()> {
        let blocks = params.block_count();
        let missing = blocks.saturating_sub(self.blocks.len());
        self.blocks.try_reserve_exact(missing).ok()?;
        self.blocks.resize(blocks, Block::new());
        let argon2 = Argon2::new(algorithm, version, params.clone());
        let done = argon2.hash_password_into_with_memory(password, salt, output, &mut self.blocks);
        // A stored hash may have taken more than is usual here.
        self.blocks.truncate(self.usual);
        self.blocks.shrink_to(self.usual);
        done.ok()
    }
}

/// A stored Argon2 hash, read and found fit to be computed.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Phc {
    algorithm: Algorithm,
    version: Version,
    params: Params,
    salt: Vec<u8>,
    output: Output,
}

/// Why a text is none.
#[derive(Debug)]
pub(super) enum NoPhc {
    Malformed,
    /// It would cost too much (SECURITY: AUTH-07).
    TooCostly,
}

impl Phc {
    /// Reads a PHC string of any Argon2.
    pub(super) fn read(text: &str) -> Result<Self, NoPhc> {
        let phc = Self::parts(text).ok_or(NoPhc::Malformed)?;
        if phc.cost().is_within_bounds() { Ok(phc) } else { Err(NoPhc::TooCostly) }
    }

    fn parts(text: &str) -> Option<Self> {
        let phc = PasswordHash::new(text).ok()?;
        Some(Self {
            algorithm: Algorithm::try_from(phc.algorithm).ok()?,
            // The first version wrote none.
            version: phc.version.map_or(Ok(Version::V0x10), Version::try_from).ok()?,
            params: Params::try_from(&phc).ok()?,
            salt: salt_bytes(phc.salt?)?,
            output: phc.hash?,
        })
    }

    pub(super) fn cost(&self) -> HashingCost {
        let params = &self.params;
        HashingCost { memory_kib: params.m_cost(), iterations: params.t_cost(), parallelism: params.p_cost() }
    }

    /// The bytes that the right password leads to.
    pub(super) fn output(&self) -> &[u8] {
        self.output.as_bytes()
    }

    /// The bytes that this password leads to.
    pub(super) fn compute(&self, password: &[u8], memory: &mut Memory) -> Option<Vec<u8>> {
        let mut output = vec![0; self.output.len()];
        let how = (self.algorithm, self.version, &self.params);
        memory.compute(how, password, &self.salt, &mut output)?;
        Some(output)
    }

    /// Whether a new hash would be made in the same way.
    pub(super) fn is_up_to_date(&self, cost: HashingCost, salt_bytes: usize, output_bytes: usize) -> bool {
        self.algorithm == Algorithm::Argon2id
            && self.version == Version::V0x13
            && self.cost() == cost
            && self.salt.len() >= salt_bytes
            && self.output.len() == output_bytes
    }

    /// The same work without what belongs to a member.
    pub(super) fn anonymous(&self) -> Self {
        let blank = [0; Output::MAX_LENGTH];
        let output = Output::new(&blank[..self.output.len()]).unwrap_or(self.output);
        Self { salt: vec![0; self.salt.len()], output, ..self.clone() }
    }
}

fn salt_bytes(salt: Salt<'_>) -> Option<Vec<u8>> {
    let mut bytes = [0; Salt::MAX_LENGTH];
    salt.decode_b64(&mut bytes).ok().map(<[u8]>::to_vec)
}
