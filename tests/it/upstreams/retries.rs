//! What is tried again and what never is (REL-06, REL-07): each rule before servers that record what they get.

use std::net::SocketAddr;

use super::{admin, application, gateway, get, request, urls};
use crate::support::raw::exchange;
use crate::support::upstream::{Act, Recorder};

const METHODS: [&str; 4] = ["POST", "PUT", "DELETE", "PATCH"];

/// An address where nobody listens.
async fn nobody() -> SocketAddr {
    tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

fn with_nobody(nobody: SocketAddr, server: &Recorder) -> String {
    format!("url = [\"http://{nobody}\", \"http://{}\"]", server.address())
}

#[tokio::test(flavor = "multi_thread")]
async fn rel_06_a_server_that_is_not_there_costs_no_request_whatever_its_method() {
    let server = application("there").await;
    for method in METHODS.iter().chain(&["GET", "HEAD", "OPTIONS"]) {
        let gateway = gateway(&with_nobody(nobody().await, &server), "").await;
        for number in 0..6 {
            let before = server.request_heads().len();
            let asked = request(&format!("{method} /"), &gateway.host(), "Content-Length: 0\r\n");
            let reply = exchange(gateway.address, asked).await.unwrap();
            assert_eq!(reply.status(), 200, "{method} {number}");
            assert_eq!(server.request_heads().len(), before + 1, "{method} {number}");
        }
        let metrics = admin(&gateway, "/metrics").await.1;
        let tried = "passgate_tried_again_total{reason=\"not-connected\"} ";
        assert!(metrics.contains(tried) && !metrics.contains(&format!("{tried}0\n")), "{metrics}");
        assert_eq!(metrics.matches("passgate_upstream_up{").count(), 2);
        assert_eq!(
            metrics
                .lines()
                .filter(|line| line.starts_with("passgate_upstream_up") && line.ends_with(" 0"))
                .count(),
            1
        );
        let (status, words) = admin(&gateway, "/ready").await;
        assert!(status == 200 && words.starts_with("ready, but http://127.0.0.1:"), "{words}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rel_07_what_was_sent_to_one_server_is_never_sent_to_another_if_it_may_change_something() {
    for act in [Act::Close, Act::Reset] {
        let servers = [Recorder::always([act.clone()]).await, Recorder::always([act.clone()]).await];
        let gateway = gateway(&urls(&servers.each_ref()), "").await;
        for method in METHODS {
            for body in ["Content-Length: 4\r\n\r\nbody", "Content-Length: 0\r\n\r\n", "\r\n"] {
                let count = || servers.iter().map(|server| server.request_heads().len()).sum::<usize>();
                let before = count();
                let asked = format!("{method} /x HTTP/1.1\r\nHost: {}\r\n{body}", gateway.host());
                assert_eq!(exchange(gateway.address, asked).await.unwrap().status(), 502);
                assert_eq!(count(), before + 1, "{method} {act:?} {body:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rel_07_a_page_whose_server_breaks_off_before_its_answer_comes_from_another_one() {
    for act in [Act::Close, Act::Reset] {
        let breaks = Recorder::always([act.clone()]).await;
        let works = application("works").await;
        let gateway = gateway(&urls(&[&breaks, &works]), "").await;
        for _ in 0..4 {
            assert_eq!(get(&gateway, "/").await, "works", "{act:?}");
        }
        let heads = [breaks.request_heads().len(), works.request_heads().len()];
        assert_eq!(heads, [2, 4], "{act:?}: it goes on to get its turns, a page at most two");
        let metrics = admin(&gateway, "/metrics").await.1;
        assert!(metrics.contains("passgate_tried_again_total{reason=\"not-answered\"} 2\n"), "{metrics}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rel_07_a_page_is_sent_twice_at_most_and_not_on_the_same_server() {
    let servers = [(); 3].map(|()| Recorder::always([Act::Close]));
    let [a, b, c] = servers;
    let servers = [a.await, b.await, c.await];
    let gateway = gateway(&urls(&servers.each_ref()), "").await;
    let asked = request("GET /", &gateway.host(), "");
    assert_eq!(exchange(gateway.address, asked).await.unwrap().status(), 502);
    let mut counts = servers.each_ref().map(|server| server.request_heads().len());
    counts.sort_unstable();
    assert_eq!(counts, [0, 1, 1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rel_07_nothing_is_sent_again_once_a_byte_of_an_answer_has_come_or_time_has_run_out() {
    let part = |text: &str| vec![Act::Send(text.into()), Act::Close];
    for acts in [
        part("H"),
        part("HTTP/1.1 200 OK\r\nContent-Le"),
        part("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart"),
        part("HTTP/1.1 103 Early Hints\r\n\r\n"),
        part("no HTTP at all\r\n\r\n"),
        vec![Act::Silence],
    ] {
        let servers = [Recorder::always(acts.clone()).await, Recorder::always(acts.clone()).await];
        let lines = format!("{}\nread_timeout = \"300ms\"", urls(&servers.each_ref()));
        let gateway = gateway(&lines, "").await;
        // An answer that was begun may end in the middle.
        let _ = exchange(gateway.address, request("GET /", &gateway.host(), "")).await;
        let count: usize = servers.iter().map(|server| server.request_heads().len()).sum();
        assert_eq!(count, 1, "{acts:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rel_07_a_page_with_a_body_and_a_handshake_are_not_sent_again() {
    let handshake = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    for rest in ["Content-Length: 4\r\n\r\nbody", handshake] {
        let servers = [Recorder::always([Act::Close]).await, Recorder::always([Act::Close]).await];
        let gateway = gateway(&urls(&servers.each_ref()), "").await;
        let asked = format!("GET / HTTP/1.1\r\nHost: {}\r\n{rest}", gateway.host());
        assert_eq!(exchange(gateway.address, asked).await.unwrap().status(), 502);
        let count: usize = servers.iter().map(|server| server.request_heads().len()).sum();
        assert_eq!(count, 1, "{rest}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rel_06_servers_that_all_break_off_get_a_tenth_more_requests_and_not_twice_as_many() {
    let servers = [Recorder::always([Act::Close]).await, Recorder::always([Act::Close]).await];
    let gateway = gateway(&urls(&servers.each_ref()), "").await;
    for _ in 0..100 {
        let asked = request("GET /", &gateway.host(), "");
        assert_eq!(exchange(gateway.address, asked).await.unwrap().status(), 502);
    }
    let count: usize = servers.iter().map(|server| server.request_heads().len()).sum();
    assert!((110..=125).contains(&count), "{count} for 100 pages");
}

#[tokio::test(flavor = "multi_thread")]
async fn rel_06_when_all_servers_are_away_visitors_are_told_in_kind_words_when_to_come_back() {
    let lines = format!("url = [\"http://{}\", \"http://{}\"]", nobody().await, nobody().await);
    let gateway = gateway(&lines, "").await;
    for fields in ["", "X-Requested-With: XMLHttpRequest\r\n"] {
        let asked = request("GET /", &gateway.host(), fields);
        let reply = exchange(gateway.address, asked).await.unwrap();
        assert_eq!((reply.status(), reply.head.value("retry-after").as_deref()), (502, Some("5")));
        assert!(reply.text().contains("We can"), "{}", reply.text());
    }
    assert_eq!(admin(&gateway, "/ready").await.0, 503);
    let login =
        exchange(gateway.address, request("GET /.passgate/login", &gateway.host(), "")).await.unwrap();
    assert_eq!(login.status(), 200);
}
