//! `passgate demo`: a sample forum and the gateway before it, in one process, on a store that is gone with it.

use std::net::SocketAddr;
use std::sync::Arc;

use serde::Serialize;

use super::{Exit, Streams, Trouble};
use crate::app::{Running, Services, Sockets};
use crate::auth::NewUser;
use crate::config::Config;
use crate::domain::{Group, Secret, SystemClock, UserName, random};
use crate::sample::SampleForum;
use crate::server::{StopSignals, bind, runtime, start_log};

/// What `--json` prints when everything is up.
#[derive(Serialize)]
struct Ready {
    url: String,
    members: Vec<Member>,
    upstream: String,
}

/// A member to try things with. The password is made anew at each start.
#[derive(Serialize)]
struct Member {
    name: &'static str,
    password: String,
}

/// How the addresses are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Output {
    /// In words.
    Human,
    /// One JSON line.
    Json,
}

/// Runs the demonstration until a signal.
pub(super) fn run(listen: SocketAddr, output: Output, streams: &mut Streams<'_>) -> Result<(), Trouble> {
    if !listen.ip().is_loopback() {
        let text = "the demonstration speaks plain HTTP and listens on loopback addresses only; try --listen 127.0.0.1:8080";
        return Err(Trouble::new(Exit::Usage, text));
    }
    runtime(0).map_err(Trouble::unavailable)?.block_on(demo(listen, output, streams))
}

async fn demo(listen: SocketAddr, output: Output, streams: &mut Streams<'_>) -> Result<(), Trouble> {
    let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
    let forum = SampleForum::bind(any_port).await.map_err(Trouble::unavailable)?;
    let upstream = forum.address();
    let sockets =
        Sockets { public: vec![bind(listen).map_err(Trouble::unavailable)?], tls: Vec::new(), admin: None };
    let port = sockets.addresses().first().map_or_else(|| listen.port(), SocketAddr::port);
    let config = configuration(listen, port, upstream)?;
    let _log = start_log(&config.log, &config.server.data_dir).map_err(Trouble::unavailable)?;
    let services = Services::open(&config, Arc::new(SystemClock))?;
    let members = add_members(&services).await?;
    let serving_forum = forum.spawn();
    let running = Running::start(&config, services, sockets).await?;
    let url = format!("http://localhost:{port}/");
    let stop = StopSignals::listen().map_err(Trouble::unavailable)?;
    announce(&Ready { url, members, upstream: format!("http://{upstream}/") }, output, streams)?;
    stop.arrive().await;
    running.stop().await;
    drop(serving_forum);
    Ok(())
}

fn configuration(listen: SocketAddr, port: u16, upstream: SocketAddr) -> Result<Config, Trouble> {
    let text = format!(
        "[server]\nlisten = [\"{listen}\"]\npublic_url = \"http://localhost:{port}\"\nadmin_listen = \"\"\n\
         drain_timeout = \"1s\"\n\
         [upstream]\nurl = \"http://{upstream}\"\n\
         [identity]\nencoding = \"utf-8\"\n\
         [pages]\nsite_name = \"The Sample Forum\"\n\
         [store]\nbackend = \"memory\"\n\
         [log]\nlevel = \"warn\"\naudit = false\n"
    );
    Config::from_toml_str(&text).map_err(Trouble::from)
}

async fn add_members(services: &Services) -> Result<Vec<Member>, Trouble> {
    let mut members = Vec::new();
    for (name, full_name, groups) in [
        ("alice", "Alice Liddell", &["members", "admins"][..]),
        ("bob", "Bob Bäcker", &["members"]),
        ("Zoë", "Zoë", &[]),
    ] {
        let password = pronounceable();
        let phc = services
            .accounts
            .hash(Secret::new(password.clone()))
            .await
            .map_err(|_| Trouble::unavailable("hashing took too long"))?;
        let new = NewUser {
            name: UserName::parse(name).map_err(Trouble::data)?,
            full_name: Some(full_name.to_owned()),
            email: Some(format!("{}@forum.example", name.replace('ë', "e").to_lowercase())),
            groups: groups.iter().filter_map(|group| Group::parse(group).ok()).collect(),
        };
        services.accounts.add(new, Some(phc)).await.map_err(Trouble::data)?;
        members.push(Member { name, password });
    }
    Ok(members)
}

/// Eight syllables from the operating system's randomness, easy to type: about 55 bits.
fn pronounceable() -> String {
    const CONSONANTS: &[u8; 16] = b"bdfghjklmnprstvz";
    const VOWELS: &[u8; 8] = b"aeiouyae";
    let syllable = |byte: u8| {
        [char::from(CONSONANTS[usize::from(byte & 15)]), char::from(VOWELS[usize::from(byte >> 4 & 7)])]
    };
    let words: Vec<String> =
        random::<8>().chunks(2).map(|pair| pair.iter().flat_map(|byte| syllable(*byte)).collect()).collect();
    words.join("-")
}

fn announce(ready: &Ready, output: Output, streams: &mut Streams<'_>) -> Result<(), Trouble> {
    if output == Output::Json {
        return streams.json(ready);
    }
    let members: Vec<_> =
        ready.members.iter().map(|Member { name, password }| format!("    {name:<6}  {password}")).collect();
    streams.data(&format!(
        "The sample forum is behind the gateway at\n\n    {}\n\nSign in as one of its members:\n\n{}\n\n\
         The forum itself, without the gateway: {}\nEverything is forgotten when you press Ctrl-C.",
        ready.url,
        members.join("\n"),
        ready.upstream
    ))
}
