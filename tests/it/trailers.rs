//! Trailer fields of chunked bodies, both ways (SECURITY: H1-17, HDR-02).

use crate::support::gateway::{Gateway, Settings};
use crate::support::raw::RawClient;
use crate::support::upstream::{Act, Recorder};
use passgate::sample::SampleForum;

const GUEST: Settings<'_> = Settings { access: "default = \"guest\"", ..Settings::NONE };
const ANSWER: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n\
                      5\r\n0\r\n\r\n\r\n3;a=b\r\nabc\r\n0\r\nX-Sum: 1\r\nSet-Cookie: a=b\r\nX-Other:  2 \r\n\r\n";

async fn before(answer: &str) -> (Recorder, Gateway, RawClient) {
    let upstream = Recorder::always([Act::Send(answer.into())]).await;
    let gateway = Gateway::with(upstream.address(), GUEST).await;
    let client = RawClient::connect(gateway.address).await;
    (upstream, gateway, client)
}

fn request(gateway: &Gateway, line: &str, fields: &str, body: &str) -> String {
    format!("{line}\r\nHost: {}\r\n{fields}\r\n{body}", gateway.host())
}

fn post(gateway: &Gateway, body: &str) -> String {
    let fields = "Transfer-Encoding: chunked\r\nTrailer: X-Sum, Remote-User\r\n";
    request(gateway, "POST / HTTP/1.1", fields, body)
}

fn owned(fields: &[(&str, &str)]) -> Vec<(String, String)> {
    fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn h1_17_trailer_fields_of_requests_arrive_and_the_connection_goes_on() {
    let (upstream, gateway, mut client) = before("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
    for sum in ["1", "2"] {
        let body = format!("5\r\n0\r\n\r\n\r\n2\r\nde\r\n000\r\nX-Sum: {sum}\r\nx_other: \"a: b\"\r\n\r\n");
        assert_eq!(client.exchange(post(&gateway, &body)).await.unwrap().text(), "ok");
        assert_eq!(client.exchange(request(&gateway, "GET / HTTP/1.1", "", "")).await.unwrap().text(), "ok");
    }
    let heard = upstream.records().requests;
    assert_eq!(heard.len(), 4);
    for (heard, sum) in
        heard.iter().filter(|heard| heard.head.start_line().starts_with("POST")).zip(["1", "2"])
    {
        assert_eq!(heard.body.bytes, b"0\r\n\r\nde");
        assert_eq!(heard.body.trailers, owned(&[("X-Sum", sum), ("x_other", "\"a: b\"")]));
        assert_eq!(heard.head.values("trailer"), ["X-Sum"]);
        assert_eq!(heard.head.values("te"), Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn h1_17_hdr_02_forbidden_trailer_fields_never_reach_the_application() {
    let (upstream, gateway, mut client) = before("HTTP/1.1 204 No\r\n\r\n").await;
    let names = [
        "Content-Length",
        "Transfer-Encoding",
        "Host",
        "Cookie",
        "Authorization",
        "Connection",
        "TE",
        "Trailer",
        "Remote-User",
        "remote_user",
        "REMOTE.USER",
        "Remote-Groups",
        "X-Forwarded-For",
        "X_Forwarded_Host",
        "Forwarded",
        "Proxy",
        "X-HTTP-Method-Override",
        "Mine",
        "Expect",
        "Content-Type",
    ];
    let evil: String = names.iter().map(|name| format!("{name}: 9\r\n")).collect();
    let few: Vec<&str> = evil.split_inclusive("\r\n").collect();
    for some in few.chunks(8) {
        let body = format!("2\r\nde\r\n0\r\nX-Sum: 1\r\n{}X-End: 2\r\n\r\n", some.concat());
        let fields = "Transfer-Encoding: chunked\r\nConnection: Mine\r\n";
        let reply = client.exchange(request(&gateway, "POST / HTTP/1.1", fields, &body)).await.unwrap();
        assert_eq!(reply.status(), 204);
    }
    let heard = upstream.records().requests;
    assert_eq!(heard.len(), 3);
    for heard in heard {
        assert_eq!(heard.body.bytes, b"de");
        assert_eq!(heard.body.trailers, owned(&[("X-Sum", "1"), ("X-End", "2")]));
        assert_eq!(heard.head.values("remote-user"), Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn h1_17_trailer_fields_that_can_not_be_read_or_are_too_many_are_dropped_and_the_body_is_whole() {
    let (upstream, gateway, mut client) = before("HTTP/1.1 204 No\r\n\r\n").await;
    let long = format!("A: {}\r\n", "x".repeat(5000));
    let many = "A: 1\r\n".repeat(17);
    for section in ["A: 1\r\n Remote-User: x\r\n", "A : 1\r\n", "A\r\n", "A: \u{7f}\r\n", &long, &many] {
        let body = format!("2\r\nde\r\n0\r\n{section}\r\n");
        assert_eq!(client.exchange(post(&gateway, &body)).await.unwrap().status(), 204, "{section:?}");
    }
    for heard in upstream.records().requests {
        assert_eq!((heard.body.bytes.as_slice(), heard.body.trailers.len()), (&b"de"[..], 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn trailer_fields_arrive_however_slowly_a_request_comes_and_after_100_continue() {
    let (upstream, gateway, mut client) = before("HTTP/1.1 204 No\r\n\r\n").await;
    let body = "2\r\nde\r\n0\r\nX-Sum: 1\r\n\r\n";
    for byte in post(&gateway, body).as_bytes() {
        client.send([*byte]).await.unwrap();
    }
    assert_eq!(client.reply_to("POST").await.unwrap().status(), 204);
    assert_eq!(upstream.records().requests[0].body.trailers, owned(&[("X-Sum", "1")]));

    let upstream = Recorder::on_head(|_| vec![Act::Send("HTTP/1.1 100 Continue\r\n\r\n".into())]).await;
    let gateway = Gateway::with(upstream.address(), GUEST).await;
    let mut client = RawClient::connect(gateway.address).await;
    let fields = "Expect: 100-continue\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\n";
    client.send(request(&gateway, "POST / HTTP/1.1", fields, "")).await.unwrap();
    assert_eq!(client.receive(13).await.unwrap(), b"HTTP/1.1 100 ");
    client.send(body).await.unwrap();
    upstream
        .wait_until("the trailer", |records| {
            records
                .connections
                .iter()
                .any(|connection| connection.bytes.ends_with(b"de\r\n0\r\nX-Sum: 1\r\n\r\n"))
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_breaks_off_does_not_become_whole() {
    let (upstream, gateway, mut client) = before("HTTP/1.1 204 No\r\n\r\n").await;
    client.send(post(&gateway, "2\r\nde\r\n0\r\nX-Sum: 1\r\n")).await.unwrap();
    upstream
        .wait_until("the data", |records| records.connections.iter().any(|c| c.bytes.ends_with(b"de\r\n")))
        .await;
    drop(client);
    let records =
        upstream.wait_until("the end", |records| records.connections.iter().all(|c| c.is_over)).await;
    assert!(records.requests.is_empty(), "{:?}", records.requests);
}

#[tokio::test(flavor = "multi_thread")]
async fn h1_17_trailer_fields_of_answers_arrive_where_the_client_wants_them() {
    let (upstream, gateway, mut client) = before(ANSWER).await;
    for (te, expected) in [
        ("TE: trailers\r\n", &[("X-Sum", "1"), ("X-Other", "2")][..]),
        ("", &[]),
        ("TE: gzip;q=0.5 , Trailers\r\nConnection: TE\r\n", &[("X-Sum", "1"), ("X-Other", "2")]),
        ("TE: gzip\r\n", &[]),
        ("TE: x-trailers\r\n", &[]),
    ] {
        let reply = client.exchange(request(&gateway, "GET / HTTP/1.1", te, "")).await.unwrap();
        assert_eq!(reply.body.bytes, b"0\r\n\r\nabc", "{te}");
        assert_eq!(reply.body.trailers, owned(expected), "{te}");
        assert_eq!(reply.head.values("trailer"), ["X-Sum"]);
    }
    let heads = upstream.request_heads();
    let told: Vec<bool> = heads.iter().map(|head| head.values("te") == ["trailers"]).collect();
    assert_eq!(told, [true, false, true, false, false]);
    assert_eq!(heads[0].values("connection"), ["TE"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_without_room_for_trailer_fields_stay_as_they_are() {
    let bodiless = "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (line, answer, body) in [
        ("HEAD / HTTP/1.1", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", &b""[..]),
        ("GET / HTTP/1.1", bodiless, b""),
        ("GET / HTTP/1.1", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", b"0\r\n\r\n"),
    ] {
        let (_upstream, gateway, mut client) = before(answer).await;
        for _ in 0..2 {
            let reply = client.exchange(request(&gateway, line, "TE: trailers\r\n", "")).await.unwrap();
            assert_eq!((reply.body.bytes.as_slice(), reply.body.trailers.len()), (body, 0), "{answer}");
        }
    }
    let (_upstream, gateway, mut client) = before(ANSWER).await;
    client.send(request(&gateway, "GET / HTTP/1.0", "TE: trailers\r\n", "")).await.unwrap();
    let all = String::from_utf8(client.rest().await.unwrap()).unwrap();
    assert!(all.ends_with("\r\n\r\n0\r\n\r\nabc"), "{all}");
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_go_both_ways_in_one_long_exchange() {
    let forum = SampleForum::bind(([127, 0, 0, 1], 0).into()).await.unwrap().spawn();
    let gateway = Gateway::with(forum.address(), GUEST).await;
    let mut client = RawClient::connect(gateway.address).await;
    let chunk = format!("10000\r\n{}\r\n", "0\r\n\r\n".repeat(13108).split_at(65536).0);
    let body = format!("{}0\r\nX-Sum: 9\r\n\r\n", chunk.repeat(256));
    let fields = "Transfer-Encoding: chunked\r\nTrailer: x-sum\r\nTE: trailers\r\n";
    let reply = client.exchange(request(&gateway, "POST /sink HTTP/1.1", fields, &body)).await.unwrap();
    assert_eq!(reply.text(), r#"{"bytes":16777216,"trailers":[["x-sum","9"]]}"#);
    let reply =
        client.exchange(request(&gateway, "GET /trailers HTTP/1.1", "TE: trailers\r\n", "")).await.unwrap();
    assert_eq!(reply.body.trailers, owned(&[("x-checksum", "1a2b3c")]));
    let long = "GET /bytes?n=16777216&chunked=1 HTTP/1.1";
    let reply = client.exchange(request(&gateway, long, "TE: trailers\r\n", "")).await.unwrap();
    assert_eq!((reply.body.bytes.len(), reply.body.trailers.len()), (16 << 20, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_words_about_a_failure_arrive_whole() {
    let (upstream, gateway, mut client) = before("no answer\r\n\r\n").await;
    let reply = client.exchange(request(&gateway, "GET / HTTP/1.1", "TE: trailers\r\n", "")).await.unwrap();
    assert_eq!((reply.status(), reply.body.trailers.len()), (502, 0));
    drop(upstream);
    let mut client = RawClient::connect(gateway.address).await;
    assert_eq!(client.exchange(post(&gateway, "0\r\nX-Sum: 1\r\n\r\n")).await.unwrap().status(), 502);
}
