//! `passgate demo`: a sample forum and the gateway before it, in one process, in a folder that is gone with it. It is served as by
//! `passgate serve`, so all other commands work beside it.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde::Serialize;

use super::serve::{Site, watched};
use super::{Exit, Streams, Trouble};
use crate::app::{Services, Sockets};
use crate::auth::NewUser;
use crate::config::Config;
use crate::domain::{Clock, Group, Secret, SteadyClock, UserName, random};
use crate::sample::SampleForum;
use crate::server::{bind, private_folder, runtime, start_log};

#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Where to listen; a loopback address
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Hand mails to this mail server, without TLS: one on this machine that only shows them
    #[arg(long, value_name = "ADDRESS")]
    mail: Option<SocketAddr>,
    /// Print one JSON line instead of words
    #[arg(long)]
    json: bool,
}

/// What `--json` prints when everything is up.
#[derive(Serialize)]
struct Ready {
    url: String,
    members: Vec<Member>,
    upstream: String,
    config: PathBuf,
}

/// A member to try things with. The password is made anew at each start.
#[derive(Serialize)]
struct Member {
    name: &'static str,
    password: String,
}

impl Demo {
    /// Runs the demonstration until a signal.
    pub(super) fn run(&self, streams: &mut Streams<'_>) -> Result<(), Trouble> {
        for (option, address) in [("--listen", Some(self.listen)), ("--mail", self.mail)] {
            if address.is_some_and(|address| !address.ip().is_loopback()) {
                let text = format!(
                    "the demonstration encrypts nothing and stays on this machine; give {option} an address such as 127.0.0.1:8080"
                );
                return Err(Trouble::new(Exit::Usage, text));
            }
        }
        runtime(0).map_err(Trouble::unavailable)?.block_on(self.serve(streams))
    }

    async fn serve(&self, streams: &mut Streams<'_>) -> Result<(), Trouble> {
        let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
        let forum = SampleForum::bind(any_port).await.map_err(Trouble::unavailable)?;
        let upstream = forum.address();
        let public = bind(self.listen).map_err(Trouble::unavailable)?;
        let sockets = Sockets { public: vec![public], tls: Vec::new(), admin: None };
        let port = sockets.addresses().first().map_or_else(|| self.listen.port(), SocketAddr::port);
        let folder =
            tempfile::Builder::new().prefix("passgate-demo-").tempdir().map_err(Trouble::unavailable)?;
        let file = folder.path().join("gateway.toml");
        fs::write(&file, self.configuration(folder.path(), port, upstream)).map_err(Trouble::unavailable)?;
        let config = Config::load(Some(&file), &[])?;
        private_folder(&config.server.data_dir).map_err(Trouble::unavailable)?;
        let _log = start_log(&config.log, &config.server.data_dir).map_err(Trouble::unavailable)?;
        let clock = Arc::new(SteadyClock::new());
        let services = Services::open(&config, Arc::clone(&clock) as Arc<dyn Clock>)?;
        let members = add_members(&services).await?;
        let url = format!("http://localhost:{port}/");
        let ready = Ready { url, members, upstream: format!("http://{upstream}/"), config: file.clone() };
        let _serving_forum = forum.spawn();
        let changes = watched(&config);
        let site = Site { config: &config, file: Some(file), changes, sockets, clock, services };
        site.serve(|_| self.announce(&ready, streams)).await
    }

    /// The file that is written for it, with settings that show what there is.
    fn configuration(&self, folder: &Path, port: u16, upstream: SocketAddr) -> String {
        let (listen, data) = (SocketAddr::new(self.listen.ip(), port), folder.join("data"));
        let mode = if self.mail.is_some() { "open" } else { "invitation" };
        let mail = self.mail.map(|server| {
            let (host, port) = (server.ip(), server.port());
            format!(
                "\n[mail]\nhost = \"{host}\"\nport = {port}\ntls = \"none\"\nfrom = \"forum@forum.example\"\n"
            )
        });
        format!(
            "# The demonstration's. Change it: what you save counts at once, and what is wrong is told where it runs.\n\n\
             [server]\nlisten = [\"{listen}\"]\npublic_url = \"http://localhost:{port}\"\nadmin_listen = \"\"\nwatch = true\n\
             data_dir = \"{data}\"\ndrain_timeout = \"1s\"\n\n\
             [upstream]\nurl = \"http://{upstream}\"\n\n\
             [identity]\nencoding = \"utf-8\"\n\n\
             [registration]\nmode = \"{mode}\"\n\n\
             [pages]\nsite_name = \"The Sample Forum\"\n\n\
             [log]\nlevel = \"warn\"\n{mail}",
            data = data.display(),
            mail = mail.unwrap_or_default()
        )
    }

    fn announce(&self, ready: &Ready, streams: &mut Streams<'_>) -> Result<(), Trouble> {
        if self.json {
            return streams.json(ready);
        }
        let members: Vec<_> = ready
            .members
            .iter()
            .map(|Member { name, password }| format!("    {name:<6}  {password}"))
            .collect();
        let program = std::env::current_exe().unwrap_or_else(|_| "passgate".into());
        streams.data(&format!(
            "The sample forum is behind the gateway at\n\n    {}\n\nSign in as one of its members:\n\n{}\n\n\
             Its operator's commands work meanwhile, for instance in another window:\n\n    {} user list --config {}\n\n\
             The forum itself, without the gateway: {}\nEverything is forgotten when you press Ctrl-C.",
            ready.url,
            members.join("\n"),
            program.display(),
            ready.config.display(),
            ready.upstream
        ))
    }
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
