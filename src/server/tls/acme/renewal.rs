//! When a certificate is to be followed by another: when the authority advises it (ARI, RFC 9773), or two thirds of its time
//! are over.

use std::time::Duration;

use instant_acme::{Account, CertificateIdentifier, Error};
use serde::{Deserialize, Serialize};

use super::Certificate;
use crate::domain::{Timestamp, random};

/// How often an authority is asked for its advice, whatever it says itself.
const OFTEN: Duration = Duration::from_secs(60 * 60);
const SELDOM: Duration = Duration::from_secs(24 * 60 * 60);

/// What an authority said of one certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Advice {
    /// Of which one (RFC 9773 §4.1).
    of: String,
    /// The time in which it is to be renewed.
    window: Option<(Timestamp, Timestamp)>,
    /// The moment of that which was drawn.
    at: Option<Timestamp>,
    /// From when on the authority is asked again.
    ask: Timestamp,
}

impl Advice {
    /// Whether it is time to ask for it. None either if nothing is known of the certificate.
    pub(super) fn is_wanted(&self, id: &CertificateIdentifier<'_>, now: Timestamp) -> bool {
        self.of != id.to_string() || self.ask <= now || now.after(SELDOM) < self.ask
    }

    /// It could not be asked.
    pub(super) fn not_now(&mut self, id: &CertificateIdentifier<'_>, now: Timestamp) {
        self.begin(id);
        self.ask = now.after(SELDOM / 4);
    }

    fn begin(&mut self, id: &CertificateIdentifier<'_>) {
        if self.of != id.to_string() {
            *self = Self { of: id.to_string(), ..Self::default() };
        }
    }

    /// Asks for it. An authority that does not answer, or gives none, is asked again later; what it said before holds till then.
    pub(super) async fn ask(&mut self, account: &Account, id: &CertificateIdentifier<'_>, now: Timestamp) {
        self.begin(id);
        let (window, ask) = match account.renewal_info(id).await {
            Ok((info, ask)) => {
                let window = info.suggested_window;
                let [start, end] = [window.start, window.end].map(|moment| {
                    Timestamp::from_millis(
                        u64::try_from(moment.unix_timestamp()).unwrap_or(0).saturating_mul(1000),
                    )
                });
                // RFC 9773 §4.2: what ends before it begins is no window.
                ((start < end).then_some((start, end)), ask)
            }
            Err(Error::Unsupported(_)) => (None, SELDOM),
            Err(_) => (self.window, SELDOM / 4),
        };
        if window != self.window {
            self.at = window.map(|(start, end)| drawn(start, end, random()));
            self.window = window;
        }
        self.ask = now.after(ask.clamp(OFTEN, SELDOM));
    }

    /// Whether its authority keeps track of when the certificate is renewed.
    pub(super) fn is_of(&self, id: &CertificateIdentifier<'_>) -> bool {
        self.window.is_some() && self.of == id.to_string()
    }

    /// From when on `certificate` is to be renewed. An authority can have that earlier, and later by no more than half of the time
    /// that is left.
    pub(super) fn renew_at(
        &self,
        certificate: &Certificate,
        id: Option<&CertificateIdentifier<'_>>,
    ) -> Timestamp {
        let advised = self.at.filter(|_| id.is_some_and(|id| id.to_string() == self.of));
        advised.map_or_else(|| certificate.moment(2, 3), |at| at.min(certificate.moment(5, 6)))
    }
}

/// A moment of a window, each as likely as the next.
fn drawn(start: Timestamp, end: Timestamp, random: [u8; 4]) -> Timestamp {
    let part = f64::from(u32::from_le_bytes(random)) / f64::from(u32::MAX);
    start.after(end.since(start).mul_f64(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_moment_lies_within_the_window() {
        let [start, end] = [1_000, 9_000].map(Timestamp::from_millis);
        assert_eq!((drawn(start, end, [0; 4]), drawn(start, end, [255; 4])), (start, end));
        let between = drawn(start, end, [0, 0, 0, 128]);
        assert!(start < between && between < end);
    }
}
