//! A member's own page: who they are here, and all they can change. One file a section; what has just been done is told by
//! `notice`.

mod data;
mod email;
mod export;
mod leave;
mod notice;
mod password;
mod security;
mod sessions;

use bytes::Bytes;
use http::{Request, StatusCode};
use serde::Serialize;

pub(super) use self::data::DataPage;
use self::email::OwnEmail;
pub(super) use self::email::{ConfirmEmailPage, EmailPage};
pub(super) use self::leave::LeavePage;
use self::notice::Notice;
use self::password::OwnPassword;
pub(super) use self::security::{NotMePage, SecurityPage, seen};
use super::app_passwords::AppPasswordList;
use super::pages::Page;
use super::passkeys::PasskeyList;
use super::response::Reply;
use super::second_factor::TwoStep;
use super::wording::date;
use super::{Visit, Web};
use crate::domain::{Group, ReturnTo, Timestamp};
use crate::policy::SignInReason;

/// What the account page shows.
#[derive(Default, Serialize)]
pub(super) struct AccountPage {
    username: String,
    full_name: Option<String>,
    email: Option<String>,
    /// How they stand to that; none where no mail is sent.
    own_email: Option<OwnEmail>,
    groups: Vec<String>,
    since: Moment,
    passkeys: Option<PasskeyList>,
    two_step: Option<TwoStep>,
    app_passwords: Option<AppPasswordList>,
    /// In how many browsers the member is signed in.
    sessions: usize,
    /// Whether they have a password; none where they can't choose one.
    password: Option<OwnPassword>,
    csrf: String,
    /// Something has to come first, so nothing but the name is told.
    waits: Option<Waits>,
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

/// For what it waits.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Waits {
    Passkey,
    SecondFactor,
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
        let full = Self {
            full_name: Some("N".to_owned()),
            email: Some("n@forum.example".to_owned()),
            groups: vec!["A".to_owned(), "B".to_owned()],
            sessions: 2,
            kept: true,
            notice: Some(Notice::OtherSessionsEnded),
            ..Self::default()
        };
        let mut samples = vec![Self::default(), full];
        let waits = |waits| Self { waits: Some(waits), ..Self::default() };
        samples.extend([Waits::Passkey, Waits::SecondFactor].map(waits));
        let two_step = TwoStep::samples().into_iter();
        samples.extend(two_step.map(|two_step| Self { two_step: Some(two_step), ..Self::default() }));
        let programs = AppPasswordList::samples().into_iter();
        samples.extend(programs.map(|list| Self { app_passwords: Some(list), ..Self::default() }));
        samples
            .extend([true, false].map(|is_connected| Self { forum: Some(is_connected), ..Self::default() }));
        let password = |whose| Self { forum: Some(true), forum_password: Some(whose), ..Self::default() };
        samples.extend([ForumPassword::Generated, ForumPassword::Own].map(password));
        let emails = OwnEmail::samples().into_iter();
        samples.extend(emails.map(|own| Self { own_email: Some(own), ..Self::default() }));
        samples.extend(OwnPassword::ALL.map(|own| Self { password: Some(own), ..Self::default() }));
        samples.extend(Notice::ALL.iter().map(|notice| Self { notice: Some(*notice), ..Self::default() }));
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
        if let Some(reason) = self.awaited(member.session) {
            let page = AccountPage {
                username: profile.name.to_string(),
                csrf: member.proof().to_text(),
                waits: Some(match reason {
                    SignInReason::SecondFactor => Waits::SecondFactor,
                    _ => Waits::Passkey,
                }),
                notice: Notice::of(request),
                ..AccountPage::default()
            };
            return Ok(self.page(StatusCode::OK, &page, visit));
        }
        let page = AccountPage {
            username: profile.name.to_string(),
            full_name: profile.full_name.clone(),
            email: profile.email.clone(),
            own_email: self.own_email(&member, visit)?,
            groups: profile.groups.iter().map(Group::as_str).map(str::to_owned).collect(),
            since: Moment::from(member.session.signed_in_at()),
            passkeys: self.passkey_list(&member, visit)?,
            app_passwords: self.app_password_list(&member, visit)?,
            two_step: self.two_step_section(&member, request.headers(), visit)?,
            sessions: self.parts.sessions.of(profile.id).len(),
            password: self.own_password(&member, visit)?,
            csrf: member.proof().to_text(),
            kept: self.has_kept(request.headers(), visit),
            forum: self.is_forum_connected(&member, visit)?,
            forum_password: self.forum_password(&member, visit)?,
            waits: None,
            notice: Notice::of(request),
        };
        Ok(self.page(StatusCode::OK, &page, visit))
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

impl From<Timestamp> for Moment {
    fn from(moment: Timestamp) -> Self {
        Self { text: date(moment), rfc3339: moment.to_string() }
    }
}
