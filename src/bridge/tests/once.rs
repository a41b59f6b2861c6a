//! That a sign-in happens once: many requests, many members, refusals, sessions that end.

use std::collections::HashMap;
use std::sync::Mutex;

use super::server::{Call, Reply};
use super::*;
use crate::auth::captured_log::Log;
use crate::bridge::tests::{php, python};
use crate::domain::TokenHash;

/// Passwords in memory.
#[derive(Default)]
pub(super) struct Memory(Mutex<HashMap<UserId, Account>>);

#[async_trait]
impl Accounts for Memory {
    async fn account(&self, member: UserId) -> Account {
        self.0.lock().unwrap().get(&member).cloned().unwrap_or(Account::Unknown)
    }

    async fn refused(&self, member: UserId, stamp: u64, ask: Ask) -> Left {
        let mut accounts = self.0.lock().unwrap();
        if matches!(accounts.get(&member), Some(Account::Linked(_, known)) if *known == stamp) {
            accounts.insert(member, Account::Refused(ask));
        }
        Left::Nothing
    }
}

impl Memory {
    pub(super) fn set(&self, member: u8, name: &str, password: &str, stamp: u64) {
        let account = Account::Linked(credentials(name, password), stamp);
        self.0.lock().unwrap().insert(UserId([member; 16]), account);
    }
}

pub(super) struct World {
    pub(super) server: Server,
    pub(super) accounts: Arc<Memory>,
    pub(super) bridge: Bridge,
}

impl World {
    pub(super) async fn start(preset: &str, fake: Fake) -> Self {
        let (server, forum) = start(preset, fake).await;
        let accounts = Arc::new(Memory::default());
        Self { server, bridge: Bridge::new(forum, accounts.clone()), accounts }
    }

    /// Another process with the same accounts.
    fn restarted(&self, preset: &str) -> Bridge {
        Bridge::new(forum(&self.server, Preset::shipped(preset).unwrap(), "/"), self.accounts.clone())
    }

    pub(super) async fn known(&self, session: u8, member: u8) -> Known {
        known(&self.bridge, session, member).await
    }
}

pub(super) async fn known(bridge: &Bridge, session: u8, member: u8) -> Known {
    bridge.cookies_for(TokenHash([session; 32]), UserId([member; 16]), &visitor(member)).await
}

pub(super) fn session(known: Known) -> Arc<ForumSession> {
    match known {
        Known::Cookies(session) => session,
        other => panic!("{other:?}"),
    }
}

fn ask(known: &Known) -> Option<Ask> {
    if let Known::AsksMember(ask) = known { Some(*ask) } else { None }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_requests_of_a_member_make_one_sign_in() {
    let world = World::start("phpbb", php::phpbb()).await;
    world.accounts.set(1, NAME, PASSWORD, 1);
    let requests = (0..100).map(|_| {
        let bridge = world.bridge.clone();
        tokio::spawn(async move { session(known(&bridge, 1, 1).await) })
    });
    let mut sessions = Vec::new();
    for request in requests.collect::<Vec<_>>() {
        sessions.push(request.await.unwrap());
    }
    assert!(sessions.iter().all(|session| Arc::ptr_eq(session, &sessions[0])));
    assert_eq!(world.server.posts(), 1);
    session(world.known(1, 1).await);
    assert_eq!(world.server.posts(), 1, "and a later one makes none");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_members_at_once_are_each_signed_in_once() {
    let world = World::start("smf", php::smf()).await;
    let members = (1..=50).map(|member| {
        world.accounts.set(member, &format!("member{member}"), PASSWORD, 1);
        let bridge = world.bridge.clone();
        tokio::spawn(async move { session(known(&bridge, member, member).await) })
    });
    for member in members.collect::<Vec<_>>() {
        member.await.unwrap();
    }
    assert_eq!(world.server.posts(), 50);
}

#[tokio::test]
async fn a_member_in_two_browsers_has_two_sessions_at_the_forum_one_after_the_other() {
    let world = World::start("phpbb", php::phpbb()).await;
    world.accounts.set(1, NAME, PASSWORD, 1);
    let (one, other) = tokio::join!(world.known(1, 1), world.known(2, 1));
    assert!(!Arc::ptr_eq(&session(one), &session(other)));
    let order: Vec<String> = world.server.calls().into_iter().map(|call| call.method).collect();
    assert_eq!(order, ["GET", "POST", "GET", "GET", "GET", "POST", "GET", "GET"]);
}

#[tokio::test]
async fn after_one_refusal_there_is_no_second_attempt_until_the_credentials_change() {
    let world = World::start("mybb", php::mybb()).await;
    world.accounts.set(1, NAME, "wrong", 1);
    for session in [1, 1, 2, 3] {
        assert_eq!(ask(&world.known(session, 1).await), Some(Ask::WrongPassword));
    }
    assert_eq!(world.server.posts(), 1, "not in another browser either");
    let restarted = world.restarted("mybb");
    assert_eq!(ask(&known(&restarted, 4, 1).await), Some(Ask::WrongPassword));
    assert_eq!(world.server.posts(), 1, "nor after a restart");
    world.accounts.set(1, NAME, PASSWORD, 2);
    world.bridge.account_changed(UserId([1; 16]));
    session(world.known(1, 1).await);
    assert_eq!(world.server.posts(), 2);
}

#[tokio::test]
async fn two_browsers_with_a_wrong_password_make_one_attempt() {
    let world = World::start("mybb", php::mybb()).await;
    world.accounts.set(1, NAME, "wrong", 1);
    let (one, other) = tokio::join!(world.known(1, 1), world.known(2, 1));
    assert_eq!((ask(&one), ask(&other)), (Some(Ask::WrongPassword), Some(Ask::WrongPassword)));
    assert_eq!(world.server.posts(), 1);
}

#[tokio::test]
async fn an_answer_that_is_not_understood_stops_too_but_only_until_the_set_up_changes() {
    let fake = |call: &Call| match call.is_post() {
        true => Reply::page("Please read the new rules"),
        false => Reply::page("<form><input name=req_username><input name=req_password></form>"),
    };
    let world = World::start("fluxbb", Box::new(fake)).await;
    world.accounts.set(1, NAME, PASSWORD, 1);
    for session in [1, 1, 2] {
        assert_eq!(ask(&world.known(session, 1).await), Some(Ask::Unrecognised));
    }
    assert_eq!(world.server.posts(), 1);
    known(&world.restarted("fluxbb"), 1, 1).await;
    assert_eq!(world.server.posts(), 2, "the operator mended the preset, perhaps");
}

#[tokio::test]
async fn who_has_no_forum_account_linked_is_asked_and_the_forum_is_left_alone() {
    let world = World::start("fluxbb", php::fluxbb()).await;
    assert_eq!(ask(&world.known(1, 1).await), Some(Ask::Link));
    assert!(world.server.calls().is_empty());
    let (id, member) = (TokenHash([1; 32]), UserId([1; 16]));
    let wrong = world.bridge.link(id, member, &credentials(NAME, "wrong"), &visitor(1)).await.unwrap();
    assert_eq!(ask(&wrong), Some(Ask::WrongPassword));
    let linked = world.bridge.link(id, member, &credentials(NAME, PASSWORD), &visitor(1)).await.unwrap();
    let session_of_link = session(linked);
    assert!(Arc::ptr_eq(&session_of_link, &session(world.known(1, 1).await)));
    assert_eq!(world.server.posts(), 2);
}

#[tokio::test]
async fn a_forum_that_says_too_many_is_left_alone_until_its_time_is_up() {
    let world = World::start("flaskbb", python::flaskbb()).await;
    world.accounts.set(1, NAME, PASSWORD, 1);
    for _ in 0..10 {
        world.bridge.forum().sign_in(&credentials(NAME, "wrong"), &visitor(1)).await;
    }
    let calls = |world: &World| world.server.calls().len();
    assert!(matches!(world.known(1, 1).await, Known::Anonymous));
    let before = calls(&world);
    for session in [1, 1, 2] {
        assert!(matches!(world.known(session, 1).await, Known::Anonymous));
    }
    assert_eq!(calls(&world), before, "a forum that said no is not asked again");
    world.server.clock.advance(Duration::from_secs(600));
    assert!(matches!(world.known(1, 1).await, Known::Anonymous));
    assert_eq!(calls(&world), before + 1, "then it is, once");
    world.server.clock.advance(Duration::from_secs(600));
    assert!(matches!(world.known(1, 1).await, Known::Anonymous));
    assert_eq!(calls(&world), before + 1, "and the second time it gets twice the time");
}

#[tokio::test]
async fn a_session_that_the_forum_ends_is_made_anew_but_not_for_ever() {
    let world = World::start("phpbb", php::phpbb()).await;
    world.accounts.set(1, NAME, PASSWORD, 1);
    let guest = [(b"phpbb3_ab1cd_u".to_vec(), Some(b"1".to_vec()))];
    let over = Seen { status: 200, cookies: guest.to_vec(), ..Seen::default() };
    let first = session(world.known(1, 1).await);
    world.bridge.notice(&first, &Seen { status: 200, page: Some("mode=logout"), ..Seen::default() });
    assert!(Arc::ptr_eq(&first, &session(world.known(1, 1).await)), "a member's page ends nothing");

    world.server.clock.advance(Duration::from_secs(3600));
    world.bridge.notice(&first, &over);
    let second = session(world.known(1, 1).await);
    assert_eq!(world.server.posts(), 2);
    world.bridge.notice(&first, &over);
    let mut last = session(world.known(1, 1).await);
    assert!(Arc::ptr_eq(&second, &last), "a late answer to the old cookies ends nothing new");

    for _ in 0..2 {
        world.bridge.notice(&last, &over);
        last = session(world.known(1, 1).await);
    }
    world.bridge.notice(&last, &over);
    assert_eq!(ask(&world.known(1, 1).await), Some(Ask::Forgotten));
    assert_eq!(world.server.posts(), 4, "a forum that forgets at once is not signed in to again and again");
}

#[tokio::test]
async fn the_forums_cookies_stay_here_and_the_others_go_to_the_browser() {
    let world = World::start("mybb", php::mybb()).await;
    world.accounts.set(1, NAME, PASSWORD, 1);
    let session = session(world.known(1, 1).await);
    let now = world.server.clock.now();
    let field = |browsers: &str| session.field([browsers.as_bytes()].into_iter(), "/index.php", now).unwrap();
    assert_eq!(
        field("mybbuser=1_evil; mybb[lastvisit]=7; sid=evil; x=y"),
        "loginattempts=1; mybbuser=2_LoginKey; sid=s2; mybb[lastvisit]=7; x=y"
    );
    assert_eq!(session.take(b"sid=s3; path=/; HttpOnly", "/", now), Whose::Gateways);
    assert_eq!(session.take(b"mybb[lastactive]=8; path=/", "/", now), Whose::Browsers);
    assert_eq!(field(""), "loginattempts=1; mybbuser=2_LoginKey; sid=s3");
    assert_eq!(
        session.take(b"mybbuser=; path=/; expires=Sun, 22-Nov-2026 05:00:00 GMT", "/", now),
        Whose::Gateways
    );
    assert_eq!(field(""), "loginattempts=1; sid=s3");
}

#[tokio::test]
async fn who_signs_out_is_forgotten_with_their_cookies() {
    let world = World::start("fluxbb", php::fluxbb()).await;
    world.accounts.set(1, NAME, PASSWORD, 1);
    let first = session(world.known(1, 1).await);
    world.bridge.forget(&TokenHash([1; 32]));
    assert!(!Arc::ptr_eq(&first, &session(world.known(1, 1).await)));
    world.bridge.keep(|_| false);
    world.accounts.0.lock().unwrap().clear();
    assert_eq!(ask(&world.known(1, 1).await), Some(Ask::Link));
}

#[tokio::test]
async fn a_forum_that_is_away_is_a_guests_forum_and_asked_again_later() {
    let mut is_away = true;
    let mut fluxbb = php::fluxbb();
    let fake = move |call: &Call| match std::mem::take(&mut is_away) {
        true => Reply::page("upstream is restarting").status(502),
        false => fluxbb(call),
    };
    let world = World::start("fluxbb", Box::new(fake)).await;
    world.accounts.set(1, NAME, PASSWORD, 1);
    let log = Log::start();
    assert!(matches!(world.known(1, 1).await, Known::Anonymous));
    let said = log.text();
    assert!(said.contains("the forum is away") && said.contains("502"), "{said}");
    assert!(!said.contains("b&b"), "nothing of the password: {said}");
    assert!(matches!(world.known(1, 1).await, Known::Anonymous));
    assert_eq!(world.server.calls().len(), 1);
    world.server.clock.advance(Duration::from_secs(10));
    session(world.known(1, 1).await);
}
