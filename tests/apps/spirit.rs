//! django-spirit, a forum in Python: its own login, posts, images; Django's checks of Origin, Referer and Host.

use http::{Method, StatusCode};

use crate::front::Front;
use crate::program::{Program, free_port, root, words};
use crate::support::browser::Browser;
use crate::transcript::Transcript;

/// A picture of one pixel, all of whose bytes happen to be text.
const GIF: &str = "GIF89a\x01\x00\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;";

pub(crate) async fn spirit() -> Program {
    Program::start("spirit", free_port(), "/", |port, folder| {
        words([&root().join("tests/apps/spirit.sh"), &port.to_string(), &folder])
    })
    .await
}

async fn journey(front: &Front) -> Transcript {
    let mut browser = front.browser();
    let mut seen = Transcript::default();
    read_as_guest(&mut browser, &mut seen).await;
    front.sign_in(&mut browser).await;
    log_in(&mut browser, &mut seen).await;
    post(&mut browser, &mut seen).await;
    upload(&mut browser, &mut seen).await;
    log_out(&mut browser, &mut seen).await;
    front.sign_out(&mut browser).await;
    read_as_guest(&mut browser, &mut seen).await;
    seen
}

async fn read_as_guest(browser: &mut Browser, seen: &mut Transcript) {
    let index = browser.get("/").await;
    index.assert_status(200).assert_says("First topic").assert_silent_about("/user/logout/");
    seen.note("the index, as a guest", &index);
    let topic = browser.click(&index, &index.link("first-topic")).await;
    topic.assert_status(200).assert_says("<p>Welcome</p>");
    seen.note("a topic, as a guest", &topic);
    seen.note("a page that is not there", &browser.get("/topic/999/x%20y/?a[]=1;b=%7C").await);
}

async fn log_in(browser: &mut Browser, seen: &mut Transcript) {
    let page = browser.get("/user/login/?next=/topic/1/first-topic/").await;
    seen.note("the login form", &page);
    let wrong = browser.submit(&page, "password", &[("username", "alice"), ("password", "wrong")]).await;
    wrong.assert_status(200).assert_says("Please enter a correct username and password");
    seen.note("a wrong password", &wrong);
    let topic =
        browser.submit(&wrong, "password", &[("username", "alice"), ("password", "Wonder-land.2049")]).await;
    topic.assert_status(200).assert_says("/user/logout/");
    assert_eq!(topic.url.path(), "/topic/1/first-topic/");
    seen.note("logged in", &topic);
}

async fn post(browser: &mut Browser, seen: &mut Transcript) {
    let topic = browser.get("/topic/1/first-topic/").await;
    let words = "Hello *there*, Zoë & <b>friends</b> 🚋";
    let posted = browser.submit(&topic, "comment", &[("comment", words)]).await;
    posted.assert_status(200).assert_says("Hello <em>there</em>, Zoë &amp; &lt;b&gt;friends&lt;/b&gt; 🚋");
    seen.note("posted", &posted);
}

async fn upload(browser: &mut Browser, seen: &mut Transcript) {
    let topic = browser.get("/topic/1/first-topic/").await;
    let token = topic.form("comment").value("csrfmiddlewaretoken").to_owned();
    let body = format!(
        "--part\r\nContent-Disposition: form-data; name=\"image\"; filename=\"dot.gif\"\r\n\
         Content-Type: image/gif\r\n\r\n{GIF}\r\n--part--\r\n"
    );
    let headers = [
        ("content-type", "multipart/form-data; boundary=part"),
        ("x-requested-with", "XMLHttpRequest"),
        ("x-csrftoken", token.as_str()),
    ];
    let uploaded = browser.ask(Method::POST, "/comment/upload/", &headers, &body).await;
    uploaded.assert_status(200);
    seen.note("an image uploaded", &uploaded);
    let path = uploaded.json()["url"].as_str().expect("the address of the image").to_owned();

    let image = browser.ask(Method::GET, &path, &[], "").await;
    assert_eq!(image.body, GIF.as_bytes());
    seen.note("the image", &image);
    let part = browser.ask(Method::GET, &path, &[("range", "bytes=0-5")], "").await;
    seen.note("the first bytes of the image, which this server does not do", &part);
    let unchanged = [("if-modified-since", image.header("last-modified"))];
    let unchanged =
        browser.ask(Method::GET, &path, &unchanged.each_ref().map(|(n, v)| (*n, v.as_str())), "").await;
    assert_eq!(unchanged.status, StatusCode::NOT_MODIFIED);
    seen.note("the image, unchanged", &unchanged);
}

async fn log_out(browser: &mut Browser, seen: &mut Transcript) {
    let page = browser.get("/user/logout/").await;
    let out = browser.submit(&page, "csrfmiddlewaretoken", &[("post", "Log out")]).await;
    out.assert_silent_about("/user/logout/");
    seen.note("logged out", &out);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forum_in_python_is_the_same_through_the_gateway() {
    let (plain, guarded) = tokio::join!(spirit(), spirit());
    let direct = journey(&Front::Direct(plain.address())).await;
    let through = journey(&Front::gateway(guarded.address()).await).await;
    direct.assert_same(&through);
}
