//! The sign-in page and what it posts.
//!
//! SECURITY: L5, THR-13. The answer to a wrong password, an unknown name and a disabled account is one and the same.

use bytes::Bytes;
use http::header::{RETRY_AFTER, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use serde::Serialize;

use super::arriving::{Arrival, Wishes};
use super::audit::{self, Event};
use super::first_sign_in::Typed;
use super::pages::Page;
use super::request::{Form, in_query};
use super::response::Reply;
use super::stay::Stay;
use super::throttled::with_retry_after;
use super::tied::Tie;
use super::wording::wait_in_words;
use super::{Problem, Visit, Web};
use crate::auth::events::What;
use crate::auth::throttle::{Throttled, Way};
use crate::auth::{Accounts, Presented, RefusedBecause, SignInOutcome};
use crate::bridge::Unclaimed;
use crate::domain::{Beside, Persistence, ReturnTo, UserId};
use crate::policy::SignInReason;

/// What the sign-in page shows.
#[derive(Clone, Default, Serialize)]
pub(super) struct LoginPage {
    /// The anti-forgery value.
    csrf: String,
    /// Where to go afterwards; empty for the front page.
    return_to: String,
    /// Whether a signed-in member is to confirm who they are.
    again: bool,
    /// What was typed, or the member's name.
    username: String,
    /// Whether it can be done with a passkey, too.
    passkeys: bool,
    /// Whether it is done with a passkey alone, passwords being off.
    passkeys_only: bool,
    /// Whether adding a passkey is offered for after the password (MX-14).
    offers_adding: bool,
    #[serde(flatten)]
    stay: Stay,
    /// Whether members of the forum who are new here sign in with their password there.
    takes_newcomers: bool,
    /// Whether anybody may join.
    joins: bool,
    /// Whether whoever signs in comes back to an account they had switched off.
    come_back: bool,
    notice: Option<Notice>,
    trouble: Option<Trouble>,
    /// Where members who have forgotten their password are helped; empty for nowhere.
    recovery: String,
    /// How long to wait before the next try; empty where waiting does not help.
    wait: String,
}

/// Good news from the page before. A fixed list, so that a link can't put words on our page.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Notice {
    Deactivated,
    Deleted,
    DeletionAsked,
    Joined,
    JoinedToWait,
    PasskeyRemoved,
    PasswordSet,
    SignedOut,
}

/// Why the form is shown once more.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Trouble {
    Busy,
    NoCookie,
    Refused,
    /// Name and password are right, and the member had switched the account off.
    SwitchedOff,
    Throttled,
    /// Name and password are right, and an operator has not let them in yet.
    Waits,
}

impl LoginPage {
    fn posted(form: &Form, return_to: &ReturnTo, visit: &Visit<'_>) -> Self {
        let confirms = visit.member.filter(|_| form.is_ticked("again"));
        Self {
            return_to: fit(return_to),
            again: confirms.is_some(),
            username: form.text("username").to_owned(),
            come_back: confirms.is_none() && form.is_ticked("come_back"),
            // Whoever only confirms who they are chose that when they signed in.
            stay: confirms.map_or_else(|| Stay::posted(form), |member| member.session.persistence().into()),
            ..Self::default()
        }
    }
}

impl LoginPage {
    const fn way(&self) -> Way {
        if self.again { Way::Confirm } else { Way::Password }
    }
}

impl Page for LoginPage {
    const TEMPLATE: &'static str = "login.html";

    fn samples() -> Vec<Self> {
        let notice = |notice| Self { notice: Some(notice), ..Self::default() };
        let trouble = |trouble| Self { trouble: Some(trouble), username: "N".to_owned(), ..Self::default() };
        vec![
            Self::default(),
            Self { again: true, return_to: "/".to_owned(), ..Self::default() },
            Self { again: true, passkeys: true, ..Self::default() },
            Self { passkeys: true, stay: Stay::TICKED, ..Self::default() },
            Self { passkeys: true, passkeys_only: true, ..Self::default() },
            Self { again: true, offers_adding: true, ..Self::default() },
            Self { takes_newcomers: true, ..Self::default() },
            Self { recovery: "/".to_owned(), ..Self::default() },
            Self { recovery: "/".to_owned(), ..trouble(Trouble::Refused) },
            Self { recovery: "/".to_owned(), ..trouble(Trouble::Throttled) },
            Self { takes_newcomers: true, ..trouble(Trouble::Refused) },
            notice(Notice::Joined),
            notice(Notice::JoinedToWait),
            Self { joins: true, ..Self::default() },
            trouble(Trouble::Waits),
            notice(Notice::PasskeyRemoved),
            notice(Notice::PasswordSet),
            notice(Notice::SignedOut),
            trouble(Trouble::Busy),
            trouble(Trouble::NoCookie),
            trouble(Trouble::Refused),
            trouble(Trouble::Throttled),
            Self { come_back: true, ..trouble(Trouble::SwitchedOff) },
            Self { come_back: true, passkeys: true, ..Self::default() },
            Self { come_back: true, passkeys: true, passkeys_only: true, ..Self::default() },
            notice(Notice::Deactivated),
            notice(Notice::Deleted),
            notice(Notice::DeletionAsked),
            Self { wait: "5 minutes".to_owned(), ..trouble(Trouble::Throttled) },
        ]
    }
}

impl Web {
    /// A longer return target would not leave room for the password in a form; it becomes the front page.
    const MAX_FIELD_BYTES: usize = 2 * 1024;

    /// The address of the sign-in page.
    pub(super) fn login_address(&self, return_to: &ReturnTo, reason: SignInReason) -> String {
        let target: String = form_urlencoded::byte_serialize(return_to.as_str().as_bytes()).collect();
        let again = match reason {
            SignInReason::NoSession => "",
            SignInReason::Passkey => "&again=passkey",
            SignInReason::SecondFactor => "&again=second-factor",
            SignInReason::StepUp => "&again=1",
        };
        format!("{}?return_to={target}{again}", self.ours("/login"))
    }

    pub(super) fn login_page(&self, request: &Request<Bytes>, visit: &Visit<'_>) -> Reply {
        let return_to = ReturnTo::parse(&in_query(request, "return_to"), &self.parts.prefix);
        let reason = match &*in_query(request, "again") {
            "1" => SignInReason::StepUp,
            "passkey" => SignInReason::Passkey,
            "second-factor" => SignInReason::SecondFactor,
            _ => SignInReason::NoSession,
        };
        if let Some(member) = visit.member {
            if reason == SignInReason::NoSession {
                return Ok(self.outbound.redirect(StatusCode::SEE_OTHER, return_to.as_str()));
            }
            if reason == SignInReason::SecondFactor
                && let Some(answer) = self.to_second_factor(&member, &return_to, visit)?
            {
                return Ok(answer);
            }
            if let Some(answer) = self.confirm_by_passkey(&member, &return_to, reason, visit)? {
                return Ok(answer);
            }
        }
        let page = LoginPage {
            return_to: fit(&return_to),
            again: visit.member.is_some(),
            username: visit
                .member
                .map(|member| member.session.profile().name.to_string())
                .unwrap_or_default(),
            notice: match &*in_query(request, "notice") {
                "deactivated" => Some(Notice::Deactivated),
                "deleted" => Some(Notice::Deleted),
                "deletion-asked" => Some(Notice::DeletionAsked),
                "joined" => Some(Notice::Joined),
                "joined-to-wait" => Some(Notice::JoinedToWait),
                "passkey-removed" => Some(Notice::PasskeyRemoved),
                "password-set" => Some(Notice::PasswordSet),
                "signed-out" => Some(Notice::SignedOut),
                _ => None,
            },
            come_back: visit.member.is_none() && in_query(request, "come_back") == "1",
            ..LoginPage::default()
        };
        let mut response = self.show_login(StatusCode::OK, page, request.headers(), visit);
        if let Some(cookie) = self.quiet_again(request) {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
        Ok(response)
    }

    pub(super) async fn log_in(&self, request: &Request<Bytes>, visit: &Visit<'_>) -> Reply {
        let form = Form::read(request, &self.parts.origins)?;
        if self.passwords_are_off() {
            return Err(Problem::PasswordsOff);
        }
        let headers = request.headers();
        let return_to = ReturnTo::parse(form.text("return_to"), &self.parts.prefix);
        let page = LoginPage::posted(&form, &return_to, visit);
        if self.tie(&form, headers)? == Tie::Lost {
            return Ok(self.show_again(Trouble::NoCookie, page, headers, visit));
        }
        let password = form.secret("password");
        if password.expose().chars().count() > Accounts::MAX_PASSWORD_CHARS {
            return Err(Problem::PayloadTooLarge);
        }
        let (persistence, way) = (Persistence::from(page.stay), page.way());
        let typed = Typed { name: &page.username, password, persistence, way };
        let (outcome, at_forum) = self.sign_in_or_back(&typed, &page, headers, visit).await?;
        match outcome {
            SignInOutcome::Busy => Ok(self.show_again(Trouble::Busy, page, headers, visit)),
            SignInOutcome::Refused(reason) => Ok(self.show_refused(reason, page, headers, visit)),
            SignInOutcome::Throttled(throttled, member) => {
                self.note_throttled(way, &throttled, member, visit);
                Ok(self.show_wait(&throttled, page, headers, visit))
            }
            SignInOutcome::SecondFactorAwaited(right) => {
                let wishes = Wishes::posted(&form);
                self.ask_for_code(right, typed.password, &return_to, wishes, headers, visit).await
            }
            SignInOutcome::SignedIn(token, profile, beside) => {
                let arrival = Arrival {
                    token: &token,
                    profile: &profile,
                    persistence,
                    way,
                    return_to: &return_to,
                    password: Some(typed.password),
                    at_forum,
                    wishes: Wishes::posted(&form),
                    event: match beside {
                        Beside::TrustedByMail | Beside::TrustedDevice => {
                            Event::SignedInWith("trusted-device")
                        }
                        Beside::Code | Beside::MailedCode | Beside::Nothing => Event::SignedIn,
                    },
                };
                Ok(self.arrive(arrival, headers, visit).await)
            }
        }
    }

    /// Signs in. Who wants to come back to an account they had switched off, and has the password, has it on first.
    async fn sign_in_or_back(
        &self,
        typed: &Typed<'_>,
        page: &LoginPage,
        headers: &HeaderMap,
        visit: &Visit<'_>,
    ) -> Result<(SignInOutcome, Option<Unclaimed>), Problem> {
        let first = self.sign_in(typed, headers, visit).await?;
        let (SignInOutcome::Refused(RefusedBecause::SwitchedOff(user)), true) = (&first.0, page.come_back)
        else {
            return Ok(first);
        };
        let user = *user;
        let back = self.parts.accounts.come_back(user).await;
        back.map_err(|error| self.store_failed(&error, visit))?;
        audit::record(Event::CameBack, Some(user), visit);
        self.sign_in(typed, headers, visit).await
    }

    /// Says what came of it, and writes it down.
    fn show_refused(
        &self,
        reason: RefusedBecause,
        page: LoginPage,
        headers: &HeaderMap,
        visit: &Visit<'_>,
    ) -> Response<Bytes> {
        match reason {
            RefusedBecause::SwitchedOff(_) => {
                let page = LoginPage { come_back: true, ..page };
                self.show_again(Trouble::SwitchedOff, page, headers, visit)
            }
            RefusedBecause::Applicant => {
                audit::record(Event::SignInRefused(reason), self.account_of(&page.username), visit);
                self.show_again(Trouble::Waits, page, headers, visit)
            }
            _ => {
                self.note_refused(reason, &page.username, headers, visit);
                self.show_again(Trouble::Refused, page, headers, visit)
            }
        }
    }

    /// Writes down that somebody was refused, for operators and for the member who is meant.
    fn note_refused(&self, reason: RefusedBecause, typed: &str, headers: &HeaderMap, visit: &Visit<'_>) {
        let member = self.account_of(typed);
        audit::record(Event::SignInRefused(reason), member, visit);
        if let Some(member) = member {
            self.note(What::WrongPassword, member, headers, visit);
        }
    }

    /// Shows the form once more, with what was typed but the password.
    fn show_again(
        &self,
        trouble: Trouble,
        page: LoginPage,
        headers: &HeaderMap,
        visit: &Visit<'_>,
    ) -> Response<Bytes> {
        let status = match trouble {
            Trouble::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Trouble::NoCookie => StatusCode::FORBIDDEN,
            Trouble::Throttled => StatusCode::TOO_MANY_REQUESTS,
            // Not 200, so that password managers do not save what was wrong; 401 would need a challenge.
            Trouble::Refused | Trouble::SwitchedOff | Trouble::Waits => StatusCode::UNPROCESSABLE_ENTITY,
        };
        self.show_login(status, LoginPage { trouble: Some(trouble), ..page }, headers, visit)
    }

    /// Shows it to somebody who has to wait.
    fn show_wait(
        &self,
        throttled: &Throttled,
        page: LoginPage,
        headers: &HeaderMap,
        visit: &Visit<'_>,
    ) -> Response<Bytes> {
        let page = LoginPage { wait: wait_in_words(throttled.wait), ..page };
        with_retry_after(self.show_again(Trouble::Throttled, page, headers, visit), throttled)
    }

    /// SECURITY: S1. The session this browser had is over once it has another; the member is signed in either way.
    pub(super) async fn end_replaced(&self, visit: &Visit<'_>) {
        let Some(member) = visit.member else { return };
        if let Err(error) = self.parts.sessions.end(member.session.id()).await {
            let _ = self.store_failed(&error, visit);
        }
    }

    /// Shows the form, tied to this browser.
    fn show_login(
        &self,
        status: StatusCode,
        mut page: LoginPage,
        headers: &HeaderMap,
        visit: &Visit<'_>,
    ) -> Response<Bytes> {
        page.passkeys = self.can_use_passkeys(&page, visit);
        page.passkeys_only = self.passwords_are_off();
        page.recovery = self.recovery_address(&page.return_to);
        page.joins = !page.again && self.is_open();
        page.takes_newcomers = !page.again && self.takes_newcomers();
        page.offers_adding =
            page.again && visit.member.is_some_and(|member| self.offers_adding_after(member.session));
        let mut response = self.tied(status, |csrf| LoginPage { csrf, ..page }, headers, visit);
        let fields = response.headers_mut();
        if self.is_stale(headers, visit) {
            fields.append(SET_COOKIE, self.parts.cookies.clear_session());
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            fields.insert(RETRY_AFTER, HeaderValue::from_static(Problem::RETRY_AFTER));
        }
        response
    }

    /// Everyone who signs in is shown the same; who they say they are plays no part (SECURITY: D3, BP-50, BP-51). A member
    /// who confirms is shown it if they have one.
    fn can_use_passkeys(&self, page: &LoginPage, visit: &Visit<'_>) -> bool {
        match (self.parts.passkeys.as_deref(), visit.member) {
            (None, _) => false,
            (Some(passkeys), Some(member)) if page.again => {
                passkeys.of(member.session.user()).is_ok_and(|all| !all.is_empty())
            }
            (Some(_), _) => true,
        }
    }

    /// SECURITY: S1. Whether the browser holds a session cookie that is good for nothing.
    pub(super) fn is_stale(&self, headers: &HeaderMap, visit: &Visit<'_>) -> bool {
        let presented = self.parts.cookies.session(Self::cookie_fields(headers));
        visit.member.is_none() && !matches!(presented, Presented::Nothing)
    }

    /// Whose account was tried, for the log.
    pub(super) fn account_of(&self, typed: &str) -> Option<UserId> {
        Some(self.parts.accounts.identify(typed).ok()??.profile.id)
    }
}

/// The return target as a field's value.
pub(super) fn fit(return_to: &ReturnTo) -> String {
    let bytes: usize = form_urlencoded::byte_serialize(return_to.as_str().as_bytes()).map(str::len).sum();
    if bytes <= Web::MAX_FIELD_BYTES { return_to.to_string() } else { String::new() }
}
