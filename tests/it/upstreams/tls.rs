//! TLS to the applications: each has its own authorities, and knows the gateway by a certificate (TLS-07, HDR-05).

use tempfile::TempDir;

use super::{application, gateway, get};
use crate::support::raw::exchange;
use crate::support::tls::{Authority, Holds};

#[tokio::test(flavor = "multi_thread")]
async fn tls_07_each_route_believes_its_own_authorities_and_no_others() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let (forum, wiki) = (application("forum").await, application("wiki").await);
    let folder = TempDir::new().unwrap();
    let file = |name: &str| folder.path().join(name);
    ours.write(&file("ours.pem"));
    theirs.write(&file("theirs.pem"));
    let forum_door = ours.door("127.0.0.1", Holds::ForLong, forum.address()).await;
    let wiki_door = theirs.door("127.0.0.1", Holds::ForLong, wiki.address()).await;
    let lines = |forums: &str, wikis: &str| {
        format!(
            "url = \"https://{}\"\nca_file = {:?}\n[[upstream.route]]\npath = \"/wiki/**\"\nurl = \"https://{}\"\n\
             ca_file = {:?}\n[[upstream.route]]\npath = \"/strict/**\"\nurl = \"https://{}\"\n",
            forum_door.address,
            file(forums),
            wiki_door.address,
            file(wikis),
            forum_door.address
        )
    };
    let site = gateway(&lines("ours.pem", "theirs.pem"), "").await;
    assert_eq!([get(&site, "/").await, get(&site, "/wiki/").await], ["forum", "wiki"]);
    // The same server, without the file: a connection that was made for the other route must not serve here.
    assert!(get(&site, "/strict/x").await.contains("having a break"));
    assert_eq!(forum.request_heads().len(), 1);
    let swapped = gateway(&lines("theirs.pem", "ours.pem"), "").await;
    for target in ["/", "/wiki/"] {
        assert!(get(&swapped, target).await.contains("having a break"), "{target}");
    }
    // What was known before a reload does not count after it.
    let text = super::text(site.address, &lines("theirs.pem", "ours.pem"), "");
    site.running.reload(&crate::support::gateway::read(&text)).await.unwrap();
    assert!(get(&site, "/").await.contains("having a break"));
    assert_eq!((forum.request_heads().len(), wiki.request_heads().len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_07_an_application_that_cannot_prove_who_it_is_gets_no_request() {
    let (ours, others) = (Authority::new(), Authority::new());
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("ours.pem");
    ours.write(&file);
    for (shown, name, holds, status) in [
        (&ours, "127.0.0.1", Holds::ForLong, 200),
        (&ours, "127.0.0.1", Holds::NoLonger, 502),
        (&ours, "forum.example", Holds::ForLong, 502),
        (&others, "127.0.0.1", Holds::ForLong, 502),
    ] {
        let forum = application("forum").await;
        let door = shown.door(name, holds, forum.address()).await;
        let site = gateway(&format!("url = \"https://{}\"\nca_file = {file:?}", door.address), "").await;
        for line in ["GET /", "POST /"] {
            let asked = super::request(line, &site.host(), "Content-Length: 0\r\n");
            assert_eq!(exchange(site.address, asked).await.unwrap().status(), status, "{name} {holds:?}");
        }
        assert_eq!(forum.connections().is_empty(), status == 502, "{name} {holds:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hdr_05_an_application_that_asks_for_a_certificate_knows_the_gateway_by_its_own() {
    let (servers, clients, strangers) = (Authority::new(), Authority::new(), Authority::new());
    let forum = application("forum").await;
    let folder = TempDir::new().unwrap();
    servers.write(&folder.path().join("ca.pem"));
    clients.issue(&["gateway"], Holds::ForLong, folder.path(), "known");
    strangers.issue(&["gateway"], Holds::ForLong, folder.path(), "strange");
    let door = servers.door_for("127.0.0.1", Holds::ForLong, forum.address(), Some(&clients)).await;
    let at = |name: &str| folder.path().join(name);
    let lines = |certificate: &str| {
        format!("url = \"https://{}\"\nca_file = {:?}\n{certificate}", door.address, at("ca.pem"))
    };
    let shown = |name: &str| {
        let (chain, key) = (at(&format!("{name}.pem")), at(&format!("{name}.key")));
        lines(&format!("client_certificate = {chain:?}\nclient_key = {key:?}\n"))
    };
    for (lines, status) in [(shown("known"), 200), (lines(""), 502), (shown("strange"), 502)] {
        let site = gateway(&lines, "").await;
        for line in ["GET /", "POST /"] {
            let asked = super::request(line, &site.host(), "Content-Length: 0\r\n");
            let reply = exchange(site.address, asked).await.unwrap();
            assert_eq!(reply.status(), status, "{lines}");
        }
    }
    assert_eq!(forum.request_heads().len(), 2);

    // The files change while the gateway runs.
    let site = gateway(&shown("known"), "").await;
    assert_eq!(get(&site, "/").await, "forum");
    clients.issue(&["gateway"], Holds::NoLonger, folder.path(), "known");
    let text = super::text(site.address, &shown("known"), "");
    site.running.reload(&crate::support::gateway::read(&text)).await.unwrap();
    assert!(!get(&site, "/").await.contains("forum"), "not on a connection that the old one opened");
    clients.issue(&["gateway"], Holds::ForLong, folder.path(), "known");
    site.running.reload(&crate::support::gateway::read(&text)).await.unwrap();
    assert_eq!(get(&site, "/").await, "forum");
}
