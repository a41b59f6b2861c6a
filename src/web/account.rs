//! A member's own page: who they are here, where they are signed in, and how to end that.

use bytes::Bytes;
use http::{Request, StatusCode};
use serde::Serialize;

use super::audit::{self, Event};
use super::pages::Page;
use super::passkeys::PasskeyList;
use super::request::in_query;
use super::response::Reply;
use super::wording::{ago, browser, date};
use super::{Member, Visit, Web};
use crate::domain::{Group, ReturnTo, Session, Timestamp};
use crate::policy::SignInReason;

/// What the account page shows.
#[derive(Default, Serialize)]
pub(super) struct AccountPage {
    username: String,
    full_name: Option<String>,
    email: Option<String>,
    groups: Vec<String>,
    since: Moment,
    passkeys: Option<PasskeyList>,
    sessions: Vec<SessionLine>,
    csrf: String,
    /// A passkey has to come first, so nothing but the name is told.
    waits: bool,
    /// Whether a form that came too late waits to be sent.
    kept: bool,
    /// Whether the account at the forum is connected; none where it need not be.
    forum: Option<bool>,
    /// Whose password it has, where the member can choose another.
    forum_password: Option<ForumPassword>,
    notice: Option<Notice>,
}

/// A moment for people, and for a script that writes it in their own time zone.
#[derive(Default, Serialize)]
pub(super) struct Moment {
    text: String,
    rfc3339: String,
}

#[derive(Default, Serialize)]
struct SessionLine {
    id: String,
    browser: String,
    last_seen: String,
    is_current: bool,
}

/// What has just been done.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Notice {
    ByLink,
    ForumConnected,
    ForumDisconnected,
    ForumPasswordSet,
    OtherSessionsEnded,
    PasskeyAdded,
    PasskeyRemoved,
    PasskeyRenamed,
    PasskeyUseAgain,
    PasskeyUseSaved,
    SessionEnded,
}

/// Whose password the forum has.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum ForumPassword {
    /// One that nobody knows.
    Generated,
    /// The member's own.
    Own,
}

impl Page for AccountPage {
    const TEMPLATE: &'static str = "account.html";

    fn samples() -> Vec<Self> {
        let other = SessionLine { is_current: true, ..SessionLine::default() };
        let full = Self {
            full_name: Some("N".to_owned()),
            email: Some("n@forum.example".to_owned()),
            groups: vec!["A".to_owned(), "B".to_owned()],
            sessions: vec![other, SessionLine::default()],
            kept: true,
            notice: Some(Notice::OtherSessionsEnded),
            ..Self::default()
        };
        let notices = [
            Notice::ByLink,
            Notice::ForumConnected,
            Notice::ForumDisconnected,
            Notice::ForumPasswordSet,
            Notice::PasskeyAdded,
            Notice::PasskeyRemoved,
            Notice::PasskeyRenamed,
            Notice::PasskeyUseAgain,
            Notice::PasskeyUseSaved,
            Notice::SessionEnded,
        ];
        let mut samples = vec![Self::default(), full, Self { waits: true, ..Self::default() }];
        samples
            .extend([true, false].map(|is_connected| Self { forum: Some(is_connected), ..Self::default() }));
        let password = |whose| Self { forum: Some(true), forum_password: Some(whose), ..Self::default() };
        samples.extend([ForumPassword::Generated, ForumPassword::Own].map(password));
        samples.extend(notices.map(|notice| Self { notice: Some(notice), ..Self::default() }));
        samples.extend(
            PasskeyList::samples().into_iter().map(|list| Self { passkeys: Some(list), ..Self::default() }),
        );
        samples
    }
}

impl Web {
    pub(super) fn account_page(&self, request: &Request<Bytes>, visit: &Visit<'_>) -> Reply {
        let Some(member) = visit.member else { return Ok(self.to_sign_in()) };
        let profile = member.session.profile();
        if self.awaits_passkey(member.session) {
            let page = AccountPage {
                username: profile.name.to_string(),
                csrf: member.proof().to_text(),
                waits: true,
                notice: notice(request),
                ..AccountPage::default()
            };
            return Ok(self.page(StatusCode::OK, &page, visit));
        }
        let now = self.parts.clock.now();
        let current = member.session.id();
        let line = |session: &Session| SessionLine {
            id: session.id.short(),
            browser: browser(&session.user_agent),
            last_seen: ago(now.since(session.last_seen)),
            is_current: session.id == current,
        };
        let mut sessions: Vec<_> = self.parts.sessions.of(profile.id).iter().map(line).collect();
        sessions.sort_by_key(|session| !session.is_current);
        let page = AccountPage {
            username: profile.name.to_string(),
            full_name: profile.full_name.clone(),
            email: profile.email.clone(),
            groups: profile.groups.iter().map(Group::as_str).map(str::to_owned).collect(),
            since: Moment::from(member.session.signed_in_at()),
            passkeys: self.passkey_list(&member, visit)?,
            sessions,
            csrf: member.proof().to_text(),
            kept: self.has_kept(request.headers(), visit),
            forum: self.is_forum_connected(&member, visit)?,
            forum_password: self.forum_password(&member, visit)?,
            waits: false,
            notice: notice(request),
        };
        Ok(self.page(StatusCode::OK, &page, visit))
    }

    /// Ends one of the member's other sessions, named by what the page calls it.
    pub(super) async fn end_session(&self, request: &Request<Bytes>, visit: &Visit<'_>) -> Reply {
        let Some(member) = visit.member else { return Ok(self.to_sign_in()) };
        let form = self.member_form(request, &member)?;
        if let Some(first) = self.passkey_first(&member, &self.account()) {
            return Ok(first);
        }
        let own = self.parts.sessions.of(member.session.user());
        let is_meant = |session: &&Session| {
            session.id != member.session.id() && session.id.short() == form.text("session")
        };
        if let Some(session) = own.iter().find(is_meant) {
            let ended = self.parts.sessions.end(session.id).await;
            ended.map_err(|error| self.store_failed(&error, visit))?;
            audit::record(Event::SessionEnded, Some(session.user), visit);
        }
        Ok(self.back_to_account("session-ended"))
    }

    pub(super) async fn end_other_sessions(&self, request: &Request<Bytes>, visit: &Visit<'_>) -> Reply {
        let Some(member) = visit.member else { return Ok(self.to_sign_in()) };
        self.member_form(request, &member)?;
        if let Some(first) = self.passkey_first(&member, &self.account()) {
            return Ok(first);
        }
        let Member { session, .. } = member;
        let ended = self.parts.sessions.end_all(session.user(), Some(session.id()), Vec::new()).await;
        let count = ended.map_err(|error| self.store_failed(&error, visit))?;
        audit::record(Event::OtherSessionsEnded(count), Some(session.user()), visit);
        Ok(self.back_to_account("other-sessions-ended"))
    }

    pub(super) fn back_to_account(&self, notice: &str) -> http::Response<Bytes> {
        let address = format!("{}?notice={notice}", self.ours("/account"));
        self.outbound.redirect(StatusCode::SEE_OTHER, &address)
    }

    pub(super) fn to_sign_in(&self) -> http::Response<Bytes> {
        let address = self.login_address(&self.account(), SignInReason::NoSession);
        self.outbound.redirect(StatusCode::SEE_OTHER, &address)
    }

    /// The account page, as a return target.
    pub(super) fn account(&self) -> ReturnTo {
        ReturnTo::parse(&self.ours("/account"), &self.parts.prefix)
    }
}

fn notice(request: &Request<Bytes>) -> Option<Notice> {
    Some(match &*in_query(request, "notice") {
        "by-link" => Notice::ByLink,
        "forum-connected" => Notice::ForumConnected,
        "forum-disconnected" => Notice::ForumDisconnected,
        "forum-password-set" => Notice::ForumPasswordSet,
        "other-sessions-ended" => Notice::OtherSessionsEnded,
        "passkey-added" => Notice::PasskeyAdded,
        "passkey-removed" => Notice::PasskeyRemoved,
        "passkey-renamed" => Notice::PasskeyRenamed,
        "passkey-use-again" => Notice::PasskeyUseAgain,
        "passkey-use-saved" => Notice::PasskeyUseSaved,
        "session-ended" => Notice::SessionEnded,
        _ => return None,
    })
}

impl From<Timestamp> for Moment {
    fn from(moment: Timestamp) -> Self {
        Self { text: date(moment), rfc3339: moment.to_string() }
    }
}
