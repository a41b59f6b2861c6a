//! The forum's members, its login cookie and its form tokens.
//!
//! Cookie and token are keyed hashes, so nothing is stored for them; the key is made at start and lives as long as the
//! process.

use sha2::{Digest, Sha256};

/// A member of the sample forum, with the password its own login form takes.
#[derive(Clone, Copy, Debug)]
pub struct SampleMember {
    /// How the forum knows them.
    pub name: &'static str,
    /// For the forum's own login form; the gateway's password is another.
    pub password: &'static str,
}

/// The forum's members.
pub const MEMBERS: [SampleMember; 2] = [
    SampleMember { name: "alice", password: "forum-wonderland" },
    SampleMember { name: "bob", password: "b&b \"q\" <9> it's" },
];

/// Checks passwords, login cookies and form tokens.
pub(super) struct Members {
    key: [u8; 32],
}

impl Members {
    pub(super) fn new() -> std::io::Result<Self> {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|error| std::io::Error::other(error.to_string()))?;
        Ok(Self { key })
    }

    /// The number of the member with this name and password. Names are compared without regard to case.
    pub(super) fn check(&self, name: &str, password: &str) -> Option<usize> {
        MEMBERS
            .iter()
            .position(|member| member.name.eq_ignore_ascii_case(name.trim()) && member.password == password)
    }

    /// The value of the login cookie for a member, not yet encoded.
    pub(super) fn login_cookie(&self, number: usize) -> String {
        format!("{number}|{}", self.sign(&["login", &number.to_string()]))
    }

    /// The member a login cookie stands for.
    pub(super) fn of_login_cookie(&self, value: &str) -> Option<&'static SampleMember> {
        let number: usize = value.split_once('|')?.0.parse().ok()?;
        let member = MEMBERS.get(number)?;
        (value == self.login_cookie(number)).then_some(member)
    }

    /// The hidden token of a form, for one visitor's session.
    pub(super) fn form_token(&self, session: &str) -> String {
        self.sign(&["form", session])
    }

    fn sign(&self, parts: &[&str]) -> String {
        let mut hash = Sha256::new_with_prefix(self.key);
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hex(&hash.finalize()[..16])
    }
}

/// A new session number for a visitor that has none; empty if the system has no random bytes, which no form accepts.
pub(super) fn new_session() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_or_else(|_| String::new(), |()| hex(&bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_cookie_names_its_member_and_no_other() {
        let members = Members::new().unwrap();
        let cookie = members.login_cookie(1);
        assert_eq!(members.of_login_cookie(&cookie).unwrap().name, "bob");
        assert!(members.of_login_cookie(&cookie.replacen('1', "0", 1)).is_none());
        assert!(members.of_login_cookie("9|x").is_none());
        assert!(Members::new().unwrap().of_login_cookie(&cookie).is_none(), "another key");
    }

    #[test]
    fn a_password_is_taken_as_it_is_and_a_name_in_any_case() {
        let members = Members::new().unwrap();
        assert_eq!(members.check(" Bob ", MEMBERS[1].password), Some(1));
        assert_eq!(members.check("bob", "forum-wonderland"), None);
        assert_eq!(members.check("mallory", ""), None);
    }
}
