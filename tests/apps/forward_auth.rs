//! The real nginx, Caddy and Traefik before the sample forum, with the very files of `config/`: they ask the gateway, which
//! stands beside them.

use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use http::{Method, StatusCode};
use passgate::sample::{RunningForum, SampleForum};

use crate::front::{sign_in, sign_out};
use crate::program::{Program, free_port, root, words};
use crate::support::browser::Browser;
use crate::support::gateway::{Gateway, Settings};

const NAME: &str = "Zoë";
/// As it is written in a header.
const WRITTEN: &str = "Zo%C3%AB";
const PASSWORD: &str = "the gateway's own password";

/// What differs between the proxies.
#[derive(Clone, Copy)]
struct Proxy {
    name: &'static str,
    /// The files of `config/` it runs with; the first is the one it is pointed to.
    files: &'static [&'static str],
    command: fn(&Path) -> Vec<OsString>,
    /// A page whose address comes through unchanged.
    page: &'static str,
    takes_cookies_out: bool,
}

const NGINX: Proxy = Proxy {
    name: "nginx",
    files: &["nginx.conf"],
    command: |folder| {
        let only_here = format!("daemon off; pid {}/pid;", folder.display());
        words([
            &"nginx",
            &"-p",
            &folder,
            &"-c",
            &folder.join("nginx.conf"),
            &"-e",
            &"stderr",
            &"-g",
            &only_here,
        ])
    },
    page: "/viewtopic.php?t=1;start=0&x=a%7Cb",
    takes_cookies_out: true,
};

const CADDY: Proxy = Proxy {
    name: "caddy",
    files: &["Caddyfile"],
    command: |folder| {
        let home = format!("HOME={}", folder.display());
        let caddy = root().join("target/venv/bin/caddy");
        words([
            &"env",
            &home,
            &caddy,
            &"run",
            &"--adapter",
            &"caddyfile",
            &"--config",
            &folder.join("Caddyfile"),
        ])
    },
    page: "/viewtopic.php?t=1;start=0&x=a%7Cb",
    takes_cookies_out: true,
};

const TRAEFIK: Proxy = Proxy {
    name: "traefik",
    files: &["traefik.yml", "traefik-routes.yml"],
    command: |folder| {
        let config = format!("--configFile={}", folder.join("traefik.yml").display());
        words([&"env", &"-C", &folder, &root().join("target/venv/bin/traefik"), &config])
    },
    page: "/viewtopic.php?t=1&start=0&x=a%7Cb",
    takes_cookies_out: false,
};

/// The forum, the gateway beside, the proxy before.
struct Site {
    proxy: Program,
    _gateway: Gateway,
    _forum: RunningForum,
}

impl Site {
    async fn before_the_forum(proxy: Proxy) -> Self {
        let forum = SampleForum::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap().spawn();
        let port = free_port();
        let settings = Settings {
            server: "trusted_proxies = [\"127.0.0.1/32\"]",
            access: "[[access.rule]]\npath = \"/style.css\"\nrequire = \"public\"",
            public_port: Some(port),
            ..Settings::default()
        };
        let gateway = Gateway::with(forum.address(), settings).await;
        gateway.add_member(NAME, PASSWORD, &["members", "admins"]).await;
        let ports = [("8088", port), ("8080", gateway.address.port()), ("8000", forum.address().port())];
        let proxy = Program::start(proxy.name, port, "/.passgate/login", |_, folder| {
            proxy.files.iter().for_each(|file| drop(adapted(file, &ports, folder)));
            (proxy.command)(folder)
        })
        .await;
        Self { proxy, _gateway: gateway, _forum: forum }
    }

    fn browser(&self) -> Browser {
        let address = self.proxy.address();
        Browser::new(address, &format!("http://localhost:{}", address.port()))
    }
}

/// Copies a file of `config/` with the ports of this test in place of the documented ones.
fn adapted(file: &str, ports: &[(&str, u16)], folder: &Path) -> PathBuf {
    let mut text = fs::read_to_string(root().join("config").join(file)).unwrap();
    for (documented, port) in ports {
        text = text.replace(&format!(":{documented}"), &format!(":{port}"));
    }
    if file == "nginx.conf" {
        // Where a packaged nginx keeps its files belongs to root.
        let here = folder.display();
        let kinds = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
        let lines = kinds.map(|kind| format!("{kind}_temp_path {here}/{kind};")).join("\n");
        text = text.replacen("http {", &format!("http {{\naccess_log off;\n{lines}\n"), 1);
    }
    let path = folder.join(file);
    fs::write(&path, text).unwrap();
    path
}

async fn asks_the_gateway(proxy: Proxy) {
    let site = Site::before_the_forum(proxy).await;
    let mut browser = site.browser();
    strangers_stay_outside(&mut browser, proxy).await;

    let asked = browser.get(proxy.page).await;
    assert_eq!(asked.url.path(), "/.passgate/login", "a page leads to {}", asked.header("location"));
    let page = browser.submit(&asked, "password", &[("username", NAME), ("password", PASSWORD)]).await;
    page.assert_status(200).assert_says(WRITTEN);
    assert_eq!(page.target(), proxy.page, "and signing in leads back to the page");

    the_forum_knows_the_member(&mut browser, proxy).await;
    posting_works(&mut browser).await;

    sign_out(&mut browser).await;
    let page = browser.get(proxy.page).await;
    assert_eq!(page.url.path(), "/.passgate/login");
    sign_in(&mut browser, NAME, PASSWORD).await;
    assert_eq!(browser.get(proxy.page).await.target(), proxy.page);
}

async fn strangers_stay_outside(browser: &mut Browser, proxy: Proxy) {
    let lies: [&[(&str, &str)]; 5] = [
        &[],
        &[("remote-user", "alice"), ("remote_user", "alice")],
        &[
            ("x-forwarded-uri", "/style.css"),
            ("x-forwarded-method", "GET"),
            ("x-forwarded-host", "localhost"),
        ],
        &[("x-original-url", "http://localhost/style.css"), ("x-original-method", "GET")],
        &[("x-original-uri", "/style.css"), ("x-rewrite-url", "/style.css")],
    ];
    for lie in lies {
        let answer = browser.ask(Method::GET, "/whoami.json", lie, "").await;
        assert!(
            answer.status == StatusCode::FOUND || answer.status == StatusCode::SEE_OTHER,
            "{}",
            answer.status
        );
        assert_eq!(answer.redirect().unwrap().path(), "/.passgate/login", "{}: {lie:?}", proxy.name);
    }
    let script = browser.xhr("/ajax.php").await;
    script.assert_status(401);
    assert!(script.redirect().is_none());
    browser.get("/style.css").await.assert_status(200);
    let question = browser.ask(Method::GET, "/.passgate/verify", &[("x-forwarded-uri", "/")], "").await;
    assert_ne!(question.status, StatusCode::OK, "the question is the proxy's to put");
}

async fn the_forum_knows_the_member(browser: &mut Browser, proxy: Proxy) {
    let lies = [
        ("remote-user", "bob"),
        ("remote_user", "bob"),
        ("remote_groups", "gods"),
        ("remote-email", "bob@example.org"),
        ("authorization", "Basic Ym9iOng="),
    ];
    let seen = browser.ask(Method::GET, "/whoami.json", &lies, "").await.json();
    let lines: Vec<(&str, &str)> = seen["headers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| (line[0].as_str().unwrap(), line[1].as_str().unwrap()))
        .collect();
    let of = |name: &str| -> Vec<&str> {
        let kin = |other: &str| other.replace('_', "-") == name;
        lines.iter().filter(|(other, _)| kin(other)).map(|(_, value)| *value).collect()
    };
    assert_eq!(of("remote-user"), [WRITTEN], "{}", proxy.name);
    assert_eq!(of("remote-groups"), ["admins,members"], "{}", proxy.name);
    assert_eq!(of("remote-email").len(), 1, "{}", proxy.name);
    assert!(!of("remote-email")[0].starts_with("bob"));
    assert_eq!(of("authorization"), [""; 0], "{}", proxy.name);
    let cookies = of("cookie").join("; ");
    assert_eq!(cookies.contains("passgate"), !proxy.takes_cookies_out, "{}: {cookies}", proxy.name);
}

async fn posting_works(browser: &mut Browser) {
    let form = browser.get("/posting.php?mode=reply&t=1").await;
    let moved = browser.submit(&form, "message", &[("message", "Posted by way of another proxy.")]).await;
    moved.assert_status(200);
    browser.get("/viewtopic.php?t=1&start=15").await.assert_says("Posted by way of another proxy.");
}

#[tokio::test(flavor = "multi_thread")]
async fn nginx_asks_by_auth_request() {
    asks_the_gateway(NGINX).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn caddy_asks_by_forward_auth() {
    asks_the_gateway(CADDY).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn traefik_asks_by_forward_auth() {
    asks_the_gateway(TRAEFIK).await;
}
