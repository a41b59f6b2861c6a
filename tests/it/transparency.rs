//! Nothing else about the application changes: bodies, ranges, encodings, cookies, upgrades, big transfers.

use crate::support::gateway::{Gateway, Settings};
use crate::support::raw::{RawClient, exchange};
use crate::support::upstream::{Act, Recorder};
use passgate::sample::{RunningForum, SampleForum};

const GUEST: Settings<'_> = Settings { access: "default = \"guest\"", ..Settings::NONE };

async fn forum() -> (RunningForum, Gateway) {
    let forum = SampleForum::bind(([127, 0, 0, 1], 0).into()).await.unwrap().spawn();
    let gateway = Gateway::with(forum.address(), GUEST).await;
    (forum, gateway)
}

fn request(gateway: &Gateway, line: &str, fields: &str, body: &str) -> String {
    format!("{line} HTTP/1.1\r\nHost: {}\r\n{fields}\r\n{body}", gateway.host())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_arrives_as_the_application_sent_it() {
    let answer = "HTTP/1.1 203 Odd Reason\r\nServer: Apache/1.3\r\nX-Odd:  two  blanks \r\nSet-Cookie: a[x]=%7C|; path=/\r\n\
                  Set-Cookie: a[x]=deleted; expires=Thu, 01 Jan 1970 00:00:00 GMT\r\nSet-Cookie: a[x]=2\r\n\
                  Content-Encoding: gzip\r\nContent-Type: text/html; charset=ISO-8859-1\r\nETag: \"x\"\r\n\
                  Content-Length: 4\r\n\r\n\x1f\u{8b}";
    let bytes: Vec<u8> = answer.chars().map(|c| c as u32 as u8).chain([0xff, 0x00]).collect();
    let upstream = Recorder::always([Act::Send(bytes)]).await;
    let gateway = Gateway::with(upstream.address(), GUEST).await;
    let reply =
        exchange(gateway.address, request(&gateway, "GET /", "Accept-Encoding: gzip\r\n", "")).await.unwrap();
    assert_eq!(reply.body.bytes, [0x1f, 0x8b, 0xff, 0x00]);
    assert!(reply.head.start_line().starts_with("HTTP/1.1 203 "), "{}", reply.head.start_line());
    assert_eq!(
        reply.head.values("set-cookie"),
        ["a[x]=%7C|; path=/", "a[x]=deleted; expires=Thu, 01 Jan 1970 00:00:00 GMT", "a[x]=2"]
    );
    for (name, value) in [("server", "Apache/1.3"), ("content-encoding", "gzip"), ("etag", "\"x\"")] {
        assert_eq!(reply.head.values(name), [value]);
    }
    assert_eq!(upstream.only_head().values("accept-encoding"), ["gzip"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn head_range_and_not_modified_work_on_one_kept_connection() {
    let (_forum, gateway) = forum().await;
    let mut client = RawClient::connect(gateway.address).await;
    let head = client.exchange(request(&gateway, "HEAD /images/logo.gif", "", "")).await.unwrap();
    assert_eq!((head.status(), head.body.bytes.len()), (200, 0));
    let length = head.head.value("content-length").unwrap();
    let whole = client.exchange(request(&gateway, "GET /images/logo.gif", "", "")).await.unwrap();
    assert_eq!(whole.body.bytes.len().to_string(), length);
    let chunked = client.exchange(request(&gateway, "GET /bytes?n=200000&chunked=1", "", "")).await.unwrap();
    assert_eq!(chunked.body.bytes.len(), 200_000);
    let page = client.exchange(request(&gateway, "GET /viewtopic.php?t=50", "", "")).await.unwrap();
    assert!(page.body.bytes.len() > 1_900_000, "{}", page.body.bytes.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_of_every_framing_arrive_whole() {
    let (_forum, gateway) = forum().await;
    let length = "Content-Length: 5\r\nContent-Type: text/plain\r\n";
    let reply = exchange(gateway.address, request(&gateway, "POST /echo", length, "12345")).await.unwrap();
    assert_eq!(reply.text(), "12345");
    let chunks = "3\r\nabc\r\n2\r\nde\r\n0\r\nX-Trailer: 1\r\n\r\n";
    let chunked = "Transfer-Encoding: chunked\r\nContent-Type: text/plain\r\n";
    let reply = exchange(gateway.address, request(&gateway, "POST /echo", chunked, chunks)).await.unwrap();
    assert_eq!(reply.text(), "abcde");
}

#[tokio::test(flavor = "multi_thread")]
async fn h1_10_expect_100_continue_gets_its_interim_answer() {
    let (_forum, gateway) = forum().await;
    let mut client = RawClient::connect(gateway.address).await;
    let fields = "Expect: 100-continue\r\nContent-Length: 4\r\n";
    client.send(request(&gateway, "POST /sink", fields, "")).await.unwrap();
    let interim = client.receive("HTTP/1.1 100 ".len()).await.unwrap();
    assert_eq!(interim, b"HTTP/1.1 100 ");
    client.send("body").await.unwrap();
    let rest = client.receive(32).await.unwrap();
    assert!(String::from_utf8_lossy(&rest).contains("\r\n\r\nHTTP/1.1 200"), "{rest:?}");
}

/// SECURITY: WS-02.
#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_is_carried_both_ways_and_other_upgrades_are_not() {
    let (_forum, gateway) = forum().await;
    let mut client = RawClient::connect(gateway.address).await;
    let handshake = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let reply = client.exchange(request(&gateway, "GET /ws", handshake, "")).await.unwrap();
    assert_eq!(reply.status(), 101);
    assert_eq!(reply.head.value("sec-websocket-accept").unwrap(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    client.send(b"\x81\x85\x00\x00\x00\x00hello").await.unwrap();
    assert_eq!(client.receive(11).await.unwrap(), b"\x81\x85\x00\x00\x00\x00hello");

    let upstream = Recorder::always([Act::ok("")]).await;
    let gateway = Gateway::with(upstream.address(), GUEST).await;
    for upgrade in ["h2c", "foo, websocket", "TLS/1.0"] {
        let fields = format!(
            "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: {upgrade}\r\nHTTP2-Settings: AAMAAABk\r\n"
        );
        exchange(gateway.address, request(&gateway, "GET /", &fields, "")).await.unwrap();
    }
    for head in upstream.request_heads() {
        assert_eq!((head.value("upgrade"), head.value("http2-settings")), (None, None));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn host_is_the_clients_unless_configured_otherwise() {
    for (setting, expected) in
        [("", None), ("host_header = \"upstream\"", Some(true)), ("host_header = \"old.forum\"", Some(false))]
    {
        let upstream = Recorder::always([Act::ok("")]).await;
        let gateway = Gateway::with(upstream.address(), Settings { upstream: setting, ..GUEST }).await;
        exchange(gateway.address, request(&gateway, "GET /", "", "")).await.unwrap();
        let expected = match expected {
            None => gateway.host(),
            Some(true) => upstream.address().to_string(),
            Some(false) => "old.forum".to_owned(),
        };
        assert_eq!(upstream.only_head().values("host"), [expected], "{setting}");
    }
}

/// The peak of this process's memory would count other tests; so the streams are long and the buffers are asked for.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_upload_and_download_pass_through() {
    let (_forum, gateway) = forum().await;
    let megabyte = "x".repeat(1 << 20);
    let body = megabyte.repeat(64);
    let fields = format!("Content-Length: {}\r\n", body.len());
    let reply = exchange(gateway.address, request(&gateway, "POST /sink", &fields, &body)).await.unwrap();
    assert!(reply.text().contains(&body.len().to_string()), "{}", reply.text());
    let reply = exchange(gateway.address, request(&gateway, "GET /bytes?n=67108864", "", "")).await.unwrap();
    assert_eq!(reply.body.bytes.len(), 64 << 20);
}
