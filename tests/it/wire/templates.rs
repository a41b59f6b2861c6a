//! `Transfer-Encoding` spelled in every way that one of two servers might not know, beside a length (SECURITY: H1-03).
//! The ways are those that defparam/smuggler and PortSwigger's research name; the requests are made here.

use std::sync::Arc;

use super::{answer_to, open};

/// A header with the coding in disguise, once for each byte that might disguise it.
fn disguises() -> Vec<Vec<u8>> {
    let around = |before: &[u8], byte: u8, after: &[u8]| [before, &[byte], after].concat();
    let bytes = (0x01..=0x20).chain(0x7f..=0xff);
    let mut all: Vec<Vec<u8>> = bytes
        .flat_map(|byte| {
            [
                around(b"Transfer-Encoding:", byte, b"chunked"),
                around(b"Transfer-Encoding", byte, b": chunked"),
                around(b"", byte, b"Transfer-Encoding: chunked"),
                around(b"Transfer-Encoding: chunked", byte, b""),
                around(b"Transfer", byte, b"Encoding: chunked"),
                around(b"Transfer-Encoding: ch", byte, b"unked"),
                around(b"X: X", byte, b"Transfer-Encoding: chunked"),
                around(b"Transfer-Encoding: chunked", byte, b"X: X"),
                around(b"X: X\r", byte, b"Transfer-Encoding: chunked"),
                around(b"X: X", byte, b"\nTransfer-Encoding: chunked"),
                around(b"Transfer-Encoding: chunked\r", byte, b"X: X"),
                around(b"Transfer-Encoding: chunked", byte, b"\nX: X"),
            ]
        })
        .collect();
    let plain = [
        "Transfer-Encoding: chunked",
        "Transfer-Encoding: chunked, cow",
        "Transfer-Encoding: cow, chunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: identity, chunked, identity",
        "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding: \"chunked\"",
        "Transfer-Encoding: 'chunked'",
        "Transfer-Encoding: chunk",
        "Transfer-Encoding: chunkedchunked",
        "Transfer-Encoding\r\n: chunked",
        "Transfer-Encoding:\r\n chunked",
        "Transfer-Encoding:\n chunked",
        "Transfer-Encoding:\r\n\tchunked",
        "TrAnSFer-EnCODinG: cHuNkeD",
        "TRANSFER-ENCODING: CHUNKED",
        "Transfer-Encoding: chunked\r\r\r\r\r",
        "Transfer-Encoding: chunked\nCow: 1",
        "Foo: bar\r\rTransfer-Encoding: chunked",
        "Foo: bar\n\nTransfer-Encoding: chunked",
        "X: y\rTransfer-Encoding: chunked",
        "Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked",
        "Content-Encoding: chunked",
        "Transfer-Encoding; chunked",
        "Transfer_Encoding: chunked",
        "Transfer.Encoding: chunked",
        "TransferEncoding: chunked",
        "X-Transfer-Encoding: chunked",
    ];
    all.extend(plain.map(|text| text.as_bytes().to_vec()));
    all
}

/// With what a front server that reads the length, or one that reads the chunks, would leave to the next request.
fn requests(disguise: &[u8], host: &str) -> impl Iterator<Item = Vec<u8>> {
    let smuggled = format!("GET /smuggled HTTP/1.1\r\nHost: {host}\r\n\r\n");
    let by_length = (smuggled.len() + 5, format!("0\r\n\r\n{smuggled}"));
    let by_chunks = (4, format!("{:02x}\r\n{smuggled}\r\n0\r\n\r\n", smuggled.len()));
    let host = host.to_owned();
    let disguise = disguise.to_vec();
    ["POST", "GET"].into_iter().flat_map(move |method| {
        let (host, disguise) = (host.clone(), disguise.clone());
        [by_length.clone(), by_chunks.clone()].into_iter().map(move |(length, body)| {
            let head = format!("{method} /outer HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n");
            let last = format!("GET /last HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
            [head.as_bytes(), &disguise, b"\r\n\r\n", body.as_bytes(), last.as_bytes()].concat()
        })
    })
}

/// Each request that reaches the application carries what the gateway gives to each that it has judged. One that the
/// gateway took for part of another would not.
#[tokio::test(flavor = "multi_thread")]
async fn h1_03_no_disguise_of_a_coding_makes_one_request_two() {
    const LANES: usize = 4;
    let disguises = Arc::new(disguises());
    assert!(disguises.len() > 1768, "{}", disguises.len());
    let lanes: Vec<_> = (0..LANES)
        .map(|lane| {
            let disguises = Arc::clone(&disguises);
            tokio::spawn(async move {
                for some in disguises.iter().skip(lane).step_by(LANES).collect::<Vec<_>>().chunks(60) {
                    let (upstream, gateway) = open().await;
                    for disguise in some {
                        for request in requests(disguise, &gateway.host()) {
                            let answer = answer_to(&gateway, &request).await;
                            assert!(
                                answer.starts_with("HTTP/1.1 "),
                                "{:?}",
                                request.escape_ascii().to_string()
                            );
                        }
                    }
                    let records = upstream.records();
                    for head in records.requests.iter().map(|heard| &heard.head) {
                        assert_eq!(head.values("x-request-id").len(), 1, "{}", head.text());
                    }
                    let heard: usize = records.requests.iter().map(|heard| heard.head.0.len()).sum();
                    assert!(heard > 0 || !some.iter().any(|disguise| disguise.starts_with(b"Content-Enc")));
                }
            })
        })
        .collect();
    for lane in lanes {
        lane.await.unwrap();
    }
}
