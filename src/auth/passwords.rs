//! Argon2id on threads of its own, bounded in number and queue (SECURITY: THR-09, THR-10, AUTH-06, AUTH-07).

use crate::domain::Secret;

/// What one hash costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashingCost {
    /// KiB of memory.
    pub memory_kib: u32,
    /// Passes over it.
    pub iterations: u32,
    /// Lanes.
    pub parallelism: u32,
}

/// What a new password has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordPolicy {
    /// At least this many characters.
    pub min_chars: usize,
}

/// All threads are hashing and the queue is full, or the wait got too long: try again in a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Busy;

/// The result of comparing.
#[derive(Debug, PartialEq, Eq)]
pub struct Verified {
    /// Whether the password is the stored one.
    pub matches: bool,
    /// A new PHC string to store, if it matched and the stored one was made at another cost.
    pub upgraded: Option<String>,
}

/// The hashing threads.
#[derive(Debug)]
pub struct Passwords {}

impl Passwords {
    /// Starts `workers` threads.
    pub fn new(_cost: HashingCost, _workers: usize) -> Self {
        todo!()
    }

    /// Hashes a new password to a PHC string.
    pub async fn hash(&self, _password: Secret<String>) -> Result<String, Busy> {
        todo!()
    }

    /// Compares with a stored PHC string. With none, does the same work and never matches (SECURITY: L5, L6).
    pub async fn verify(&self, _stored: Option<String>, _password: Secret<String>) -> Result<Verified, Busy> {
        todo!()
    }
}
