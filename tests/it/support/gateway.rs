//! The real gateway in this process, on ports of its own, before an upstream of the test's choice.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use passgate::app::{Running, Services, Sockets};
use passgate::auth::throttle::{Marks, Way};
use passgate::auth::{Attempt, HashingCost, NewUser, SignInOutcome};
use passgate::config::Config;
use passgate::domain::{Clock, Group, ManualClock, Secret, Timestamp, User, UserId, UserName};

/// Lines that a test adds to the sections of the configuration.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Settings<'s> {
    /// The port that browsers use, where another proxy stands before the gateway; its own if there is none.
    pub(crate) public_port: Option<u16>,
    /// The authorities by which the application is known over TLS; it speaks in the clear if there are none.
    pub(crate) ca_file: Option<&'s Path>,
    /// Below `[server]`.
    pub(crate) server: &'s str,
    /// Below `[upstream]`.
    pub(crate) upstream: &'s str,
    /// Below `[access]`, rules included.
    pub(crate) access: &'s str,
    /// Whole sections.
    pub(crate) rest: &'s str,
}

impl Settings<'_> {
    /// The defaults.
    pub(crate) const NONE: Self =
        Self { server: "", upstream: "", access: "", rest: "", public_port: None, ca_file: None };
}

/// What each gateway's clock shows at first.
pub(crate) const START: Timestamp = Timestamp::from_millis(1_795_327_200_000);

/// A running gateway with a clock that the test moves.
pub(crate) struct Gateway {
    pub(crate) running: Running,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) address: SocketAddr,
    /// Of those that [`Gateway::add_member`] made.
    passwords: Mutex<HashMap<UserId, String>>,
}

impl Gateway {
    /// Starts before `upstream` with settings of the test and the defaults; cheap hashing aside.
    pub(crate) async fn with(upstream: SocketAddr, settings: Settings<'_>) -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let sockets = Sockets {
            public: vec![passgate::server::bind(any).unwrap()],
            tls: Vec::new(),
            admin: Some(passgate::server::bind(any).unwrap()),
        };
        let address = sockets.addresses()[0];
        Self::on(sockets, address, configuration(address, upstream, settings)).await
    }

    /// Starts on sockets of the test's choice, with all of a configuration.
    pub(crate) async fn on(sockets: Sockets, address: SocketAddr, mut config: Config) -> Self {
        config.hashing = HashingCost { memory_kib: 64, iterations: 1, parallelism: 1 };
        config.server.drain_timeout = Duration::from_secs(5);
        let clock = Arc::new(ManualClock::at(START));
        let services = Services::open(&config, Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
        let running = Running::start(&config, services, sockets).await.unwrap();
        Self { running, clock, address, passwords: Mutex::default() }
    }

    /// Puts other settings into force.
    pub(crate) async fn reload(&self, upstream: SocketAddr, settings: Settings<'_>) {
        self.running.reload(&configuration(self.address, upstream, settings)).await.unwrap();
    }

    /// Makes an account.
    pub(crate) async fn add_member(&self, name: &str, password: &str, groups: &[&str]) -> User {
        let accounts = &self.running.services.accounts;
        let new = NewUser {
            name: UserName::parse(name).unwrap(),
            full_name: None,
            email: Some(format!("{}@forum.example", name.to_ascii_lowercase())),
            groups: groups.iter().map(|group| Group::parse(group).unwrap()).collect(),
        };
        let phc = accounts.hash(Secret::new(password.to_owned())).await.unwrap();
        let user = accounts.add(new, Some(phc)).await.unwrap();
        self.passwords.lock().unwrap().insert(user.profile.id, password.to_owned());
        user
    }

    /// The value of a `Cookie` field that signs `user` in, without going through the form.
    pub(crate) async fn cookie_of(&self, user: &User) -> String {
        let password = self.passwords.lock().unwrap()[&user.profile.id].clone();
        let attempt = Attempt {
            name: user.profile.name.as_str(),
            password: Secret::new(password),
            persistence: passgate::domain::Persistence::Browser,
            user_agent: "test",
            way: Way::Password,
            from: [127, 0, 0, 1].into(),
            session: None,
            marks: &Marks::default(),
            trust: None,
        };
        match self.running.services.sign_in.by_password(attempt).await.unwrap() {
            SignInOutcome::SignedIn(token, ..) => format!("passgate={}", *token.to_text()),
            other => panic!("{other:?}"),
        }
    }

    /// The URL browsers use.
    pub(crate) fn url(&self) -> String {
        format!("http://localhost:{}", self.address.port())
    }

    /// The value of a `Host` field that the gateway answers to.
    pub(crate) fn host(&self) -> String {
        format!("localhost:{}", self.address.port())
    }
}

fn configuration(address: SocketAddr, upstream: SocketAddr, settings: Settings<'_>) -> Config {
    let Settings { public_port, ca_file, server, upstream: upstream_lines, access, rest } = settings;
    let (scheme, ca_file) = match ca_file {
        Some(file) => ("https", format!("ca_file = {file:?}")),
        None => ("http", String::new()),
    };
    let text = format!(
        "[server]\nlisten = [\"{address}\"]\npublic_url = \"http://localhost:{}\"\nadmin_listen = \"\"\n{server}\n\
         [upstream]\nurl = \"{scheme}://{upstream}\"\n{ca_file}\n{upstream_lines}\n\
         [store]\nbackend = \"memory\"\n[access]\n{access}\n{rest}\n",
        public_port.unwrap_or_else(|| address.port())
    );
    read(&text)
}

/// A configuration that has no problems.
///
/// # Panics
/// If it has some.
#[track_caller]
pub(crate) fn read(text: &str) -> Config {
    Config::from_toml_str(text).unwrap_or_else(|problems| panic!("{text}\n{problems:#?}"))
}
