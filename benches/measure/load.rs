//! Members who sign in while others read: how long readers wait with and without them, in turns.
//!
//! Readers ask at a fixed rate, and a wait counts from when the request was due, so a gateway that stops for a moment is seen
//! to. Names and the password of the members come from the environment, as `MEMBERS` (how many) and `PASSWORD`.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::support::browser::Browser;
use crate::support::passkey::Device;
use crate::support::raw::RawClient;
use crate::{quantiles, spent};

/// Requests of readers, a second, over as many connections.
const READS: u32 = 1_000;
const READERS: u32 = 20;
/// Sign-ins with a passkey, a second.
const SIGN_INS: u32 = 500;
/// Members who sign in without a pause: with a passkey, and with a password.
const BUSY: [usize; 2] = [16, 4];

/// What is measured.
pub(crate) struct Plan {
    pub(crate) address: SocketAddr,
    /// Of each turn.
    pub(crate) length: Duration,
    pub(crate) rounds: u32,
}

/// What members do in a turn.
#[derive(Clone, Copy)]
enum Busy {
    Nobody,
    /// [`SIGN_INS`] a second.
    Passkeys,
    /// One after the other.
    MostPasskeys,
    MostPasswords,
}

/// A member's browser with a device.
struct Member {
    name: String,
    browser: Browser,
    device: Device,
    /// The anti-forgery value of the sign-in page it has open.
    csrf: String,
}

pub(crate) fn measure(plan: &Plan, process: &str) -> Value {
    let folder = format!("/proc/{process}");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut members = members(plan.address).await;
        let mut turns = Vec::new();
        for _ in 0..plan.rounds {
            for (name, busy) in [
                ("idle", Busy::Nobody),
                ("passkeys", Busy::Passkeys),
                ("passkeys, most", Busy::MostPasskeys),
                ("passwords, most", Busy::MostPasswords),
            ] {
                let before = spent(&folder);
                let (waits, sign_ins) = turn(plan, &mut members, busy).await;
                let cpu = spent(&folder).checked_sub(before).unwrap();
                turns.push(json!({
                    "turn": name,
                    "reads_per_s": waits.len() as f64 / plan.length.as_secs_f64(),
                    "sign_ins_per_s": f64::from(sign_ins) / plan.length.as_secs_f64(),
                    "cpu_ms_per_s": cpu.as_secs_f64() * 1_000.0 / plan.length.as_secs_f64(),
                    "waits": quantiles(waits),
                }));
            }
        }
        Value::Array(turns)
    })
}

fn url(address: SocketAddr) -> String {
    format!("http://localhost:{}", address.port())
}

fn password() -> String {
    std::env::var("PASSWORD").expect("the members' password")
}

/// Each signs in with the password and adds a passkey.
async fn members(address: SocketAddr) -> Vec<Member> {
    let count: u32 = std::env::var("MEMBERS").expect("how many members there are").parse().unwrap();
    let mut members = Vec::new();
    for number in 0..count {
        let name = format!("member{number}");
        let mut device = Device::new(&url(address));
        let mut browser = Browser::new(address, &url(address));
        sign_in_by_password(&mut browser, &name).await;
        browser.enrol(&mut device).await;
        let mut browser = Browser::new(address, &url(address));
        let csrf = browser.begin("sign-in", "/.passgate/login").await.csrf;
        members.push(Member { name, browser, device, csrf });
    }
    members
}

async fn sign_in_by_password(browser: &mut Browser, name: &str) {
    let page = browser.get("/.passgate/login").await;
    let fields = [("username", name), ("password", &password())];
    browser.submit(&page, "password", &fields).await.assert_status(200);
    assert!(browser.jar.find("passgate").is_some(), "{name} is not signed in");
}

/// The waits of the readers, and how many sign-ins there were.
async fn turn(plan: &Plan, members: &mut Vec<Member>, busy: Busy) -> (Vec<Duration>, u32) {
    let over = Arc::new(AtomicBool::new(false));
    let waits = Arc::new(Mutex::new(Vec::new()));
    let mut readers = JoinSet::new();
    for number in 0..READERS {
        let (over, waits, address) = (Arc::clone(&over), Arc::clone(&waits), plan.address);
        let offset = Duration::from_secs(1) / READS * number;
        readers.spawn(async move { read(address, offset, &over, &waits).await });
    }
    let mut working = JoinSet::new();
    let active = match busy {
        Busy::Nobody => 0,
        Busy::Passkeys => members.len(),
        Busy::MostPasskeys => BUSY[0],
        Busy::MostPasswords => BUSY[1],
    };
    let pause = Duration::from_secs(1) / SIGN_INS * u32::try_from(active).unwrap();
    for (number, mut member) in (0..).zip(members.drain(..active)) {
        let (over, address) = (Arc::clone(&over), plan.address);
        let offset = Duration::from_secs(1) / SIGN_INS * number;
        working.spawn(async move {
            let mut done = 0;
            let mut due = tokio::time::interval_at(Instant::now() + offset, pause);
            while !over.load(Ordering::Relaxed) {
                match busy {
                    Busy::Passkeys => {
                        due.tick().await;
                        member.sign_in().await;
                    }
                    Busy::MostPasskeys => member.sign_in().await,
                    _ => sign_in_by_password(&mut Browser::new(address, &url(address)), &member.name).await,
                }
                done += 1;
            }
            (member, done)
        });
    }
    tokio::time::sleep(plan.length).await;
    over.store(true, Ordering::Relaxed);
    let mut sign_ins = 0;
    while let Some(ended) = working.join_next().await {
        let (member, done) = ended.unwrap();
        members.push(member);
        sign_ins += done;
    }
    while let Some(ended) = readers.join_next().await {
        ended.unwrap();
    }
    let waits = std::mem::take(&mut *waits.lock().unwrap());
    (waits, sign_ins)
}

async fn read(address: SocketAddr, offset: Duration, over: &AtomicBool, waits: &Mutex<Vec<Duration>>) {
    let request = format!("GET /x HTTP/1.1\r\nHost: localhost:{}\r\n\r\n", address.port());
    let mut client = RawClient::connect(address).await;
    tokio::time::sleep(offset).await;
    let mut due = interval(Duration::from_secs(1) / READS * READERS);
    due.set_missed_tick_behavior(MissedTickBehavior::Burst);
    while !over.load(Ordering::Relaxed) {
        let was_due = due.tick().await;
        let reply = client.exchange(&request).await.unwrap();
        let wait = was_due.elapsed();
        assert_eq!(reply.status(), 200);
        waits.lock().unwrap().push(wait);
    }
}

impl Member {
    /// As the script of an open sign-in page does it: both halves, and the session is thrown away.
    async fn sign_in(&mut self) {
        let begun = self.browser.begin_with("sign-in", &self.csrf).await;
        let answer = self.device.get(&begun.said["options"]);
        self.browser.finish(&begun, answer).await.assert_status(200);
        self.browser.jar.put("passgate", "");
    }
}
