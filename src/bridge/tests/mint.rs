//! Sessions made from a forum's database: each kind of forum takes what is made for it, by a check of its own that is written
//! after its source, and nobody gets what the forum's own sign-in would refuse.

mod php;
mod refused;
mod tables;
mod trouble;

use std::path::Path;

use self::tables::Tables;
use super::server::Server;
use super::*;
use crate::auth::captured_log::Log;
use crate::bridge::options::SessionOptions;
use crate::bridge::{Minter, Recipe, Unminted};
use crate::database::{DatabaseAccess, DatabaseUrl};
use crate::domain::{Secret, TokenHash};

const SEED: &str = "5ca1ab1e0ddba11s";

/// A forum, its cookie where its files name it, and whether it has a secret in them.
struct Kind {
    preset: &'static str,
    recipe: Recipe,
    cookie: Option<&'static str>,
    prefix: &'static str,
}

const KINDS: [Kind; 5] = [
    Kind { preset: "phpbb", recipe: Recipe::Phpbb, cookie: None, prefix: "phpbb_" },
    Kind { preset: "smf", recipe: Recipe::Smf, cookie: Some("SMFCookie10"), prefix: "smf_" },
    Kind { preset: "mybb", recipe: Recipe::Mybb, cookie: None, prefix: "mybb_" },
    Kind { preset: "fluxbb", recipe: Recipe::Fluxbb, cookie: Some("pun_cookie_b31e10"), prefix: "flux_" },
    Kind { preset: "punbb", recipe: Recipe::Punbb, cookie: Some("forum_cookie_55ff"), prefix: "" },
];

fn kind(preset: &str) -> &'static Kind {
    KINDS.iter().find(|kind| kind.preset == preset).unwrap()
}

/// A forum with a database, and the gateway's side of it.
struct Site {
    tables: Tables,
    server: Server,
    forum: Arc<Forum>,
    minter: Arc<Minter>,
}

impl Site {
    async fn start(kind: &Kind) -> Self {
        Self::with_secret(kind, SEED).await
    }

    async fn with_secret(kind: &Kind, secret: &str) -> Self {
        let tables = Tables::of(kind);
        let server = Server::start(php::fake(kind, &tables)).await;
        let forum = Arc::new(forum(&server, Preset::shipped(kind.preset).unwrap(), "/"));
        let minter = Arc::new(minter(kind, &tables.path(), secret));
        Self { tables, server, forum, minter }
    }

    async fn mint(&self, name: &str) -> Report {
        self.forum.mint(&self.minter, name, &visitor(1)).await
    }

    async fn minted(&self, name: &str) -> Jar {
        let report = self.mint(name).await;
        let Login::SignedIn(jar) = report.login else { panic!("{name}: {report:#?}") };
        jar
    }

    async fn refused(&self, name: &str) -> Unminted {
        let report = self.mint(name).await;
        let Login::NotMinted(why) = report.login else { panic!("{name}: {report:#?}") };
        why
    }

    fn bridge(&self) -> Bridge {
        let forum = super::forum(&self.server, self.forum.preset().clone(), "/");
        Bridge::new(forum, Arc::new(Names(Arc::clone(&self.minter))))
    }
}

fn minter(kind: &Kind, path: &Path, secret: &str) -> Minter {
    let options = SessionOptions {
        recipe: kind.recipe,
        database: DatabaseAccess { url: DatabaseUrl::File(path.to_owned()), password: None },
        table_prefix: kind.prefix.to_owned(),
        cookie_name: kind.cookie.map(str::to_owned),
        secret: kind.recipe.secret().map(|_| Secret::new(secret.to_owned())),
        board: ("forum.test".to_owned(), "/".to_owned()),
    };
    Minter::new(options, Preset::shipped(kind.preset).unwrap().cookies.session)
}

/// Every member goes by one name.
struct Names(Arc<Minter>);

#[async_trait]
impl Accounts for Names {
    async fn account(&self, _: UserId) -> Account {
        Account::Minted(Arc::clone(&self.0), "alice".to_owned())
    }

    async fn refused(&self, _: UserId, _: u64, _: Ask) -> Left {
        Left::Nothing
    }

    fn can_ask(&self) -> bool {
        false
    }
}

async fn known(bridge: &Bridge, session: u8) -> Known {
    bridge.cookies_for(TokenHash([session; 32]), UserId([1; 16]), &visitor(1)).await
}

#[tokio::test]
async fn each_forum_takes_the_session_that_is_made_for_a_member_and_lets_it_be_left() {
    for kind in &KINDS {
        let site = Site::start(kind).await;
        let report = site.mint("alice").await;
        assert_eq!(report.name.as_deref(), Some("alice"), "{}: {report:#?}", kind.preset);
        let Login::SignedIn(jar) = report.login else { panic!("{}: {report:#?}", kind.preset) };
        assert_eq!(site.server.posts(), 0, "{}", kind.preset);
        // Leaving takes being known.
        assert_eq!(site.forum.sign_out(jar, &visitor(1)).await, Ok(()), "{}", kind.preset);
        let leaves = |call: &super::server::Call| call.asks("logout") || call.asks("action=out");
        assert_eq!(site.server.calls().iter().filter(|call| leaves(call)).count(), 1, "{}", kind.preset);
    }
}

#[tokio::test]
async fn what_is_made_is_for_the_one_member_and_follows_their_row() {
    for kind in &KINDS {
        let site = Site::start(kind).await;
        assert_eq!(site.mint("bob").await.name.as_deref(), Some("bob"), "{}", kind.preset);
        site.tables.change_password("alice");
        assert_eq!(site.mint("alice").await.name.as_deref(), Some("alice"), "{}", kind.preset);
        site.tables.remove("alice");
        assert_eq!(site.refused("alice").await, Unminted::NotThere, "{}", kind.preset);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_requests_of_a_member_make_one_session() {
    for kind in &KINDS {
        let site = Site::start(kind).await;
        let bridge = site.bridge();
        let requests = (0..50).map(|_| {
            let bridge = bridge.clone();
            tokio::spawn(async move { known(&bridge, 1).await })
        });
        for request in requests.collect::<Vec<_>>() {
            assert!(matches!(request.await.unwrap(), Known::Cookies(_)), "{}", kind.preset);
        }
        assert_eq!(site.server.calls().len(), 1, "{}", kind.preset);
    }
}

#[tokio::test]
async fn a_session_that_the_forum_ends_is_made_anew_but_not_for_ever() {
    let site = Site::start(kind("punbb")).await;
    let bridge = site.bridge();
    let over = Seen { status: 200, page: Some("<a href=login.php>"), ..Seen::default() };
    let log = Log::start();
    for round in 1..=2 {
        for _ in 0..3 {
            let Known::Cookies(session) = known(&bridge, 1).await else { panic!() };
            bridge.notice(&session, &over);
        }
        for _ in 0..9 {
            assert!(matches!(known(&bridge, 1).await, Known::Anonymous));
        }
        assert_eq!(site.server.calls().len(), 3 * round);
        site.server.clock.advance(Duration::from_secs(600));
    }
    assert_eq!(log.text().matches("forgets a member").count(), 2);
}

#[tokio::test]
async fn nothing_is_left_in_phpbbs_database() {
    let site = Site::start(kind("phpbb")).await;
    site.minted("alice").await;
    assert_eq!(site.tables.count("phpbb_sessions_keys"), 1, "the member's own key on another computer");
    let was = site.server.calls().len();
    let bridge = site.bridge();
    let Known::Cookies(session) = known(&bridge, 1).await else { panic!() };
    let field = session.field(std::iter::empty(), "/", site.server.clock.now()).unwrap();
    assert!(!field.to_str().unwrap().contains("_k="), "no key, not even a dead one");
    bridge.forget(&TokenHash([1; 32]));
    site.server.wait_for(|calls| calls[was..].iter().any(|call| call.asks("mode=logout"))).await;
    assert_eq!(site.tables.count("phpbb_sessions_keys"), 1);
}
