//! What the engine does with a connection, seen from both ends: framing, hop-by-hop fields, kept connections, old clients.

use crate::support::gateway::{Gateway, Settings};
use crate::support::raw::{RawClient, exchange};
use crate::support::upstream::{Act, Recorder};

const GUEST: Settings<'_> = Settings { access: "default = \"guest\"", ..Settings::NONE };

async fn before(acts: Vec<Act>) -> (Recorder, Gateway) {
    let upstream = Recorder::always(acts).await;
    let gateway = Gateway::with(upstream.address(), GUEST).await;
    (upstream, gateway)
}

fn send(text: &str) -> Act {
    Act::Send(text.as_bytes().to_vec())
}

fn request(gateway: &Gateway, line: &str, fields: &str) -> String {
    format!("{line}\r\nHost: {}\r\n{fields}\r\n", gateway.host())
}

#[tokio::test(flavor = "multi_thread")]
async fn head_of_our_own_pages_says_what_get_would() {
    let (_upstream, gateway) = before(vec![Act::ok("")]).await;
    let mut client = RawClient::connect(gateway.address).await;
    for target in ["/.passgate/login", "/.passgate/nothing"] {
        let get = client.exchange(request(&gateway, &format!("GET {target} HTTP/1.1"), "")).await.unwrap();
        let head = client.exchange(request(&gateway, &format!("HEAD {target} HTTP/1.1"), "")).await.unwrap();
        assert_eq!(head.status(), get.status());
        assert!(!get.body.bytes.is_empty());
        assert_eq!(head.head.value("content-length"), get.head.value("content-length"), "{target}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn h1_10_a_form_of_ours_may_be_announced_by_expect_100_continue() {
    let (_upstream, gateway) = before(vec![Act::ok("")]).await;
    let mut client = RawClient::connect(gateway.address).await;
    let fields =
        "Expect: 100-continue\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\n";
    client.send(request(&gateway, "POST /.passgate/login HTTP/1.1", fields)).await.unwrap();
    assert_eq!(client.receive(13).await.unwrap(), b"HTTP/1.1 100 ");
    client.send("a=b").await.unwrap();
    let rest = client.receive(40).await.unwrap();
    assert!(
        String::from_utf8_lossy(&rest).contains("\r\n\r\nHTTP/1.1 403"),
        "{}",
        String::from_utf8_lossy(&rest)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_http_1_0_client_gets_a_body_it_can_read() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
    let endless = "HTTP/1.0 200 OK\r\n\r\nabcde";
    for acts in [vec![send(chunked)], vec![send(endless), Act::Close]] {
        let (_upstream, gateway) = before(acts).await;
        for fields in ["", "Connection: keep-alive\r\n"] {
            let mut client = RawClient::connect(gateway.address).await;
            client.send(request(&gateway, "GET / HTTP/1.0", fields)).await.unwrap();
            let all = client.rest().await.unwrap();
            let all = String::from_utf8_lossy(&all).to_lowercase();
            assert!(!all.contains("transfer-encoding") && all.ends_with("\r\n\r\nabcde"), "{all}");
            assert!(!all.contains("connection: keep-alive"), "{all}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_for_one_connection_only_do_not_cross_the_gateway() {
    let answer = "HTTP/1.1 200 OK\r\nConnection: Upgrade, close\r\nUpgrade: h2,h2c\r\nKeep-Alive: timeout=5, max=100\r\n\
                  Proxy-Connection: close\r\nContent-Length: 2\r\n\r\nok";
    let (_upstream, gateway) = before(vec![send(answer), Act::Close]).await;
    let mut client = RawClient::connect(gateway.address).await;
    for _ in 0..2 {
        let reply = client.exchange(request(&gateway, "GET / HTTP/1.1", "")).await.unwrap();
        assert_eq!(reply.text(), "ok");
        for name in ["upgrade", "keep-alive", "proxy-connection"] {
            assert!(reply.head.values(name).is_empty(), "{}", reply.head.text());
        }
        assert_eq!(reply.head.values("connection"), ["keep-alive"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_off_answer_is_never_made_to_look_complete() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc",
    ] {
        let (_upstream, gateway) = before(vec![send(answer), Act::Close]).await;
        let broken = exchange(gateway.address, request(&gateway, "GET / HTTP/1.1", "")).await;
        if let Ok(reply) = broken {
            assert_eq!(reply.status(), 502, "{answer}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_without_a_body_leave_the_connection_usable() {
    let upstream = Recorder::on_request(|heard| {
        let line = heard.head.start_line();
        vec![match line.split(' ').nth(1).unwrap_or_default() {
            "/204" => send("HTTP/1.1 204 No Content\r\n\r\n"),
            "/304" => send("HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 99\r\n\r\n"),
            "/head" => send("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"),
            "/head-chunked" => send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
            "/hints" => send(
                "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            ),
            _ => Act::ok("fine"),
        }]
    })
    .await;
    let gateway = Gateway::with(upstream.address(), GUEST).await;
    let mut client = RawClient::connect(gateway.address).await;
    for (line, status) in [
        ("GET /204", 204),
        ("GET /304", 304),
        ("HEAD /head", 200),
        ("HEAD /head-chunked", 200),
        ("GET /hints", 200),
        ("OPTIONS /x", 200),
        ("GET /x", 200),
    ] {
        let reply = client.exchange(request(&gateway, &format!("{line} HTTP/1.1"), "")).await.unwrap();
        assert_eq!(reply.status(), status, "{line}");
        println!(
            "{line}\n{}{}",
            reply.interim.iter().map(|h| h.text()).collect::<String>(),
            reply.head.text()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_beyond_ascii_pass_in_both_directions() {
    let answer =
        b"HTTP/1.1 200 OK\r\nX-Name: Zo\xeb\r\nSet-Cookie: a=\xff\r\nContent-Length: 0\r\n\r\n".to_vec();
    let (upstream, gateway) = before(vec![Act::Send(answer)]).await;
    let mut bytes = format!("GET / HTTP/1.1\r\nHost: {}\r\n", gateway.host()).into_bytes();
    bytes.extend(b"X-Name: Zo\xeb\r\nCookie: a=\xff; passgate=x; b=\xfe\r\nUser-Agent: \xe9\r\n\r\n");
    let reply = exchange(gateway.address, bytes).await.unwrap();
    assert_eq!(reply.status(), 200);
    let has = |bytes: &[u8], part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
    assert!(has(&reply.head.0, b"Zo\xeb\r\n") && has(&reply.head.0, b"a=\xff\r\n"), "{}", reply.head.text());
    let head = upstream.only_head().0;
    assert!(
        has(&head, b"Zo\xeb\r\n") && has(&head, b"a=\xff; b=\xfe\r\n"),
        "{}",
        upstream.only_head().text()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn p3_a_fragment_is_refused_behind_an_empty_line_too() {
    let (upstream, gateway) = before(vec![Act::ok("")]).await;
    let text = format!("\r\n{}", request(&gateway, "GET /public#/x HTTP/1.1", "Connection: close\r\n"));
    let reply = exchange(gateway.address, text).await;
    assert_eq!(reply.unwrap().status(), 400);
    assert!(upstream.request_heads().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_ours_answers_at_once_when_an_upgrade_is_asked_for() {
    let (_upstream, gateway) = before(vec![Act::ok("")]).await;
    let fields = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
    let asked = exchange(gateway.address, request(&gateway, "GET /.passgate/login HTTP/1.1", fields));
    assert_eq!(asked.await.unwrap().status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn h1_12_each_of_two_requests_in_one_segment_is_judged_on_its_own() {
    let upstream = Recorder::always([Act::ok("fine")]).await;
    let access = "default = \"login\"\n[[access.rule]]\npath = \"/open\"\nrequire = \"public\"";
    let gateway = Gateway::with(upstream.address(), Settings { access, ..GUEST }).await;
    for lines in
        [["GET /open HTTP/1.1", "GET /closed HTTP/1.1"], ["GET /closed HTTP/1.1", "GET /open HTTP/1.1"]]
    {
        let mut client = RawClient::connect(gateway.address).await;
        let both: String = lines.iter().map(|line| request(&gateway, line, "")).collect();
        client.send(both).await.unwrap();
        for line in lines {
            // Or the connection is closed: then the client asks again.
            let Ok(reply) = client.reply_to("GET").await else { break };
            assert_eq!(reply.status(), if line.contains("/open") { 200 } else { 401 }, "{lines:?}");
        }
    }
    assert!(upstream.request_heads().iter().all(|head| head.start_line() == "GET /open HTTP/1.1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_sends_too_much_still_gets_the_answer() {
    let upstream = Recorder::always([Act::ok("fine")]).await;
    let gateway =
        Gateway::with(upstream.address(), Settings { access: "default = \"login\"", ..GUEST }).await;
    let body = "x".repeat(8 << 20);
    let fields =
        format!("Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n", body.len());
    for (target, status) in [("/upload", 401), ("/.passgate/login", 413)] {
        let head = request(&gateway, &format!("POST {target} HTTP/1.1"), &fields);
        let reply = exchange(gateway.address, format!("{head}{body}")).await.unwrap();
        assert_eq!(reply.status(), status, "{target}");
        assert_eq!(reply.head.values("connection"), ["close"]);
    }
    assert!(upstream.request_heads().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_comes_before_the_upload_is_over_arrives() {
    let refusal = "HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\nConnection: close\r\n\r\nlong";
    let upstream = Recorder::on_head(move |_| vec![send(refusal)]).await;
    let gateway = Gateway::with(upstream.address(), GUEST).await;
    let body = "x".repeat(4 << 20);
    let head = request(&gateway, "POST /upload HTTP/1.1", &format!("Content-Length: {}\r\n", body.len()));
    let reply = exchange(gateway.address, format!("{head}{body}")).await.unwrap();
    assert_eq!((reply.status(), reply.text().as_str()), (413, "long"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_application_sends_bit_by_bit_arrives_bit_by_bit() {
    let gate = std::sync::Arc::new(tokio::sync::Notify::new());
    let wait = Act::Await(std::sync::Arc::clone(&gate));
    let start = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n";
    let (_upstream, gateway) = before(vec![send(start), wait, send("3\r\ntwo\r\n0\r\n\r\n")]).await;
    let mut client = RawClient::connect(gateway.address).await;
    client.send(request(&gateway, "GET /events HTTP/1.1", "Connection: close\r\n")).await.unwrap();
    let mut seen = Vec::new();
    while !seen.ends_with(b"\r\none\r\n") {
        seen.extend(client.receive(1).await.unwrap());
    }
    gate.notify_one();
    assert!(client.rest().await.unwrap().ends_with(b"two\r\n0\r\n\r\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn long_heads_pass_in_both_directions() {
    let cookies: String = (0..100).map(|n| format!("Set-Cookie: c{n}={}\r\n", "v".repeat(300))).collect();
    let answer = format!("HTTP/1.1 200 OK\r\n{cookies}Content-Length: 0\r\n\r\n");
    let (upstream, gateway) = before(vec![send(&answer)]).await;
    let fields: String = (0..40).map(|n| format!("X-Long-{n}: {}\r\n", "v".repeat(500))).collect();
    let target = format!("/x?{}", "q".repeat(7_000));
    let reply = exchange(gateway.address, request(&gateway, &format!("GET {target} HTTP/1.1"), &fields));
    assert_eq!(reply.await.unwrap().head.values("set-cookie").len(), 100);
    let head = upstream.only_head();
    assert_eq!(head.start_line(), format!("GET {target} HTTP/1.1"));
    assert_eq!(head.value("x-long-39").unwrap().len(), 500);
}
