//! Clients that are slow, and clients that are many (SECURITY: REL-01 … REL-04, REL-11).

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;

use super::{GUEST, statuses};
use crate::support::gateway::{Gateway, Settings};
use crate::support::raw::{RawClient, exchange};
use crate::support::soon;
use crate::support::upstream::{Act, Recorder};

/// Times short enough to be waited for, where the test wants them to pass; nothing is measured.
fn limits(lines: &str) -> String {
    format!("[connections]\n{lines}\n")
}

async fn before(acts: Vec<Act>, lines: &str) -> (Recorder, Gateway) {
    let upstream = Recorder::always(acts).await;
    let gateway = Gateway::with(upstream.address(), Settings { rest: &limits(lines), ..GUEST }).await;
    (upstream, gateway)
}

fn get(gateway: &Gateway) -> String {
    format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", gateway.host())
}

#[tokio::test(flavor = "multi_thread")]
async fn rel_01_rel_02_slow_heads_are_answered_and_idle_connections_end() {
    for (limit, beginning, expected) in
        [("head_timeout = \"100ms\"", "GET / HT", &[408][..]), ("idle_timeout = \"100ms\"", "", &[])]
    {
        let (_upstream, gateway) = before(vec![Act::ok("ok")], limit).await;
        for is_second in [false, true] {
            let mut client = RawClient::connect(gateway.address).await;
            if is_second {
                assert_eq!(client.exchange(get(&gateway)).await.unwrap().text(), "ok");
            }
            client.send(beginning).await.unwrap();
            let rest = String::from_utf8(client.rest().await.unwrap()).unwrap();
            assert_eq!(statuses(&rest), expected, "{is_second} {beginning:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rel_03_a_slow_form_is_given_up_here_and_on_its_way_to_the_application() {
    let (upstream, gateway) = before(vec![Act::ok("ok")], "rate_grace = \"100ms\"").await;
    for target in ["/", "/.passgate/login"] {
        let mut client = RawClient::connect(gateway.address).await;
        let fields = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n";
        let head = format!("POST {target} HTTP/1.1\r\nHost: {}\r\n{fields}\r\nusername=", gateway.host());
        client.send(head).await.unwrap();
        let rest = String::from_utf8(client.rest().await.unwrap()).unwrap();
        assert_eq!(statuses(&rest), [408], "{target}: {rest}");
    }
    assert!(upstream.records().requests.is_empty(), "no request became whole");
    upstream
        .wait_until("the upload is broken off", |records| records.connections.iter().all(|c| c.is_over))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rel_03_a_slow_body_is_given_up_though_its_answer_has_come_before_it() {
    let upstream = Recorder::on_head(|_| vec![Act::ok("early")]).await;
    let settings = Settings { rest: &limits("rate_grace = \"300ms\""), ..GUEST };
    let gateway = Gateway::with(upstream.address(), settings).await;
    let mut client = RawClient::connect(gateway.address).await;
    let head = format!("POST / HTTP/1.1\r\nHost: {}\r\nContent-Length: 1000\r\n\r\nbody", gateway.host());
    client.send(head).await.unwrap();
    assert_eq!(client.reply_to("POST").await.unwrap().text(), "early");
    // The application still listens, so nothing else would end it.
    assert_eq!(client.rest().await.unwrap_or_default(), b"");
    upstream.wait_until("the upload is broken off", |records| records.connections[0].is_over).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rel_03_an_answer_that_nobody_takes_is_given_up() {
    let body = "x".repeat(32 << 20);
    let (upstream, gateway) =
        before(vec![Act::ok(&body)], "rate_grace = \"100ms\"\nstall_timeout = \"100ms\"").await;
    let mut client = RawClient::connect(gateway.address).await;
    client.send(get(&gateway)).await.unwrap();
    upstream
        .wait_until("the answer is broken off", |records| records.connections.iter().any(|c| c.is_over))
        .await;
    drop(client);
}

#[tokio::test(flavor = "multi_thread")]
async fn rel_04_rel_11_further_connections_are_told_to_come_again_and_places_become_free() {
    for (lines, word) in [("most = 3", "going on"), ("most_per_address = 3", "from your address")] {
        let (_upstream, gateway) = before(vec![Act::ok("ok")], lines).await;
        let mut served = Vec::new();
        for _ in 0..3 {
            let mut client = RawClient::connect(gateway.address).await;
            assert_eq!(client.exchange(get(&gateway)).await.unwrap().text(), "ok");
            served.push(client);
        }
        for _ in 0..20 {
            let reply = exchange(gateway.address, get(&gateway)).await.unwrap();
            assert_eq!((reply.status(), reply.head.values("retry-after")), (503, vec!["5".to_owned()]));
            assert!(reply.text().contains(word), "{}", reply.text());
        }
        for mut client in served.drain(..) {
            assert_eq!(client.exchange(get(&gateway)).await.unwrap().text(), "ok", "who is in stays in");
        }
        // Their ends are noticed at their own time.
        while exchange(gateway.address, get(&gateway)).await.unwrap().status() != 200 {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rel_04_our_own_proxies_bring_as_many_as_there_are_places() {
    let upstream = Recorder::always([Act::ok("ok")]).await;
    let settings = Settings {
        server: "trusted_proxies = \"127.0.0.1\"",
        rest: "[connections]\nmost_per_address = 1\n",
        ..GUEST
    };
    let gateway = Gateway::with(upstream.address(), settings).await;
    let mut served = Vec::new();
    for _ in 0..5 {
        let mut client = RawClient::connect(gateway.address).await;
        assert_eq!(client.exchange(get(&gateway)).await.unwrap().text(), "ok");
        served.push(client);
    }
}

/// What the system holds for a client outlives the connection: nobody counts it any longer, and it goes only when the client does.
#[tokio::test(flavor = "multi_thread")]
async fn rel_03_little_of_an_answer_waits_in_the_system_for_a_client_that_does_not_read() {
    let page = "x".repeat(16 << 20);
    let lines = "rate_grace = \"300ms\"\nstall_timeout = \"300ms\"";
    let (upstream, gateway) = before(vec![Act::ok(&page)], lines).await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut client = socket.connect(gateway.address).await.unwrap();
    client.write_all(get(&gateway).as_bytes()).await.unwrap();
    upstream.wait_until("it is given up", |records| records.connections.iter().any(|it| it.is_over)).await;
    let mut taken = 0;
    let reading = async {
        let mut some = vec![0; 65536];
        while let Ok(count) = client.read(&mut some).await
            && count > 0
        {
            taken += count;
        }
    };
    soon("the end of what was held", reading).await;
    // Half a megabyte that was not sent, and what the client had got.
    assert!(taken < 768 * 1024, "{taken} bytes were held");
}
