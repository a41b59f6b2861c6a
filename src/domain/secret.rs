//! Secrets: values that do not print, random tokens, and the hashes under which tokens are kept.

use std::fmt;
use std::marker::PhantomData;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use super::hex;

/// A value that must not reach a log: `Debug` says nothing of it and its memory is cleared when it goes.
#[derive(Clone)]
pub struct Secret<T: Zeroize>(Zeroizing<T>);

impl<T: Zeroize> Secret<T> {
    /// Wraps `value`.
    pub fn new(value: T) -> Self {
        Self(Zeroizing::new(value))
    }

    /// The value itself; the name makes each use easy to find.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// What a token is for. Its label goes into the hash, so that a token of one purpose never answers for another
/// (SECURITY: S3).
pub trait Purpose {
    /// A text no other purpose has.
    const LABEL: &'static [u8];
}

/// 256 random bits handed to a browser, as 43 characters of base64url.
pub struct Token<P>(Zeroizing<[u8; 32]>, PhantomData<P>);

impl<P: Purpose> Token<P> {
    /// A fresh token from the operating system's generator.
    ///
    /// # Panics
    /// If the operating system has no randomness to give; nothing safe can be done then.
    pub fn generate() -> Self {
        Self(Zeroizing::new(random()), PhantomData)
    }

    /// Reads the text form; anything but exactly 43 base64url characters of the one canonical spelling is none.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = Zeroizing::new([0; 32]);
        let length = URL_SAFE_NO_PAD.decode_slice(text, bytes.as_mut()).ok()?;
        (length == 32 && text.len() == 43).then_some(Self(bytes, PhantomData))
    }

    /// The text form, for the browser's eyes only.
    pub fn to_text(&self) -> Zeroizing<String> {
        Zeroizing::new(URL_SAFE_NO_PAD.encode(self.0.as_ref()))
    }

    /// What the server keeps: SHA-256 over the purpose's label and the token. One block for SHA-256, so a session
    /// check costs one compression.
    pub fn hash(&self) -> TokenHash {
        self.derive(P::LABEL)
    }

    /// A hash of this token under another label: an anti-forgery value made from a session token, say.
    pub fn derive(&self, label: &[u8]) -> TokenHash {
        let mut hasher = Sha256::new();
        hasher.update(label);
        hasher.update(self.0.as_ref());
        TokenHash(hasher.finalize().into())
    }
}

impl<P> fmt::Debug for Token<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[token]")
    }
}

/// The hash of a [`Token`]. Knowing it does not give the token.
#[derive(Clone, Copy, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TokenHash(pub [u8; 32]);

impl TokenHash {
    /// base64url, for a form field.
    pub fn to_text(self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// Whether `text` is this hash's text form, in constant time.
    pub fn matches_text(&self, text: &str) -> bool {
        self.to_text().as_bytes().ct_eq(text.as_bytes()).into()
    }

    /// The first 64 bits as 16 hexadecimal digits: enough to name a session in a listing, too little to be it.
    pub fn short(&self) -> String {
        hex(&self.0[..8])
    }
}

impl PartialEq for TokenHash {
    fn eq(&self, other: &Self) -> bool {
        // Word by word: byte by byte it would be the dearest step of looking a session up.
        let (ours, theirs) = (self.0.as_chunks::<8>().0, other.0.as_chunks::<8>().0);
        let words = ours.iter().zip(theirs).map(|(a, b)| u64::from_ne_bytes(*a) ^ u64::from_ne_bytes(*b));
        words.fold(0, |differing, word| differing | word).ct_eq(&0).into()
    }
}

impl std::hash::Hash for TokenHash {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenHash({}…)", self.short())
    }
}

/// `N` random bytes from the operating system, for ids and salts.
///
/// # Panics
/// If the operating system has none to give; nothing safe can be done then.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    #[expect(clippy::expect_used, reason = "without randomness nothing safe can be done")]
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    struct A;
    impl Purpose for A {
        const LABEL: &'static [u8] = b"a";
    }
    struct B;
    impl Purpose for B {
        const LABEL: &'static [u8] = b"b";
    }

    #[test]
    fn a_token_reads_back_only_in_its_one_spelling() {
        let token = Token::<A>::generate();
        let text = token.to_text();
        assert_eq!(Token::<A>::parse(&text).unwrap().hash(), token.hash());
        let quoted = format!("\"{}\"", *text);
        let last = text.char_indices().last().unwrap().0;
        for bad in [
            "",
            "a",
            &text[1..],
            &format!("{}=", *text),
            &quoted,
            &format!("{} ", *text),
            &format!("{}é", &text[..last]),
        ] {
            assert!(Token::<A>::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn s3_a_token_of_one_purpose_is_unknown_under_another() {
        let token = Token::<A>::generate();
        let same_bytes = Token::<B>::parse(&token.to_text()).unwrap();
        assert_ne!(token.hash(), same_bytes.hash());
    }

    #[test]
    fn nothing_secret_is_printed() {
        let token = Token::<A>::generate();
        assert_eq!(format!("{token:?} {:?}", Secret::new("hunter2".to_owned())), "[token] [secret]");
    }
}
