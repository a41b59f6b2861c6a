//! Passwords that nobody knows, at real forums: the old one opens nothing there any more, and the gateway's does, after a restart, too.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use passgate::bridge::Login;

use crate::bridge::{RIGHT, doctor, forum, sign_in};
use crate::dokuwiki::dokuwiki;
use crate::front::sign_in as sign_in_here;
use crate::program::{Program, free_port, words};
use crate::spirit::spirit;
use crate::support::browser::Browser;

const PASSGATE: &str = env!("CARGO_BIN_EXE_passgate");
const CHOSEN: &str = "Chosen by alice 7";
const PAGE: &str = "/.passgate/account/forum/password";

/// A gateway before a forum, whose disk outlives it.
struct Site {
    preset: &'static str,
    forum: Program,
    folder: tempfile::TempDir,
    port: u16,
}

impl Site {
    /// A site whose member alice has one password here and at the forum.
    async fn open(preset: &'static str, forum: Program) -> Self {
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
        let upstream = format!("http://{}", forum.address());
        let text = format!(
            "[server]\nlisten = [\"127.0.0.1:{port}\"]\npublic_url = \"http://localhost:{port}\"\nadmin_listen = \"\"\ndata_dir = {:?}\n\
             [upstream]\nurl = {upstream:?}\n[access]\ndefault = \"guest\"\n[forum]\npreset = {preset:?}\npasswords = \"generated\"\n",
            folder.path().join("data")
        );
        fs::write(folder.path().join("gateway.toml"), text).unwrap();
        let site = Self { preset, forum, folder, port };
        let mut add = Command::new(PASSGATE)
            .args(["user", "add", "alice", "--password-stdin", "--config"])
            .arg(site.configuration())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        add.stdin.take().unwrap().write_all(format!("{RIGHT}\n").as_bytes()).unwrap();
        assert!(add.wait().unwrap().success());
        site
    }

    fn configuration(&self) -> PathBuf {
        self.folder.path().join("gateway.toml")
    }

    /// The gateway, until it is dropped.
    async fn start(&self) -> Program {
        let file = self.configuration();
        let serve = |_, _: &Path| words([&PASSGATE, &"serve", &"--config", &file]);
        Program::start("passgate", self.port, "/.passgate/login", serve).await
    }

    /// A browser in which alice is signed in, here and at the forum.
    async fn with_alice(&self, path: &str, shown: &str) -> Browser {
        let address = ([127, 0, 0, 1], self.port).into();
        let mut browser = Browser::new(address, &format!("http://localhost:{}", self.port));
        sign_in_here(&mut browser, "alice", RIGHT).await;
        browser.get(path).await.assert_status(200).assert_says(shown);
        browser
    }

    /// Whether the forum lets alice in with this password, past the gateway.
    async fn takes(&self, password: &str) -> bool {
        let report = sign_in(&forum(self.preset, &self.forum), "http://localhost", "alice", password).await;
        match report.login {
            Login::SignedIn(_) => true,
            Login::WrongPassword => false,
            other => panic!("{other:?} {:#?}", report.steps),
        }
    }

    /// `shown` is on the forum's page `path` for alice alone. Forums count the tries of five minutes, so each is one that is needed.
    async fn the_old_password_is_worth_nothing(&self, path: &str, shown: &str) {
        let gateway = self.start().await;
        self.with_alice(path, shown).await;
        assert!(!self.takes(RIGHT).await, "it is the gateway's now");
        drop(gateway);
        let _gateway = self.start().await;
        self.with_alice(path, shown).await;
    }

    async fn a_member_has_one_of_their_own_again(&self, path: &str, shown: &str) {
        let _gateway = self.start().await;
        let mut browser = self.with_alice(path, shown).await;
        let page = browser.get(PAGE).await;
        page.assert_says("nobody knows it");
        let done = browser.submit(&page, "password", &[("password", CHOSEN)]).await;
        done.assert_status(200).assert_says("The forum has your new password");
        browser.get(path).await.assert_says(shown);
        assert!(self.takes(CHOSEN).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forum_in_python_gets_a_password_that_nobody_knows() {
    let site = Site::open("spirit", spirit().await).await;
    site.the_old_password_is_worth_nothing("/", "/user/logout/").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wiki_in_php_gets_a_password_that_nobody_knows() {
    let site = Site::open("dokuwiki", dokuwiki().await).await;
    site.the_old_password_is_worth_nothing("/doku.php?id=start", "Alice Example").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_of_a_wiki_in_php_chooses_a_password_of_their_own_again() {
    let site = Site::open("dokuwiki", dokuwiki().await).await;
    site.a_member_has_one_of_their_own_again("/doku.php?id=start", "Alice Example").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_looks_for_the_form_of_a_forum_in_python_and_sends_nothing() {
    let program = spirit().await;
    let (code, said) = doctor(&program, "alice", RIGHT, "passwords = \"generated\"");
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("page  200 /user/password-change/") && said.contains("the form is there"),
        "{said}"
    );
    let elsewhere = "passwords = \"generated\"\n[forum.override.change]\npage = \"/user/email-change/\"";
    let (code, said) = doctor(&program, "alice", RIGHT, elsewhere);
    assert_eq!(code, Some(69), "{said}");
    assert!(said.contains("compare its [change]"), "{said}");
    let report = sign_in(&forum("spirit", &program), "http://localhost", "alice", RIGHT).await;
    assert!(matches!(report.login, Login::SignedIn(_)), "{report:#?}");
}
