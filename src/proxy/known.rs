//! As whom a request comes: by what it presents that counts.

use std::sync::Arc;

use http::header::COOKIE;
use pingora::http::RequestHeader;

use super::Gateway;
use super::context::RequestContext;
use super::facts::Parsed;
use crate::auth::{Cookies, LiveSession, SessionToken};
use crate::web::Problem;

/// Who asks.
pub(super) enum Known {
    /// A visitor.
    Nobody,
    /// A program of a member's, with an app password. To our own pages it is nobody.
    Program(Arc<LiveSession>),
    /// A member's browser.
    Session(SessionToken, Arc<LiveSession>),
}

impl Known {
    /// What lets it in.
    pub(super) fn live(&self) -> Option<&Arc<LiveSession>> {
        match self {
            Self::Nobody => None,
            Self::Program(live) | Self::Session(_, live) => Some(live),
        }
    }

    /// Whether nobody sits before it who could do something on a page.
    pub(super) fn is_program(&self) -> bool {
        matches!(self, Self::Program(_))
    }

    /// The session of a member's browser.
    pub(super) fn session(&self) -> Option<(&SessionToken, &Arc<LiveSession>)> {
        match self {
            Self::Session(token, live) => Some((token, live)),
            Self::Nobody | Self::Program(_) => None,
        }
    }
}

impl Gateway {
    /// The live session a request presents. Anything broken, ambiguous or ended is nobody (SECURITY: H6, SES-09).
    pub(super) fn known(&self, request: &RequestHeader, cookies: &Cookies) -> Known {
        let token = cookies.session(cookie_fields(request)).token();
        let live = token.as_ref().and_then(|token| self.sessions.check(token));
        token.zip(live).map_or(Known::Nobody, |(token, live)| Known::Session(token, live))
    }

    /// Who has no session may be a program.
    pub(super) fn or_program(
        &self,
        known: Known,
        request: &RequestHeader,
        parsed: &Parsed<'_>,
        ctx: &mut RequestContext,
    ) -> Result<Known, Problem> {
        match known {
            Known::Nobody => self.program(request, parsed, ctx),
            known => Ok(known),
        }
    }
}

/// The `Cookie` fields of a request.
pub(super) fn cookie_fields(request: &RequestHeader) -> impl Iterator<Item = &[u8]> {
    request.headers.get_all(COOKIE).iter().map(http::HeaderValue::as_bytes)
}
