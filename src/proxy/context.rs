//! What is kept of one request from its first phase to its log event.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use http::Version;
use pingora::http::RequestHeader;

use super::bridge::AtForum;
use super::forwarded::{Origin, Trust};
use super::headers::value_of;
use super::kept::Replay;
use super::trailers::Crossing;
use super::tunnels::Tunnel;
use super::upstream::{Attempts, Client};
use super::{Rules, Secured};
use crate::domain::{Host, UserId, hex_digits, random};
use crate::policy::Permit;
use crate::web::{Audience, Problem};

/// One request's state.
pub struct RequestContext {
    pub(super) rules: Arc<Rules>,
    pub(super) id: RequestId,
    pub(super) started: Instant,
    pub(super) origin: Origin,
    /// What TLS of our own has agreed on; none in the clear.
    pub(super) secured: Option<Arc<Secured>>,
    pub(super) audience: Audience,
    pub(super) outcome: Outcome,
    pub(super) member: Option<UserId>,
    pub(super) permit: Option<Permit>,
    /// Whether app passwords count where it goes.
    pub(super) takes_app_password: bool,
    /// The way of trailer fields, where there may be some.
    pub(super) crossing: Option<Crossing>,
    /// Its place, if it asks for a tunnel.
    pub(super) tunnel: Option<Tunnel>,
    /// How many interim responses the application has sent.
    pub(super) interim: u8,
    /// Where it has been tried.
    pub(super) attempts: Attempts,
    /// The canonical target, where it differs from the one that was sent.
    pub(super) rewritten: Option<Vec<u8>>,
    /// The kept form that goes in place of this request's own body.
    pub(super) replay: Option<Replay>,
    /// What the request has to do with the forum.
    pub(super) forum: Option<AtForum>,
}

/// What became of a request, for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Nothing yet.
    Undecided,
    /// Went to the application.
    Forwarded,
    /// Answered by a page of ours.
    Own,
    /// Sent to the sign-in page.
    SignIn,
    /// Answered for a proxy that asked.
    Verified,
    /// Refused, or failed.
    Failed(Problem),
}

impl RequestContext {
    pub(super) fn new(rules: Arc<Rules>, id: RequestId) -> Self {
        let nobody = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        Self {
            rules,
            id,
            started: Instant::now(),
            origin: Origin { client: nobody, peer: nobody, trust: Trust::Stranger },
            secured: None,
            audience: Audience::Page,
            outcome: Outcome::Undecided,
            member: None,
            permit: None,
            takes_app_password: false,
            crossing: None,
            tunnel: None,
            interim: 0,
            attempts: Attempts::default(),
            rewritten: None,
            replay: None,
            forum: None,
        }
    }
}

impl RequestContext {
    /// Notes where a request has come from: its TCP peer, or whom that brings, and what TLS has agreed on.
    pub(super) fn begin(
        &mut self,
        request: &RequestHeader,
        peer: Option<IpAddr>,
        secured: Option<&Arc<Secured>>,
    ) {
        let peer = peer.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        self.origin = self.rules.trusted.origin(peer, &request.headers);
        if self.origin.trust == Trust::Proxy
            && let Some(id) = value_of(&request.headers, "x-request-id").and_then(RequestId::given)
        {
            self.id = id;
        }
        self.audience = Audience::of(&request.headers, &request.method);
        self.secured = secured.cloned();
    }

    /// Whose it is, where it matters which server gets it.
    pub(super) const fn client(&self) -> Client {
        Client { member: self.member, address: self.origin.client }
    }

    /// Whether a request for `host` belongs on the connection it came on.
    pub(super) fn may_ask(&self, host: &Host, version: Version) -> bool {
        self.secured.as_ref().is_none_or(|secured| secured.may_carry(host, version))
    }
}

/// The reference by which a visitor's error page and the log event find each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RequestId(Arc<str>);

impl RequestId {
    /// One given by a trusted proxy, if it is short and plain.
    pub(super) fn given(text: &str) -> Option<Self> {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        ((8..=64).contains(&text.len()) && text.bytes().all(is_plain)).then(|| Self(text.into()))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Makes request ids: unique in this process, with a random start, and not a secret.
#[derive(Debug)]
pub(super) struct RequestIds(AtomicU64);

impl RequestIds {
    pub(super) fn new() -> Self {
        Self(AtomicU64::new(u64::from_le_bytes(random())))
    }

    /// An odd multiplier permutes all 64-bit values, so neighbours look unlike and none repeats.
    pub(super) fn next(&self) -> RequestId {
        let number = self.0.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let digits = hex_digits::<16>(&number.to_be_bytes());
        RequestId(std::str::from_utf8(&digits).unwrap_or_default().into())
    }
}
