//! Second factors, through the whole gateway: what reaches the application before one is shown, and who is led to set one up.

use std::time::Duration;

use passgate::auth::import::Admission;
use passgate::server::control::{Command, Control, Reply};

use crate::support::app::{App, TWO_STEP};
use crate::support::browser::{Browser, Page};
use crate::support::gateway::{Gateway, Settings};
use crate::support::passkey::Device;
use crate::support::upstream::{Act, Recorder};

const PASSWORD: &str = "wonderland is far";
const REQUIRED: &str = "[second_factor]\nrequired_groups = [\"admins\"]";

struct Site {
    upstream: Recorder,
    gateway: Gateway,
}

impl Site {
    /// With the members alice, of the group `admins`, and bobby.
    async fn open(rest: &str) -> Self {
        let upstream = Recorder::always([Act::ok("hello")]).await;
        let gateway = Gateway::with(upstream.address(), Settings { rest, ..Settings::NONE }).await;
        gateway.add_member("alice", PASSWORD, &["admins"]).await;
        gateway.add_member("bobby", PASSWORD, &[]).await;
        Self { upstream, gateway }
    }

    fn browser(&self) -> Browser {
        Browser::new(self.gateway.address, &self.gateway.url())
    }

    /// Opens a page of the application, and gives name and password where it leads.
    async fn sign_in(&self, browser: &mut Browser, name: &str) -> Page {
        let page = browser.get("/viewtopic.php?t=1").await;
        browser.submit(&page, "password", &[("username", name), ("password", PASSWORD)]).await
    }

    async fn enrol(&self, name: &str) -> App {
        let mut browser = self.browser();
        self.sign_in(&mut browser, name).await;
        let page = browser.get(TWO_STEP).await;
        browser.set_two_step_up(&page, &self.gateway.clock).await.0
    }

    /// Whom the application was told of, request by request.
    fn members(&self) -> Vec<Option<String>> {
        let heads = self.upstream.request_heads();
        heads.iter().map(|head| head.value("remote-user")).collect()
    }

    fn next_code(&self, app: &App) -> String {
        self.gateway.clock.advance(Duration::from_secs(30));
        app.shows(&self.gateway.clock)
    }

    fn control(&self) -> Control {
        let services = self.gateway.running.services.clone();
        Control {
            admission: Admission::new(services.store.clone(), services.clock.clone()),
            accounts: services.accounts,
            second_factors: services.second_factors,
            throttle: services.throttle,
            mail: services.mail,
            clock: services.clock,
            store: services.store,
            sessions: services.sessions,
            passkey_counts: None,
            vault: Box::new(|| None),
            own_pages: "/.passgate".to_owned(),
            reload: Box::new(|| Box::pin(async { Ok(vec![]) })),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn auth_10_nothing_of_a_member_reaches_the_application_between_the_password_and_the_code() {
    let site = Site::open("").await;
    let app = site.enrol("bobby").await;
    assert_eq!(site.members(), [Some("bobby".to_owned())], "before there was one");
    let mut browser = site.browser();
    let page = site.sign_in(&mut browser, "bobby").await;
    page.assert_status(200).assert_says("Enter your code");
    for target in ["/viewtopic.php?t=1", "/.passgate/account", TWO_STEP] {
        let page = browser.get(target).await;
        assert!(page.target().starts_with("/.passgate/login"), "{target} led to {}", page.target());
    }
    assert_eq!(site.members().len(), 1);
    assert!(browser.jar.find("passgate").is_none() && browser.jar.find("passgate-device").is_none());
    let code = site.next_code(&app);
    let done = browser.submit(&page, "code", &[("code", &code)]).await;
    assert_eq!(done.assert_status(200).target(), "/viewtopic.php?t=1");
    assert_eq!(site.members()[1..], [Some("bobby".to_owned())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_send_one_code_at_once_one_gets_in() {
    let site = Site::open("").await;
    let app = site.enrol("bobby").await;
    let mut waiting = Vec::new();
    for _ in 0..5 {
        let mut browser = site.browser();
        let page = site.sign_in(&mut browser, "bobby").await;
        waiting.push((browser, page));
    }
    let code = site.next_code(&app);
    let mut tries = tokio::task::JoinSet::new();
    for (mut browser, page) in waiting {
        let code = code.clone();
        tries.spawn(async move {
            browser.submit(&page, "code", &[("code", &code)]).await;
            browser.jar.find("passgate").is_some()
        });
    }
    let got_in = tries.join_all().await.into_iter().filter(|is_in| *is_in).count();
    assert_eq!(got_in, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_needs_a_second_factor_is_led_to_set_one_up_before_anything_is_forwarded() {
    let site = Site::open(REQUIRED).await;
    let mut alice = site.browser();
    let page = site.sign_in(&mut alice, "alice").await;
    page.assert_status(200).assert_says("One more step").assert_says("add a passkey");
    for target in ["/viewtopic.php?t=1", "/index.php"] {
        assert!(alice.get(target).await.target().starts_with(TWO_STEP), "{target}");
    }
    alice.get("/.passgate/account").await.assert_says("asks you for more than a password");
    let script = alice.xhr("/index.php").await;
    script.assert_status(401).assert_says("second-factor-required");
    assert_eq!(site.members(), []);
    let (app, done) = alice.set_two_step_up(&page, &site.gateway.clock).await;
    done.assert_says("href=\"&#x2f;viewtopic.php?t=1\"");
    let on = alice.get("/viewtopic.php?t=1").await;
    assert_eq!(on.assert_status(200).target(), "/viewtopic.php?t=1");
    assert_eq!(site.members(), [Some("alice".to_owned())]);

    let mut other = site.browser();
    let page = site.sign_in(&mut other, "alice").await;
    let code = site.next_code(&app);
    other.submit(&page, "code", &[("code", &code)]).await.assert_status(200).assert_says("hello");

    let mut bobby = site.browser();
    site.sign_in(&mut bobby, "bobby").await.assert_says("hello");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_lacks_a_second_factor_is_named_to_the_operator() {
    let site = Site::open("").await;
    let config = passgate::config::Config::from_toml_str(REQUIRED).unwrap();
    let lacking = || site.gateway.running.services.without_second_factor(&config);
    let sentence = lacking().unwrap();
    assert!(sentence.contains("1 member has neither") && sentence.contains(": alice;"), "{sentence}");
    site.enrol("alice").await;
    assert_eq!(lacking(), None);
    let nobody = passgate::config::Config::from_toml_str("").unwrap();
    assert_eq!(site.gateway.running.services.without_second_factor(&nobody), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_passkey_is_as_good_as_a_second_factor_and_is_asked_for_after_the_password() {
    let site = Site::open(REQUIRED).await;
    let mut device = Device::new(&site.gateway.url());
    let mut alice = site.browser();
    site.sign_in(&mut alice, "alice").await;
    alice.enrol(&mut device).await;
    let mut other = site.browser();
    other.sign_in_with(&mut device).await.assert_status(200);
    other.get("/index.php").await.assert_status(200).assert_says("hello");
    let mut by_password = site.browser();
    site.sign_in(&mut by_password, "alice").await.assert_says("Please use your passkey");
    by_password.get(TWO_STEP).await.assert_status(200);
    assert_eq!(site.members(), [Some("alice".to_owned())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_asks_sessions_that_run() {
    let site = Site::open("").await;
    let mut alice = site.browser();
    site.sign_in(&mut alice, "alice").await.assert_says("hello");
    let settings = Settings { rest: REQUIRED, ..Settings::NONE };
    site.gateway.reload(site.upstream.address(), settings).await;
    assert!(alice.get("/index.php").await.target().starts_with(TWO_STEP));
    let off = Settings { rest: "[second_factor]\nenabled = false", ..Settings::NONE };
    site.gateway.reload(site.upstream.address(), off).await;
    alice.get("/index.php").await.assert_says("hello");
    alice.get(TWO_STEP).await.assert_status(404);
    alice.get("/.passgate/account").await.assert_silent_about("wo-step sign-in");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_sees_a_second_factor_and_takes_it_away() {
    let site = Site::open("").await;
    site.enrol("bobby").await;
    let control = site.control();
    let named = || "bobby".to_owned();
    let Reply::User(view) = control.execute(Command::UserShow { name: named() }).await else { panic!() };
    assert_eq!(view.second_factor.unwrap().recovery_codes, 10);
    let Reply::Done(words) = control.execute(Command::UserResetSecondFactor { name: named() }).await else {
        panic!()
    };
    assert!(words.contains("taken away"), "{words}");
    site.sign_in(&mut site.browser(), "bobby").await.assert_says("hello");
    let Reply::Done(words) = control.execute(Command::UserResetSecondFactor { name: named() }).await else {
        panic!()
    };
    assert!(words.contains("nothing was changed"), "{words}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_up_asks_for_the_code_too_and_a_trusted_browser_does_not_change_that() {
    let access = "[[access.rule]]\npath = \"/adm/**\"\nstep_up = \"5m\"";
    let upstream = Recorder::always([Act::ok("hello")]).await;
    let gateway = Gateway::with(upstream.address(), Settings { access, ..Settings::NONE }).await;
    gateway.add_member("bobby", PASSWORD, &[]).await;
    let site = Site { upstream, gateway };
    let app = site.enrol("bobby").await;
    let mut browser = site.browser();
    let page = site.sign_in(&mut browser, "bobby").await;
    let code = site.next_code(&app);
    browser.submit(&page, "code", &[("code", &code), ("trust", "1")]).await.assert_says("hello");
    browser.get("/adm/").await.assert_says("hello");
    browser.jar.put("passgate", "gone");
    site.sign_in(&mut browser, "bobby").await.assert_says("hello");
    let page = browser.get("/adm/").await;
    page.assert_says("Please confirm it’s you");
    let page = browser.submit(&page, "password", &[("password", PASSWORD)]).await;
    page.assert_says("Enter your code").assert_silent_about("name=\"trust\"");
    let code = site.next_code(&app);
    let done = browser.submit(&page, "code", &[("code", &code)]).await;
    assert_eq!(done.assert_says("hello").target(), "/adm/");
}
