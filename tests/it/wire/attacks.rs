//! The table of what clients send.

use super::{answer_to, open, statuses};

/// What becomes of a message.
enum Outcome {
    /// It is refused with this status, and the connection ends; the application sees nothing.
    Refused(u16),
    /// These answers come, and so many requests reach the application.
    Answered(&'static [u16], usize),
}
use Outcome::{Answered, Refused};

/// `H` stands for the end of a line and a good `Host` field, `E` for a plain request after which the connection ends.
fn spelled(text: &str, host: &str) -> Vec<u8> {
    let last = format!("GET /last HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    text.replace("{H}", &format!("\r\nHost: {host}\r\n")).replace("{E}", &last).into_bytes()
}

#[rustfmt::skip]
fn table() -> Vec<(&'static str, String, Outcome)> {
    let plain: Vec<(&str, &str, Outcome)> = vec![
        ("a plain request", "GET / HTTP/1.1{H}Connection: close\r\n\r\n", Answered(&[200], 1)),

        ("H1-01 a length and chunks", "POST / HTTP/1.1{H}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{E}", Refused(400)),
        ("H1-01 chunks and a length", "POST / HTTP/1.1{H}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n{E}", Refused(400)),
        ("H1-02 another coding", "POST / HTTP/1.1{H}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n{E}", Refused(400)),
        ("H1-02 chunked not last", "POST / HTTP/1.1{H}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n{E}", Refused(400)),
        ("H1-02 chunked twice", "POST / HTTP/1.1{H}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{E}", Refused(400)),
        ("H1-02 nearly chunked", "POST / HTTP/1.1{H}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{E}", Refused(400)),
        ("H1-02 an empty coding", "POST / HTTP/1.1{H}Transfer-Encoding:\r\n\r\n0\r\n\r\n{E}", Refused(400)),
        ("H1-02 behind a vertical tab", "POST / HTTP/1.1{H}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n{E}", Refused(400)),
        ("H1-04 a signed length", "POST / HTTP/1.1{H}Content-Length: +5\r\n\r\nabcde{E}", Refused(400)),
        ("H1-04 two lengths in one", "POST / HTTP/1.1{H}Content-Length: 5, 5\r\n\r\nabcde{E}", Refused(400)),
        ("H1-04 two lengths alike", "POST / HTTP/1.1{H}Content-Length: 5\r\nContent-Length: 5\r\n\r\nabcde{E}", Refused(400)),
        ("H1-04 two lengths", "POST / HTTP/1.1{H}Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcde{E}", Refused(400)),
        ("H1-04 no length", "POST / HTTP/1.1{H}Content-Length:\r\n\r\n{E}", Refused(400)),
        ("H1-04 more than there is", "POST / HTTP/1.1{H}Content-Length: 18446744073709551621\r\n\r\nabcde{E}", Refused(400)),
        ("H1-04 a length in hexadecimal", "POST / HTTP/1.1{H}Content-Length: 0x5\r\n\r\nabcde{E}", Refused(400)),
        ("H1-04 by an underscore", "POST / HTTP/1.1{H}Content_Length: 5\r\n\r\nabcde{E}", Refused(400)),
        ("H1-05 a size in C", "POST / HTTP/1.1{H}Transfer-Encoding: chunked\r\n\r\n0x5\r\nabcde\r\n0\r\n\r\n{E}", Refused(400)),
        ("H1-05 a size with a sign", "POST / HTTP/1.1{H}Transfer-Encoding: chunked\r\n\r\n-5\r\nabcde\r\n0\r\n\r\n{E}", Refused(400)),
        ("H1-05 17 digits", "POST / HTTP/1.1{H}Transfer-Encoding: chunked\r\n\r\n00000000000000005\r\nabcde\r\n0\r\n\r\n{E}", Refused(400)),
        ("H1-05 an extension", "POST / HTTP/1.1{H}Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nabcde\r\n0\r\n\r\n{E}", Refused(400)),
        ("H1-05 a bare line feed in an extension", "POST / HTTP/1.1{H}Transfer-Encoding: chunked\r\n\r\n5;\nabcde\r\n0\r\n\r\n{E}", Refused(400)),
        ("H1-05 bare line feeds", "POST / HTTP/1.1{H}Transfer-Encoding: chunked\r\n\r\n5\nabcde\n0\n\n{E}", Refused(400)),
        ("H1-05 a blank after the size", "POST / HTTP/1.1{H}Transfer-Encoding: chunked\r\n\r\n5 \r\nabcde\r\n0\r\n\r\n{E}", Refused(400)),
        ("H1-05 a longer chunk", "POST / HTTP/1.1{H}Transfer-Encoding: chunked\r\n\r\n4\r\nabcde\r\n0\r\n\r\n{E}", Refused(400)),
        ("H1-05 no end of the chunk", "POST / HTTP/1.1{H}Transfer-Encoding: chunked\r\n\r\n5\r\nabcde0\r\n\r\n{E}", Refused(400)),
        ("H1-05 two carriage returns", "POST / HTTP/1.1{H}Transfer-Encoding: chunked\r\n\r\n5\r\r\nabcde\r\n0\r\n\r\n{E}", Refused(400)),
        ("H1-05 plain chunks", "POST / HTTP/1.1{H}Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n{E}", Answered(&[200, 200], 2)),

        ("H1-06 bare line feeds", "GET / HTTP/1.1\nHost: localhost\n\n{E}", Refused(400)),
        ("H1-06 one bare line feed", "GET / HTTP/1.1{H}X: 1\nRemote-User: alice\r\n\r\n{E}", Refused(400)),
        ("H1-06 a bare carriage return", "GET / HTTP/1.1{H}X: 1\rRemote-User: alice\r\n\r\n{E}", Refused(400)),
        ("H1-06 NUL", "GET / HTTP/1.1{H}X: 1\0\r\n\r\n{E}", Refused(400)),
        ("HDR-02 a folded field", "GET / HTTP/1.1{H}X: 1\r\n Remote-User: alice\r\n\r\n{E}", Refused(400)),
        ("H1-06 a blank before the colon", "GET / HTTP/1.1{H}X : 1\r\n\r\n{E}", Refused(400)),
        ("H1-06 a blank before the first field", "GET / HTTP/1.1\r\n Host: localhost{H}\r\n\r\n{E}", Refused(400)),
        ("H1-06 no name", "GET / HTTP/1.1{H}: 1\r\n\r\n{E}", Refused(400)),
        ("HDR-02 a name beyond ASCII", "GET / HTTP/1.1{H}Remote-Us\u{e9}r: alice\r\n\r\n{E}", Refused(400)),

        ("H1-07 HTTP/0.9", "GET /\r\n{E}", Refused(400)),
        ("H1-07 HTTP/1.2", "GET / HTTP/1.2{H}\r\n{E}", Refused(505)),
        ("H1-07 HTTP/1.32", "GET / HTTP/1.32{H}\r\n{E}", Refused(505)),
        ("H1-07 HTTP/2.0", "GET / HTTP/2.0{H}\r\n{E}", Refused(505)),
        ("H2-09 HTTP/2 at once", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Refused(400)),
        ("a TLS handshake", "\x16\x03\x01\x02\x00\x01\x00\x01\u{fc}\x03\x03", Refused(400)),
        ("H1-07 two blanks", "GET  / HTTP/1.1{H}\r\n{E}", Refused(400)),
        ("H1-07 tabs", "GET\t/\tHTTP/1.1{H}\r\n{E}", Refused(400)),
        ("H1-07 a blank in the target", "GET /a b HTTP/1.1{H}\r\n{E}", Refused(400)),
        ("H1-07 a raw byte in the target", "GET /caf\u{e9} HTTP/1.1{H}\r\n{E}", Refused(400)),
        ("H1-07 a control in the target", "GET /\x01 HTTP/1.1{H}\r\n{E}", Refused(400)),
        ("H1-07 three empty lines", "\r\n\r\n\r\nGET / HTTP/1.1{H}\r\n{E}", Refused(400)),
        ("H1-07 one empty line", "\r\nGET / HTTP/1.1{H}Connection: close\r\n\r\n", Answered(&[200], 1)),
        ("P3 a fragment", "GET /#/x HTTP/1.1{H}\r\n{E}", Refused(400)),

        ("H1-08 chunks in HTTP/1.0", "POST / HTTP/1.0{H}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n{E}", Refused(400)),
        ("H1-08 no length in HTTP/1.0", "POST / HTTP/1.0{H}\r\n{E}", Answered(&[200], 1)),
        ("H1-08 a kept connection of HTTP/1.0", "POST / HTTP/1.0{H}Connection: keep-alive\r\nContent-Length: 3\r\n\r\nabc{E}", Answered(&[200, 200], 2)),
        ("H1-09 an upgrade with a body", "GET / HTTP/1.1{H}Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 3\r\n\r\nabc{E}", Refused(400)),
        ("H1-10 another expectation", "POST / HTTP/1.1{H}Expect: y 100-continue\r\nContent-Length: 3\r\n\r\nabc{E}", Refused(417)),
        ("H1-10 two expectations", "POST / HTTP/1.1{H}Expect: 100-continue\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc{E}", Refused(417)),
        ("H1-10 a body without waiting", "POST / HTTP/1.1{H}Expect: 100-Continue\r\nContent-Length: 3\r\n\r\nabc{E}", Answered(&[200, 200], 2)),
        ("H1-11 a body where none belongs", "GET / HTTP/1.1{H}Content-Length: 24\r\n\r\nGET /smuggled HTTP/1.1\r\n{E}", Answered(&[200, 200], 2)),
        ("H1-11 a body for a page of ours", "GET /.passgate/login HTTP/1.1{H}Connection: close\r\nContent-Length: 24\r\n\r\nGET /smuggled HTTP/1.1\r\n", Answered(&[200], 0)),
        ("H1-11 a body for a closed page", "POST /closed HTTP/1.1{H}Content-Length: 24\r\n\r\nGET /smuggled HTTP/1.1\r\n", Answered(&[401], 0)),
        ("H1-12 two requests, the first denied", "GET /closed HTTP/1.1{H}\r\n{E}", Answered(&[401, 200], 1)),
        ("H1-12 a good one and a bad one", "GET / HTTP/1.1{H}\r\nGET / HTTP/1.1\nX: 1\r\n\r\n", Answered(&[200, 400], 1)),

        ("H1-15 no host", "GET / HTTP/1.1\r\nX: 1\r\n\r\n{E}", Refused(400)),
        ("H1-15 no host in HTTP/1.0", "GET / HTTP/1.0\r\n\r\n{E}", Refused(400)),
        ("H1-15 an empty host", "GET / HTTP/1.1\r\nHost:\r\n\r\n{E}", Refused(400)),
        ("H1-15 two hosts", "GET / HTTP/1.1{H}Host: localhost\r\n\r\n{E}", Refused(400)),
        ("H1-15 two hosts in one", "GET / HTTP/1.1\r\nHost: localhost, evil.example\r\n\r\n{E}", Refused(400)),
        ("H1-15 somebody at the host", "GET / HTTP/1.1\r\nHost: x@localhost\r\n\r\n{E}", Refused(400)),
        ("H1-15 no port", "GET / HTTP/1.1\r\nHost: localhost:x\r\nConnection: close\r\n\r\n", Answered(&[400], 0)),
        ("H1-15 two answers to where", "GET http://evil.example/ HTTP/1.1{H}\r\n{E}", Refused(400)),
        ("H1-15 two answers to where, with a body", "POST http://evil.example/ HTTP/1.1{H}Content-Length: 3\r\n\r\nabc{E}", Refused(400)),
        ("H1-15 somebody in the target", "GET http://x@localhost/ HTTP/1.1{H}\r\n{E}", Refused(400)),
        ("H1-15 a host behind the body", "POST / HTTP/1.1\r\nContent-Length: 19\r\n\r\nHost: localhost\r\n\r\n{E}", Refused(400)),

        ("PATH-07 CONNECT", "CONNECT localhost:22 HTTP/1.1{H}\r\n{E}", Refused(501)),
        ("PATH-07 TRACE", "TRACE / HTTP/1.1{H}Connection: close\r\n\r\n", Answered(&[405], 0)),
        ("PATH-07 a method in small letters", "get / HTTP/1.1{H}Connection: close\r\n\r\n", Answered(&[405], 0)),
        ("PATH-07 no method", "G=ET / HTTP/1.1{H}\r\n{E}", Refused(400)),
        ("PATH-08 OPTIONS of everything", "OPTIONS * HTTP/1.1{H}Connection: close\r\n\r\n", Answered(&[400], 0)),
        ("PATH-08 OPTIONS of a closed page", "OPTIONS /closed HTTP/1.1{H}Connection: close\r\n\r\n", Answered(&[401], 0)),
    ];
    let mut table: Vec<_> = plain.into_iter().map(|(name, bytes, outcome)| (name, bytes.to_owned(), outcome)).collect();
    let many = "Remote-User: alice\r\n".repeat(101);
    table.extend([
        ("H1-05 a megabyte of extension", format!("POST / HTTP/1.1{{H}}Transfer-Encoding: chunked\r\n\r\n5;{}\r\nabcde", "x".repeat(1 << 20)), Refused(400)),
        ("H1-07 64 KiB of target", format!("GET /{} HTTP/1.1{{H}}\r\n", "x".repeat(64 << 10)), Refused(414)),
        ("H1-16 64 KiB of field", format!("GET / HTTP/1.1{{H}}X: {}\r\n\r\n", "x".repeat(64 << 10)), Refused(431)),
        ("H1-16 64 KiB of fields", format!("GET / HTTP/1.1{{H}}{}\r\n", format!("X: {}\r\n", "x".repeat(4 << 10)).repeat(16)), Refused(431)),
        ("H1-16 HDR-02 more fields than anyone needs", format!("GET / HTTP/1.1{{H}}{many}\r\n"), Refused(431)),
        ("PATH-07 a long method", format!("{} / HTTP/1.1{{H}}\r\n", "A".repeat(1000)), Refused(501)),
    ]);
    table
}

#[tokio::test(flavor = "multi_thread")]
async fn each_message_is_answered_as_the_table_says_and_nothing_else_reaches_the_application() {
    let (upstream, gateway) = open().await;
    for (name, text, outcome) in table() {
        let before = upstream.request_heads().len();
        let answer = answer_to(&gateway, &spelled(&text, &gateway.host())).await;
        let reached: Vec<_> =
            upstream.request_heads()[before..].iter().map(|head| head.start_line()).collect();
        match outcome {
            Refused(status) => {
                assert_eq!(statuses(&answer), [status], "{name}: {answer}");
                assert!(answer.contains("\r\nConnection: close\r\n"), "{name}: {answer}");
                assert!(answer.contains("\r\nX-Content-Type-Options: nosniff\r\n"), "{name}: {answer}");
                for told in ["alice", "passgate", "ingora", "smuggled"] {
                    assert!(!answer.contains(told), "{name} tells {told}: {answer}");
                }
                assert!(reached.is_empty(), "{name}: {reached:?}");
            }
            Answered(expected, count) => {
                assert_eq!(statuses(&answer), expected, "{name}: {answer}");
                assert_eq!(reached.len(), count, "{name}: {reached:?}");
                assert!(!reached.iter().any(|line| line.contains("smuggled")), "{name}: {reached:?}");
            }
        }
    }
    let bytes: Vec<u8> = upstream.connections().into_iter().flat_map(|connection| connection.bytes).collect();
    let text = String::from_utf8_lossy(&bytes).to_lowercase();
    for never in ["remote-user", "http2-settings", "expect: y", "content_length"] {
        assert!(!text.contains(never), "{never} reached the application");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_bytes_are_judged_alike_however_slowly_they_come() {
    let (upstream, gateway) = open().await;
    for (name, text, outcome) in table() {
        let bytes = spelled(&text, &gateway.host());
        if bytes.len() > 400 {
            continue;
        }
        let mut client = crate::support::raw::RawClient::connect(gateway.address).await;
        for byte in bytes {
            if client.send([byte]).await.is_err() {
                break;
            }
        }
        let answer = String::from_utf8_lossy(&client.rest().await.unwrap_or_default()).into_owned();
        if let Refused(status) = outcome {
            assert_eq!(statuses(&answer), [status], "{name}: {answer}");
        }
    }
    assert!(!upstream.request_heads().iter().any(|head| head.start_line().contains("smuggled")));
}

/// What the guard lets through the engine does not refuse by itself: its answers are bare, and in no log.
#[tokio::test(flavor = "multi_thread")]
async fn every_byte_that_a_target_may_have_is_answered_by_the_gateway() {
    let (_upstream, gateway) = open().await;
    let host = gateway.host();
    for byte in (b'!'..=b'~').map(char::from) {
        for target in [
            format!("/a{byte}b"),
            format!("/?a{byte}b"),
            format!("/{byte}"),
            format!("//{byte}"),
            format!("{byte}"),
            format!("http://{byte}"),
            format!("http://{host}{byte}x"),
            format!("http://{host}/{byte}x"),
        ] {
            for method in ["GET", "POST"] {
                let request =
                    format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
                let answer = answer_to(&gateway, request.as_bytes()).await;
                let is_of_forum = answer.starts_with("HTTP/1.1 200 ");
                assert!(
                    is_of_forum
                        || answer.to_ascii_lowercase().contains("\r\nx-content-type-options: nosniff\r\n"),
                    "{request}{answer}"
                );
            }
        }
    }
}
