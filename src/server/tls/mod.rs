//! TLS on our own listeners: the only place that knows rustls as a server. Certificates in, [`Connection`]s out; what is
//! asked on them is none of its business.
//!
//! What a handshake goes by is one immutable value, swapped at once: by a reload, or when the files have changed. One that is
//! broken leaves the old in force.
//!
//! There is no early data, whose requests could be sent twice by others (SECURITY: TLS-04; RFC 8446 §8). Tickets are sealed
//! with keys that change every six hours and live in memory alone, and count for the name they were given for.

pub(super) mod acme;
mod certificate;
mod choice;
mod stream;

pub use certificate::{Certificate, CertificateError, CertificateSource, RenewedBy};

use std::fmt::Write;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use pingora::protocols::l4::stream::Stream;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::rustls;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::{Ticketer, default_provider};
use tokio_rustls::rustls::server::{
    Acceptor, NoServerSessionStorage, ProducesTickets, ResolvesServerCert, ResolvesServerCertUsingSni,
};
use tokio_rustls::rustls::sign::SingleCertAndKey;
use tokio_rustls::rustls::version::{TLS12, TLS13};

use self::acme::TlsChallenges;
use self::choice::{Choice, Shown};
use self::stream::Encrypted;
use super::options::{TlsOptions, TlsProfile};
use crate::domain::{Clock, Host};
use crate::proxy::{Connection, Secured};

/// TLS can't be spoken with what is configured.
#[derive(Debug, thiserror::Error)]
#[error("TLS: {0}")]
pub struct TlsError(#[from] rustls::Error);

/// TLS on the listeners.
pub struct Tls {
    in_force: ArcSwap<InForce>,
    /// Held while another value is made of the one in force.
    changing: Mutex<()>,
    tickets: Arc<dyn ProducesTickets>,
    challenges: Arc<TlsChallenges>,
}

/// What handshakes go by.
struct InForce {
    options: TlsOptions,
    /// The one that came by itself, if any; the operator's go before it.
    issued: Option<Certificate>,
    choice: Choice,
    /// For clients to whom nothing is shown: it ends in the alert that says so.
    nobody: Arc<ServerConfig>,
}

/// How long a handshake may take for a word that nobody waits for.
const BRIEFLY: Duration = Duration::from_secs(2);

/// Which versions of HTTP are agreed on.
#[derive(Clone, Copy)]
enum Versions {
    /// All that are spoken here.
    All,
    /// HTTP/1.1 alone.
    First,
}

/// What became of looking for other files.
#[derive(Debug)]
pub enum Renewal {
    /// They are those that were read.
    Unchanged,
    /// They have been read and are in force.
    Renewed,
    /// They can't be used; the old ones stay in force.
    Refused(String),
}

impl Tls {
    /// With certificates that have been read.
    pub fn new(options: TlsOptions) -> Result<Self, TlsError> {
        let tickets = Ticketer::new()?;
        let in_force = ArcSwap::from_pointee(InForce::new(options, None, &tickets)?);
        Ok(Self { in_force, changing: Mutex::default(), tickets, challenges: Arc::default() })
    }

    /// Puts other options into force, for every handshake that begins from now on.
    pub fn replace(&self, options: TlsOptions) -> Result<(), TlsError> {
        let _changing = self.changing();
        let issued = self.in_force.load().issued.clone().filter(|_| options.acme.is_some());
        self.in_force.store(Arc::new(InForce::new(options, issued, &self.tickets)?));
        Ok(())
    }

    /// Shows a certificate that came by itself, or none any longer, from the next handshake on.
    fn show(&self, issued: Option<Certificate>) -> Result<(), TlsError> {
        let _changing = self.changing();
        let options = self.in_force.load().options.clone();
        self.in_force.store(Arc::new(InForce::new(options, issued, &self.tickets)?));
        Ok(())
    }

    /// The certificate that came by itself.
    fn issued(&self) -> Option<Certificate> {
        self.in_force.load().issued.clone()
    }

    /// Whether there is none to show, to anybody.
    pub(super) fn has_no_certificate(&self) -> bool {
        self.in_force.load().certificates().next().is_none()
    }

    fn changing(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads all certificates again if the files of one have changed (SECURITY: TLS-03).
    pub fn renew(&self) -> Renewal {
        let _changing = self.changing();
        let old = self.in_force.load_full();
        if !old.options.certificates.iter().any(Certificate::is_outdated) {
            return Renewal::Unchanged;
        }
        let read = |old: &Certificate| {
            Certificate::read(old.source().clone()).map_err(|error| {
                format!("{} with {}: {error}", old.source().chain.display(), old.source().key.display())
            })
        };
        let read: Result<Vec<_>, _> = old.options.certificates.iter().map(read).collect();
        let new = read.and_then(|certificates| {
            let options = TlsOptions { certificates, ..old.options.clone() };
            InForce::new(options, old.issued.clone(), &self.tickets).map_err(|error| error.to_string())
        });
        match new {
            Ok(new) => self.in_force.store(Arc::new(new)),
            Err(why) => return Renewal::Refused(why),
        }
        Renewal::Renewed
    }

    /// What should be said of the certificates in force, one line each.
    pub fn warnings(&self, clock: &dyn Clock) -> Vec<String> {
        let now = clock.now();
        self.in_force.load().certificates().filter_map(|certificate| certificate.warning(now)).collect()
    }

    /// When the certificates run out, in the form of Prometheus.
    pub fn exposition(&self) -> String {
        let name = "passgate_certificate_expiry_seconds";
        let mut text = format!(
            "# HELP {name} When the certificate in a file runs out, in seconds since 1970.\n# TYPE {name} gauge\n"
        );
        for certificate in self.in_force.load().certificates() {
            let file = certificate.source().chain.to_string_lossy();
            let file = file.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let seconds = certificate.not_after().as_millis() / 1000;
            // Writing to a text can't fail.
            let _ = writeln!(text, "{name}{{file=\"{file}\"}} {seconds}");
        }
        text
    }

    /// Shakes hands, within the time that is allowed for it (SECURITY: TLS-05). There is no connection if that was all that the client
    /// wanted.
    ///
    /// # Errors
    /// Why there is no connection. The client has been told, as far as TLS has words for it.
    pub(super) async fn accept(&self, stream: Stream) -> io::Result<Option<Connection>> {
        let in_force = self.in_force.load_full();
        let shaking = in_force.shake_hands(stream, &self.challenges, Versions::All);
        timeout(in_force.options.handshake_timeout, shaking).await?
    }

    /// As [`Self::accept`], for a last word: in HTTP/1.1, and soon or not at all.
    ///
    /// # Errors
    /// As there.
    pub(super) async fn accept_briefly(&self, stream: Stream) -> io::Result<Option<Connection>> {
        let in_force = self.in_force.load_full();
        let shaking = in_force.shake_hands(stream, &self.challenges, Versions::First);
        timeout(in_force.options.handshake_timeout.min(BRIEFLY), shaking).await?
    }
}

impl InForce {
    fn new(
        options: TlsOptions,
        issued: Option<Certificate>,
        tickets: &Arc<dyn ProducesTickets>,
    ) -> Result<Self, TlsError> {
        let mut choice = Choice::default();
        for certificate in options.certificates.iter().chain(&issued) {
            let resolver = SingleCertAndKey::from(certificate.certified().clone());
            let config = config(options.profile, Arc::new(resolver), tickets)?;
            choice.add(Shown { certificate: certificate.clone(), config });
        }
        let nobody = config(options.profile, Arc::new(ResolvesServerCertUsingSni::new()), tickets)?;
        Ok(Self { options, issued, choice, nobody })
    }

    fn certificates(&self) -> impl Iterator<Item = &Certificate> {
        self.options.certificates.iter().chain(&self.issued)
    }

    async fn shake_hands(
        &self,
        stream: Stream,
        challenges: &TlsChallenges,
        versions: Versions,
    ) -> io::Result<Option<Connection>> {
        let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        let hello = start.client_hello();
        if let Some(answer) = challenges.answer(&hello) {
            // The certificate is all that there is to see (RFC 8737 §3), and whoever has seen it may be gone.
            let _ = start.into_stream(answer).await?.shutdown().await;
            return Ok(None);
        }
        let server_name = hello.server_name().and_then(|name| Host::parse(name).ok());
        let Some(shown) = self.choice.of(&hello).cloned() else {
            start.into_stream(Arc::clone(&self.nobody)).await?;
            return Err(io::Error::other("no certificate for that name"));
        };
        let config = match versions {
            Versions::All => Arc::clone(&shown.config),
            Versions::First => {
                let mut config = ServerConfig::clone(&shown.config);
                config.alpn_protocols = vec![b"http/1.1".to_vec()];
                Arc::new(config)
            }
        };
        let stream = start.into_stream(config).await?;
        let secured = Secured::new(server_name, Arc::clone(shown.certificate.names()));
        Ok(Some(Connection::secured(Box::new(Encrypted::new(stream)), secured)))
    }
}

fn config(
    profile: TlsProfile,
    resolver: Arc<dyn ResolvesServerCert>,
    tickets: &Arc<dyn ProducesTickets>,
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let versions: &[_] = match profile {
        TlsProfile::Intermediate => &[&TLS13, &TLS12],
        TlsProfile::Modern => &[&TLS13],
    };
    let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_protocol_versions(versions)?.with_no_client_auth();
    let mut config = builder.with_cert_resolver(resolver);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.max_early_data_size = 0;
    config.ticketer = Arc::clone(tickets);
    // Sessions are in the clients' tickets.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(Arc::new(config))
}
