//! Whether a new password is one that somebody who guesses would come to soon.
//!
//! SECURITY: AUTH-01, AUTH-03, AUTH-04. What counts is how long it is and how many guesses it takes, never of which kinds
//! of characters it is made; nothing here wears a password out with time. The same rules for everybody, and each refusal says
//! which one it was. Pure, but slow enough to belong to the hashing threads.

mod about;
mod common;

pub use self::about::{About, Known};

use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;
use zxcvbn::matching::patterns::MatchPattern;
use zxcvbn::{Entropy, Score, zxcvbn};

/// Why a password is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeakPassword {
    /// It is on every list of those who guess.
    Common,
    /// It takes few guesses, in the order in which people guess.
    Guessable,
    /// There is little in it but what is known of the member.
    MadeOf(Known),
    /// More characters than this; nothing is cut off (SECURITY: AUTH-02).
    TooLong(usize),
    /// Fewer characters than this.
    TooShort(usize),
}

/// How many guesses an accepted password takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strength {
    /// More than 10⁸: out of reach where tries are throttled.
    Good,
    /// More than 10¹⁰: a burden even for who has stolen the store.
    VeryGood,
}

/// So many of its first characters are looked at for what is guessed. The time that takes grows faster than the text: for these
/// at most as long as two hashes. What follows can only make it harder.
const LOOKED_AT: usize = 64;

/// Judges a password of an acceptable length.
pub(super) fn judge(password: &str, about: &About) -> Result<Strength, WeakPassword> {
    let folded = folded(password);
    if common::contains(&folded) {
        return Err(WeakPassword::Common);
    }
    if let Some(known) = about.makes_up(&folded) {
        return Err(WeakPassword::MadeOf(known));
    }
    let start: Zeroizing<String> = Zeroizing::new(password.chars().take(LOOKED_AT).collect());
    let estimate = zxcvbn(&start, &about.words());
    match estimate.score() {
        _ if is_one_word(&estimate) => Err(WeakPassword::Common),
        Score::Zero | Score::One | Score::Two => Err(WeakPassword::Guessable),
        Score::Three => Ok(Strength::Good),
        _ => Ok(Strength::VeryGood),
    }
}

/// Whether all of it is one entry of a list of passwords, words or names.
fn is_one_word(estimate: &Entropy) -> bool {
    matches!(estimate.sequence(), [one] if matches!(one.pattern, MatchPattern::Dictionary(_)))
}

/// What is left of a text when spelling, blanks and signs do not count.
fn folded(text: &str) -> Zeroizing<String> {
    let letters = text.nfkc().flat_map(char::to_lowercase).filter(|sign| sign.is_alphanumeric());
    Zeroizing::new(letters.collect())
}

#[cfg(test)]
mod tests;
