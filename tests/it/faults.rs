//! What visitors get when the application misbehaves, and that nothing is ever sent twice (REL-06, REL-07, OPS-04); and that a fault of ours stays
//! with the request that met it (REL-12).

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;

use passgate::app::{Running, Services, Sockets};
use passgate::domain::{Clock, ManualClock, Timestamp};

use crate::support::gateway::{Gateway, START, Settings, read};
use crate::support::raw::{RawClient, exchange};
use crate::support::upstream::{Act, Recorder};

const GUEST: Settings<'_> = Settings {
    upstream: "connect_timeout = \"500ms\"\nread_timeout = \"1s\"",
    access: "default = \"guest\"",
    ..Settings::NONE
};

fn get(gateway: &Gateway, fields: &str) -> String {
    format!("GET /x?secret=1 HTTP/1.1\r\nHost: {}\r\nAccept: text/html\r\n{fields}\r\n", gateway.host())
}

#[tokio::test(flavor = "multi_thread")]
async fn rel_06_each_fault_has_its_page_with_a_reference_and_without_internals() {
    let garbage = || Act::Send(b"\x16\x03\x01 this is no HTTP\r\n\r\n".to_vec());
    for (acts, status) in [
        (vec![Act::Close], 502),
        (vec![Act::Reset], 502),
        (vec![garbage(), Act::Close], 502),
        (vec![Act::Silence], 504),
    ] {
        let upstream = Recorder::always(acts.clone()).await;
        let gateway = Gateway::with(upstream.address(), GUEST).await;
        let reply = exchange(gateway.address, get(&gateway, "")).await.unwrap();
        assert_eq!(reply.status(), status, "{acts:?}");
        let text = format!("{}{}", reply.head.text(), reply.text());
        let port = upstream.address().port().to_string();
        for internal in [port.as_str(), "pingora", "secret", "127.0.0.1"] {
            assert!(!text.to_lowercase().contains(internal), "{internal}: {text}");
        }
        assert!(reply.text().contains("class=\"reference\"") || reply.text().contains("Reference"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_application_is_502_for_pages_and_json_for_scripts_while_sign_in_still_works() {
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let gateway = Gateway::with(nobody, GUEST).await;
    let page = exchange(gateway.address, get(&gateway, "")).await.unwrap();
    assert_eq!(page.status(), 502);
    assert!(page.head.value("content-type").unwrap().starts_with("text/html"));
    let script =
        exchange(gateway.address, get(&gateway, "X-Requested-With: XMLHttpRequest\r\n")).await.unwrap();
    assert_eq!(script.status(), 502);
    let json: serde_json::Value = serde_json::from_str(&script.text()).unwrap();
    assert_eq!(json["code"], "site-unreachable");
    let login = format!("GET /.passgate/login HTTP/1.1\r\nHost: {}\r\n\r\n", gateway.host());
    assert_eq!(exchange(gateway.address, login).await.unwrap().status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn rel_07_a_post_is_sent_once_and_never_on_a_used_connection() {
    // The application closes each connection after its first answer without saying so, as old servers do.
    let upstream = Recorder::on_request(|heard| match heard.number {
        0 => vec![Act::ok("first")],
        _ => vec![Act::Close],
    })
    .await;
    let gateway = Gateway::with(upstream.address(), GUEST).await;
    let mut client = RawClient::connect(gateway.address).await;
    for method in ["POST", "PUT", "DELETE", "PATCH"] {
        let post =
            format!("{method} /post HTTP/1.1\r\nHost: {}\r\nContent-Length: 4\r\n\r\nbody", gateway.host());
        for _ in 0..3 {
            let reply = client.exchange(get(&gateway, "")).await.unwrap();
            assert_eq!(reply.status(), 200, "a request that changes nothing is tried again");
            let reply = client.exchange(&post).await.unwrap();
            assert_eq!(reply.status(), 200, "a {method} gets a fresh connection");
        }
        let is_meant = |head: &&crate::support::wire::Head| head.start_line().starts_with(method);
        assert_eq!(upstream.request_heads().iter().filter(is_meant).count(), 3, "{method}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rel_07_a_post_put_or_delete_that_fails_is_not_repeated() {
    for method in ["POST", "PUT", "DELETE", "PATCH"] {
        for act in [Act::Close, Act::Reset] {
            let upstream = Recorder::always([act.clone()]).await;
            let gateway = Gateway::with(upstream.address(), GUEST).await;
            for body in ["Content-Length: 4\r\n\r\nbody", "Content-Length: 0\r\n\r\n", "\r\n"] {
                let before = upstream.request_heads().len();
                let request = format!("{method} /post HTTP/1.1\r\nHost: {}\r\n{body}", gateway.host());
                assert_eq!(exchange(gateway.address, request).await.unwrap().status(), 502);
                assert_eq!(upstream.request_heads().len(), before + 1, "{method} {act:?} {body:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn h1_11_the_body_of_a_refused_request_is_never_taken_for_a_request() {
    let upstream = Recorder::always([Act::ok("")]).await;
    let gateway =
        Gateway::with(upstream.address(), Settings { access: "default = \"login\"", ..GUEST }).await;
    let smuggled = format!("GET /smuggled HTTP/1.1\r\nHost: {}\r\n\r\n", gateway.host());
    let refused = format!(
        "POST /x HTTP/1.1\r\nHost: {}\r\nAccept: text/html\r\nContent-Length: {}\r\n\r\n{smuggled}",
        gateway.host(),
        smuggled.len()
    );
    let mut client = RawClient::connect(gateway.address).await;
    let reply = client.exchange(refused).await.unwrap();
    assert_eq!(reply.status(), 302);
    let rest = client.rest().await.unwrap_or_default();
    assert!(rest.is_empty(), "{}", String::from_utf8_lossy(&rest));
    assert!(upstream.request_heads().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn rel_06_an_application_that_goes_after_its_interim_answer_is_a_502_too() {
    for interim in ["HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 Early Hints\r\n\r\n"] {
        let upstream = Recorder::on_head(|_| vec![Act::Send(interim.into()), Act::Close]).await;
        let gateway = Gateway::with(upstream.address(), GUEST).await;
        let reply = exchange(gateway.address, get(&gateway, "Expect: 100-continue\r\n")).await.unwrap();
        assert_eq!(reply.status(), 502, "{interim}");
    }
}

/// A clock that can be broken: whoever reads it then panics, as every request does on its way.
struct Brittle {
    clock: ManualClock,
    is_broken: AtomicBool,
}

impl Clock for Brittle {
    fn now(&self) -> Timestamp {
        assert!(!self.is_broken.load(SeqCst), "broken for a test");
        self.clock.now()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rel_12_a_panic_costs_its_own_request_opens_nothing_and_leaves_the_gateway_running() {
    let upstream = Recorder::always([Act::ok("fine")]).await;
    let listener = passgate::server::bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address = listener.local_addr().unwrap();
    let text = format!(
        "[server]\nlisten = \"{address}\"\npublic_url = \"http://localhost\"\nadmin_listen = \"\"\n\
         [upstream]\nurl = \"http://{}\"\n[store]\nbackend = \"memory\"\n[access]\ndefault = \"guest\"",
        upstream.address()
    );
    let brittle = Arc::new(Brittle { clock: ManualClock::at(START), is_broken: AtomicBool::new(false) });
    let services = Services::open(&read(&text), Arc::clone(&brittle) as Arc<dyn Clock>).unwrap();
    let sockets = Sockets { public: vec![listener], tls: Vec::new(), admin: None };
    let _running = Running::start(&read(&text), services, sockets).await.unwrap();
    let asked = |line: &str| format!("{line} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
    let mut open = RawClient::connect(address).await;
    assert_eq!(open.exchange(asked("GET /")).await.unwrap().status(), 200);
    for line in ["GET /", "POST /", "GET /.passgate/login"] {
        brittle.is_broken.store(true, SeqCst);
        for _ in 0..20 {
            let reply = exchange(address, asked(line)).await;
            assert!(reply.is_err(), "{line}: {reply:?}");
        }
        brittle.is_broken.store(false, SeqCst);
        assert_eq!(exchange(address, asked(line)).await.unwrap().status(), 200, "{line}");
    }
    assert_eq!(open.exchange(asked("GET /")).await.unwrap().status(), 200, "another connection goes on");
    assert_eq!(upstream.request_heads().len(), 4, "nothing of what panicked went on");
}
