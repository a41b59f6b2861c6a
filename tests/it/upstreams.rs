//! Several applications behind one gateway, several servers for one, and Unix sockets.

mod health;
mod retries;
mod sockets;
mod tls;

use std::net::SocketAddr;

use passgate::app::Sockets;

use crate::support::gateway::{Gateway, read};
use crate::support::raw::exchange;
use crate::support::upstream::{Act, Recorder};

/// A gateway with these lines below `[upstream]`, its routes included, and these whole sections; everybody may read.
async fn gateway(upstream: &str, rest: &str) -> Gateway {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let bind = || passgate::server::bind(any).unwrap();
    let sockets = Sockets { public: vec![bind()], tls: Vec::new(), admin: Some(bind()) };
    let address = sockets.addresses()[0];
    Gateway::on(sockets, address, read(&text(address, upstream, rest))).await
}

fn text(address: SocketAddr, upstream: &str, rest: &str) -> String {
    format!(
        "[server]\nlisten = \"{address}\"\npublic_url = \"http://localhost:{}\"\nadmin_listen = \"\"\n\
         hosts = [\"wiki.localhost\"]\n[store]\nbackend = \"memory\"\n[access]\ndefault = \"guest\"\n\
         [passkeys]\nenabled = false\n\
         [upstream]\n{upstream}\n{rest}\n",
        address.port()
    )
}

/// An application that says its name.
async fn application(name: &str) -> Recorder {
    Recorder::always([Act::ok(name)]).await
}

/// The lines for servers, as one list.
fn urls(servers: &[&Recorder]) -> String {
    let urls: Vec<_> = servers.iter().map(|server| format!("\"http://{}\"", server.address())).collect();
    format!("url = [{}]", urls.join(", "))
}

fn request(line: &str, host: &str, fields: &str) -> String {
    format!("{line} HTTP/1.1\r\nHost: {host}\r\nAccept: text/html\r\n{fields}\r\n")
}

/// What a `GET` on the site's own host gets.
async fn get(gateway: &Gateway, target: &str) -> String {
    let host = gateway.host();
    exchange(gateway.address, request(&format!("GET {target}"), &host, "")).await.unwrap().text()
}

/// What the admin listener says.
/// What the admin listener says.
pub(super) async fn admin(gateway: &Gateway, target: &str) -> (u16, String) {
    let address = gateway.running.admin_address.unwrap();
    let reply = exchange(address, request(&format!("GET {target}"), "localhost", "")).await.unwrap();
    (reply.status(), reply.text())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_goes_to_the_application_of_the_closest_route_as_it_came() {
    let [forum, wiki, files, other] =
        [application("forum"), application("wiki"), application("files"), application("other")];
    let (forum, wiki, files, other) = (forum.await, wiki.await, files.await, other.await);
    let route = |lines: &str, to: &Recorder| {
        format!("[[upstream.route]]\n{lines}\nurl = \"http://{}\"\n", to.address())
    };
    let lines = [
        urls(&[&forum]),
        route("path = \"/wiki/**\"", &wiki),
        route("path = \"/wiki/files/*.png\"", &files),
        route("host = \"wiki.localhost\"", &other),
    ];
    let gateway = gateway(&lines.join("\n"), "").await;
    let own = gateway.host();
    for (host, target, expected) in [
        (own.as_str(), "/", "forum"),
        (&own, "/wikis", "forum"),
        (&own, "/?x=/wiki/", "forum"),
        (&own, "/wiki", "wiki"),
        (&own, "/wiki/a%20b?x=%2F..", "wiki"),
        (&own, "/wiki/files/a.png", "files"),
        (&own, "/wiki/files/a/b.png", "wiki"),
        ("WIKI.localhost.:1", "/wiki/files/a.png", "other"),
        ("wiki.localhost", "/", "other"),
    ] {
        let asked = request(&format!("GET {target}"), host, "X-Forwarded-Host: wiki.localhost\r\n");
        let reply = exchange(gateway.address, asked).await.unwrap();
        assert_eq!((reply.status(), reply.text().as_str()), (200, expected), "{host} {target}");
    }
    assert_eq!(wiki.request_heads()[1].start_line(), "GET /wiki/a%20b?x=%2F.. HTTP/1.1");
    assert_eq!(other.request_heads()[0].value("host").unwrap(), "WIKI.localhost.:1");
    let login = request("GET /.passgate/login", "wiki.localhost", "");
    assert_eq!(exchange(gateway.address, login).await.unwrap().status(), 200);
    let strange = exchange(gateway.address, request("GET /", "elsewhere.localhost", "")).await.unwrap();
    assert_eq!(strange.status(), 421);
    assert_eq!(other.request_heads().len(), 2, "our own pages and strange hosts reach no application");
}

#[tokio::test(flavor = "multi_thread")]
async fn hdr_01_the_member_is_told_alike_on_every_route_and_a_rule_holds_wherever_it_leads() {
    let (forum, wiki) = (application("forum").await, application("wiki").await);
    let lines = format!(
        "{}\n[[upstream.route]]\npath = \"/wiki/**\"\nurl = \"http://{}\"\nhost_header = \"wiki.internal\"\n",
        urls(&[&forum]),
        wiki.address()
    );
    let rules = "[[access.rule]]\npath = \"/wiki/edit/**\"\nrequire = \"login\"\n";
    let gateway = gateway(&lines, rules).await;
    let alice = gateway.add_member("alice", "wonderland is far", &["admins"]).await;
    let spoofed = "Remote-User: evil\r\nREMOTE_USER: evil\r\n";
    let cookie = format!("Cookie: {}; theirs=1\r\n{spoofed}", gateway.cookie_of(&alice).await);
    for target in ["/x", "/wiki/x", "/wiki/edit/x"] {
        for fields in [cookie.as_str(), spoofed] {
            let asked = request(&format!("GET {target}"), &gateway.host(), fields);
            let reply = exchange(gateway.address, asked).await.unwrap();
            let is_let_in = fields == cookie || target != "/wiki/edit/x";
            assert_eq!(reply.status(), if is_let_in { 200 } else { 302 }, "{target}");
        }
    }
    let heads = [forum.request_heads(), wiki.request_heads()].concat();
    assert_eq!(heads.len(), 5);
    for head in &heads {
        let is_member = head.value("cookie").is_some();
        let user = is_member.then(|| "alice".to_owned());
        assert_eq!(head.values("remote-user"), user.into_iter().collect::<Vec<_>>(), "{}", head.text());
        assert!(!head.text().contains("evil") && !head.text().contains("passgate="), "{}", head.text());
    }
    assert_eq!(heads[2].value("host").unwrap(), "wiki.internal");
    assert_eq!(heads[0].value("host").unwrap(), gateway.host());
}

#[tokio::test(flavor = "multi_thread")]
async fn turns_follow_the_weights_and_a_member_stays_with_one_server() {
    let servers = [application("a").await, application("b").await, application("c").await];
    let all = urls(&servers.each_ref());
    let turns = gateway(&format!("{all}\nweights = [1, 2, 1]"), "").await;
    for _ in 0..8 {
        get(&turns, "/").await;
    }
    assert_eq!(servers.each_ref().map(|server| server.request_heads().len()), [2, 4, 2]);

    let sticky = gateway(&format!("{all}\nbalance = \"member\""), "").await;
    let mut seen = std::collections::BTreeSet::new();
    for number in 0..8 {
        let member = sticky.add_member(&format!("member{number}"), "wonderland is far", &[]).await;
        let mut answers = std::collections::BTreeSet::new();
        for _ in 0..3 {
            // Each in a session of its own: it is the member who stays.
            let cookie = format!("Cookie: {}\r\n", sticky.cookie_of(&member).await);
            let asked = request("GET /", &sticky.host(), &cookie);
            answers.insert(exchange(sticky.address, asked).await.unwrap().text());
        }
        assert_eq!(answers.len(), 1, "{answers:?}");
        seen.extend(answers);
    }
    assert!(seen.len() > 1, "members are spread");
    let visitor = get(&sticky, "/").await;
    for _ in 0..3 {
        assert_eq!(get(&sticky, "/").await, visitor, "visitors stay by their address");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_changes_routes_and_servers_for_the_next_request() {
    let (one, two) = (application("one").await, application("two").await);
    let gateway = gateway(&urls(&[&one]), "").await;
    assert_eq!(get(&gateway, "/x").await, "one");
    let to = |lines: &str| read(&text(gateway.address, lines, ""));
    gateway.running.reload(&to(&urls(&[&two]))).await.unwrap();
    assert_eq!(get(&gateway, "/x").await, "two");
    let routed =
        format!("{}\n[[upstream.route]]\npath = \"/x\"\nurl = \"http://{}\"\n", urls(&[&one]), two.address());
    gateway.running.reload(&to(&routed)).await.unwrap();
    assert_eq!([get(&gateway, "/").await, get(&gateway, "/x").await], ["one", "two"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_forum_and_wiki_recipe_runs_as_it_is_written() {
    let applications = [application("forum").await, application("forum").await, application("wiki").await];
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let bind = || passgate::server::bind(any).unwrap();
    let sockets = Sockets { public: vec![bind()], tls: Vec::new(), admin: Some(bind()) };
    let address = sockets.addresses()[0];
    let recipe = include_str!("../../config/forum-and-wiki.toml");
    let mut text = recipe.replace("127.0.0.1:8080", &address.to_string());
    text = text.replace("localhost:8080", &format!("localhost:{}", address.port()));
    for (place, application) in ["10.0.0.1:8000", "10.0.0.2:8000", "127.0.0.1:8002"].iter().zip(&applications)
    {
        text = text.replace(place, &application.address().to_string());
    }
    let site = Gateway::on(sockets, address, read(&format!("{text}[store]\nbackend = \"memory\"\n"))).await;
    assert_eq!(get(&site, "/wiki/Start").await, "wiki");
    let asked = |line: &str, fields: &str| exchange(site.address, request(line, &site.host(), fields));
    for line in ["GET /", "POST /wiki/Start"] {
        assert_eq!(asked(line, "Content-Length: 0\r\n").await.unwrap().status(), 302, "{line}");
    }
    let alice = site.add_member("alice", "wonderland is far", &[]).await;
    let cookie = format!("Cookie: {}\r\n", site.cookie_of(&alice).await);
    for (line, expected) in [("GET /", "forum"), ("POST /wiki/Start", "wiki"), ("GET /x", "forum")] {
        let fields = format!("{cookie}Content-Length: 0\r\n");
        assert_eq!(asked(line, &fields).await.unwrap().text(), expected, "{line}");
    }
    let is_alices = |head: &&crate::support::wire::Head| head.value("remote-user").is_some();
    let forums = [0, 1].map(|at: usize| applications[at].request_heads().iter().filter(is_alices).count());
    assert!([[2, 0], [0, 2]].contains(&forums), "{forums:?}");
}
