//! A flood of sign-ins with wrong passwords beside readers of pages (THR-09): how long readers wait with and without it, and how
//! far memory rises.
//!
//! Each sign-in is for a name that nobody has, from a network of its own, as a proxy tells that the gateway trusts: so none is
//! refused before it is looked at, but for there being too many.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::paced::{self, Pace};
use crate::support::browser::Browser;
use crate::support::raw::RawClient;

/// Pages, a second, over as many connections.
const READS: u32 = 100;
const READERS: u32 = 16;
/// Sign-ins that are open at once. One that is due when there are so many is left out, and counted.
const OPEN_AT_MOST: usize = 256;

/// What is measured.
pub(crate) struct Plan<'p> {
    pub(crate) address: SocketAddr,
    /// The gateway's folder in `/proc`.
    pub(crate) process: &'p str,
    /// Sign-ins a second.
    pub(crate) rate: u32,
    pub(crate) length: Duration,
}

/// What all of them have in common.
struct Form {
    address: SocketAddr,
    cookie: String,
    csrf: String,
}

pub(crate) fn measure(plan: &Plan<'_>) -> Value {
    let read = |length| {
        paced::measure(Pace { address: plan.address, rate: READS, connections: READERS, length, cookie: "" })
    };
    let quiet = plan.length / 4;
    let idle = read(quiet);
    let before = memory_mib(plan, "VmRSS");
    // The peak is that of what follows.
    fs::write(format!("{}/clear_refs", plan.process), "5").unwrap();
    let (flooded, statuses) = thread::scope(|scope| {
        let flood = scope.spawn(|| flood(plan));
        (read(plan.length), flood.join().unwrap())
    });
    let peak = memory_mib(plan, "VmHWM");
    json!({
        "idle": idle["waits"], "flooded": flooded["waits"], "idle_again": read(quiet)["waits"],
        "statuses": statuses, "rss_mib": before, "peak_mib": peak,
    })
}

fn memory_mib(plan: &Plan<'_>, what: &str) -> f64 {
    let status = fs::read_to_string(format!("{}/status", plan.process)).unwrap();
    let kib = status.lines().find_map(|line| line.strip_prefix(what)?.strip_prefix(':')).unwrap();
    kib.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
}

/// How often which status came; "broken" where a connection ended instead.
fn flood(plan: &Plan<'_>) -> BTreeMap<String, u32> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let statuses = Arc::new(Mutex::new(BTreeMap::new()));
    let count = |statuses: &Mutex<BTreeMap<String, u32>>, what: String| {
        *statuses.lock().unwrap().entry(what).or_default() += 1
    };
    runtime.block_on(async {
        let url = format!("http://localhost:{}", plan.address.port());
        let mut browser = Browser::new(plan.address, &url);
        let csrf = browser.get("/.passgate/login").await.form("password").value("csrf").to_owned();
        let cookie = browser.jar.find("passgate-form").unwrap().value.clone();
        let form = Arc::new(Form { address: plan.address, cookie, csrf });
        let kept = Arc::new(Mutex::new(Vec::new()));
        let mut due = interval_at(Instant::now(), Duration::from_secs(1) / plan.rate);
        due.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let (mut running, end) = (JoinSet::new(), Instant::now() + plan.length);
        for number in 0_u32.. {
            if due.tick().await >= end {
                break;
            }
            while running.try_join_next().is_some() {}
            if running.len() == OPEN_AT_MOST {
                count(&statuses, "left out".to_owned());
                continue;
            }
            let (form, kept, statuses) = (Arc::clone(&form), Arc::clone(&kept), Arc::clone(&statuses));
            running.spawn(async move {
                let client: Option<RawClient> = kept.lock().unwrap().pop();
                let client = match client {
                    Some(client) => client,
                    None => RawClient::connect(form.address).await,
                };
                let (what, client) = form.try_once(client, number).await;
                count(&statuses, what);
                kept.lock().unwrap().extend(client);
            });
        }
        while running.join_next().await.is_some() {}
    });
    Arc::into_inner(statuses).unwrap().into_inner().unwrap()
}

impl Form {
    /// What came of it, and the connection if it goes on.
    async fn try_once(&self, mut client: RawClient, number: u32) -> (String, Option<RawClient>) {
        let body = format!("csrf={}&username=nobody{number}&password=wrong+password+{number}", self.csrf);
        let port = self.address.port();
        let [_, _, b, c] = number.to_be_bytes();
        let request = format!(
            "POST /.passgate/login HTTP/1.1\r\nHost: localhost:{port}\r\nOrigin: http://localhost:{port}\r\n\
             X-Forwarded-For: 10.{b}.{c}.1\r\nCookie: passgate-form={}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.cookie,
            body.len()
        );
        match client.exchange(&request).await {
            Ok(reply) => {
                let closes = reply.head.value("connection").is_some_and(|words| words.contains("close"));
                (reply.status().to_string(), (!closes).then_some(client))
            }
            Err(_) => ("broken".to_owned(), None),
        }
    }
}
