//! Certificates that come by themselves (ACME, RFC 8555): ordered from an authority that the operator named, proved, shown from the
//! next handshake on, and renewed in time. What is spoken in handshakes is `server/tls`'s business; here it is decided when an
//! authority is asked for what, and everything of it lies in one folder.
//!
//! No key of it is ever in a log or a message. Until the first certificate has come nothing is shown: a placeholder signed by
//! ourselves would teach members to click warnings away.

mod account;
mod answers;
mod authority;
mod failure;
mod folder;
mod options;
mod order;
mod pace;
mod registration;
mod renewal;

pub(super) use self::answers::TlsChallenges;
pub use self::options::{AcmeOptions, Authorities, ChallengeKind, ExternalAccount};

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use instant_acme::CertificateIdentifier;
use tokio::sync::{Mutex, Notify};
use zeroize::Zeroizing;

use self::answers::Answers;
use self::authority::Authority;
use self::failure::{Failure, Undo};
use self::folder::Folder;
use self::order::Try;
use self::pace::{Issued, State};
use super::{Certificate, Tls};
use crate::domain::{CertificateName, Clock, Timestamp};
use crate::proxy::HttpChallenges;

/// The folder inside the data folder.
const FOLDER: &str = "acme";

/// How long a whole try may take, whatever the authority does.
const TRY_TIMEOUT: Duration = Duration::from_secs(5 * 60);
/// How often it is looked whether something is to be done.
const EVERY: Duration = Duration::from_secs(60);

/// Orders certificates, one try at a time.
pub struct Acme {
    folder: Folder,
    tls: Arc<Tls>,
    answers: Answers,
    clock: Arc<dyn Clock>,
    options: ArcSwapOption<AcmeOptions>,
    state: Mutex<State>,
    hurry: AtomicBool,
    woken: Notify,
    failures: AtomicU32,
}

/// What a look came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// There is nothing to do.
    Fine,
    /// A certificate has come and is shown.
    Issued,
    /// One is wanted and has not come.
    Waits {
        /// From when on it is tried again.
        next_try: Timestamp,
        /// Why it did not come at the last try; none if there was no such try.
        why: Option<String>,
    },
}

/// How it stands with certificates that come by themselves, as it lies on the disk.
#[derive(Debug)]
pub struct Standing {
    /// The one in use; the error is in words.
    pub certificate: Result<Option<Certificate>, String>,
    /// Why the last try came to nothing, if it did.
    pub why: Option<String>,
    /// From when on it may be tried again.
    pub next_try: Timestamp,
}

impl Standing {
    /// As it is in `data_dir`.
    pub fn read(data_dir: &Path, now: Timestamp) -> Self {
        let folder = Folder::new(data_dir.join(FOLDER));
        let state = State::read(&folder, now);
        Self { certificate: folder.certificate(), next_try: state.next_try(now), why: state.why }
    }
}

impl Acme {
    /// With what lies in the folder `acme` of `data_dir`: a certificate from there is shown from now on.
    pub fn new(
        options: Option<AcmeOptions>,
        data_dir: &Path,
        tls: Arc<Tls>,
        http: Arc<HttpChallenges>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let folder = Folder::new(data_dir.join(FOLDER));
        let state = State::read(&folder, clock.now());
        let answers = Answers { http, tls: Arc::clone(&tls.challenges) };
        let failures = AtomicU32::new(state.failures);
        let acme = Self {
            folder,
            tls,
            answers,
            clock,
            options: ArcSwapOption::default(),
            state: Mutex::new(state),
            hurry: AtomicBool::new(false),
            woken: Notify::new(),
            failures,
        };
        acme.options.store(options.map(Arc::new));
        acme.show_kept();
        acme
    }

    /// Puts options into force that may be others. If something had failed it is tried again soon.
    pub fn replace(&self, options: Option<AcmeOptions>) {
        self.options.store(options.map(Arc::new));
        self.hurry.store(true, Ordering::Relaxed);
        self.show_kept();
        self.woken.notify_one();
    }

    /// Looks once a minute, and when the options change. Never ends.
    pub async fn keep(self: Arc<Self>) {
        let mut minute = tokio::time::interval(EVERY);
        loop {
            tokio::select! {
                _ = minute.tick() => {}
                () = self.woken.notified() => {}
            }
            self.look().await;
        }
    }

    /// Does what is to be done now, and tells it in the log.
    pub async fn look(&self) -> Look {
        let mut state = self.state.lock().await;
        let Some(options) = self.options.load_full() else { return Look::Fine };
        let now = self.clock.now();
        if self.hurry.swap(false, Ordering::Relaxed) {
            state.hurry();
        }
        state.follow(&options);
        if !self.is_due(&options, &mut state, now).await {
            return Look::Fine;
        }
        if state.next_try(now) <= now {
            self.attempt(&options, &mut state, now).await;
            self.failures.store(state.failures, Ordering::Relaxed);
            self.tell(&options, &state);
            if state.why.is_none() {
                return Look::Issued;
            }
        }
        Look::Waits { next_try: state.next_try(now), why: state.why.clone() }
    }

    /// Certificates that did not come, in the form of Prometheus.
    pub fn exposition(&self) -> String {
        if self.options.load().is_none() {
            return String::new();
        }
        let (name, failures) = ("passgate_acme_failures", self.failures.load(Ordering::Relaxed));
        format!(
            "# HELP {name} How often in a row no certificate came from the authority.\n# TYPE {name} gauge\n{name} {failures}\n"
        )
    }

    /// The certificate in the folder, unless one is shown already, or none is wanted any longer.
    fn show_kept(&self) {
        let is_wanted = self.options.load().is_some();
        if is_wanted && self.tls.issued().is_some() {
            return;
        }
        let kept = if is_wanted { self.folder.certificate() } else { Ok(None) };
        let shown = kept.and_then(|kept| self.tls.show(kept).map_err(|error| error.to_string()));
        if let Err(why) = shown {
            tracing::warn!(target: "passgate::server", why, "the certificate that had come can't be used; another is ordered");
        }
    }

    /// Whether a certificate is wanted now: there is none, or not for these names from this authority, or its time has come.
    async fn is_due(&self, options: &Arc<AcmeOptions>, state: &mut State, now: Timestamp) -> bool {
        let Some(certificate) = self.tls.issued() else { return true };
        if !self.covers(options) || state.issued.as_ref().is_some_and(|it| *it != Issued::of(options)) {
            return true;
        }
        let id = identifier(&certificate);
        if let Some(id) = &id
            && state.advice.is_wanted(id, now)
        {
            self.ask_advice(options, state, id, now).await;
        }
        state.advice.renew_at(&certificate, id.as_ref()) <= now
    }

    /// Whether the certificate that is shown is for all names.
    fn covers(&self, options: &AcmeOptions) -> bool {
        let covered = self.tls.issued().map(|certificate| Arc::clone(certificate.names()));
        covered.is_some_and(|covered| names(options).iter().all(|name| covered.contains(name)))
    }

    /// When the authority would have the certificate renewed. What comes of it is kept; what does not is no harm.
    async fn ask_advice(
        &self,
        options: &Arc<AcmeOptions>,
        state: &mut State,
        id: &CertificateIdentifier<'_>,
        now: Timestamp,
    ) {
        let asked = async {
            let authority = self.authority(options).await.ok()?;
            let account = account::existing(options, &self.folder, &authority).await.ok()??;
            state.advice.ask(&account, id, now).await;
            Some(())
        };
        if !matches!(tokio::time::timeout(TRY_TIMEOUT, asked).await, Ok(Some(()))) {
            state.advice.not_now(id, now);
        }
        if let Err(error) = state.write(&self.folder) {
            tracing::warn!(target: "passgate::server", %error, "can't write down when the certificate is to be renewed");
        }
    }

    /// One try; `state` then has what came of it.
    ///
    /// SECURITY: TLS-09. It is written down before: who can't write that it has asked would ask again and again.
    async fn attempt(&self, options: &Arc<AcmeOptions>, state: &mut State, now: Timestamp) {
        let before = state.failures;
        state.begin(now);
        let tried = match state.write(&self.folder) {
            Ok(()) => self.order(options, state, before).await,
            Err(error) => Err(Failure::of_files(error)),
        };
        match tried {
            Ok(()) => state.succeeded(options),
            Err(failure) => state.why = Some(failure.to_string()),
        }
        if let Err(error) = state.write(&self.folder) {
            tracing::warn!(target: "passgate::server", %error, "can't write down what came of ordering a certificate");
        }
    }

    /// Orders a certificate and shows it; what is not to be gone on with is forgotten.
    async fn order(
        &self,
        options: &Arc<AcmeOptions>,
        state: &mut State,
        failures: u32,
    ) -> Result<(), Failure> {
        let authority = self.authority(options).await.map_err(|why| Failure::new(why, Undo::Nothing))?;
        // An authority that can't follow this is not asked for it twice.
        let replaced = self.tls.issued().filter(|_| failures == 0).as_ref().and_then(identifier);
        let replaced = replaced.filter(|id| state.advice.is_of(id));
        let speaking = self.speak(options, &authority, failures, replaced);
        let ordering = tokio::time::timeout(TRY_TIMEOUT, speaking).await;
        self.answers.clear();
        let came = ordering.unwrap_or_else(|_| {
            Err(Failure::new("the authority takes too long; the next try goes on from here", Undo::Nothing))
        });
        let failure = match came.and_then(|text| self.take(options, &text)) {
            Ok(()) => return Ok(()),
            Err(failure) => failure,
        };
        if let Some(asked) = authority.asked_to_wait() {
            state.asked_to_wait(asked);
        }
        self.undo(options, failure.undo).map_err(Failure::of_files)?;
        Err(failure)
    }

    /// Reading the system's certificates takes a moment.
    async fn authority(&self, options: &Arc<AcmeOptions>) -> Result<Authority, String> {
        let (options, clock) = (Arc::clone(options), Arc::clone(&self.clock));
        let made = tokio::task::spawn_blocking(move || Authority::new(&options, clock)).await;
        made.map_err(|error| error.to_string())?
    }

    async fn speak(
        &self,
        options: &AcmeOptions,
        authority: &Authority,
        failures: u32,
        replaced: Option<CertificateIdentifier<'static>>,
    ) -> Result<Zeroizing<String>, Failure> {
        let account = match account::existing(options, &self.folder, authority).await? {
            Some(account) => account,
            None => account::make(options, &self.folder, authority).await?,
        };
        let (folder, answers) = (&self.folder, &self.answers);
        let one = Try { options, folder, answers, account: &account, failures };
        one.certificate(replaced).await
    }

    /// Shows what has come, if it is what was ordered.
    fn take(&self, options: &AcmeOptions, text: &str) -> Result<(), Failure> {
        let unfit =
            |why: String| Failure::new(format!("what came is no certificate of ours: {why}"), Undo::Order);
        let taken = self.folder.take(text, &names(options), self.clock.now());
        let certificate = taken.map_err(Failure::of_files)?.map_err(unfit)?;
        self.tls.show(Some(certificate)).map_err(|error| unfit(error.to_string()))?;
        // If it stays, as after a crash here, the next try finds that it is done with.
        let _ = order::forget(&self.folder);
        Ok(())
    }

    fn undo(&self, options: &AcmeOptions, undo: Undo) -> std::io::Result<()> {
        if undo == Undo::Account {
            self.folder.remove(&account::file(options))?;
        }
        if undo == Undo::Nothing { Ok(()) } else { order::forget(&self.folder) }
    }

    fn tell(&self, options: &AcmeOptions, state: &State) {
        let names: Vec<_> = options.names.iter().map(ToString::to_string).collect();
        let (names, authority) = (names.join(", "), options.directory.host_str().unwrap_or_default());
        if let Some(why) = &state.why {
            let next_try = state.next_try(self.clock.now());
            tracing::warn!(target: "passgate::audit", event = "certificate-failed", names, authority, why,
                failures = state.failures, %next_try, "no certificate has come");
        } else {
            let until = self.tls.issued().map(|certificate| certificate.day());
            tracing::info!(target: "passgate::audit", event = "certificate-issued", names, authority, until,
                "a certificate has come and is shown");
        }
    }
}

fn names(options: &AcmeOptions) -> Vec<CertificateName> {
    options.names.iter().cloned().map(CertificateName::Exact).collect()
}

/// By what its authority knows a certificate (RFC 9773 §4.1); none if it has no such thing.
fn identifier(certificate: &Certificate) -> Option<CertificateIdentifier<'static>> {
    let first = certificate.certified().cert.first()?;
    CertificateIdentifier::try_from(first).ok().map(CertificateIdentifier::into_owned)
}
