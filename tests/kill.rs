//! SECURITY: STO-01, WAN-07. A process that signs members up, in and out, and adds, uses, renames and removes their passkeys, is
//! killed in the middle, again and again. What it was told is done must be there afterwards; the rest wholly or not at all.
//!
//! The process is this test itself, started again. It says on its standard error, a pipe that outlives it, what it is about to do
//! and what was acknowledged. `PASSGATE_KILL_ROUNDS` sets the number of kills.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fmt, thread};

use passgate::domain::{
    Backup, Beside, CredentialId, LinkKind, Passkey, PasskeyName, Persistence, Profile, Session, SetupLink,
    Timestamp, TokenHash, User, UserId, UserName, UserState,
};
use passgate::store::{Batch, Change, MemoryStore, SledStore, Store, StoreError, Verdict};

const CACHE: u64 = 8 << 20;
const ROUNDS: u64 = 25;
const WRITERS: u64 = 4;
/// A writer keeps about this many accounts.
const ACCOUNTS: usize = 12;

/// What a writer does to account `of`; each number but `of` is used once in the life of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    /// Adds an account with a session and a set-up link.
    SignUp { of: u64 },
    /// Adds a session, and changes the password and the link.
    SignIn { of: u64, n: u64 },
    /// Ends a session.
    Revoke { of: u64, session: u64 },
    /// Ends all sessions but one, takes the link away and changes the name.
    Rename { of: u64, n: u64, but: u64 },
    /// Removes the account.
    Delete { of: u64 },
    /// Adds a passkey.
    AddKey { of: u64, n: u64 },
    /// Signs in with a passkey: its counter, its date, the account's date and a session.
    UseKey { of: u64, key: u64, n: u64 },
    /// Names a passkey anew.
    NameKey { of: u64, key: u64, n: u64 },
    /// Removes a passkey, and the sessions it opened with it.
    RemoveKey { of: u64, key: u64 },
}

impl Act {
    fn batch(self) -> Batch {
        match self {
            Self::SignUp { of } => {
                vec![Change::AddUser(account(of)), Change::PutSession(session(of, of))]
            }
            Self::SignIn { of, n } => vec![
                revise(of, move |user| {
                    user.password = Some(format!("$argon2id${n}"));
                    user.last_sign_in = Some(Timestamp::from_millis(n));
                    user.setup = Some(link(n));
                }),
                Change::PutSession(session(of, n)),
            ],
            Self::Revoke { of, session } => vec![Change::EndSession(id(of), hash(session))],
            Self::Rename { of, n, but } => vec![
                Change::EndSessions(id(of), Some(hash(but))),
                revise(of, move |user| {
                    user.profile.name = name(n);
                    user.setup = None;
                }),
            ],
            Self::Delete { of } => vec![Change::DeleteUser(id(of))],
            Self::AddKey { of, n } => vec![Change::AddPasskey { passkey: passkey(of, n), limit: usize::MAX }],
            Self::UseKey { of, key, n } => vec![
                revise(of, move |user| user.last_sign_in = Some(Timestamp::from_millis(n))),
                revise_key(of, key, move |passkey| {
                    // As signing in does: a counter only goes ahead.
                    assert!(counter(passkey) < n, "{} is not below {n}", passkey.credential);
                    passkey.credential = n.to_string();
                    passkey.last_used = Some(Timestamp::from_millis(n));
                }),
                Change::PutSession(Session { passkey: Some(credential(key)), ..session(of, n) }),
            ],
            Self::NameKey { of, key, n } => {
                vec![revise_key(of, key, move |passkey| passkey.name = key_name(n))]
            }
            Self::RemoveKey { of, key } => vec![Change::RemovePasskey(id(of), credential(key))],
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let kind = words.next()?;
        let mut number = || words.next()?.parse().ok();
        let of = number()?;
        Some(match kind {
            "sign-up" => Self::SignUp { of },
            "sign-in" => Self::SignIn { of, n: number()? },
            "revoke" => Self::Revoke { of, session: number()? },
            "rename" => Self::Rename { of, n: number()?, but: number()? },
            "delete" => Self::Delete { of },
            "add-key" => Self::AddKey { of, n: number()? },
            "use-key" => Self::UseKey { of, key: number()?, n: number()? },
            "name-key" => Self::NameKey { of, key: number()?, n: number()? },
            "remove-key" => Self::RemoveKey { of, key: number()? },
            _ => return None,
        })
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SignUp { of } => write!(f, "sign-up {of}"),
            Self::SignIn { of, n } => write!(f, "sign-in {of} {n}"),
            Self::Revoke { of, session } => write!(f, "revoke {of} {session}"),
            Self::Rename { of, n, but } => write!(f, "rename {of} {n} {but}"),
            Self::Delete { of } => write!(f, "delete {of}"),
            Self::AddKey { of, n } => write!(f, "add-key {of} {n}"),
            Self::UseKey { of, key, n } => write!(f, "use-key {of} {key} {n}"),
            Self::NameKey { of, key, n } => write!(f, "name-key {of} {key} {n}"),
            Self::RemoveKey { of, key } => write!(f, "remove-key {of} {key}"),
        }
    }
}

/// The numbers of writer `w` are those that leave `w` when divided by [`WRITERS`].
fn writer_of(n: u64) -> u64 {
    n % WRITERS
}

fn id(n: u64) -> UserId {
    let mut bytes = [0; 16];
    // Spread out, as random ids are; the number is still in it.
    bytes[..8].copy_from_slice(&n.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
    bytes[8..].copy_from_slice(&n.to_be_bytes());
    UserId(bytes)
}

fn number(id: UserId) -> u64 {
    u64::from_be_bytes(*id.0.last_chunk().unwrap())
}

fn hash(n: u64) -> TokenHash {
    let mut bytes = [0; 32];
    bytes[..16].copy_from_slice(&id(n).0);
    TokenHash(bytes)
}

fn name(n: u64) -> UserName {
    UserName::parse(&format!("Member {n}")).unwrap()
}

fn link(n: u64) -> SetupLink {
    SetupLink { hash: hash(n), expires: Timestamp::from_millis(n), kind: LinkKind::SetUp }
}

fn account(n: u64) -> User {
    User {
        profile: Profile { id: id(n), name: name(n), full_name: None, email: None, groups: Vec::new() },
        state: UserState::Active,
        password: None,
        created: Timestamp::from_millis(n),
        last_sign_in: None,
        setup: Some(link(n)),
        passkey_for: passgate::domain::PasskeyFor::default(),
        imported: None,
    }
}

fn session(of: u64, n: u64) -> Session {
    Session {
        id: hash(n),
        user: id(of),
        created: Timestamp::from_millis(n),
        last_seen: Timestamp::from_millis(n),
        persistence: Persistence::Browser,
        passkey: None,
        by_link: false,
        beside: Beside::Nothing,
        user_agent: "x".repeat(usize::try_from(n % 200).unwrap()),
    }
}

/// Some are the beginning of another.
fn credential(n: u64) -> CredentialId {
    let length = usize::try_from(16 + n % 48).unwrap();
    CredentialId::new(&[&id(n).0[..], &[7; 64]].concat()[..length]).unwrap()
}

fn key_name(n: u64) -> PasskeyName {
    PasskeyName::parse(&format!("Phone {n}")).unwrap()
}

fn counter(passkey: &Passkey) -> u64 {
    passkey.credential.parse().unwrap()
}

fn passkey(of: u64, n: u64) -> Passkey {
    Passkey {
        id: credential(n),
        user: id(of),
        rp_id: "forum.example.org".to_owned(),
        name: key_name(n),
        credential: n.to_string(),
        aaguid: None,
        transports: vec!["internal".to_owned()],
        backup: Backup::Done,
        created: Timestamp::from_millis(n),
        last_used: None,
    }
}

fn revise_key(of: u64, key: u64, change: impl FnOnce(&mut Passkey) + Send + 'static) -> Change {
    Change::RevisePasskey(
        id(of),
        credential(key),
        Box::new(move |passkey| {
            change(passkey);
            Verdict::Keep
        }),
    )
}

fn revise(of: u64, change: impl FnOnce(&mut User) + Send + 'static) -> Change {
    Change::ReviseUser(
        id(of),
        Box::new(move |user| {
            change(user);
            Verdict::Keep
        }),
    )
}

fn commit(store: &dyn Store, batch: Batch) -> Result<(), StoreError> {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(store.apply(batch))
}

/// Accounts, sessions and passkeys, sorted.
type State = (Vec<User>, Vec<Session>, Vec<Passkey>);

fn state(store: &dyn Store, of: impl Fn(UserId) -> bool) -> State {
    let (mut users, mut sessions, mut passkeys) = State::default();
    let mut each_user = |user: User| {
        users.extend(of(user.profile.id).then_some(user));
        ControlFlow::Continue(())
    };
    store.each_user(&mut each_user).unwrap();
    let mut each_session = |session: Session| {
        sessions.extend(of(session.user).then_some(session));
        ControlFlow::Continue(())
    };
    store.each_session(&mut each_session).unwrap();
    let mut each_passkey = |passkey: Passkey| {
        passkeys.extend(of(passkey.user).then_some(passkey));
        ControlFlow::Continue(())
    };
    store.each_passkey(&mut each_passkey).unwrap();
    users.sort_by_key(|user| user.profile.id);
    sessions.sort_by_key(|session| session.id);
    passkeys.sort_by(|a, b| a.id.cmp(&b.id));
    (users, sessions, passkeys)
}

/// Good enough to choose with, and the same again from the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (x ^ (x >> 31)) % bound
    }

    fn one_of(&mut self, all: &[u64]) -> u64 {
        all[usize::try_from(self.below(all.len() as u64)).unwrap()]
    }
}

/// What the process that will be killed is told.
struct Orders {
    path: PathBuf,
    round: u64,
    seed: u64,
}

impl Orders {
    const VARIABLE: &str = "PASSGATE_KILL_ORDERS";

    fn read() -> Option<Self> {
        let text = env::var(Self::VARIABLE).ok()?;
        let mut parts = text.splitn(3, ' ');
        let (round, seed) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        Some(Self { path: parts.next()?.into(), round, seed })
    }

    fn start(&self) -> Child {
        Command::new(env::current_exe().unwrap())
            .args(["--exact", "sto_01_no_kill_loses_what_was_acknowledged"])
            .env(Self::VARIABLE, format!("{} {} {}", self.round, self.seed, self.path.display()))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Writes until killed.
    fn follow(&self) {
        say("opening");
        let store = SledStore::open(&self.path, CACHE).unwrap();
        thread::scope(|scope| {
            for writer in 0..WRITERS {
                let store = &store;
                scope.spawn(move || self.write(store, writer));
            }
        });
    }

    fn write(&self, store: &SledStore, writer: u64) {
        let mut dice = Dice(self.seed ^ writer);
        let (users, ..) = state(store, |of| writer_of(number(of)) == writer);
        let mut accounts: Vec<u64> = users.iter().map(|user| number(user.profile.id)).collect();
        // More than any round comes to, should nobody kill it.
        for step in 1..100_000 {
            let n = (self.round * 100_000 + step) * WRITERS + writer;
            let act = choose(store, &mut dice, &accounts, n);
            say(&format!("> {writer} {act}"));
            commit(store, act.batch()).unwrap();
            say(&format!("< {writer}"));
            match act {
                Act::SignUp { of } => accounts.push(of),
                Act::Delete { of } => accounts.retain(|account| *account != of),
                _ => {}
            }
        }
    }
}

fn choose(store: &SledStore, dice: &mut Dice, accounts: &[u64], n: u64) -> Act {
    if accounts.is_empty() || (accounts.len() < ACCOUNTS && dice.below(4) == 0) {
        return Act::SignUp { of: n };
    }
    let of = dice.one_of(accounts);
    let (_, sessions, passkeys) = state(store, |user| user == id(of));
    let open: Vec<u64> = sessions.iter().map(|session| session.created.as_millis()).collect();
    let keys: Vec<u64> = passkeys.iter().map(|passkey| passkey.created.as_millis()).collect();
    match dice.below(16) {
        0 => Act::Delete { of },
        1 | 2 if !open.is_empty() => Act::Revoke { of, session: dice.one_of(&open) },
        3 if !open.is_empty() => Act::Rename { of, n, but: dice.one_of(&open) },
        4..=6 => Act::AddKey { of, n },
        7..=10 if !keys.is_empty() => Act::UseKey { of, key: dice.one_of(&keys), n },
        11 if !keys.is_empty() => Act::NameKey { of, key: dice.one_of(&keys), n },
        12 | 13 if !keys.is_empty() => Act::RemoveKey { of, key: dice.one_of(&keys) },
        _ => Act::SignIn { of, n },
    }
}

/// One write to the pipe, so that a line is there whole or not at all.
fn say(line: &str) {
    std::io::stderr().lock().write_all(format!("{line}\n").as_bytes()).unwrap();
}

/// What each writer should have left, the names it no longer uses, and all credentials there ever were.
struct Expected {
    stores: Vec<MemoryStore>,
    former_names: BTreeSet<String>,
    keys: BTreeSet<CredentialId>,
    acknowledged: usize,
}

impl Expected {
    /// Follows what the process said, and holds the store against it.
    fn check(&mut self, store: &SledStore, said: &[String], context: &str) {
        for writer in 0..WRITERS {
            let marks = [format!("> {writer} "), format!("< {writer}")];
            let mut waiting = None;
            for line in said {
                if let Some(act) = line.strip_prefix(&marks[0]) {
                    waiting = Act::parse(act);
                    assert!(waiting.is_some(), "{line}");
                } else if *line == marks[1] {
                    self.follow(writer, waiting.take().unwrap());
                    self.acknowledged += 1;
                }
            }
            self.check_writer(store, writer, waiting, context);
        }
        for key in &self.former_names {
            assert_eq!(store.user_by_name(key), Ok(None), "{context}: {key} is still an index entry");
        }
        for key in &self.keys {
            let expected = self.stores.iter().find_map(|model| model.passkey(key).unwrap());
            assert_eq!(store.passkey(key), Ok(expected), "{context}");
        }
    }

    fn follow(&mut self, writer: u64, act: Act) {
        let model = &self.stores[usize::try_from(writer).unwrap()];
        if let Act::Rename { of, .. } | Act::Delete { of } = act {
            let before = model.user(id(of)).unwrap().unwrap();
            self.former_names.insert(before.profile.name.key().to_owned());
        }
        if let Act::AddKey { n, .. } = act {
            self.keys.insert(credential(n));
        }
        commit(model, act.batch()).unwrap();
    }

    fn check_writer(&mut self, store: &SledStore, writer: u64, waiting: Option<Act>, context: &str) {
        let found = state(store, |of| writer_of(number(of)) == writer);
        let expected = |this: &Self| state(&this.stores[usize::try_from(writer).unwrap()], |_| true);
        if found != expected(self) {
            // Then what was not acknowledged has happened, and wholly.
            let Some(act) = waiting else { panic!("{context}: writer {writer} lost something") };
            self.follow(writer, act);
            assert_eq!(found, expected(self), "{context}: writer {writer}, waiting for {act}");
        }
        for user in &found.0 {
            assert_eq!(store.user(user.profile.id).as_ref(), Ok(&Some(user.clone())), "{context}");
            assert_eq!(store.user_by_name(user.profile.name.key()), Ok(Some(user.clone())), "{context}");
            let mut indexed = store.passkeys_of(user.profile.id).unwrap();
            indexed.sort_by(|a, b| a.id.cmp(&b.id));
            let of = |passkey: &&Passkey| passkey.user == user.profile.id;
            assert!(found.2.iter().filter(of).eq(&indexed), "{context}: an index that differs");
            if let Some(link) = &user.setup {
                assert_eq!(store.user_by_setup(&link.hash), Ok(Some(user.clone())), "{context}");
            }
        }
        for session in &found.1 {
            assert_eq!(store.session(session.user, session.id), Ok(Some(session.clone())), "{context}");
            if let Some(key) = &session.passkey {
                assert!(found.2.iter().any(|passkey| passkey.id == *key), "{context}: its passkey is gone");
            }
        }
        for passkey in &found.2 {
            let last_used = passkey.last_used.unwrap_or(passkey.created);
            assert_eq!(counter(passkey), last_used.as_millis(), "{context}: half a sign-in");
        }
    }
}

/// Lets the process work until it has said `lines` lines, kills it, and returns all it has said.
fn kill_after(mut child: Child, path: &Path, lines: u64) -> Vec<String> {
    let mut said = Vec::new();
    let mut pipe = BufReader::new(child.stderr.take().unwrap()).lines();
    while (said.len() as u64) < lines
        && let Some(line) = pipe.next()
    {
        said.push(line.unwrap());
    }
    if said.len() > 1 {
        match SledStore::open(path, CACHE) {
            Err(second) => assert_eq!(second, StoreError::InUse { path: path.to_owned() }),
            Ok(_) => panic!("it has let its store go: {said:#?}"),
        }
    }
    child.kill().unwrap();
    said.extend(pipe.map(Result::unwrap));
    let status = child.wait().unwrap();
    assert_eq!(status.code(), None, "it ended by itself: {said:#?}");
    said
}

#[test]
fn sto_01_no_kill_loses_what_was_acknowledged() {
    if let Some(orders) = Orders::read() {
        return orders.follow();
    }
    let rounds = env::var("PASSGATE_KILL_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(ROUNDS);
    let mut seed = [0; 8];
    getrandom::fill(&mut seed).unwrap();
    let mut dice = Dice(u64::from_be_bytes(seed));
    // Kept if a check fails, to be looked at.
    let folder = tempfile::tempdir().unwrap().keep();
    let path = folder.join("store");
    let stores = (0..WRITERS).map(|_| MemoryStore::new()).collect();
    let mut expected =
        Expected { stores, former_names: BTreeSet::new(), keys: BTreeSet::new(), acknowledged: 0 };
    let mut slowest = Duration::ZERO;
    for round in 1..=rounds {
        let orders = Orders { path: path.clone(), round, seed: dice.below(u64::MAX) };
        // Every fifth is killed while it opens the store.
        let lines = if round % 5 == 0 { 1 } else { 2 + dice.below(800) };
        let said = kill_after(orders.start(), &path, lines);
        let context = format!("round {round}, seed {}, {}", orders.seed, folder.display());
        let started = Instant::now();
        let store = SledStore::open(&path, CACHE).unwrap();
        slowest = slowest.max(started.elapsed());
        expected.check(&store, &said, &context);
    }
    println!(
        "{rounds} kills, {} acknowledged writes; the slowest opening took {slowest:?}",
        expected.acknowledged
    );
    assert!(expected.acknowledged > 0);
    let store = SledStore::open(&path, CACHE).unwrap();
    for user in state(&store, |_| true).0 {
        commit(&store, vec![Change::DeleteUser(user.profile.id)]).unwrap();
    }
    assert_eq!(state(&store, |_| true), State::default(), "something that its account does not know of");
    drop(store);
    std::fs::remove_dir_all(folder).unwrap();
}
