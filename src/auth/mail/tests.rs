//! The queue before a mail server that does as it is told, with a clock that the test moves.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;

use super::mailbox::Mailbox;
use super::queue::KEY;
use super::{
    Carrier, Courier, Enclosed, Fault, Happened, Letter, MailQueue, Message, Notice, Undelivered, Words,
    Written,
};
use crate::domain::{Clock, ManualClock, PasskeyFor, Profile, Timestamp, User, UserId, UserName, UserState};
use crate::store::{Change, MemoryStore, Owner, Store, StoreError, Verdict};

const MINUTE: Duration = Duration::from_secs(60);

/// What the mail server does, and what it was given: who it was for, and the mail's id.
#[derive(Default)]
struct Server {
    fault: Mutex<Option<Fault>>,
    tried: Mutex<Vec<(String, String)>>,
    taken: Mutex<Vec<(String, String)>>,
}

impl Server {
    fn is(&self, fault: impl Into<Option<Fault>>) {
        *self.fault.lock().unwrap() = fault.into();
    }

    fn tries(&self) -> usize {
        self.tried.lock().unwrap().len()
    }

    fn taken(&self) -> Vec<String> {
        self.taken.lock().unwrap().iter().map(|(to, _)| to.clone()).collect()
    }
}

#[async_trait]
impl Carrier for Arc<Server> {
    async fn send(&self, message: &Message) -> Result<(), Undelivered> {
        let mail = (message.to.to_string(), message.id.clone());
        self.tried.lock().unwrap().push(mail.clone());
        match *self.fault.lock().unwrap() {
            None => {
                self.taken.lock().unwrap().push(mail);
                Ok(())
            }
            Some(fault) => Err(Undelivered { fault, reason: "told so".to_owned(), said: String::new() }),
        }
    }
}

/// No words: what a mail is about, and who for.
struct Plain;

impl Words for Plain {
    fn write(
        &self,
        letter: &Letter,
        member: Option<&User>,
        _: Timestamp,
        _: &Enclosed,
    ) -> Result<Written, String> {
        let name = member.map(|member| member.profile.name.as_str()).unwrap_or_default();
        let text = format!("{name} {}", letter.kind());
        Ok(Written { subject: String::new(), html: String::new(), text })
    }
}

struct Bench {
    store: Arc<dyn Store>,
    clock: Arc<ManualClock>,
    server: Arc<Server>,
    queue: MailQueue,
}

impl Bench {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_795_327_200_000)));
        Self::on(Arc::new(MemoryStore::new()), clock, Arc::default())
    }

    fn on(store: Arc<dyn Store>, clock: Arc<ManualClock>, server: Arc<Server>) -> Self {
        let queue = MailQueue::open(Arc::clone(&store), Arc::clone(&clock) as Arc<dyn Clock>).unwrap();
        let carrier = Box::new(Arc::clone(&server));
        queue.set_courier(Some(Courier { carrier, words: Box::new(Plain), own_pages: String::new() }));
        Self { store, clock, server, queue }
    }

    /// The gateway is started again on the same store.
    fn restarted(&self) -> Self {
        Self::on(Arc::clone(&self.store), Arc::clone(&self.clock), Arc::clone(&self.server))
    }

    async fn add(&self, name: &str) -> User {
        let user = User {
            profile: Profile {
                id: UserId::generate(),
                name: UserName::parse(name).unwrap(),
                full_name: None,
                email: Some(format!("{name}@forum.example")),
                groups: Vec::new(),
            },
            state: UserState::Active,
            password: None,
            created: self.clock.now(),
            last_sign_in: None,
            setup: None,
            passkey_for: PasskeyFor::default(),
            imported: None,
        };
        self.store.apply(vec![Change::AddUser(user.clone())]).await.unwrap();
        user
    }

    async fn hand_in(&self, user: &User, what: Happened) {
        self.queue.send(user.profile.id, user.profile.email.as_deref(), notice(what)).await.unwrap();
    }

    /// Sends all that is due.
    async fn go(&self) {
        while self.queue.send_next().await.unwrap() {}
    }

    /// Moves the clock in small steps; returns after how many minutes something was tried.
    async fn tries_within(&self, time: Duration) -> Vec<u64> {
        let mut tries = Vec::new();
        let started = self.clock.now();
        while self.clock.now().since(started) < time {
            self.clock.advance(MINUTE);
            let before = self.server.tries();
            self.go().await;
            if self.server.tries() > before {
                tries.push(self.clock.now().since(started).as_secs() / 60);
            }
        }
        tries
    }

    fn mailbox(&self, user: &User) -> Option<Mailbox> {
        self.store.kept(Owner::Member(user.profile.id), KEY).unwrap()
    }

    fn counted(&self, line: &str) -> bool {
        self.queue.exposition().lines().any(|counted| counted == line)
    }
}

fn notice(what: Happened) -> Letter {
    Letter::Notice(Notice { what, browser: String::new(), client: None })
}

#[tokio::test]
async fn a_mail_waits_from_the_moment_of_what_caused_it_and_is_gone_when_it_is_sent() {
    let bench = Bench::new();
    let ann = bench.add("ann").await;
    let id = ann.profile.id;
    let mail = |what| bench.queue.hand_in(id, ann.profile.email.as_deref(), notice(what)).unwrap();
    let fails = Change::ReviseUser(id, Box::new(|_| Verdict::Abandon));
    let failed = bench.store.apply(vec![mail(Happened::PasskeyAdded), fails]).await;
    assert_eq!(failed, Err(StoreError::Abandoned));
    bench.go().await;
    assert_eq!(bench.server.tries(), 0, "what did not happen is not told");
    bench
        .store
        .apply(vec![mail(Happened::PasskeyRemoved), Change::ReviseUser(id, Box::new(|_| Verdict::Keep))])
        .await
        .unwrap();
    bench.go().await;
    assert_eq!(bench.server.taken(), ["ann@forum.example"]);
    assert!(bench.mailbox(&ann).unwrap().waiting.is_empty());
    assert!(bench.counted("passgate_mails_total{end=\"sent\"} 1"));
    bench.restarted().go().await;
    assert_eq!(bench.server.tries(), 1, "and it is not sent again");
}

#[tokio::test]
async fn a_mail_that_is_not_taken_is_tried_again_after_growing_pauses_for_two_days() {
    let bench = Bench::new();
    let ann = bench.add("ann").await;
    bench.server.is(Fault::Moment);
    bench.hand_in(&ann, Happened::PasskeyAdded).await;
    bench.go().await;
    let tries = bench.tries_within(Duration::from_secs(3 * 24 * 3_600)).await;
    assert_eq!(tries[..9], [1, 3, 7, 15, 31, 63, 127, 255, 495]);
    assert!(tries[9..].windows(2).all(|pair| pair[1] - pair[0] == 240), "{tries:?}");
    let last = *tries.last().unwrap();
    assert!((2_640..2_880).contains(&last), "{last}");
    assert!(bench.counted("passgate_mails_total{end=\"late\"} 1"));
    assert!(bench.counted("passgate_mails_waiting 0"));
    assert_eq!(bench.mailbox(&ann), None, "nothing is left of it");
}

#[tokio::test]
async fn a_server_that_is_away_is_asked_once_for_all_and_gets_everything_when_it_is_back() {
    let bench = Bench::new();
    bench.server.is(Fault::Server);
    for name in ["ann", "bob", "cem"] {
        bench.hand_in(&bench.add(name).await, Happened::PasskeyAdded).await;
    }
    bench.go().await;
    assert_eq!(bench.server.tries(), 1);
    let stuck = bench.queue.is_stuck().unwrap();
    assert!(stuck.contains("takes no mails since 2026-11-22T06:00:00.000Z; 3 wait"), "{stuck}");
    assert!(bench.counted("passgate_mail_stuck 1") && bench.counted("passgate_mails_waiting 3"));
    assert_eq!(bench.tries_within(MINUTE * 60).await, [1, 3, 7, 15, 30, 45, 60]);
    bench.server.is(None);
    bench.clock.advance(MINUTE * 15);
    bench.go().await;
    assert_eq!(bench.server.taken().len(), 3);
    assert_eq!(bench.queue.is_stuck(), None);
    assert!(bench.counted("passgate_mail_stuck 0"));
}

#[tokio::test]
async fn a_mail_that_is_refused_for_good_is_given_up_and_the_others_go() {
    let bench = Bench::new();
    let (ann, bob) = (bench.add("ann").await, bench.add("bob").await);
    bench.server.is(Fault::Mail);
    bench.hand_in(&ann, Happened::PasskeyAdded).await;
    bench.go().await;
    bench.server.is(None);
    bench.hand_in(&bob, Happened::PasskeyAdded).await;
    bench.go().await;
    assert!(bench.tries_within(MINUTE * 60 * 50).await.is_empty());
    assert_eq!(bench.server.taken(), ["bob@forum.example"]);
    assert!(bench.counted("passgate_mails_total{end=\"refused\"} 1"));
}

#[tokio::test]
async fn what_waits_survives_a_restart_and_is_tried_at_once() {
    let bench = Bench::new();
    let ann = bench.add("ann").await;
    bench.server.is(Fault::Server);
    bench.hand_in(&ann, Happened::PasskeyAdded).await;
    bench.go().await;
    bench.server.is(None);
    let again = bench.restarted();
    again.go().await;
    assert_eq!(again.server.taken(), ["ann@forum.example"]);
    let tried = bench.server.tried.lock().unwrap();
    assert_eq!(tried[0].1, tried[1].1, "its Message-ID is the same each time");
}

#[tokio::test]
async fn a_reload_tries_at_once_and_with_the_new_settings() {
    let bench = Bench::new();
    let ann = bench.add("ann").await;
    bench.server.is(Fault::Moment);
    bench.hand_in(&ann, Happened::PasskeyAdded).await;
    bench.go().await;
    let other = Arc::<Server>::default();
    let carrier = Box::new(Arc::clone(&other));
    bench.queue.set_courier(Some(Courier { carrier, words: Box::new(Plain), own_pages: String::new() }));
    bench.go().await;
    assert_eq!(other.taken(), ["ann@forum.example"]);
    bench.queue.set_courier(None);
    bench.hand_in(&ann, Happened::PasskeyRemoved).await;
    bench.go().await;
    assert_eq!(bench.mailbox(&ann).unwrap().waiting, [], "where no mail is sent none waits");
}

#[tokio::test]
async fn nothing_is_sent_for_an_account_that_is_gone() {
    let bench = Bench::new();
    let (ann, bob) = (bench.add("ann").await, bench.add("bob").await);
    bench.hand_in(&ann, Happened::PasskeyAdded).await;
    bench.hand_in(&bob, Happened::PasskeyAdded).await;
    bench.store.apply(vec![Change::DeleteUser(ann.profile.id)]).await.unwrap();
    bench.hand_in(&ann, Happened::PasskeyRemoved).await;
    bench.go().await;
    assert_eq!(bench.server.taken(), ["bob@forum.example"]);
    assert!(bench.counted("passgate_mails_waiting 0"));
}

#[tokio::test]
async fn who_has_no_address_that_mail_can_go_to_is_sent_none() {
    let bench = Bench::new();
    let id = bench.add("ann").await.profile.id;
    for address in [None, Some(""), Some("ann"), Some("a@b\r\nRCPT TO:<eve@x.example>")] {
        assert!(bench.queue.hand_in(id, address, notice(Happened::PasskeyAdded)).is_none(), "{address:?}");
    }
}

#[test]
fn the_pauses_double_up_to_the_longest() {
    let longest = Duration::from_secs(4 * 3_600);
    let minutes: Vec<_> = (1..12).map(|tries| super::queue::pause(tries, longest).as_secs() / 60).collect();
    assert_eq!(minutes, [1, 2, 4, 8, 16, 32, 64, 128, 240, 240, 240]);
    assert_eq!(super::queue::pause(u32::MAX, longest), longest);
}
