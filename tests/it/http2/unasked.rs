//! What the HTTP/2 library, or the engine, answers before the gateway sees a request: it is noted, and says of TLS what all
//! answers say.

use bytes::Bytes;
use http::{HeaderMap, Request};

use super::{Secure, Wanted, request, status};
use crate::support::http2::kind::HEADERS;
use crate::support::http2::{Http2, Verdict, block, flag, frame};
use crate::support::upstream::{Act, Recorder};
use crate::upstreams::admin;

const PROTOCOL_ERROR: u32 = 1;

async fn site() -> (Recorder, Secure) {
    let upstream = Recorder::always([Act::ok("fine")]).await;
    let site = Secure::before(upstream.address(), Wanted::DEFAULT).await;
    (upstream, site)
}

/// The number behind a line of the metrics.
async fn count(site: &Secure, line: &str) -> u32 {
    let metrics = admin(&site.gateway, "/metrics").await.1;
    let found = metrics.lines().find_map(|known| known.strip_prefix(line)).expect("such a line");
    found.trim().parse().unwrap()
}

async fn refused(site: &Secure, reason: &str) -> u32 {
    count(site, &format!("passgate_refused_total{{reason=\"{reason}\"}}")).await
}

fn hsts(headers: &HeaderMap) -> Vec<&[u8]> {
    headers.get_all("strict-transport-security").iter().map(|value| value.as_bytes()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn web_05_h2_01_answers_to_what_is_no_request_say_hsts_and_are_noted_once() {
    let (upstream, site) = site().await;
    let client = site.http2("localhost").await;
    let long = "v".repeat(33 * 1024);
    let ours = said_with_a_page(&client, &site).await;
    for _ in 0..3 {
        for (name, value, expected, reason) in
            [("host", "other.example", 400, "malformed"), ("x-long", &*long, 431, "head-too-large")]
        {
            let [malformed, too_large] =
                [refused(&site, "malformed").await, refused(&site, "head-too-large").await];
            let asked = request(&site, "GET", "/bad").header(name, value).body(()).unwrap();
            let (answer, _) = client.send(asked, Bytes::new(), None).await.unwrap();
            assert_eq!(answer.status(), expected);
            assert_eq!(hsts(answer.headers()), [&ours[..]], "{name}");
            let more = |word| u32::from(reason == word);
            assert_eq!(refused(&site, "malformed").await, malformed + more("malformed"));
            assert_eq!(refused(&site, "head-too-large").await, too_large + more("head-too-large"));
            // Both sides still mean the same by what is indexed.
            assert_eq!(said_with_a_page(&client, &site).await, ours);
        }
    }
    assert!(upstream.request_heads().iter().all(|head| !head.start_line().contains("/bad")));
}

/// What is said of TLS with a page of the application's.
async fn said_with_a_page(client: &Http2, site: &Secure) -> Vec<u8> {
    let asked = request(site, "GET", "/").body(()).unwrap();
    let (answer, _) = client.send(asked, Bytes::new(), None).await.unwrap();
    assert_eq!(answer.body(), "fine");
    let said = hsts(answer.headers());
    assert_eq!(said.len(), 1);
    said[0].to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn h2_01_a_request_whose_stream_is_reset_for_its_form_is_noted() {
    let (_upstream, site) = site().await;
    let mut client = site.frames().await;
    client.begin().await;
    for (stream, name, value) in [(1, "connection", "close"), (3, "content-length", "+0"), (5, "te", "gzip")]
    {
        let fields = [
            (":method", "GET"),
            (":scheme", "https"),
            (":path", "/"),
            (":authority", "localhost"),
            (name, value),
        ];
        client.send(&frame(HEADERS, flag::END_HEADERS | flag::END_STREAM, stream, &block(&fields))).await;
        assert_eq!(client.verdict().await, Verdict::Stream(PROTOCOL_ERROR), "{name}");
    }
    assert_eq!(refused(&site, "malformed").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn h2_11_a_tunnel_is_refused_by_the_gateway_itself() {
    let (upstream, site) = site().await;
    let client = site.http2("localhost").await;
    let failed = "passgate_requests_total{outcome=\"failed\"}";
    let before = count(&site, failed).await;
    let connect = Request::connect("localhost:443").body(()).unwrap();
    let (answer, _) = client.send(connect, Bytes::new(), None).await.unwrap();
    assert_eq!((answer.status().as_u16(), hsts(answer.headers()).len()), (405, 1));
    assert_eq!(count(&site, failed).await, before + 1);
    assert_eq!(status(&client, request(&site, "GET", "/").body(()).unwrap()).await, 200);
    assert_eq!(upstream.request_heads().len(), 1);
}
