//! A passkey required: what reaches the application before it has proven a session, and what never does.

use std::sync::Arc;

use crate::support::browser::Browser;
use crate::support::gateway::{Gateway, Settings};
use crate::support::passkey::Device;
use crate::support::raw::{Reply, exchange};
use crate::support::upstream::{Act, Recorder};
use passgate::auth::import::Admission;
use passgate::domain::{CredentialId, PasskeyFor, Persistence, User};
use passgate::sample::SampleForum;
use passgate::server::control::{Command, Control, LinkTo, NewAccount, Reply as Told};
use passgate::store::{Change, Verdict};

const REQUIRED: &str = "[passkeys]\nrequired_for = [\"admins\"]";
const ONLY: &str = "[password]\nenabled = false";
const ACCESS: &str = "default = \"guest\"\n\
                      [[access.rule]]\npath = \"/members/**\"\nrequire = \"login\"\n\
                      [[access.rule]]\npath = \"/styles/**\"\nrequire = \"public\"\n\
                      [[access.rule]]\npath = \"/adm/**\"\nstep_up = \"5m\"\nstep_up_with = \"passkey\"";

struct Site {
    upstream: Recorder,
    gateway: Gateway,
    alice: User,
}

impl Site {
    async fn open(rest: &str) -> Self {
        let upstream = Recorder::always([Act::ok("hello")]).await;
        let server = "trusted_proxies = [\"127.0.0.1/32\"]";
        let settings = Settings { server, access: ACCESS, rest, ..Settings::NONE };
        let gateway = Gateway::with(upstream.address(), settings).await;
        let alice = gateway.add_member("alice", "wonderland is far", &["admins"]).await;
        Self { upstream, gateway, alice }
    }

    /// The cookie of a session that a passkey has proven.
    async fn by_passkey(&self) -> String {
        let passkey = CredentialId::new(b"phone").unwrap();
        let sessions = &self.gateway.running.services.sessions;
        let started = sessions.start_by_passkey(&self.alice, Persistence::Browser, passkey, "test", vec![]);
        let token = started.await.unwrap();
        format!("passgate={}", *token.to_text())
    }

    async fn get(&self, target: &str, cookie: &str, fields: &str) -> Reply {
        let host = self.gateway.host();
        let request = format!(
            "GET {target} HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\nConnection: close\r\n{fields}\r\n"
        );
        exchange(self.gateway.address, request).await.unwrap()
    }

    /// What another proxy is told about a page load.
    async fn verify(&self, form: Form, target: &str, cookie: &str) -> Reply {
        let (host, page) = (self.gateway.host(), "Accept: text/html\r\n");
        let asked = match form {
            Form::Nginx => format!("X-Original-URL: http://{host}{target}\r\nX-Original-Method: GET\r\n"),
            Form::Caddy => format!(
                "X-Forwarded-Uri: {target}\r\nX-Forwarded-Method: GET\r\nX-Forwarded-Host: {host}\r\n"
            ),
        };
        self.get("/.passgate/verify", cookie, &format!("{page}{asked}")).await
    }

    async fn is_told_to_use_a_passkey(&self, target: &str, cookie: &str) {
        let page = self.get(target, cookie, "Accept: text/html\r\n").await;
        let escaped: String = target.replace('/', "%2F").replace('?', "%3F").replace('=', "%3D");
        let location = format!("/.passgate/login?return_to={escaped}&again=passkey");
        assert_eq!((page.status(), page.head.values("location")), (302, vec![location.clone()]), "{target}");
        let script =
            self.get(target, cookie, "Accept: text/html\r\nX-Requested-With: XMLHttpRequest\r\n").await;
        assert_eq!(script.status(), 401, "{target}");
        assert!(script.text().starts_with("{\"code\":\"passkey-required\""), "{}", script.text());
        let nginx = self.verify(Form::Nginx, target, cookie).await;
        assert_eq!((nginx.status(), nginx.head.values("location")), (401, vec![location.clone()]));
        let caddy = self.verify(Form::Caddy, target, cookie).await;
        let absolute = format!("{}{location}", self.gateway.url());
        assert_eq!((caddy.status(), caddy.head.values("location")), (302, vec![absolute]));
        for reply in [page, script, nginx, caddy] {
            assert_eq!(reply.head.value("remote-user"), None, "{target}");
        }
    }
}

#[derive(Clone, Copy)]
enum Form {
    Caddy,
    Nginx,
}

#[tokio::test(flavor = "multi_thread")]
async fn mf_01_mf_28_nothing_of_a_member_reaches_the_application_before_the_passkey() {
    for rest in [REQUIRED, ONLY] {
        let site = Site::open(rest).await;
        let cookie = site.gateway.cookie_of(&site.alice).await;
        for target in ["/", "/viewtopic.php?t=1", "/members/x", "/adm/"] {
            site.is_told_to_use_a_passkey(target, &cookie).await;
        }
        assert!(site.upstream.request_heads().is_empty(), "{rest}");
        assert_eq!(site.get("/.passgate/account", &cookie, "Accept: text/html\r\n").await.status(), 200);

        assert_eq!(site.get("/styles/a.css", &cookie, "Remote-User: alice\r\n").await.status(), 200);
        assert_eq!(
            site.upstream.only_head().value("remote-user"),
            None,
            "open to strangers, as to strangers"
        );
        let proven = site.by_passkey().await;
        for target in ["/", "/members/x", "/adm/"] {
            assert_eq!(site.get(target, &proven, "").await.status(), 200, "{target}");
            let head = site.upstream.request_heads().pop().unwrap();
            assert_eq!(head.values("remote-user"), ["alice"], "{target}");
            assert_eq!(site.verify(Form::Nginx, target, &proven).await.head.values("remote-user"), ["alice"]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mf_08_a_rule_by_passkey_alone_takes_no_password_however_fresh() {
    let site = Site::open("").await;
    let cookie = site.gateway.cookie_of(&site.alice).await;
    site.is_told_to_use_a_passkey("/adm/", &cookie).await;
    assert!(site.upstream.request_heads().is_empty());
    assert_eq!(site.get("/members/x", &cookie, "").await.status(), 200, "elsewhere the password is enough");
    let proven = site.by_passkey().await;
    assert_eq!(site.get("/adm/", &proven, "").await.status(), 200);
    site.gateway.clock.advance(std::time::Duration::from_secs(301));
    site.is_told_to_use_a_passkey("/adm/", &proven).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mx_11_a_members_own_choice_counts_at_once_and_in_sessions_that_run() {
    let site = Site::open("").await;
    let (cookie, services) = (site.gateway.cookie_of(&site.alice).await, &site.gateway.running.services);
    assert_eq!(site.get("/", &cookie, "").await.status(), 200);
    let choose = Change::ReviseUser(
        site.alice.profile.id,
        Box::new(|user| {
            user.passkey_for = PasskeyFor { signing_in: true, sensitive_actions: false };
            Verdict::Keep
        }),
    );
    services.store.apply(vec![choose]).await.unwrap();
    let later = site.gateway.cookie_of(&site.alice).await;
    site.is_told_to_use_a_passkey("/", &later).await;
    assert_eq!(site.upstream.request_heads().len(), 1);
    assert_eq!(site.get("/", &site.by_passkey().await, "").await.status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn mf_28_a_reload_asks_sessions_that_run_and_names_who_has_no_passkey() {
    let site = Site::open("").await;
    site.gateway.add_member("bob", "wonderland is far", &[]).await;
    let cookie = site.gateway.cookie_of(&site.alice).await;
    assert_eq!(site.get("/", &cookie, "").await.status(), 200);
    let server = "trusted_proxies = [\"127.0.0.1/32\"]";
    let settings = Settings { server, access: ACCESS, rest: REQUIRED, ..Settings::NONE };
    site.gateway.reload(site.upstream.address(), settings).await;
    site.is_told_to_use_a_passkey("/", &cookie).await;
    let lacking = |rest: &str| {
        let config = passgate::config::Config::from_toml_str(rest).unwrap();
        site.gateway.running.services.without_passkey(&config)
    };
    assert_eq!(lacking(""), None);
    let admins = lacking(REQUIRED).unwrap();
    assert!(admins.contains("1 member has no passkey") && admins.contains(": alice;"), "{admins}");
    let everyone = lacking(ONLY).unwrap();
    assert!(
        everyone.contains("2 members have no passkey") && everyone.contains(": alice, bob;"),
        "{everyone}"
    );
}

/// What an operator's commands do.
fn control(gateway: &Gateway) -> Control {
    let services = gateway.running.services.clone();
    Control {
        admission: Admission::new(Arc::clone(&services.store), Arc::clone(&services.clock)),
        accounts: services.accounts,
        second_factors: services.second_factors,
        throttle: services.throttle,
        mail: services.mail,
        clock: services.clock,
        store: services.store,
        sessions: services.sessions,
        passkey_counts: Some(services.passkey_counts),
        vault: Box::new(|| None),
        own_pages: "/.passgate".to_owned(),
        reload: Box::new(|| Box::pin(async { Ok(vec![]) })),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn mf_28_where_passwords_are_off_a_link_leads_to_the_first_passkey_and_to_nothing_else() {
    let forum = SampleForum::bind(([127, 0, 0, 1], 0).into()).await.unwrap().spawn();
    let gateway = Gateway::with(forum.address(), Settings { rest: ONLY, ..Settings::NONE }).await;
    let control = control(&gateway);
    let name = "carol".to_owned();
    let new = NewAccount { name: name.clone(), full_name: None, email: None, groups: vec![], password: None };
    let Told::Added { link: Some(added), .. } = control.execute(Command::UserAdd(new)).await else {
        panic!()
    };
    let Told::Link(link) = control.execute(Command::UserLink { name, to: LinkTo::SignIn }).await else {
        panic!()
    };
    assert_eq!(link.to, LinkTo::Reset, "who has nothing to confirm with is vouched for");

    let mut browser = Browser::new(gateway.address, &gateway.url());
    browser.get(&added.url).await.assert_status(410);
    let page = browser.get(&link.url).await;
    page.assert_says("Sign in and add a passkey").assert_silent_about("type=\"password\"");
    browser.submit(&page, "token", &[]).await.assert_status(200).assert_says("Add a passkey");
    let closed = async |browser: &mut Browser| {
        for target in ["/index.php", "/whoami.json", "/viewtopic.php?t=1"] {
            let page = browser.get(target).await;
            assert!(page.target().starts_with("/.passgate/"), "{target} led to {}", page.target());
        }
    };
    closed(&mut browser).await;
    let mut device = Device::new(&gateway.url());
    browser.enrol(&mut device).await;
    closed(&mut browser).await;
    let page = browser.get("/.passgate/account").await;
    let csrf = page.form("csrf").value("csrf").to_owned();
    browser.refused("add", &csrf).await.assert_status(403).assert_says("reauth_required");

    let confirming = browser.begin_with("step-up", &csrf).await;
    let answer = device.get(&confirming.said["options"]);
    browser.finish(&confirming, answer).await.assert_status(200);
    browser.get("/whoami.php").await.assert_status(200).assert_says("carol");
}
