//! Which requests pass: canonical paths, hosts, methods (PATH-01 … PATH-09, P1 … P7).

use crate::support::gateway::{Gateway, Settings};
use crate::support::raw::exchange;
use crate::support::upstream::{Act, Recorder};

const OPEN_FOLDER: Settings<'_> = Settings {
    access: "default = \"login\"\n[[access.rule]]\npath = \"/public/**\"\nrequire = \"public\"\n\
             [[access.rule]]\npath = \"/**/*.css\"\nrequire = \"public\"",
    ..Settings::NONE
};

/// Status, and the targets that reached the application.
async fn send(request_line: &str) -> (u16, Vec<String>) {
    let upstream = Recorder::always([Act::ok("hello")]).await;
    let gateway = Gateway::with(upstream.address(), OPEN_FOLDER).await;
    let request = format!("{request_line} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", gateway.host());
    let status = exchange(gateway.address, request).await.map_or(0, |reply| reply.status());
    let targets = upstream.request_heads().iter().map(|head| head.start_line()).collect();
    (status, targets)
}

#[tokio::test(flavor = "multi_thread")]
async fn path_01_no_spelling_leads_out_of_the_open_folder() {
    let vectors = [
        "/public/../x",
        "/public/..%2fx",
        "/public/%2e%2e/x",
        "/public/.%2e/x",
        "/public/..;/x",
        "/public;/../x",
        "/public/..\\x",
        "/public/%5c..%5cx",
        "/public//../x",
        "//public/../x",
        "/./x",
        "/public%2f..%2fx",
        "/public/%252e%252e/x",
        "/public/..%00/x",
        "/public/%u002e%u002e/x",
        "/public/%c0%ae%c0%ae/x",
        "/public/%2E%2E/%2e%2e/x",
        "/public/%2e%2e%2fx",
        "/public/%25%32%65%25%32%65/x",
        "/public/..%5cx",
        "/public/x/../../x",
        "/x/public/../x",
        "/PUBLIC/x",
        "/public../x",
        "/ucp.php/x.css",
        "/public/../ucp.php/x.css",
    ];
    for vector in vectors {
        let (status, reached) = send(&format!("GET {vector}")).await;
        assert!(reached.is_empty(), "{vector}: {reached:?}");
        assert!(matches!(status, 302 | 400 | 401), "{vector}: {status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn p1_the_path_that_was_judged_is_the_one_that_is_forwarded() {
    for (sent, forwarded) in [
        ("/public/x/../y?a=/../;b[]=%7C", "/public/y?a=/../;b[]=%7C"),
        ("/x/../public/y", "/public/y"),
        ("//public///y", "/public/y"),
        ("/%70ublic/%7euser/a%20b", "/public/~user/a%20b"),
        ("/public/Stra%c3%9fe", "/public/Stra%C3%9Fe"),
        ("/public?x", "/public?x"),
        ("/public/x?", "/public/x?"),
    ] {
        let (status, reached) = send(&format!("GET {sent}")).await;
        assert_eq!(reached, [format!("GET {forwarded} HTTP/1.1")], "{sent} {status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn path_02_p2_query_and_fragment_never_open_anything() {
    for target in
        ["/x?/public/", "/x?/public/x.css", "/x%3f/public/", "/x?a=/public/../public/", "/public#/x"]
    {
        let (status, reached) = send(&format!("GET {target}")).await;
        assert!(reached.is_empty() && matches!(status, 302 | 400 | 401), "{target}: {status} {reached:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn path_07_methods_that_are_not_listed_are_refused() {
    let long = "A".repeat(1_000);
    for method in ["TRACE", "TRACK", "CONNECT", "PROPFIND", "get", "GET=1", &long] {
        let (status, reached) = send(&format!("{method} /public/x")).await;
        assert!(reached.is_empty() && matches!(status, 400 | 405 | 501), "{method}: {status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn path_08_head_and_options_of_a_closed_path_stay_here() {
    for method in ["HEAD", "OPTIONS"] {
        let (status, reached) = send(&format!("{method} /x")).await;
        assert!(reached.is_empty() && matches!(status, 302 | 401), "{method}: {status}");
        let (status, reached) = send(&format!("{method} /public/x")).await;
        assert_eq!((status, reached.len()), (200, 1), "{method}");
    }
    let (status, reached) = send("OPTIONS *").await;
    assert!(reached.is_empty() && status == 400, "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn p5_hosts_are_compared_in_one_form_and_unknown_ones_get_421_and_nothing_else() {
    let upstream = Recorder::always([Act::ok("hello")]).await;
    let gateway = Gateway::with(upstream.address(), OPEN_FOLDER).await;
    let port = gateway.address.port();
    let ask = async |host: String| {
        let request = format!("GET /public/x HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        exchange(gateway.address, request).await.unwrap()
    };
    for known in [format!("LOCALHOST:{port}"), "localhost.".to_owned(), format!("127.0.0.1:{port}")] {
        assert_eq!(ask(known.clone()).await.status(), 200, "{known}");
    }
    for unknown in ["evil.example", "localhost.evil.example", "xlocalhost", "10.0.0.1"] {
        let reply = ask(unknown.to_owned()).await;
        assert_eq!(reply.status(), 421, "{unknown}");
        assert!(!reply.text().contains("localhost"), "{}", reply.text());
    }
    for broken in ["", "a b", "user@localhost", "localhost:x", "localhost,evil"] {
        assert_eq!(ask(broken.to_owned()).await.status(), 400, "{broken}");
    }
    let two = format!("GET /public/x HTTP/1.1\r\nHost: localhost\r\nHost: localhost:{port}\r\n\r\n");
    assert_eq!(exchange(gateway.address, two).await.unwrap().status(), 400);
    let absolute = format!("GET http://evil.example/public/x HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n");
    assert_eq!(exchange(gateway.address, absolute).await.unwrap().status(), 400);
    let seen = upstream.request_heads().len();
    let absolute = format!("GET http://localhost:{port}/public/y HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n");
    assert_eq!(exchange(gateway.address, absolute).await.unwrap().status(), 200);
    assert_eq!(upstream.request_heads()[seen].start_line(), "GET /public/y HTTP/1.1");
}

#[tokio::test(flavor = "multi_thread")]
async fn path_05_our_own_prefix_never_reaches_the_application() {
    for target in
        ["/.passgate/login", "/.passgate/x", "/public/../.passgate/login", "//.passgate/x", "/%2epassgate/x"]
    {
        let (status, reached) = send(&format!("GET {target}")).await;
        assert!(reached.is_empty() && matches!(status, 200 | 303 | 404), "{target}: {status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn path_10_new_rules_count_from_the_next_request_on() {
    let upstream = Recorder::always([Act::ok("hello")]).await;
    let gateway = Gateway::with(upstream.address(), OPEN_FOLDER).await;
    let ask = async || {
        let request =
            format!("GET /public/x HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", gateway.host());
        exchange(gateway.address, request).await.unwrap().status()
    };
    assert_eq!(ask().await, 200);
    gateway.reload(upstream.address(), Settings { access: "default = \"deny\"", ..OPEN_FOLDER }).await;
    assert_eq!(ask().await, 403);
    gateway.reload(upstream.address(), OPEN_FOLDER).await;
    assert_eq!(ask().await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn p7_a_closed_script_is_closed_with_anything_written_behind_it() {
    let upstream = Recorder::always([Act::ok("hello")]).await;
    let access = "default = \"guest\"\n[[access.rule]]\npath = \"/adm.php\"\nrequire = \"login\"";
    let gateway = Gateway::with(upstream.address(), Settings { access, ..OPEN_FOLDER }).await;
    for target in ["/adm.php", "/adm.php/", "/adm.php/x.css", "/x/../adm.php/index.php", "/adm.php?x"] {
        let request =
            format!("GET {target} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", gateway.host());
        assert_eq!(exchange(gateway.address, request).await.unwrap().status(), 401, "{target}");
    }
    assert!(upstream.request_heads().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn bp_85_other_names_of_the_site_lead_to_the_one_and_serve_nothing() {
    let upstream = Recorder::always([Act::ok("hello")]).await;
    let server = "aliases = [\"www.localhost\", \"*.old.localhost\"]";
    let gateway = Gateway::with(upstream.address(), Settings { server, ..OPEN_FOLDER }).await;
    let ask = async |line: &str, host: &str| {
        let request =
            format!("{line} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        let reply = exchange(gateway.address, request).await.unwrap();
        (reply.status(), reply.head.value("location"))
    };
    for host in ["www.localhost", "WWW.localhost.:8443", "a.old.localhost"] {
        for (line, target) in [
            ("GET /public/x?a=b;c&d=%2F", "/public/x?a=b;c&d=%2F"),
            ("HEAD /x", "/x"),
            ("GET /.passgate/login?return_to=%2Fx", "/.passgate/login?return_to=%2Fx"),
            ("GET /.well-known/passkey-endpoints", "/.well-known/passkey-endpoints"),
            ("GET //evil.example/x", "/evil.example/x"),
        ] {
            let expected = (301, Some(format!("{}{target}", gateway.url())));
            assert_eq!(ask(line, host).await, expected, "{line} at {host}");
        }
        for line in ["POST /.passgate/login", "POST /public/x", "PUT /x", "OPTIONS /x"] {
            assert_eq!(ask(line, host).await, (421, None), "{line} at {host}");
        }
    }
    assert_eq!(ask("GET /public/x", "old.localhost").await, (421, None), "only what is listed");
    assert_eq!(ask("GET /public/x", "evil.example").await, (421, None));
    assert_eq!(ask("GET /public/x", &gateway.host()).await, (200, None));
    assert_eq!(upstream.request_heads().len(), 1);
}
