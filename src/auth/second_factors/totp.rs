//! Codes that change with the time (RFC 6238), as apps on phones make them: SHA-1, six digits, half a minute.
//!
//! Other parameters are stronger on paper alone, and many apps ignore them without a word.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use crate::domain::{Secret, Timestamp, random};

/// How long a code is shown.
const STEP_MILLIS: u64 = 30_000;
const DIGITS: usize = 6;
/// A code is good for one step before and one after its own: clocks differ, and people type slowly (RFC 6238 §5.2).
const WINDOW: u64 = 1;
const KEY: usize = 20;

/// What the app and the gateway share: 160 bits, as RFC 4226 §4 recommends.
#[derive(Clone)]
pub(super) struct TotpKey(Secret<[u8; KEY]>);

/// Six digits that somebody typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TotpCode(u32);

impl TotpKey {
    pub(super) fn generate() -> Self {
        Self(Secret::new(random()))
    }

    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        Some(Self(Secret::new(bytes.try_into().ok()?)))
    }

    pub(super) fn expose(&self) -> &[u8] {
        self.0.expose()
    }

    /// The step of which this is the code, if it is one of those about `now`.
    ///
    /// Compared as numbers: whoever could measure the difference would need the right code to compare with.
    pub(super) fn step_of(&self, code: TotpCode, now: Timestamp) -> Option<u64> {
        let step = now.as_millis() / STEP_MILLIS;
        (step.saturating_sub(WINDOW)..=step.saturating_add(WINDOW)).find(|step| self.code(*step) == code)
    }

    /// RFC 4226 §5.3, for a step of time.
    #[expect(clippy::expect_used, reason = "HMAC takes a key of any length")]
    fn code(&self, step: u64) -> TotpCode {
        let mac = Hmac::<Sha1>::new_from_slice(self.expose()).expect("a key");
        let hash = mac.chain_update(step.to_be_bytes()).finalize().into_bytes();
        let at = usize::from(hash[hash.len() - 1] & 0x0f);
        let bytes = std::array::from_fn(|n| hash[at + n]);
        TotpCode((u32::from_be_bytes(bytes) & 0x7fff_ffff) % 10_u32.pow(DIGITS as u32))
    }

    /// The code that an app shows now.
    #[cfg(test)]
    pub(super) fn shown(&self, now: Timestamp) -> String {
        format!("{:06}", self.code(now.as_millis() / STEP_MILLIS).0)
    }
}

impl TotpCode {
    /// Reads what was typed, once blanks are taken out; none if it can't be a code.
    pub(super) fn read(text: &str) -> Option<Self> {
        let is_one = text.len() == DIGITS && text.bytes().all(|byte| byte.is_ascii_digit());
        is_one.then(|| text.parse().ok().map(Self)).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RFC_KEY: &[u8; 20] = b"12345678901234567890";

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    /// RFC 6238, appendix B, the last six of its eight digits.
    #[test]
    fn the_codes_are_those_of_the_standard() {
        let key = TotpKey::read(RFC_KEY).unwrap();
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(key.shown(at(seconds)), code, "{seconds}");
            assert_eq!(key.step_of(TotpCode::read(code).unwrap(), at(seconds)), Some(seconds / 30));
        }
    }

    #[test]
    fn a_code_is_good_one_step_early_and_one_late_and_no_longer() {
        let key = TotpKey::read(RFC_KEY).unwrap();
        let code = TotpCode::read("081804").unwrap();
        let step = 1_111_111_109 / 30;
        for (seconds, found) in [
            (step * 30 - 31, None),
            (step * 30 - 30, Some(step)),
            (step * 30 + 59, Some(step)),
            (step * 30 + 60, None),
        ] {
            assert_eq!(key.step_of(code, at(seconds)), found, "{seconds}");
        }
        assert_eq!(key.step_of(TotpCode::read("000000").unwrap(), at(0)), None, "no step before the first");
    }

    #[test]
    fn six_digits_are_a_code_and_nothing_else_is() {
        assert!(TotpCode::read("000001").is_some());
        for bad in ["", "12345", "1234567", "12345a", "+12345", "１２３４５６", "-00001"] {
            assert_eq!(TotpCode::read(bad), None, "{bad}");
        }
        assert!(TotpKey::read(&[0; 19]).is_none());
    }
}
