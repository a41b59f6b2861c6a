//! The addresses that password managers look for, at the root of the origin. They are ours, never the application's.

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use serde::Serialize;

use super::response::Reply;
use super::{Problem, Web};
use crate::domain::RequestPath;

/// A well-known address that we answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WellKnown {
    /// Where a password is changed (W3C, a well-known URL for changing passwords).
    ChangePassword,
    /// What can't be there. An application that answers it with 200 would make password managers distrust the first.
    Nothing,
    /// Where passkeys are added and managed (W3C, passkey endpoints).
    PasskeyEndpoints,
}

impl WellKnown {
    fn of(path: &str) -> Option<Self> {
        Some(match path.strip_prefix("/.well-known/")? {
            "change-password" => Self::ChangePassword,
            "passkey-endpoints" => Self::PasskeyEndpoints,
            "resource-that-should-not-exist-whose-status-code-should-not-be-200" => Self::Nothing,
            _ => return None,
        })
    }
}

#[derive(Serialize)]
struct Endpoints {
    enroll: String,
    manage: String,
}

/// Whether this address outside the prefix is ours all the same, for everyone and whatever the rules say.
pub fn is_well_known(path: &RequestPath<'_>) -> bool {
    WellKnown::of(path.decoded()).is_some()
}

impl Web {
    /// The answer at a well-known address; none at others.
    pub(super) fn well_known(&self, path: &RequestPath<'_>, request: &Request<Bytes>) -> Option<Reply> {
        let known = WellKnown::of(path.decoded())?;
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Some(Err(Problem::MethodNotAllowed(Some("GET, HEAD"))));
        }
        Some(match known {
            WellKnown::ChangePassword => {
                Ok(self.outbound.redirect(StatusCode::SEE_OTHER, &self.ours("/account")))
            }
            WellKnown::Nothing => Err(Problem::NotFound),
            WellKnown::PasskeyEndpoints => self.passkey_endpoints(),
        })
    }

    fn passkey_endpoints(&self) -> Reply {
        let origin = self.parts.origins.first().filter(|_| self.parts.passkeys.is_some());
        let origin = origin.ok_or(Problem::NotFound)?;
        let endpoints = Endpoints {
            enroll: format!("{origin}{}", self.ours("/account/passkeys/add")),
            manage: format!("{origin}{}", self.ours("/account")),
        };
        Ok(self.outbound.json(StatusCode::OK, &endpoints))
    }
}
