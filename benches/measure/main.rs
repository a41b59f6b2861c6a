//! What `benches/bench` needs beside wrk and h2load. Each command prints one line of JSON, or serves until it is ended; [`USAGE`]
//! lists them.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a measurement that panics has failed, as it should"
)]

mod bare;
mod check;
mod constant;
mod flood;
mod hot;
mod limit;
mod load;
mod micro;
mod paced;
mod scale;
#[path = "../../tests/it/support/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the integration tests use all of it; this needs a part")]
mod support;
mod tls;
mod websocket;

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};

use self::tls::Handshakes;

/// As the gateway has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const USAGE: &str = "\
bare LISTEN UPSTREAM                          a pingora proxy that looks a session up, and forwards
limit LISTEN UPSTREAM                         a proxy that reads nothing
echo LISTEN                                   an application with a WebSocket that echoes
certificate FOLDER                            a certificate for localhost, and its authority's
paced ADDRESS RATE CONNECTIONS SECONDS COOKIE requests at a fixed rate
handshakes ADDRESS AUTHORITY full|resumed SECONDS
hold ADDRESS AUTHORITY COUNT                  idle TLS connections, until standard input ends
talk ADDRESS CONNECTIONS SECONDS COOKIE       WebSocket messages there and back
check FOLDER                                  the price of a passkey's check
load ADDRESS PID SECONDS ROUNDS               members who sign in while others read
flood ADDRESS PID RATE SECONDS                wrong passwords while others read
constant SAMPLES                              whether comparing secrets tells anything
fill FOLDER MEMBERS                           makes a store with very many members
open FOLDER MEMBERS                           opens it, and looks sessions up
compact FOLDER INTO                           writes it anew
micro FOLDER SECONDS                          single steps of a request, by criterion";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["bare", listen, upstream] => bare::serve(listen, address(upstream)),
        ["limit", listen, upstream] => limit::serve(listen, address(upstream)),
        ["echo", listen] => websocket::echo(listen),
        ["certificate", folder] => tls::certificate(folder.as_ref()),
        ["hold", to, authority, count] => tls::hold(address(to), authority.as_ref(), count.parse().unwrap()),
        measured => println!("{}", measure(measured)),
    }
}

fn measure(arguments: &[&str]) -> Value {
    match *arguments {
        ["paced", to, rate, connections, length, cookie] => paced::measure(paced::Pace {
            address: address(to),
            rate: rate.parse().unwrap(),
            connections: connections.parse().unwrap(),
            length: seconds(length),
            cookie: &line(cookie),
        }),
        ["handshakes", to, authority, kind, length] => {
            let kind = if kind == "full" { Handshakes::Full } else { Handshakes::Resumed };
            tls::shake_hands(address(to), authority.as_ref(), kind, seconds(length))
        }
        ["talk", to, connections, length, cookie] => {
            websocket::talk(address(to), connections.parse().unwrap(), seconds(length), &line(cookie))
        }
        ["check", folder] => check::measure(folder.as_ref()),
        ["load", to, process, length, rounds] => {
            let (address, length) = (address(to), seconds(length));
            load::measure(&load::Plan { address, length, rounds: rounds.parse().unwrap() }, process)
        }
        ["flood", to, process, rate, length] => {
            let (address, process) = (address(to), &*format!("/proc/{process}"));
            flood::measure(&flood::Plan {
                address,
                process,
                rate: rate.parse().unwrap(),
                length: seconds(length),
            })
        }
        ["constant", samples] => constant::measure(samples.parse().unwrap()),
        ["fill", folder, members] => scale::fill(folder.as_ref(), members.parse().unwrap()),
        ["open", folder, members] => scale::open(folder.as_ref(), members.parse().unwrap()),
        ["compact", folder, into] => scale::compact(folder.as_ref(), into.as_ref()),
        ["micro", folder, length] => micro::measure(folder.as_ref(), seconds(length)),
        _ => panic!("usage of measure:\n{USAGE}"),
    }
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn seconds(text: &str) -> Duration {
    Duration::from_secs_f64(text.parse().unwrap())
}

/// The line of a request that sends this cookie; none for an empty one.
fn line(cookie: &str) -> String {
    if cookie.is_empty() { String::new() } else { format!("Cookie: {cookie}\r\n") }
}

/// In milliseconds.
fn quantiles(mut times: Vec<Duration>) -> Value {
    times.sort_unstable();
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e3;
    json!({ "p50_ms": at(0.5), "p99_ms": at(0.99), "p999_ms": at(0.999), "most_ms": at(1.0) })
}

/// What a thread or process has spent on the processor, by its folder in `/proc`.
fn spent(folder: &str) -> Duration {
    let stat = std::fs::read_to_string(format!("{folder}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    // In hundredths of a second, user and system.
    let ticks: u64 = fields[11..13].iter().map(|ticks| ticks.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}
