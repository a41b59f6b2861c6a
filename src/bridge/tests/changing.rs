//! Another password at the forum: each forum's form, what it says to it, and what is left wherever it breaks off.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;

use super::change_forms::{Shared, with_form};
use super::once::session;
use super::server::Call;
use super::*;
use crate::auth::captured_log::Log;
use crate::bridge::vault::{Source, Unlocked};
use crate::domain::{Group, PasskeyFor, Profile, SealedPassword, TokenHash, User, UserName, UserState};
use crate::store::{Change, MemoryStore, Store};

const FORUMS: [&str; 8] = ["phpbb", "fluxbb", "punbb", "mybb", "smf", "flaskbb", "spirit", "dokuwiki"];
const DAY: Duration = Duration::from_secs(24 * 3600);

fn alice() -> UserId {
    UserId([1; 16])
}

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

/// A forum with its form, and the gateway's disk.
struct Site {
    preset: &'static str,
    server: Server,
    lock: Shared,
    store: Arc<dyn Store>,
    vault: Arc<Vault>,
    _folder: tempfile::TempDir,
}

impl Site {
    /// Alice's password is in the vault, and what the forum takes.
    async fn open(preset: &'static str) -> Self {
        Self::with(preset, &[]).await
    }

    async fn with(preset: &'static str, groups: &[&str]) -> Self {
        let (fake, lock) = with_form(preset);
        let server = Server::start(fake).await;
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
        let user = User {
            profile: Profile {
                id: alice(),
                name: UserName::parse(NAME).unwrap(),
                full_name: None,
                email: None,
                groups: groups.iter().map(|group| Group::parse(group).unwrap()).collect(),
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
        let folder = tempfile::tempdir().unwrap();
        let vault = Vault::open(Arc::clone(&store), &folder.path().join("key"), preset).unwrap();
        vault.keep(alice(), &secret(PASSWORD)).await.unwrap();
        Self { preset, server, lock, store, vault: Arc::new(vault), _folder: folder }
    }

    /// The gateway after a start, with what is on its disk.
    fn started(&self) -> Bridge {
        self.reached_by(Arc::new(vec![self.server.address]))
    }

    fn reached_by(&self, dial: Arc<dyn Dial>) -> Bridge {
        let preset = Preset::shipped(self.preset).unwrap();
        let unlocked = Unlocked::new(Arc::clone(&self.vault), preset.change.clone());
        let clock = self.server.clock.clone();
        Bridge::new(Forum::new(preset, "/", dial, clock.clone(), Arc::new(Skip(clock))), Arc::new(unlocked))
    }

    async fn choose(&self, bridge: &Bridge, password: &str) -> PasswordSetting {
        bridge.set_password(TokenHash([1; 32]), alice(), &secret(password), &visitor(1)).await.unwrap()
    }

    /// What the gateway would sign in with, and whose it is.
    fn held(&self) -> (String, Source) {
        let (password, source, _) = self.vault.revealed(alice()).unwrap();
        (password, source)
    }

    fn password(&self) -> String {
        self.lock.lock().unwrap().password.clone()
    }

    fn wrong(&self) -> usize {
        self.lock.lock().unwrap().wrong
    }

    fn changes(&self) -> usize {
        let change = Preset::shipped(self.preset).unwrap().change.unwrap();
        let field = format!("{}=", change.new_field);
        let old = format!("{}=", change.old_field.unwrap());
        let is_change = |call: &&Call| call.raw.contains(&field) && call.raw.contains(&old);
        self.server.calls().iter().filter(is_change).count()
    }
}

/// What a session of alice's has at the forum, after an hour in which nobody was there: forums count the tries of an hour.
async fn signed_in(site: &Site, bridge: &Bridge, at: u8) -> Arc<ForumSession> {
    site.server.clock.advance(Duration::from_secs(3600));
    match bridge.cookies_for(TokenHash([at; 32]), alice(), &visitor(1)).await {
        Known::Cookies(session) => session,
        other => {
            let calls = site.server.calls();
            let calls: Vec<_> = calls.iter().map(|call| format!("{} {}", call.method, call.target)).collect();
            panic!("{}: {other:?} {calls:#?}", site.preset)
        }
    }
}

#[tokio::test]
async fn after_a_sign_in_each_forum_has_a_password_that_nobody_knows_and_the_member_notices_nothing() {
    for preset in FORUMS {
        let site = Site::open(preset).await;
        let log = Log::start();
        let bridge = site.started();
        let first = signed_in(&site, &bridge, 1).await;
        let (password, source) = site.held();
        assert_eq!((source, site.password()), (Source::Generated, password.clone()), "{preset}");
        assert!(password != PASSWORD && password.len() >= 30, "{preset}");
        assert_eq!(site.wrong(), 0, "{preset}: the forum has seen no wrong password");
        assert!(Arc::ptr_eq(&first, &signed_in(&site, &bridge, 1).await), "{preset}");
        signed_in(&site, &bridge, 2).await;
        signed_in(&site, &site.started(), 1).await;
        assert_eq!((site.changes(), site.wrong()), (1, 0), "{preset}: once, and it lasts");
        let said = log.text();
        assert!(said.contains("forum-password-set"), "{preset}: {said}");
        assert!(!said.contains(&password) && !said.contains("b&b"), "{preset}: {said}");
    }
}

#[tokio::test]
async fn a_password_that_a_member_gives_is_replaced_at_once_and_one_they_choose_stays() {
    for preset in FORUMS {
        let site = Site::open(preset).await;
        site.vault.take_back(alice()).await.unwrap();
        let bridge = site.started();
        let (id, given) = (TokenHash([1; 32]), credentials(NAME, PASSWORD));
        session(bridge.link(id, alice(), &given, &visitor(1)).await.unwrap());
        let (made, source) = site.held();
        assert_eq!((source, site.password()), (Source::Generated, made), "{preset}");

        assert_eq!(site.choose(&bridge, "Chosen by alice 7").await, PasswordSetting::Done, "{preset}");
        signed_in(&site, &bridge, 2).await;
        signed_in(&site, &site.started(), 1).await;
        assert_eq!(site.held(), ("Chosen by alice 7".to_owned(), Source::Chosen), "{preset}");
        assert_eq!((site.password(), site.wrong()), ("Chosen by alice 7".to_owned(), 0), "{preset}");
    }
}

#[tokio::test]
async fn a_forum_that_says_no_keeps_the_password_it_has_and_is_asked_again_a_day_later() {
    for preset in FORUMS {
        let site = Site::open(preset).await;
        site.lock.lock().unwrap().refuses = true;
        let log = Log::start();
        let bridge = site.started();
        for at in 1..=3 {
            signed_in(&site, &bridge, at).await;
        }
        assert_eq!((site.changes(), site.wrong()), (1, 0), "{preset}");
        assert_eq!(site.held(), (PASSWORD.to_owned(), Source::Given), "{preset}");
        assert_eq!(site.choose(&bridge, "too simple").await, PasswordSetting::Refused, "{preset}");
        assert_eq!((site.held().0, site.changes()), (PASSWORD.to_owned(), 2), "{preset}");
        let said = log.text();
        assert!(said.contains("could not be set at the forum") && said.contains("it says no"), "{said}");
        assert!(!said.contains("too simple") && !said.contains("b&b"), "{said}");

        site.lock.lock().unwrap().refuses = false;
        site.server.clock.advance(DAY);
        signed_in(&site, &bridge, 4).await;
        assert_eq!(site.held().1, Source::Generated, "{preset}");
        assert_eq!((site.password(), site.changes(), site.wrong()), (site.held().0, 3, 0), "{preset}");
    }
}

#[tokio::test]
async fn a_forum_that_says_yes_and_does_not_do_it_is_found_out_and_its_members_stay_signed_in() {
    for preset in FORUMS {
        let site = Site::open(preset).await;
        site.lock.lock().unwrap().lies = true;
        let bridge = site.started();
        for at in 1..=3 {
            signed_in(&site, &bridge, at).await;
        }
        assert_eq!((site.changes(), site.wrong()), (1, 1), "{preset}: the new one is tried once");
        let (password, source, next) = site.vault.revealed(alice()).unwrap();
        assert_eq!((password.as_str(), source), (PASSWORD, Source::Given), "{preset}");

        site.lock.lock().unwrap().lies = false;
        site.server.clock.advance(DAY);
        signed_in(&site, &bridge, 4).await;
        assert_eq!(site.held(), (next.unwrap(), Source::Generated), "{preset}: the same one is sent again");
        assert_eq!((site.password(), site.wrong()), (site.held().0, 1), "{preset}");
    }
}

#[tokio::test]
async fn who_runs_the_forum_keeps_the_password_that_its_administration_asks_for() {
    let site = Site::with("phpbb", &["Fans", "admins"]).await;
    signed_in(&site, &site.started(), 1).await;
    assert_eq!((site.held(), site.changes()), ((PASSWORD.to_owned(), Source::Given), 0));
}

#[tokio::test]
async fn a_form_that_is_not_there_is_looked_for_once_a_day_and_the_member_is_signed_in_all_the_same() {
    let server = Server::start(super::php::mybb()).await;
    let site = Site { server, ..Site::open("mybb").await };
    let log = Log::start();
    let bridge = site.started();
    for at in 1..=3 {
        signed_in(&site, &bridge, at).await;
    }
    let looks = || site.server.calls().iter().filter(|call| call.asks("usercp.php")).count();
    assert_eq!((looks(), site.server.posts()), (1, 3));
    assert!(log.text().contains("NotSet"), "{}", log.text());
    site.server.clock.advance(DAY);
    signed_in(&site, &bridge, 4).await;
    assert_eq!((looks(), site.held().1), (2, Source::Given));
}

/// Where a way to the forum ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The gateway is killed before the request is sent …
    Before,
    /// … or when the forum has it, and has not answered.
    After,
    /// The forum's answer does not come through; the gateway goes on.
    Broken,
}

/// The way to the forum, up to the request of this number.
struct Stops {
    to: Vec<std::net::SocketAddr>,
    at: usize,
    end: End,
    dialled: watch::Sender<usize>,
}

#[async_trait]
impl Dial for Stops {
    async fn dial(&self, _client: std::net::IpAddr) -> io::Result<Box<dyn Line>> {
        self.dialled.send_modify(|dialled| *dialled += 1);
        let is_last = *self.dialled.borrow() == self.at;
        if is_last && self.end == End::Before {
            std::future::pending::<()>().await;
        }
        let line = TcpStream::connect(self.to.as_slice()).await?;
        Ok(if is_last { Box::new(Deaf(line, self.end)) } else { Box::new(line) })
    }
}

/// A line that brings no answer.
struct Deaf(TcpStream, End);

impl AsyncRead for Deaf {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut answer = [0; 1024];
        let came = Pin::new(&mut self.0).poll_read(context, &mut ReadBuf::new(&mut answer));
        match (self.1, came) {
            (End::Broken, Poll::Ready(_)) => Poll::Ready(Ok(())),
            _ => Poll::Pending,
        }
    }
}

impl AsyncWrite for Deaf {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

/// Lets the gateway sign alice in and set a password, up to the request `at`. Whether there was such a request.
async fn breaks_off(site: &Site, (at, end): (usize, End), chosen: Option<&'static str>) -> bool {
    let dialled = watch::Sender::new(0);
    let to = vec![site.server.address];
    let stops = Arc::new(Stops { to, at, end, dialled: dialled.clone() });
    let bridge = site.reached_by(stops);
    let mut task = tokio::spawn(async move {
        match chosen {
            Some(password) => {
                let new = secret(password);
                drop(bridge.set_password(TokenHash([1; 32]), alice(), &new, &visitor(1)).await);
            }
            None => drop(bridge.attempt(alice(), &visitor(1)).await),
        }
    });
    let mut dials = dialled.subscribe();
    let reached = async {
        drop(dials.wait_for(|dialled| *dialled == at).await);
        if end == End::After {
            site.server.wait_for(|calls| calls.len() >= at).await;
        }
        if end == End::Broken {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        ended = &mut task => {
            ended.unwrap();
            return *dialled.borrow() >= at;
        }
        () = reached => task.abort(),
    }
    assert!(task.await.is_err_and(|error| error.is_cancelled()), "killed at {at}");
    true
}

#[tokio::test]
async fn wherever_it_breaks_off_the_gateway_has_the_password_that_the_forum_has() {
    for preset in FORUMS {
        for end in [End::Before, End::After, End::Broken] {
            let mut at = 1;
            loop {
                let site = Site::open(preset).await;
                let has_stopped = breaks_off(&site, (at, end), None).await;
                let case = format!("{preset} {end:?} {at}");
                assert!(site.wrong() == 0, "{case}");
                // After a start, and a day later where the forum could not be reached.
                let bridge = site.started();
                signed_in(&site, &bridge, 2).await;
                assert!(site.wrong() <= 1, "{case}: each of two passwords is tried once");
                site.server.clock.advance(DAY);
                signed_in(&site, &site.started(), 3).await;
                assert_eq!(site.held(), (site.password(), Source::Generated), "{case}");
                assert!(site.wrong() <= 1, "{case}");
                if !has_stopped {
                    break;
                }
                at += 1;
            }
            assert!(at > 8, "{preset}: {at} requests make a sign-in, a change, and a sign-in");
        }
    }
}

#[tokio::test]
async fn wherever_a_members_choice_breaks_off_the_gateway_has_the_password_that_the_forum_has() {
    for end in [End::Before, End::After, End::Broken] {
        for at in 1..=9 {
            let site = Site::open("spirit").await;
            assert!(breaks_off(&site, (at, end), Some("Chosen by alice 7")).await, "{end:?} {at}");
            // No password is made meanwhile, so that the two are told apart.
            let unlocked = Unlocked::new(Arc::clone(&site.vault), None);
            let forum = forum(&site.server, Preset::shipped("spirit").unwrap(), "/");
            let bridge = Bridge::new(forum, Arc::new(unlocked));
            // Five tries in five minutes are all it gives: none of them is wasted.
            signed_in(&site, &bridge, 2).await;
            assert_eq!(site.held().0, site.password(), "{end:?} {at}");
            assert!(site.wrong() <= 1, "{end:?} {at}");
        }
    }
}

#[tokio::test]
async fn a_change_that_comes_to_effect_late_locks_nobody_out() {
    let site = Site::open("fluxbb").await;
    // The forum has not done it yet when the gateway signs in again with the old password.
    assert!(breaks_off(&site, (6, End::Before), None).await);
    let (_, _, next) = site.vault.revealed(alice()).unwrap();
    let bridge = site.started();
    let unlocked = Unlocked::new(Arc::clone(&site.vault), None);
    let quiet = Bridge::new(forum(&site.server, Preset::shipped("fluxbb").unwrap(), "/"), Arc::new(unlocked));
    signed_in(&site, &quiet, 1).await;
    site.lock.lock().unwrap().password = next.clone().unwrap();
    signed_in(&site, &bridge, 2).await;
    assert_eq!(site.held(), (next.unwrap(), Source::Generated));
}

#[tokio::test]
async fn a_password_from_before_there_were_generated_ones_opens_and_moves_to_nobody_else() {
    let site = Site::open("phpbb").await;
    site.vault.put_first_version(alice(), PASSWORD).await;
    assert_eq!(site.held(), (PASSWORD.to_owned(), Source::Given));
    let entry = site.store.forum_password(alice()).unwrap().unwrap();
    assert_eq!(entry.sealed[0], 1);
    let relabelled = SealedPassword { sealed: [&[2], &entry.sealed[1..]].concat(), ..entry };
    site.store.apply(vec![Change::PutForumPassword(relabelled)]).await.unwrap();
    assert!(site.vault.revealed(alice()).is_none(), "the version is bound, too");
}
