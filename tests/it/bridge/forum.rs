//! A forum with a sign-in form, a token in it, sessions in memory, and figures of all that reached it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::Notify;

use crate::support::upstream::{Act, Heard, Recorder};
use crate::support::wire::Head;

/// What the gateway is told of it.
pub(super) const PRESET: &str = r#"
name = "fake"
title = "Fake forum"
version = 1
kinds = ["form", "basic", "headers"]
[form]
page = "/login"
user_field = "user"
password_field = "pass"
check = "/"
name = ["Hello ", " at "]
[change]
page = "/password?of={number}"
number = ["data-id='", "'"]
old_field = "old"
new_field = "new"
confirm_field = "again"
success = [{ status = 302, location = "/changed" }]
refused = [{ field = "new" }]
[signs]
success = [{ status = 302, cookie = "fsid", not_value = "guest*" }]
throttled = [{ status = 429 }]
captcha = [{ field = "captcha" }]
wrong_password = [{ status = 200, field = "pass" }]
signed_in = [{ text = "/logout" }]
signed_out = [{ removed = "fsid" }, { location = "/login" }, { text = "/login", no_text = "/logout" }]
[cookies]
session = ["fsid"]
[addresses]
login = ["/login"]
logout = ["/logout", "/do?act=leave"]
register = ["/register"]
change_password = ["/password", "/settings?action=password"]
admin = ["/adm"]
"#;

#[derive(Default)]
pub(super) struct State {
    pub(super) passwords: BTreeMap<String, String>,
    /// Cookie to name.
    pub(super) sessions: BTreeMap<String, String>,
    pub(super) is_throttled: bool,
    /// Whether its sign-out is never answered.
    pub(super) hangs: bool,
    /// What the next answer to `/renew` waits for.
    pub(super) hold: Option<Arc<Notify>>,
    pub(super) is_away: bool,
    /// Whether it takes no other password.
    pub(super) keeps_passwords: bool,
    made: usize,
}

pub(super) struct FakeForum {
    recorder: Recorder,
    state: Arc<Mutex<State>>,
}

impl FakeForum {
    pub(super) async fn start() -> Self {
        let state: Arc<Mutex<State>> = Arc::default();
        let shared = Arc::clone(&state);
        let recorder = Recorder::on_request(move |heard| shared.lock().unwrap().answer(heard)).await;
        Self { recorder, state }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.recorder.address()
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(super) fn heads(&self) -> Vec<Head> {
        self.recorder.request_heads()
    }

    /// Waits until `path` is asked for.
    pub(super) async fn hears(&self, path: &str) {
        let asked = format!("GET {path} ");
        let is_heard = |heard: &Heard| heard.head.start_line().starts_with(&asked);
        self.recorder.wait_until(path, |records| records.requests.iter().any(is_heard)).await;
    }

    /// How many sign-ins were tried.
    pub(super) fn tries(&self) -> usize {
        self.heads().iter().filter(|head| head.start_line().starts_with("POST /login ")).count()
    }

    /// Waits until it has answered so many requests to sign out.
    pub(super) async fn left(&self, times: usize) {
        let is_leave = |heard: &&Heard| heard.head.start_line().starts_with("GET /logout");
        let records = self.recorder.wait_until("a sign-out at the forum", |records| {
            let mut leaves = records.requests.iter().filter(is_leave);
            leaves.nth(times - 1).is_some_and(|heard| records.connections[heard.connection].is_over)
        });
        assert_eq!(records.await.requests.iter().filter(is_leave).count(), times);
    }

    /// The head of the last request for `path`.
    pub(super) fn last(&self, path: &str) -> Head {
        let asked = format!("GET {path} ");
        self.heads().into_iter().rfind(|head| head.start_line().starts_with(&asked)).unwrap()
    }
}

impl State {
    fn answer(&mut self, heard: &Heard) -> Vec<Act> {
        let line = heard.head.start_line();
        let mut words = line.split(' ');
        let (method, target) = (words.next().unwrap(), words.next().unwrap());
        let path = target.split('?').next().unwrap();
        let cookie = cookie(&heard.head);
        let name = cookie.as_ref().and_then(|cookie| self.sessions.get(cookie)).cloned();
        if self.hangs && path == "/logout" {
            return vec![Act::Silence];
        }
        let answer = match (method, path, &name) {
            _ if self.is_away => page(502, "", "Back soon"),
            ("GET", "/login", _) => self.form(),
            ("POST", "/login", _) => self.log_in(cookie.as_deref(), &heard.body.bytes),
            ("GET", "/logout", Some(name)) if target.ends_with(&format!("t={name}")) => {
                self.sessions.remove(&cookie.unwrap());
                page(302, "Location: /\r\nSet-Cookie: fsid=; Path=/; Max-Age=0\r\n", "")
            }
            // Scripts say in the body what they want.
            ("POST", "/do", Some(_)) if heard.body.bytes == b"act=leave" => {
                self.sessions.remove(&cookie.unwrap());
                page(200, "Set-Cookie: fsid=; Path=/; Max-Age=0\r\n", "")
            }
            // Another cookie for the same member, and two lines of one name of which the last counts.
            ("GET", "/renew", Some(name)) => {
                self.made += 1;
                let value = format!("s{}", self.made);
                self.sessions.remove(&cookie.unwrap());
                self.sessions.insert(value.clone(), name.clone());
                let cookies = format!("Set-Cookie: fsid=old; Path=/\r\nSet-Cookie: fsid={value}; Path=/\r\n");
                page(200, &cookies, &format!("Hello {name} <a href='/logout?t={name}'>Log out</a>"))
            }
            ("GET", "/password", Some(name)) => change_form(name),
            ("POST", "/password", Some(name)) => self.change_password(name.clone(), &heard.body.bytes),
            // A guest's session.
            ("GET", "/visit", None) => {
                self.made += 1;
                page(200, &format!("Set-Cookie: fsid=guest{}; Path=/\r\n", self.made), "Hello guest!")
            }
            ("GET", "/private", None) => page(302, "Location: /login\r\n", ""),
            (_, _, Some(name)) => page(
                200,
                "Set-Cookie: theme=dark; Path=/\r\n",
                &format!("Hello {name} at {path}! <a data-id='7' href='/logout?t={name}'>Log out</a>"),
            ),
            (_, _, None) => page(200, "", "Hello guest! <a href='/login'>Log in</a>"),
        };
        let hold = self.hold.take_if(|_| path == "/renew");
        hold.map(Act::Await).into_iter().chain([Act::Send(answer.into_bytes())]).collect()
    }

    fn form(&mut self) -> String {
        if self.is_throttled {
            return page(429, "", "Later");
        }
        self.made += 1;
        let guest = format!("guest{}", self.made);
        let form = format!(
            "<form method=post><input name=user><input type=password name=pass>\
             <input type=hidden name=token value='t-{guest}'></form>"
        );
        page(200, &format!("Set-Cookie: fsid={guest}; Path=/\r\n"), &form)
    }

    fn change_password(&mut self, name: String, body: &[u8]) -> String {
        let fields: BTreeMap<_, _> = form_urlencoded::parse(body).into_owned().collect();
        let is_right = fields["token"] == format!("c-{name}") && self.passwords[&name] == fields["old"];
        if self.keeps_passwords || !is_right || fields["new"] != fields["again"] {
            return change_form(&name);
        }
        self.passwords.insert(name, fields["new"].clone());
        page(302, "Location: /changed\r\n", "")
    }

    fn log_in(&mut self, cookie: Option<&str>, body: &[u8]) -> String {
        let fields: BTreeMap<_, _> = form_urlencoded::parse(body).into_owned().collect();
        let expected = format!("t-{}", cookie.unwrap_or_default());
        if fields.get("token") != Some(&expected) {
            return page(403, "", "bad token");
        }
        // It takes more spellings for one name than we do, as databases do.
        let is_meant = |name: &&String| folded(name) == folded(&fields["user"]);
        let name = self.passwords.keys().find(is_meant).cloned().unwrap_or_default();
        if name.is_empty() || self.passwords.get(&name) != fields.get("pass") {
            return self.form();
        }
        self.made += 1;
        let value = format!("s{}", self.made);
        self.sessions.insert(value.clone(), name);
        let cookies = format!("Set-Cookie: fsid={value}; Path=/; HttpOnly\r\nLocation: /\r\n");
        page(302, &cookies, "")
    }
}

fn change_form(name: &str) -> String {
    let field = |name| format!("<input type=password name={name}>");
    let fields = ["old", "new", "again"].map(field).concat();
    page(
        200,
        "",
        &format!("<form method=post>{fields}<input type=hidden name=token value='c-{name}'></form>"),
    )
}

fn folded(name: &str) -> String {
    name.to_lowercase().replace('é', "e")
}

fn cookie(head: &Head) -> Option<String> {
    let fields = head.values("cookie").join("; ");
    fields.split("; ").find_map(|pair| pair.strip_prefix("fsid=").map(str::to_owned))
}

fn page(status: u16, fields: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status} X\r\nContent-Type: text/html\r\nContent-Length: {}\r\n{fields}\r\n{body}",
        body.len()
    )
}
