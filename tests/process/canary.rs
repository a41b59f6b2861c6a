//! What the log says, and what it and the store must never say, whatever is sent and at whatever level (OPS-01 … OPS-03,
//! SES-11, TT-07).

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use passgate::sample::SampleForum;
use passkey::crypto::SecretKeyT;
use passkey::crypto::coset::CborSerializable;
use serde_cbor_2::Value as Cbor;
use serde_json::Value;

use crate::site::{Gateway, PASSWORD, Site, URL};
use crate::support::browser::Browser;
use crate::support::passkey::Device;
use crate::support::raw::RawClient;

const WRONG: &str = "a wrong password of a canary";
const CHOSEN: &str = "a chosen password of a canary";
/// Parts of requests that are nobody else's business.
const QUERY: &str = "canaryquery";
const AUTHORIZATION: &str = "canaryauthorization";
const COOKIE: &str = "canarycookie";
const FIELD: &str = "canaryfield";
const BODY: &str = "canarybody";

/// Everything that must not be found afterwards.
#[derive(Default)]
struct Secrets(BTreeSet<String>);

impl Secrets {
    fn add(&mut self, secret: &str) {
        self.0.insert(secret.to_owned());
    }

    /// The session, the browser's mark and the forum's session; its other cookies are dates.
    fn add_cookies(&mut self, browser: &Browser) {
        browser
            .jar
            .all()
            .iter()
            .filter(|cookie| cookie.value.len() > 20)
            .for_each(|cookie| self.add(&cookie.value));
    }

    /// Each as it is, as the bytes it may stand for, and in every spelling of both.
    fn assert_not_in(&self, what: &str, bytes: &[u8]) {
        for secret in &self.0 {
            let decoded = [URL_SAFE_NO_PAD, STANDARD_NO_PAD, STANDARD].map(|coding| coding.decode(secret));
            let decoded = decoded.into_iter().flatten().filter(|bytes| bytes.len() >= 16);
            for form in std::iter::once(secret.as_bytes().to_vec()).chain(decoded).flat_map(spellings) {
                assert!(!holds(bytes, &form), "{secret} is in {what}");
            }
        }
    }
}

/// Itself, and in hexadecimal and base64.
fn spellings(bytes: Vec<u8>) -> [Vec<u8>; 5] {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let texts = [hex.to_uppercase(), hex, STANDARD_NO_PAD.encode(&bytes), URL_SAFE_NO_PAD.encode(&bytes)];
    let [upper, lower, standard, url_safe] = texts.map(String::into_bytes);
    [bytes, upper, lower, standard, url_safe]
}

/// The number d of RFC 9053, section 7.1.1.
fn private_key(device: &Device) -> Vec<u8> {
    let key = device.key.to_cose_key().to_vec().unwrap();
    let parts: BTreeMap<Cbor, Cbor> = serde_cbor_2::from_slice(&key).unwrap();
    let Some(Cbor::Bytes(d)) = parts.get(&Cbor::Integer(-4)) else { panic!("no private key") };
    d.clone()
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[tokio::test(flavor = "multi_thread")]
async fn ops_03_ses_11_no_secret_is_in_the_log_at_any_level_or_in_the_store() {
    let forum = SampleForum::bind(([127, 0, 0, 1], 0).into()).await.unwrap().spawn();
    let lines = "log.level = \"trace\"\naccess.rule = [{ path = \"/whoami.json\", authorization = \"forward\" }]\n\
                 app_passwords = { enabled = true, paths = [\"/whoami.json\"] }\nupstream.connect_timeout = \"1s\"";
    let site = Site::before(forum.address(), lines);
    let mut gateway = site.serve();
    let mut secrets = Secrets::default();
    for secret in [PASSWORD, WRONG, CHOSEN, QUERY, AUTHORIZATION, COOKIE, FIELD, BODY] {
        secrets.add(secret);
    }
    people(&site, &gateway, &mut secrets).await;
    for request in broken_requests() {
        let mut client = RawClient::connect(gateway.address).await;
        // However it ends, it must end.
        let _ = client.send(&request).await;
        let _ = client.finish().await;
        let _ = client.rest().await;
    }
    // The application has gone: what was to be forwarded fails.
    let (mut alice, _) = gateway.signed_in("alice", PASSWORD).await;
    secrets.add_cookies(&alice);
    drop(forum);
    let failing = format!("/viewtopic.php?t={QUERY}");
    let headers = [("x-canary", FIELD), ("authorization", AUTHORIZATION)];
    alice.ask(http::Method::POST, &failing, &headers, BODY).await.assert_status(502);
    assert_eq!(gateway.stop(), Some(0));

    let log = gateway.last_lines();
    assert!(log.len() > 20, "{log:#?}");
    let log = log.join("\n").into_bytes();
    secrets.assert_not_in("the log", &log);
    let mut kept = Vec::new();
    for file in files_below(&site.data_dir()) {
        let bytes = fs::read(&file).unwrap();
        secrets.assert_not_in(&file.display().to_string(), &bytes);
        kept.extend(bytes);
    }
    // What is no secret is found, so the search searches.
    assert!(holds(&log, b"/whoami.json") && holds(&log, b"sign-in-refused") && holds(&kept, b"alice"));
}

#[tokio::test(flavor = "multi_thread")]
async fn tt_07_who_copies_the_data_folder_finds_nothing_to_sign_in_with() {
    let forum = SampleForum::bind(([127, 0, 0, 1], 0).into()).await.unwrap().spawn();
    let site = Site::before(forum.address(), "");
    let mut gateway = site.serve();
    site.add_member("alice");
    let link = site.run(&["user", "add", "bobby"]).out.trim_end().to_owned();
    let mut secrets = Secrets::default();
    secrets.add(PASSWORD);
    secrets.add(link.split_once("token=").unwrap().1);
    let mut device = Device::new(URL);
    secrets.add(&URL_SAFE_NO_PAD.encode(private_key(&device)));
    let (mut alice, _) = gateway.signed_in("alice", PASSWORD).await;
    alice.enrol(&mut device).await;
    let mut phone = gateway.browser();
    phone.sign_in_with(&mut device).await.assert_status(200);
    let mut stranger = gateway.browser();
    for begun in [
        alice.begin("add", "/.passgate/account").await,
        alice.begin("step-up", "/.passgate/account").await,
        stranger.begin("sign-in", "/.passgate/login").await,
    ] {
        secrets.add(begun.said["ceremony"].as_str().unwrap());
        secrets.add(begun.said["options"]["challenge"].as_str().unwrap());
    }
    [&alice, &phone, &stranger].into_iter().for_each(|browser| secrets.add_cookies(browser));
    assert!(secrets.0.len() >= 3 + 6 + 3, "{:?}", secrets.0);

    let assert_clean = || {
        let kept: Vec<_> = files_below(&site.data_dir()).iter().map(|file| fs::read(file).ok()).collect();
        let kept = kept.into_iter().flatten().collect::<Vec<_>>().concat();
        secrets.assert_not_in("the data folder", &kept);
        // What is no secret is found, so the search searches.
        let found = spellings(device.id.to_vec()).iter().filter(|form| holds(&kept, form)).count();
        assert!(found > 0 && holds(&kept, b"bobby"), "the passkey is there, {} bytes are", kept.len());
    };
    assert_clean();
    gateway.kill();
    assert_clean();
    assert_eq!(site.serve().stop(), Some(0));
    assert_clean();
}

/// Members do what members do.
async fn people(site: &Site, gateway: &Gateway, secrets: &mut Secrets) {
    site.add_member("alice");
    let link = site.run(&["user", "add", "bobby"]).out.trim_end().to_owned();
    secrets.add(link.split_once("token=").unwrap().1);
    let mut browser = gateway.browser();
    let form = browser.get(&link).await;
    browser.submit(&form, "password", &[("password", "short")]).await;
    browser.submit(&form, "password", &[("password", CHOSEN)]).await.assert_status(200);
    gateway.signed_in("bobby", WRONG).await.1.assert_status(422);
    gateway.signed_in("nobody", WRONG).await.1.assert_status(422);
    // People type their password where the name goes.
    gateway.signed_in(PASSWORD, WRONG).await.1.assert_status(422);
    gateway.signed_in("bobby", CHOSEN).await.1.assert_status(200);
    let (mut alice, _) = gateway.signed_in("alice", PASSWORD).await;
    secrets.add_cookies(&alice);
    alice.jar.put("application", COOKIE);
    let headers = [("authorization", AUTHORIZATION), ("x-canary", FIELD), ("referer", QUERY)];
    let echo = alice.ask(http::Method::GET, &format!("/whoami.json?q={QUERY}"), &headers, "").await;
    echo.assert_says(AUTHORIZATION).assert_says(COOKIE).assert_says(QUERY);
    alice.ask(http::Method::POST, &format!("/echo?{QUERY}"), &[], BODY).await.assert_says(BODY);
    websocket(gateway, &alice).await;
    program(gateway, &mut alice, secrets).await;
    let page = alice.get("/.passgate/account").await;
    alice.submit(&page, "csrf", &[]).await.assert_says("signed out");
    alice.get(&format!("/?{QUERY}")).await;
}

/// A program of hers, which the application must not learn to be either.
async fn program(gateway: &Gateway, alice: &mut Browser, secrets: &mut Secrets) {
    let page = alice.get("/.passgate/account/app-passwords").await;
    let text = alice.submit(&page, "name", &[("name", "Reader")]).await.assert_status(200).text();
    let at = text.find("pga-").unwrap();
    let password = &text[at..at + 43];
    let plain = password.replace('-', "");
    secrets.add(password);
    secrets.add(&plain[3..]);
    let basic = STANDARD.encode(format!("alice:{password}"));
    secrets.add(&basic);
    for authorization in
        [format!("Bearer {password}"), format!("Basic {basic}"), format!("Bearer {password}x")]
    {
        let headers = [("authorization", &*authorization)];
        let page = gateway.browser().ask(http::Method::GET, "/whoami.json", &headers, "").await;
        page.assert_silent_about(&plain[3..]).assert_silent_about(password).assert_silent_about(&basic);
        page.assert_status(if authorization.ends_with('x') { 401 } else { 200 });
    }
}

async fn websocket(gateway: &Gateway, alice: &Browser) {
    let session = &alice.jar.find("passgate").unwrap().value;
    let handshake = format!(
        "GET /ws?{QUERY} HTTP/1.1\r\nHost: localhost:4180\r\nOrigin: {URL}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nCookie: passgate={session}\r\n\r\n"
    );
    let mut client = RawClient::connect(gateway.address).await;
    assert_eq!(client.exchange(handshake).await.unwrap().status(), 101);
    client.send(BODY).await.unwrap();
    assert_eq!(client.receive(BODY.len()).await.unwrap(), BODY.as_bytes());
}

/// What makes the engine fail, with something to quote in each.
fn broken_requests() -> Vec<Vec<u8>> {
    let head = format!("Host: localhost\r\nCookie: a={COOKIE}\r\nAuthorization: Bearer {AUTHORIZATION}\r\n");
    let texts = [
        format!("GET /?{QUERY} HTTP/9.9\r\n{head}\r\n"),
        format!("{QUERY}\r\n{head}\r\n"),
        format!("GET /?{QUERY} HTTP/1.1\r\n{head}no colon {FIELD}\r\n\r\n"),
        format!("GET /?{QUERY} HTTP/1.1\r\n{head}{FIELD} : a\r\n folded {FIELD}\r\n\r\n"),
        format!("GET /?{QUERY} HTTP/1.1\r\n{head}X: {FIELD}\0\r\n\r\n"),
        format!("POST /?{QUERY} HTTP/1.1\r\n{head}Content-Length: {FIELD}\r\n\r\n{BODY}"),
        format!("POST /?{QUERY} HTTP/1.1\r\n{head}Content-Length: 1\r\nContent-Length: 2\r\n\r\n{BODY}"),
        format!("POST /?{QUERY} HTTP/1.1\r\n{head}Transfer-Encoding: {FIELD}\r\n\r\n{BODY}"),
        format!("POST /echo?{QUERY} HTTP/1.1\r\n{head}Transfer-Encoding: chunked\r\n\r\n{BODY}"),
        format!("POST /echo?{QUERY} HTTP/1.1\r\n{head}Content-Length: 900\r\n\r\n{BODY}"),
        format!("GET /?{QUERY} HTTP/1.1\r\n{head}"),
        format!("GET /%zz?{QUERY} HTTP/1.1\r\n{head}\r\n"),
        format!("GET /?{QUERY} HTTP/1.1\r\nHost: {FIELD}\r\nHost: {FIELD}\r\n{head}\r\n"),
        format!("CONNECT /?{QUERY} HTTP/1.1\r\n{head}\r\n"),
        format!("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{FIELD}"),
        format!("\x16\x03\x01\x02{FIELD}"),
        format!("GET /?{QUERY} HTTP/1.1\r\n{head}X: {}\r\n\r\n", FIELD.repeat(20_000)),
        format!("GET /?{} HTTP/1.1\r\n{head}\r\n", QUERY.repeat(20_000)),
        format!("POST /.passgate/login HTTP/1.1\r\n{head}Content-Length: 999999\r\n\r\npassword={BODY}"),
        format!(
            "POST /.passgate/login?{QUERY} HTTP/1.1\r\n{head}Content-Type: text/plain\r\nContent-Length: {}\r\n\r\n{BODY}",
            BODY.len()
        ),
    ];
    texts.into_iter().map(String::into_bytes).collect()
}

fn files_below(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| match path.is_dir() {
            true => files_below(&path),
            false => vec![path],
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn ops_01_hostile_text_can_not_forge_or_break_a_log_line() {
    let forum = SampleForum::bind(([127, 0, 0, 1], 0).into()).await.unwrap().spawn();
    let site = Site::before(forum.address(), "log.level = \"trace\"");
    let mut gateway = site.serve();
    let forged = "{\"level\":\"INFO\",\"message\":\"forged\"}";
    for text in [
        format!("GET /a\x1b[2Jb HTTP/1.1\r\nHost: localhost\r\nUser-Agent: \x1b[31m\x07{forged}\r\n\r\n"),
        format!("GET /%0d%0a{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "%7B%22message%22%3A%22forged%22%7D"),
        format!("GET /\u{202e}\u{9b}31m HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: {forged}\r\n\r\n"),
        format!("G\x1bET / HTTP/1.1\r\nHost: {forged}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: \x1b[31m{forged}\r\n\r\n"),
    ] {
        let mut client = RawClient::connect(gateway.address).await;
        let _ = client.send(text).await;
        let _ = client.finish().await;
        let _ = client.rest().await;
    }
    let name = format!("a\r\n{forged}\x1b[31m\u{9b}");
    gateway.signed_in(&name, WRONG).await.1.assert_status(422);
    site.run(&["user", "add", &name]).assert_code(65);
    site.run(&["user", "disable", &name]).assert_code(65);
    site.run(&["session", "list", "--user", &name]).assert_code(65);
    assert_eq!(gateway.stop(), Some(0));
    for line in gateway.last_lines() {
        let event: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(event.is_object() && event["level"].is_string() && event["timestamp"].is_string(), "{line}");
        assert_ne!(event["message"], "forged", "{line}");
        assert!(!line.contains(|c: char| c.is_ascii_control()), "{line:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ops_02_what_matters_to_security_is_an_event_with_request_and_client() {
    let forum = SampleForum::bind(([127, 0, 0, 1], 0).into()).await.unwrap().spawn();
    let site =
        Site::before(forum.address(), "access.rule = [{ path = \"/install.php\", require = \"deny\" }]");
    let mut gateway = site.serve();
    site.add_member("alice");
    gateway.signed_in("alice", WRONG).await;
    gateway.signed_in("nobody", WRONG).await;
    let (mut alice, _) = gateway.signed_in("alice", PASSWORD).await;
    alice.get("/install.php").await.assert_status(403);
    let page = alice.get("/.passgate/account").await;
    alice.submit(&page, "csrf", &[]).await;
    site.run(&["user", "disable", "alice"]).assert_code(0);
    gateway.signed_in("alice", PASSWORD).await;
    assert_eq!(gateway.stop(), Some(0));

    let lines = gateway.last_lines();
    let events: Vec<Value> = lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let one = |key: &str, value: &str, reason: Option<&str>| {
        let fits =
            |event: &&Value| event[key] == value && reason.is_none_or(|reason| event["reason"] == reason);
        let found: Vec<_> = events.iter().filter(fits).collect();
        assert_eq!(found.len(), 1, "{value} {reason:?} in {}", lines.join("\n"));
        found[0].clone()
    };
    let member = one("event", "signed-in", None)["member"].clone();
    assert!(member.is_string());
    for (value, reason) in [
        ("signed-in", None),
        ("signed-out", None),
        ("sign-in-refused", Some("wrong-password")),
        ("sign-in-refused", Some("unknown-name")),
        ("sign-in-refused", Some("disabled")),
        ("denied", Some("denied")),
    ] {
        let event = one("event", value, reason);
        assert_eq!(event["client"], "127.0.0.1");
        let id = event["request_id"].as_str().unwrap();
        let request = one("id", id, None);
        assert_eq!((&request["message"], &request["client"]), (&"request".into(), &"127.0.0.1".into()));
        let is_known = reason != Some("unknown-name");
        assert_eq!(event["member"], if is_known { member.clone() } else { Value::Null }, "{event}");
    }
    let denied = one("problem", "denied", None);
    assert_eq!((&denied["status"], &denied["path"]), (&403.into(), &"/install.php".into()));
    assert_eq!((&denied["member"], &denied["client"]), (&member, &"127.0.0.1".into()));
    assert!(denied["id"].is_string());
    for command in ["user add", "user disable"] {
        assert_eq!(one("command", command, None)["member"], "alice");
    }
}
