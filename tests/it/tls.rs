//! TLS of the gateway's own: who is shown which certificate, which requests may come on which connection, what becomes of
//! requests in the clear, and how certificates are renewed.

use std::fs;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ClientConnection, HandshakeKind, ProtocolVersion};

use crate::support::raw::{RawClient, exchange};
use crate::support::secure::{Secure, Wanted};
use crate::support::soon;
use crate::support::tls::Holds;
use crate::support::upstream::{Act, Recorder};

async fn forum() -> Recorder {
    Recorder::always([Act::ok("the forum")]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_served_over_tls_and_the_application_hears_of_https() {
    let upstream = forum().await;
    let site = Secure::before(upstream.address(), Wanted::DEFAULT).await;
    let mut client = site.connect("localhost").await.unwrap();
    for _ in 0..2 {
        let reply = client.exchange(site.request("localhost", "/viewtopic.php?t=1")).await.unwrap();
        assert_eq!((reply.status(), reply.text().as_str()), (200, "the forum"));
    }
    let heads = upstream.request_heads();
    assert_eq!(heads[0].value("x-forwarded-proto").as_deref(), Some("https"));
    assert_eq!(heads[0].value("x-forwarded-port"), Some(site.address.port().to_string()));
    assert_eq!(heads[0].value("x-forwarded-for").as_deref(), Some("127.0.0.1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_01_the_profile_says_which_versions_are_spoken() {
    let upstream = forum().await;
    for (profile, of_1_2) in [("intermediate", true), ("modern", false)] {
        let tls = format!("profile = \"{profile}\"");
        let site = Secure::before(upstream.address(), Wanted { tls: &tls, ..Wanted::DEFAULT }).await;
        for (version, spoken) in [(&TLS12, of_1_2), (&TLS13, true)] {
            let stream = site.client().only(version).connect(site.address, Some("localhost")).await;
            assert_eq!(stream.is_ok(), spoken, "{profile} {version:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_name_is_shown_its_own_certificate_the_most_exact_first() {
    let upstream = forum().await;
    let certificates: &[&[&str]] = &[&["*.a.example", "localhost"], &["x.a.example"], &["b.example"]];
    let site = Secure::before(upstream.address(), Wanted { certificates, ..Wanted::DEFAULT }).await;
    for (name, file) in
        [("y.a.example", "c0"), ("x.a.example", "c1"), ("B.example", "c2"), ("localhost", "c0")]
    {
        let stream = site.client().connect(site.address, Some(name)).await.unwrap();
        let (_, session) = stream.get_ref();
        assert_eq!(session.protocol_version(), Some(ProtocolVersion::TLSv1_3));
        let shown = pem(session.peer_certificates().unwrap()[0].as_ref());
        let text = fs::read_to_string(site.folder.path().join(format!("{file}.pem"))).unwrap();
        assert!(without_lines(&text).contains(&shown), "{name} is shown another than {file}");
    }
}

/// The content of a PEM file with one certificate.
fn pem(der: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(der)
}

fn without_lines(text: &str) -> String {
    text.replace(['\r', '\n'], "")
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_02_whoever_names_no_known_host_gets_an_alert_and_no_certificate() {
    let upstream = forum().await;
    let site = Secure::before(upstream.address(), Wanted::DEFAULT).await;
    for name in [Some("other.example"), Some("xlocalhost"), None] {
        let error = site.client().connect(site.address, name).await.unwrap_err().to_string();
        assert!(error.contains("fatal alert"), "{name:?}: {error}");
    }
    let site = Secure::before(
        upstream.address(),
        Wanted {
            certificates: &[&["localhost", "127.0.0.1"]],
            certificate: "default = true",
            ..Wanted::DEFAULT
        },
    )
    .await;
    let stream = site.client().connect(site.address, None).await.unwrap();
    let reply = RawClient::over(stream).exchange(site.request("localhost", "/")).await.unwrap();
    assert_eq!(reply.status(), 200, "the certificate that is meant for those who name no host");
    let error = site.client().connect(site.address, Some("other.example")).await.unwrap_err().to_string();
    assert!(error.contains("not valid for name"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_02_a_request_for_another_host_than_the_connections_is_misdirected() {
    let upstream = forum().await;
    let wanted = Wanted {
        certificates: &[&["localhost", "second.example"]],
        server: "hosts = [\"second.example\", \"third.example\"]",
        ..Wanted::DEFAULT
    };
    let site = Secure::before(upstream.address(), wanted).await;
    for (name, host, status) in [
        ("localhost", "localhost", 200),
        ("second.example", "second.example", 200),
        ("localhost", "LOCALHOST", 200),
        ("localhost", "second.example", 421),
        ("second.example", "localhost", 421),
        ("localhost", "third.example", 421),
        ("localhost", "nobody.example", 421),
        ("localhost", "127.0.0.1", 421),
    ] {
        let mut client = site.connect(name).await.unwrap();
        let reply = client.exchange(site.request(host, "/")).await.unwrap();
        assert_eq!(reply.status(), status, "{name} {host}");
        assert_eq!(reply.text().contains("forum"), status == 200);
    }
    assert_eq!(upstream.request_heads().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn web_05_every_answer_over_tls_says_hsts_once_and_none_where_it_is_off() {
    let upstream = Recorder::on_request(|heard| {
        let own = "HTTP/1.1 200 OK\r\nStrict-Transport-Security: max-age=1\r\n";
        vec![match heard.head.start_line().as_str() {
            "GET /own HTTP/1.1" => Act::Send(format!("{own}Content-Length: 0\r\n\r\n").into()),
            "GET /twice HTTP/1.1" => Act::Send(
                format!("{own}Strict-Transport-Security: max-age=2\r\nContent-Length: 0\r\n\r\n").into(),
            ),
            "GET /broken HTTP/1.1" => Act::Close,
            _ => Act::ok("fine"),
        }]
    })
    .await;
    let access = "default = \"guest\"\n[[access.rule]]\npath = \"/closed\"\n[[access.rule]]\npath = \"/denied\"\nrequire = \"deny\"";
    let targets = [
        ("/", 200, "max-age=31536000"),
        ("/own", 200, "max-age=1"),
        ("/twice", 200, "max-age=1"),
        ("/broken", 502, "max-age=31536000"),
        ("/closed", 401, "max-age=31536000"),
        ("/denied", 403, "max-age=31536000"),
        ("/a%2fb/../c", 400, "max-age=31536000"),
        ("/.passgate/login", 200, "max-age=31536000"),
        ("/.passgate/nothing", 404, "max-age=31536000"),
    ];
    let site = Secure::before(upstream.address(), Wanted { access, ..Wanted::DEFAULT }).await;
    for (target, status, value) in targets {
        let mut client = site.connect("localhost").await.unwrap();
        let reply = client.exchange(site.request("localhost", target)).await.unwrap();
        assert_eq!(
            (reply.status(), reply.head.values("strict-transport-security")),
            (status, vec![value.to_owned()]),
            "{target}"
        );
    }
    for (request, status) in [
        ("GET / HTTP/1.1\r\nHost: localhost\r\nA\x01: b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        // Which the engine would answer by itself.
        ("GET http://other.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        ("POST http://other.example/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n", 400),
        ("GET http://alice@localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        ("GET / HTTP/1.9\r\nHost: localhost\r\n\r\n", 505),
        ("POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", 400),
    ] {
        let reply = site.connect("localhost").await.unwrap().exchange(request).await.unwrap();
        let said = reply.head.values("strict-transport-security");
        assert_eq!((reply.status(), said), (status, vec!["max-age=31536000".to_owned()]), "{request:?}");
        let plain = exchange(site.gateway.address, request).await.unwrap();
        assert!(plain.head.values("strict-transport-security").is_empty(), "in the clear nobody says it");
    }
    let mut client = site.connect("localhost").await.unwrap();
    let foreign = client.exchange(site.request("other.example", "/")).await.unwrap();
    assert_eq!((foreign.status(), foreign.head.values("strict-transport-security").len()), (421, 1));

    let site =
        Secure::before(upstream.address(), Wanted { access, tls: "hsts = \"0s\"", ..Wanted::DEFAULT }).await;
    for target in ["/", "/closed", "/.passgate/login"] {
        let mut client = site.connect("localhost").await.unwrap();
        let reply = client.exchange(site.request("localhost", target)).await.unwrap();
        assert!(reply.head.values("strict-transport-security").is_empty(), "{target}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn web_09_in_the_clear_pages_lead_to_the_public_origin_and_everything_else_is_refused() {
    let upstream = forum().await;
    let wanted = Wanted {
        tls: "redirect = true",
        server: "aliases = [\"www.example\"]",
        access: "default = \"guest\"",
        ..Wanted::DEFAULT
    };
    let site = Secure::before(upstream.address(), wanted).await;
    let html = "Accept: text/html\r\n";
    let origin = format!("https://localhost:{}", site.address.port());
    for (line, host, fields, status, location) in [
        ("GET /viewtopic.php?t=1&a=%C3%A9", "localhost", html, 301, "/viewtopic.php?t=1&a=%C3%A9"),
        ("HEAD /", "localhost", html, 301, "/"),
        ("GET /.passgate/login", "localhost", html, 301, "/.passgate/login"),
        ("GET /x", "www.example", html, 301, "/x"),
        ("GET //evil.example", "localhost", html, 301, "/evil.example"),
        ("GET /x", "evil.example", html, 421, ""),
        ("GET /api", "localhost", "Accept: application/json\r\n", 403, ""),
        ("POST /posting.php", "localhost", "Accept: text/html\r\nContent-Length: 1000000\r\n", 403, ""),
        ("POST /.passgate/login", "localhost", "Accept: text/html\r\nContent-Length: 1000000\r\n", 403, ""),
        ("DELETE /x", "localhost", html, 403, ""),
        ("GET /a%2fb", "localhost", html, 400, ""),
    ] {
        let request = format!("{line} HTTP/1.1\r\nHost: {host}\r\nCookie: __Host-passgate=x\r\n{fields}\r\n");
        let reply = exchange(site.gateway.address, &request).await.unwrap();
        let led = reply.head.value("location").unwrap_or_default();
        let wanted = if location.is_empty() { String::new() } else { format!("{origin}{location}") };
        assert_eq!((reply.status(), led), (status, wanted), "{request}");
        for name in ["set-cookie", "strict-transport-security"] {
            assert!(reply.head.values(name).is_empty(), "{name} for {request}");
        }
    }
    assert!(upstream.connections().is_empty(), "nothing reaches the application");
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_06_what_is_no_handshake_is_closed_and_others_are_served() {
    let upstream = forum().await;
    let site = Secure::before(upstream.address(), Wanted::DEFAULT).await;
    let long = "x".repeat(100_000);
    for garbage in
        ["GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "\0\0\0\0", &long]
    {
        let mut stream = TcpStream::connect(site.address).await.unwrap();
        let _ = stream.write_all(garbage.as_bytes()).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        // Broken off is closed, too.
        let _ = soon("the end of the connection", stream.read_to_end(&mut answer)).await;
        assert!(answer.len() <= 7, "an alert at most: {answer:?}");
    }
    // The first record of a handshake, where none is spoken.
    let hello = [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], &[7; 512]].concat();
    let mut client = RawClient::connect(site.gateway.address).await;
    client.send(&hello).await.unwrap();
    client.finish().await.unwrap();
    let answer = client.rest().await.unwrap_or_default();
    assert!(
        answer.is_empty() || answer.starts_with(b"HTTP/1.1 400 "),
        "{}",
        String::from_utf8_lossy(&answer)
    );
    let reply = site.connect("localhost").await.unwrap().exchange(site.request("localhost", "/")).await;
    assert_eq!(reply.unwrap().status(), 200);
    assert_eq!(upstream.request_heads().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_05_a_handshake_that_does_not_come_on_is_closed() {
    let upstream = forum().await;
    let tls = "handshake_timeout = \"300ms\"";
    let site = Secure::before(upstream.address(), Wanted { tls, ..Wanted::DEFAULT }).await;
    for start in [&b""[..], b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"] {
        let mut stream = TcpStream::connect(site.address).await.unwrap();
        stream.write_all(start).await.unwrap();
        let mut answer = Vec::new();
        let end = soon("the end of the connection", stream.read_to_end(&mut answer)).await;
        assert!(end.is_ok() || end.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rel_04_whoever_is_one_too_many_is_told_inside_tls_as_well() {
    let upstream = forum().await;
    for (limit, word) in [("most = 2", "going on"), ("most_per_address = 2", "from your address")] {
        let limit = format!("[connections]\n{limit}\n");
        let site =
            Secure::before(upstream.address(), Wanted { certificate: &limit, ..Wanted::DEFAULT }).await;
        let mut served = Vec::new();
        for _ in 0..2 {
            let mut client = site.connect("localhost").await.unwrap();
            assert_eq!(client.exchange(site.request("localhost", "/")).await.unwrap().status(), 200);
            served.push(client);
        }
        let both = site.authority.client().offering(&["h2", "http/1.1"]);
        let stream = both.connect(site.address, Some("localhost")).await.unwrap();
        let reply = RawClient::over(stream).exchange(site.request("localhost", "/")).await.unwrap();
        assert_eq!((reply.status(), reply.text().contains(word)), (503, true), "{}", reply.text());
        assert_eq!(reply.head.values("strict-transport-security").len(), 1);
        let silent = TcpStream::connect(site.address).await.unwrap();
        drop(served);
        // A place is free once the gateway has noticed; whoever does not shake hands takes none.
        soon("a place", async {
            loop {
                let reply =
                    site.connect("localhost").await.unwrap().exchange(site.request("localhost", "/")).await;
                if reply.unwrap().status() == 200 {
                    break;
                }
            }
        })
        .await;
        drop(silent);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_03_twenty_reloads_with_new_certificates_lose_no_request() {
    let upstream = forum().await;
    let site = Arc::new(Secure::before(upstream.address(), Wanted::DEFAULT).await);
    let over = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..4)
        .map(|number| {
            let (site, over) = (Arc::clone(&site), Arc::clone(&over));
            tokio::spawn(async move {
                let mut served = 0;
                let mut client = site.connect("localhost").await.unwrap();
                while !over.load(Ordering::Relaxed) {
                    // Some keep their connection, the others shake hands each time.
                    if number % 2 == 0 {
                        client = site.connect("localhost").await.unwrap();
                    }
                    let reply = client.exchange(site.request("localhost", "/")).await.unwrap();
                    assert_eq!(reply.status(), 200);
                    served += 1;
                }
                served
            })
        })
        .collect();
    for _ in 0..20 {
        site.authority.issue(&["localhost"], Holds::ForLong, site.folder.path(), "c0");
        site.gateway.running.reload(&site.configuration()).await.unwrap();
        assert_eq!(shown(&site).await, of_file(&site), "the new one is shown at once");
    }
    over.store(true, Ordering::Relaxed);
    for client in clients {
        assert!(client.await.unwrap() > 0);
    }
}

async fn shown(site: &Secure) -> String {
    let stream = site.client().connect(site.address, Some("localhost")).await.unwrap();
    pem(stream.get_ref().1.peer_certificates().unwrap()[0].as_ref())
}

fn of_file(site: &Secure) -> String {
    let text = without_lines(&fs::read_to_string(site.folder.path().join("c0.pem")).unwrap());
    let first = text.split("-----END").next().unwrap();
    first.trim_start_matches("-----BEGIN CERTIFICATE-----").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_03_changed_files_are_read_again_by_themselves_and_a_broken_pair_keeps_the_old() {
    use passgate::server::Renewal;

    let upstream = forum().await;
    let site = Secure::before(upstream.address(), Wanted::DEFAULT).await;
    let running = &site.gateway.running;
    let first = shown(&site).await;
    assert!(matches!(running.renew_certificates(), Some(Renewal::Unchanged)));
    let key = site.folder.path().join("c0.key");
    let old_key = fs::read(&key).unwrap();
    site.authority.issue(&["localhost"], Holds::ForLong, site.folder.path(), "c0");
    let new_key = fs::read(&key).unwrap();
    for broken in [&old_key[..], b"no key"] {
        fs::write(&key, broken).unwrap();
        assert!(matches!(running.renew_certificates(), Some(Renewal::Refused(_))));
        assert_eq!(shown(&site).await, first);
    }
    fs::write(&key, new_key).unwrap();
    assert!(matches!(running.renew_certificates(), Some(Renewal::Renewed)));
    assert_eq!(shown(&site).await, of_file(&site));
    assert_ne!(shown(&site).await, first);
    assert!(matches!(running.renew_certificates(), Some(Renewal::Unchanged)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_listener_tells_when_certificates_run_out() {
    let upstream = forum().await;
    let site = Secure::before(upstream.address(), Wanted::DEFAULT).await;
    let admin = site.gateway.running.admin_address.unwrap();
    let metrics = exchange(admin, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap().text();
    let line =
        metrics.lines().find(|line| line.starts_with("passgate_certificate_expiry_seconds{file=")).unwrap();
    let seconds: u64 = line.rsplit(' ').next().unwrap().parse().unwrap();
    assert!(seconds > 1_800_000_000, "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_04_a_connection_is_taken_up_again_and_no_request_comes_before_its_handshake() {
    let upstream = forum().await;
    let site = Secure::before(upstream.address(), Wanted::DEFAULT).await;
    let mut config = site.client().only(&TLS13).config();
    config.enable_early_data = true;
    let (config, name) = (Arc::new(config), ServerName::try_from("localhost").unwrap());
    for resumed in [HandshakeKind::Full, HandshakeKind::Resumed] {
        // None but a client that has been told that it may have any.
        assert!(ClientConnection::new(Arc::clone(&config), name.clone()).unwrap().early_data().is_none());
        let stream = TcpStream::connect(site.address).await.unwrap();
        let stream = TlsConnector::from(Arc::clone(&config)).connect(name.clone(), stream).await.unwrap();
        assert_eq!(stream.get_ref().1.handshake_kind(), Some(resumed));
        let mut client = RawClient::over(stream);
        let reply = client.exchange(site.request("localhost", "/")).await.unwrap();
        assert_eq!(reply.status(), 200, "and with it came what the next one goes by");
    }
}
