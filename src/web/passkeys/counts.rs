//! What became of ceremonies, counted: for operators who roll passkeys out, and for an alarm when many fail (MF-54,
//! MF-58 … MF-60).
//!
//! Counted are words of fixed lists alone, so memory is bounded whatever is sent. Counts begin anew with each start.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::domain::Timestamp;

/// What is counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PasskeyCount {
    /// What the ceremony was for.
    pub ceremony: &'static str,
    /// `ok`, the code of a refusal, or what the browser threw.
    pub outcome: &'static str,
    /// The kind of browser.
    pub client: &'static str,
}

/// Something an operator should know now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alarm {
    /// The first ceremony since the start that another address than ours made fail.
    Origin,
    /// So many of so many have failed of late.
    ManyFail { failed: u32, of: u32 },
}

/// The counts of a running gateway.
#[derive(Debug, Default)]
pub struct PasskeyCounts(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    counts: BTreeMap<PasskeyCount, u64>,
    has_told_origin: bool,
    window: Window,
}

/// The latest stretch of [`Window::LENGTH`].
#[derive(Debug, Default)]
struct Window {
    since: Timestamp,
    of: u32,
    failed: u32,
    has_told: bool,
}

impl Window {
    const LENGTH: Duration = Duration::from_secs(10 * 60);
    /// Fewer say nothing.
    const LEAST: u32 = 20;

    /// True once a window, when half of enough have failed.
    fn note(&mut self, is_failure: bool, now: Timestamp) -> bool {
        if now < self.since || now.since(self.since) >= Self::LENGTH {
            *self = Self { since: now, ..Self::default() };
        }
        self.of = self.of.saturating_add(1);
        self.failed = self.failed.saturating_add(u32::from(is_failure));
        let is_alarming = !self.has_told && self.of >= Self::LEAST && self.failed >= self.of / 2;
        self.has_told |= is_alarming;
        is_alarming
    }
}

/// Another address than the configuration's: the server's word for origin and relying party, and the browser's.
const ORIGIN: [&str; 3] = ["origin_mismatch", "rp_mismatch", "SecurityError"];

/// Neither success nor failure: the member changed their mind, took long, or was told to do something else first.
const NEITHER: [&str; 9] = [
    "already_registered",
    "ceremony_expired",
    "InvalidStateError",
    "NotAllowedError",
    "not_enabled",
    "passkey_limit",
    "reauth_required",
    "unknown_credential",
    "wrong_account",
];

impl PasskeyCounts {
    pub(super) fn note(&self, count: PasskeyCount, now: Timestamp) -> Option<Alarm> {
        let mut state = self.state();
        *state.counts.entry(count).or_default() += 1;
        if ORIGIN.contains(&count.outcome) && !std::mem::replace(&mut state.has_told_origin, true) {
            return Some(Alarm::Origin);
        }
        if NEITHER.contains(&count.outcome) {
            return None;
        }
        let is_alarming = state.window.note(count.outcome != "ok", now);
        let Window { failed, of, .. } = state.window;
        is_alarming.then_some(Alarm::ManyFail { failed, of })
    }

    /// All counts.
    pub fn all(&self) -> Vec<(PasskeyCount, u64)> {
        self.state().counts.iter().map(|(count, number)| (*count, *number)).collect()
    }

    /// The counts as Prometheus reads them.
    pub fn exposition(&self) -> String {
        let all = self.all();
        let is_origin = |(count, _): &&(PasskeyCount, u64)| ORIGIN.contains(&count.outcome);
        let mut text = String::new();
        let mut series = |name: &str, help: &str, counts: &mut dyn Iterator<Item = &(PasskeyCount, u64)>| {
            // Writing to a string does not fail.
            let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} counter\n");
            for (PasskeyCount { ceremony, outcome, client }, number) in counts {
                let labels = format!("ceremony=\"{ceremony}\",outcome=\"{outcome}\",client=\"{client}\"");
                let _ = writeln!(text, "{name}{{{labels}}} {number}");
            }
        };
        let help = "Ceremonies by purpose, what became of them, and kind of browser.";
        series("passgate_passkey_ceremonies_total", help, &mut all.iter());
        let help = "Those that failed over an address other than the configuration's.";
        series("passgate_passkey_origin_errors_total", help, &mut all.iter().filter(is_origin));
        text
    }

    /// A panic leaves a count as it was or one higher.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a `User-Agent` says, the first match first. Windows of apps come first of all: passkeys fail there most.
const CLIENTS: [(&str, &str); 16] = [
    ("; wv)", "app"),
    ("FBAN/", "app"),
    ("FBAV/", "app"),
    ("Instagram", "app"),
    ("MicroMessenger", "app"),
    ("Line/", "app"),
    ("Edg", "edge"),
    ("OPR/", "opera"),
    ("SamsungBrowser/", "samsung"),
    ("Firefox/", "firefox"),
    ("FxiOS/", "firefox"),
    ("CriOS/", "chrome"),
    ("Chromium/", "chrome"),
    ("Chrome/", "chrome"),
    ("Safari/", "safari"),
    // On Apple's systems an app's window is what names the engine alone.
    ("AppleWebKit/", "app"),
];

/// The kind of browser.
pub(super) fn client(user_agent: &str) -> &'static str {
    CLIENTS.iter().find(|(mark, _)| user_agent.contains(mark)).map_or("other", |(_, client)| client)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_327_200_000);

    fn count(outcome: &'static str) -> PasskeyCount {
        PasskeyCount { ceremony: "sign-in", outcome, client: "chrome" }
    }

    #[test]
    fn mf_58_an_alarm_rises_once_a_window_when_half_of_many_fail() {
        let counts = PasskeyCounts::default();
        let note = |outcome, at: Timestamp| counts.note(count(outcome), at);
        for _ in 0..30 {
            assert_eq!(note("NotAllowedError", NOW), None, "whoever closes a prompt has not failed");
        }
        for _ in 0..10 {
            assert_eq!(note("ok", NOW), None);
        }
        for _ in 0..9 {
            assert_eq!(note("passkey_failed", NOW), None, "too few to tell");
        }
        assert_eq!(note("UnknownError", NOW), Some(Alarm::ManyFail { failed: 10, of: 20 }));
        assert_eq!(note("passkey_failed", NOW), None, "once");
        let later = NOW.after(Window::LENGTH);
        for _ in 0..19 {
            assert_eq!(note("passkey_failed", later), None);
        }
        assert_eq!(note("passkey_failed", later), Some(Alarm::ManyFail { failed: 20, of: 20 }));
    }

    #[test]
    fn mf_60_the_first_wrong_origin_is_an_alarm_and_all_are_counted_apart() {
        let counts = PasskeyCounts::default();
        assert_eq!(counts.note(count("SecurityError"), NOW), Some(Alarm::Origin));
        assert_eq!(counts.note(count("origin_mismatch"), NOW), None);
        counts.note(count("ok"), NOW);
        let text = counts.exposition();
        let apart: Vec<_> = text.lines().filter(|line| line.contains("origin_errors_total{")).collect();
        assert_eq!(apart.len(), 2, "{text}");
        let line =
            "passgate_passkey_ceremonies_total{ceremony=\"sign-in\",outcome=\"ok\",client=\"chrome\"} 1";
        assert!(text.lines().any(|found| found == line), "{text}");
    }

    #[test]
    fn mf_59_browsers_and_windows_of_apps_are_told_apart() {
        let chrome = "AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/140.0 Mobile Safari/537.36";
        let iphone =
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)";
        for (agent, expected) in [
            (format!("Mozilla/5.0 (Linux; Android 16; Pixel 9; wv) {chrome}"), "app"),
            (format!("Mozilla/5.0 (Linux; Android 10; K) {chrome}"), "chrome"),
            (format!("{iphone} Mobile/15E148"), "app"),
            (format!("{iphone} Version/18.0 Mobile/15E148 Safari/604.1"), "safari"),
            (format!("{iphone} FxiOS/140.0 Mobile/15E148 Safari/605.1.15"), "firefox"),
            ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0".to_owned(), "firefox"),
            (format!("{chrome} Edg/140.0"), "edge"),
            (String::new(), "other"),
        ] {
            assert_eq!(client(&agent), expected, "{agent}");
        }
    }
}
