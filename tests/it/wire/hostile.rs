//! The table of what applications send, and that nobody gets what was meant for another.

use super::{GUEST, answer_to, statuses};
use crate::support::gateway::Gateway;
use crate::support::raw::{RawClient, exchange};
use crate::support::upstream::{Act, Recorder};

fn send(text: &str) -> Act {
    Act::Send(text.as_bytes().to_vec())
}

fn get(gateway: &Gateway, target: &str) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", gateway.host()).into_bytes()
}

/// What an application answers, the status the client gets, whether the connection may be used again.
#[rustfmt::skip]
fn table() -> Vec<(&'static str, String, &'static [u16], bool)> {
    let plain = [
        ("a plain answer", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", &[200_u16][..], true),
        ("no HTTP", "hello\r\n\r\n", &[502], false),
        ("another version", "HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nok", &[502], false),
        ("NUL", "HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 2\r\n\r\nok", &[502], false),
        ("two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok", &[502], false),
        ("a signed length", "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok", &[502], false),
        ("another coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", &[502], false),
        ("chunked twice", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", &[502], false),
        ("chunked not last", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", &[502], false),
        ("chunks in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", &[502], false),
        ("an upgrade nobody asked for", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", &[502], false),
        ("two answers", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhidden", &[200], false),
        ("more than its length", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokhidden", &[200], false),
        ("a body where none belongs", "HTTP/1.1 204 No Content\r\nContent-Length: 6\r\n\r\nhidden", &[204], false),
        ("one where nothing changed", "HTTP/1.1 304 Not Modified\r\nContent-Length: 6\r\n\r\nhidden", &[304], false),
    ];
    let mut table: Vec<_> = plain.into_iter().map(|(name, text, expected, reused)| (name, text.to_owned(), expected, reused)).collect();
    table.extend([
        ("a megabyte of field", format!("HTTP/1.1 200 OK\r\nX: {}\r\nContent-Length: 2\r\n\r\nok", "x".repeat(2 << 20)), &[502_u16][..], false),
        ("100 000 fields", format!("HTTP/1.1 200 OK\r\n{}Content-Length: 2\r\n\r\nok", "X: 1\r\n".repeat(100_000)), &[502], false),
    ]);
    table
}

#[tokio::test(flavor = "multi_thread")]
async fn h1_14_broken_answers_are_502_or_cut_where_they_end_and_their_connections_are_not_used_again() {
    for (name, text, expected, is_reused) in table() {
        let upstream = Recorder::always([send(&text)]).await;
        let gateway = Gateway::with(upstream.address(), GUEST).await;
        for _ in 0..2 {
            let answer = answer_to(&gateway, &get(&gateway, "/")).await;
            assert_eq!(statuses(&answer), expected, "{name}: {:.500}", answer);
            assert!(!answer.contains("hidden"), "{name}: {answer}");
        }
        let connections = upstream.connections().len();
        assert_eq!(connections, if is_reused { 1 } else { 2 }, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn h1_14_interim_answers_come_to_an_end() {
    let hints = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n".repeat(5_000);
    let upstream = Recorder::always([send(&hints)]).await;
    let gateway = Gateway::with(upstream.address(), GUEST).await;
    let answer = answer_to(&gateway, &get(&gateway, "/")).await;
    let found = statuses(&answer);
    assert!(found.len() < 20 && found.last() == Some(&502), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn hdr_10_orders_to_a_web_server_do_not_reach_browsers() {
    let fields =
        "X-Accel-Redirect: /var/secret\r\nX-Sendfile: /var/secret\r\nX-LIGHTTPD-send-file: /var/secret\r\n";
    let text = format!("HTTP/1.1 200 OK\r\n{fields}X-Kept: 1\r\nContent-Length: 0\r\n\r\n");
    let upstream = Recorder::always([send(&text)]).await;
    let gateway = Gateway::with(upstream.address(), GUEST).await;
    let reply = exchange(gateway.address, get(&gateway, "/")).await.unwrap();
    assert!(!reply.head.text().contains("secret"), "{}", reply.head.text());
    assert_eq!(reply.head.values("x-kept"), ["1"]);
}

/// As [`get`] and by a way of its own in the engine.
fn both_ways(gateway: &Gateway) -> [Vec<u8>; 2] {
    let host = gateway.host();
    let post = format!("POST / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
    [get(gateway, "/"), post.into_bytes()]
}

#[tokio::test(flavor = "multi_thread")]
async fn hdr_10_what_an_application_says_to_the_gateway_alone_does_not_reach_browsers() {
    let fields = "Connection: keep-alive, X-Mine , Content-Length\r\nconnection: x-too,Upgrade\r\nKeep-Alive: timeout=5\r\n\
                  X-Mine: hidden\r\nx-too: hidden\r\nUpgrade: h2c\r\nProxy-Connection: keep-alive\r\n\
                  Proxy-Authenticate: Basic realm=\"hidden\"\r\nProxy-Authentication-Info: hidden\r\n";
    let text = format!("HTTP/1.1 200 OK\r\n{fields}Proxy-Status: cache; hit\r\nContent-Length: 2\r\n\r\nok");
    let upstream = Recorder::always([send(&text)]).await;
    let gateway = Gateway::with(upstream.address(), GUEST).await;
    for asked in both_ways(&gateway) {
        let reply = exchange(gateway.address, asked).await.unwrap();
        let head = reply.head.text().to_lowercase();
        for never in ["hidden", "x-mine", "x-too", "keep-alive", "upgrade", "proxy-connection", "proxy-auth"]
        {
            assert!(!head.contains(never), "{never}: {head}");
        }
        assert_eq!(reply.head.values("connection"), ["close"]);
        assert_eq!(reply.head.values("proxy-status"), ["cache; hit"], "that is for all on the way");
        assert_eq!(
            (reply.head.values("content-length"), reply.text()),
            (vec!["2".to_owned()], "ok".to_owned())
        );
    }
}

/// An upload that breaks off, an answer that comes before the upload is over, and what others get meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn h1_13_nobody_gets_what_was_meant_for_another() {
    let upstream = Recorder::on_head(|heard| {
        let who = heard.head.start_line().split(' ').nth(1).unwrap_or_default().to_owned();
        vec![Act::ok(&who)]
    })
    .await;
    let gateway = Gateway::with(upstream.address(), GUEST).await;
    for round in 0..100 {
        let mut broken = RawClient::connect(gateway.address).await;
        let upload = format!(
            "POST /a{round} HTTP/1.1\r\nHost: {}\r\nContent-Length: 1000\r\n\r\nGET /stolen HTTP/1.1\r\n",
            gateway.host()
        );
        broken.send(&upload).await.unwrap();
        let mut other = RawClient::connect(gateway.address).await;
        let whole =
            format!("GET /b{round} HTTP/1.1\r\nHost: {}\r\nContent-Length: 2\r\n\r\nxy", gateway.host());
        let (first, second) = tokio::join!(broken.reply_to("POST"), other.exchange(&whole));
        if let Ok(first) = first {
            assert_eq!(first.text(), format!("/a{round}"));
        }
        assert_eq!(second.unwrap().text(), format!("/b{round}"));
        drop(broken);
        let third = other.exchange(get(&gateway, &format!("/c{round}"))).await.unwrap();
        assert_eq!(third.text(), format!("/c{round}"));
    }
    assert!(!upstream.request_heads().iter().any(|head| head.start_line().contains("stolen")));
}

#[tokio::test(flavor = "multi_thread")]
async fn h1_09_nothing_behind_an_upgrade_reaches_an_application_that_does_not_grant_it() {
    let handshake = "GET /ws HTTP/1.1\r\nHost: {H}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                     Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let early = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
    let granted = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    for (answer, expected, reaches) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_owned(), &[200, 421][..], false),
        (granted.replace("websocket", "foo"), &[502], false),
        (granted.to_owned(), &[101], true),
        (format!("HTTP/1.1 100 Continue\r\n\r\n{granted}"), &[100, 101], true),
    ] {
        let acts = if reaches { vec![send(&answer), Act::Echo] } else { vec![send(&answer)] };
        let upstream = Recorder::always(acts).await;
        let gateway = Gateway::with(upstream.address(), GUEST).await;
        let mut client = RawClient::connect(gateway.address).await;
        client.send(handshake.replace("{H}", &gateway.host()) + early).await.unwrap();
        if reaches {
            let wanted = answer.len() + early.len();
            let all = String::from_utf8(client.receive(wanted).await.unwrap()).unwrap();
            assert_eq!(statuses(&all), expected, "{all}");
            assert!(all.ends_with(early), "{all}");
        } else {
            client.finish().await.unwrap();
            let all = String::from_utf8(client.rest().await.unwrap()).unwrap();
            assert_eq!(statuses(&all), expected, "{answer}: {all}");
        }
        let bytes = upstream.connections().remove(0).bytes;
        let has_early = String::from_utf8_lossy(&bytes).contains("smuggled");
        assert_eq!(has_early, reaches, "{answer}");
    }
}
