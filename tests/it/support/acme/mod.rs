//! An authority of the test's own that speaks ACME (RFC 8555) as far as it has to, and can misbehave: it checks signatures and
//! nonces, really looks at the answers to its challenges, and signs with the key of an [`Authority`].

mod book;
mod jws;
pub(crate) mod proof;
mod serve;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use passgate::domain::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use self::book::Book;
pub(crate) use self::book::Order;
use super::soon;
use super::tls::Authority;

/// What an authority does beside what it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Each answer goes on for megabytes.
    Endless,
    /// Each request is led here.
    Redirect(String),
    /// Its directory names this for everything.
    Elsewhere(String),
    /// Orders are refused, for so many seconds.
    TooMany(u64),
    /// Nothing is answered.
    Silent,
    /// Certificates are for another name.
    ForSomebodyElse,
    /// Certificates are for another key.
    OfAnotherKey,
    /// An order stays as it is after its end was asked for.
    Slow,
    /// The token of a challenge is this.
    Token(String),
    /// Problems have these words.
    Words(String),
    /// New accounts are made, and the answer never comes.
    Unheard,
}

/// How it works.
#[derive(Clone, Debug)]
pub(crate) struct Habits {
    pub(crate) fault: Option<Fault>,
    /// The kinds of challenges that it has.
    pub(crate) kinds: Vec<&'static str>,
    /// So many good nonces are refused next.
    pub(crate) bad_nonces: usize,
    /// When certificates begin to hold, and for how long.
    pub(crate) begin: Timestamp,
    pub(crate) lifetime: Duration,
    /// When it would have certificates renewed; none if it does not say.
    pub(crate) window: Option<(Timestamp, Timestamp)>,
    /// The name and key of an account of its own, which a new account has to be bound to, once.
    pub(crate) external: Option<(&'static str, &'static [u8])>,
}

/// A running authority; ends when dropped.
pub(crate) struct Ca {
    pub(crate) address: SocketAddr,
    desk: Arc<Desk>,
    task: JoinHandle<()>,
}

/// What its answers are made of.
struct Desk {
    authority: Authority,
    address: SocketAddr,
    habits: Mutex<Habits>,
    book: Mutex<Book>,
    changed: watch::Sender<()>,
    /// Where names are looked for: in the clear, and over TLS.
    names_at: Mutex<[Option<SocketAddr>; 2]>,
}

impl Ca {
    /// Starts one that signs as `authority` does.
    pub(crate) async fn start(authority: Authority, now: Timestamp) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let habits = Habits {
            fault: None,
            kinds: vec!["http-01", "dns-01", "tls-alpn-01"],
            bad_nonces: 0,
            begin: Timestamp::from_millis(now.as_millis() - 3_600_000),
            lifetime: Duration::from_secs(90 * 86_400),
            window: None,
            external: None,
        };
        let desk = Arc::new(Desk {
            authority,
            address,
            habits: Mutex::new(habits),
            book: Mutex::default(),
            changed: watch::Sender::new(()),
            names_at: Mutex::default(),
        });
        let task = tokio::spawn(serve::serve(listener, Arc::clone(&desk)));
        Self { address, desk, task }
    }

    /// Its directory.
    pub(crate) fn directory(&self) -> String {
        format!("https://localhost:{}/directory", self.address.port())
    }

    /// Writes the certificate by which its own host is known.
    pub(crate) fn write(&self, file: &Path) {
        self.desk.authority.write(file);
    }

    /// Where names lead to from now on.
    pub(crate) fn names_lead_to(&self, in_the_clear: Option<SocketAddr>, over_tls: Option<SocketAddr>) {
        *self.desk.names_at.lock().unwrap() = [in_the_clear, over_tls];
    }

    /// How it works; can be changed.
    pub(crate) fn habits(&self) -> MutexGuard<'_, Habits> {
        self.desk.habits.lock().unwrap()
    }

    /// All orders.
    pub(crate) fn orders(&self) -> Vec<Order> {
        self.desk.book.lock().unwrap().orders.clone()
    }

    /// The requests that came, as method and path.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.desk.book.lock().unwrap().requests.clone()
    }

    /// How many accounts there are, and who is to be written to for the last one.
    pub(crate) fn accounts(&self) -> (usize, Vec<String>) {
        let book = self.desk.book.lock().unwrap();
        (book.accounts.len(), book.accounts.last().map(|last| last.contact.clone()).unwrap_or_default())
    }

    /// No account is worth anything any longer.
    pub(crate) fn revoke_accounts(&self) {
        self.desk.book.lock().unwrap().accounts.iter_mut().for_each(|account| account.is_good = false);
    }

    /// Waits until something has come to pass.
    pub(crate) async fn until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let mut changed = self.desk.changed.subscribe();
        soon(what, async {
            while !is_so(self) {
                changed.changed().await.unwrap();
            }
        })
        .await;
    }
}

impl Drop for Ca {
    fn drop(&mut self) {
        self.task.abort();
    }
}
