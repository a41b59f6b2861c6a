//! The support code is tested as well: what it records and reports is what happened.

use std::sync::Arc;

use http::Method;
use tokio::sync::Notify;

use crate::support::browser::Browser;
use crate::support::raw::{self, RawClient};
use crate::support::upstream::{Act, Recorder};

const GET: &str = "GET /a?b;c[] HTTP/1.1\r\nHost: x\r\nX-Odd:  two  blanks \r\n\r\n";

#[tokio::test]
async fn every_byte_is_recorded_as_it_came() {
    let recorder = Recorder::always([Act::ok("hello")]).await;
    let mut client = RawClient::connect(recorder.address()).await;
    let post =
        "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nX-T: 1\r\n\r\n";
    assert_eq!(client.exchange(GET).await.unwrap().text(), "hello");
    assert_eq!(recorder.only_head().value("x-odd").unwrap(), "two  blanks");
    assert_eq!(client.exchange(post).await.unwrap().text(), "hello");
    drop(client);
    let records =
        recorder.wait_until("the end", |records| records.connections.iter().all(|one| one.is_over)).await;
    assert_eq!(records.connections.len(), 1);
    assert_eq!(records.connections[0].bytes, format!("{GET}{post}").into_bytes());
    assert_eq!(records.requests[1].body.bytes, b"abc");
    assert_eq!(records.requests[1].body.trailers, [("X-T".to_owned(), "1".to_owned())]);
    assert_eq!((records.requests[1].connection, records.requests[1].number), (0, 1));
    let heads = recorder.request_heads();
    assert_eq!(heads[0].start_line(), "GET /a?b;c[] HTTP/1.1");
    assert_eq!(heads[0].lines()[1], ("X-Odd".to_owned(), "two  blanks".to_owned()));
}

#[tokio::test]
async fn an_upstream_can_misbehave_on_purpose() {
    let closing = Recorder::always([Act::Close]).await;
    assert!(raw::exchange(closing.address(), GET).await.is_err());
    assert_eq!(closing.connections().len(), 1);
    let resetting = Recorder::always([Act::Reset]).await;
    let error = raw::exchange(resetting.address(), GET).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    let garbage = Recorder::always([Act::Send(b"\0\xff\r\n\r\n".to_vec()), Act::Close]).await;
    assert!(raw::exchange(garbage.address(), GET).await.unwrap_err().to_string().contains("no status line"));
    let short =
        Recorder::always([Act::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab".to_vec()), Act::Close]);
    assert!(raw::exchange(short.await.address(), GET).await.is_err());
}

#[tokio::test]
async fn a_script_decides_by_request_and_waits_for_the_test() {
    let gate = Arc::new(Notify::new());
    let told = Arc::clone(&gate);
    let recorder = Recorder::on_request(move |heard| match heard.number {
        0 => vec![
            Act::Send(b"HTTP/1.1 103 Early Hints\r\n\r\n".to_vec()),
            Act::Await(Arc::clone(&told)),
            Act::ok("1"),
        ],
        _ => vec![Act::Silence],
    })
    .await;
    let mut client = RawClient::connect(recorder.address()).await;
    client.send(GET).await.unwrap();
    recorder.wait_until("the request", |records| records.requests.len() == 1).await;
    gate.notify_one();
    let reply = client.reply_to("GET").await.unwrap();
    assert_eq!((reply.interim[0].status(), reply.text().as_str()), (103, "1"));
    client.send(GET).await.unwrap();
    recorder.wait_until("the second request", |records| records.requests.len() == 2).await;
    client.finish().await.unwrap();
    assert!(client.rest().await.unwrap().is_empty(), "not a word");
}

#[tokio::test]
async fn acts_may_come_before_the_body_and_echo_after_an_upgrade() {
    let hundred = Act::Send(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec());
    let early = Recorder::on_head(move |_| vec![hundred.clone(), Act::ok("early")]).await;
    let mut client = RawClient::connect(early.address()).await;
    client.send("POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\n").await.unwrap();
    let reply = client.reply_to("POST").await.unwrap();
    assert_eq!((reply.interim.len(), reply.text().as_str()), (1, "early"));
    let switching = Act::Send(b"HTTP/1.1 101 Switching Protocols\r\n\r\n".to_vec());
    let echo = Recorder::always([switching, Act::Echo]).await;
    let mut client = RawClient::connect(echo.address()).await;
    assert_eq!(client.exchange(GET).await.unwrap().status(), 101);
    client.send("raw \0 bytes").await.unwrap();
    assert_eq!(client.receive(11).await.unwrap(), b"raw \0 bytes");
}

#[tokio::test]
async fn a_browser_says_what_browsers_say_and_follows_redirects() {
    let recorder = Recorder::on_request(|heard| {
        let is_start = heard.head.start_line().contains("/start");
        let moved = "HTTP/1.1 302 Found\r\nLocation: /there?x=1;y\r\nSet-Cookie: a[b]=1|; path=/\r\nContent-Length: 0\r\n\r\n";
        vec![if is_start { Act::Send(moved.into()) } else { Act::ok("there") }]
    })
    .await;
    let mut browser = Browser::new(recorder.address(), "https://forum.test");
    let page = browser.post_form("/start", &[("name", "a b&c")]).await;
    assert_eq!((page.text().as_str(), page.target(), page.chain.len()), ("there", "/there?x=1;y", 1));
    let requests = recorder.records().requests;
    assert_eq!(requests.len(), 2);
    let (post, get) = (&requests[0], &requests[1]);
    assert_eq!(post.body.bytes, b"name=a+b%26c");
    assert_eq!(post.head.value("host").unwrap(), "forum.test");
    assert_eq!(post.head.value("origin").unwrap(), "https://forum.test");
    assert_eq!(post.head.value("sec-fetch-site").unwrap(), "same-origin");
    assert_eq!(post.head.value("cookie"), None);
    assert_eq!(get.head.start_line(), "GET /there?x=1;y HTTP/1.1");
    assert_eq!(get.head.value("cookie").unwrap(), "a[b]=1|");
    assert_eq!((get.head.value("origin"), get.head.value("content-type")), (None, None));
    assert_eq!(recorder.connections().len(), 1, "the connection is kept");
    let away = Act::Send(
        b"HTTP/1.1 302 Found\r\nLocation: https://evil.test/\r\nContent-Length: 0\r\n\r\n".to_vec(),
    );
    let leading = Recorder::always([away]).await;
    let page = Browser::at(leading.address()).get("/").await;
    assert_eq!(page.assert_status(302).redirect().unwrap().as_str(), "https://evil.test/");
}

#[tokio::test]
async fn a_browser_opens_a_new_connection_when_the_kept_one_is_gone() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let recorder = Recorder::always([Act::Send(answer.into()), Act::Close]).await;
    let mut browser = Browser::at(recorder.address());
    browser.get("/").await;
    recorder.wait_until("the end", |records| records.connections[0].is_over).await;
    browser.jar.put("by", "hand");
    browser.get("/again").await;
    let heads = recorder.request_heads();
    assert_eq!(heads.last().unwrap().value("cookie").unwrap(), "by=hand");
    browser.jar.restart();
    assert!(browser.jar.find("by").is_none(), "it was for the window only");
    browser.jar.put("by", "hand");
    browser.jar.clear();
    let changed = [("sec-fetch-site", "cross-site"), ("user-agent", "")];
    browser.ask(Method::POST, "/", &changed, "x=1").await;
    let heads = recorder.request_heads();
    let head = heads.last().unwrap();
    assert_eq!(
        (head.value("sec-fetch-site").as_deref(), head.value("user-agent")),
        (Some("cross-site"), None)
    );
    assert_eq!(head.value("cookie"), None);
}
