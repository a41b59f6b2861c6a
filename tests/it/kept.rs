//! Nothing typed is lost when a session ends: forms that came too late are kept and sent, once and by their member alone
//! (R3, MX-13).

use std::net::SocketAddr;
use std::time::Duration;

use http::Method;

use crate::support::browser::{Browser, Page};
use crate::support::gateway::{Gateway, Settings};
use crate::support::raw::exchange;
use crate::support::upstream::{Act, Recorder};
use passgate::domain::User;

const PASSWORD: &str = "wonderland is far";
const TARGET: &str = "/posting.php?mode=reply;t=5";
const KEPT: &str = "/.passgate/account/kept";
const FORM: &str = "application/x-www-form-urlencoded";
/// As browsers never would write it, so that reading and writing it anew would show.
const BODY: &str = "subject=Caf%e9%20+%20t%EAa&message=a%0Ab&message=&&x=%zz";
const ACCESS: &str = "[[access.rule]]\npath = \"/fresh/**\"\nstep_up = \"10m\"";
const HOUR: Duration = Duration::from_secs(3_600);

struct Site {
    upstream: Recorder,
    gateway: Gateway,
    alice: User,
}

impl Site {
    async fn open() -> Self {
        Self::with(Settings { access: ACCESS, ..Settings::NONE }).await
    }

    async fn with(settings: Settings<'_>) -> Self {
        let upstream = Recorder::always([Act::ok("Thank you for posting.")]).await;
        Self::before(upstream.address(), upstream, settings).await
    }

    async fn before(address: SocketAddr, upstream: Recorder, settings: Settings<'_>) -> Self {
        let gateway = Gateway::with(address, settings).await;
        let alice = gateway.add_member("alice", PASSWORD, &[]).await;
        Self { upstream, gateway, alice }
    }

    fn browser(&self) -> Browser {
        Browser::new(self.gateway.address, &self.gateway.url())
    }

    async fn signed_in(&self, user: &User) -> Browser {
        let mut browser = self.browser();
        let cookie = self.gateway.cookie_of(user).await;
        browser.jar.put("passgate", cookie.strip_prefix("passgate=").unwrap());
        browser
    }

    /// A browser whose member's session has just come to its end.
    async fn expired(&self) -> Browser {
        let browser = self.signed_in(&self.alice).await;
        self.gateway.clock.advance(HOUR);
        browser
    }

    /// A browser that has posted too late, and its member back on the page of what is kept.
    async fn kept(&self) -> (Browser, Page) {
        let mut browser = self.expired().await;
        let page = browser.post(TARGET, FORM, BODY).await;
        let page = sign_in(&mut browser, &page, "alice").await;
        page.assert_status(200).assert_says("Send it now");
        (browser, page)
    }

    /// The requests with a body that reached the application.
    fn posts(&self) -> Vec<(String, Vec<u8>)> {
        let records = self.upstream.records();
        let posts = records.requests.into_iter().filter(|heard| heard.head.text().starts_with("POST "));
        posts.map(|heard| (heard.head.text(), heard.body.bytes)).collect()
    }

    /// Insists that a form posted now is answered as if it had been posted by a stranger, and is nowhere afterwards.
    async fn assert_not_kept(&self, browser: &mut Browser, what: &str) {
        let page = browser.ask(Method::POST, TARGET, &[("content-type", FORM)], BODY).await;
        assert_eq!(page.status, 302, "{what}");
        assert_eq!(self.used(), 0, "{what}");
    }

    fn used(&self) -> usize {
        self.gateway.running.services.kept.used()
    }
}

async fn sign_in(browser: &mut Browser, page: &Page, name: &str) -> Page {
    assert_eq!(page.url.path(), "/.passgate/login", "{}", page.text());
    browser.submit(page, "password", &[("username", name), ("password", PASSWORD)]).await
}

async fn send(browser: &mut Browser, page: &Page) -> Page {
    browser.submit(page, "/.passgate/account/kept/send", &[]).await
}

/// The click alone: the answer that sends the browser on.
async fn release(browser: &mut Browser, page: &Page) -> Page {
    let form = page.form("/.passgate/account/kept/send");
    let body = format!("csrf={}&form={}", form.value("csrf"), form.value("form"));
    browser.ask(Method::POST, "/.passgate/account/kept/send", &[], &body).await
}

fn multipart(file: &[u8]) -> (&'static str, Vec<u8>) {
    let mut body =
        b"--x1y\r\nContent-Disposition: form-data; name=\"message\"\r\n\r\nLook <here> & \"there\"\r\n\
        --x1y\r\nContent-Disposition: form-data; name=\"file\"; filename=\"tea.bin\"\r\n\
        Content-Type: application/octet-stream\r\n\r\n"
            .to_vec();
    body.extend_from_slice(file);
    body.extend_from_slice(b"\r\n--x1y--\r\n");
    ("multipart/form-data; boundary=x1y", body)
}

fn pattern(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| u8::try_from((at * 7 + at / 251) % 256).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn r3_a_form_sent_after_the_session_ended_is_sent_byte_for_byte_after_signing_in() {
    let (multipart, with_file) = multipart(&pattern(300_000));
    for (content_type, body) in [(FORM, BODY.as_bytes().to_vec()), (multipart, with_file)] {
        let site = Site::open().await;
        let mut browser = site.expired().await;
        site.gateway.running.services.sessions.sweep().await.unwrap();
        let login = browser.post(TARGET, content_type, body.clone()).await;
        login.assert_status(200).assert_says("What you were sending is safe");
        let kept = sign_in(&mut browser, &login, "alice").await;
        assert_eq!(kept.target(), KEPT);
        kept.assert_says("Not sent yet").assert_says("posting.php?mode=reply;t=5");
        assert!(site.posts().is_empty(), "nothing goes out without a click");

        let page = send(&mut browser, &kept).await;
        page.assert_status(200).assert_says("Thank you for posting.");
        assert_eq!(page.target(), TARGET);
        let [(head, sent)] = site.posts().try_into().unwrap();
        assert_eq!(sent, body, "{content_type}");
        let head = crate::support::wire::Head(head.into_bytes());
        assert!(head.start_line().starts_with("POST /posting.php?mode=reply;t=5 "), "{}", head.text());
        assert_eq!(head.value("content-type").unwrap(), content_type);
        assert_eq!(head.value("content-length").unwrap(), body.len().to_string());
        assert_eq!(head.value("transfer-encoding"), None);
        assert_eq!(head.value("referer").unwrap(), format!("{}/", site.gateway.url()));
        assert_eq!(head.value("origin").unwrap(), site.gateway.url());
        assert_eq!(head.values("remote-user"), ["alice"]);
        assert_eq!(head.value("cookie"), None, "the mark and our cookies stay with us");
        assert!(browser.jar.find("passgate-send").is_none(), "the mark is taken back");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r3_a_form_for_a_page_that_wants_a_fresh_sign_in_is_kept_until_then() {
    let site = Site::open().await;
    let mut browser = site.signed_in(&site.alice).await;
    site.gateway.clock.advance(Duration::from_secs(11 * 60));
    let again = browser.post("/fresh/delete", FORM, BODY).await;
    again.assert_says("confirm it’s you").assert_says("What you were sending is safe");
    let kept = sign_in(&mut browser, &again, "alice").await;
    send(&mut browser, &kept).await.assert_says("Thank you");
    let [(_, body)] = site.posts().try_into().unwrap();
    assert_eq!(body, BODY.as_bytes());
}

#[tokio::test(flavor = "multi_thread")]
async fn r3_a_form_that_would_need_a_fresh_sign_in_again_stays_kept() {
    let site = Site::open().await;
    let mut browser = site.signed_in(&site.alice).await;
    site.gateway.clock.advance(Duration::from_secs(11 * 60));
    let again = browser.post("/fresh/delete", FORM, BODY).await;
    let kept = sign_in(&mut browser, &again, "alice").await;
    site.gateway.clock.advance(Duration::from_secs(11 * 60));
    let again = send(&mut browser, &kept).await;
    assert!(site.posts().is_empty());
    let kept = sign_in(&mut browser, &again, "alice").await;
    assert_eq!(kept.text().matches("Send it now").count(), 1, "our own form's fields are not kept in turn");
    send(&mut browser, &kept).await.assert_says("Thank you");
    assert_eq!(site.posts().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn r3_a_kept_form_is_sent_once_and_its_text_stays_for_copying() {
    let site = Site::open().await;
    let (mut browser, page) = site.kept().await;
    send(&mut browser, &page).await.assert_says("Thank you");
    let after = send(&mut browser, &page).await;
    assert_eq!(after.target(), KEPT, "the same click once more");
    after.assert_says("Sent to").assert_silent_about("Send it").assert_says("Throw it away");
    // A reload posts our form's fields to the form's address; they are not the application's to see.
    let referer = format!("{}{KEPT}", site.gateway.url());
    let reload = browser.ask(Method::POST, TARGET, &[("referer", &referer)], "csrf=x&form=y").await;
    assert_eq!((reload.status.as_u16(), reload.header("location").as_str()), (303, KEPT));
    assert_eq!(site.posts().len(), 1);
    let gone = browser.submit(&after, "/.passgate/account/kept/discard", &[]).await;
    gone.assert_says("Thrown away").assert_silent_about("Sent to");
    assert_eq!(site.used(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn r3_of_ten_requests_with_one_mark_one_goes_out() {
    let site = Site::open().await;
    let (mut browser, page) = site.kept().await;
    let on = release(&mut browser, &page).await;
    assert_eq!((on.status.as_u16(), on.header("location").as_str()), (307, TARGET));
    assert_eq!(on.header("referrer-policy"), "same-origin");
    let mark = on.header("set-cookie");
    assert!(mark.ends_with("; HttpOnly; SameSite=Strict; Path=/; Max-Age=60"), "{mark}");
    let cookies: Vec<_> =
        browser.jar.all().iter().map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
    let request = format!(
        "POST {TARGET} HTTP/1.1\r\nHost: {}\r\nCookie: {}\r\nAccept: text/html\r\nOrigin: {}\r\n\
         Content-Type: {FORM}\r\nContent-Length: 6\r\nConnection: close\r\n\r\ncsrf=x",
        site.gateway.host(),
        cookies.join("; "),
        site.gateway.url()
    );
    let tasks: Vec<_> =
        (0..10).map(|_| tokio::spawn(exchange(site.gateway.address, request.clone()))).collect();
    let mut statuses = Vec::new();
    for task in tasks {
        statuses.push(task.await.unwrap().unwrap().status());
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 303, 303, 303, 303, 303, 303, 303, 303, 303]);
    let [(_, body)] = site.posts().try_into().unwrap();
    assert_eq!(body, BODY.as_bytes());
}

#[tokio::test(flavor = "multi_thread")]
async fn r3_a_mark_sends_its_form_to_its_address_only_and_for_a_minute() {
    let site = Site::open().await;
    let (mut browser, page) = site.kept().await;
    release(&mut browser, &page).await.assert_status(307);
    let other = browser.ask(Method::POST, "/elsewhere", &[("content-type", FORM)], "a=b").await;
    other.assert_status(200);
    let [(head, body)] = site.posts().try_into().unwrap();
    assert!(head.starts_with("POST /elsewhere ") && body == b"a=b", "{head}");
    browser.jar.put("passgate-send", "x");
    release(&mut browser, &page).await.assert_status(307);
    let mark = browser.jar.find("passgate-send").unwrap().value.clone();
    site.gateway.clock.advance(Duration::from_secs(60));
    browser.jar.put("passgate-send", &mark);
    let late = browser.ask(Method::POST, TARGET, &[("referer", "")], "csrf=x").await;
    late.assert_status(303);
    assert_eq!(site.posts().len(), 1);
    browser.get(KEPT).await.assert_says("Send it now");
}

#[tokio::test(flavor = "multi_thread")]
async fn r3_another_member_in_the_browser_neither_sees_nor_sends_it_and_it_is_destroyed() {
    let site = Site::open().await;
    let mallory = site.gateway.add_member("mallory", PASSWORD, &[]).await;
    let (mut browser, page) = site.kept().await;
    release(&mut browser, &page).await.assert_status(307);
    let (cookie, own) =
        (site.gateway.cookie_of(&mallory).await, browser.jar.find("passgate").unwrap().value.clone());
    browser.jar.put("passgate", cookie.strip_prefix("passgate=").unwrap());
    let form = page.form("/.passgate/account/kept/send");
    let fields = [("csrf", form.value("csrf")), ("form", form.value("form"))];
    browser.post_form("/.passgate/account/kept/send", &fields).await.assert_status(403);
    let marked = browser.ask(Method::POST, TARGET, &[("referer", "")], "csrf=x").await;
    marked.assert_status(303);
    assert!(site.used() > 0, "nobody has looked yet");
    browser
        .get(KEPT)
        .await
        .assert_status(200)
        .assert_silent_about("Send it")
        .assert_silent_about("posting.php");
    assert_eq!((site.used(), site.posts().len()), (0, 0));
    browser.jar.put("passgate", &own);
    browser.get(KEPT).await.assert_silent_about("Send it");
}

#[tokio::test(flavor = "multi_thread")]
async fn r3_another_browser_of_the_member_neither_sees_nor_sends_it() {
    let site = Site::open().await;
    let (mut browser, page) = site.kept().await;
    release(&mut browser, &page).await.assert_status(307);
    let mark = browser.jar.find("passgate-send").unwrap().value.clone();
    let mut other = site.signed_in(&site.alice).await;
    other.get("/.passgate/login?again=1").await;
    other.get(KEPT).await.assert_status(200).assert_silent_about("Send it");
    other.jar.put("passgate-send", &mark);
    other.ask(Method::POST, TARGET, &[], "a=b").await.assert_status(200);
    let [(_, body)] = site.posts().try_into().unwrap();
    assert_eq!(body, b"a=b", "it goes as what it is");
    assert!(site.used() > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn r3_only_forms_of_this_sites_pages_are_kept() {
    let site = Site::open().await;
    let other = "https://evil.example";
    for changed in [
        [("sec-fetch-site", "cross-site"), ("origin", other)],
        [("sec-fetch-site", "same-site"), ("origin", "")],
        [("sec-fetch-site", "same-origin"), ("origin", other)],
        [("sec-fetch-site", ""), ("origin", "null")],
        [("sec-fetch-site", ""), ("origin", "")],
        [("content-type", "application/json"), ("accept", "text/html")],
        [("content-encoding", "gzip"), ("accept", "text/html")],
    ] {
        let mut browser = site.expired().await;
        let page = browser.ask(Method::POST, TARGET, &changed, BODY).await;
        assert_eq!((page.status.as_u16(), site.used()), (302, 0), "{changed:?}");
    }
    let mut browser = site.expired().await;
    let script = [("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty")];
    let page = browser.ask(Method::POST, TARGET, &script, BODY).await;
    assert_eq!((page.status.as_u16(), page.json()["code"].as_str()), (401, Some("sign-in-required")));
    assert_eq!(site.used(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn r3_of_strangers_and_of_sessions_that_were_ended_nothing_is_kept() {
    let site = Site::open().await;
    site.assert_not_kept(&mut site.browser(), "a stranger").await;
    let mut browser = site.browser();
    browser.jar.put("passgate", &"A".repeat(43));
    site.assert_not_kept(&mut browser, "a made-up session").await;

    let services = &site.gateway.running.services;
    let mut browser = site.signed_in(&site.alice).await;
    services.sessions.end_all(site.alice.profile.id, None, vec![]).await.unwrap();
    site.assert_not_kept(&mut browser, "revoked").await;

    let mut browser = site.expired().await;
    services.sessions.sweep().await.unwrap();
    services.sessions.end_all(site.alice.profile.id, None, vec![]).await.unwrap();
    site.assert_not_kept(&mut browser, "revoked after it had expired").await;

    let mut browser = site.signed_in(&site.alice).await;
    let account = browser.get("/.passgate/account").await;
    let token = browser.jar.find("passgate").unwrap().value.clone();
    browser.submit(&account, "csrf", &[]).await;
    browser.jar.put("passgate", &token);
    site.gateway.clock.advance(HOUR);
    site.assert_not_kept(&mut browser, "signed out").await;

    let mut browser = site.expired().await;
    services.sessions.sweep().await.unwrap();
    services.accounts.disable(site.alice.profile.id).await.unwrap();
    site.assert_not_kept(&mut browser, "disabled").await;

    let bob = site.gateway.add_member("bob", PASSWORD, &[]).await;
    let mut browser = site.signed_in(&bob).await;
    site.gateway.clock.advance(HOUR);
    services.sessions.sweep().await.unwrap();
    site.gateway.clock.advance(HOUR * 12);
    services.sessions.sweep().await.unwrap();
    site.assert_not_kept(&mut browser, "expired half a day ago").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r3_a_form_that_is_too_large_is_not_read_and_its_member_is_told() {
    let site = Site::with(Settings { rest: "[session]\nkeep_forms = \"64KiB\"", ..Settings::NONE }).await;
    let (content_type, body) = multipart(&pattern(64 * 1024));
    let mut browser = site.expired().await;
    let page = browser.post(TARGET, content_type, body.clone()).await;
    page.assert_status(413).assert_says("too large for us to keep").assert_says("Back button");
    let cookie = format!("passgate={}", browser.jar.find("passgate").unwrap().value);
    let chunked = [
        format!(
            "POST {TARGET} HTTP/1.1\r\nHost: {}\r\nCookie: {cookie}\r\nAccept: text/html\r\nOrigin: {}\r\n\
             Content-Type: {content_type}\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n",
            site.gateway.host(),
            site.gateway.url(),
            body.len()
        )
        .into_bytes(),
        body,
        b"\r\n0\r\n\r\n".to_vec(),
    ];
    let reply = exchange(site.gateway.address, chunked.concat()).await.unwrap();
    assert_eq!(reply.status(), 413, "{}", reply.text());
    assert_eq!((site.used(), site.posts().len()), (0, 0));
    browser.post(TARGET, FORM, BODY).await.assert_says("What you were sending is safe");
}

#[tokio::test(flavor = "multi_thread")]
async fn r3_a_form_with_a_password_is_not_kept_and_its_member_is_told() {
    let site = Site::open().await;
    let mut browser = site.expired().await;
    let page = browser.post(TARGET, FORM, "username=alice&password=hunter2").await;
    page.assert_status(401).assert_says("couldn’t keep it").assert_silent_about("hunter2");
    assert_eq!(site.used(), 0);
    let page = browser.post(TARGET, FORM, "bio=I+am+Alice&new_password=").await;
    page.assert_says("What you were sending is safe");
}

#[tokio::test(flavor = "multi_thread")]
async fn r3_where_nothing_is_to_be_kept_all_is_as_before() {
    let site = Site::with(Settings { rest: "[session]\nkeep_forms = \"0\"", ..Settings::NONE }).await;
    let mut browser = site.expired().await;
    let page = browser.ask(Method::POST, TARGET, &[("content-type", FORM)], BODY).await;
    assert_eq!(page.status, 302);
    assert_eq!(page.header("location"), "/.passgate/login?return_to=%2Fposting.php%3Fmode%3Dreply%3Bt%3D5");
    assert_eq!(site.used(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn r3_after_an_hour_a_kept_form_is_gone() {
    let site = Site::open().await;
    let mut browser = site.expired().await;
    browser.post(TARGET, FORM, BODY).await;
    site.gateway.clock.advance(HOUR - Duration::from_millis(1));
    let kept = &site.gateway.running.services.kept;
    kept.sweep();
    assert!(site.used() > 0);
    site.gateway.clock.advance(Duration::from_millis(1));
    kept.sweep();
    assert_eq!(site.used(), 0);
    let login = browser.get(KEPT).await;
    sign_in(&mut browser, &login, "alice").await.assert_says("Nothing is waiting");
}

#[tokio::test(flavor = "multi_thread")]
async fn r3_a_member_who_signs_out_leaves_no_kept_form_behind() {
    let site = Site::open().await;
    let (mut browser, page) = site.kept().await;
    browser.submit(&page, "/.passgate/logout", &[]).await.assert_says("signed out");
    assert_eq!(site.used(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn r3_a_form_that_did_not_reach_the_application_is_still_there() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let upstream = Recorder::always([]).await;
    let site = Site::before(nobody, upstream, Settings::NONE).await;
    let (mut browser, page) = site.kept().await;
    send(&mut browser, &page).await.assert_status(502);
    browser.get(KEPT).await.assert_says("Send it now").assert_silent_about("no answer came");

    let site = Site::before_silent().await;
    let (mut browser, page) = site.kept().await;
    send(&mut browser, &page).await.assert_status(502);
    let page = browser.get(KEPT).await;
    page.assert_says("no answer came").assert_says("Send it again");
    assert_eq!(site.posts().len(), 1);
}

impl Site {
    /// Before an application that breaks every connection off.
    async fn before_silent() -> Self {
        let upstream = Recorder::always([Act::Reset]).await;
        Self::before(upstream.address(), upstream, Settings::NONE).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r3_a_form_that_a_member_wrote_does_not_go_out_as_a_visitors() {
    let access = "default = \"guest\"\n[[access.rule]]\npath = \"/open/**\"\nrequire = \"public\"";
    let site = Site::with(Settings { access, ..Settings::NONE }).await;
    let mut browser = site.expired().await;
    let login = browser.post(TARGET, FORM, BODY).await;
    assert!(site.posts().is_empty());
    let kept = sign_in(&mut browser, &login, "alice").await;
    release(&mut browser, &kept).await.assert_status(307);
    site.gateway.clock.advance(HOUR);
    let referer = format!("{}{KEPT}", site.gateway.url());
    let ended = browser.ask(Method::POST, TARGET, &[("referer", &referer)], "csrf=x").await;
    assert_eq!(ended.status, 303, "our own form's fields are no visitor's post either");
    assert!(site.posts().is_empty());
    browser.post("/open/search", FORM, BODY).await.assert_says("Thank you");
    site.browser().post(TARGET, FORM, BODY).await.assert_says("Thank you");
    assert_eq!(site.posts().len(), 2, "public pages and strangers are as before");
}

#[tokio::test(flavor = "multi_thread")]
async fn r3_hostile_content_is_shown_as_text_and_what_is_no_words_is_not_shown() {
    let site = Site::open().await;
    let mut browser = site.expired().await;
    let hostile = "</textarea><script>alert(1)</script> \"'<";
    let target = "/p?x=%22%3E%3Cscript%3E";
    let mut body = b"--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"<img src=x>.png\"\r\n\r\n\x00\xff\r\n\
        --b\r\nContent-Disposition: form-data; name=\"<b> name\"\r\n\r\n"
        .to_vec();
    body.extend_from_slice(hostile.as_bytes());
    body.extend_from_slice(
        b"\r\n--b\r\nContent-Disposition: form-data; name=\"form_token\"\r\n\r\n0123456789abcdef\r\n--b--\r\n",
    );
    let login = browser.post(target, "multipart/form-data; boundary=b", body).await;
    let page = sign_in(&mut browser, &login, "alice").await;
    page.assert_says("&lt;&#x2f;textarea&gt;&lt;script&gt;alert(1)").assert_says("&lt;img src=x&gt;.png");
    page.assert_says("&lt;b&gt; name").assert_silent_about("0123456789abcdef");
    browser.get("/.passgate/account").await.assert_says("Something you wrote has not been sent yet");
    page.assert_silent_about("<script>").assert_silent_about("<img src=x").assert_silent_about("<b>");
}

#[tokio::test(flavor = "multi_thread")]
async fn r3_sending_takes_the_value_made_for_that_one_form() {
    let site = Site::open().await;
    let (mut browser, page) = site.kept().await;
    let form = page.form("/.passgate/account/kept/send");
    let (csrf, id) = (form.value("csrf"), form.value("form"));
    let signing_out = page.form("/.passgate/logout").value("csrf").to_owned();
    for path in ["/.passgate/account/kept/send", "/.passgate/account/kept/discard"] {
        for body in [
            format!("form={id}"),
            format!("csrf={signing_out}&form={id}"),
            format!("csrf={csrf}&form={}", "0".repeat(32)),
        ] {
            browser.ask(Method::POST, path, &[], &body).await.assert_status(403);
        }
        let body = format!("csrf={csrf}&form={id}");
        let cross = [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")];
        browser.ask(Method::POST, path, &cross, &body).await.assert_status(403);
        browser.ask(Method::GET, path, &[], "").await.assert_status(405);
    }
    assert!(browser.jar.find("passgate-send").is_none());
    let login = site.browser().get(KEPT).await;
    assert_eq!(login.target(), "/.passgate/login?return_to=%2F.passgate%2Faccount%2Fkept");
}
