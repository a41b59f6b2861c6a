//! What the vault promises, with the files as they lie on the disk.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::*;
use crate::bridge::member::{Account, Accounts, Ask};
use crate::domain::{PasskeyFor, Profile, Timestamp, User, UserName, UserState};
use crate::store::{MemoryStore, SledStore};

const PASSWORD: &str = "b&b \"q\" <9> it's Zoë";

fn ann() -> UserId {
    UserId([1; 16])
}

fn ben() -> UserId {
    UserId([2; 16])
}

async fn with_members(store: Arc<dyn Store>) -> Arc<dyn Store> {
    for (id, name) in [(ann(), "Ann"), (ben(), "Ben")] {
        let user = User {
            profile: Profile {
                id,
                name: UserName::parse(name).unwrap(),
                full_name: None,
                email: None,
                groups: Vec::new(),
            },
            state: UserState::Active,
            password: None,
            created: Timestamp::from_millis(1),
            last_sign_in: None,
            setup: None,
            passkey_for: PasskeyFor::default(),
            imported: None,
        };
        store.apply(vec![Change::AddUser(user)]).await.unwrap();
    }
    store
}

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

fn revealed(vault: &Vault, user: UserId) -> Option<String> {
    vault.revealed(user).map(|(password, ..)| password)
}

impl Vault {
    /// What is held for a member: the password, whose it is, and the one that is to follow.
    pub(in crate::bridge) fn revealed(&self, user: UserId) -> Option<(String, Source, Option<String>)> {
        let text = |password: &Secret<String>| password.expose().clone();
        let held = self.held(user).unwrap();
        held.map(|held| (text(&held.password), held.source, held.next.map(|(next, _)| text(&next))))
    }

    /// Puts a password as it was sealed when there was nothing but the password.
    pub(in crate::bridge) async fn put_first_version(&self, user: UserId, password: &str) {
        let sealed = self.keys.seal(1, password.as_bytes(), &bound_to(1, user, &self.forum)).unwrap();
        let entry = SealedPassword { user, forum: self.forum.clone(), sealed };
        self.store.apply(vec![Change::PutForumPassword(entry)]).await.unwrap();
    }
}

/// Two members with passwords, and where the key lies.
async fn vault() -> (tempfile::TempDir, Arc<dyn Store>, Vault) {
    let folder = tempfile::tempdir().unwrap();
    let store = with_members(Arc::new(MemoryStore::new())).await;
    let vault = reopened(&folder, &store);
    vault.keep(ann(), &secret(PASSWORD)).await.unwrap();
    vault.keep(ben(), &secret("other")).await.unwrap();
    (folder, store, vault)
}

fn reopened(folder: &tempfile::TempDir, store: &Arc<dyn Store>) -> Vault {
    Vault::open(Arc::clone(store), &folder.path().join("key"), "phpbb").unwrap()
}

#[tokio::test]
async fn a_password_opens_again_after_a_restart_and_is_gone_once_taken_back() {
    let (folder, store, vault) = vault().await;
    let again = reopened(&folder, &store);
    for vault in [&vault, &again] {
        assert_eq!(revealed(vault, ann()).as_deref(), Some(PASSWORD));
    }
    again.take_back(ann()).await.unwrap();
    assert_eq!((revealed(&vault, ann()), again.has(ann()).unwrap()), (None, false));
    assert_eq!((vault.lost().unwrap(), vault.is_untried(ann()).unwrap()), (0, false));
    assert_eq!(revealed(&vault, ben()).as_deref(), Some("other"));
}

#[tokio::test]
async fn o4_an_entry_opens_for_its_own_member_and_forum_alone() {
    let (folder, store, vault) = vault().await;
    let entry = store.forum_password(ann()).unwrap().unwrap();
    let moved = SealedPassword { user: ben(), ..entry.clone() };
    store.apply(vec![Change::PutForumPassword(moved)]).await.unwrap();
    assert_eq!(revealed(&vault, ben()), None);
    let other = SealedPassword { forum: "smf".to_owned(), ..entry.clone() };
    store.apply(vec![Change::PutForumPassword(other)]).await.unwrap();
    let smf = Vault::open(Arc::clone(&store), &folder.path().join("key"), "smf").unwrap();
    assert_eq!((revealed(&vault, ann()), revealed(&smf, ann())), (None, None));
    for at in 0..entry.sealed.len() {
        let mut bent = entry.clone();
        bent.sealed[at] ^= 1;
        assert!(vault.opened(&bent).is_none(), "{at}");
        bent.sealed.truncate(at);
        assert!(vault.opened(&bent).is_none(), "{at}");
    }
}

/// Whether a password, in any usual writing, is in some file below `folder`.
fn is_in(folder: &Path, password: &str) -> bool {
    let hex: String = password.bytes().map(|byte| format!("{byte:02x}")).collect();
    let forms = [password.to_owned(), hex, STANDARD.encode(password), URL_SAFE_NO_PAD.encode(password)];
    fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return is_in(&path, password);
        }
        let bytes = fs::read(&path).unwrap();
        forms.iter().any(|form| bytes.windows(form.len()).any(|window| window == form.as_bytes()))
    })
}

#[tokio::test]
async fn o4_the_store_or_the_key_alone_shows_no_password() {
    let folder = tempfile::tempdir().unwrap();
    let (data, keys) = (folder.path().join("data"), folder.path().join("keys"));
    fs::create_dir(&keys).unwrap();
    let store = with_members(Arc::new(SledStore::open(&data, 1 << 20).unwrap())).await;
    let vault = Vault::open(Arc::clone(&store), &keys.join("key"), "phpbb").unwrap();
    let long = "a password of forty-two letters, or so -->";
    vault.keep(ann(), &secret(long)).await.unwrap();
    drop((vault, store));
    for stolen in [&data, &keys] {
        assert!(!is_in(stolen, long), "{}", stolen.display());
    }
    fs::write(data.join("plain"), long).unwrap();
    assert!(is_in(&data, long), "the search would find it");
    fs::remove_file(data.join("plain")).unwrap();

    let store: Arc<dyn Store> = Arc::new(SledStore::open(&data, 1 << 20).unwrap());
    let thief = Vault::open(Arc::clone(&store), &folder.path().join("no key"), "phpbb").unwrap();
    assert_eq!((revealed(&thief, ann()), thief.lost().unwrap()), (None, 1));
    let printed = format!("{:?}", store.forum_password(ann()));
    assert!(!printed.contains("sealed:"), "{printed}");
}

#[tokio::test]
async fn a_new_key_opens_everything_and_the_old_one_nothing() {
    let (folder, store, vault) = vault().await;
    fs::copy(folder.path().join("key"), folder.path().join("old")).unwrap();
    assert_eq!(vault.rotate().await.unwrap(), Rotated { sealed: 2, lost: 0 });
    for vault in [vault, reopened(&folder, &store)] {
        assert_eq!(revealed(&vault, ann()).as_deref(), Some(PASSWORD));
        assert_eq!(revealed(&vault, ben()).as_deref(), Some("other"));
    }
    let old = Vault::open(store, &folder.path().join("old"), "phpbb").unwrap();
    assert_eq!((revealed(&old, ann()), old.lost().unwrap()), (None, 2));
}

#[tokio::test]
async fn a_change_of_keys_that_breaks_off_leaves_everything_readable() {
    let (folder, store, vault) = vault().await;
    let is_whole = || {
        let vault = reopened(&folder, &store);
        assert_eq!(revealed(&vault, ann()).as_deref(), Some(PASSWORD));
        assert_eq!(revealed(&vault, ben()).as_deref(), Some("other"));
    };
    vault.keys.renew().unwrap();
    is_whole();
    let entry = store.forum_password(ann()).unwrap().unwrap();
    let sealed = vault.resealed(&entry).unwrap();
    assert_ne!(sealed.sealed[..9], entry.sealed[..9], "by another key");
    store.apply(vec![Change::PutForumPassword(sealed)]).await.unwrap();
    is_whole();
    fs::write(folder.path().join("key.new"), "half").unwrap();
    is_whole();
    assert_eq!(reopened(&folder, &store).rotate().await.unwrap(), Rotated { sealed: 2, lost: 0 });
    is_whole();
    assert_eq!(fs::read_to_string(folder.path().join("key")).unwrap().lines().count(), 1);
}

#[tokio::test]
async fn without_its_key_a_member_can_be_asked_again() {
    let (folder, store, _) = vault().await;
    fs::remove_file(folder.path().join("key")).unwrap();
    let vault = reopened(&folder, &store);
    assert_eq!((revealed(&vault, ann()), vault.lost().unwrap()), (None, 2));
    vault.keep(ann(), &secret("again")).await.unwrap();
    assert_eq!((revealed(&vault, ann()).as_deref(), vault.lost().unwrap()), (Some("again"), 1));
    assert_eq!(vault.rotate().await.unwrap(), Rotated { sealed: 1, lost: 1 });
}

#[tokio::test]
async fn ops_05_a_key_that_others_may_read_is_refused() {
    let (folder, store, _) = vault().await;
    let path = folder.path().join("key");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    for mode in [0o640, 0o604, 0o660] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let error = Vault::open(Arc::clone(&store), &path, "phpbb").err().unwrap().to_string();
        assert!(error.contains("chmod 600") && error.contains(&format!("{mode:o}")), "{error}");
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    for bad in ["", "x\n", "AAAA"] {
        fs::write(&path, bad).unwrap();
        assert!(Vault::open(Arc::clone(&store), &path, "phpbb").is_err(), "{bad:?}");
    }
}

#[tokio::test]
async fn a_deleted_member_has_no_password_and_gets_none() {
    let (_folder, store, vault) = vault().await;
    store.apply(vec![Change::DeleteUser(ann())]).await.unwrap();
    assert!(!vault.has(ann()).unwrap());
    let refused = vault.keep(ann(), &secret("x")).await;
    assert!(matches!(refused, Err(VaultError::Store(StoreError::NoSuchUser))));
    assert_eq!(vault.rotate().await.unwrap(), Rotated { sealed: 1, lost: 0 });
}

#[tokio::test]
async fn a_refused_password_is_forgotten_unless_it_has_changed_meanwhile() {
    let (_folder, _store, vault) = vault().await;
    let vault = Arc::new(vault);
    let unlocked = Unlocked::new(Arc::clone(&vault), None);
    let Account::Linked(credentials, stamp) = unlocked.account(ann()).await else { panic!("no account") };
    assert_eq!((credentials.name.as_str(), credentials.password.expose().as_str()), ("Ann", PASSWORD));
    vault.keep(ann(), &secret("newer")).await.unwrap();
    unlocked.refused(ann(), stamp, Ask::WrongPassword).await;
    assert_eq!(revealed(&vault, ann()).as_deref(), Some("newer"));
    let Account::Linked(_, stamp) = unlocked.account(ann()).await else { panic!("no account") };
    unlocked.refused(ann(), stamp, Ask::Captcha).await;
    assert_eq!(revealed(&vault, ann()).as_deref(), Some("newer"));
    unlocked.refused(ann(), stamp, Ask::WrongPassword).await;
    assert!(matches!(unlocked.account(ann()).await, Account::Refused(Ask::WrongPassword)));
    assert_eq!((revealed(&vault, ann()), vault.is_untried(ann()).unwrap()), (None, false));
}
