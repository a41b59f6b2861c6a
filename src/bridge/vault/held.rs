//! [`Held`]: what is sealed for a member: the password that the forum has, and the one that it is to get or may have got.
//!
//! ```text
//! version 1 = the password, which the member gave
//! version 2 = source | its length, 2 bytes | the password | nothing, or: source | the other password
//! ```

use zeroize::Zeroizing;

use crate::domain::Secret;

/// Who knows a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::bridge) enum Source {
    /// The member, who signs in at the forum with it.
    Given = 0,
    /// Nobody: the gateway has made it.
    Generated = 1,
    /// The member, who chose it here, so that it stays.
    Chosen = 2,
}

impl Source {
    fn of(byte: u8) -> Option<Self> {
        [Self::Given, Self::Generated, Self::Chosen].into_iter().find(|source| *source as u8 == byte)
    }
}

/// A member's password at the forum.
pub(super) struct Held {
    pub(super) password: Secret<String>,
    pub(super) source: Source,
    /// It was sent to the forum, or is about to be, and has not been signed in with yet.
    pub(super) next: Option<(Secret<String>, Source)>,
}

impl Held {
    pub(super) const VERSION: u8 = 2;

    /// A password that a member has given.
    pub(super) const fn given(password: Secret<String>) -> Self {
        Self { password, source: Source::Given, next: None }
    }

    /// With another password in sight.
    pub(super) fn before(self, next: Secret<String>, source: Source) -> Self {
        Self { next: Some((next, source)), ..self }
    }

    /// With the password that was in sight in the place of the one before, if there was one.
    pub(super) fn after(self) -> Option<Self> {
        self.next.map(|(password, source)| Self { password, source, next: None })
    }

    /// None for a password that is too long to be one.
    pub(super) fn to_bytes(&self) -> Option<Zeroizing<Vec<u8>>> {
        let password = self.password.expose().as_bytes();
        let mut bytes = Zeroizing::new(vec![self.source as u8]);
        bytes.extend(u16::try_from(password.len()).ok()?.to_be_bytes());
        bytes.extend(password);
        if let Some((next, source)) = &self.next {
            bytes.push(*source as u8);
            bytes.extend(next.expose().as_bytes());
        }
        Some(bytes)
    }

    pub(super) fn read(version: u8, bytes: &[u8]) -> Option<Self> {
        let secret = |bytes| std::str::from_utf8(bytes).ok().map(|text: &str| Secret::new(text.to_owned()));
        if version == 1 {
            return secret(bytes).map(Self::given);
        }
        let (source, rest) = bytes.split_first().filter(|_| version == Self::VERSION)?;
        let (length, rest) = rest.split_first_chunk()?;
        let (password, rest) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
        let held = Self { source: Source::of(*source)?, ..Self::given(secret(password)?) };
        Some(match rest.split_first() {
            Some((source, next)) => held.before(secret(next)?, Source::of(*source)?),
            None => held,
        })
    }
}
