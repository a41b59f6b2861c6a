//! A gateway that gets its certificates from an authority of the test's own.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use passgate::app::Sockets;
use passgate::config::Config;
use passgate::domain::{Clock, Timestamp};
use passgate::server::Look;
use tempfile::TempDir;

use crate::support::acme::Ca;
use crate::support::gateway::{Gateway, START, read};
use crate::support::raw::{RawClient, Reply};
use crate::support::tls::{Authority, Client, Holds};
use crate::support::upstream::{Act, Recorder};

pub(super) const DAY: Duration = Duration::from_secs(86_400);

/// What outlives a gateway: its folder, and the authority.
pub(super) struct Site {
    pub(super) ca: Ca,
    pub(super) folder: TempDir,
    client: Client,
    upstream: Recorder,
    /// Below `[tls]`, and whole tables after `[tls.acme]`.
    lines: (String, String),
}

/// A gateway of it.
pub(super) struct Running {
    pub(super) gateway: Gateway,
    pub(super) plain: SocketAddr,
    pub(super) tls: SocketAddr,
    client: Client,
    /// All but what stands below `[tls.acme]`, in two parts.
    text: (String, String),
}

impl Site {
    /// With lines below `[tls]`.
    pub(super) async fn new(tls: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let authority = Authority::new();
        let client = authority.client().offering(&["http/1.1"]);
        let ca = Ca::start(authority, START).await;
        ca.write(&folder.path().join("ca.pem"));
        let upstream = Recorder::always([Act::ok("the forum")]).await;
        Self { ca, folder, client, upstream, lines: (tls.to_owned(), String::new()) }
    }

    /// With a certificate in a file, too.
    pub(super) async fn with_file(name: &str) -> Self {
        let mut site = Self::new("").await;
        Authority::new().issue(&[name], Holds::ForLong, site.folder.path(), "own");
        let own = site.folder.path().join("own");
        let own = own.display();
        site.lines.1 = format!("[[tls.certificate]]\nchain = \"{own}.pem\"\nkey = \"{own}.key\"\n");
        site
    }

    pub(super) fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Starts a gateway to which the names lead, with lines below `[tls.acme]`.
    pub(super) async fn serve(&self, acme: &str) -> Running {
        let sockets = sockets();
        self.ca.names_lead_to(Some(sockets.addresses()[0]), Some(sockets.tls_addresses()[0]));
        self.start(sockets, acme).await
    }

    /// Starts a gateway to which no name leads.
    pub(super) async fn serve_unreached(&self, acme: &str) -> Running {
        self.start(sockets(), acme).await
    }

    async fn start(&self, sockets: Sockets, acme: &str) -> Running {
        let (plain, tls) = (sockets.addresses()[0], sockets.tls_addresses()[0]);
        let (data_dir, ca_file) = (self.data_dir(), self.folder.path().join("ca.pem"));
        let before = format!(
            "[server]\nlisten = \"{plain}\"\npublic_url = \"https://forum.example\"\naliases = \"www.forum.example\"\n\
             admin_listen = \"\"\ndata_dir = {data_dir:?}\n[upstream]\nurl = \"http://{}\"\n[store]\nbackend = \"memory\"\n\
             [access]\ndefault = \"guest\"\n[tls]\nlisten = \"{tls}\"\n{}\n[tls.acme]\nterms_agreed = true\n\
             directory = \"{}\"\nca_file = {ca_file:?}\n",
            self.upstream.address(),
            self.lines.0,
            self.ca.directory(),
        );
        if !data_dir.exists() {
            fs::create_dir(&data_dir).unwrap();
        }
        let text = (before, self.lines.1.clone());
        let gateway = Gateway::on(sockets, plain, configuration(&text, acme)).await;
        Running { gateway, plain, tls, client: self.client.clone(), text }
    }
}

fn sockets() -> Sockets {
    let bind = || vec![passgate::server::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap()];
    Sockets { public: bind(), tls: bind(), admin: bind().pop() }
}

fn configuration((before, after): &(String, String), acme: &str) -> Config {
    let enabled = if acme.contains("enabled") { "" } else { "enabled = true\n" };
    read(&format!("{before}{enabled}{acme}\n{after}"))
}

impl Running {
    pub(super) fn now(&self) -> Timestamp {
        self.gateway.clock.now()
    }

    /// What looking now comes to, once what is under way has ended.
    pub(super) async fn order(&self) -> Look {
        self.gateway.running.order_certificates().await.unwrap()
    }

    /// Waits until what is to be done now has been done, one way or the other.
    pub(super) async fn settled(&self) {
        self.order().await;
    }

    /// Whether nothing is missing any longer, whoever looked.
    pub(super) async fn has_come(&self) -> bool {
        matches!(self.order().await, Look::Issued | Look::Fine)
    }

    /// Why no certificate has come.
    pub(super) async fn why(&self) -> String {
        match self.order().await {
            Look::Waits { why: Some(why), .. } => why,
            other => panic!("{other:?}"),
        }
    }

    /// Puts other lines below `[tls.acme]` into force.
    pub(super) async fn reload(&self, acme: &str) {
        self.gateway.running.reload(&configuration(&self.text, acme)).await.unwrap();
    }

    pub(super) async fn connect(&self) -> RawClient {
        RawClient::over(self.client.connect(self.tls, Some("forum.example")).await.unwrap())
    }

    pub(super) async fn get_over(&self, client: &mut RawClient, path: &str) -> Reply {
        client.exchange(format!("GET {path} HTTP/1.1\r\nHost: forum.example\r\n\r\n")).await.unwrap()
    }

    pub(super) async fn get(&self, path: &str) -> Reply {
        self.get_over(&mut self.connect().await, path).await
    }
}
