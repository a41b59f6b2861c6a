//! HTTP/2 from members: the same gateway as over HTTP/1.1, with the limits that streams need.

mod floods;
mod frames;
mod limits;
mod patience;
mod unasked;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};

use crate::support::http2::Http2;
use crate::support::raw::exchange;
use crate::support::secure::{Secure, Wanted};
use crate::support::upstream::{Act, Recorder};

/// A request to the site's own host.
fn request(site: &Secure, method: &str, target: &str) -> http::request::Builder {
    Request::builder().method(method).uri(format!("https://localhost:{}{target}", site.address.port()))
}

async fn status(client: &Http2, request: Request<()>) -> StatusCode {
    client.send(request, Bytes::new(), None).await.unwrap().0.status()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_signs_in_over_http_2_and_the_application_sees_http_1() {
    let upstream = Recorder::always([Act::ok("the forum")]).await;
    let site =
        Secure::before(upstream.address(), Wanted { access: "default = \"login\"", ..Wanted::DEFAULT }).await;
    site.gateway.add_member("alice", "correct horse battery", &[]).await;
    let mut browser = site.browser();
    let page = browser.get("/viewtopic.php?t=1").await;
    page.assert_status(200);
    let fields = [("username", "alice"), ("password", "correct horse battery")];
    let page = browser.submit(&page, "/.passgate/login", &fields).await;
    page.assert_status(200).assert_says("the forum");
    assert_eq!(page.url.path(), "/viewtopic.php");
    let head = upstream.only_head();
    assert_eq!(head.start_line(), "GET /viewtopic.php?t=1 HTTP/1.1");
    assert_eq!(head.value("host"), Some(format!("localhost:{}", site.address.port())));
    assert_eq!(head.value("remote-user").as_deref(), Some("alice"));
    assert_eq!(head.value("x-forwarded-proto").as_deref(), Some("https"));
    assert_eq!(head.value("cookie"), None, "the session cookie is ours");
}

#[tokio::test(flavor = "multi_thread")]
async fn cookie_crumbs_are_joined_before_anybody_reads_them() {
    let upstream = Recorder::always([Act::ok("the forum")]).await;
    let site =
        Secure::before(upstream.address(), Wanted { access: "default = \"login\"", ..Wanted::DEFAULT }).await;
    let alice = site.gateway.add_member("alice", "correct horse battery", &[]).await;
    let session = site.gateway.cookie_of(&alice).await.replace("passgate=", "__Host-passgate=");
    let client = site.http2("localhost").await;
    let asked = request(&site, "GET", "/")
        .header("cookie", "a=1")
        .header("cookie", &session)
        .header("cookie", "b=2; c=3");
    assert_eq!(status(&client, asked.body(()).unwrap()).await, 200);
    assert_eq!(upstream.only_head().values("cookie"), ["a=1; b=2; c=3"]);
    let twice = request(&site, "GET", "/").header("cookie", &session).header("cookie", format!("{session}x"));
    assert_eq!(status(&client, twice.body(()).unwrap()).await, 401, "two sessions are none");
}

#[tokio::test(flavor = "multi_thread")]
async fn h2_08_a_shared_connection_gives_each_host_its_own_rules_and_no_other_hosts() {
    let upstream = Recorder::always([Act::ok("the forum")]).await;
    let wanted = Wanted {
        certificates: &[&["localhost", "second.example"]],
        server: "hosts = [\"second.example\", \"third.example\"]",
        access: "default = \"guest\"\n[[access.rule]]\nhost = \"second.example\"\nrequire = \"login\"",
        ..Wanted::DEFAULT
    };
    let site = Secure::before(upstream.address(), wanted).await;
    let client = site.http2("localhost").await;
    for (host, expected) in [
        ("localhost", 200),
        ("second.example", 401),
        ("third.example", 421),
        ("nobody.example", 421),
        ("LOCALHOST", 200),
    ] {
        let asked = Request::get(format!("https://{host}/")).body(()).unwrap();
        assert_eq!(status(&client, asked).await, expected, "{host}");
    }
    assert_eq!(upstream.request_heads().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn hdr_02_identity_headers_and_forwarding_fields_are_dropped_over_http_2() {
    let upstream = Recorder::always([Act::ok("the forum")]).await;
    let site = Secure::before(upstream.address(), Wanted::DEFAULT).await;
    let client = site.http2("localhost").await;
    let mut asked = request(&site, "GET", "/");
    for name in [
        "remote-user",
        "remote_user",
        "remote.user",
        "remoteuser",
        "x-forwarded-for",
        "x-real-ip",
        "forwarded",
        "proxy",
        "x_gateway_secret",
    ] {
        asked = asked.header(name, "evil");
    }
    assert_eq!(status(&client, asked.body(()).unwrap()).await, 200);
    assert!(!upstream.only_head().text().contains("evil"), "{}", upstream.only_head().text());
}

#[tokio::test(flavor = "multi_thread")]
async fn hdr_02_fields_for_the_next_hop_alone_do_not_reach_the_application_over_http_2() {
    let upstream = Recorder::always([Act::ok("the forum")]).await;
    let site = Secure::before(upstream.address(), Wanted::DEFAULT).await;
    let client = site.http2("localhost").await;
    for (method, body) in [("GET", ""), ("POST", "text")] {
        for (name, value) in [
            ("proxy-authenticate", "Basic"),
            ("proxy-authorization", "Basic YTpi"),
            ("proxy-authentication-info", "x"),
            ("proxy-status", "x"),
            ("proxy", "http://evil.example"),
            ("http2-settings", "AAMAAABkAAQAAP__"),
            ("te", "trailers"),
            ("trailer", "remote-user"),
        ] {
            let asked = request(&site, method, "/").header(name, value).body(()).unwrap();
            let (answer, _) = client.send(asked, body.into(), None).await.unwrap();
            assert_eq!(answer.status(), 200, "{method} {name}");
            let head = upstream.request_heads().pop().unwrap();
            assert_eq!(head.value(name), None, "{method} {name}");
        }
        // Those that HTTP/2 has no use for at all make a request malformed (RFC 9113 §8.2.2).
        let before = upstream.request_heads().len();
        for (name, value) in [
            ("connection", "remote-user"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "keep-alive"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("te", "gzip"),
        ] {
            let asked = request(&site, method, "/").header(name, value).body(()).unwrap();
            assert!(client.send(asked, body.into(), None).await.is_err(), "{method} {name}");
        }
        assert_eq!(upstream.request_heads().len(), before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn h1_17_trailer_fields_of_requests_end_at_the_gateway_and_te_with_them() {
    let upstream = Recorder::always([Act::ok("the forum")]).await;
    let site = Secure::before(upstream.address(), Wanted::DEFAULT).await;
    let client = site.http2("localhost").await;
    let mut trailers = HeaderMap::new();
    trailers.insert("remote-user", "evil".parse().unwrap());
    trailers.insert("x-checksum", "1a".parse().unwrap());
    let asked = request(&site, "POST", "/posting.php").header("te", "trailers").body(()).unwrap();
    let (answer, _) = client.send(asked, Bytes::from_static(b"text"), Some(trailers)).await.unwrap();
    assert_eq!(answer.status(), 200);
    let heard = upstream.records().requests.remove(0);
    assert_eq!((heard.body.bytes.as_slice(), heard.body.trailers.len()), (&b"text"[..], 0));
    assert_eq!(heard.head.value("te"), None);
    assert_eq!(heard.head.value("transfer-encoding").as_deref(), Some("chunked"));
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_pass_in_both_directions_many_at_once() {
    let upstream = Recorder::on_request(|heard| {
        let body = &heard.body.bytes;
        let mut answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
        answer.extend_from_slice(body);
        vec![Act::Send(answer)]
    })
    .await;
    let site = Secure::before(upstream.address(), Wanted::DEFAULT).await;
    let client = site.http2("localhost").await;
    let exchanges = (0..40u32).map(|number| {
        let body: Bytes = number.to_be_bytes().repeat(50_000).into();
        let asked = request(&site, "POST", "/upload");
        let asked = if number % 2 == 0 { asked.header("content-length", body.len()) } else { asked };
        let client = Http2(client.0.clone());
        tokio::spawn(async move {
            let (answer, _) = client.send(asked.body(()).unwrap(), body.clone(), None).await.unwrap();
            assert_eq!(answer.status(), 200);
            assert!(answer.body() == &body, "{number}");
        })
    });
    for exchange in exchanges.collect::<Vec<_>>() {
        exchange.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_off_answer_resets_its_stream_and_no_other() {
    let upstream = Recorder::on_request(|heard| match heard.head.start_line().contains("/broken") {
        true => vec![Act::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc".to_vec()), Act::Close],
        false => vec![Act::ok("fine")],
    })
    .await;
    let site = Secure::before(upstream.address(), Wanted::DEFAULT).await;
    let client = site.http2("localhost").await;
    for _ in 0..3 {
        let asked = request(&site, "GET", "/broken").body(()).unwrap();
        let broken = client.send(asked, Bytes::new(), None).await;
        if let Ok((answer, _)) = broken {
            assert_eq!(answer.status(), 502);
        }
        assert_eq!(status(&client, request(&site, "GET", "/").body(()).unwrap()).await, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_for_one_connection_only_do_not_come_back_over_http_2() {
    let answer = "HTTP/1.1 200 OK\r\nConnection: Upgrade, X-Mine\r\nUpgrade: h2,h2c\r\nKeep-Alive: timeout=5\r\nX-Mine: 1\r\n\
                  Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx-trailer: 1\r\n\r\n";
    let upstream = Recorder::always([Act::Send(answer.into())]).await;
    let site = Secure::before(upstream.address(), Wanted::DEFAULT).await;
    let asked = request(&site, "GET", "/").header("te", "trailers").body(()).unwrap();
    let (answer, trailers) = site.http2("localhost").await.send(asked, Bytes::new(), None).await.unwrap();
    assert_eq!(answer.body(), "ok");
    for name in ["connection", "upgrade", "keep-alive", "transfer-encoding"] {
        assert!(!answer.headers().contains_key(name), "{name}");
    }
    assert_eq!(answer.headers().get_all("strict-transport-security").iter().count(), 1);
    assert!(trailers.is_none(), "they are not carried over HTTP/2");
}

#[tokio::test(flavor = "multi_thread")]
async fn h2_05_too_many_fields_are_refused_and_too_long_ones_too() {
    let upstream = Recorder::always([Act::ok("the forum")]).await;
    let site = Secure::before(upstream.address(), Wanted::DEFAULT).await;
    let client = site.http2("localhost").await;
    for (count, expected) in [(90, 200), (101, 431)] {
        for name in ["cookie", "x-a"] {
            let asked = (0..count)
                .fold(request(&site, "GET", "/"), |asked, at| asked.header(name, format!("a{at}=b")));
            assert_eq!(status(&client, asked.body(()).unwrap()).await, expected, "{count} {name}");
        }
    }
    let long = request(&site, "GET", "/").header("x-long", "v".repeat(33 * 1024)).body(()).unwrap();
    assert_eq!(status(&client, long).await, 431);
    let long = request(&site, "GET", "/").header("x-long", "v".repeat(31 * 1024)).body(()).unwrap();
    assert_eq!(status(&client, long).await, 200);
    assert_eq!(upstream.request_heads().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn path_07_h2_11_methods_that_are_not_let_through_are_not_over_http_2_either() {
    let upstream = Recorder::always([Act::ok("the forum")]).await;
    let site = Secure::before(upstream.address(), Wanted::DEFAULT).await;
    let client = site.http2("localhost").await;
    for (method, expected) in [("TRACE", 405), ("TRACK", 405), ("get", 405), ("PURGE", 405), ("OPTIONS", 200)]
    {
        assert_eq!(
            status(&client, request(&site, method, "/").body(()).unwrap()).await,
            expected,
            "{method}"
        );
    }
    let connect = Request::connect("localhost:443").body(()).unwrap();
    assert_eq!(status(&client, connect).await, 405);
    assert_eq!(upstream.request_heads().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn h2_09_http_2_begins_by_tls_alone() {
    let upstream = Recorder::always([Act::ok("the forum")]).await;
    let site = Secure::before(upstream.address(), Wanted::DEFAULT).await;
    let preface = [crate::support::http2::Frames::PREFACE, &[0, 0, 0, 4, 0, 0, 0, 0, 0]].concat();
    for over_tls in [false, true] {
        let connect = || async {
            match over_tls {
                true => site.connect("localhost").await.unwrap(),
                false => crate::support::raw::RawClient::connect(site.gateway.address).await,
            }
        };
        let mut client = connect().await;
        client.send(&preface).await.unwrap();
        let answer = client.rest().await.unwrap_or_default();
        assert!(
            answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"),
            "{}",
            String::from_utf8_lossy(&answer)
        );
        let upgrade = format!(
            "GET / HTTP/1.1\r\nHost: localhost:{}\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
            site.address.port()
        );
        let reply = connect().await.exchange(upgrade).await.unwrap();
        assert_eq!(reply.status(), 200, "served as if it had not asked");
        let head = upstream.request_heads().pop().unwrap();
        assert_eq!((head.value("upgrade"), head.value("http2-settings")), (None, None));
    }
    let reply = exchange(site.gateway.address, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    assert_eq!(reply.status(), 200);
}
