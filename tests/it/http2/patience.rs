//! How long HTTP/2 waits for a client: as long as HTTP/1 does, by the same settings.

use std::time::{Duration, Instant};

use tokio::time::timeout;

use crate::support::http2::kind::{DATA, HEADERS, RST_STREAM};
use crate::support::http2::{Frames, block, flag, frame};
use crate::support::secure::{Secure, Wanted};
use crate::support::upstream::{Act, Recorder};

async fn site(limits: &str) -> (Recorder, Secure) {
    let upstream = Recorder::always([Act::ok("fine")]).await;
    let limits = format!("[connections]\n{limits}\n");
    let site = Secure::before(upstream.address(), Wanted { certificate: &limits, ..Wanted::DEFAULT }).await;
    (upstream, site)
}

fn head(method: &str, flags: u8) -> Vec<u8> {
    head_on(1, method, flags)
}

fn head_on(stream: u32, method: &str, flags: u8) -> Vec<u8> {
    let fields = [(":method", method), (":scheme", "https"), (":path", "/"), (":authority", "localhost")];
    frame(HEADERS, flag::END_HEADERS | flags, stream, &block(&fields))
}

#[tokio::test(flavor = "multi_thread")]
async fn h2_07_a_connection_without_a_request_ends_after_the_idle_time() {
    let (_upstream, site) = site("idle_timeout = \"300ms\"").await;
    for asks in [false, true] {
        let mut client = site.frames().await;
        client.begin().await;
        if asks {
            client.send(&head("GET", flag::END_STREAM)).await;
        }
        // Each wait is shorter than the default would be.
        while client.next().await.is_some() {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn h2_07_a_body_that_does_not_come_on_ends_its_request() {
    let (_upstream, site) = site("stall_timeout = \"300ms\"").await;
    let mut client = site.frames().await;
    client.begin().await;
    client.send(&head("POST", flag::NONE)).await;
    loop {
        let (kind, _, stream, _) = client.next().await.expect("the connection goes on");
        if kind == RST_STREAM {
            assert_eq!(stream, 1);
            break;
        }
    }
}

/// The streams that have ended, of which each brings `bytes` in each of many short whiles, until `is_over`.
async fn drip(client: &mut Frames, bytes: &[(u32, usize)], is_over: impl Fn(&[u32]) -> bool) -> Vec<u32> {
    let mut ended = Vec::new();
    let dripping = async {
        while !is_over(&ended) {
            for (stream, bytes) in bytes.iter().filter(|(stream, _)| !ended.contains(stream)) {
                client.send(&frame(DATA, flag::NONE, *stream, &vec![b'x'; *bytes])).await;
            }
            // How long a while is matters little: the least rate is far from what comes.
            while let Ok(next) = timeout(Duration::from_millis(20), client.next()).await {
                let (kind, _, stream, _) = next.expect("the connection goes on");
                if kind == RST_STREAM {
                    ended.push(stream);
                }
            }
        }
    };
    crate::support::soon("the end of what is too slow", dripping).await;
    ended
}

const SLOW: &str = "rate_grace = \"300ms\"\nleast_rate = 100000";
const HONEST: &str = "rate_grace = \"300ms\"\nleast_rate = 10";

#[tokio::test(flavor = "multi_thread")]
async fn h2_07_rel_03_a_body_that_drips_ends_its_request_and_no_other() {
    let (upstream, site) = site(SLOW).await;
    let mut client = site.frames().await;
    client.begin().await;
    client.send(&head("POST", flag::NONE)).await;
    assert_eq!(drip(&mut client, &[(1, 1)], |ended| !ended.is_empty()).await, [1]);
    client.send(&head_on(3, "GET", flag::END_STREAM)).await;
    while client.next().await.expect("the connection goes on").0 != HEADERS {}
    let heads: Vec<_> = upstream.request_heads().iter().map(|head| head.start_line()).collect();
    assert_eq!(heads, ["GET / HTTP/1.1"], "of the other no more than a part came");
}

#[tokio::test(flavor = "multi_thread")]
async fn h2_07_rel_03_a_slow_body_and_one_that_waits_for_it_pass() {
    let (upstream, site) = site(HONEST).await;
    let mut client = site.frames().await;
    client.begin().await;
    client.send(&[head_on(1, "POST", flag::NONE), head_on(3, "POST", flag::NONE)].concat()).await;
    let start = Instant::now();
    let is_long_over = |_: &[u32]| start.elapsed() > Duration::from_secs(2);
    assert!(drip(&mut client, &[(1, 40)], is_long_over).await.is_empty());
    for stream in [1, 3] {
        client.send(&frame(DATA, flag::END_STREAM, stream, b"end")).await;
    }
    upstream.wait_until("both requests", |records| records.requests.len() == 2).await;
}
