//! Floor 1: sealing. What has to be read again, so that no hash will do, lies in the store sealed with a key that does not.
//!
//! SECURITY: O4, OPS-05. Whoever has the store alone, or the keys alone, has nothing. What is sealed is bound to what it is for:
//! it opens nowhere else.
//!
//! ```text
//! sealed = version | which key, 8 bytes | nonce, 24 bytes | XChaCha20-Poly1305 of what is sealed
//! ```

mod key_file;

pub use self::key_file::{KeyFileError, write_private};

use std::path::Path;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use self::key_file::KeyFile;
use crate::domain::{Purpose, Token, random};

const KEY_ID: usize = 8;
const NONCE: usize = 24;

/// What goes before the nonce in what is sealed.
pub const BEFORE_NONCE: usize = 1 + KEY_ID;

struct SealKey;

impl Purpose for SealKey {
    // The keys were those of the vault alone once, and what they sealed is still there.
    const LABEL: &'static [u8] = b"passgate vault key id";
}

/// What seals and opens. The file has a token; the cipher's key and the name of the key are made of it.
struct Key(Token<SealKey>);

impl Key {
    fn generate() -> Self {
        Self(Token::generate())
    }

    fn parse(line: &str) -> Option<Self> {
        Token::parse(line).map(Self)
    }

    fn to_text(&self) -> Zeroizing<String> {
        self.0.to_text()
    }

    fn id(&self) -> [u8; KEY_ID] {
        let mut id = [0; KEY_ID];
        id.copy_from_slice(&self.0.hash().0[..KEY_ID]);
        id
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        let key = Zeroizing::new(self.0.derive(b"passgate vault key").0);
        XChaCha20Poly1305::new((&*key).into())
    }

    fn seal(&self, version: u8, bytes: &[u8], bound_to: &[u8]) -> Option<Vec<u8>> {
        let nonce: [u8; NONCE] = random();
        let payload = Payload { msg: bytes, aad: bound_to };
        let closed = self.cipher().encrypt(&XNonce::from(nonce), payload).ok()?;
        Some([&[version][..], &self.id(), &nonce, &closed].concat())
    }

    fn open(&self, rest: &[u8], bound_to: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, closed) = rest.strip_prefix(&self.id())?.split_first_chunk::<NONCE>()?;
        let payload = Payload { msg: closed, aad: bound_to };
        self.cipher().decrypt(&XNonce::from(*nonce), payload).ok().map(Zeroizing::new)
    }
}

/// The keys of one file, the newest first; none until the first is made.
pub struct KeyRing {
    /// None where nothing is kept, so that the keys are not either.
    file: Option<KeyFile>,
    keys: RwLock<Vec<Key>>,
}

impl KeyRing {
    /// The keys in this file, which need not be there yet. `of` is whose keys they are, in words: "the key of …".
    pub fn open(file: &Path, of: &'static str) -> Result<Self, KeyFileError> {
        let file = KeyFile::new(file.to_owned(), of);
        let keys = RwLock::new(file.read()?);
        Ok(Self { file: Some(file), keys })
    }

    /// Keys that are gone with the process, as the store in memory is.
    pub fn in_memory() -> Self {
        Self { file: None, keys: RwLock::default() }
    }

    /// Where they lie; nowhere if they are in memory.
    pub fn path(&self) -> Option<&Path> {
        self.file.as_ref().map(KeyFile::path)
    }

    /// Makes the first key if there is none. To be called by one at a time.
    pub fn prepare(&self) -> Result<(), KeyFileError> {
        if self.read().is_empty() { self.renew() } else { Ok(()) }
    }

    /// Makes a key with which everything is sealed from now on. The older ones still open.
    pub fn renew(&self) -> Result<(), KeyFileError> {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        let key = Key::generate();
        self.write(std::iter::once(&key).chain(keys.iter()))?;
        keys.insert(0, key);
        Ok(())
    }

    /// Forgets all keys but the newest.
    pub fn drop_old(&self) -> Result<(), KeyFileError> {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        self.write(keys.iter().take(1))?;
        keys.truncate(1);
        Ok(())
    }

    /// Seals with the newest key; none without one. `bound_to` has to name, besides what it is for, the version.
    pub fn seal(&self, version: u8, bytes: &[u8], bound_to: &[u8]) -> Option<Vec<u8>> {
        self.read().first()?.seal(version, bytes, bound_to)
    }

    /// What was sealed, with the version that is said to be; none if no key opens it or it is bound to something else.
    pub fn unseal(
        &self,
        sealed: &[u8],
        bound_to: impl FnOnce(u8) -> Vec<u8>,
    ) -> Option<(u8, Zeroizing<Vec<u8>>)> {
        let (version, rest) = sealed.split_first()?;
        let bound_to = bound_to(*version);
        let bytes = self.read().iter().find_map(|key| key.open(rest, &bound_to))?;
        Some((*version, bytes))
    }

    fn write<'k>(&self, keys: impl Iterator<Item = &'k Key>) -> Result<(), KeyFileError> {
        self.file.as_ref().map_or(Ok(()), |file| file.write(keys))
    }

    /// A panic can't leave half a change here, so a poisoned lock is as good as any.
    fn read(&self) -> RwLockReadGuard<'_, Vec<Key>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_with_its_key_its_version_and_its_purpose_alone() {
        let (keys, others) = (KeyRing::in_memory(), KeyRing::in_memory());
        assert_eq!(keys.seal(1, b"secret", b"for ann"), None, "no key yet");
        keys.prepare().unwrap();
        others.prepare().unwrap();
        let sealed = keys.seal(1, b"secret", b"for ann").unwrap();
        let opened = |keys: &KeyRing, sealed: &[u8], purpose: &[u8]| {
            keys.unseal(sealed, |_| purpose.to_vec()).map(|(version, bytes)| (version, bytes.to_vec()))
        };
        assert_eq!(opened(&keys, &sealed, b"for ann"), Some((1, b"secret".to_vec())));
        assert_eq!(opened(&keys, &sealed, b"for ben"), None);
        assert_eq!(opened(&others, &sealed, b"for ann"), None);
        for at in 1..sealed.len() {
            let mut spoiled = sealed.clone();
            spoiled[at] ^= 1;
            assert_eq!(opened(&keys, &spoiled, b"for ann"), None, "{at}");
            assert_eq!(opened(&keys, &sealed[..at], b"for ann"), None, "{at}");
        }
        keys.renew().unwrap();
        assert_eq!(opened(&keys, &sealed, b"for ann"), Some((1, b"secret".to_vec())), "by the old key");
        keys.drop_old().unwrap();
        assert_eq!(opened(&keys, &sealed, b"for ann"), None);
    }
}
