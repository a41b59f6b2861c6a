//! What runs for long: WebSockets, event streams, long polls, transfers. Who may begin them, and that a member's end with the
//! session (WS-01 … WS-08, S6, S7, AUTH-13).

use std::time::Duration;

use passgate::auth::SessionToken;
use passgate::auth::app_passwords::{MadeAppPassword, NewAppPassword};
use passgate::domain::{PasskeyName, User};

use crate::support::gateway::{Gateway, Settings};
use crate::support::raw::RawClient;
use crate::support::soon;
use crate::support::upstream::{Act, Heard, Recorder, Records};

const PASSWORD: &str = "wonderland is far";
const GUEST: Settings<'_> = Settings { access: "default = \"guest\"", ..Settings::NONE };
const HANDSHAKE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const ACCEPTED: &str = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// An application with a socket that echoes, a stream of events, a poll that is never answered, and big files.
async fn application() -> Recorder {
    Recorder::on_head(|heard: &Heard| {
        let head = heard.head.text();
        match head.split(' ').nth(1).unwrap_or_default() {
            "/socket" => vec![Act::Send(ACCEPTED.into()), Act::Echo],
            "/events" => {
                let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n";
                vec![Act::Send(head.into()), Act::Silence]
            }
            "/poll" | "/upload" => vec![Act::Silence],
            "/file" => {
                let mut file =
                    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 64 << 20).into_bytes();
                file.resize(64 << 20, b'x');
                vec![Act::Send(file)]
            }
            _ => vec![Act::ok("page")],
        }
    })
    .await
}

struct Site {
    upstream: Recorder,
    gateway: Gateway,
    alice: User,
}

impl Site {
    async fn open(settings: Settings<'_>) -> Self {
        let upstream = application().await;
        let gateway = Gateway::with(upstream.address(), settings).await;
        let alice = gateway.add_member("alice", PASSWORD, &[]).await;
        Self { upstream, gateway, alice }
    }

    /// A client that has asked for this on the session of `cookie`.
    async fn asked(&self, line: &str, cookie: &str, fields: &str) -> RawClient {
        let mut client = RawClient::connect(self.gateway.address).await;
        let host = self.gateway.host();
        let cookie = if cookie.is_empty() { String::new() } else { format!("Cookie: {cookie}\r\n") };
        let request = format!("{line} HTTP/1.1\r\nHost: {host}\r\n{cookie}{fields}\r\n");
        client.send(request).await.unwrap();
        client
    }

    async fn socket(&self, cookie: &str) -> RawClient {
        let mut client = self.asked("GET /socket", cookie, HANDSHAKE).await;
        assert_eq!(client.reply_to("GET").await.unwrap().status(), 101);
        assert!(echoes(&mut client).await);
        client
    }

    /// Waits until so many of the application's connections have come, and then until they are over.
    async fn is_over_there(&self, count: usize) {
        let all = |records: &Records| {
            records.connections.iter().filter(|connection| connection.is_over).count() >= count
        };
        self.upstream.wait_until("the application to be let go", all).await;
    }
}

async fn echoes(client: &mut RawClient) -> bool {
    client.send("ping").await.is_ok() && client.receive(4).await.is_ok_and(|bytes| bytes == b"ping")
}

/// However the connection ends; it must end.
async fn ends(mut client: RawClient) {
    let _ = client.rest().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ws_04_ws_05_what_a_member_has_running_ends_with_the_session_on_both_sides() {
    for (line, fields) in [
        ("GET /socket", HANDSHAKE),
        ("GET /events", ""),
        ("GET /poll", ""),
        ("GET /file", ""),
        ("POST /upload", "Content-Length: 1000000000\r\n"),
    ] {
        let site = Site::open(Settings::NONE).await;
        let cookie = site.gateway.cookie_of(&site.alice).await;
        let mut client = site.asked(line, &cookie, fields).await;
        if line == "POST /upload" {
            client.send("a first piece").await.unwrap();
        }
        site.upstream.wait_until("the request to arrive", |records| !records.connections.is_empty()).await;
        let sessions = &site.gateway.running.services.sessions;
        let running = sessions.of(site.alice.profile.id)[0].id;
        sessions.end(running).await.unwrap();
        site.is_over_there(1).await;
        ends(client).await;
    }
}

/// SECURITY: AUTH-13, S7.
#[tokio::test(flavor = "multi_thread")]
async fn ws_04_a_tunnel_ends_when_its_member_is_disabled_or_the_session_runs_out_and_others_stay() {
    let site = Site::open(Settings::NONE).await;
    let bob = site.gateway.add_member("bob", PASSWORD, &[]).await;
    let (alices, bobs) = (site.gateway.cookie_of(&site.alice).await, site.gateway.cookie_of(&bob).await);
    let sockets = [site.socket(&alices).await, site.socket(&alices).await];
    let mut bobs = site.socket(&bobs).await;
    site.gateway.running.services.accounts.disable(site.alice.profile.id).await.unwrap();
    site.gateway.running.services.sessions.end_all(site.alice.profile.id, None, vec![]).await.unwrap();
    site.is_over_there(2).await;
    for socket in sockets {
        ends(socket).await;
    }
    assert!(echoes(&mut bobs).await, "another member's tunnel");
    site.gateway.clock.advance(Duration::from_secs(31 * 24 * 3_600));
    site.is_over_there(3).await;
    ends(bobs).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_member_sends_through_a_tunnel_is_a_use_of_the_session() {
    let rest = "[session]\nidle = \"1h\"\nabsolute = \"30d\"";
    let site = Site::open(Settings { rest, ..Settings::NONE }).await;
    let mut socket = site.socket(&site.gateway.cookie_of(&site.alice).await).await;
    for _ in 0..3 {
        site.gateway.clock.advance(Duration::from_secs(50 * 60));
        assert!(echoes(&mut socket).await);
    }
    site.gateway.clock.advance(Duration::from_secs(70 * 60));
    site.is_over_there(1).await;
    ends(socket).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ws_01_a_page_of_another_site_opens_no_socket() {
    let site = Site::open(GUEST).await;
    let (cookie, ours) = (site.gateway.cookie_of(&site.alice).await, site.gateway.url());
    let foreign = [
        "Origin: https://evil.example\r\n".to_owned(),
        "Origin: null\r\n".to_owned(),
        format!("Origin: {ours}.evil.example\r\n"),
        format!("Origin: {ours}\r\nOrigin: {ours}\r\n"),
        format!("Origin: {ours}\r\nSec-Fetch-Site: cross-site\r\n"),
        "Sec-Fetch-Site: same-site\r\n".to_owned(),
    ];
    for fields in &foreign {
        for cookie in [cookie.as_str(), ""] {
            let mut client = site.asked("GET /socket", cookie, &format!("{HANDSHAKE}{fields}")).await;
            let reply = client.reply_to("GET").await.unwrap();
            assert_eq!(reply.status(), 403, "{fields}");
            assert!(reply.text().contains("foreign-origin"), "{}", reply.text());
        }
    }
    assert_eq!(site.upstream.connections().len(), 0, "nothing of them reached the application");
    for fields in ["", "Sec-Fetch-Site: same-origin\r\n", &format!("Origin: {ours}\r\n")] {
        let mut client = site.asked("GET /socket", &cookie, &format!("{HANDSHAKE}{fields}")).await;
        assert_eq!(client.reply_to("GET").await.unwrap().status(), 101, "{fields}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ws_01_without_a_session_there_is_no_socket_where_one_is_needed() {
    let site = Site::open(Settings::NONE).await;
    let mut client = site.asked("GET /socket", "passgate=made-up", HANDSHAKE).await;
    assert_eq!(client.reply_to("GET").await.unwrap().status(), 401);
    assert_eq!(site.upstream.connections().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn ws_07_more_tunnels_than_the_limit_are_told_to_wait_and_a_closed_one_makes_room() {
    let upstream = "max_tunnels = 3\nmax_tunnels_per_client = 2";
    let site = Site::open(Settings { upstream, ..GUEST }).await;
    let cookie = site.gateway.cookie_of(&site.alice).await;
    let [first, _second] = [site.socket(&cookie).await, site.socket(&cookie).await];
    let mut third = site.asked("GET /socket", &cookie, HANDSHAKE).await;
    let refused = third.reply_to("GET").await.unwrap();
    assert_eq!((refused.status(), refused.head.value("retry-after").as_deref()), (503, Some("5")));
    let _visitors = site.socket("").await;
    let mut fourth = site.asked("GET /socket", "", HANDSHAKE).await;
    assert_eq!(fourth.reply_to("GET").await.unwrap().status(), 503, "of all together");
    let mut page = site.asked("GET /page", &cookie, "").await;
    assert_eq!(page.reply_to("GET").await.unwrap().status(), 200, "pages are no tunnels");
    drop(first);
    let reopened = async {
        // Its place is free when the gateway has seen the end, not when we have.
        while site.asked("GET /socket", &cookie, HANDSHAKE).await.reply_to("GET").await.unwrap().status()
            != 101
        {}
    };
    soon("a free place", reopened).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ws_08_a_connection_that_was_a_tunnel_carries_no_other_request() {
    let site = Site::open(GUEST).await;
    let socket = site.socket("").await;
    drop(socket);
    site.is_over_there(1).await;
    let mut page = site.asked("GET /page", "", "").await;
    assert_eq!(page.reply_to("GET").await.unwrap().text(), "page");
    assert_eq!(site.upstream.connections().len(), 2);
    assert!(!String::from_utf8_lossy(&site.upstream.connections()[0].bytes).contains("/page"));
}

/// How the kernel says that it will ask a silent peer whether it is still there: timer 2 in its table of connections.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn ws_06_a_tunnel_whose_peer_has_vanished_is_found_by_the_kernel() {
    let site = Site::open(GUEST).await;
    let _socket = site.socket("").await;
    let ours = format!(":{:04X}", site.gateway.address.port());
    // Columns: number, local and remote address, state (01 is established), queues, timer. Until the last bytes are
    // acknowledged it is another timer.
    let is_asked = || {
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let mut connections = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        connections
            .any(|columns| columns[1].ends_with(&ours) && columns[3] == "01" && columns[5].starts_with("02:"))
    };
    let asked = async {
        while !is_asked() {
            tokio::task::yield_now().await;
        }
    };
    soon("the timer of the accepted connection", asked).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s6_what_a_program_has_running_ends_with_its_app_password_and_not_before() {
    let rest = "[app_passwords]\nenabled = true\npaths = [\"/events\", \"/socket\"]";
    let site = Site::open(Settings { rest, ..Settings::NONE }).await;
    let services = &site.gateway.running.services;
    let cookie = site.gateway.cookie_of(&site.alice).await;
    let token = SessionToken::parse(cookie.strip_prefix("passgate=").unwrap()).unwrap();
    let session = services.sessions.check(&token).unwrap();
    let new = NewAppPassword { name: PasskeyName::parse("Phone").unwrap(), chosen: None };
    let made = services.accounts.make_app_password(&session, new, 1, vec![]).await.unwrap();
    let MadeAppPassword::Made(password) = made else { panic!("{made:?}") };
    let authorization = format!("Authorization: Bearer {}\r\n", *password.shown());
    let mut events = site.asked("GET /events", "", &authorization).await;
    let mut socket = site.asked("GET /socket", "", &format!("{authorization}{HANDSHAKE}")).await;
    assert_eq!(events.receive(12).await.unwrap(), b"HTTP/1.1 200");
    assert_eq!(socket.reply_to("GET").await.unwrap().status(), 101);
    services.sessions.end(token.hash()).await.unwrap();
    assert!(echoes(&mut socket).await, "the session it was made in is not needed");
    let id = services.accounts.app_passwords(site.alice.profile.id).unwrap()[0].id.clone();
    assert!(services.accounts.remove_app_password(site.alice.profile.id, &id, vec![]).await.unwrap());
    site.is_over_there(2).await;
    ends(events).await;
    ends(socket).await;
}
