//! Floods: a client that makes the gateway work without asking for anything is sent away, and others are served meanwhile.

use bytes::Bytes;

use super::{request, status};
use crate::support::http2::Verdict::{self, Connection};
use crate::support::http2::kind::{
    CONTINUATION, DATA, HEADERS, PING, PRIORITY, RST_STREAM, SETTINGS, WINDOW_UPDATE,
};
use crate::support::http2::{block, flag, frame};
use crate::support::secure::{Secure, Wanted};
use crate::support::upstream::{Act, Recorder};

const ENHANCE_YOUR_CALM: u32 = 11;

fn get(stream: u32, flags: u8, path: &str) -> Vec<u8> {
    let fields = [(":method", "GET"), (":scheme", "https"), (":path", path), (":authority", "localhost")];
    frame(HEADERS, flags, stream, &block(&fields))
}

/// Sends `bytes` for each number until the connection ends, or all of them.
async fn flood(site: &Secure, count: u32, bytes: impl Fn(u32) -> Vec<u8>) -> Verdict {
    let mut client = site.frames().await;
    client.begin().await;
    for start in (0..count).step_by(100) {
        let some: Vec<u8> = (start..start + 100).flat_map(&bytes).collect();
        if !client.send(&some).await {
            break;
        }
    }
    client.verdict().await
}

async fn site() -> (Recorder, Secure) {
    let upstream = Recorder::always([Act::ok("fine")]).await;
    let site = Secure::before(upstream.address(), Wanted::DEFAULT).await;
    (upstream, site)
}

#[tokio::test(flavor = "multi_thread")]
async fn h2_02_streams_that_are_opened_and_given_up_by_the_thousand_end_the_connection() {
    let (upstream, site) = site().await;
    let reset = |number: u32| {
        let stream = 2 * number + 1;
        [
            get(stream, flag::END_HEADERS | flag::END_STREAM, "/"),
            frame(RST_STREAM, flag::NONE, stream, &[0, 0, 0, 8]),
        ]
        .concat()
    };
    let verdict = flood(&site, 10_000, reset).await;
    assert!(matches!(verdict, Connection(None | Some(ENHANCE_YOUR_CALM))), "{verdict:?}");
    let reached = upstream.request_heads().len();
    assert!(reached <= 1_000, "{reached} of 10 000 reached the application");
    let client = site.http2("localhost").await;
    assert_eq!(status(&client, request(&site, "GET", "/").body(()).unwrap()).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn h2_03_streams_that_the_gateway_is_made_to_reset_end_the_connection() {
    let (_upstream, site) = site().await;
    let spoilt = |number: u32| {
        let stream = 2 * number + 1;
        [get(stream, flag::END_HEADERS, "/"), frame(WINDOW_UPDATE, flag::NONE, stream, &[0; 4])].concat()
    };
    let verdict = flood(&site, 10_000, spoilt).await;
    assert!(matches!(verdict, Connection(_)), "{verdict:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn h2_04_blocks_without_an_end_are_ended() {
    let (upstream, site) = site().await;
    let endless = |content: &'static [u8]| {
        move |number: u32| match number {
            0 => get(1, flag::NONE, "/"),
            _ => frame(CONTINUATION, flag::NONE, 1, content),
        }
    };
    let field: &'static [u8] = Bytes::from(block(&[("x-a", "0123456789")])).to_vec().leak();
    for content in [&b""[..], field] {
        let verdict = flood(&site, 100_000, endless(content)).await;
        assert!(matches!(verdict, Connection(Some(_))), "{verdict:?}");
    }
    assert!(upstream.connections().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn h2_04_empty_data_without_an_end_is_ended() {
    let (_upstream, site) = site().await;
    let empty = |number: u32| match number {
        0 => get(1, flag::END_HEADERS, "/"),
        _ => frame(DATA, flag::NONE, 1, &[]),
    };
    let verdict = flood(&site, 100_000, empty).await;
    assert!(matches!(verdict, Connection(Some(_))), "{verdict:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn h2_04_pings_settings_and_priorities_by_the_thousand_end_the_connection() {
    let (_upstream, site) = site().await;
    for (what, bytes) in [
        ("PING", frame(PING, flag::NONE, 0, &[0; 8])),
        ("SETTINGS", frame(SETTINGS, flag::NONE, 0, &[])),
        ("PRIORITY", frame(PRIORITY, flag::NONE, 3, &[0, 0, 0, 0, 1])),
    ] {
        let verdict = flood(&site, 100_000, |_| bytes.clone()).await;
        assert_eq!(verdict, Connection(Some(ENHANCE_YOUR_CALM)), "{what}");
    }
}
