//! Copies, and stores made of them (STO-09).

use super::*;
use crate::domain::{Group, ImportMark, PasskeyFor, UserName, UserState};
use crate::store::Owner;
use crate::store::contract::{all_records, all_sealed, member, passing, put, revise, sealed};

/// All lines of a copy. `meanwhile` happens after each part of it.
fn copied(store: &SledStore, mut meanwhile: impl FnMut(usize)) -> Vec<String> {
    let (mut export, mut lines, mut parts) = (store.export().unwrap(), Vec::new(), 0);
    while let Some(more) = export.next_lines().unwrap() {
        lines.extend(more);
        meanwhile(parts);
        parts += 1;
    }
    lines
}

fn rebuilt(lines: &[String]) -> Result<(TempDir, Contents), String> {
    let folder = tempfile::tempdir().unwrap();
    let mut rebuild = Rebuild::begin(&folder.path().join("store"), CACHE).unwrap();
    for line in lines {
        rebuild.take(line)?;
    }
    let contents = rebuild.finish().map_err(|error| error.to_string())?;
    Ok((folder, contents))
}

fn opened_again(folder: &TempDir) -> SledStore {
    SledStore::open(&folder.path().join("store"), CACHE).unwrap()
}

fn kept(store: &SledStore) -> (Vec<User>, Vec<Passkey>, Vec<SealedPassword>) {
    let users = users(store).into_iter().map(|user| User { setup: None, ..user }).collect();
    (users, passkeys(store), all_sealed(store))
}

fn numbered(n: u16, name: &str) -> User {
    let mut user = user(1, name);
    user.profile.id.0[..2].copy_from_slice(&n.to_be_bytes());
    user
}

#[test]
fn sto_09_a_store_made_of_a_copy_has_all_but_sessions_and_links() {
    let store = Temporary::new();
    let mut zoe = User {
        setup: Some(link(7)),
        state: UserState::Disabled,
        passkey_for: PasskeyFor { signing_in: true, sensitive_actions: false },
        imported: Some(ImportMark::new("phpbb", Some("hash"))),
        ..user(1, "Zoë")
    };
    zoe.profile.email = Some("zoë@forum.example".to_owned());
    zoe.profile.groups = vec![Group::parse("Mods \"1\"").unwrap()];
    let batch = vec![
        Change::AddUser(zoe.clone()),
        Change::AddUser(user(2, "bob")),
        Change::AddUser(user(3, "gone")),
        add(passkey(1, 1)),
        add(passkey(2, 2)),
        Change::PutForumPassword(sealed(2, 9)),
        put(member(1), b"k", "Zoë's"),
        put(member(3), b"k", "gone"),
        put(Owner::Site, b"", "ours"),
        passing(member(1), 1),
        Change::PutSession(session(5, 1)),
        Change::DeleteUser(id(3)),
    ];
    commit(&*store, batch).unwrap();
    let (folder, contents) = rebuilt(&copied(&store, |_| {})).unwrap();
    assert_eq!(contents, Contents { accounts: 2, passkeys: 2, forum_passwords: 1 });
    let restored = opened_again(&folder);
    assert_eq!(kept(&restored), kept(&store));
    let in_drawers = all_records(&*store);
    assert_eq!(in_drawers.len(), 3);
    let copied: Vec<_> = in_drawers.into_iter().filter(|(drawer, ..)| drawer.is_in_backups()).collect();
    assert_eq!(all_records(&restored), copied);
    zoe.setup = None;
    assert_eq!(restored.user_by_name("zoë"), Ok(Some(zoe.clone())));
    let email = EmailKey::parse("ZOË@forum.example").unwrap();
    assert_eq!(restored.users_by_email(&email), Ok(vec![zoe]));
    assert_eq!(restored.passkeys_of(id(1)), Ok(vec![passkey(1, 1)]));
    assert_eq!((restored.was_deleted("gone"), restored.was_deleted("bob")), (Ok(true), Ok(false)));
    assert_eq!((restored.user_by_setup(&hash(7)), sessions(&restored)), (Ok(None), vec![]));
    commit(&restored, vec![remove(1, 1), rename(2, "robert"), Change::AddUser(user(4, "bob"))]).unwrap();
    assert_eq!(restored.passkeys_of(id(1)), Ok(vec![]));
    assert_eq!(fs::metadata(folder.path().join("store")).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn sto_09_a_copy_is_of_one_moment_whatever_is_written_meanwhile() {
    let store = Temporary::new();
    let members = (0..700).map(|n| Change::AddUser(numbered(n, &format!("member{n}"))));
    commit(&*store, members.collect()).unwrap();
    let id_of = |n: u16| numbered(n, "x").profile.id;
    let named = |n: u16, name: &str| {
        let name = UserName::parse(name).unwrap();
        let rename = move |user: &mut User| {
            user.profile.name = name;
            Verdict::Keep
        };
        Change::ReviseUser(id_of(n), Box::new(rename))
    };
    let mut states = Vec::new();
    let lines = copied(&store, |part| {
        let n = u16::try_from(part).unwrap();
        let swap = vec![
            named(n, "between"),
            named(699 - n, &format!("member{n}")),
            named(n, &format!("member{}", 699 - n)),
        ];
        commit(&*store, swap).unwrap();
        let late = numbered(1000 + n, &format!("late{n}"));
        commit(&*store, vec![Change::DeleteUser(id_of(300 + n)), Change::AddUser(late.clone())]).unwrap();
        let again = numbered(2000 + n, &format!("member{}", 300 + n));
        commit(
            &*store,
            vec![
                Change::AddUser(again),
                add(Passkey { user: late.profile.id, ..passkey(9 + part as u8, 1) }),
            ],
        )
        .unwrap();
        states.push(kept(&store));
    });
    let (folder, _) = rebuilt(&lines).unwrap();
    // The moment is that in which the last part was asked for.
    let right = &states[states.len() - 2];
    assert!(states.len() > 4 && kept(&opened_again(&folder)) == *right);
}

#[test]
fn sto_09_copies_taken_while_others_write_are_each_of_one_moment() {
    // Two accounts always hold one name between them, and a passkey goes with it: a copy of no moment would have two or none.
    let store = Temporary::new();
    commit(
        &*store,
        vec![Change::AddUser(user(1, "crown")), Change::AddUser(user(2, "plain")), add(passkey(1, 1))],
    )
    .unwrap();
    let store = &*store;
    std::thread::scope(|scope| {
        // Dropped with this scope, however it ends; the writer ends then, too.
        let (_going_on, is_over) = mpsc::channel::<()>();
        scope.spawn(move || {
            while is_over.try_recv() == Err(mpsc::TryRecvError::Empty) {
                for (from, to) in [(1, 2), (2, 1)] {
                    let batch = vec![
                        rename(from, "between"),
                        rename(to, "crown"),
                        rename(from, "plain"),
                        remove(1, from),
                        add(passkey(1, to)),
                    ];
                    commit(store, batch).unwrap();
                }
            }
        });
        for _ in 0..40 {
            let (folder, contents) = rebuilt(&copied(store, |_| {})).unwrap();
            assert_eq!(contents, Contents { accounts: 2, passkeys: 1, forum_passwords: 0 });
            let restored = opened_again(&folder);
            let crowned = restored.user_by_name("crown").unwrap().unwrap();
            assert_eq!(restored.passkeys_of(crowned.profile.id).unwrap().len(), 1);
        }
    });
}

#[test]
fn sto_09_lines_that_make_no_store_are_refused_with_the_reason() {
    let store = Temporary::new();
    commit(
        &*store,
        vec![Change::AddUser(user(1, "alice")), Change::AddUser(user(2, "bob")), add(passkey(1, 1))],
    )
    .unwrap();
    let lines = copied(&store, |_| {});
    let refused = |change: &dyn Fn(&mut Vec<String>)| {
        let mut lines = lines.clone();
        change(&mut lines);
        rebuilt(&lines).map(|(_, contents)| contents).unwrap_err()
    };
    assert!(rebuilt(&lines).is_ok());
    assert!(refused(&|lines| drop(lines.remove(0))).contains("not there"), "a passkey of nobody");
    let twice =
        refused(&|lines| lines[1] = lines[0].replace("AQEBAQEBAQEBAQEBAQEBAQ", "AwMDAwMDAwMDAwMDAwMDAw"));
    assert!(twice.contains("two accounts are called \"alice\""), "{twice}");
    let newer = refused(&|lines| lines[0] = lines[0].replace("\"user\"", "\"badge\""));
    assert!(newer.contains("newer passgate"), "{newer}");
    assert!(
        refused(&|lines| lines[0] = lines[0].replace("\"version\":1", "\"version\":2")).contains("version 2")
    );
    assert!(
        refused(&|lines| lines[0] = lines[0].replace("AQEBAQEBAQEBAQEBAQEBAQ", "AQEB")).contains("3 bytes")
    );
    assert!(refused(&|lines| lines[0] = lines[0].replace("\"name\"", "\"nom\"")).contains("nom"));
}

#[test]
fn a_copy_that_is_given_up_is_followed_no_longer() {
    let store = Temporary::new();
    let watch = Arc::downgrade(&store.table.watch());
    commit(&*store, vec![Change::AddUser(user(1, "alice")), revise(1, |_| Verdict::Keep)]).unwrap();
    assert!(watch.upgrade().is_none());
}
