//! A forum that is reached over TLS: signed in to like any other, and never when it can't prove who it is.

use passgate::bridge::Dial;
use passgate::config::Config;
use passgate::proxy::UpstreamDial;
use tempfile::TempDir;

use super::{FakeForum, Site};
use crate::support::tls::{Authority, Door, Holds};

/// A forum whose door shows a certificate of `shown`, and a gateway that trusts `trusted`.
async fn site(trusted: &Authority, shown: &Authority, name: &str, holds: Holds) -> (Site, Door) {
    let folder = TempDir::new().unwrap();
    trusted.write(&folder.path().join("ca.pem"));
    let forum = FakeForum::start().await;
    let door = shown.door(name, holds, forum.address()).await;
    (Site::before(forum, door.address, folder, "", "").await, door)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forum_over_tls_knows_a_member_who_signs_in_here() {
    let authority = Authority::new();
    let (site, _door) = site(&authority, &authority, "127.0.0.1", Holds::ForLong).await;
    let mut browser = site.browser();
    site.sign_in(&mut browser, "alice").await.assert_status(200).assert_says("Hello alice at /a!");
    browser.get("/b").await.assert_says("Hello alice at /b!");
    assert_eq!(site.forum.tries(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_07_a_forum_that_cannot_prove_who_it_is_is_away_and_gets_no_password() {
    let (ours, others) = (Authority::new(), Authority::new());
    for (shown, name, holds) in [
        (&others, "127.0.0.1", Holds::ForLong),
        (&ours, "forum.example", Holds::ForLong),
        (&ours, "127.0.0.1", Holds::NoLonger),
    ] {
        let (site, door) = site(&ours, shown, name, holds).await;
        let mut browser = site.browser();
        site.sign_in(&mut browser, "alice").await.assert_status(502);
        assert!(browser.jar.find("passgate").is_some(), "signed in here all the same");
        assert_eq!(site.forum.heads().len(), 0, "{name} {holds:?}: not a request of any kind");

        let file = site.folder.path().join("ca.pem");
        let text = format!("[upstream]\nurl = \"https://{}\"\nca_file = {file:?}", door.address);
        let upstream = Config::from_toml_str(&text).unwrap().proxy.upstream;
        let dial = UpstreamDial::new(&upstream.sites);
        let why = dial.dial([127, 0, 0, 1].into()).await.err().unwrap().to_string();
        assert!(why.contains("invalid peer certificate"), "{name} {holds:?}: {why}");
    }
}
