//! How long HTTP/2 waits for a client: as long as HTTP/1 does, by the same settings.

use crate::support::http2::kind::{HEADERS, RST_STREAM};
use crate::support::http2::{block, flag, frame};
use crate::support::secure::{Secure, Wanted};
use crate::support::upstream::{Act, Recorder};

async fn site(limits: &str) -> (Recorder, Secure) {
    let upstream = Recorder::always([Act::ok("fine")]).await;
    let limits = format!("[connections]\n{limits}\n");
    let site = Secure::before(upstream.address(), Wanted { certificate: &limits, ..Wanted::DEFAULT }).await;
    (upstream, site)
}

fn head(method: &str, flags: u8) -> Vec<u8> {
    let fields = [(":method", method), (":scheme", "https"), (":path", "/"), (":authority", "localhost")];
    frame(HEADERS, flag::END_HEADERS | flags, 1, &block(&fields))
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
