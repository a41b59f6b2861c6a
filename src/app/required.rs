//! Who comes no further than our own pages, for want of a passkey or a second factor.

use super::Services;
use crate::config::Config;
use crate::policy::RequiredFor;
use crate::server::control::{UserLine, all_users, without_passkey, without_second_factor};

impl Services {
    /// A sentence that names the members who need a passkey by `config` and have none.
    pub fn without_passkey(&self, config: &Config) -> Option<String> {
        let required_for = &config.passkeys.as_ref()?.required_for;
        if *required_for == RequiredFor::Groups(Vec::new()) {
            return None;
        }
        self.named(|users| without_passkey(required_for, users))
    }

    /// A sentence that names the members who need more than a password by `config` and have nothing else.
    pub fn without_second_factor(&self, config: &Config) -> Option<String> {
        let required_for = &config.second_factor.required_for;
        if required_for.is_nobody() {
            return None;
        }
        self.named(|users| without_second_factor(required_for, users))
    }

    fn named(&self, who: impl FnOnce(&[UserLine]) -> Option<String>) -> Option<String> {
        match all_users(&self.accounts, &self.second_factors, self.store.as_ref()) {
            Ok(users) => who(&users),
            Err(error) => Some(format!("who lacks a passkey or a second factor can't be told: {error}")),
        }
    }
}
