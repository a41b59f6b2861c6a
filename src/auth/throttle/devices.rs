//! Devices: browsers in which a member has signed in before.
//!
//! SECURITY: THR-02. A [`Mark`] in a cookie says so. It is no proof of who is there: it moves the wrong passwords typed in
//! its browser to a budget of their own, so nobody else's keep the member out there. It is good for one account with the
//! password that account has now, names neither, and can't be made up. A stolen one is good for that small budget.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::DeviceId;
use crate::domain::{Secret, User, UserState, random};

const LABEL: &[u8] = b"passgate device";
/// So many members of one browser are remembered.
const MOST: usize = 4;

/// One member's browser.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Mark {
    id: DeviceId,
    tag: [u8; 16],
}

/// What a browser brings with it: a mark for each of the members who lately signed in there.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Marks(Vec<Mark>);

impl Marks {
    /// Reads a cookie's value; what can't be read is none.
    pub fn parse(text: &str) -> Self {
        let bytes = match text.len() {
            0..=256 => URL_SAFE_NO_PAD.decode(text).unwrap_or_default(),
            _ => Vec::new(),
        };
        let (pairs, rest) = bytes.as_chunks::<32>();
        let halves = |pair: &[u8; 32]| {
            let (id, tag) = pair.split_at(16);
            Some(Mark { id: id.try_into().ok()?, tag: tag.try_into().ok()? })
        };
        if rest.is_empty() {
            Self(pairs.iter().take(MOST).filter_map(halves).collect())
        } else {
            Self::default()
        }
    }

    /// The cookie's value.
    pub fn to_text(&self) -> String {
        let bytes: Vec<u8> = self.0.iter().flat_map(|mark| [mark.id, mark.tag].concat()).collect();
        URL_SAFE_NO_PAD.encode(bytes)
    }
}

impl fmt::Debug for Marks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} marks]", self.0.len())
    }
}

/// Makes and knows marks.
pub(super) struct Devices {
    key: Secret<[u8; 32]>,
}

impl Devices {
    pub(super) const fn new(key: Secret<[u8; 32]>) -> Self {
        Self { key }
    }

    /// Which device of this member it is.
    pub(super) fn known(&self, marks: &Marks, user: &User) -> Option<DeviceId> {
        let own = marks.0.iter().find(|mark| self.is_of(mark, user));
        own.filter(|_| user.state == UserState::Active).map(|mark| mark.id)
    }

    /// The marks of a browser in which this member has just signed in. Theirs is a new one.
    pub(super) fn marked(&self, marks: &Marks, user: &User) -> Marks {
        let id = random();
        let mut tag = [0; 16];
        tag.copy_from_slice(&self.mac(id, user).finalize().into_bytes()[..16]);
        let others = marks.0.iter().filter(|mark| !self.is_of(mark, user)).take(MOST - 1);
        Marks(std::iter::once(Mark { id, tag }).chain(others.copied()).collect())
    }

    fn is_of(&self, mark: &Mark, user: &User) -> bool {
        self.mac(mark.id, user).verify_truncated_left(&mark.tag).is_ok()
    }

    /// All parts but the last are of one length, so no two different ones are one text.
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    fn mac(&self, id: DeviceId, user: &User) -> Hmac<Sha256> {
        let mac = Hmac::<Sha256>::new_from_slice(self.key.expose()).expect("a key");
        let password = user.password.as_deref().unwrap_or_default();
        [LABEL, &id, &user.profile.id.0, password.as_bytes()].into_iter().fold(mac, Mac::chain_update)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::domain::{PasskeyFor, Profile, Timestamp, UserId, UserName};

    pub(in crate::auth::throttle) fn user(n: u8, name: &str) -> User {
        let (id, name) = (UserId([n; 16]), UserName::parse(name).unwrap());
        User {
            profile: Profile { id, name, full_name: None, email: None, groups: Vec::new() },
            state: UserState::Active,
            password: Some("$argon2id$".to_owned()),
            created: Timestamp::from_millis(1),
            last_sign_in: None,
            setup: None,
            passkey_for: PasskeyFor::default(),
            imported: None,
        }
    }

    fn devices(key: u8) -> Devices {
        Devices::new(Secret::new([key; 32]))
    }

    #[test]
    fn thr_02_a_mark_is_good_for_one_member_with_one_password_and_under_one_key() {
        let (devices_1, alice) = (devices(1), user(1, "alice"));
        let marks = devices_1.marked(&Marks::default(), &alice);
        let known = devices_1.known(&marks, &alice);
        assert!(known.is_some());
        assert_eq!(devices_1.known(&Marks::parse(&marks.to_text()), &alice), known);
        assert_eq!(devices_1.known(&marks, &user(2, "bob")), None, "another member");
        assert_eq!(devices(2).known(&marks, &alice), None, "another site");
        let changed = User { password: Some("$argon2id$new".to_owned()), ..alice.clone() };
        assert_eq!(devices_1.known(&marks, &changed), None, "another password");
        let disabled = User { state: UserState::Disabled, ..alice.clone() };
        assert_eq!(devices_1.known(&marks, &disabled), None);
        let text = marks.to_text();
        for at in 0..text.len() {
            let mut other = text.clone().into_bytes();
            other[at] = if other[at] == b'A' { b'B' } else { b'A' };
            let other = Marks::parse(std::str::from_utf8(&other).unwrap());
            assert!(other == marks || devices_1.known(&other, &alice).is_none(), "{at}");
        }
    }

    #[test]
    fn a_browser_keeps_the_marks_of_a_few_members_and_a_new_one_at_each_sign_in() {
        let devices = devices(1);
        let mut marks = Marks::default();
        for n in 1..=5 {
            marks = devices.marked(&marks, &user(n, "x"));
        }
        let known = |marks: &Marks| (1..=5).map(|n| devices.known(marks, &user(n, "x"))).collect::<Vec<_>>();
        let before = known(&marks);
        assert_eq!(before.iter().map(Option::is_some).collect::<Vec<_>>(), [false, true, true, true, true]);
        let after = known(&devices.marked(&marks, &user(3, "x")));
        assert_ne!(after[2], before[2]);
        assert_eq!((after[1], after[3], after[4]), (before[1], before[3], before[4]));
    }

    #[test]
    fn whatever_a_browser_sends_is_marks_or_none() {
        let many = URL_SAFE_NO_PAD.encode([7; 160]);
        assert_eq!(Marks::parse(&many).0.len(), MOST);
        for text in ["", "A", "é", "%00", &URL_SAFE_NO_PAD.encode([7; 31]), &"A".repeat(10_000)] {
            assert_eq!(Marks::parse(text), Marks::default(), "{text}");
        }
    }
}
