//! Damaged files: what is read is what was written, or an error, never something else (STO-07).
//!
//! `PASSGATE_DAMAGE_FACTOR` multiplies the number of places that are damaged.

use super::*;

fn member(n: u8) -> User {
    User {
        password: Some(format!("$argon2id$v=19$m=19456,t=2,p=1$salt{n}$hash{n}")),
        ..user(n, &format!("m{n}"))
    }
}

fn filled() -> TempDir {
    let Temporary { store, folder } = Temporary::new();
    // One at a time, so that the log has many groups.
    for n in 1..=40 {
        let member = [Change::AddUser(member(n)), add(passkey(n, n)), Change::PutSession(opened(n, n, n))];
        commit(&store, Vec::from(member)).unwrap();
    }
    drop(store);
    folder
}

/// Opens what is there and holds everything readable against what was written.
fn check(path: &Path) {
    let Ok(store) = SledStore::open(path, CACHE) else { return };
    for n in 1..=40 {
        let right = |found: Result<_, _>| found.is_err() || found == Ok(Some(member(n)));
        assert!(right(store.user(id(n))) && right(store.user_by_name(&format!("m{n}"))), "account {n}");
        let found = store.session(id(n), hash(n));
        assert!(found.is_err() || found == Ok(Some(opened(n, n, n))), "session {n}");
        let found = store.passkey(&credential(n));
        assert!(found.is_err() || found == Ok(Some(passkey(n, n))), "passkey {n}");
        let found = store.passkeys_of(id(n));
        assert!(found.is_err() || found == Ok(vec![passkey(n, n)]), "passkeys of account {n}");
    }
}

/// Damages one place of a file at a time, with `files` as they were otherwise; how many there were.
fn damage(
    files: &BTreeMap<PathBuf, Vec<u8>>,
    base: &Path,
    harm: impl Fn(&mut Vec<u8>, usize),
    places: usize,
) -> usize {
    let factor = env::var("PASSGATE_DAMAGE_FACTOR").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    let mut count = 0;
    for (name, bytes) in files.iter().filter(|(_, bytes)| !bytes.is_empty()) {
        let used = bytes.len() - bytes.iter().rev().take_while(|byte| **byte == 0).count();
        let places = (places * factor).min(used);
        count += places;
        for place in 0..places {
            let copy = tempfile::tempdir().unwrap();
            let beside = |name: &Path| copy.path().join(name.strip_prefix(base).unwrap());
            fs::create_dir_all(copy.path().join("store/blobs")).unwrap();
            for (name, bytes) in files {
                fs::write(beside(name), bytes).unwrap();
            }
            let mut damaged = bytes.clone();
            harm(&mut damaged, used * place / places);
            fs::write(beside(name), damaged).unwrap();
            check(&copy.path().join("store"));
        }
    }
    count
}

fn flip(bytes: &mut [u8], at: usize) {
    bytes[at] ^= 1 << (at % 8);
}

fn cut(bytes: &mut Vec<u8>, at: usize) {
    bytes.truncate(at);
}

fn zero(bytes: &mut [u8], at: usize) {
    let end = bytes.len().min(at + 512);
    bytes[at..end].fill(0);
}

#[test]
fn sto_07_damage_is_an_error_never_another_account_and_never_a_missing_one() {
    let original = filled();
    // As the writer leaves it, and with the map of the log that the next opening adds.
    let mut variants = 0;
    for _ in 0..2 {
        let files = contents(original.path());
        variants += damage(&files, original.path(), |bytes, at| flip(bytes, at), 12);
        variants += damage(&files, original.path(), cut, 6);
        variants += damage(&files, original.path(), |bytes, at| zero(bytes, at), 6);
        drop(SledStore::open(&original.path().join("store"), CACHE).unwrap());
    }
    println!("{variants} damaged stores");
}

#[test]
fn sto_07_who_removes_the_note_goes_on_with_what_is_left() {
    let original = filled();
    let path = original.path().join("store");
    let mut log = fs::read(path.join("db")).unwrap();
    let middle = (log.len() - log.iter().rev().take_while(|byte| **byte == 0).count()) / 2;
    flip(&mut log, middle);
    fs::write(path.join("db"), log).unwrap();
    let refused = SledStore::open(&path, CACHE).unwrap_err().to_string();
    assert!(refused.contains("writes are missing") && refused.contains("`written`"), "{refused}");
    fs::remove_file(path.join("written")).unwrap();
    let store = SledStore::open(&path, CACHE).unwrap();
    assert!(users(&store).len() < 40);
    commit(&store, vec![Change::AddUser(member(100))]).unwrap();
    drop(store);
    assert!(users(&SledStore::open(&path, CACHE).unwrap()).contains(&member(100)));
}
