//! When an authority may be asked again. It is written down before each try, so that neither a restart nor a program that falls
//! over each time makes for more of them.
//!
//! Let's Encrypt counts five wrong proofs of a name in an hour; the waits stay below that.

use std::io;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::AcmeOptions;
use super::folder::{Folder, STATE};
use super::renewal::Advice;
use crate::domain::{Timestamp, random};

/// The wait after a first failure; it doubles with each.
const FIRST: Duration = Duration::from_secs(2 * 60);
/// The longest wait of our own.
const LONGEST: Duration = Duration::from_secs(12 * 60 * 60);
/// The longest that an authority may have us wait.
const LONGEST_ASKED: Duration = Duration::from_secs(24 * 60 * 60);
/// After a certificate has come none is ordered for so long, whatever it and the authority say of its time.
const AFTER_SUCCESS: Duration = Duration::from_secs(60 * 60);
/// A reload tries again at once, but not sooner than this after the last try.
const HURRIED: Duration = Duration::from_secs(15 * 60);

/// What is remembered of our dealings with authorities.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct State {
    /// Tries in a row that failed.
    pub(super) failures: u32,
    /// When the last one began.
    tried: Timestamp,
    /// For how long nothing is tried after that, in milliseconds.
    wait: u64,
    /// For how long the authority asked to try nothing, in milliseconds.
    asked: u64,
    /// What was tried for, if that is known.
    wish: Option<String>,
    /// Why the last try came to nothing; none if it did not.
    pub(super) why: Option<String>,
    /// What the certificate in use was ordered as.
    pub(super) issued: Option<Issued>,
    /// What its authority says of renewing it.
    pub(super) advice: Advice,
}

/// What was ordered, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Issued {
    directory: String,
    names: Vec<String>,
}

impl Issued {
    pub(super) fn of(options: &AcmeOptions) -> Self {
        let names = options.names.iter().map(ToString::to_string).collect();
        Self { directory: options.directory.to_string(), names }
    }
}

impl State {
    /// What is in the folder. What can't be read is as if nothing had been tried but just now: an authority is not asked more often
    /// because of that.
    pub(super) fn read(folder: &Folder, now: Timestamp) -> Self {
        match folder.read(STATE) {
            Ok(None) => Self::default(),
            Ok(Some(text)) => serde_json::from_str(&text).unwrap_or_else(|_| Self::unknown(now)),
            Err(_) => Self::unknown(now),
        }
    }

    fn unknown(now: Timestamp) -> Self {
        let mut state = Self::default();
        state.begin(now);
        state
    }

    pub(super) fn write(&self, folder: &Folder) -> io::Result<()> {
        let text = serde_json::to_string(self).map_err(io::Error::other)?;
        folder.write(STATE, &text)
    }

    /// From when on it may be tried. A clock that was set back since does not make that later than a whole wait.
    pub(super) fn next_try(&self, now: Timestamp) -> Timestamp {
        self.tried.min(now).after(Duration::from_millis(self.wait.max(self.asked)))
    }

    /// Another try begins; it counts as failed until it has succeeded.
    pub(super) fn begin(&mut self, now: Timestamp) {
        self.failures = self.failures.saturating_add(1);
        self.tried = now;
        self.why = Some("it was broken off".to_owned());
        (self.wait, self.asked) = (millis(wait(self.failures, random())), 0);
    }

    /// It failed, and the authority asked to wait.
    pub(super) fn asked_to_wait(&mut self, asked: Duration) {
        self.asked = millis(asked.min(LONGEST_ASKED));
    }

    /// It succeeded.
    pub(super) fn succeeded(&mut self, options: &AcmeOptions) {
        (self.failures, self.why) = (0, None);
        self.wait = millis(AFTER_SUCCESS);
        self.issued = Some(Issued::of(options));
        self.advice = Advice::default();
    }

    /// Somebody asked for a try at what was tried before.
    pub(super) fn hurry(&mut self) {
        self.wait = self.wait.min(millis(HURRIED));
    }

    /// If something else is to be tried than before, there is nothing to wait for.
    pub(super) fn follow(&mut self, options: &AcmeOptions) {
        let wish = Some(wish(options));
        if self.wish.is_some() && self.wish != wish {
            (self.wait, self.asked) = (0, 0);
        }
        self.wish = wish;
    }
}

/// What is asked of whom, in one line.
fn wish(options: &AcmeOptions) -> String {
    let AcmeOptions { directory, contact, names, challenges, external_account, .. } = options;
    let external = external_account.as_ref().map(|external| &external.id);
    format!("{directory} {names:?} {challenges:?} {contact:?} {external:?}")
}

/// The wait after so many failures in a row: up to a quarter more than the doubling says, so that the many who failed at one moment
/// don't all come back at another.
fn wait(failures: u32, random: [u8; 4]) -> Duration {
    let doubled = FIRST.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(LONGEST);
    let more = f64::from(u32::from_le_bytes(random)) / f64::from(u32::MAX) / 4.0;
    doubled.mul_f64(1.0 + more)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::tls::acme::{Authorities, ChallengeKind};

    const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    #[test]
    fn waits_double_up_to_half_a_day_and_never_fall_together() {
        let minutes = |failures, random| wait(failures, random).as_secs() / 60;
        let least: Vec<_> = (1..12).map(|failures| minutes(failures, [0; 4])).collect();
        assert_eq!(least, [2, 4, 8, 16, 32, 64, 128, 256, 512, 720, 720]);
        assert_eq!((minutes(1, [255; 4]), minutes(u32::MAX, [255; 4])), (2, 900));
        assert_eq!(wait(1, [255; 4]), FIRST.mul_f64(1.25));
    }

    #[test]
    fn in_the_worst_hour_there_are_five_tries() {
        let (mut state, mut now, mut tries) = (State::default(), START, 0);
        while now.since(START) < Duration::from_secs(60 * 60) {
            state.begin(now);
            tries += 1;
            now = state.next_try(now);
        }
        assert_eq!(tries, 5);
    }

    #[test]
    fn what_was_tried_is_remembered_over_a_restart_and_so_is_what_the_authority_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let folder = Folder::new(folder.path().join("acme"));
        let mut state = State::read(&folder, START);
        assert_eq!(state.next_try(START), Timestamp::from_millis(0), "nothing was tried yet");
        state.begin(START);
        state.asked_to_wait(Duration::from_secs(7 * 86_400));
        state.write(&folder).unwrap();
        let later = State::read(&folder, START.after(Duration::from_secs(60)));
        assert_eq!((later.failures, later.next_try(START)), (1, START.after(LONGEST_ASKED)));
        folder.write(STATE, "{").unwrap();
        assert!(State::read(&folder, START).next_try(START) >= START.after(FIRST), "what can't be read");
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_keep_from_trying() {
        let mut state = State::default();
        state.begin(START.after(Duration::from_secs(400 * 86_400)));
        assert!(state.next_try(START) < START.after(FIRST * 2));
    }

    #[test]
    fn a_reload_hurries_but_does_not_hammer() {
        let mut state = State { failures: 8, ..State::default() };
        state.begin(START);
        state.hurry();
        assert_eq!(state.next_try(START), START.after(HURRIED));
        state.asked_to_wait(HURRIED * 2);
        state.hurry();
        assert_eq!(
            state.next_try(START),
            START.after(HURRIED * 2),
            "what the authority asked for is kept to"
        );
    }
    fn options(name: &str) -> AcmeOptions {
        AcmeOptions {
            directory: url::Url::parse("https://ca.example/directory").unwrap(),
            contact: Vec::new(),
            names: vec![crate::domain::Host::parse(name).unwrap()],
            challenges: vec![ChallengeKind::Http01],
            authorities: Authorities::System,
            external_account: None,
        }
    }

    #[test]
    fn for_something_else_there_is_nothing_to_wait_for_but_a_start_alone_is_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let folder = Folder::new(folder.path().join("acme"));
        let mut state = State::default();
        state.follow(&options("a.example"));
        state.begin(START);
        state.write(&folder).unwrap();
        let mut again = State::read(&folder, START);
        again.follow(&options("a.example"));
        assert!(again.next_try(START) >= START.after(FIRST));
        again.follow(&options("b.example"));
        assert_eq!(again.next_try(START), START);
        let mut damaged = State::unknown(START);
        damaged.follow(&options("a.example"));
        assert!(damaged.next_try(START) >= START.after(FIRST));
    }
}
