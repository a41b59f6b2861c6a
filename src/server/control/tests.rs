//! Each command over a store in memory, and the socket with its permissions.

mod told;

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use tokio::sync::oneshot;

use super::*;
use crate::auth::second_factors::FactorsMet;
use crate::auth::second_factors::second_factors;
use crate::auth::throttle::{ThrottleOptions, Try, Way, Who};
use crate::auth::{HashingCost, PasswordPolicy, Passwords};
use crate::domain::{
    Backup, Clock, CredentialId, Lifetimes, ManualClock, Passkey, PasskeyName, Persistence, Secret,
    SessionId, Timestamp, UserState,
};
use crate::store::{Change, MemoryStore};

fn control() -> Control {
    let store = Arc::new(MemoryStore::new());
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(Timestamp::from_millis(1_795_327_200_000)));
    let hour = Duration::from_secs(3_600);
    let lifetimes = Lifetimes { idle: hour, absolute: hour * 24, remember: hour * 720, shared: hour };
    let sessions = Arc::new(Sessions::open(store.clone(), clock.clone(), lifetimes).unwrap());
    let cost = HashingCost { memory_kib: 8, iterations: 1, parallelism: 1 };
    let passwords = Arc::new(Passwords::new(cost, 1));
    let policy = PasswordPolicy { min_chars: 15, with_second_factor: 8 };
    let admission = Admission::new(store.clone(), clock.clone());
    let throttle = Throttle::open(ThrottleOptions::default(), store.clone(), clock.clone());
    let throttle = Arc::new(throttle.unwrap());
    let accounts = Arc::new(Accounts::new(store.clone(), sessions.clone(), passwords, clock.clone(), policy));
    let mail = Arc::new(MailQueue::open(store.clone(), clock.clone()).unwrap());
    let second_factors = second_factors(&(store.clone() as Arc<dyn Store>), &sessions, &clock);
    Control {
        accounts,
        admission,
        mail,
        store,
        sessions,
        second_factors,
        throttle,
        clock,
        passkey_counts: None,
        own_pages: "https://forum.example.org/.passgate".into(),
        vault: Box::new(|| None),
        reload: Box::new(|| Box::pin(async { Ok(vec!["access: 2 rules".into()]) })),
    }
}

fn new(name: &str) -> NewAccount {
    NewAccount { name: name.into(), full_name: None, email: None, groups: Vec::new(), password: None }
}

fn named(name: &str) -> String {
    name.to_owned()
}

async fn added(control: &Control, account: NewAccount) -> (UserView, Option<SetupUrl>, Vec<String>) {
    match control.execute(Command::UserAdd(account)).await {
        Reply::Added { user, link, warnings } => (user, link, warnings),
        other => panic!("{other:?}"),
    }
}

async fn refused(control: &Control, command: Command) -> String {
    match control.execute(command).await {
        Reply::Failed(Failure::Data(words)) => words,
        other => panic!("{other:?}"),
    }
}

async fn signed_in(control: &Control, name: &str) -> SessionId {
    let user = control.named(name).unwrap();
    control
        .sessions
        .start(FactorsMet::unasked(user.clone()), Persistence::Browser, "Firefox", Vec::new())
        .await
        .unwrap()
        .hash()
}

#[tokio::test]
async fn an_added_member_gets_a_link_that_works_and_is_listed() {
    let control = control();
    let account = NewAccount {
        full_name: Some(" Zoë  Ω ".into()),
        email: Some("zoe@example.org".into()),
        groups: vec!["mods".into(), "admins".into(), "mods".into()],
        ..new("Zoe")
    };
    let (user, link, warnings) = added(&control, account).await;
    assert_eq!(
        (user.groups.as_slice(), user.has_password),
        (["admins".into(), "mods".into()].as_slice(), false)
    );
    assert!(warnings.is_empty());
    let link = link.unwrap();
    let token = link.url.strip_prefix("https://forum.example.org/.passgate/setup?token=").unwrap();
    let token = crate::auth::SetupToken::parse(token).unwrap();
    assert!(control.accounts.open_link(&token).unwrap().is_some());
    assert_eq!(link.expires, "2026-11-23T06:00:00.000Z");
    let Reply::Users(users) = control.execute(Command::UserList).await else { panic!() };
    assert_eq!(users.len(), 1);
    let Reply::User(shown) = control.execute(Command::UserShow { name: named("ZOE") }).await else {
        panic!()
    };
    assert_eq!(
        (shown.user.full_name.as_deref(), shown.user.link_expires),
        (Some("Zoë  Ω"), Some(link.expires))
    );
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_and_adds_nobody() {
    let control = control();
    added(&control, new("alice")).await;
    let accounts = [
        new("ALICE"),
        new(""),
        new("a\u{200b}b"),
        NewAccount { email: Some("nobody".into()), ..new("b") },
        NewAccount { email: Some("a@b\r\nx: y".into()), ..new("b") },
        NewAccount { full_name: Some("a\nb".into()), ..new("b") },
        NewAccount { groups: vec!["a,b".into()], ..new("b") },
        NewAccount { password: Some(Secret::new("1234567".into())), ..new("b") },
        NewAccount { password: Some(Secret::new("x".repeat(1_001))), ..new("b") },
    ];
    for account in accounts {
        refused(&control, Command::UserAdd(account)).await;
    }
    for command in [
        Command::UserShow { name: named("bob") },
        Command::UserDisable { name: named("bob") },
        Command::UserEnable { name: named("bob") },
        Command::UserDelete { name: named("bob") },
        Command::UserLink { name: named("bob"), to: LinkTo::SignIn },
        Command::SessionList { user: Some(named("bob")) },
        Command::SessionRevoke(SessionsOf::User(named("bob"))),
        Command::SessionRevoke(SessionsOf::Id(named("0123456789abcdef"))),
        Command::PasskeyList { name: Some(named("bob")) },
        Command::PasskeyRemove { name: named("bob"), passkey: named("0123456789abcdef") },
        Command::PasskeyRemove { name: named("alice"), passkey: named("0123456789abcdef") },
    ] {
        assert!(refused(&control, command).await.contains("there is no"));
    }
    assert_eq!(control.accounts.all().unwrap().len(), 1);
}

#[tokio::test]
async fn auth_01_an_operators_password_may_be_shorter_with_a_warning() {
    let control = control();
    let with =
        |name: &str, password: &str| NewAccount { password: Some(Secret::new(password.into())), ..new(name) };
    let (user, link, warnings) = added(&control, with("a", "k7Ø!wfqx#zu2")).await;
    assert!(user.has_password && link.is_none());
    assert_eq!(
        warnings,
        ["the password has fewer than the 15 characters that password.min_length asks of members"]
    );
    let (_, _, warnings) = added(&control, with("b", "fifteen letters")).await;
    assert!(warnings.is_empty());
}

#[tokio::test]
async fn auth_04_an_operators_password_may_be_weak_with_a_warning_but_not_one_of_those_tried_first() {
    let control = control();
    let with =
        |name: &str, password: &str| NewAccount { password: Some(Secret::new(password.into())), ..new(name) };
    for common in ["correct horse battery staple", "sunshine", "123456789012345"] {
        let told = refused(&control, Command::UserAdd(with("a", common))).await;
        assert!(told.contains("tried first") && !told.contains(common), "{told}");
    }
    let (_, _, warnings) = added(&control, with("a", "monkeymonkey1234!")).await;
    assert_eq!(warnings, ["the password is easy to guess; members could not choose it"]);
    let (_, _, warnings) = added(&control, with("bertie", "bertiebertie1!")).await;
    assert_eq!(
        warnings,
        ["the password is made of the member's name or address; members could not choose it"]
    );
}

#[tokio::test]
async fn mf_24_an_address_that_is_anothers_too_is_told_to_the_operator() {
    let control = control();
    let with = |name: &str, email: &str| NewAccount { email: Some(email.into()), ..new(name) };
    let (_, _, warnings) = added(&control, with("ann", "Ann@forum.example")).await;
    assert!(warnings.is_empty());
    let (_, _, warnings) = added(&control, with("bob", "ann@FORUM.example")).await;
    assert_eq!(warnings, ["ann@FORUM.example is the address of ann too; it signs in neither"]);
    added(&control, new("c@forum.example")).await;
    let (_, _, warnings) = added(&control, with("d", "c@forum.example")).await;
    assert_eq!(warnings, ["c@forum.example is another member's name; it signs in c@forum.example"]);
}

#[tokio::test]
async fn a_disabled_member_has_no_sessions_and_gets_no_link() {
    let control = control();
    added(&control, new("alice")).await;
    signed_in(&control, "alice").await;
    assert!(matches!(control.execute(Command::UserDisable { name: named("alice") }).await, Reply::Done(_)));
    assert_eq!(control.sessions.count(), 0);
    assert_eq!(control.named("alice").unwrap().state, UserState::Disabled);
    assert!(
        refused(&control, Command::UserLink { name: named("alice"), to: LinkTo::SignIn })
            .await
            .contains("disabled")
    );
    assert!(matches!(control.execute(Command::UserEnable { name: named("alice") }).await, Reply::Done(_)));
    assert!(matches!(
        control.execute(Command::UserLink { name: named("alice"), to: LinkTo::SignIn }).await,
        Reply::Link(_)
    ));
    assert!(matches!(control.execute(Command::UserDelete { name: named("alice") }).await, Reply::Done(_)));
    assert!(control.accounts.is_empty().unwrap());
}

#[tokio::test]
async fn mf_63_a_link_is_for_what_was_asked_and_for_a_reset_where_there_is_nothing_to_sign_in_with() {
    let control = control();
    added(&control, new("none")).await;
    added(&control, NewAccount { password: Some(Secret::new("a long password".into())), ..new("some") })
        .await;
    for (name, asked, made, page, expires) in [
        ("none", LinkTo::SignIn, LinkTo::Reset, "setup", "2026-11-22T06:15:00.000Z"),
        ("some", LinkTo::SignIn, LinkTo::SignIn, "link", "2026-11-22T06:15:00.000Z"),
        ("some", LinkTo::Reset, LinkTo::Reset, "setup", "2026-11-22T06:15:00.000Z"),
        ("some", LinkTo::SetUp, LinkTo::SetUp, "setup", "2026-11-23T06:00:00.000Z"),
    ] {
        let Reply::Link(link) = control.execute(Command::UserLink { name: named(name), to: asked }).await
        else {
            panic!()
        };
        assert_eq!((link.to, link.expires.as_str()), (made, expires));
        assert!(link.url.contains(&format!("/.passgate/{page}?token=")), "{}", link.url);
    }
}

#[tokio::test]
async fn sessions_are_ended_by_id_by_member_or_all() {
    let control = control();
    added(&control, new("alice")).await;
    added(&control, new("bob")).await;
    let first = signed_in(&control, "alice").await;
    signed_in(&control, "alice").await;
    signed_in(&control, "bob").await;
    let Reply::Sessions(listed) = control.execute(Command::SessionList { user: Some(named("Alice")) }).await
    else {
        panic!()
    };
    assert!(listed.len() == 2 && listed.iter().any(|session| session.id == first.short()));
    for (which, left) in [
        (SessionsOf::Id(first.short().to_uppercase()), 2),
        (SessionsOf::User(named("alice")), 1),
        (SessionsOf::Everyone, 0),
        (SessionsOf::Everyone, 0),
    ] {
        assert!(matches!(control.execute(Command::SessionRevoke(which)).await, Reply::Done(_)));
        assert_eq!(control.sessions.count(), left);
    }
}

/// Gives a member a passkey, and a session that it opened.
async fn with_passkey(control: &Control, member: &str, id: &str, backup: Backup) -> SessionId {
    let user = control.named(member).unwrap();
    let passkey = Passkey {
        id: CredentialId::new(id.as_bytes()).unwrap(),
        user: user.profile.id,
        rp_id: "forum.example.org".into(),
        name: PasskeyName::parse(&format!("{id} of {member}")).unwrap(),
        credential: "{\"public\":\"the-key-itself\"}".into(),
        aaguid: Some(0xd548_826e_79b4_db40_a3d8_1111_6f7e_8349_u128.to_be_bytes()),
        transports: Vec::new(),
        backup,
        created: Timestamp::from_millis(1_795_327_200_000),
        last_used: None,
    };
    let with = vec![Change::AddPasskey { passkey: passkey.clone(), limit: 10 }];
    let token =
        control.sessions.start_by_passkey(&user, Persistence::Browser, passkey.id, "Firefox", with).await;
    token.unwrap().hash()
}

async fn passkeys(control: &Control, name: Option<&str>) -> Vec<PasskeyView> {
    match control.execute(Command::PasskeyList { name: name.map(str::to_owned) }).await {
        Reply::Passkeys(passkeys) => passkeys,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn passkeys_are_listed_by_member_without_their_keys() {
    let control = control();
    for name in ["bob", "alice"] {
        added(&control, new(name)).await;
    }
    assert!(passkeys(&control, None).await.is_empty());
    with_passkey(&control, "bob", "phone", Backup::Done).await;
    with_passkey(&control, "alice", "laptop", Backup::DeviceBound).await;
    let all = passkeys(&control, None).await;
    let told: Vec<_> = all.iter().map(|one| (one.user.as_str(), one.name.as_str(), one.synced)).collect();
    assert_eq!(
        told,
        [("alice", "laptop of alice", Synced::DeviceOnly), ("bob", "phone of bob", Synced::Yes)]
    );
    assert_eq!((all[0].provider.as_deref(), all[0].last_used.as_deref()), (Some("Bitwarden"), None));
    let of_bob = passkeys(&control, Some("BOB")).await;
    assert_eq!(of_bob, all[1..]);
    let Reply::User(bob) = control.execute(Command::UserShow { name: named("bob") }).await else { panic!() };
    assert_eq!(bob.passkeys, of_bob);
    let text = serde_json::to_string(&bob).unwrap();
    assert_eq!(serde_json::from_str::<MemberView>(&text).unwrap(), bob);
    assert!(text.starts_with("{\"id\":") && !text.contains("the-key-itself"), "{text}");
}

#[tokio::test]
async fn bp_63_a_passkey_that_operators_remove_takes_its_sessions_along() {
    let control = control();
    for name in ["alice", "bob"] {
        added(&control, new(name)).await;
    }
    with_passkey(&control, "alice", "lost", Backup::Done).await;
    with_passkey(&control, "alice", "kept", Backup::Done).await;
    signed_in(&control, "alice").await;
    let lost = CredentialId::new(b"lost").unwrap().handle();
    let remove = |member: &str, passkey: &str| Command::PasskeyRemove {
        name: named(member),
        passkey: passkey.to_owned(),
    };
    assert!(refused(&control, remove("bob", &lost)).await.contains("passkey list"), "it is not his");
    assert_eq!(control.sessions.count(), 3);
    let Reply::Done(words) = control.execute(remove("ALICE", &lost.to_uppercase())).await else { panic!() };
    assert_eq!(words, "the passkey \"lost of alice\" of alice is removed; 1 session has ended");
    let left = passkeys(&control, Some("alice")).await;
    assert_eq!((left.len(), left[0].name.as_str(), control.sessions.count()), (1, "kept of alice", 2));
    refused(&control, remove("alice", &lost)).await;
}

#[test]
fn ops_03_a_command_tells_no_password_when_it_is_printed() {
    let account = NewAccount { password: Some(Secret::new("hunter2hunter2".into())), ..new("a") };
    let command = Command::UserAdd(account);
    assert!(!format!("{command:?}").contains("hunter2"));
    let text = serde_json::to_string(&command).unwrap();
    let Command::UserAdd(back) = serde_json::from_str(&text).unwrap() else { panic!() };
    assert_eq!(back.password.unwrap().expose(), "hunter2hunter2");
}

/// Runs a gateway's socket in `data_dir` while `client` runs on a thread of its own.
async fn with_gateway<T: Send + 'static>(
    data_dir: &std::path::Path,
    client: impl FnOnce() -> T + Send + 'static,
) -> T {
    let socket = ControlSocket::bind(data_dir).unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(socket.serve(Arc::new(control()), async move { drop(stopped.await) }));
    let result = tokio::task::spawn_blocking(client).await.unwrap();
    stop.send(()).unwrap();
    serving.await.unwrap().unwrap();
    result
}

#[tokio::test]
async fn ops_06_the_socket_answers_its_owner_and_is_closed_to_others() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    assert!(call(&data_dir, &Command::UserList).unwrap().is_none(), "nothing there yet");
    let inside = data_dir.clone();
    with_gateway(&data_dir, move || {
        let mode = |path: &str| std::fs::metadata(inside.join(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(""), mode("run"), mode("run/control.sock")), (0o700, 0o700, 0o600));
        let reply = call(&inside, &Command::UserAdd(new("alice"))).unwrap();
        assert!(matches!(reply, Some(Reply::Added { .. })), "{reply:?}");
        let reply = call(&inside, &Command::Reload).unwrap();
        assert!(matches!(reply, Some(Reply::Reloaded(_))), "{reply:?}");
        let error = ControlSocket::bind(&inside).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    })
    .await;
    assert!(call(&data_dir, &Command::UserList).unwrap().is_none(), "gone again");
}

#[tokio::test]
async fn a_socket_left_over_from_a_crash_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("run")).unwrap();
    drop(std::os::unix::net::UnixListener::bind(folder.path().join("run/control.sock")).unwrap());
    assert!(call(folder.path(), &Command::UserList).unwrap().is_none());
    let inside = folder.path().to_owned();
    let reply = with_gateway(folder.path(), move || call(&inside, &Command::UserList).unwrap()).await;
    assert!(matches!(reply, Some(Reply::Users(_))));
}

#[tokio::test]
async fn a_data_folder_may_lie_deeper_than_a_sockets_address_is_long() {
    let folder = tempfile::tempdir().unwrap();
    let deep = folder.path().join("d".repeat(120));
    let inside = deep.clone();
    let reply = with_gateway(&deep, move || call(&inside, &Command::UserList).unwrap()).await;
    assert!(matches!(reply, Some(Reply::Users(_))));
    assert!(call(&folder.path().join("e".repeat(120)), &Command::UserList).unwrap().is_none());
}

#[tokio::test]
async fn what_is_no_command_is_answered_without_repeating_it() {
    use std::io::{BufRead, BufReader, Write};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run/control.sock");
    with_gateway(folder.path(), move || {
        let mut stream = std::os::unix::net::UnixStream::connect(path).unwrap();
        stream.write_all(b"{\"user_add\":{\"password\":\"hunter2hunter2\"}}\n\"user_list\"\n").unwrap();
        let mut lines = BufReader::new(stream).lines();
        let first = lines.next().unwrap().unwrap();
        assert!(first.contains("failed") && !first.contains("hunter2"), "{first}");
        assert!(lines.next().unwrap().unwrap().contains("users"), "the next one on the same line is served");
    })
    .await;
}

#[tokio::test]
async fn a_member_who_is_throttled_is_shown_so_and_let_go() {
    let control = control();
    added(&control, new("alice")).await;
    let alice = control.accounts.identify("alice").unwrap().unwrap().profile.id;
    let fail = |from: u8| {
        let from = [10, 0, from, 1].into();
        let wanted = Try { way: Way::Password, who: Who::Member(alice), from, device: None };
        control.throttle.reserve(&wanted).unwrap().is_ok()
    };
    let shown = async || match control.execute(Command::UserShow { name: named("alice") }).await {
        Reply::User(member) => member.throttle,
        other => panic!("{other:?}"),
    };
    let unlock = async || match control.execute(Command::UserUnlock { name: named("ALICE") }).await {
        Reply::Done(words) => words,
        other => panic!("{other:?}"),
    };
    assert_eq!(shown().await, ThrottleView::default());
    while fail(1) {}
    assert_eq!(shown().await, ThrottleView { wrong_tries: 5, waiting_places: 1, locked: None });
    (2..50).for_each(|network| {
        fail(network);
    });
    let locked = Some("2026-11-22T06:01:00.000Z".to_owned());
    assert_eq!(shown().await, ThrottleView { wrong_tries: 20, waiting_places: 1, locked });
    assert_eq!(unlock().await, "the 20 wrong passwords that were tried for alice are forgotten");
    assert_eq!(shown().await, ThrottleView::default());
    assert!(fail(1));
    assert_eq!(unlock().await, "the wrong password that was tried for alice is forgotten");
    assert_eq!(unlock().await, "no wrong password was counted for alice; nothing was changed");
    let kept = refused(&control, Command::UserUnlock { name: named("nobody") }).await;
    assert!(kept.contains("no member called"));
}

fn make(email: Option<&str>) -> Command {
    let email = email.map(str::to_owned);
    Command::Invitation(InvitationCommand::Make(NewInvitation {
        email,
        groups: vec!["Readers".into()],
        times: 1,
        days: 7,
    }))
}

async fn invitations(control: &Control) -> Vec<InvitationView> {
    match control.execute(Command::Invitation(InvitationCommand::List)).await {
        Reply::Invitations(all) => all,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_invitation_is_made_listed_and_withdrawn() {
    let control = control();
    let Reply::Invited { url, invitation } = control.execute(make(Some("ann@forum.example"))).await else {
        panic!()
    };
    assert!(url.starts_with("https://forum.example.org/.passgate/join?token="), "{url}");
    assert_eq!(invitation.expires, "2026-11-29T06:00:00.000Z");
    assert_eq!(invitations(&control).await, [invitation]);
    let id = invitations(&control).await[0].id.clone();
    assert!(!url.contains(&id));
    let withdraw = |id: &str| Command::Invitation(InvitationCommand::Withdraw { id: id.to_owned() });
    assert!(refused(&control, withdraw("0123456789abcdef")).await.contains("there is no invitation"));
    assert!(matches!(control.execute(withdraw(&id)).await, Reply::Done(_)));
    assert_eq!(invitations(&control).await, []);
}

#[tokio::test]
async fn nobody_is_invited_to_an_address_that_a_member_has() {
    let control = control();
    added(&control, NewAccount { email: Some("ann@forum.example".into()), ..new("Ann") }).await;
    let words = refused(&control, make(Some("ANN@forum.example"))).await;
    assert_eq!(words, "ANN@forum.example is the address of Ann already");
    assert!(refused(&control, make(Some("ann"))).await.contains("is no e-mail address"));
}
