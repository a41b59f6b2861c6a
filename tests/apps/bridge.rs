//! Real forums and the gateway's own sign-in at their forms: by the presets as they are shipped, with the machine's clock.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;

use http::HeaderValue;
use http::header::USER_AGENT;
use passgate::bridge::{Credentials, Forum, Login, Origin, Preset, RealPause, Report, Visitor};
use passgate::domain::{Clock, Secret, SystemClock};

use crate::dokuwiki::dokuwiki;
use crate::front::{Front, sign_in as sign_in_here};
use crate::program::Program;
use crate::spirit::spirit;
use crate::support::gateway::{Gateway, Settings};

pub(crate) const RIGHT: &str = "Wonder-land.2049";

pub(crate) fn forum(preset: &str, program: &Program) -> Forum {
    let preset = Preset::shipped(preset).unwrap();
    Forum::new(preset, "/", Arc::new(vec![program.address()]), Arc::new(SystemClock), Arc::new(RealPause))
}

fn visitor(origin: &str) -> Visitor {
    Visitor::new(Origin::parse(origin).unwrap(), [192, 0, 2, 1].into())
        .with(USER_AGENT, HeaderValue::from_static("Mozilla/5.0 (X11) Firefox/140.0"))
}

pub(crate) async fn sign_in(forum: &Forum, origin: &str, name: &str, password: &str) -> Report {
    let credentials = Credentials { name: name.to_owned(), password: Secret::new(password.to_owned()) };
    forum.sign_in(&credentials, &visitor(origin)).await
}

/// Signs out with the cookies of a sign-in.
async fn sign_out(forum: &Forum, origin: &str, report: &Report) {
    let Login::SignedIn(jar) = &report.login else { panic!("{report:#?}") };
    forum.sign_out(jar.clone(), &visitor(origin)).await.unwrap();
}

/// What a page shows to whoever brings the cookies of a sign-in.
async fn shown(program: &Program, report: &Report, path: &str) -> String {
    let Login::SignedIn(jar) = &report.login else { panic!("{report:#?}") };
    let cookies = jar.field(std::iter::empty(), &Default::default(), path, SystemClock.now()).unwrap();
    let headers = [("cookie", cookies.to_str().unwrap())];
    let page = Front::Direct(program.address()).browser().ask(http::Method::GET, path, &headers, "").await;
    String::from_utf8(page.body.to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forum_in_python_knows_the_member_the_gateway_signs_in() {
    let program = spirit().await;
    let forum = forum("spirit", &program);
    for origin in ["http://localhost", "https://forum.example"] {
        let report = sign_in(&forum, origin, "alice", RIGHT).await;
        assert!(shown(&program, &report, "/").await.contains("/user/logout/"), "{origin}");
    }
    let report = sign_in(&forum, "http://localhost", "bob", "b&b \"q\" <9> it's").await;
    assert!(shown(&program, &report, "/").await.contains("/user/logout/"));
    sign_out(&forum, "http://localhost", &report).await;
    assert!(
        !shown(&program, &report, "/").await.contains("/user/logout/"),
        "the old cookie is worth nothing"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forum_in_python_that_refuses_is_told_from_one_that_has_enough() {
    let program = spirit().await;
    let forum = forum("spirit", &program);
    let report = sign_in(&forum, "http://localhost", "alice", "wrong").await;
    assert!(matches!(report.login, Login::WrongPassword), "{report:#?}");
    let report = sign_in(&forum, "http://localhost", "nobody", RIGHT).await;
    assert!(matches!(report.login, Login::WrongPassword), "{report:#?}");
    for _ in 0..5 {
        sign_in(&forum, "http://localhost", "alice", "wrong").await;
    }
    let report = sign_in(&forum, "http://localhost", "alice", RIGHT).await;
    assert!(matches!(report.login, Login::Throttled { .. }), "{report:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wiki_in_php_knows_the_member_the_gateway_signs_in() {
    let program = dokuwiki().await;
    let forum = forum("dokuwiki", &program);
    for (name, password) in [("alice", RIGHT), ("bob", "b&b \"q\" <9> it's")] {
        let origin = format!("http://localhost:{}", program.address().port());
        let report = sign_in(&forum, &origin, name, password).await;
        assert!(shown(&program, &report, "/doku.php?id=start").await.contains("do=logout"), "{name}");
        assert_eq!(report.name.as_deref(), Some(name), "as it says itself");
        sign_out(&forum, &origin, &report).await;
        // Its cookie is the sealed password, which opens the wiki for as long as it is the member's.
        assert!(shown(&program, &report, "/doku.php?id=start").await.contains("do=logout"), "{name}");
    }
    let report = sign_in(&forum, "http://localhost", "alice", "wrong").await;
    assert!(matches!(report.login, Login::WrongPassword), "{report:#?}");
}

/// The whole way: signed in at the gateway by password alone, and the forum's own pages are the member's.
#[tokio::test(flavor = "multi_thread")]
async fn a_member_signs_in_here_alone_posts_at_a_forum_in_python_and_signs_out_of_both_there() {
    let program = spirit().await;
    let folder = tempfile::tempdir().unwrap();
    let rest = format!(
        "[forum]\npreset = \"spirit\"\nbridge = \"form\"\nvault_key = {:?}",
        folder.path().join("key")
    );
    let settings = Settings { rest: &rest, access: "default = \"guest\"", ..Settings::NONE };
    let gateway = Gateway::with(program.address(), settings).await;
    gateway.add_member("alice", RIGHT, &[]).await;
    let front = Front::Gateway(Box::new(gateway));
    let mut browser = front.browser();
    browser.get("/").await.assert_says("First topic").assert_silent_about("/user/logout/");
    sign_in_here(&mut browser, "alice", RIGHT).await;
    let topic = browser.get("/topic/1/first-topic/").await;
    topic.assert_status(200).assert_says("/user/logout/");
    assert!(browser.jar.find("sessionid").is_none(), "the forum's session is not in the browser");
    let posted = browser.submit(&topic, "comment", &[("comment", "Hello *there*")]).await;
    posted.assert_status(200).assert_says("Hello <em>there</em>");
    assert_eq!(fs::metadata(folder.path().join("key")).unwrap().len(), 44, "one key");

    let leave = browser.get("/user/logout/").await;
    browser.submit(&leave, "csrfmiddlewaretoken", &[]).await;
    assert!(browser.jar.find("passgate").is_none());
    browser.get("/").await.assert_silent_about("/user/logout/");
    assert_eq!(browser.get("/.passgate/account").await.url.path(), "/.passgate/login");
}

/// Nobody was imported: the forum alone knows bob.
#[tokio::test(flavor = "multi_thread")]
async fn a_member_of_a_forum_in_python_whom_nobody_knows_here_signs_in_with_their_password_there() {
    let program = spirit().await;
    let folder = tempfile::tempdir().unwrap();
    let rest = format!(
        "[forum]\npreset = \"spirit\"\nfirst_sign_in = \"create\"\nvault_key = {:?}",
        folder.path().join("key")
    );
    let gateway = Gateway::with(program.address(), Settings { rest: &rest, ..Settings::NONE }).await;
    let accounts = Arc::clone(&gateway.running.services.accounts);
    let front = Front::Gateway(Box::new(gateway));
    let mut browser = front.browser();
    let login = browser.get("/.passgate/login").await;
    let wrong = browser.submit(&login, "password", &[("username", "Bob"), ("password", RIGHT)]).await;
    wrong.assert_status(422).assert_says("is not right");
    assert!(accounts.is_empty().unwrap());
    let right = [("username", "Bob"), ("password", "b&b \"q\" <9> it's")];
    browser.submit(&wrong, "password", &right).await.assert_status(200).assert_says("/user/logout/");
    let all = accounts.all().unwrap();
    assert_eq!(all.iter().map(|user| user.profile.name.key()).collect::<Vec<_>>(), ["bob"]);
    assert!(browser.jar.find("sessionid").is_none(), "the forum's session is not in the browser");
}

/// `passgate doctor` on a forum, with what it ends with and what it says.
pub(crate) fn doctor(program: &Program, name: &str, password: &str, more: &str) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.toml");
    let upstream = format!("http://{}", program.address());
    let text = format!(
        "[server]\npublic_url = \"http://localhost:8080\"\ndata_dir = {:?}\n[upstream]\nurl = {upstream:?}\n[forum]\npreset = \"spirit\"\n{more}\n",
        folder.path().join("data")
    );
    fs::write(&file, text).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_passgate"))
        .args(["doctor", "--as", name, "--config"])
        .arg(&file)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(format!("{password}\n").as_bytes()).unwrap();
    let ended = child.wait_with_output().unwrap();
    let said = [ended.stdout, ended.stderr].concat();
    (ended.status.code(), String::from_utf8(said).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_signs_in_at_a_forum_in_python_and_says_each_step_and_what_went_wrong() {
    let program = spirit().await;
    let (code, said) = doctor(&program, "alice", RIGHT, "");
    assert_eq!(code, Some(0), "{said}");
    let steps = ["page  200 ", "post  302 ", "check 200 ", "name  alice\n", "fine: "];
    assert!(steps.iter().all(|step| said.contains(step)), "{said}");
    let (code, said) = doctor(&program, "alice", "wrong", "");
    assert_eq!(code, Some(65), "{said}");
    assert!(said.contains("refused the password"), "{said}");
    assert!(!said.contains(RIGHT) && !said.contains("sessionid="), "{said}");
}
