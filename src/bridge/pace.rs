//! Keeps a forum's sign-ins as far apart as it wants them. SMF refuses the second one of an address within two seconds.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::OwnedMutexGuard;

use super::preset::{FormPreset, PaceOf};
use crate::domain::Timestamp;

/// When somebody last signed in, by address; of the whole forum under none.
#[derive(Default)]
pub(super) struct Pace(Mutex<HashMap<Option<IpAddr>, Lane>>);

type Lane = Arc<tokio::sync::Mutex<Option<Timestamp>>>;

/// The right to sign in next. Whoever wants it too waits until it is dropped.
pub(super) struct Turn {
    pace: Duration,
    last: Option<OwnedMutexGuard<Option<Timestamp>>>,
}

/// How many addresses are remembered before those that nobody waits for are forgotten.
const LANES: usize = 4096;

impl Pace {
    /// Waits for the turn of a visitor.
    pub(super) async fn turn(&self, form: &FormPreset, address: IpAddr) -> Turn {
        if form.pace.is_zero() {
            return Turn { pace: form.pace, last: None };
        }
        let key = (form.pace_of == PaceOf::Address).then_some(address);
        let lane = {
            let mut lanes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if lanes.len() >= LANES {
                lanes.retain(|_, lane| Arc::strong_count(lane) > 1);
            }
            lanes.entry(key).or_default().clone()
        };
        Turn { pace: form.pace, last: Some(lane.lock_owned().await) }
    }
}

impl Turn {
    /// How long it still has to wait.
    pub(super) fn left(&self, now: Timestamp) -> Duration {
        let last = self.last.as_ref().and_then(|last| **last);
        last.map_or(Duration::ZERO, |last| self.pace.saturating_sub(now.since(last)))
    }

    /// The sign-in is over; the next one's wait begins.
    pub(super) fn taken(&mut self, now: Timestamp) {
        if let Some(last) = &mut self.last {
            **last = Some(now);
        }
    }
}
