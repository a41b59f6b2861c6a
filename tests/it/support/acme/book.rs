//! What the authority knows: accounts, orders, what has been proved.

use std::collections::HashSet;

use super::jws::Key;

#[derive(Default)]
pub(super) struct Book {
    pub(super) accounts: Vec<Account>,
    pub(super) orders: Vec<Order>,
    pub(super) requests: Vec<String>,
    pub(super) nonces: HashSet<String>,
    pub(super) nonces_made: usize,
    /// Whether an account is bound to the one of the authority's own.
    pub(super) is_bound: bool,
}

pub(super) struct Account {
    pub(super) key: Key,
    pub(super) contact: Vec<String>,
    pub(super) is_good: bool,
}

/// An order, each of its names with how it was proved.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) proofs: Vec<Proof>,
    pub(crate) status: &'static str,
    /// The certificate it is to follow, if it says so.
    pub(crate) replaces: Option<String>,
    /// What was signed, in PEM.
    pub(super) chain: Option<String>,
    /// The certificate alone, in DER.
    pub(crate) certificate: Option<Vec<u8>>,
}

/// A name to be proved.
#[derive(Clone, Debug)]
pub(crate) struct Proof {
    pub(crate) name: String,
    pub(super) token: String,
    /// The kind that was chosen, and what came of it.
    pub(crate) kind: Option<&'static str>,
    pub(super) error: Option<String>,
    pub(super) status: &'static str,
}

impl Book {
    pub(super) fn nonce(&mut self) -> String {
        self.nonces_made += 1;
        let nonce = format!("nonce-{}", self.nonces_made);
        self.nonces.insert(nonce.clone());
        nonce
    }
}

impl Order {
    pub(super) fn judge(&mut self) {
        if self.status == "pending" && self.proofs.iter().any(|proof| proof.status == "invalid") {
            self.status = "invalid";
        } else if self.status == "pending" && self.proofs.iter().all(|proof| proof.status == "valid") {
            self.status = "ready";
        }
    }
}
