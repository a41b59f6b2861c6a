//! The gateway with TLS of its own, before an upstream of the test's choice.

use std::fmt::Write;
use std::io;
use std::net::SocketAddr;

use passgate::app::Sockets;
use passgate::config::Config;
use tempfile::TempDir;

use super::browser::Browser;
use super::gateway::{Gateway, read};
use super::http2::{Frames, Http2};
use super::raw::RawClient;
use super::tls::{Authority, Client, Holds};

/// A gateway, its certificates and who signed them.
pub(crate) struct Secure {
    pub(crate) gateway: Gateway,
    pub(crate) authority: Authority,
    /// Where TLS is spoken.
    pub(crate) address: SocketAddr,
    pub(crate) folder: TempDir,
    text: String,
}

/// What a test wants of it.
pub(crate) struct Wanted<'w> {
    /// The names of each certificate.
    pub(crate) certificates: &'w [&'w [&'w str]],
    /// Below `[server]`.
    pub(crate) server: &'w str,
    /// Below `[tls]`.
    pub(crate) tls: &'w str,
    /// Below each `[[tls.certificate]]`.
    pub(crate) certificate: &'w str,
    /// Below `[access]`.
    pub(crate) access: &'w str,
}

impl Wanted<'_> {
    /// One certificate, everybody may read.
    pub(crate) const DEFAULT: Self = Wanted {
        certificates: &[&["localhost"]],
        server: "",
        tls: "",
        certificate: "",
        access: "default = \"guest\"",
    };
}

impl Secure {
    /// Starts it.
    pub(crate) async fn before(upstream: SocketAddr, wanted: Wanted<'_>) -> Self {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let bind = || vec![passgate::server::bind(any).unwrap()];
        let sockets = Sockets { public: bind(), tls: bind(), admin: bind().pop() };
        let (plain, address) = (sockets.addresses()[0], sockets.tls_addresses()[0]);
        let (authority, folder) = (Authority::new(), TempDir::new().unwrap());
        let mut certificates = String::new();
        for (at, names) in wanted.certificates.iter().enumerate() {
            let file = format!("c{at}");
            authority.issue(names, Holds::ForLong, folder.path(), &file);
            let place = folder.path().join(&file);
            let place = place.to_str().unwrap();
            let Wanted { certificate, .. } = wanted;
            writeln!(
                certificates,
                "[[tls.certificate]]\nchain = \"{place}.pem\"\nkey = \"{place}.key\"\n{certificate}"
            )
            .unwrap();
        }
        let Wanted { server, tls, access, .. } = wanted;
        let text = format!(
            "[server]\nlisten = \"{plain}\"\npublic_url = \"https://localhost:{}\"\nadmin_listen = \"\"\n{server}\n\
             [upstream]\nurl = \"http://{upstream}\"\n[store]\nbackend = \"memory\"\n[access]\n{access}\n\
             [tls]\nlisten = \"{address}\"\n{tls}\n{certificates}",
            address.port()
        );
        let gateway = Gateway::on(sockets, plain, read(&text)).await;
        Self { gateway, authority, address, folder, text }
    }

    /// The configuration, read again with all its files.
    pub(crate) fn configuration(&self) -> Config {
        read(&self.text)
    }

    /// A client of HTTP/1.1.
    pub(crate) fn client(&self) -> Client {
        self.authority.client().offering(&["http/1.1"])
    }

    /// A connection of HTTP/1.1 for this name.
    ///
    /// # Errors
    /// What the handshake ends with.
    pub(crate) async fn connect(&self, name: &str) -> io::Result<RawClient> {
        self.client().connect(self.address, Some(name)).await.map(RawClient::over)
    }

    /// A connection of HTTP/2 for this name.
    pub(crate) async fn http2(&self, name: &str) -> Http2 {
        let client = self.authority.client().offering(&["h2"]);
        Http2::over(client.connect(self.address, Some(name)).await.unwrap()).await
    }

    /// A connection on which the test makes frames itself.
    pub(crate) async fn frames(&self) -> Frames {
        let client = self.authority.client().offering(&["h2"]);
        Frames::over(client.connect(self.address, Some("localhost")).await.unwrap())
    }

    /// A browser at the site's own address; it speaks HTTP/2.
    pub(crate) fn browser(&self) -> Browser {
        let base = format!("https://localhost:{}", self.address.port());
        Browser::secure(self.address, &base, self.authority.client().offering(&["h2", "http/1.1"]))
    }

    /// A `GET` of `target` at this host, with its port.
    pub(crate) fn request(&self, host: &str, target: &str) -> String {
        format!("GET {target} HTTP/1.1\r\nHost: {host}:{}\r\n\r\n", self.address.port())
    }
}
