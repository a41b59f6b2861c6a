//! Whoever is signed out here is signed out at the forum, by the forum's own link or button, and nobody waits for it.

use std::sync::OnceLock;

use tokio::sync::{Semaphore, watch};

use super::once::{World, known, session};
use super::server::{Call, Reply};
use super::*;
use crate::bridge::tests::{php, python};
use crate::domain::TokenHash;

/// A forum, how many pages of its sign-out are asked for, and whether its cookies are worth nothing afterwards, as they are
/// at the real one.
type Case = (&'static str, fn() -> Fake, usize, bool);

const FORUMS: [Case; 8] = [
    ("phpbb", php::phpbb, 1, true),
    ("fluxbb", php::fluxbb, 1, false),
    ("punbb", php::punbb, 1, false),
    ("mybb", php::mybb, 1, false),
    ("smf", php::smf, 1, true),
    ("flaskbb", python::flaskbb, 1, false),
    ("spirit", python::spirit, 2, true),
    ("dokuwiki", php::dokuwiki, 1, false),
];

fn leaves(calls: &[Call]) -> usize {
    calls.iter().filter(|call| call.asks("logout") || call.asks("action=out")).count()
}

async fn signed_in(forum: &Forum) -> Jar {
    let report = forum.sign_in(&credentials(NAME, PASSWORD), &visitor(1)).await;
    let Login::SignedIn(jar) = report.login else { panic!("{report:#?}") };
    jar
}

#[tokio::test]
async fn each_forum_is_left_by_its_own_sign_out() {
    for (name, fake, pages, kills) in FORUMS {
        let (server, forum) = start(name, fake()).await;
        let jar = signed_in(&forum).await;
        assert_eq!(forum.sign_out(jar.clone(), &visitor(1)).await, Ok(()), "{name}");
        assert_eq!(leaves(&server.calls()), pages, "{name}");
        // The same cookies again: where they are worth nothing, the page of members shows a guest and there is nothing to do.
        assert_eq!(forum.sign_out(jar, &visitor(1)).await, Ok(()), "{name}");
        assert_eq!(leaves(&server.calls()), if kills { pages } else { 2 * pages }, "{name}");
    }
}

#[tokio::test]
async fn whatever_ends_a_session_here_ends_it_at_the_forum_once() {
    let world = World::start("phpbb", php::phpbb()).await;
    world.accounts.set(1, NAME, PASSWORD, 1);
    let id = TokenHash([1; 32]);
    let ends: [&dyn Fn(); 3] =
        [&|| world.bridge.forget(&id), &|| world.bridge.forget_member(UserId([1; 16])), &|| {
            world.bridge.keep(|_| false)
        }];
    for (at, end) in ends.iter().enumerate() {
        session(world.known(1, 1).await);
        end();
        end();
        world.server.wait_for(|calls| leaves(calls) == at + 1).await;
    }
    let before = session(world.known(1, 1).await);
    world.bridge.link(id, UserId([1; 16]), &credentials(NAME, PASSWORD), &visitor(1)).await.unwrap();
    assert!(before.is_over(), "of two sign-ins of a session the first is over");
    world.server.wait_for(|calls| leaves(calls) == 4).await;
}

#[tokio::test]
async fn who_has_signed_out_at_the_forum_is_not_signed_out_there_again() {
    let world = World::start("phpbb", php::phpbb()).await;
    world.accounts.set(1, NAME, PASSWORD, 1);
    let (first, _) = (session(world.known(1, 1).await), session(world.known(2, 1).await));
    let guest = [(b"phpbb3_ab1cd_u".to_vec(), Some(b"1".to_vec()))];
    world.bridge.notice(&first, &Seen { status: 302, cookies: guest.to_vec(), ..Seen::default() });
    world.bridge.forget(&TokenHash([1; 32]));
    world.bridge.forget(&TokenHash([2; 32]));
    world.server.wait_for(|calls| leaves(calls) == 1).await;
    let asked = |call: &Call| call.asks("logout") && call.cookie("phpbb3_ab1cd_sid").ends_with('4');
    assert!(world.server.calls().iter().any(asked), "the other one");
}

/// Waits for nothing, and does something meanwhile.
struct Meanwhile(Arc<ManualClock>, OnceLock<Bridge>);

#[async_trait]
impl Pause for Meanwhile {
    async fn pause(&self, time: Duration) {
        self.0.advance(time);
        self.1.get().unwrap().forget(&TokenHash([1; 32]));
    }
}

#[tokio::test]
async fn a_session_that_ends_while_it_is_signed_in_is_left_as_soon_as_it_is() {
    let server = Server::start(php::phpbb()).await;
    let pause = Arc::new(Meanwhile(server.clock.clone(), OnceLock::new()));
    let (preset, dial) = (Preset::shipped("phpbb").unwrap(), Arc::new(vec![server.address]));
    let forum = Forum::new(preset, "/", dial, server.clock.clone(), pause.clone());
    let mut world = World::start("phpbb", php::phpbb()).await;
    world.bridge = Bridge::new(forum, world.accounts.clone());
    assert!(pause.1.set(world.bridge.clone()).is_ok());
    world.accounts.set(1, NAME, PASSWORD, 1);
    session(world.known(1, 1).await);
    server.wait_for(|calls| leaves(calls) == 1).await;
}

/// Lines that are held up while the gate is shut.
struct Gate {
    to: Vec<std::net::SocketAddr>,
    open: Semaphore,
    dialled: watch::Sender<usize>,
}

#[async_trait]
impl Dial for Gate {
    async fn dial(&self, client: std::net::IpAddr) -> std::io::Result<Box<dyn Line>> {
        self.dialled.send_modify(|count| *count += 1);
        let _open = self.open.acquire().await;
        self.to.dial(client).await
    }
}

#[tokio::test]
async fn nobody_waits_for_it_and_a_forum_is_asked_for_few_at_once() {
    let server = Server::start(php::fluxbb()).await;
    let gate = Gate { to: vec![server.address], open: Semaphore::new(100), dialled: watch::Sender::new(0) };
    let gate = Arc::new(gate);
    let (preset, clock) = (Preset::shipped("fluxbb").unwrap(), server.clock.clone());
    let forum = Forum::new(preset, "/", gate.clone(), clock.clone(), Arc::new(Skip(clock)));
    let world = World::start("fluxbb", php::fluxbb()).await;
    let bridge = Bridge::new(forum, world.accounts.clone());
    for member in 1..=20 {
        world.accounts.set(member, NAME, PASSWORD, 1);
        session(known(&bridge, member, member).await);
    }
    gate.open.forget_permits(100);
    gate.dialled.send_replace(0);
    bridge.keep(|_| false);
    gate.dialled.subscribe().wait_for(|count| *count == 4).await.unwrap();
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(*gate.dialled.borrow(), 4);
    gate.open.add_permits(100);
    server.wait_for(|calls| leaves(calls) == 20).await;
}

#[tokio::test]
async fn a_sign_out_leads_nowhere_else_and_ends_soon() {
    let form = "<form method=post><input name=username><input type=password name=password></form>";
    for (page, pages) in [
        ("<a href=/logout>", 3),
        ("<form method=POST action=/logout><button name=go></button></form>", 3),
        ("<form action=/logout?x><input type=hidden name=sure value=1></form>", 3),
        ("<a href=https://evil.test/logout>", 0),
        ("<base href=https://evil.test/><a href=/logout>", 0),
        ("<form method=post action=//evil.test/logout></form>", 0),
        ("<a href=javascript:logout()><a href=/log%25out><a href=/logouts><a>", 0),
    ] {
        let fake = move |call: &Call| match (call.is_post(), call.cookie("session")) {
            (false, "") => Reply::page(form),
            (true, "") => Reply::to("/").cookie("session=m"),
            _ => Reply::page(format!("logout {page}")),
        };
        let (server, forum) = start("generic-form", Box::new(fake)).await;
        let jar = signed_in(&forum).await;
        let steps = forum.sign_out(jar, &visitor(1)).await.unwrap_err();
        assert_eq!(leaves(&server.calls()), pages, "{page}: {steps:#?}");
        assert!(!format!("{steps:?}").contains("sure"), "no query in what is said: {steps:#?}");
    }
}
