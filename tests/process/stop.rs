//! Stopping: what is in flight is finished, nothing new is begun.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::site::Site;
use crate::support::LIMIT;
use crate::support::raw::RawClient;
use crate::support::upstream::{Act, Recorder};

#[tokio::test(flavor = "multi_thread")]
async fn rel_10_sigterm_lets_a_request_in_flight_finish_and_takes_no_new_one() {
    for signal in ["TERM", "INT"] {
        let gate = Arc::new(Notify::new());
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na".to_vec();
        let acts = [Act::Send(head), Act::Await(Arc::clone(&gate)), Act::Send(b"b".to_vec())];
        let upstream = Recorder::always(acts).await;
        let site = Site::before(upstream.address(), "access.default = \"guest\"");
        let mut gateway = site.serve();
        let mut idle = RawClient::connect(gateway.address).await;
        let page = idle.exchange("GET /.passgate/login HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        assert_eq!(page.status(), 200);
        let mut client = RawClient::connect(gateway.address).await;
        client.send("GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
        upstream.wait_until("the request", |records| !records.requests.is_empty()).await;
        gateway.signal(signal);
        gateway.event("of stopping", |event| {
            event["message"].as_str().is_some_and(|m| m.starts_with("stopping"))
        });
        assert_refused(gateway.address).await;
        assert_eq!(
            idle.rest().await.unwrap(),
            b"",
            "a connection that waits for a request is closed at once"
        );
        gate.notify_one();
        let reply = client.reply_to("GET").await.unwrap();
        assert_eq!((reply.status(), reply.text().as_str()), (200, "ab"));
        assert_eq!(gateway.ended(), Some(0));
        let stopped = gateway.event("of the end", |event| event["message"] == "stopped");
        assert_eq!(stopped["connections_cut"], 0, "{}", gateway.lines().join("\n"));
    }
}

/// The port is given back right after the announcement; until then a connection may still be made.
async fn assert_refused(address: std::net::SocketAddr) {
    let started = Instant::now();
    while TcpStream::connect(address).await.is_ok() {
        assert!(started.elapsed() < LIMIT, "new connections are still taken");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_longer_than_the_drain_timeout_is_cut_off() {
    let upstream = Recorder::always([Act::Silence]).await;
    let site =
        Site::before(upstream.address(), "access.default = \"guest\"\nserver.drain_timeout = \"100ms\"");
    let mut gateway = site.serve();
    let mut client = RawClient::connect(gateway.address).await;
    client.send("GET /silence HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    upstream.wait_until("the request", |records| !records.requests.is_empty()).await;
    assert_eq!(gateway.stop(), Some(0));
    let stopped = gateway.event("of the end", |event| event["message"] == "stopped");
    assert_eq!(stopped["connections_cut"], 1);
}
