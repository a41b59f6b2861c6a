//! The forum as one of several applications: what is between the gateway and it is nobody else's.

use super::{FakeForum, Site};
use crate::support::upstream::{Act, Recorder};

/// A site with a forum at its front, and another application for `/wiki`.
async fn site(wiki: &Recorder, bridge: &str) -> Site {
    let forum = FakeForum::start().await;
    let address = forum.address();
    let route = format!(
        "bridge = \"{bridge}\"\n[[upstream.route]]\npath = \"/wiki/**\"\nurl = \"http://{}\"\n",
        wiki.address()
    );
    Site::before(forum, address, tempfile::tempdir().unwrap(), "", &route).await
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_by_which_the_forum_knows_a_member_goes_to_another_application() {
    for bridge in ["form", "basic"] {
        let wiki = Recorder::always([Act::ok("wiki")]).await;
        let site = site(&wiki, bridge).await;
        let mut browser = site.browser();
        site.sign_in(&mut browser, "alice").await.assert_status(200);
        let forum = site.forum.last("/a").text().to_lowercase();
        assert!(forum.contains("fsid=s") || forum.contains("authorization: basic"), "{forum}");
        for path in ["/wiki/x", "/wiki/login", "/wiki/register"] {
            browser.get(path).await.assert_says("wiki");
        }
        for head in wiki.request_heads() {
            assert_eq!(head.values("remote-user"), ["alice"], "named like everywhere");
            assert!(
                !head.text().contains("fsid") && head.value("authorization").is_none(),
                "{}",
                head.text()
            );
        }
        assert_eq!(site.forum.tries(), usize::from(bridge == "form"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_application_sets_under_the_forums_cookies_plants_no_session_there() {
    let planted = "HTTP/1.1 200 OK\r\nSet-Cookie: fsid=planted; Path=/\r\nContent-Length: 4\r\n\r\nwiki";
    let wiki = Recorder::always([Act::Send(planted.into())]).await;
    let site = site(&wiki, "form").await;
    let mut browser = site.browser();
    site.sign_in(&mut browser, "alice").await.assert_status(200);
    browser.get("/wiki/x").await.assert_says("wiki");
    browser.get("/b").await.assert_says("Hello alice at /b!");
    assert!(!site.forum.last("/b").text().contains("planted"));
}
