//! What is promised of every forum, kept with each of the real ones: their members come along with the passwords they had, sign in
//! here alone, are known there without a second page, post, and are signed out of both at once; what the forum ends by itself
//! is made anew without a word; a password that has changed there is asked for once, and never tried twice; nobody is ever
//! taken for anybody else.
//!
//! A forum is described by data, below; the promises are the same for all.

use std::net::Ipv4Addr;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use http::StatusCode;
use passgate::auth::import::{Admission, Mode, Origin, Report, read_members};

use crate::front::Front;
use crate::program::{Program, free_port, root, words};
use crate::support::browser::{Browser, Page};
use crate::support::gateway::{Gateway, Settings};

/// How many members come at once.
const CROWD: usize = 50;
/// How often somebody tries who is asked to come back, and how long they wait in between: two minutes in all.
const ASKED: usize = 600;
const PAUSE: Duration = Duration::from_millis(200);
/// What a member's password at the forum is changed to.
const CHANGED: &str = "Another-land.2050";

/// A real forum. Its scripts run in the folder of its data, with what they need in `$ROOT`, `$NAME` and `$PASSWORD`.
struct Application {
    /// Of its preset, and of the script that starts it.
    name: &'static str,
    /// A page that anybody may read.
    home: &'static str,
    /// As what its members are imported.
    from: Origin,
    /// Prints them.
    dump: &'static str,
    /// How it spells the names it is made with.
    spelt: fn(&str) -> String,
    /// A page that shows who is signed in, what stands before the name there, and what behind it.
    shows: (&'static str, &'static [&'static str], &'static str),
    /// A page with a form, the form, and its field for what a member has to say.
    writes: (&'static str, &'static str, &'static str),
    /// The way out.
    leaves: Exit,
    /// Ends all its sessions.
    forget: &'static str,
    /// Gives a member another password.
    change: &'static str,
    /// What it says of a sign-in that it refuses.
    refusal: &'static str,
}

/// How somebody signs out at a forum.
enum Exit {
    /// By a link with these words in it, on the page that shows who is signed in.
    Link(&'static str),
    /// By a form on a page of its own.
    Form(&'static str, &'static str),
}

const SPIRIT: Application = Application {
    name: "spirit",
    home: "/",
    from: Origin::Spirit,
    dump: "sqlite3 -cmd '.timeout 10000' db.sqlite3 -cmd '.timeout 10000' .dump",
    spelt: str::to_owned,
    shows: ("/", &["href=\"/user/menu/\"", ">"], " <i"),
    writes: ("/topic/1/first-topic/", "comment", "comment"),
    leaves: Exit::Form("/user/logout/", "csrfmiddlewaretoken"),
    forget: "sqlite3 -cmd '.timeout 10000' db.sqlite3 -cmd '.timeout 10000' 'delete from django_session'",
    change: r#"
        hash=$("$ROOT/target/venv/bin/python" -c 'if True:
            import sys; from django.contrib.auth.hashers import PBKDF2PasswordHasher
            print(PBKDF2PasswordHasher().encode(sys.argv[1], "salt", 1))' "$PASSWORD")
        sqlite3 -cmd '.timeout 10000' db.sqlite3 -cmd '.timeout 10000' "update auth_user set password = '$hash' where username = '$NAME'""#,
    refusal: "refused ",
};

const DOKUWIKI: Application = Application {
    name: "dokuwiki",
    home: "/doku.php",
    from: Origin::Htpasswd,
    dump: "cut -d : -f 1,2 conf/users.auth.php",
    spelt: str::to_owned,
    shows: ("/doku.php?id=start", &["class=\"user\"", "(<bdi>"], "</bdi>"),
    writes: ("/doku.php?id=notes&do=edit", "#dw__editform", "wikitext"),
    leaves: Exit::Link("do=logout"),
    // Its cookie is the password, sealed with this, and good for as long as both are.
    forget: "rm data/meta/_htcookiesalt2; find sessions -type f -delete",
    change: r#"
        hash=$(php -r 'echo password_hash($argv[1], PASSWORD_BCRYPT);' "$PASSWORD")
        php -r '$file = "conf/users.auth.php"; $lines = file($file);
            foreach ($lines as &$line) { $cells = explode(":", $line); if ($cells[0] === $argv[1]) { $cells[1] = $argv[2]; $line = implode(":", $cells); } }
            file_put_contents($file, implode("", $lines));' "$NAME" "$hash""#,
    refusal: "[403]: POST /doku.php",
};

const MEDIAWIKI: Application = Application {
    name: "mediawiki",
    home: "/index.php/Main_Page",
    from: Origin::MediaWiki,
    dump: "mariadb-dump --no-defaults --user=root --socket=mysql.sock wiki",
    spelt: capitalised,
    shows: ("/index.php/Special:BlankPage", &["id=\"pt-userpage\"", "<span>"], "</span>"),
    writes: ("/index.php?title=Notes&action=edit", "#editform", "wpTextbox1"),
    leaves: Exit::Form("/index.php?title=Special:UserLogout", "/index.php/Special:UserLogout"),
    // The token is what "keep me logged in" is good for.
    forget: "mariadb --no-defaults --user=root --socket=mysql.sock wiki \\
        -e \"delete from objectcache where keyname like '%MWSession%'; update user set user_token = md5(rand())\"",
    change: r#"
        export SOCKET=$PWD/mysql.sock MW_CONFIG_FILE=$ROOT/target/apps/mediawiki/LocalSettings.php
        php /usr/share/mediawiki/maintenance/changePassword.php --user "$NAME" --password "$PASSWORD""#,
    refusal: "[200]: POST /index.php?title=Special:UserLogin",
};

const WORDPRESS: Application = Application {
    name: "wordpress",
    home: "/?p=1",
    from: Origin::WordPress,
    dump: "mariadb-dump --no-defaults --user=root --socket=mysql.sock wordpress",
    spelt: str::to_owned,
    shows: ("/?p=1", &["class=\"logged-in-as\"", "Logged in as "], "."),
    writes: ("/?p=1", "#commentform", "comment"),
    leaves: Exit::Link("action=logout"),
    forget: "mariadb --no-defaults --user=root --socket=mysql.sock wordpress \\
        -e \"delete from wp_usermeta where meta_key = 'session_tokens'\"",
    change: r#"
        mariadb --no-defaults --user=root --socket=mysql.sock wordpress \
            -e "update wp_users set user_pass = md5('$PASSWORD') where user_login = '$NAME'""#,
    refusal: "[200]: POST /wp-login.php",
};

fn capitalised(name: &str) -> String {
    name[..1].to_ascii_uppercase() + &name[1..]
}

/// A member: name as they type it, and password.
struct Member(String, String);

impl Member {
    fn alice() -> Self {
        Self("alice".to_owned(), "Wonder-land.2049".to_owned())
    }

    fn bob() -> Self {
        Self("bob".to_owned(), "b&b \"q\" <9> it's".to_owned())
    }

    fn of_the_crowd(number: usize) -> Self {
        Self(format!("member{number:02}"), format!("Wonder-land.M{number:02}"))
    }
}

/// A forum with the gateway before it.
struct Site {
    application: &'static Application,
    program: Program,
    front: Front,
}

impl Site {
    /// With the forum's members, out of its own dump.
    async fn open(application: &'static Application) -> Self {
        let script = root().join(format!("tests/apps/{}.sh", application.name));
        let program = Program::start(application.name, free_port(), application.home, |port, folder| {
            words([&script, &port.to_string(), &folder])
        })
        .await;
        let key = program.folder().join("forum.key");
        let rest = format!("[forum]\npreset = {:?}\nvault_key = {key:?}", application.name);
        let settings = Settings { rest: &rest, access: "default = \"guest\"", ..Settings::NONE };
        let gateway = Gateway::with(program.address(), settings).await;
        let site = Self { application, program, front: Front::Gateway(Box::new(gateway)) };
        site.import().await;
        site
    }

    fn gateway(&self) -> &Gateway {
        let Front::Gateway(gateway) = &self.front else { unreachable!("it is opened with one") };
        gateway
    }

    /// Runs one of the forum's scripts.
    fn run(&self, script: &str, name: &str, password: &str) -> Vec<u8> {
        let done = Command::new("sh")
            .args(["-euc", script])
            .current_dir(self.program.folder())
            .envs([("ROOT", root().to_str().unwrap()), ("NAME", name), ("PASSWORD", password)])
            .output()
            .unwrap();
        assert!(done.status.success(), "{script}\n{}", String::from_utf8_lossy(&done.stderr));
        done.stdout
    }

    async fn import(&self) {
        let services = &self.gateway().running.services;
        let dump = self.run(self.application.dump, "", "");
        let (mut members, mut report) = (Vec::new(), Report::default());
        let mut open = || Ok(Box::new(std::io::Cursor::new(dump.clone())) as Box<dyn std::io::Read>);
        let now = services.clock.now();
        read_members(self.application.from, None, now, &mut open, &mut report, &mut |_, found| {
            members.push(found.member);
            true
        })
        .unwrap();
        assert_eq!((report.failed, report.problems), (0, vec![]));
        let admission = Admission::new(Arc::clone(&services.store), Arc::clone(&services.clock));
        admission.admit(self.application.name, &members, Mode::Write).await.unwrap();
        assert!(members.len() >= CROWD + 2, "{}", members.len());
    }

    /// Signs in here and looks whether the forum knows it, with no page in between.
    async fn sign_in(&self, browser: &mut Browser, member: &Member) {
        self.sign_in_here(browser, member).await;
        self.assert_knows(browser, member).await;
    }

    async fn sign_in_here(&self, browser: &mut Browser, member: &Member) {
        let fields = [("username", member.0.as_str()), ("password", member.1.as_str())];
        let mut page = browser.get("/.passgate/login").await;
        for _ in 0..ASKED {
            page = browser.submit(&page, "password", &fields).await;
            if page.status != StatusCode::SERVICE_UNAVAILABLE {
                break;
            }
            // Where many come at once they are asked to try again in a moment.
            tokio::time::sleep(PAUSE).await;
        }
        page.assert_status(200);
    }

    /// Insists on the forum's knowing this member, and nobody else.
    async fn assert_knows(&self, browser: &mut Browser, member: &Member) -> Page {
        let page = browser.get(self.application.shows.0).await;
        page.assert_status(200);
        assert!(page.chain.is_empty(), "led here by {:?}", page.chain);
        assert_eq!(self.shown(&page), Some((self.application.spelt)(&member.0)), "{}", page.text());
        page
    }

    /// Whom a page of the forum's shows to be signed in.
    fn shown(&self, page: &Page) -> Option<String> {
        let (_, before, behind) = self.application.shows;
        let text = page.text();
        let rest = before.iter().try_fold(text.as_str(), |rest, words| Some(rest.split_once(words)?.1))?;
        Some(rest.split_once(behind)?.0.to_owned())
    }

    /// Posts something; it can be read.
    async fn write(&self, browser: &mut Browser, words: &str) {
        let (page, form, field) = self.application.writes;
        let page = browser.get(page).await;
        browser.submit(&page, form, &[(field, words)]).await.assert_status(200).assert_says(words);
    }

    /// Signs out at the forum; it is over here, too.
    async fn sign_out_there(&self, browser: &mut Browser, member: &Member) {
        let page = self.assert_knows(browser, member).await;
        match self.application.leaves {
            Exit::Link(words) => browser.click(&page, &page.link(words)).await,
            Exit::Form(page, form) => {
                let page = browser.get(page).await;
                browser.submit(&page, form, &[]).await
            }
        };
        assert_eq!(self.shown(&browser.get(self.application.shows.0).await), None);
        assert_eq!(browser.get("/.passgate/account").await.url.path(), "/.passgate/login");
    }

    /// How many sign-ins the forum has refused.
    fn refusals(&self) -> usize {
        self.program.said().matches(self.application.refusal).count()
    }

    /// The forum says it when it has answered, and so may be late.
    async fn has_refused(&self, times: usize, why: &str) {
        self.program.has_said(|| self.refusals() >= times).await;
        assert_eq!(self.refusals(), times, "{why}");
    }

    async fn keeps_its_promises(self) {
        let (alice, bob) = (Member::alice(), Member::bob());
        let mut browser = self.front.browser();
        self.sign_in(&mut browser, &alice).await;
        self.write(&mut browser, "Said by alice alone").await;
        self.run(self.application.forget, "", "");
        self.is_known_again(&mut browser, &alice).await;
        self.sign_out_there(&mut browser, &alice).await;

        self.sign_in(&mut browser, &bob).await;
        self.write(&mut browser, "Said by bob after her").await;
        self.sign_out_there(&mut browser, &bob).await;
        assert_eq!(self.refusals(), 0);

        // Five times in five minutes from one place is all that Spirit takes.
        let mut elsewhere = self.front.browser();
        elsewhere.place = Some(Ipv4Addr::new(127, 2, 0, 1));
        self.sign_in(&mut elsewhere, &alice).await;
        self.asks_once_for_a_changed_password(&mut elsewhere, &alice).await;
        self.takes_a_crowd().await;
    }

    /// After the forum has forgotten its sessions, a page at most shows it before all is as it was.
    async fn is_known_again(&self, browser: &mut Browser, member: &Member) {
        browser.get(self.application.shows.0).await.assert_status(200);
        self.assert_knows(browser, member).await;
    }

    async fn asks_once_for_a_changed_password(&self, browser: &mut Browser, member: &Member) {
        self.run(self.application.change, &(self.application.spelt)(&member.0), CHANGED);
        self.run(self.application.forget, "", "");
        browser.get(self.application.shows.0).await;
        let asks = browser.get(self.application.shows.0).await;
        asks.assert_says("The forum has another password");
        for _ in 0..3 {
            browser.get(self.application.home).await.assert_says("The forum has another password");
        }
        self.has_refused(1, "tried once").await;
        let given = [("password", CHANGED), ("choice", "connect")];
        browser.submit(&asks, "/.passgate/account/forum", &given).await.assert_status(200);
        self.assert_knows(browser, member).await;
        self.has_refused(1, "nobody is locked out").await;
    }

    /// All at once; each of them sees themselves, and nobody is asked for anything.
    async fn takes_a_crowd(&self) {
        let visits = (0..CROWD).map(async |number| {
            let (mut browser, member) = (self.front.browser(), Member::of_the_crowd(number));
            browser.place = Some(Ipv4Addr::new(127, 1, 0, u8::try_from(number).unwrap()));
            self.sign_in_here(&mut browser, &member).await;
            self.is_soon_known(&mut browser, &member).await;
        });
        join_all(visits).await;
    }

    /// Whoever waits for the forum too long reads as a guest meanwhile, and never as somebody else.
    async fn is_soon_known(&self, browser: &mut Browser, member: &Member) {
        let name = (self.application.spelt)(&member.0);
        let mut page = browser.get(self.application.shows.0).await;
        for _ in 0..CROWD {
            if let Some(shown) = self.shown(&page) {
                return assert_eq!(shown, name);
            }
            // A forum that was too slow is left alone for a while, and then asked again, by itself.
            self.gateway().clock.advance(Duration::from_secs(10));
            assert_ne!(page.url.path(), "/.passgate/account/forum", "{name} is asked for a password");
            page = browser.get(self.application.shows.0).await;
        }
        panic!("{name} is still a guest at {}: {}", page.url, page.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_promised_holds_for_a_forum_in_python() {
    Site::open(&SPIRIT).await.keeps_its_promises().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_promised_holds_for_a_wiki_in_files() {
    Site::open(&DOKUWIKI).await.keeps_its_promises().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_promised_holds_for_a_wiki_in_a_database() {
    Site::open(&MEDIAWIKI).await.keeps_its_promises().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_promised_holds_for_a_blog() {
    Site::open(&WORDPRESS).await.keeps_its_promises().await;
}
