//! Reloads while requests come: each is answered by the old configuration or by the new one, and none is lost (PATH-10, TLS-03).

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use bytes::Bytes;
use http::Request;
use tokio::task::JoinSet;

use crate::site::Site;
use crate::support::http2::Http2;
use crate::support::raw::RawClient;
use crate::support::tls::{Authority, Client, Holds};
use crate::support::upstream::{Act, Recorder};

const RELOADS: usize = 100;

/// By which way.
#[derive(Clone)]
enum Door {
    Clear(SocketAddr),
    Tls(SocketAddr, Client),
}

impl Door {
    async fn connect(&self) -> RawClient {
        match self {
            Self::Clear(address) => RawClient::connect(*address).await,
            Self::Tls(address, client) => {
                let client = client.clone().offering(&["http/1.1"]);
                RawClient::over(client.connect(*address, Some("localhost")).await.unwrap())
            }
        }
    }
}

/// How one client asks, again and again.
#[derive(Clone, Copy)]
struct Asks {
    line: &'static str,
    expected: &'static str,
    keeps_connection: bool,
}

impl Asks {
    /// Asks until it is to stop. How many answers were right, and what the others were.
    async fn run(self, door: Door, stop: Arc<AtomicBool>) -> (usize, Vec<String>) {
        let Self { line, expected, keeps_connection } = self;
        let length = if line.starts_with("POST") { "Content-Length: 4\r\n" } else { "" };
        let body = if line.starts_with("POST") { "body" } else { "" };
        let request = format!("{line} HTTP/1.1\r\nHost: localhost\r\n{length}\r\n{body}");
        let (mut right, mut wrong, mut kept) = (0, Vec::new(), None);
        while !stop.load(SeqCst) {
            let mut client = match kept.take() {
                Some(client) => client,
                None => door.connect().await,
            };
            match client.exchange(&request).await {
                Ok(reply) if reply.status() == 200 && reply.text() == expected => {
                    right += 1;
                    let closes = reply.head.value("connection").is_some_and(|value| value == "close");
                    kept = Some(client).filter(|_| keeps_connection && !closes);
                }
                Ok(reply) => wrong.push(format!("{line}: {} {}", reply.status(), reply.text())),
                Err(error) => wrong.push(format!("{line}: {error}")),
            }
        }
        (right, wrong)
    }
}

/// The same over HTTP/2, on one connection.
async fn ask_over_http_2(address: SocketAddr, client: Client, stop: Arc<AtomicBool>) -> (usize, Vec<String>) {
    let stream = client.offering(&["h2"]).connect(address, Some("localhost")).await.unwrap();
    let client = Http2::over(stream).await;
    let (mut right, mut wrong) = (0, Vec::new());
    while !stop.load(SeqCst) {
        let request = Request::get("/").header("host", "localhost").body(Bytes::new()).unwrap();
        match client.exchange(request).await {
            Ok(reply) if reply.status() == 200 && reply.body() == "site" => right += 1,
            other => wrong.push(format!("over HTTP/2: {other:?}")),
        }
    }
    (right, wrong)
}

async fn application(name: &str) -> Recorder {
    Recorder::always([Act::ok(name)]).await
}

fn route(path: &str, rest: &str) -> String {
    format!("{{ path = \"{path}\", {rest} }}")
}

#[tokio::test(flavor = "multi_thread")]
async fn rel_07_no_request_fails_or_is_sent_twice_in_a_hundred_reloads() {
    let site_s = application("site").await;
    let forums = [application("forum").await, application("forum").await];
    let wikis = [application("wiki").await, application("wiki").await];
    let folder = tempfile::tempdir().unwrap();
    let (servers, clients) = (Authority::new(), Authority::new());
    servers.write(&folder.path().join("ca.pem"));
    clients.issue(&["gateway"], Holds::ForLong, folder.path(), "gateway");
    let door = servers.door_for("127.0.0.1", Holds::ForLong, wikis[1].address(), Some(&clients)).await;
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let [forum_1, forum_2] = forums.each_ref().map(|forum| format!("\"http://{}\"", forum.address()));
    let wiki_over_tls = format!(
        "url = \"https://{}\", ca_file = \"{}\", client_certificate = \"{}\", client_key = \"{}\"",
        door.address,
        at("ca.pem"),
        at("gateway.pem"),
        at("gateway.key")
    );
    let wiki = format!("url = \"http://{}\"", wikis[0].address());
    let variants = [
        [route("/forum/**", &format!("url = {forum_1}")), route("/wiki/**", &wiki)],
        [
            route("/wiki/**", &wiki_over_tls),
            route("/forum/**", &format!("url = [{forum_1}, {forum_2}], weights = [1, 2]")),
        ],
        [
            route("/forum/*", &format!("url = [{forum_2}, {forum_1}], balance = \"address\"")),
            route("/wiki/x", &wiki),
        ],
    ];
    let lines = |number: usize| {
        let routes = variants[number % variants.len()].join(", ");
        let (chain, key) = (at("own.pem"), at("own.key"));
        format!(
            "access.default = \"guest\"\nupstream.route = [{routes}]\nserver.public_url = \"https://localhost\"\ntls.listen = \"127.0.0.1:0\"\n\
             tls.certificate = [{{ chain = \"{chain}\", key = \"{key}\" }}]"
        )
    };
    servers.issue(&["localhost"], Holds::ForLong, folder.path(), "own");
    let site = Site::before(site_s.address(), &lines(0));
    let gateway = site.serve();
    let ready = gateway.event("it is ready", |event| event["message"] == "ready");
    let over_tls: SocketAddr = ready["tls"].as_str().unwrap().parse().unwrap();
    let client = servers.client();
    let stop = Arc::new(AtomicBool::new(false));
    let mut load = JoinSet::new();
    for (path, expected) in [("/", "site"), ("/forum/x", "forum"), ("/wiki/x", "wiki")] {
        for (method, keeps_connection) in [("GET", true), ("GET", false), ("POST", true)] {
            let line: &'static str = format!("{method} {path}").leak();
            let asks = Asks { line, expected, keeps_connection };
            load.spawn(asks.run(Door::Clear(gateway.address), Arc::clone(&stop)));
            if path == "/" {
                load.spawn(asks.run(Door::Tls(over_tls, client.clone()), Arc::clone(&stop)));
            }
        }
    }
    load.spawn(ask_over_http_2(over_tls, client.clone(), Arc::clone(&stop)));
    let mut shown = HashSet::new();
    for number in 1..=RELOADS {
        servers.issue(&["localhost"], Holds::ForLong, folder.path(), "own");
        clients.issue(&["gateway"], Holds::ForLong, folder.path(), "gateway");
        site.configure(&lines(number));
        tokio::task::block_in_place(|| {
            site.run(&["reload"]).assert_code(0);
        });
        let stream = client.connect(over_tls, Some("localhost")).await.unwrap();
        let certificates = stream.get_ref().1.peer_certificates().unwrap();
        assert!(shown.insert(certificates[0].as_ref().to_vec()), "the new certificate is shown");
    }
    stop.store(true, SeqCst);
    let (mut right, mut wrong) = (0, Vec::new());
    while let Some(done) = load.join_next().await {
        let (more, failures) = done.unwrap();
        right += more;
        wrong.extend(failures);
    }
    assert!(wrong.is_empty(), "{} of {right}: {:#?}", wrong.len(), wrong.iter().take(5).collect::<Vec<_>>());
    assert!(right > 10 * RELOADS, "{right} requests are no load");
    let heard = [&site_s, &forums[0], &forums[1], &wikis[0], &wikis[1]];
    let counts = heard.map(|application| application.request_heads().len());
    assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
    assert_eq!(counts.iter().sum::<usize>(), right, "each reached an application once");
}
