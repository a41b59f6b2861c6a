//! A process that has no file descriptors left: it waits for some, and goes on.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use passgate::sample::SampleForum;
use tokio::net::TcpStream;

use crate::site::{Gateway, PROGRAM, Site};
use crate::support::LIMIT;
use crate::support::raw::{RawClient, exchange};

const DESCRIPTORS: usize = 64;

/// A gateway that is started with these limits.
fn limited(site: &Site, limits: &str) -> Gateway {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{limits}; exec \"$0\" serve --config \"$1\""), PROGRAM]).arg(site.file());
    Gateway::start(site.prepared(command))
}

fn open(gateway: &Gateway) -> usize {
    fs::read_dir(format!("/proc/{}/fd", gateway.id())).unwrap().count()
}

/// What the process has spent on the processor, in hundredths of a second.
fn spent(gateway: &Gateway) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", gateway.id())).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// Waits for what no event tells of, hence the short pauses.
async fn until(what: &str, is_so: impl Fn() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < LIMIT, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// SECURITY: REL-05.
#[tokio::test(flavor = "multi_thread")]
async fn ops_08_listeners_without_descriptors_wait_and_clients_that_hang_up_leave_nothing() {
    let forum = SampleForum::bind(([127, 0, 0, 1], 0).into()).await.unwrap().spawn();
    let site = Site::before(forum.address(), "access.default = \"guest\"");
    let gateway = limited(&site, &format!("ulimit -n {DESCRIPTORS}"));
    if let Err(error) = fs::read_dir(format!("/proc/{}/fd", gateway.id())) {
        eprintln!("skipped: a gateway's descriptors are for root alone to see: {error}");
        return;
    }
    let health = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
    assert_eq!(exchange(gateway.admin, health).await.unwrap().status(), 200);
    until("the connection is closed", || open(&gateway) < DESCRIPTORS / 2).await;
    let before = open(&gateway);

    for bytes in ["", "G", "GET /health HTTP/1.1\r\nHost:", health, "\r\n\r\n\r\n", "\0"] {
        let mut client = RawClient::connect(gateway.admin).await;
        client.send(bytes).await.unwrap();
    }
    until("nothing is left of clients that hang up", || open(&gateway) <= before).await;

    let mut clients = Vec::new();
    for _ in 0..2 * DESCRIPTORS {
        clients.push(TcpStream::connect(gateway.admin).await.unwrap());
    }
    // More than it can take, whichever of the two listeners comes first.
    for _ in 0..DESCRIPTORS {
        clients.push(TcpStream::connect(gateway.address).await.unwrap());
    }
    // The public listener says so, once in fifty milliseconds.
    let refused = || gateway.lines().iter().filter(|line| line.contains("can't accept")).count();
    until("all are taken", || refused() > 0).await;
    let (ticks, times) = (spent(&gateway), refused());
    until("a second has passed", || refused() >= times + 20).await;
    let ticks = spent(&gateway) - ticks;
    assert!(ticks < 10, "it spins: {ticks} hundredths of a second of CPU time in a second");

    drop(clients);
    until("all are closed", || open(&gateway) <= before).await;
    assert_eq!(exchange(gateway.admin, health).await.unwrap().status(), 200);
    let page = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    assert_eq!(exchange(gateway.address, page).await.unwrap().status(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn rel_11_all_descriptors_are_taken_that_may_be_and_too_few_are_told() {
    let forum = SampleForum::bind(([127, 0, 0, 1], 0).into()).await.unwrap().spawn();
    let site = Site::before(forum.address(), "connections.most = 200");
    for (hard, is_enough) in [(600, true), (300, false)] {
        let mut gateway = limited(&site, &format!("ulimit -S -n 100; ulimit -H -n {hard}"));
        let limits = fs::read_to_string(format!("/proc/{}/limits", gateway.id())).unwrap_or_default();
        if let Some(line) = limits.lines().find(|line| line.starts_with("Max open files")) {
            let numbers: Vec<_> = line.split_whitespace().skip(3).take(2).collect();
            assert_eq!(numbers, [hard.to_string(), hard.to_string()]);
        } else {
            eprintln!("skipped in part: a gateway's limits are for root alone to see");
        }
        gateway.stop();
        let told = gateway.last_lines().iter().any(|line| line.contains("fewer file descriptors"));
        assert_eq!(told, !is_enough, "{hard}");
    }
}
