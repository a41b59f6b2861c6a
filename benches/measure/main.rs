//! What `benches/run.py` needs beside wrk: `bare`, a pingora proxy that does nothing; `check`, the price of a passkey's
//! check; `load`, members who sign in while others read; `fill` and `open`, a store with very many members. Each prints one
//! line of JSON, or serves until it is ended.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a measurement that panics has failed, as it should"
)]

mod bare;
mod check;
mod load;
mod scale;
#[path = "../../tests/it/support/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the integration tests use all of it; this needs a part")]
mod support;

use std::time::Duration;

/// As the gateway has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["bare", listen, upstream] => bare::serve(listen, upstream.parse().unwrap()),
        ["check", folder] => println!("{}", check::measure(folder.as_ref())),
        ["load", address, process, seconds, rounds] => {
            let length = Duration::from_secs(seconds.parse().unwrap());
            let plan =
                load::Plan { address: address.parse().unwrap(), length, rounds: rounds.parse().unwrap() };
            println!("{}", load::measure(&plan, process));
        }
        ["fill", folder, members] => println!("{}", scale::fill(folder.as_ref(), members.parse().unwrap())),
        ["open", folder, members] => println!("{}", scale::open(folder.as_ref(), members.parse().unwrap())),
        _ => panic!(
            "measure bare LISTEN UPSTREAM | check FOLDER | load ADDRESS PID SECONDS ROUNDS | fill FOLDER MEMBERS | open FOLDER MEMBERS"
        ),
    }
}

/// What a thread or process has spent on the processor, by its folder in `/proc`.
fn spent(folder: &str) -> Duration {
    let stat = std::fs::read_to_string(format!("{folder}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    // In hundredths of a second, user and system.
    let ticks: u64 = fields[11..13].iter().map(|ticks| ticks.parse::<u64>().unwrap()).sum();
    Duration::from_millis(ticks * 10)
}
