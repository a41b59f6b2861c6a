//! App passwords, through the whole gateway: what a program gets with one, where, until when, and what is told whom.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Method;

use crate::support::browser::{Browser, Page};
use crate::support::gateway::{Gateway, Settings};
use crate::support::upstream::{Act, Recorder};

const PASSWORD: &str = "wonderland is far";
const MAKE: &str = "/.passgate/account/app-passwords";
const CHALLENGE: &str = "Basic realm=\"app password\", charset=\"UTF-8\"";
const ON: &str = "[app_passwords]\nenabled = true\npaths = [\"/feed/**\", \"/api/**\"]";
const ACCESS: &str = "[[access.rule]]\npath = \"/feed/fresh/**\"\nstep_up = \"365d\"\n\
     [[access.rule]]\npath = \"/feed/staff/**\"\ngroups = [\"staff\"]\n\
     [[access.rule]]\npath = \"/feed/guests/**\"\nrequire = \"guest\"\nauthorization = \"forward\"\n\
     [[access.rule]]\npath = \"/feed/public/**\"\nrequire = \"public\"\nauthorization = \"forward\"\n\
     [[access.rule]]\npath = \"/feed/own/**\"\nauthorization = \"forward\"\n\
     [[access.rule]]\npath = \"/feed/never/**\"\nrequire = \"deny\"";

struct Site {
    upstream: Recorder,
    gateway: Gateway,
}

/// A program: it asks for one page and says who it is.
struct Program<'s> {
    site: &'s Site,
    authorization: String,
}

fn basic(name: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{name}:{password}")))
}

impl Site {
    async fn open() -> Self {
        Self::with(Settings { access: ACCESS, rest: ON, ..Settings::NONE }).await
    }

    async fn with(settings: Settings<'_>) -> Self {
        let upstream = Recorder::always([Act::ok("the news")]).await;
        let gateway = Gateway::with(upstream.address(), settings).await;
        gateway.add_member("alice", PASSWORD, &["readers"]).await;
        gateway.add_member("bobby", PASSWORD, &[]).await;
        Self { upstream, gateway }
    }

    async fn signed_in(&self, name: &str) -> Browser {
        let mut browser = Browser::new(self.gateway.address, &self.gateway.url());
        let page = browser.get("/.passgate/login?return_to=%2F.passgate%2Faccount").await;
        browser.submit(&page, "password", &[("username", name), ("password", PASSWORD)]).await;
        browser
    }

    /// An app password that `name` makes on their account page.
    async fn made(&self, name: &str) -> String {
        let mut browser = self.signed_in(name).await;
        made_in(&mut browser, &format!("Reader of {name}"), &[]).await
    }

    fn program(&self, authorization: &str) -> Program<'_> {
        Program { site: self, authorization: authorization.to_owned() }
    }

    /// What the application was told of who asks, request by request.
    fn told(&self) -> Vec<(Option<String>, Option<String>)> {
        let heads = self.upstream.request_heads();
        heads.iter().map(|head| (head.value("remote-user"), head.value("authorization"))).collect()
    }

    fn alice(&self) -> passgate::domain::UserId {
        self.gateway.running.services.accounts.identify("alice").unwrap().unwrap().profile.id
    }
}

/// Makes one; `filled` is beside the name.
async fn made_in(browser: &mut Browser, name: &str, filled: &[(&str, &str)]) -> String {
    let page = browser.get(MAKE).await;
    let fields = [&[("name", name)], filled].concat();
    let page = browser.submit(&page, "name", &fields).await;
    page.assert_status(200).assert_says("we can’t show it again");
    shown(&page)
}

fn shown(page: &Page) -> String {
    let text = page.text();
    let at = text.find("pga-").unwrap_or_else(|| panic!("none is shown in {text}"));
    text[at..at + 43].to_owned()
}

impl Program<'_> {
    async fn ask(&self, path: &str) -> Page {
        self.ask_with(path, &[]).await
    }

    async fn ask_with(&self, path: &str, more: &[(&str, &str)]) -> Page {
        let mut client = Browser::new(self.site.gateway.address, &self.site.gateway.url());
        let plain =
            ["sec-fetch-mode", "sec-fetch-dest", "sec-fetch-site", "sec-fetch-user", "referer", "user-agent"];
        let mut fields =
            vec![("accept", "application/rss+xml, */*"), ("authorization", &*self.authorization)];
        fields.extend(plain.map(|name| (name, "")));
        fields.extend(more);
        client.ask(Method::GET, path, &fields, "").await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_reads_as_its_member_with_basic_and_with_bearer() {
    let site = Site::open().await;
    let password = site.made("alice").await;
    for authorization in [
        basic("alice", &password),
        basic("ALICE@forum.example", &password.to_uppercase()),
        format!("Bearer {password}"),
        format!("bearer {}", password.replace('-', "")),
    ] {
        let page = site.program(&authorization).ask("/feed/new.xml").await;
        page.assert_status(200).assert_says("the news");
        assert_eq!(
            page.headers.get_all("vary").iter().map(|value| value.to_str().unwrap()).collect::<Vec<_>>(),
            ["Cookie", "Authorization"],
            "no cache hands it to others"
        );
    }
    let told = site.told();
    assert_eq!(told, vec![(Some("alice".to_owned()), None); 4], "and the secret stays here");
    let heads = site.upstream.request_heads();
    assert_eq!(heads[0].value("remote-groups").as_deref(), Some("readers"), "as for a session");
}

#[tokio::test(flavor = "multi_thread")]
async fn l5_an_unknown_name_a_wrong_one_another_path_and_a_real_password_look_alike() {
    let site = Site::open().await;
    let mut browser = site.signed_in("alice").await;
    let password = made_in(&mut browser, "Reader", &[("path-2", "")]).await;
    let wrong = format!("{}{}", &password[..42], if password.ends_with('0') { '1' } else { '0' });
    let mut answers = Vec::new();
    for (authorization, path) in [
        (basic("alice", &wrong), "/feed/a"),
        (basic("nobody", &password), "/feed/a"),
        (basic("bobby", &password), "/feed/a"),
        (basic("alice", &password), "/api/a"),
        (format!("Bearer {wrong}"), "/feed/a"),
        (basic("alice", PASSWORD), "/feed/a"),
        (basic("alice", "pga-short"), "/feed/a"),
        ("Nonsense".to_owned(), "/feed/a"),
        (basic("alice", &wrong), "/feed/guests/a"),
    ] {
        let page = site.program(&authorization).ask(path).await;
        page.assert_status(401).assert_says("app-password-refused");
        assert_eq!(page.header("www-authenticate"), CHALLENGE);
        let names: Vec<_> = page.headers.keys().cloned().collect();
        let body = page.text();
        answers.push((names, body.split("\"ref\"").next().unwrap().to_owned()));
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:#?}");
    assert_eq!(site.told(), [], "nothing went on");
    site.program(&basic("alice", &password)).ask("/feed/a").await.assert_status(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_opens_no_other_path_no_page_of_ours_and_nothing_that_asks_for_more() {
    let site = Site::open().await;
    let program = site.program(&basic("alice", &site.made("alice").await));
    // As if nothing had been presented, so that nothing is learnt.
    let stranger = site.program("");
    for path in ["/", "/feeds", "/viewtopic.php", "/.passgate/account", MAKE, "/.passgate/verify"] {
        let (one, other) = (program.ask(path).await, stranger.ask(path).await);
        assert_eq!((one.status, one.header("location")), (other.status, other.header("location")), "{path}");
        assert!(!one.status.is_success() && !one.header("www-authenticate").contains("Basic"), "{path}");
    }
    for (path, status, code) in [
        ("/feed/fresh/a", 401, "step-up-required"),
        ("/feed/staff/a", 403, "not-in-group"),
        ("/feed/never/a", 403, "denied"),
    ] {
        program.ask(path).await.assert_status(status).assert_says(code);
    }
    assert_eq!(site.told(), []);
    let account = [("accept", "text/html")];
    let page = program.ask_with("/.passgate/account", &account).await;
    page.assert_status(303);
    assert!(page.header("location").starts_with("/.passgate/login"));
}

#[tokio::test(flavor = "multi_thread")]
async fn h3_our_secret_goes_to_no_application_even_where_a_rule_lets_authorization_through() {
    let site = Site::open().await;
    let password = site.made("alice").await;
    let program = site.program(&basic("alice", &password));
    program.ask("/feed/own/a").await.assert_status(200);
    program.ask("/feed/guests/a").await.assert_status(200);
    program.ask("/feed/public/a").await.assert_status(200);
    let alice = || (Some("alice".to_owned()), None);
    assert_eq!(site.told(), [alice(), alice(), (None, None)]);
    // A mistyped one goes nowhere either; what is the application's own does.
    site.program("Bearer pga-mistyped").ask("/feed/public/a").await.assert_status(200);
    site.program("Bearer of-the-application").ask("/feed/guests/a").await.assert_status(200);
    let own = Some("Bearer of-the-application".to_owned());
    assert_eq!(site.told()[3..], [(None, None), (None, own)]);
    // Nor with a session, nor where they are off.
    let off = Settings { access: ACCESS, ..Settings::NONE };
    site.gateway.reload(site.upstream.address(), off).await;
    program.ask("/feed/guests/a").await.assert_status(200);
    program.ask("/feed/a").await.assert_status(401).assert_says("sign-in-required");
    assert_eq!(site.told()[5..], [(None, None)]);
    let bytes: Vec<u8> = site.upstream.connections().into_iter().flat_map(|one| one.bytes).collect();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    for spelling in [password.clone(), STANDARD.encode(format!("alice:{password}"))] {
        assert!(!text.contains(&spelling), "{spelling} went on");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_without_one_is_told_how_and_a_browser_is_not() {
    let site = Site::open().await;
    let page = site.program("").ask("/feed/new.xml").await;
    page.assert_status(401).assert_says("sign-in-required");
    assert_eq!(page.header("www-authenticate"), CHALLENGE);
    let mut browser = Browser::new(site.gateway.address, &site.gateway.url());
    let script = browser.xhr("/feed/new.xml").await;
    assert!(!script.assert_status(401).header("www-authenticate").contains("Basic"));
    let page = browser.get("/feed/new.xml").await;
    assert!(page.target().starts_with("/.passgate/login"), "{}", page.target());
    // Who is signed in needs none, and a wrong one does no harm.
    let mut alice = site.signed_in("alice").await;
    alice
        .ask(Method::GET, "/feed/new.xml", &[("authorization", "Bearer pga-wrong")], "")
        .await
        .assert_status(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn s6_one_that_is_removed_while_it_is_in_use_opens_nothing_from_the_next_request_on() {
    let site = Site::open().await;
    let mut browser = site.signed_in("alice").await;
    let password = made_in(&mut browser, "Phone", &[]).await;
    let program = site.program(&format!("Bearer {password}"));
    program.ask("/feed/a").await.assert_status(200);
    let account = browser.get("/.passgate/account").await;
    account.assert_says("Phone").assert_says("Last used just now").assert_silent_about(&password);
    let page = browser.get(&account.link("app-passwords/remove")).await;
    page.assert_says("Remove “<bdi>Phone</bdi>”?");
    program.ask("/feed/a").await.assert_status(200);
    let account = browser.submit(&page, "id", &[]).await;
    account.assert_says("gets in no longer").assert_says("Make an app password");
    program.ask("/feed/a").await.assert_status(401);
    browser
        .get("/.passgate/account/security")
        .await
        .assert_says("The app password “<bdi>Phone</bdi>” was removed");
}

#[tokio::test(flavor = "multi_thread")]
async fn s6_a_member_who_is_disabled_or_says_it_was_not_them_has_no_programs_left() {
    let site = Site::open().await;
    let accounts = site.gateway.running.services.accounts.clone();
    let (alices, bobbys) = (site.made("alice").await, site.made("bobby").await);
    let [alices, bobbys] = [alices, bobbys].map(|password| site.program(&format!("Bearer {password}")));
    for program in [&alices, &bobbys] {
        program.ask("/feed/a").await.assert_status(200);
    }
    let mut browser = site.signed_in("bobby").await;
    let page = browser.get("/.passgate/account/not-me").await;
    browser.submit(&page, "/.passgate/account/not-me", &[]).await.assert_says("signed in here only now");
    bobbys.ask("/feed/a").await.assert_status(401);
    alices.ask("/feed/a").await.assert_status(200);
    accounts.disable(site.alice()).await.unwrap();
    alices.ask("/feed/a").await.assert_status(401);
    accounts.enable(site.alice()).await.unwrap();
    alices.ask("/feed/a").await.assert_status(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn thr_16_wrong_ones_have_to_wait_and_keep_neither_right_ones_nor_people_out() {
    let site = Site::open().await;
    let right = site.program(&format!("Bearer {}", site.made("alice").await));
    let wrong = site.program("Bearer pga-0000-0000-0000-0000-0000-0000-0000-0000");
    for _ in 0..30 {
        wrong.ask("/feed/a").await.assert_status(401);
    }
    let page = wrong.ask("/feed/a").await;
    page.assert_status(429).assert_says("too-many-tries");
    assert!(page.header("retry-after").parse::<u32>().unwrap() > 0);
    let metrics = site.gateway.running.services.throttle.exposition();
    assert!(
        metrics.contains("passgate_throttled_total{way=\"app-password\",level=\"address\"} 1"),
        "{metrics}"
    );
    right.ask("/feed/a").await.assert_status(200);
    site.signed_in("bobby").await.get("/index.php").await.assert_status(200);
    site.gateway.clock.advance(Duration::from_secs(30 * 60));
    wrong.ask("/feed/a").await.assert_status(401);
}

#[tokio::test(flavor = "multi_thread")]
async fn bp_63_making_and_removing_one_take_a_fresh_sign_in() {
    let site = Site::open().await;
    let mut browser = site.signed_in("alice").await;
    made_in(&mut browser, "Phone", &[]).await;
    let form = browser.get(MAKE).await.form("name");
    site.gateway.clock.advance(Duration::from_secs(301));
    let page = browser.get(MAKE).await;
    page.assert_says("Please confirm it’s you");
    let posted = [("csrf", form.value("csrf")), ("name", "Tablet")];
    browser.post_form(MAKE, &posted).await.assert_says("Please confirm it’s you").assert_silent_about("pga-");
    let account = browser.get("/.passgate/account").await;
    account.assert_says("Phone").assert_silent_about("Tablet");
    let page = browser.get(&account.link("app-passwords/remove")).await;
    let page = browser.submit(&page, "password", &[("password", PASSWORD)]).await;
    page.assert_says("Remove “<bdi>Phone</bdi>”?");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_amiss_with_a_new_one_is_said_and_none_is_made() {
    let site = Site::open().await;
    let mut browser = site.signed_in("alice").await;
    let page = browser.get(MAKE).await;
    for (filled, words) in [
        (vec![("name", " ")], "Please give it a name"),
        (vec![("name", "A"), ("path-1", ""), ("path-2", "")], "Please choose what it is for"),
    ] {
        browser.submit(&page, "name", &filled).await.assert_status(422).assert_says(words);
    }
    made_in(&mut browser, "A", &[]).await;
    browser
        .submit(&page, "name", &[("name", "A")])
        .await
        .assert_status(422)
        .assert_says("You have one of that name");
    for name in 1..10 {
        made_in(&mut browser, &name.to_string(), &[]).await;
    }
    browser
        .submit(&page, "name", &[("name", "B")])
        .await
        .assert_status(422)
        .assert_says("as many as an account can have");
    let account = browser.get("/.passgate/account").await;
    account.assert_says("You have 10 app passwords").assert_silent_about("Make an app password");
    browser.post_form(MAKE, &[("csrf", "x"), ("name", "B")]).await.assert_status(403);
}

#[tokio::test(flavor = "multi_thread")]
async fn bp_65_where_more_than_a_password_is_asked_one_made_with_a_password_alone_opens_nothing() {
    let site = Site::open().await;
    let program = site.program(&format!("Bearer {}", site.made("alice").await));
    program.ask("/feed/a").await.assert_status(200);
    let rest = format!("{ON}\n[second_factor]\nrequired_groups = [\"readers\"]");
    let settings = Settings { access: ACCESS, rest: &rest, ..Settings::NONE };
    site.gateway.reload(site.upstream.address(), settings).await;
    program.ask("/feed/a").await.assert_status(401).assert_says("second-factor-required");
    assert_eq!(site.told().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_they_are_off_no_page_speaks_of_them() {
    let site = Site::with(Settings::NONE).await;
    let mut browser = site.signed_in("alice").await;
    browser.get("/.passgate/account").await.assert_silent_about("pp password");
    browser.get(MAKE).await.assert_status(404);
    let page =
        site.program(&basic("alice", "pga-0000-0000-0000-0000-0000-0000-0000-0000")).ask("/feed/a").await;
    assert!(!page.assert_status(401).header("www-authenticate").contains("Basic"));
}

#[tokio::test(flavor = "multi_thread")]
async fn thr_09_no_request_with_an_app_password_costs_a_hash_whether_it_is_right_or_wrong() {
    let site = Site::open().await;
    let (password, hashes) = (site.made("alice").await, || site.gateway.running.services.accounts.hashes());
    let before = hashes();
    for authorization in [basic("alice", &password), format!("Bearer {password}")] {
        for _ in 0..100 {
            site.program(&authorization).ask("/feed/new.xml").await.assert_status(200);
        }
    }
    for wrong in
        [basic("bobby", &password), basic("alice", PASSWORD), format!("Bearer {}", "pga-0000".repeat(4))]
    {
        site.program(&wrong).ask("/feed/new.xml").await.assert_status(401);
    }
    assert_eq!((hashes(), site.told().len()), (before, 200));
    site.signed_in("alice").await;
    assert_eq!(hashes(), before + 1, "what is counted is what a sign-in costs");
}
