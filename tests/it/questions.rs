//! Plain questions, which are carried without the engine: connections to the application are kept and given up as they
//! should be, and whoever leaves takes the question along. What becomes of requests in general, the other files say; most
//! of theirs are questions.

use crate::support::gateway::{Gateway, Settings};
use crate::support::raw::RawClient;
use crate::support::upstream::{Act, Recorder};

const GUEST: Settings<'_> = Settings { access: "default = \"guest\"", ..Settings::NONE };

fn get(gateway: &Gateway, fields: &str) -> String {
    format!("GET /x HTTP/1.1\r\nHost: {}\r\n{fields}\r\n", gateway.host())
}

fn answer(text: &str) -> Act {
    Act::Send(text.as_bytes().to_vec())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_to_the_application_is_enough_for_question_after_question() {
    let upstream = Recorder::always([Act::ok("x")]).await;
    let gateway = Gateway::with(upstream.address(), GUEST).await;
    let mut client = RawClient::connect(gateway.address).await;
    for _ in 0..9 {
        assert_eq!(client.exchange(get(&gateway, "")).await.unwrap().text(), "x");
    }
    assert_eq!(upstream.request_heads().len(), 9);
    assert_eq!(upstream.connections().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn h1_13_a_connection_is_not_kept_whose_answer_had_no_end_or_more_than_one() {
    for text in [
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx",
        "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
        "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
    ] {
        let upstream = Recorder::always([answer(text)]).await;
        let gateway = Gateway::with(upstream.address(), GUEST).await;
        let mut client = RawClient::connect(gateway.address).await;
        for _ in 0..2 {
            let reply = client.exchange(get(&gateway, "")).await.unwrap();
            assert_ne!(reply.text(), "evil", "{text:?}");
        }
        assert_eq!(upstream.connections().len(), 2, "{text:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_ends_with_its_connection_leaves_the_clients_open() {
    let acts = [answer("HTTP/1.0 200 OK\r\n\r\nall of it"), Act::Close];
    let upstream = Recorder::always(acts).await;
    let gateway = Gateway::with(upstream.address(), GUEST).await;
    let mut client = RawClient::connect(gateway.address).await;
    for _ in 0..2 {
        let reply = client.exchange(get(&gateway, "")).await.unwrap();
        assert_eq!(reply.head.value("transfer-encoding").as_deref(), Some("chunked"));
        assert_eq!(reply.text(), "all of it");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_leaves_before_the_answer_takes_the_question_along() {
    let upstream = Recorder::always([Act::Silence]).await;
    let gateway = Gateway::with(upstream.address(), GUEST).await;
    let mut client = RawClient::connect(gateway.address).await;
    client.send(get(&gateway, "")).await.unwrap();
    upstream.wait_until("asked", |records| !records.requests.is_empty()).await;
    drop(client);
    upstream.wait_until("left", |records| records.connections.iter().all(|one| one.is_over)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_for_the_next_hop_go_the_engines_way_and_are_dropped_as_ever() {
    let upstream = Recorder::always([Act::ok("x")]).await;
    let gateway = Gateway::with(upstream.address(), GUEST).await;
    let mut client = RawClient::connect(gateway.address).await;
    for fields in [
        "Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n",
        "Connection: keep-alive, x-mine\r\nX-Mine: 1\r\n",
        "Proxy-Connection: keep-alive\r\n",
        "Proxy-Authorization: Basic x\r\n",
        "TE: gzip\r\nConnection: TE\r\n",
        "Trailer: x-mine\r\n",
    ] {
        client.exchange(get(&gateway, fields)).await.unwrap();
        let heads = upstream.request_heads();
        let text = heads.last().unwrap().text().to_lowercase();
        for name in ["keep-alive:", "x-mine", "proxy-", "te:", "trailer:", "connection:"] {
            assert!(!text.contains(&format!("\n{name}")), "{fields:?}: {text}");
        }
    }
}
