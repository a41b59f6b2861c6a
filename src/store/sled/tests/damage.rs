//! Damaged files: what is read is what was written, or an error, never something else (STO-07).

use super::*;

fn member(n: u8) -> User {
    User {
        password: Some(format!("$argon2id$v=19$m=19456,t=2,p=1$salt{n}$hash{n}")),
        ..user(n, &format!("m{n}"))
    }
}

fn filled() -> TempDir {
    let Temporary { store, folder } = Temporary::new();
    for n in 1..=40 {
        drop(store.apply(vec![Change::AddUser(member(n)), Change::PutSession(session(n, n))]));
    }
    commit(&store, Batch::new()).unwrap();
    drop(store);
    folder
}

/// Opens what is there and holds everything readable against what was written. Returns whether all was there.
fn check(path: &Path) -> bool {
    let Ok(store) = SledStore::open(path, CACHE) else { return false };
    let mut whole = true;
    for n in 1..=40 {
        for found in [store.user(id(n)), store.user_by_name(&format!("m{n}"))] {
            match found {
                Ok(Some(found)) => assert_eq!(found, member(n), "never another account or password"),
                Ok(None) | Err(_) => whole = false,
            }
        }
        match store.session(hash(n)) {
            Ok(Some(found)) => assert_eq!(found, session(n, n)),
            Ok(None) | Err(_) => whole = false,
        }
    }
    whole
}

#[test]
fn sto_07_a_flipped_bit_anywhere_never_turns_into_another_account() {
    let original = filled();
    assert!(check(&original.path().join("store")));
    let files = contents(original.path());
    for (name, bytes) in &files {
        let used = bytes.len() - bytes.iter().rev().take_while(|byte| **byte == 0).count();
        for step in 0..24.min(used) {
            let copy = tempfile::tempdir().unwrap();
            let place = |name: &Path| copy.path().join(name.strip_prefix(original.path()).unwrap());
            fs::create_dir_all(copy.path().join("store/blobs")).unwrap();
            for (name, bytes) in &files {
                fs::write(place(name), bytes).unwrap();
            }
            let mut damaged = bytes.clone();
            damaged[used * step / 24.min(used)] ^= 1 << (step % 8);
            fs::write(place(name), damaged).unwrap();
            check(&copy.path().join("store"));
        }
    }
}
