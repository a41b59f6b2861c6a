//! The gateway is killed at random moments while members sign in and out and an operator adds, disables and signs out
//! accounts. What was acknowledged, over HTTP or over the admin socket, must hold afterwards (STO-01, STO-12).
//!
//! `PASSGATE_KILL_ROUNDS` sets the number of kills.

use std::env;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use passgate::domain::{Secret, random};
use passgate::sample::{RunningForum, SampleForum};
use passgate::server::control::{Command, Failure, MemberView, NewAccount, Reply, SessionsOf, call};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::cut::run;
use crate::site::{Gateway, PASSWORD, Site, URL};
use crate::support::LIMIT;

const ROUNDS: usize = 10;
const WORKERS: usize = 4;

/// Whether an account may sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Active,
    Disabled,
    /// The gateway died before it said so.
    Unknown,
}

/// An account whose making was acknowledged, and what else was about it. What was asked for and not acknowledged is in
/// none of the lists: it may have happened or not.
#[derive(Debug)]
struct Account {
    name: String,
    state: State,
    live: Vec<String>,
    ended: Vec<String>,
    round: usize,
}

/// What a worker's browser has: the cookie and the form value of the sign-in page.
struct Form {
    cookie: String,
    csrf: String,
}

/// A whole answer; an error if the gateway died before its end.
async fn ask(address: SocketAddr, request: &str) -> std::io::Result<String> {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        let text = String::from_utf8_lossy(&answer).into_owned();
        if text.contains("\r\n\r\n") { Ok(text) } else { Err(std::io::ErrorKind::UnexpectedEof.into()) }
    };
    tokio::time::timeout(LIMIT, exchange).await?
}

pub(crate) fn get(path: &str, cookie: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: localhost:4180\r\nConnection: close\r\nAccept: text/html\r\nCookie: {cookie}\r\n\r\n"
    )
}

pub(crate) fn post(path: &str, cookie: &str, fields: &[(&str, &str)]) -> String {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost:4180\r\nConnection: close\r\nAccept: text/html\r\nCookie: {cookie}\r\n\
         Origin: {URL}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

pub(crate) fn csrf(page: &str) -> Option<String> {
    let (value, _) = page.split_once("name=\"csrf\" value=\"")?.1.split_once('"')?;
    Some(value.to_owned())
}

/// The pair that a `Set-Cookie` line of this answer sets.
pub(crate) fn cookie(answer: &str, name: &str) -> Option<String> {
    let lines = answer.lines().filter_map(|line| line.split_once(": "));
    let values = lines.filter(|(field, _)| field.eq_ignore_ascii_case("set-cookie")).map(|(_, value)| value);
    values.filter_map(|value| value.split(';').next()).find(|pair| pair.starts_with(name)).map(str::to_owned)
}

pub(crate) fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

pub(crate) fn dice(sides: usize) -> usize {
    usize::try_from(u32::from_le_bytes(random::<4>())).unwrap() % sides
}

/// What it means when the gateway says that it can't keep anything now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusals {
    /// A fault.
    AreFaults,
    /// That its disk fails, as it was made to. It ends the work.
    EndTheWork,
}

/// One of those who load the gateway; all at once, each with accounts of its own.
struct Worker {
    number: usize,
    data_dir: PathBuf,
    refusals: Refusals,
    accounts: Vec<Account>,
    acknowledged: Arc<AtomicUsize>,
}

static NAMES: AtomicUsize = AtomicUsize::new(0);

impl Worker {
    /// Works until the gateway is gone, or can't keep anything.
    async fn work(mut self, address: SocketAddr, round: usize) -> Self {
        let Ok(page) = ask(address, &get("/.passgate/login", "")).await else { return self };
        let form = Form { cookie: cookie(&page, "passgate").unwrap(), csrf: csrf(&page).unwrap() };
        while self.act(address, round, &form).await.is_some() {
            self.acknowledged.fetch_add(1, Ordering::Relaxed);
        }
        self
    }

    /// One acknowledged act; none if there was no answer, or one that ends the work.
    async fn act(&mut self, address: SocketAddr, round: usize, form: &Form) -> Option<()> {
        let recent = self.accounts.len().saturating_sub(6);
        let active = (recent..self.accounts.len())
            .filter(|at| self.accounts[*at].state == State::Active)
            .collect::<Vec<_>>();
        if active.is_empty() || dice(5) == 0 {
            return self.sign_up(round).await;
        }
        let account = &mut self.accounts[active[dice(active.len())]];
        account.round = round;
        let name = account.name.clone();
        match dice(8) {
            0 => {
                let in_doubt = std::mem::take(&mut account.live);
                account.state = State::Unknown;
                acked(&self.data_dir, self.refusals, Command::UserDisable { name }).await?;
                account.state = State::Disabled;
                account.ended.extend(in_doubt);
            }
            1 => {
                let in_doubt = std::mem::take(&mut account.live);
                acked(&self.data_dir, self.refusals, Command::SessionRevoke(SessionsOf::User(name))).await?;
                account.ended.extend(in_doubt);
            }
            2 | 3 if !account.live.is_empty() => {
                let session = account.live.swap_remove(dice(account.live.len()));
                sign_out(address, &session, self.refusals).await?;
                account.ended.push(session);
            }
            _ => match sign_in(address, form, &name).await? {
                Ok(session) => account.live.push(session),
                Err(status) => {
                    assert_eq!(status, "503", "too many at once, or lost: {account:?}");
                    if self.refusals == Refusals::EndTheWork {
                        return None;
                    }
                }
            },
        }
        Some(())
    }

    async fn sign_up(&mut self, round: usize) -> Option<()> {
        let name = format!("member{}x{}", self.number, NAMES.fetch_add(1, Ordering::Relaxed));
        let new = NewAccount {
            name: name.clone(),
            full_name: None,
            email: None,
            groups: vec![],
            password: Some(Secret::new(PASSWORD.to_owned())),
        };
        acked(&self.data_dir, self.refusals, Command::UserAdd(new)).await?;
        let (live, ended) = (Vec::new(), Vec::new());
        self.accounts.push(Account { name, state: State::Active, live, ended, round });
        Some(())
    }

    /// Every session that is known to be live is served, by a gateway that may know nothing but what is in its memory.
    async fn check_served(&self, address: SocketAddr) {
        for session in self.accounts.iter().flat_map(|account| &account.live) {
            let page = ask(address, &get("/whoami.php", session)).await.unwrap();
            assert_eq!(status(&page), "200", "{session}: {page}");
        }
    }

    /// Holds the gateway against what was acknowledged, for accounts that were touched since `round`.
    async fn check(&mut self, address: SocketAddr, round: usize) {
        let page = ask(address, &get("/.passgate/login", "")).await.unwrap();
        let form = Form { cookie: cookie(&page, "passgate").unwrap(), csrf: csrf(&page).unwrap() };
        let mut sign_ins = 3;
        for account in self.accounts.iter_mut().filter(|account| account.round >= round) {
            let name = account.name.clone();
            let Some(Reply::User(MemberView { user, .. })) =
                call_at(&self.data_dir, Command::UserShow { name }).await
            else {
                panic!("{account:?} is lost");
            };
            assert!(user.has_password, "{account:?}");
            let is_disabled = user.state == passgate::domain::UserState::Disabled;
            assert!(
                account.state == State::Unknown || is_disabled == (account.state == State::Disabled),
                "{account:?}"
            );
            account.state = if is_disabled { State::Disabled } else { State::Active };
            for (sessions, expected) in [(&account.live, "200"), (&account.ended, "302")] {
                for session in sessions {
                    let page = ask(address, &get("/whoami.php", session)).await.unwrap();
                    assert_eq!(status(&page), expected, "{session} of {account:?}");
                }
            }
            if sign_ins > 0 {
                sign_ins -= 1;
                let session = sign_in(address, &form, &account.name).await.unwrap();
                // Or there are too many to be looked at in time.
                if !session.as_ref().is_err_and(|status| status == "503") {
                    let is_refused = session.as_ref().is_err_and(|status| status == "422");
                    assert_eq!(is_refused, is_disabled, "{session:?} {account:?}");
                }
                account.live.extend(session);
            }
        }
    }
}

/// The reply to a command; none if there was none, or one that ends the work.
async fn acked(data_dir: &Path, refusals: Refusals, command: Command) -> Option<Reply> {
    match (call_at(data_dir, command).await?, refusals) {
        (Reply::Failed(Failure::Unavailable(words)), Refusals::EndTheWork) => {
            assert!(words.contains("can't write") || words.contains("stands still"), "{words}");
            None
        }
        // Nothing was done, as on a machine that has much else to do.
        (Reply::Failed(Failure::Unavailable(words)), _) if words.contains("too many are signing in") => None,
        (Reply::Failed(failure), _) => panic!("{failure:?}"),
        (reply, _) => Some(reply),
    }
}

/// The reply to a command; none if there was none.
async fn call_at(data_dir: &Path, command: Command) -> Option<Reply> {
    let data_dir = data_dir.to_owned();
    tokio::task::spawn_blocking(move || call(&data_dir, &command)).await.unwrap().ok().flatten()
}

/// The session, or the status of the refusal; none if there was no answer.
async fn sign_in(address: SocketAddr, form: &Form, name: &str) -> Option<Result<String, String>> {
    let fields = [("username", name), ("password", PASSWORD), ("csrf", &form.csrf), ("return_to", "/")];
    let answer = ask(address, &post("/.passgate/login", &form.cookie, &fields)).await.ok()?;
    Some(match status(&answer) {
        "303" => Ok(cookie(&answer, "passgate=").unwrap()),
        refused => Err(refused.to_owned()),
    })
}

async fn sign_out(address: SocketAddr, session: &str, refusals: Refusals) -> Option<()> {
    let page = ask(address, &get("/.passgate/logout", session)).await.ok()?;
    assert_eq!(status(&page), "200", "a live session may sign out: {page}");
    // The page may be cut off.
    let csrf = csrf(&page)?;
    let answer = ask(address, &post("/.passgate/logout", session, &[("csrf", &csrf)])).await.ok()?;
    if refusals == Refusals::EndTheWork && status(&answer) == "503" {
        return None;
    }
    assert_eq!(status(&answer), "303", "{answer}");
    Some(())
}

/// SECURITY: SES-05. A session that was ended stays so.
#[tokio::test(flavor = "multi_thread")]
async fn sto_01_no_kill_of_the_gateway_loses_what_it_acknowledged() {
    let forum = SampleForum::bind(([127, 0, 0, 1], 0).into()).await.unwrap().spawn();
    let site = site_before(&forum);
    let rounds = rounds("PASSGATE_KILL_ROUNDS", ROUNDS);
    hold_through(&site, rounds, "kills", |mut gateway| gateway.kill()).await;
}

/// So many rounds as the environment asks for.
pub(crate) fn rounds(variable: &str, else_: usize) -> usize {
    env::var(variable).ok().and_then(|n| n.parse().ok()).unwrap_or(else_)
}

/// A site that says only what went wrong.
pub(crate) fn site_before(forum: &RunningForum) -> Site {
    Site::before(
        forum.address(),
        // What fails with the disk counts as a try; that throttle is another test's.
        "access.default = \"login\"\nlog.level = \"error,passgate::server=info,passgate::store=info\"\nstore.backups_kept = 0\n\
         throttle.account = 10\nthrottle.address = 10000\nthrottle.prefix = 15000",
    )
}

/// Those who load a gateway, and know what it has acknowledged.
pub(crate) struct Crowd {
    workers: Vec<Worker>,
    acknowledged: Arc<AtomicUsize>,
}

impl Crowd {
    pub(crate) fn at(site: &Site, refusals: Refusals) -> Self {
        let acknowledged = Arc::new(AtomicUsize::new(0));
        let worker = |number| Worker {
            number,
            data_dir: site.data_dir(),
            refusals,
            accounts: Vec::new(),
            acknowledged: Arc::clone(&acknowledged),
        };
        Self { workers: (0..WORKERS).map(worker).collect(), acknowledged }
    }

    /// Loads it, and has `end` make an end of that at a random moment after something was acknowledged.
    pub(crate) async fn load(&mut self, address: SocketAddr, round: usize, end: impl FnOnce()) {
        let working = |worker: Worker| tokio::spawn(worker.work(address, round));
        let tasks: Vec<_> = self.workers.drain(..).map(working).collect();
        let (before, deadline) = (self.acknowledged.load(Ordering::Relaxed), Instant::now() + LIMIT);
        while self.acknowledged.load(Ordering::Relaxed) < before + WORKERS && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::time::sleep(Duration::from_millis(dice(500) as u64)).await;
        end();
        for task in tasks {
            self.workers.push(task.await.unwrap());
        }
    }

    /// Holds it against what was acknowledged, for accounts that were touched since `round`.
    pub(crate) async fn check(&mut self, address: SocketAddr, round: usize) {
        for worker in &mut self.workers {
            worker.check(address, round).await;
        }
    }

    /// Whoever is signed in is served.
    pub(crate) async fn check_served(&self, address: SocketAddr) {
        for worker in &self.workers {
            worker.check_served(address).await;
        }
    }

    /// Says what was checked, and insists that it was something.
    pub(crate) fn tell(&self, rounds: usize, what: &str) {
        let accounts = || self.workers.iter().flat_map(|worker| &worker.accounts);
        let acknowledged = self.acknowledged.load(Ordering::Relaxed);
        let sessions: usize = accounts().map(|account| account.live.len() + account.ended.len()).sum();
        println!(
            "{rounds} {what}, {acknowledged} acknowledged writes, {} accounts and {sessions} sessions checked at the end",
            accounts().count()
        );
        assert!(acknowledged > rounds, "hardly any load");
    }
}

/// Says how far it came, and keeps a copy of the store, if it comes to no good end.
struct Rounds<'s> {
    site: &'s Site,
    done: usize,
}

impl Drop for Rounds<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let copy = env::temp_dir().join(format!("passgate-broken-{}", std::process::id()));
            let copied = run(std::process::Command::new("cp").arg("-a").arg(self.site.data_dir()).arg(&copy));
            eprintln!("after {} rounds; the store is kept in {}: {copied:?}", self.done, copy.display());
        }
    }
}

/// Loads a gateway, has `end` end it in the middle, and holds the next one against what was acknowledged; again and again.
pub(crate) async fn hold_through(site: &Site, rounds: usize, what: &str, mut end: impl FnMut(Gateway)) {
    let mut crowd = Crowd::at(site, Refusals::AreFaults);
    let mut slowest = Duration::ZERO;
    let mut progress = Rounds { site, done: 0 };
    for round in 0..rounds {
        progress.done = round;
        if round % 5 == 4 {
            // Killed while it starts, before it could say anything.
            let mut child = site.program(&["serve"]).spawn().unwrap();
            tokio::time::sleep(Duration::from_millis(dice(150) as u64)).await;
            child.kill().unwrap();
            child.wait().unwrap();
        }
        let gateway = site.serve();
        slowest = slowest.max(gateway.ready_after);
        crowd.check(gateway.address, round.saturating_sub(1)).await;
        crowd.load(gateway.address, round, || end(gateway)).await;
    }
    let gateway = site.serve();
    slowest = slowest.max(gateway.ready_after);
    crowd.check(gateway.address, 0).await;
    crowd.tell(rounds, what);
    println!("slowest from start to ready: {slowest:?}");
}
