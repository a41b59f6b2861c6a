//! What strangers can make happen as often as they like, in the audit log: the first of its kind and source within a minute as it
//! happens, the others as a number at the end of the minute.
//!
//! SECURITY: OPS-02, OPS-11. So a flood of them fills no disk and hides no other event: whatever comes, it is so many lines a minute at
//! most, and nothing that happened is left uncounted.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use crate::domain::UserId;

/// Something that happened to a request.
#[derive(Clone, Copy, Debug)]
pub struct Incident<'a> {
    /// Its kind, and what is counted together.
    pub kind: Kind,
    /// Where from.
    pub client: IpAddr,
    /// Whose account it is about, or who asked.
    pub member: Option<UserId>,
    /// By which it is found in the access log.
    pub request_id: &'a str,
    /// What was asked for, if that matters: short, without a query, and printable.
    pub path: Option<&'a str>,
}

/// What kind of thing it is: nothing in here comes from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind {
    /// The name of the event.
    pub event: &'static str,
    /// Why it happened.
    pub reason: &'static str,
    /// The way in, if it was about one.
    pub way: Option<&'static str>,
    /// What a passkey was for, if it was about one.
    pub passkey: Option<&'static str>,
    /// Whether it says more of who asks than of us.
    pub source: Source,
}

impl Kind {
    /// One that each source makes happen for itself.
    pub const fn new(event: &'static str, reason: &'static str) -> Self {
        Self { event, reason, way: None, passkey: None, source: Source::Each }
    }
}

/// What is told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Nothing: whoever asks, it is the same.
    Any,
    /// Whose it is, or else the address it comes from.
    Each,
}

/// What is counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Kind,
    Client(IpAddr),
    Member(UserId),
    /// More sources than are told apart.
    Others,
}

/// What has happened since the last sum.
#[derive(Debug, Default)]
pub struct Tally(Mutex<BTreeMap<Kind, BTreeMap<Key, u64>>>);

impl Tally {
    /// So many sources of a kind are told apart within a minute.
    const SOURCES: usize = 20;

    /// Writes down the first from its source, and counts the others.
    pub fn note(&self, incident: &Incident<'_>) {
        if !self.count(incident) {
            return;
        }
        let Incident { kind, client, member, request_id, path } = *incident;
        tracing::info!(
            target: "passgate::audit",
            event = kind.event,
            reason = kind.reason,
            way = kind.way,
            passkey = kind.passkey,
            member = member.map(tracing::field::display),
            path,
            request_id,
            %client,
        );
    }

    /// Whether it is to be written down now.
    fn count(&self, incident: &Incident<'_>) -> bool {
        let key = match (incident.kind.source, incident.member) {
            (Source::Any, _) => Key::Kind,
            (Source::Each, Some(member)) => Key::Member(member),
            (Source::Each, None) => Key::Client(incident.client.to_canonical()),
        };
        let mut kinds = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sources = kinds.entry(incident.kind).or_default();
        if let Some(count) = sources.get_mut(&key) {
            *count += 1;
            return false;
        }
        if sources.len() >= Self::SOURCES {
            *sources.entry(Key::Others).or_default() += 1;
            return false;
        }
        sources.insert(key, 0);
        true
    }

    /// Writes down how many there were of which nothing was, and begins anew. To be called about once a minute, and at the end.
    pub fn sum_up(&self) {
        let kinds = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for (kind, sources) in kinds {
            for (key, count) in sources.into_iter().filter(|(_, count)| *count > 0) {
                let (member, client) = match key {
                    Key::Kind | Key::Others => (None, None),
                    Key::Client(client) => (None, Some(client)),
                    Key::Member(member) => (Some(member), None),
                };
                tracing::info!(
                    target: "passgate::audit",
                    event = kind.event,
                    reason = kind.reason,
                    way = kind.way,
                    passkey = kind.passkey,
                    member = member.map(tracing::field::display),
                    client = client.map(tracing::field::display),
                    count,
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::auth::captured_log::Log;

    const DENIED: Kind = Kind::new("denied", "not-in-group");

    fn incident(kind: Kind, member: Option<u8>, client: [u8; 4]) -> Incident<'static> {
        let member = member.map(|n| UserId([n; 16]));
        Incident { kind, client: client.into(), member, request_id: "0f1e2d3c", path: Some("/admin") }
    }

    /// What is written: event, whose or where from, and how many.
    fn written(log: &Log) -> Vec<(String, String, Option<u64>)> {
        let lines = log.lines().into_iter();
        let line = |line: Value| {
            let text = |name: &str| line["fields"][name].as_str().map(str::to_owned);
            let source = text("member").or_else(|| text("client")).unwrap_or_default();
            (text("event").unwrap(), source, line["fields"]["count"].as_u64())
        };
        lines.filter(|line| line["target"] == "passgate::audit").map(line).collect()
    }

    #[test]
    fn ops_02_of_many_the_first_is_written_at_once_and_the_others_as_a_number() {
        let (tally, log) = (Tally::default(), Log::start());
        for _ in 0..1_000 {
            tally.note(&incident(DENIED, None, [192, 0, 2, 7]));
            tally.note(&incident(DENIED, Some(7), [192, 0, 2, 7]));
        }
        tally.note(&incident(DENIED, None, [192, 0, 2, 8]));
        let line = |source: &str, count| ("denied".to_owned(), source.to_owned(), count);
        let member = UserId([7; 16]).to_string();
        let first = [line("192.0.2.7", None), line(&member, None), line("192.0.2.8", None)];
        assert_eq!(written(&log), first);
        let fields = &log.lines()[0]["fields"];
        assert_eq!((&fields["request_id"], &fields["path"]), (&"0f1e2d3c".into(), &"/admin".into()));
        tally.sum_up();
        assert_eq!(written(&log)[3..], [line("192.0.2.7", Some(999)), line(&member, Some(999))]);
        tally.sum_up();
        assert_eq!(written(&log).len(), 5, "what is told is told once");
        tally.note(&incident(DENIED, None, [192, 0, 2, 7]));
        assert_eq!(written(&log)[5], line("192.0.2.7", None), "and then it begins anew");
    }

    #[test]
    fn ops_11_a_flood_from_everywhere_is_few_lines_and_all_of_it_is_counted() {
        let (tally, log) = (Tally::default(), Log::start());
        let failed = Kind { event: "upstream-failed", source: Source::Any, ..DENIED };
        for n in 0..5_000_u16 {
            let [high, low] = n.to_be_bytes();
            tally.note(&incident(DENIED, None, [10, 0, high, low]));
            tally.note(&incident(failed, None, [10, 0, high, low]));
        }
        tally.sum_up();
        let lines = written(&log);
        let of = |event: &str| lines.iter().filter(|line| line.0 == event).collect::<Vec<_>>();
        assert_eq!((of("denied").len(), of("upstream-failed").len()), (21, 2));
        assert_eq!(of("denied").last().unwrap().2, Some(4_980));
        assert_eq!(of("upstream-failed")[1].2, Some(4_999));
    }
}
