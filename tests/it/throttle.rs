//! The throttle, through the whole gateway: what is counted together, who still gets in, and what is said.

use std::time::Duration;

use http::Method;
use passgate::sample::{RunningForum, SampleForum};

use crate::support::browser::{Browser, Page};
use crate::support::gateway::{Gateway, Settings};
use crate::support::passkey::Device;

const PASSWORD: &str = "wonderland is far";
const LOGIN: &str = "/.passgate/login";
/// The test is the proxy that says where requests come from.
const TRUSTING: Settings<'static> =
    Settings { server: "trusted_proxies = [\"127.0.0.1/32\"]", ..Settings::NONE };

struct Site {
    _forum: RunningForum,
    gateway: Gateway,
}

/// A sign-in page that is open in a browser.
struct Visitor {
    browser: Browser,
    csrf: String,
}

impl Site {
    async fn open(settings: Settings<'_>) -> Self {
        let forum = SampleForum::bind(([127, 0, 0, 1], 0).into()).await.unwrap().spawn();
        let gateway = Gateway::with(forum.address(), settings).await;
        gateway.add_member("alice", PASSWORD, &[]).await;
        gateway.add_member("bobby", PASSWORD, &[]).await;
        Self { _forum: forum, gateway }
    }

    async fn visitor(&self) -> Visitor {
        let mut browser = Browser::new(self.gateway.address, &self.gateway.url());
        let csrf = browser.get(LOGIN).await.form("password").value("csrf").to_owned();
        Visitor { browser, csrf }
    }

    /// Uses up what strangers have for a name, from 200 networks.
    async fn hammer(&self, name: &str) {
        let mut visitor = self.visitor().await;
        let mut refused = 0;
        for n in 0..200 {
            let page = visitor.sign_in(&format!("10.1.{n}.1"), name, "wrong").await;
            refused += u32::from(page.status == 429);
        }
        assert_eq!(refused, 180, "twenty tries of all strangers");
    }
}

impl Visitor {
    async fn sign_in(&mut self, from: &str, name: &str, password: &str) -> Page {
        let fields = [("csrf", &*self.csrf), ("username", name), ("password", password)];
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.browser.ask(Method::POST, LOGIN, &[("x-forwarded-for", from)], &body).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn thr_06_of_fifty_tries_at_once_as_many_are_checked_as_the_budget_has() {
    let site = Site::open(Settings::NONE).await;
    let mut tries = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let mut visitor = site.visitor().await;
        tries.spawn(async move { visitor.sign_in("", "alice", "wrong").await.status });
    }
    let mut statuses: Vec<_> = tries.join_all().await.iter().map(|status| status.as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [vec![422; 5], vec![429; 45]].concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn thr_13_whoever_waits_is_told_how_long_whether_or_not_there_is_such_a_member() {
    let site = Site::open(Settings::NONE).await;
    let mut answers = Vec::new();
    for name in ["alice", "nobod"] {
        let mut visitor = site.visitor().await;
        for _ in 0..5 {
            assert_eq!(visitor.sign_in("", name, "wrong").await.status, 422);
        }
        let page = visitor.sign_in("", name, PASSWORD).await;
        page.assert_status(429)
            .assert_says("Please wait a minute")
            .assert_says("With a passkey you get in at once");
        assert_eq!(page.header("retry-after"), "60");
        assert_eq!(page.form("password").value("username"), name, "what was typed is kept");
        let names: Vec<_> = page.headers.keys().cloned().collect();
        answers.push((names, page.text().replace(&visitor.csrf, "CSRF").replace(name, "NAME")));
    }
    assert_eq!(answers[0], answers[1]);
    site.gateway.clock.advance(Duration::from_secs(60));
    site.visitor().await.sign_in("", "alice", PASSWORD).await.assert_status(303);
}

/// SECURITY: L1, L2.
#[tokio::test(flavor = "multi_thread")]
async fn thr_08_signing_in_and_confirming_have_one_budget_and_all_spellings_of_a_name_too() {
    let site = Site::open(Settings::NONE).await;
    let mut visitor = site.visitor().await;
    for name in ["alice", "ALICE", " Alice ", "alice@forum.example", "Alice@FORUM.example"] {
        visitor.sign_in("", name, "wrong").await.assert_status(422);
    }
    // SECURITY: THR-04.
    for name in ["alice", "ALICE@forum.example"] {
        visitor.sign_in("", name, PASSWORD).await.assert_status(429);
    }
    let mut member = site.visitor().await;
    member.sign_in("", "bobby", PASSWORD).await.assert_status(303);
    let confirm = |csrf: &str, name: &str| format!("csrf={csrf}&again=1&username={name}&password=wrong");
    let csrf =
        member.browser.get(&format!("{LOGIN}?again=1")).await.form("password").value("csrf").to_owned();
    for status in [422, 422, 422, 422, 422, 429] {
        let body = confirm(&csrf, "bobby");
        member.browser.ask(Method::POST, LOGIN, &[], &body).await.assert_status(status);
    }
    let body = confirm(&csrf, "alice");
    member.browser.ask(Method::POST, LOGIN, &[], &body).await.assert_status(429);
}

#[tokio::test(flavor = "multi_thread")]
async fn thr_02_a_passkey_gets_in_while_two_hundred_addresses_hammer_the_name() {
    let site = Site::open(TRUSTING).await;
    let mut member = site.visitor().await;
    member.sign_in("192.0.2.7", "alice", PASSWORD).await.assert_status(303);
    let mut device = Device::new(&site.gateway.url());
    member.browser.enrol(&mut device).await;
    site.hammer("alice").await;
    let mut phone = site.visitor().await;
    phone.sign_in("192.0.2.99", "alice", PASSWORD).await.assert_status(429);
    phone.browser.sign_in_with(&mut device).await.assert_status(200);
    // Who is in has shown that the name is theirs.
    let mut laptop = site.visitor().await;
    laptop.sign_in("192.0.2.98", "alice", PASSWORD).await.assert_status(303);
}

#[tokio::test(flavor = "multi_thread")]
async fn thr_02_a_member_who_is_signed_in_can_confirm_while_the_name_is_hammered() {
    let site = Site::open(TRUSTING).await;
    let mut member = site.visitor().await;
    member.sign_in("192.0.2.7", "alice", PASSWORD).await.assert_status(303);
    site.hammer("alice").await;
    let form = member.browser.get(&format!("{LOGIN}?again=1")).await;
    member.browser.submit(&form, "password", &[("password", PASSWORD)]).await.assert_status(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn thr_05_whatever_a_client_says_of_its_address_it_has_one_budget() {
    let site = Site::open(Settings::NONE).await;
    let mut visitor = site.visitor().await;
    let mut checked = 0;
    for n in 0..40 {
        let address = format!("198.51.100.{n}");
        let body = format!("csrf={}&username=name{n}&password=wrong", visitor.csrf);
        let said = ["x-forwarded-for", "x-real-ip", "cf-connecting-ip", "true-client-ip"];
        let said = said.map(|name| (name, &*address));
        let page = visitor.browser.ask(Method::POST, LOGIN, &said, &body).await;
        checked += u32::from(page.status == 422);
    }
    assert_eq!(checked, 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn thr_16_members_go_on_and_forward_auth_answers_while_their_address_is_refused() {
    let site = Site::open(Settings::NONE).await;
    let mut member = site.visitor().await;
    member.sign_in("", "bobby", PASSWORD).await.assert_status(303);
    let mut visitor = site.visitor().await;
    for n in 0..30 {
        visitor.sign_in("", &format!("name{n}"), "wrong").await.assert_status(422);
    }
    visitor.sign_in("", "another", "wrong").await.assert_status(429);
    member.browser.get("/index.php").await.assert_status(200);
    let mut client = site.visitor().await;
    client.browser.xhr("/ajax.php").await.assert_status(401);
    let metrics = site.gateway.running.services.throttle.exposition();
    assert!(metrics.contains("passgate_throttled_total{way=\"password\",level=\"address\"} 1"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn thr_02_an_operators_link_ends_the_wait_and_no_made_up_link_keeps_it_out() {
    let site = Site::open(TRUSTING).await;
    site.hammer("alice").await;
    let mut visitor = site.visitor().await;
    visitor.sign_in("192.0.2.7", "alice", PASSWORD).await.assert_status(429);
    let link = async |token: &str, from: &str| {
        let mut browser = Browser::new(site.gateway.address, &site.gateway.url());
        let target = format!("/.passgate/link?token={token}");
        let page = browser.ask(Method::GET, &target, &[("x-forwarded-for", from)], "").await;
        (browser, page)
    };
    for n in 0..31 {
        let made_up = format!("{n:02}{}", "A".repeat(41));
        let (_, page) = link(&made_up, "192.0.2.8").await;
        page.assert_status(if n < 30 { 410 } else { 429 });
    }
    let accounts = &site.gateway.running.services.accounts;
    let alice = accounts.identify("alice").unwrap().unwrap();
    let token = accounts.link(alice.profile.id, passgate::domain::LinkKind::SignIn).await.unwrap();
    let (mut browser, page) = link(&token.to_text(), "192.0.2.9").await;
    browser.submit(&page, "token", &[]).await.assert_status(200);
    visitor.sign_in("192.0.2.7", "alice", PASSWORD).await.assert_status(303);
}

#[tokio::test(flavor = "multi_thread")]
async fn thr_02_a_browser_that_signed_in_before_gets_in_while_two_hundred_addresses_hammer_the_name() {
    let site = Site::open(TRUSTING).await;
    let mut member = site.visitor().await;
    member.sign_in("192.0.2.7", "alice", PASSWORD).await.assert_status(303);
    let device = member.browser.jar.find("passgate-device").unwrap().value.clone();
    // The session ends by itself.
    site.gateway.clock.advance(Duration::from_secs(2 * 3_600));
    site.hammer("alice").await;
    // From an address whose budget is used up, too.
    for n in 0..30 {
        site.visitor().await.sign_in("192.0.2.7", &format!("name{n}"), "wrong").await;
    }
    site.visitor().await.sign_in("192.0.2.7", "alice", PASSWORD).await.assert_status(429);
    member.sign_in("192.0.2.7", "alice", "mistyped").await.assert_status(422);
    member.sign_in("192.0.2.7", "alice", PASSWORD).await.assert_status(303);
    assert_ne!(member.browser.jar.find("passgate-device").unwrap().value, device, "a new one each time");

    // A stolen one is good for a few tries of this member.
    let mut thief = site.visitor().await;
    thief.browser.jar.put("passgate-device", &device);
    thief.sign_in("192.0.2.7", "bobby", "wrong").await.assert_status(429);
    let mut checked = 0;
    for _ in 0..50 {
        checked += u32::from(thief.sign_in("192.0.2.7", "alice", "wrong").await.status == 422);
    }
    assert_eq!(checked, 5);
}
