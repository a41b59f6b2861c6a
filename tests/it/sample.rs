//! The sample forum, used as a person, a browser and a test use it.

use http::Method;
use passgate::sample::{MEMBERS, RunningForum, SampleForum};

use crate::support::browser::{Browser, Fetch, File, Page};
use crate::support::raw::{self, RawClient};

async fn forum() -> RunningForum {
    SampleForum::bind("127.0.0.1:0".parse().unwrap()).await.unwrap().spawn()
}

async fn logged_in(forum: &RunningForum, member: usize) -> Browser {
    let mut browser = Browser::at(forum.address());
    let form = browser.get("/login.php").await;
    let filled = [("username", MEMBERS[member].name), ("password", MEMBERS[member].password)];
    let page = browser.submit(&form, "login", &filled).await;
    assert_eq!(page.meta_refresh().as_deref(), Some("index.php"), "{}", page.text());
    browser
}

/// Goes on where `<meta>` leads.
async fn moved_on(browser: &mut Browser, page: &Page) -> Page {
    page.assert_status(200);
    let to = page.meta_refresh().expect("the page refreshes");
    browser.click(page, &to).await
}

#[tokio::test]
async fn a_guest_reads_and_is_told_to_log_in_before_writing() {
    let forum = forum().await;
    let mut browser = Browser::at(forum.address());
    browser
        .get("/")
        .await
        .assert_status(200)
        .assert_says("<b id=\"member\">Guest</b>")
        .assert_says("Trams &amp; trains");
    let board = browser.get("/viewforum.php?f=2").await;
    let topic = browser.click(&board, &board.link("viewtopic.php?t=3;start=0")).await;
    topic.assert_says("Photos of &lt;old&gt; tickets").assert_says("Please <a href=\"login.php\">log in</a>");
    let second = browser.get("/viewtopic.php?t=1;start=15").await;
    second.assert_says("greeting number 18").assert_silent_about("greeting number 3.");
    assert_eq!(browser.get("/viewtopic.php?t=1&start=15").await.body, second.body, "either separator does");
    browser.get("/posting.php?mode=newtopic;f=1").await.assert_status(403);
    browser.get("/viewtopic.php?t=999").await.assert_status(404);
    browser.get("/search.php?keywords=TICKETS").await.assert_says("viewtopic.php?t=3;start=0");
    assert_eq!(browser.jar.find("sample[read]").unwrap().value, "1|50%7C2%3D%3D");
}

#[tokio::test]
async fn a_member_logs_in_posts_and_logs_out() {
    let forum = forum().await;
    let mut browser = logged_in(&forum, 1).await;
    browser.get("/").await.assert_says("<b id=\"member\">bob</b>");
    let form = browser.get("/posting.php?mode=newtopic;f=3").await;
    let words = [("subject", "<script>alert(1)</script>"), ("message", "a & b;\n\"c\" ü")];
    let done = browser.submit(&form, "post", &words).await;
    let topic = moved_on(&mut browser, &done).await;
    topic.assert_says("a &amp; b;<br>").assert_says("&quot;c&quot; ü").assert_silent_about("<script>alert");
    let done = browser.submit(&topic, "quickreply", &[("message", "a quick one")]).await;
    let topic = moved_on(&mut browser, &done).await;
    topic.assert_says("a quick one");
    let out = browser.click(&topic, &topic.link("action=out")).await;
    out.assert_status(200);
    assert!(
        browser.jar.find("sample_user").is_none(),
        "the last of the lines deletes it: {:?}",
        browser.jar.all()
    );
    assert_ne!(browser.jar.find("sample_sid").unwrap().value, "deleted", "the last of the lines sets it");
    browser.get("/").await.assert_says("Guest");
}

#[tokio::test]
async fn a_wrong_password_or_a_foreign_form_logs_nobody_in() {
    let forum = forum().await;
    let mut browser = Browser::at(forum.address());
    let form = browser.get("/login.php").await;
    let wrong = browser.submit(&form, "login", &[("username", "alice"), ("password", "x")]).await;
    wrong.assert_status(200).assert_says("Wrong user name or password");
    let right = [("username", "alice"), ("password", MEMBERS[0].password), ("form_token", "0")];
    browser.post_form("/login.php?action=in", &right).await.assert_says("The form is out of date");
    browser.get("/").await.assert_says("Guest");
}

/// SECURITY: HDR-09.
#[tokio::test]
async fn the_identity_header_outranks_the_forums_own_login() {
    let forum = forum().await;
    let mut browser = logged_in(&forum, 1).await;
    let identity = [("remote-user", "alice"), ("remote-name", "Alice <Liddell>")];
    let topic = browser.ask(Method::GET, "/viewtopic.php?t=4", &identity, "").await;
    topic.assert_says("<b id=\"member\">alice</b> (Alice &lt;Liddell&gt;)");
    let token = topic.form("quickreply").value("form_token").to_owned();
    let body = format!("mode=reply&t=4&message=plum&form_token={token}");
    browser.ask(Method::POST, "/posting.php", &identity, &body).await.assert_says("Your post was taken");
    browser.get("/viewtopic.php?t=4").await.assert_says("<b>alice (Alice &lt;Liddell&gt;)</b>");
    let forged = "GET /whoami.json HTTP/1.1\r\nHost: f\r\nRemote-User: alice\r\nrEMOTE_uSER: mallory\r\n\r\n";
    assert!(
        raw::exchange(forum.address(), forged)
            .await
            .unwrap()
            .text()
            .contains("\"member\":\"alice, mallory\"")
    );
}

#[tokio::test]
async fn an_attachment_goes_up_and_comes_down_in_parts() {
    let forum = forum().await;
    let mut browser = logged_in(&forum, 0).await;
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|at| u8::try_from(at % 253).unwrap()).collect();
    let form = browser.get("/posting.php?mode=reply;t=2").await;
    let file = File { field: "attachment", name: "tram ü.bin", content_type: "text/html", bytes: &bytes };
    let done = browser.upload(&form, "post", &[("message", "see there")], &[file]).await;
    let topic = moved_on(&mut browser, &done).await;
    let link = format!("/{}", topic.link("download.php"));
    let whole = browser.get(&link).await;
    assert!(whole.body == bytes);
    assert_eq!(whole.header("content-length"), "3000000");
    assert_eq!(whole.header("content-type"), "application/octet-stream");
    assert!(whole.header("content-disposition").ends_with("tram%20%C3%BC%2Ebin"));
    let tag = whole.header("etag");
    let part = browser.ask(Method::GET, &link, &[("range", "bytes=10-19"), ("if-range", &tag)], "").await;
    assert_eq!((part.status.as_u16(), &part.body[..]), (206, &bytes[10..20]));
    assert_eq!(part.header("content-range"), "bytes 10-19/3000000");
    let known = browser.ask(Method::GET, &link, &[("if-none-match", &tag)], "").await;
    assert_eq!((known.status.as_u16(), known.body.len()), (304, 0));
    browser.ask(Method::GET, &link, &[("range", "bytes=3000000-")], "").await.assert_status(416);
    let head = browser.ask(Method::HEAD, &link, &[], "").await;
    assert_eq!((head.header("content-length"), head.body.len()), ("3000000".to_owned(), 0));
}

#[tokio::test]
async fn an_attachment_over_the_limit_is_refused() {
    let forum = forum().await;
    let mut browser = logged_in(&forum, 0).await;
    let form = browser.get("/posting.php?mode=reply;t=2").await;
    let token = form.form("post").value("form_token").to_owned();
    let sid = browser.jar.find("sample_sid").unwrap().value.clone();
    let start = format!(
        "--x\r\nContent-Disposition: form-data; name=\"form_token\"\r\n\r\n{token}\r\n\
         --x\r\nContent-Disposition: form-data; name=\"attachment\"; filename=\"a\"\r\n\r\n"
    );
    let length = start.len() + (40 << 20);
    let mut request = format!(
        "POST /posting.php HTTP/1.1\r\nHost: f\r\nRemote-User: alice\r\nCookie: sample_sid={sid}\r\n\
         Content-Type: multipart/form-data; boundary=x\r\nContent-Length: {length}\r\n\r\n{start}"
    )
    .into_bytes();
    request.resize(request.len() + (40 << 20), b'a');
    assert_eq!(raw::exchange(forum.address(), request).await.unwrap().status(), 413);
}

#[tokio::test]
async fn a_page_of_two_megabytes_arrives_chunked_packed_or_not() {
    let forum = forum().await;
    let mut browser = Browser::at(forum.address());
    let packed = browser.get("/viewtopic.php?t=50").await;
    assert_eq!(packed.header("content-encoding"), "gzip");
    assert_eq!(
        (packed.header("content-length"), packed.header("transfer-encoding")),
        (String::new(), "chunked".into())
    );
    assert!(packed.body.len() > 2 << 20, "{}", packed.body.len());
    let plain = browser.ask(Method::GET, "/viewtopic.php?t=50", &[("accept-encoding", "")], "").await;
    assert_eq!(plain.header("content-encoding"), "");
    let (a, b) = (plain.text(), packed.text());
    assert!(a == b);
    browser.ask(Method::HEAD, "/viewtopic.php?t=50", &[], "").await.assert_status(200);
}

#[tokio::test]
async fn the_other_files_of_a_forum_are_there() {
    let forum = forum().await;
    let mut browser = Browser::new(forum.address(), "https://forum.test");
    let logo = browser.fetch(Fetch::Image, "/images/logo.gif").await;
    assert_eq!((logo.header("content-type"), &logo.body[..6]), ("image/gif".to_owned(), &b"GIF89a"[..]));
    assert_eq!(browser.get("/style.css").await.header("content-type"), "text/css; charset=utf-8");
    let feed = browser.ask(Method::GET, "/feed.php", &[("x-forwarded-proto", "https")], "").await;
    feed.assert_says("<link>https:&#x2f;&#x2f;forum.test/viewtopic.php?t=50;start=0</link>");
    assert_eq!(browser.xhr("/ajax.php?action=counts").await.json()["topics"], 5);
    browser.ask(Method::DELETE, "/index.php", &[], "").await.assert_status(405);
}

#[tokio::test]
async fn whoami_lists_every_header_line() {
    let forum = forum().await;
    let request =
        b"PUT /whoami.json?a[]=1;b=%7C|&c HTTP/1.1\r\nHost: f\r\nX-A: 1\r\nX-A: 2\r\nX-B: \xe9\r\n\r\n";
    let reply = raw::exchange(forum.address(), request).await.unwrap();
    let seen: serde_json::Value = serde_json::from_str(&reply.text()).unwrap();
    let expected = serde_json::json!({
        "method": "PUT",
        "target": "/whoami.json?a[]=1;b=%7C|&c",
        "version": "HTTP/1.1",
        "headers": [["host", "f"], ["x-a", "1"], ["x-a", "2"], ["x-b", "\u{fffd}"]],
        "member": null,
    });
    assert_eq!(seen, expected);
    let mut browser = Browser::at(forum.address());
    let page = browser.ask(Method::GET, "/whoami.php", &[("x-odd", "<b>")], "").await;
    page.assert_says("<tt>x-odd</tt>").assert_says("<tt>&lt;b&gt;</tt>");
}

#[tokio::test]
async fn bytes_are_the_same_pattern_whichever_way_they_come() {
    let forum = forum().await;
    let mut client = RawClient::connect(forum.address()).await;
    let expected: Vec<u8> = (0..200_000_usize).map(|at| u8::try_from(at % 65_536 % 251).unwrap()).collect();
    for (query, framing) in [("n=200000", "content-length"), ("n=200000&chunked=1", "transfer-encoding")] {
        let request = format!("GET /bytes?{query} HTTP/1.1\r\nHost: f\r\n\r\n");
        let reply = client.exchange(request).await.unwrap();
        assert_eq!(reply.head.values(framing).len(), 1, "{}", reply.head.text());
        assert!(reply.body.bytes == expected);
    }
}

#[tokio::test]
async fn what_is_posted_is_counted_or_echoed() {
    let forum = forum().await;
    let mut client = RawClient::connect(forum.address()).await;
    let chunked = "Host: f\r\nContent-Type: x/y\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 9\r\n\r\n";
    let echoed = client.exchange(format!("POST /echo HTTP/1.1\r\n{chunked}")).await.unwrap();
    assert_eq!(
        (echoed.text().as_str(), echoed.head.value("content-type").as_deref()),
        ("hello", Some("x/y"))
    );
    let sunk = client.exchange(format!("POST /sink HTTP/1.1\r\nTrailer: x-sum\r\n{chunked}")).await.unwrap();
    assert_eq!(sunk.text(), r#"{"bytes":5,"trailers":[["x-sum","9"]]}"#);
    client
        .send("POST /sink HTTP/1.1\r\nHost: f\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        .await
        .unwrap();
    assert_eq!(client.receive(25).await.unwrap(), b"HTTP/1.1 100 Continue\r\n\r\n");
    client.send("ab").await.unwrap();
    assert_eq!(client.reply_to("POST").await.unwrap().text(), r#"{"bytes":2,"trailers":[]}"#);
}

#[tokio::test]
async fn the_test_addresses_do_what_they_are_documented_to_do() {
    let forum = forum().await;
    let mut browser = Browser::at(forum.address());
    for (code, length) in [(204, 0), (304, 0), (418, 11), (599, 11)] {
        let page = browser.ask(Method::GET, &format!("/status?code={code}"), &[], "").await;
        assert_eq!(page.assert_status(code).body.len(), length);
    }
    browser.ask(Method::GET, "/status?code=101", &[], "").await.assert_status(400);
    assert_eq!(browser.get("/status?code=303").await.target(), "/whoami.php");
    for way in ["/slow?ms=1", "/slow?ms=1;head=1"] {
        assert_eq!(browser.get(way).await.text(), "ab");
    }
    let cookies = browser.get("/setcookie").await;
    assert_eq!(cookies.headers.get_all("set-cookie").iter().count(), 6);
    assert_eq!(browser.jar.find("order").unwrap().value, "third");
    assert_eq!(browser.jar.find("sample[odd]").unwrap().value, "a%7Cb|c%3D%3D");
    let request = "GET /trailers HTTP/1.1\r\nHost: f\r\nTE: trailers\r\n\r\n";
    let reply = raw::exchange(forum.address(), request).await.unwrap();
    assert_eq!(reply.body.trailers, [("x-checksum".to_owned(), "1a2b3c".to_owned())]);
}

#[tokio::test]
async fn a_websocket_is_shaken_hands_with_and_echoed() {
    let forum = forum().await;
    let mut client = RawClient::connect(forum.address()).await;
    // The key and its answer are those of RFC 6455, section 1.3.
    let request = "GET /ws HTTP/1.1\r\nHost: f\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let reply = client.exchange(request).await.unwrap();
    assert_eq!(reply.status(), 101);
    assert_eq!(reply.head.value("sec-websocket-accept").unwrap(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    let frame = b"\x81\x85\x01\x02\x03\x04iggho";
    client.send(frame).await.unwrap();
    assert_eq!(client.receive(frame.len()).await.unwrap(), frame);
    drop(forum);
    assert!(client.rest().await.unwrap().is_empty(), "it ends with the forum");
    let plain = "GET /ws HTTP/1.1\r\nHost: f\r\n\r\n";
    let forum = self::forum().await;
    assert_eq!(raw::exchange(forum.address(), plain).await.unwrap().status(), 426);
}
