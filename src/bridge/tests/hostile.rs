//! Pages that a broken or taken-over forum might send: each ends in a value, soon, and the password goes nowhere else.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::server::{Call, Reply};
use super::*;

const FORM: &str = "<form method=post><input name=username><input type=password name=password>";

async fn outcome(fake: impl FnMut(&Call) -> Reply + Send + 'static) -> (&'static str, usize, Report) {
    let (server, forum) = start("generic-form", Box::new(fake)).await;
    let report = forum.sign_in(&credentials(NAME, PASSWORD), &visitor(1)).await;
    (said(&report.login), server.posts(), report)
}

#[tokio::test]
async fn a_page_that_is_no_sign_in_page_gets_no_post() {
    for page in [
        String::new(),
        "<h1>It works!</h1>".to_owned(),
        "<form><input name=username></form>".to_owned(),
        "<form><input name=q></form><input name=username><input name=password>".to_owned(),
        "<!-- <form><input name=username><input name=password></form> -->".to_owned(),
        "<script>'<form><input name=username><input name=password></form>'</script>".to_owned(),
        format!("{FORM}{}</form>", "<input type=hidden name=h value=v>".repeat(10_000)),
        format!("{FORM}<input type=hidden name=h value=\"{}\"></form>", "v".repeat(100_000)),
        format!("{FORM}</form>{}", "x".repeat(2 * 1024 * 1024)),
        format!("{}{FORM}</form>", "<div>".repeat(300_000)),
        format!("<form action=\"https://evil.test/\">{}</form>", &FORM[18..]),
        format!("<form action=\"//evil.test/x\">{}</form>", &FORM[18..]),
        format!("<form action=\"https://forum.test@evil.test/x\">{}</form>", &FORM[18..]),
        format!("<form action=\"https://forum.test:8443/x\">{}</form>", &FORM[18..]),
        format!("<form action=\"javascript:alert(1)\">{}</form>", &FORM[18..]),
        format!("<base href=\"https://evil.test/\"><form action=\"x\">{}</form>", &FORM[18..]),
    ] {
        let start = page[..page.len().min(80)].to_owned();
        let (said, posts, report) = outcome(move |_| Reply::page(page.clone())).await;
        assert_eq!((said, posts), ("unrecognised", 0), "{start}: {report:#?}");
    }
}

#[tokio::test]
async fn a_redirect_ends_soon_and_leads_nowhere_else() {
    for to in [
        "/login",
        "/x",
        "https://evil.test/login",
        "//evil.test",
        "https://forum.test.evil.test/",
        "http://127.0.0.1:1/",
        "ftp://forum.test/",
        "\\\\evil.test",
    ] {
        let (said, posts, report) = outcome(move |_| Reply::to(to)).await;
        assert_eq!((said, posts), ("unrecognised", 0), "{to}: {report:#?}");
        assert!(report.steps.len() <= 7, "{to}: {report:#?}");
    }
    for (status, to) in
        [(302, "https://evil.test/"), (307, "/elsewhere"), (308, "https://evil.test/"), (302, "/login")]
    {
        let (said, posts, report) = outcome(move |call: &Call| match call.is_post() {
            true => Reply::to(to).status(status),
            false
                if call.path() == "/login"
                    && to == "/login"
                    && call.header("referer").ends_with("/login") =>
            {
                Reply::to(to)
            }
            false => Reply::page(FORM),
        })
        .await;
        assert_eq!((said, posts), ("unrecognised", 1), "{status} {to}: {report:#?}");
    }
}

#[tokio::test]
async fn a_compressed_page_is_not_unpacked() {
    let (said, posts, _) = outcome(|_| Reply::page(FORM).with("content-encoding", "gzip")).await;
    assert_eq!((said, posts), ("unrecognised", 0));
}

#[tokio::test]
async fn success_is_only_believed_if_the_forum_then_knows_the_member() {
    let (said, posts, report) = outcome(|call: &Call| match call.path() {
        "/login" if call.is_post() => Reply::to("/welcome").cookie("session=guest"),
        "/login" => Reply::page(FORM),
        _ => Reply::page("<a href=/login>"),
    })
    .await;
    assert_eq!((said, posts), ("unrecognised", 1), "{report:#?}");
    assert_eq!(report.steps.last().map(|taken| taken.step), Some(Step::Check));

    let (said, ..) = outcome(|call: &Call| match call.path() {
        "/login" if call.is_post() => Reply::to("/").cookie("session=m").cookie("unnamed=m"),
        "/login" => Reply::page(FORM),
        _ if call.cookie("unnamed") == "m" => Reply::page("logout"),
        _ => Reply::page("<a href=/login>"),
    })
    .await;
    assert_eq!(said, "unrecognised", "nor if it takes a cookie that the preset does not name");
}

#[tokio::test]
async fn what_is_no_http_or_is_not_there_is_a_forum_that_is_away() {
    for answer in
        [&b""[..], b"hello", b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nab", b"HTTP/1.1 200 OK\r\n"]
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            assert!(stream.read(&mut request).await.unwrap() > 0);
            stream.write_all(answer).await.unwrap();
        });
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(0)));
        let preset = Preset::shipped("generic-form").unwrap();
        let forum = Forum::new(preset, "/", Arc::new(vec![address]), clock.clone(), Arc::new(Skip(clock)));
        let report = forum.sign_in(&credentials(NAME, PASSWORD), &visitor(1)).await;
        assert!(!matches!(report.login, Login::SignedIn(_)), "{report:#?}");
        serving.await.unwrap();
        let report = forum.sign_in(&credentials(NAME, PASSWORD), &visitor(1)).await;
        assert_eq!(said(&report.login), "unavailable", "nobody listens: {report:#?}");
    }
}
