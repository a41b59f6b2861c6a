//! Where a member is signed in and what happened to their account, on a page of its own; and what to do about what was not
//! them (SIB-09, SIB-10, SIB-12).

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use serde::Serialize;

use super::super::audit::{self, Event};
use super::super::pages::Page;
use super::super::request::{in_query, user_agent};
use super::super::response::Reply;
use super::super::{Visit, Web};
use super::sessions::{SessionLine, Whence};
use super::{Moment, Notice};
use crate::auth::events::{Happened, Seen, What};
use crate::domain::{SessionId, UserId};

/// What the page shows.
#[derive(Default, Serialize)]
pub(in crate::web) struct SecurityPage {
    sessions: Vec<SessionLine>,
    events: Vec<EventLine>,
    csrf: String,
    notice: Option<Notice>,
}

/// Something that happened.
#[derive(Serialize)]
struct EventLine {
    what: What,
    /// The passkey it was about.
    about: Option<String>,
    at: Moment,
    browser: Option<String>,
    network: Option<Whence>,
    times: u32,
    /// Whether it is how this very session began.
    is_current: bool,
    /// Names it in a link.
    id: u64,
}

impl EventLine {
    /// Examples that go through all branches of the embedded templates.
    fn samples() -> Vec<Self> {
        let line = |what| Self {
            what,
            about: Some("P".to_owned()),
            at: Moment::default(),
            browser: Some("B".to_owned()),
            network: Some(Whence::AnotherNetwork),
            times: 2,
            is_current: false,
            id: 1,
        };
        let mut all: Vec<_> = What::ALL.iter().copied().map(line).collect();
        let plain = Self { about: None, browser: None, network: None, times: 1, ..line(What::WrongPassword) };
        all.push(Self { is_current: true, network: Some(Whence::SameNetwork), ..plain });
        all
    }
}

impl Page for SecurityPage {
    const TEMPLATE: &'static str = "account-security.html";

    fn samples() -> Vec<Self> {
        let full = Self {
            sessions: SessionLine::samples(),
            events: EventLine::samples(),
            notice: Some(Notice::SessionEnded),
            ..Self::default()
        };
        vec![full, Self::default()]
    }
}

/// The page for an event that was not the member: first what is going to be done, then what is left for them to do.
#[derive(Default, Serialize)]
pub(in crate::web) struct NotMePage {
    csrf: String,
    event: Option<EventLine>,
    is_done: bool,
    has_passkeys: bool,
    /// Whether the member can set a password.
    passwords: bool,
}

impl Page for NotMePage {
    const TEMPLATE: &'static str = "account-not-me.html";

    fn samples() -> Vec<Self> {
        let done = || Self { is_done: true, ..Self::default() };
        let mut samples: Vec<_> = EventLine::samples()
            .into_iter()
            .map(|event| Self { event: Some(event), ..Self::default() })
            .collect();
        samples.extend([
            Self::default(),
            Self { has_passkeys: true, passwords: true, ..done() },
            Self { passwords: true, ..done() },
            done(),
        ]);
        samples
    }
}

impl Web {
    pub(in crate::web) fn security_page(&self, request: &Request<Bytes>, visit: &Visit<'_>) -> Reply {
        let Some(member) = visit.member else { return Ok(self.to_sign_in()) };
        if let Some(first) = self.awaited_first(&member, &self.account()) {
            return Ok(first);
        }
        let events = self.parts.accounts.events(member.session.user());
        let events = events.map_err(|error| self.store_failed(&error, visit))?;
        let page = SecurityPage {
            sessions: self.session_lines(&member, &events, visit)?,
            events: events.into_iter().map(|event| event_line(event, member.session.id(), visit)).collect(),
            csrf: member.proof().to_text(),
            notice: Notice::of(request),
        };
        Ok(self.page(StatusCode::OK, &page, visit))
    }

    /// Asks before anything is ended.
    pub(in crate::web) fn not_me_page(&self, request: &Request<Bytes>, visit: &Visit<'_>) -> Reply {
        let Some(member) = visit.member else { return Ok(self.to_sign_in()) };
        if let Some(first) = self.awaited_first(&member, &self.account()) {
            return Ok(first);
        }
        let events = self.parts.accounts.events(member.session.user());
        let mut events = events.map_err(|error| self.store_failed(&error, visit))?.into_iter();
        let named = in_query(request, "event");
        let event = events.find(|event| event.at.as_millis().to_string() == named);
        let page = NotMePage {
            csrf: member.proof().to_text(),
            event: event.map(|event| event_line(event, member.session.id(), visit)),
            ..NotMePage::default()
        };
        Ok(self.page(StatusCode::OK, &page, visit))
    }

    /// Ends whatever lets anybody in but this session. No fresh sign-in is asked for: this only ever closes doors.
    pub(in crate::web) async fn was_not_me(&self, request: &Request<Bytes>, visit: &Visit<'_>) -> Reply {
        let Some(member) = visit.member else { return Ok(self.to_sign_in()) };
        self.member_form(request, &member)?;
        if let Some(first) = self.awaited_first(&member, &self.account()) {
            return Ok(first);
        }
        let user = member.session.user();
        let event = self.seen_happening(What::WasNotMe, request.headers(), visit);
        let ended = self.parts.accounts.shut_out(user, Some(member.session.id()), event).await;
        let count = ended.map_err(|error| self.store_failed(&error, visit))?;
        audit::record(Event::WasNotMe(count), Some(user), visit);
        let passkeys = self.parts.passkeys.as_ref().map(|passkeys| passkeys.of(user)).transpose();
        let page = NotMePage {
            is_done: true,
            has_passkeys: passkeys.is_ok_and(|all| all.is_some_and(|all| !all.is_empty())),
            passwords: self.own_password(&member, visit).is_ok_and(|own| own.is_some()),
            ..NotMePage::default()
        };
        Ok(self.page(StatusCode::OK, &page, visit))
    }

    pub(super) fn back_to_security(&self, notice: &str) -> Response<Bytes> {
        let address = format!("{}?notice={notice}", self.ours("/account/security"));
        self.outbound.redirect(StatusCode::SEE_OTHER, &address)
    }

    /// Something that happens at this moment in this visitor's browser, for the member to read. Whoever does it has the change
    /// that keeps it in the same batch, or submits it before: a browser that goes away must not take the event along.
    pub(in crate::web) fn seen_happening(
        &self,
        what: What,
        headers: &HeaderMap,
        visit: &Visit<'_>,
    ) -> Happened {
        self.parts.accounts.happened(what).seen(seen(headers, visit))
    }

    /// Keeps an event by itself.
    pub(in crate::web) fn note(&self, what: What, user: UserId, headers: &HeaderMap, visit: &Visit<'_>) {
        self.parts.accounts.note(user, self.seen_happening(what, headers, visit));
    }

    /// Keeps that a member signed in, and which session came of it.
    pub(in crate::web) fn note_sign_in(
        &self,
        what: What,
        user: UserId,
        session: SessionId,
        headers: &HeaderMap,
        visit: &Visit<'_>,
    ) {
        let event = self.seen_happening(what, headers, visit).beginning(session);
        self.parts.accounts.note(user, event);
    }
}

/// Where this visitor is.
pub(in crate::web) fn seen<'h>(headers: &'h HeaderMap, visit: &Visit<'_>) -> Seen<'h> {
    Seen { user_agent: user_agent(headers), from: Some(visit.client) }
}

fn event_line(event: Happened, current: SessionId, visit: &Visit<'_>) -> EventLine {
    EventLine {
        what: event.what,
        is_current: event.session.is_some_and(|session| session == current.short()),
        about: event.about,
        id: event.at.as_millis(),
        at: Moment::from(event.at),
        browser: event.browser,
        network: Whence::of(event.network, visit),
        times: event.times,
    }
}
