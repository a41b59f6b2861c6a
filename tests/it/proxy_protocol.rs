//! The PROXY protocol before HTTP: believed from our own proxies, and from nobody else (HDR-06, THR-05).

use crate::support::gateway::{Gateway, Settings};
use crate::support::raw::RawClient;
use crate::support::upstream::{Act, Recorder};

const HEADER: &str = "PROXY TCP4 192.0.2.7 10.0.0.1 12345 80\r\n";

async fn gateway(upstream: &Recorder, server: &str) -> Gateway {
    let access = "default = \"guest\"";
    let rest = "[connections]\nmost_per_address = 2";
    Gateway::with(upstream.address(), Settings { server, access, rest, ..Settings::NONE }).await
}

/// What comes back when these bytes, and then a request, are sent; empty if nothing does.
async fn answer(gateway: &Gateway, first: &str, fields: &str) -> String {
    let mut client = RawClient::connect(gateway.address).await;
    let request = format!("GET / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{fields}\r\n", gateway.host());
    client.send(format!("{first}{request}")).await.unwrap();
    String::from_utf8_lossy(&client.rest().await.unwrap_or_default()).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn hdr_06_a_proxy_of_ours_says_who_the_client_is_and_has_to() {
    let upstream = Recorder::always([Act::ok("hello")]).await;
    let settings = "trusted_proxies = [\"127.0.0.1\"]\nproxy_protocol = true";
    let gateway = gateway(&upstream, settings).await;
    assert!(answer(&gateway, HEADER, "X-Forwarded-For: 198.51.100.1\r\n").await.starts_with("HTTP/1.1 200 "));
    // The client is no proxy of ours, so nothing else that it says counts.
    assert_eq!(upstream.only_head().values("x-forwarded-for"), ["192.0.2.7"]);
    assert_eq!(answer(&gateway, "", "").await, "", "without a header");
    assert_eq!(answer(&gateway, "PROXY TCP4 nobody\r\n", "").await, "");
    assert_eq!(upstream.request_heads().len(), 1);
    assert!(answer(&gateway, "PROXY UNKNOWN\r\n", "").await.starts_with("HTTP/1.1 200 "), "for itself");
}

#[tokio::test(flavor = "multi_thread")]
async fn hdr_06_nobody_else_says_who_the_client_is() {
    let upstream = Recorder::always([Act::ok("hello")]).await;
    for settings in ["proxy_protocol = true", "trusted_proxies = [\"127.0.0.1\"]"] {
        let gateway = gateway(&upstream, settings).await;
        let refused = answer(&gateway, HEADER, "").await;
        assert!(refused.is_empty() || refused.starts_with("HTTP/1.1 400 "), "{settings}: {refused}");
    }
    assert_eq!(upstream.request_heads().len(), 0);
    let gateway = gateway(&upstream, "proxy_protocol = true").await;
    assert!(answer(&gateway, "", "").await.starts_with("HTTP/1.1 200 "), "a client without a proxy");
}

#[tokio::test(flavor = "multi_thread")]
async fn rel_04_thr_05_connections_count_for_the_address_that_our_proxy_says() {
    let upstream = Recorder::always([Act::ok("hello")]).await;
    let gateway = gateway(&upstream, "trusted_proxies = [\"127.0.0.1\"]\nproxy_protocol = true").await;
    let kept = format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", gateway.host());
    let mut open = Vec::new();
    for _ in 0..2 {
        let mut client = RawClient::connect(gateway.address).await;
        client.send(HEADER).await.unwrap();
        assert_eq!(client.exchange(&kept).await.unwrap().status(), 200);
        open.push(client);
    }
    assert!(answer(&gateway, HEADER, "").await.starts_with("HTTP/1.1 503 "));
    let other = HEADER.replace("192.0.2.7", "192.0.2.8");
    assert!(answer(&gateway, &other, "").await.starts_with("HTTP/1.1 200 "), "others are served");
    // One that the proxy makes for itself is nobody's.
    assert!(answer(&gateway, "PROXY UNKNOWN\r\n", "").await.starts_with("HTTP/1.1 200 "));
    drop(open);
    let again = async { while !answer(&gateway, HEADER, "").await.starts_with("HTTP/1.1 200 ") {} };
    crate::support::soon("a place that is free again", again).await;
}
