//! The decision for another proxy: believed only from trusted peers, the same as for our own requests (HDR-07, H7).

use crate::support::gateway::{Gateway, Settings};
use crate::support::raw::{Reply, exchange};

const TRUSTING: Settings<'_> = Settings {
    server: "trusted_proxies = [\"127.0.0.1/32\"]",
    access: "default = \"login\"\n[[access.rule]]\npath = \"/open/**\"\nrequire = \"guest\"\n\
             [[access.rule]]\npath = \"/closed/**\"\nrequire = \"deny\"",
    ..Settings::NONE
};

async fn gateway(settings: Settings<'_>) -> Gateway {
    let nobody = std::net::SocketAddr::from(([127, 0, 0, 1], 9));
    Gateway::with(nobody, settings).await
}

async fn verify(gateway: &Gateway, fields: &str) -> Reply {
    let request = format!(
        "GET /.passgate/verify HTTP/1.1\r\nHost: {}\r\nAccept: text/html\r\nConnection: close\r\n{fields}\r\n",
        gateway.host()
    );
    exchange(gateway.address, request).await.unwrap()
}

fn nginx(gateway: &Gateway, target: &str) -> String {
    format!("X-Original-URL: http://{}{target}\r\nX-Original-Method: GET\r\n", gateway.host())
}

fn caddy(gateway: &Gateway, target: &str) -> String {
    let host = gateway.host();
    format!(
        "X-Forwarded-Uri: {target}\r\nX-Forwarded-Method: GET\r\nX-Forwarded-Host: {host}\r\nX-Forwarded-Proto: http\r\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn both_ways_of_asking_get_the_decision_and_the_identity() {
    let gateway = gateway(TRUSTING).await;
    let cookie =
        gateway.cookie_of(&gateway.add_member("alice", "wonderland is far", &["admins"]).await).await;
    for ask in [nginx, caddy] {
        let visitor = verify(&gateway, &ask(&gateway, "/open/x")).await;
        assert_eq!((visitor.status(), visitor.head.value("remote-user")), (200, None));
        let member = verify(&gateway, &format!("{}Cookie: {cookie}\r\n", ask(&gateway, "/x?a=1"))).await;
        assert_eq!(member.status(), 200);
        assert_eq!(member.head.values("remote-user"), ["alice"]);
        assert_eq!(member.head.values("remote-groups"), ["admins"]);
        assert_eq!(verify(&gateway, &ask(&gateway, "/closed/x")).await.status(), 403);
        let ambiguous = verify(&gateway, &ask(&gateway, "/open/..%2fx")).await;
        assert!(matches!(ambiguous.status(), 400 | 403), "{}", ambiguous.status());
        let escape = verify(&gateway, &ask(&gateway, "/open/../x")).await;
        assert!(matches!(escape.status(), 302 | 401), "{}", escape.status());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_return_target_survives_in_the_form_each_proxy_understands() {
    let gateway = gateway(TRUSTING).await;
    let location = "/.passgate/login?return_to=%2Fviewtopic.php%3Ft%3D1%3Bx";
    // Traefik takes a relative address for one on the gateway.
    let absolute = format!("{}{location}", gateway.url());
    for (ask, status, location) in
        [(nginx as fn(&Gateway, &str) -> String, 401, location), (caddy, 302, absolute.as_str())]
    {
        let reply = verify(&gateway, &ask(&gateway, "/viewtopic.php?t=1;x")).await;
        assert_eq!(reply.status(), status);
        assert_eq!(reply.head.values("location"), [location]);
        let script = format!("{}X-Requested-With: XMLHttpRequest\r\n", ask(&gateway, "/ajax"));
        let reply = verify(&gateway, &script).await;
        assert_eq!((reply.status(), reply.head.value("location")), (401, None));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn h7_a_stranger_gets_no_answer_and_a_senseless_question_none_either() {
    let stranger = gateway(Settings { server: "", ..TRUSTING }).await;
    let cookie = stranger.cookie_of(&stranger.add_member("alice", "wonderland is far", &[]).await).await;
    let reply = verify(&stranger, &format!("{}Cookie: {cookie}\r\n", nginx(&stranger, "/open/x"))).await;
    assert_eq!((reply.status(), reply.head.value("remote-user")), (404, None));
    let gateway = gateway(TRUSTING).await;
    for senseless in ["", "X-Original-URL: /x\r\nX-Original-Method: GET\r\n", "X-Forwarded-Uri: /x\r\n"] {
        assert_eq!(verify(&gateway, senseless).await.status(), 400, "{senseless}");
    }
}

/// Caddy and Traefik pass on what the visitor sent beside their own description, nginx likewise.
#[tokio::test(flavor = "multi_thread")]
async fn hdr_07_a_visitor_cannot_put_another_question_than_the_proxy_does() {
    let gateway = gateway(TRUSTING).await;
    for fields in [
        format!("{}{}", caddy(&gateway, "/x"), nginx(&gateway, "/open/x")),
        format!("{}{}", nginx(&gateway, "/x"), caddy(&gateway, "/open/x")),
        format!("{}X-Original-URL: \r\n", caddy(&gateway, "/x")),
        format!("{}X-Original-Method: GET\r\n", caddy(&gateway, "/x")),
        format!("{}X-Original-URL: http://{}/open/x\r\n", nginx(&gateway, "/x"), gateway.host()),
        format!("{}X-Forwarded-Uri: /open/x\r\n", caddy(&gateway, "/x")),
    ] {
        assert_eq!(verify(&gateway, &fields).await.status(), 400, "{fields}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn path_05_our_own_pages_are_never_waved_through_to_the_application() {
    let gateway = gateway(TRUSTING).await;
    for (ask, status) in [(nginx as fn(&Gateway, &str) -> String, 403), (caddy, 404)] {
        for target in ["/.passgate/login", "/.well-known/change-password", "/.well-known/passkey-endpoints"] {
            assert_eq!(verify(&gateway, &ask(&gateway, target)).await.status(), status, "{target}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bp_88_a_service_worker_is_refused_for_an_asking_proxy_too() {
    let gateway = gateway(TRUSTING).await;
    for ask in [nginx, caddy] {
        let fields = format!("{}Service-Worker: script\r\n", ask(&gateway, "/open/x"));
        assert_eq!(verify(&gateway, &fields).await.status(), 403);
    }
}
