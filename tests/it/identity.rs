//! Who the application is told is there, and that nobody else can tell it so (HDR-01 … HDR-08, H1 … H7).

use crate::support::gateway::{Gateway, Settings};
use crate::support::raw::{RawClient, exchange};
use crate::support::upstream::{Act, Recorder};

const GUEST: Settings<'_> = Settings { access: "default = \"guest\"", ..Settings::NONE };

async fn recorder() -> Recorder {
    Recorder::always([Act::ok("hello")]).await
}

fn get(gateway: &Gateway, target: &str, fields: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: {}\r\nAccept: text/html\r\n{fields}\r\n", gateway.host())
}

#[tokio::test(flavor = "multi_thread")]
async fn h2_every_alias_is_dropped_on_guest_public_and_member_routes() {
    let names =
        ["Remote-User", "Remote-Name", "Remote-Email", "Remote-Groups", "X-Forwarded-For", "X-Real-IP"];
    let separators = ["-", "_", ".", "", "~", "!", "--", "*"];
    let access = "default = \"guest\"\n[[access.rule]]\npath = \"/public/**\"\nrequire = \"public\"\n\
                  [[access.rule]]\npath = \"/members/**\"\nrequire = \"login\"";
    for target in ["/", "/public/x", "/members/x"] {
        let upstream = recorder().await;
        let gateway = Gateway::with(upstream.address(), Settings { access, ..GUEST }).await;
        let alice = gateway.add_member("alice", "wonderland is far", &["admins"]).await;
        let cookie = gateway.cookie_of(&alice).await;
        let mut fields = format!("Cookie: {cookie}\r\n");
        for name in names {
            for separator in separators {
                let alias = name.replace('-', separator);
                fields.push_str(&format!("{alias}: evil\r\n{}: evil\r\n", alias.to_uppercase()));
            }
        }
        let reply = exchange(gateway.address, get(&gateway, target, &fields)).await.unwrap();
        assert_eq!(reply.status(), 200, "{}", reply.text());
        let head = upstream.only_head();
        assert!(!head.text().contains("evil"), "{}", head.text());
        let user = if target == "/public/x" { vec![] } else { vec!["alice".to_owned()] };
        assert_eq!(head.values("remote-user"), user, "{target}");
        assert_eq!(head.values("x-forwarded-for"), ["127.0.0.1"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hdr_03_h5_no_connection_field_takes_the_identity_away() {
    let upstream = recorder().await;
    let gateway = Gateway::with(upstream.address(), GUEST).await;
    let cookie = gateway.cookie_of(&gateway.add_member("alice", "wonderland is far", &[]).await).await;
    let nominations = [
        "close, Remote-User",
        "Remote-User",
        "remote-user, Remote-Name",
        "keep-alive,\tRemote-User",
        "close, REMOTE-USER",
        "\"Remote-User\"",
        "X-Forwarded-For",
        "Remote_User",
        "close, X-Request-Id",
        "Cookie",
    ];
    for nomination in nominations {
        let seen = upstream.request_heads().len();
        let fields = format!("Cookie: {cookie}\r\nConnection: {nomination}\r\n");
        let reply = exchange(gateway.address, get(&gateway, "/", &fields)).await.unwrap();
        match upstream.request_heads().get(seen) {
            Some(head) => assert_eq!(head.values("remote-user"), ["alice"], "{nomination}"),
            None => assert_eq!(reply.status(), 400, "{nomination}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hdr_08_what_is_meant_for_a_proxy_reaches_no_application() {
    let upstream = recorder().await;
    let gateway = Gateway::with(upstream.address(), GUEST).await;
    let names = [
        "Proxy",
        "Proxy-Authenticate",
        "Proxy-Authentication-Info",
        "Proxy-Authorization",
        "proxy_authorization",
        "Proxy-Connection",
        "Proxy-Features",
        "Proxy-Status",
        "Keep-Alive",
    ];
    for name in names {
        for line in ["GET / HTTP/1.1", "POST / HTTP/1.1", "GET / HTTP/1.0"] {
            let body = if line.starts_with("POST") { "Content-Length: 2\r\n\r\nok" } else { "\r\n" };
            let asked = format!("{line}\r\nHost: {}\r\n{name}: trailers\r\n{body}", gateway.host());
            assert_eq!(exchange(gateway.address, asked).await.unwrap().status(), 200, "{line} {name}");
            let head = upstream.request_heads().pop().unwrap();
            assert_eq!(head.values(name), [""; 0], "{line}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn h3_a_clients_authorization_reaches_the_application_only_by_a_rule_that_says_so() {
    let upstream = recorder().await;
    let access = "default = \"guest\"\n[[access.rule]]\npath = \"/api/**\"\nrequire = \"guest\"\nauthorization = \"forward\"";
    let gateway = Gateway::with(upstream.address(), Settings { access, ..GUEST }).await;
    for target in ["/", "/api/x"] {
        exchange(gateway.address, get(&gateway, target, "Authorization: Basic YWRtaW46eA==\r\n"))
            .await
            .unwrap();
    }
    let sent: Vec<_> = upstream.request_heads().iter().map(|head| head.values("authorization")).collect();
    assert_eq!(sent, [vec![], vec!["Basic YWRtaW46eA==".to_owned()]]);
}

/// SECURITY: S8.
#[tokio::test(flavor = "multi_thread")]
async fn ses_10_our_cookies_stay_with_us_and_the_others_go_on_byte_for_byte() {
    let upstream = recorder().await;
    let gateway = Gateway::with(upstream.address(), GUEST).await;
    let cookie = gateway.cookie_of(&gateway.add_member("alice", "wonderland is far", &[]).await).await;
    let odd = "mybb[lastvisit]=1; a=\"x y\"; b=%7C|; d=1=2; e=";
    exchange(
        gateway.address,
        get(&gateway, "/", &format!("Cookie: {odd}; {cookie}; passgate-form=x; f\r\n")),
    )
    .await
    .unwrap();
    exchange(gateway.address, get(&gateway, "/", &format!("Cookie: {cookie}\r\n"))).await.unwrap();
    let heads = upstream.request_heads();
    assert_eq!(heads[0].values("cookie"), [format!("{odd}; f")]);
    assert_eq!(heads[1].values("cookie"), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn h6_a_broken_or_doubled_session_cookie_is_nobodys() {
    let upstream = recorder().await;
    let gateway = Gateway::with(upstream.address(), GUEST).await;
    let cookie = gateway.cookie_of(&gateway.add_member("alice", "wonderland is far", &[]).await).await;
    let long = format!("passgate={}", "x".repeat(3_000));
    for broken in [format!("{cookie}x"), format!("{cookie}; {cookie}"), "passgate=".to_owned(), long] {
        let seen = upstream.request_heads().len();
        let reply =
            exchange(gateway.address, get(&gateway, "/", &format!("Cookie: {broken}\r\n"))).await.unwrap();
        assert_eq!(reply.status(), 200);
        assert_eq!(upstream.request_heads()[seen].values("remote-user"), Vec::<String>::new(), "{broken}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn h7_forwarding_fields_are_rewritten_unless_the_peer_is_trusted() {
    let lies = "X-Forwarded-For: 198.51.100.7\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil.example\r\n\
                X-Forwarded-Port: 1\r\nForwarded: for=1.1.1.1\r\nX-Original-URL: /admin\r\nX-Rewrite-URL: /admin\r\n\
                X-HTTP-Method-Override: DELETE\r\nProxy: http://evil\r\nX-Request-Id: chosen-by-client\r\n";
    let upstream = recorder().await;
    let stranger = Gateway::with(upstream.address(), GUEST).await;
    exchange(stranger.address, get(&stranger, "/", lies)).await.unwrap();
    let head = upstream.only_head();
    let value = |name: &str| head.value(name).unwrap_or_default();
    assert_eq!(value("x-forwarded-for"), "127.0.0.1");
    assert_eq!(value("x-forwarded-proto"), "http");
    assert_eq!(value("x-forwarded-host"), stranger.host());
    assert_eq!(value("x-forwarded-port"), stranger.address.port().to_string());
    assert_ne!(value("x-request-id"), "chosen-by-client");
    for gone in ["forwarded", "x-original-url", "x-rewrite-url", "x-http-method-override", "proxy"] {
        assert_eq!(head.value(gone), None, "{gone}");
    }

    let upstream = recorder().await;
    let trusting = Settings { server: "trusted_proxies = [\"127.0.0.0/8\"]", ..GUEST };
    let gateway = Gateway::with(upstream.address(), trusting).await;
    exchange(gateway.address, get(&gateway, "/", lies)).await.unwrap();
    let head = upstream.only_head();
    assert_eq!(head.value("x-forwarded-for").unwrap(), "198.51.100.7, 127.0.0.1");
    assert_eq!(head.value("x-forwarded-proto").unwrap(), "https");
    assert_eq!(head.value("x-request-id").unwrap(), "chosen-by-client");
    assert_eq!(head.value("x-original-url"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn hdr_04_a_name_outside_ascii_arrives_in_the_form_that_is_configured() {
    for (rest, expected) in [
        ("", "Zo%C3%AB B%C3%A4cker"),
        ("[identity]\nencoding = \"utf-8\"\nuser = \"X-Member\"", "Zoë Bäcker"),
    ] {
        let upstream = recorder().await;
        let gateway = Gateway::with(upstream.address(), Settings { rest, ..GUEST }).await;
        let cookie =
            gateway.cookie_of(&gateway.add_member("Zoë Bäcker", "wonderland is far", &[]).await).await;
        exchange(gateway.address, get(&gateway, "/", &format!("Cookie: {cookie}\r\n"))).await.unwrap();
        let name = if rest.is_empty() { "remote-user" } else { "x-member" };
        assert_eq!(upstream.only_head().values(name), [expected]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hdr_05_every_forwarded_request_carries_the_gateways_proof_and_no_client_can_bring_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("proof");
    std::fs::write(&file, "only-the-two-of-us-know\n").unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let rest = format!("[identity]\nsecret_file = \"{}\"", file.display());
    let upstream = recorder().await;
    let gateway = Gateway::with(upstream.address(), Settings { rest: &rest, ..GUEST }).await;
    exchange(gateway.address, get(&gateway, "/", "X-Gateway-Secret: mine\r\nX_Gateway_Secret: mine\r\n"))
        .await
        .unwrap();
    let head = upstream.only_head();
    assert_eq!(head.values("x-gateway-secret"), ["only-the-two-of-us-know"]);
    assert!(!head.text().contains("mine"), "{}", head.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn h7_a_forwarded_host_is_believed_from_our_own_proxy_if_it_is_one_of_our_hosts() {
    let settings = Settings { server: "trusted_proxies = [\"127.0.0.1/32\"]", ..GUEST };
    for (told, believed) in [
        ("127.0.0.1:9", Some("127.0.0.1:9")),
        ("evil.example", None),
        ("localhost, evil.example", None),
        ("localhost/x?\"<", None),
        ("", None),
    ] {
        let upstream = recorder().await;
        let gateway = Gateway::with(upstream.address(), settings).await;
        let fields = format!("X-Forwarded-Host: {told}\r\n");
        exchange(gateway.address, get(&gateway, "/", &fields)).await.unwrap();
        let expected = believed.map_or_else(|| gateway.host(), str::to_owned);
        assert_eq!(upstream.only_head().values("x-forwarded-host"), [expected], "{told}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hdr_06_no_other_word_on_addresses_or_schemes_gets_through() {
    let upstream = recorder().await;
    let gateway = Gateway::with(upstream.address(), GUEST).await;
    let names =
        ["Client-IP", "X-Forwarded-Protocol", "X_FORWARDED_EMAIL", "X-Forwarded-Host2", "Via", "Remote_Addr"];
    let fields: String = names.iter().map(|name| format!("{name}: 10.9.8.7\r\n")).collect();
    exchange(gateway.address, get(&gateway, "/", &fields)).await.unwrap();
    assert!(!upstream.only_head().text().contains("10.9.8.7"), "{}", upstream.only_head().text());
}

#[tokio::test(flavor = "multi_thread")]
async fn hdr_02_no_unusual_form_of_a_field_gets_an_identity_through() {
    let long = format!("Remote-User: {}evil\r\n", "x".repeat(60_000));
    let copies = "Remote-User: evil\r\n".repeat(120);
    let forms = [
        "Remote-User: evil\r\nremote-user: evil\r\nREMOTE-USER: evil\r\n",
        "X-Fold: a\r\n Remote-User: evil\r\n",
        "Remote-User:\r\n evil\r\n",
        "Remote-User:\tevil\t\r\n",
        "Remote-User : evil\r\n",
        " Remote-User: evil\r\n",
        "Remote-\u{e9}User: evil\r\n",
        "Remote-User: \u{e9}vil\r\nRemote_User: evil\r\n",
        "Remote-User;: evil\r\n",
        &copies,
        &long,
    ];
    let mut reached = 0;
    let gateways = async |upstream: &Recorder| Gateway::with(upstream.address(), GUEST).await;
    for form in forms {
        let upstream = recorder().await;
        let gateway = gateways(&upstream).await;
        let cookie = gateway.cookie_of(&gateway.add_member("alice", "wonderland is far", &[]).await).await;
        for (cookie, user) in
            [(String::new(), None), (format!("Cookie: {cookie}\r\n"), Some("alice".to_owned()))]
        {
            let seen = upstream.request_heads().len();
            // What is refused outright reaches nobody; so does what the engine can't read.
            let _ = exchange(gateway.address, get(&gateway, "/", &format!("{form}{cookie}"))).await;
            if let Some(head) = upstream.request_heads().get(seen) {
                reached += 1;
                let shown: String = form.chars().take(60).collect();
                assert!(!head.text().to_lowercase().contains("evil"), "{shown}: {}", head.text());
                assert_eq!(head.value("remote-user"), user, "{shown}");
            }
        }
    }
    assert!(reached >= 4, "only {reached} requests reached the application, so little was shown");
}

/// Metrics and health answer by their exact path, on their own listener, and let nobody past a rule.
#[tokio::test(flavor = "multi_thread")]
async fn p4_health_is_on_its_own_listener_and_opens_nothing_on_the_public_one() {
    let upstream = recorder().await;
    let gateway =
        Gateway::with(upstream.address(), Settings { access: "default = \"login\"", ..GUEST }).await;
    let admin = gateway.running.admin_address.unwrap();
    let ask = async |address, path: &str, agent: &str| {
        let host = gateway.host();
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {agent}\r\nConnection: close\r\n\r\n"
        );
        exchange(address, request).await.unwrap().status()
    };
    for path in ["/health", "/ready", "/metrics"] {
        assert_eq!(ask(admin, path, "curl").await, 200, "{path}");
        for agent in ["kube-probe/1.29", "GoogleHC/1.0", "ELB-HealthChecker/2.0"] {
            assert_eq!(ask(gateway.address, path, agent).await, 401, "{path} {agent}");
        }
    }
    for path in ["/", "/health/", "/health/x", "/.passgate/login", "//metrics"] {
        assert_eq!(ask(admin, path, "curl").await, 404, "{path}");
    }
    let metrics =
        exchange(admin, "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    assert!(
        metrics.text().contains("# TYPE passgate_passkey_ceremonies_total counter"),
        "{}",
        metrics.text()
    );
    assert!(upstream.request_heads().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn bp_86_bp_88_with_passkeys_the_application_can_neither_ask_for_them_nor_install_a_worker() {
    let answer = "HTTP/1.1 200 OK\r\nPermissions-Policy: usb=()\r\nPermissions-Policy: publickey-credentials-get=*\r\n\
                  Content-Length: 0\r\n\r\n";
    let theirs = ["usb=()", "publickey-credentials-get=*"];
    let ours = ["usb=()", "publickey-credentials-get=(), publickey-credentials-create=()"];
    let upstream = Recorder::always([Act::Send(answer.into())]).await;
    let gateway = Gateway::with(upstream.address(), GUEST).await;
    for (rest, status, policy) in [
        ("", 403, ours),
        ("[passkeys]\nallow_service_workers = true", 200, ours),
        ("[passkeys]\nenabled = false", 200, theirs),
    ] {
        gateway.reload(upstream.address(), Settings { rest, ..GUEST }).await;
        let page = exchange(gateway.address, get(&gateway, "/", "")).await.unwrap();
        assert_eq!(
            (page.status(), page.head.values("permissions-policy")),
            (200, policy.map(str::to_owned).to_vec())
        );
        let seen = upstream.request_heads().len();
        let fields =
            "Service-Worker: script\r\nSec-Fetch-Dest: serviceworker\r\nSec-Fetch-Mode: same-origin\r\n";
        let worker = exchange(gateway.address, get(&gateway, "/sw.js", fields)).await.unwrap();
        assert_eq!(worker.status(), status, "{rest}");
        assert_eq!(upstream.request_heads().len() - seen, usize::from(status == 200), "{rest}");
        if status == 403 {
            assert!(worker.text().contains("\"code\":\"service-worker-refused\""), "{}", worker.text());
        }
    }
}

/// Four members and a guest ask at once, each again and again on connections of their own, which share those to the application.
#[tokio::test(flavor = "multi_thread")]
async fn s4_of_many_who_ask_at_once_each_is_told_apart() {
    let upstream =
        Recorder::on_head(|heard| vec![Act::ok(&heard.head.values("remote-user").join(","))]).await;
    let gateway = Gateway::with(upstream.address(), GUEST).await;
    let mut asking = tokio::task::JoinSet::new();
    for name in ["", "alice", "bobby", "carol", "david"] {
        let mut fields = String::new();
        if !name.is_empty() {
            let member = gateway.add_member(name, "wonderland is far", &[]).await;
            fields = format!("Cookie: {}\r\n", gateway.cookie_of(&member).await);
        }
        for _ in 0..4 {
            let (address, request) = (gateway.address, get(&gateway, "/", &fields));
            asking.spawn(async move {
                let mut client = RawClient::connect(address).await;
                for _ in 0..50 {
                    let reply = client.exchange(&request).await.unwrap();
                    assert_eq!((reply.status(), &*reply.text()), (200, name));
                }
            });
        }
    }
    while let Some(done) = asking.join_next().await {
        done.unwrap();
    }
}
