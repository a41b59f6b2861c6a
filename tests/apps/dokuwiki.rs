//! DokuWiki, PHP with habits of its own: a login form, hidden tokens, pages with colons in their names, files with ETag and
//! Range, HTTP Basic.

use http::{Method, StatusCode};

use crate::front::Front;
use crate::program::{Program, free_port, root, words};
use crate::support::browser::{Browser, File};
use crate::transcript::Transcript;

pub(crate) async fn dokuwiki() -> Program {
    Program::start("dokuwiki", free_port(), "/doku.php", |port, folder| {
        words([&root().join("tests/apps/dokuwiki.sh"), &port.to_string(), &folder])
    })
    .await
}

/// Half a megabyte of every byte there is; it says that it is a ZIP.
fn archive() -> Vec<u8> {
    let noise = (0..500_000_u32).map(|at| at.wrapping_mul(2_654_435_761).to_be_bytes()[1]);
    b"PK\x03\x04".iter().copied().chain(noise).collect()
}

async fn journey(front: &Front) -> Transcript {
    let mut browser = front.browser();
    let mut seen = Transcript::default();
    read_as_guest(&mut browser, &mut seen).await;
    front.sign_in(&mut browser).await;
    log_in(&mut browser, &mut seen).await;
    write(&mut browser, &mut seen).await;
    upload(&mut browser, &mut seen).await;
    download(&mut browser, &mut seen).await;
    log_out(&mut browser, &mut seen).await;
    front.sign_out(&mut browser).await;
    read_as_guest(&mut browser, &mut seen).await;
    seen
}

async fn read_as_guest(browser: &mut Browser, seen: &mut Transcript) {
    let start = browser.get("/doku.php?id=start").await;
    start.assert_status(200).assert_says("Welcome to the wiki").assert_says("Log In");
    seen.note("a page, as a guest", &start);
    seen.note("a page nobody wrote", &browser.get("/doku.php?id=no:such_page&do[]=x;y").await);
    seen.note("the style sheet", &browser.get("/lib/exe/css.php?t=dokuwiki").await);
}

async fn log_in(browser: &mut Browser, seen: &mut Transcript) {
    let page = browser.get("/doku.php?id=start&do=login").await;
    let wrong = browser.submit(&page, "#dw__login", &[("u", "alice"), ("p", "wrong")]).await;
    wrong.assert_says("username or password was wrong");
    seen.note("a wrong password", &wrong);
    let start = browser.submit(&wrong, "#dw__login", &[("u", "alice"), ("p", "Wonder-land.2049")]).await;
    start.assert_status(200).assert_says("Alice Example");
    seen.note("logged in", &start);
}

async fn write(browser: &mut Browser, seen: &mut Transcript) {
    let editor = browser.get("/doku.php?id=notes:caf%C3%A9&do=edit").await;
    editor.assert_status(200);
    seen.note("the editor", &editor);
    let text = "====== Café ======\r\n\r\nZoë said: **hello** & <good> 🚋";
    let saved = browser.submit(&editor, "#dw__editform", &[("wikitext", text), ("do[save]", "1")]).await;
    saved.assert_status(200).assert_says("Zoë said: <strong>hello</strong> &amp; &lt;good&gt; 🚋");
    seen.note("written", &saved);
}

async fn upload(browser: &mut Browser, seen: &mut Transcript) {
    let page = browser.get("/lib/exe/mediamanager.php?ns=").await;
    let archive = archive();
    let file =
        File { field: "upload", name: "tickets.zip", content_type: "application/zip", bytes: &archive };
    let uploaded = browser.upload(&page, "#dw__upload", &[], &[file]).await;
    uploaded.assert_status(200).assert_says("Upload successful");
    seen.note("uploaded", &uploaded);
}

async fn download(browser: &mut Browser, seen: &mut Transcript) {
    const PATH: &str = "/lib/exe/fetch.php?media=tickets.zip";
    let archive = archive();
    let whole = browser.get(PATH).await;
    assert!(whole.body == archive, "{} bytes came instead of {}", whole.body.len(), archive.len());
    seen.note("downloaded", &whole);

    let part = browser.ask(Method::GET, PATH, &[("range", "bytes=100000-299999")], "").await;
    assert_eq!(part.status, StatusCode::PARTIAL_CONTENT);
    assert!(part.body == archive[100_000..300_000], "{} bytes came", part.body.len());
    assert_eq!(part.header("content-range"), format!("bytes 100000-299999/{}", archive.len()));
    seen.note("a part of it", &part);

    let head = browser.ask(Method::HEAD, PATH, &[], "").await;
    assert!(head.body.is_empty());
    seen.note("its head", &head);
    let unchanged = browser.ask(Method::GET, PATH, &[("if-none-match", &whole.header("etag"))], "").await;
    assert_eq!(unchanged.status, StatusCode::NOT_MODIFIED);
    seen.note("unchanged", &unchanged);
}

async fn log_out(browser: &mut Browser, seen: &mut Transcript) {
    let start = browser.get("/doku.php?id=start").await;
    let out = browser.click(&start, &start.link("do=logout")).await;
    out.assert_says("Log In").assert_silent_about("Alice Example");
    seen.note("logged out", &out);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wiki_in_php_is_the_same_through_the_gateway() {
    let (plain, guarded) = tokio::join!(dokuwiki(), dokuwiki());
    let direct = journey(&Front::Direct(plain.address())).await;
    let through = journey(&Front::gateway(guarded.address()).await).await;
    direct.assert_same(&through);
}

/// The wiki signs in whoever HTTP Basic names with the right password, so this way round the gateway has to be shut.
#[tokio::test(flavor = "multi_thread")]
async fn hdr_08_http_basic_of_a_client_does_not_reach_the_wiki() {
    let wiki = dokuwiki().await;
    // alice:Wonder-land.2049
    let basic = [("authorization", "Basic YWxpY2U6V29uZGVyLWxhbmQuMjA0OQ==")];
    let direct = Front::Direct(wiki.address()).browser().ask(Method::GET, "/doku.php", &basic, "").await;
    direct.assert_says("Alice Example");
    let front = Front::gateway(wiki.address()).await;
    let through = front.browser().ask(Method::GET, "/doku.php", &basic, "").await;
    through.assert_status(200).assert_silent_about("Alice Example");
}
