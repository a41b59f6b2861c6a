//! Getting back in by mail: the page where a member says who they are, and the mailed link.
//!
//! SECURITY: AUTH-09, AUTH-10, AUTH-14. Nobody learns here who has an account: the answer is one and the same, and what was
//! typed is not on it. Looking at the link changes nothing, and setting a password with it signs nobody in.

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use serde::Serialize;

use super::account::seen;
use super::audit::{self, Event};
use super::pages::Page;
use super::password::PasswordTrouble;
use super::request::{Form, in_query};
use super::response::Reply;
use super::setup::Shown;
use super::tied::Tie;
use super::{Problem, Visit, Web};
use crate::auth::mail::{AskedReset, Happened};
use crate::auth::throttle::{Way, Who};
use crate::auth::{MailedToken, SetupOutcome};
use crate::domain::{LinkKind, ReturnTo};
use crate::policy::SignInReason;

/// What the page shows.
#[derive(Default, Serialize)]
pub(super) struct ForgotPage {
    csrf: String,
    return_to: String,
    /// Where the sign-in page is that leads on to there.
    sign_in: String,
    /// Whether a mail is on its way, if there is such an account.
    sent: bool,
    /// Whether the form came without our cookie.
    no_cookie: bool,
}

impl Page for ForgotPage {
    const TEMPLATE: &'static str = "forgot.html";

    fn samples() -> Vec<Self> {
        vec![
            Self::default(),
            Self { sent: true, ..Self::default() },
            Self { no_cookie: true, ..Self::default() },
        ]
    }
}

impl Web {
    /// Whether members who have forgotten their password get a mail.
    pub(super) fn resets_by_mail(&self) -> bool {
        self.parts.mail.is_some() && !self.passwords_are_off()
    }

    /// Where members who can't sign in are helped, coming back to `return_to`; empty for nowhere.
    pub(super) fn recovery_address(&self, return_to: &str) -> String {
        match &self.parts.options.recovery_url {
            Some(url) => url.clone(),
            None if self.resets_by_mail() => {
                let target: String = form_urlencoded::byte_serialize(return_to.as_bytes()).collect();
                format!("{}?return_to={target}", self.ours("/forgot"))
            }
            None => String::new(),
        }
    }

    pub(super) fn forgot_page(&self, request: &Request<Bytes>, visit: &Visit<'_>) -> Reply {
        if !self.resets_by_mail() {
            return Err(Problem::NotFound);
        }
        let return_to = ReturnTo::parse(&in_query(request, "return_to"), &self.parts.prefix);
        Ok(self.show_forgot(StatusCode::OK, ForgotPage::default(), &return_to, request.headers(), visit))
    }

    pub(super) async fn ask_reset(&self, request: &Request<Bytes>, visit: &Visit<'_>) -> Reply {
        let form = Form::read(request, &self.parts.origins)?;
        let Some(mail) = self.parts.mail.as_ref().filter(|_| self.resets_by_mail()) else {
            return Err(Problem::NotFound);
        };
        let headers = request.headers();
        let return_to = ReturnTo::parse(form.text("return_to"), &self.parts.prefix);
        if self.tie(&form, headers)? == Tie::Lost {
            let page = ForgotPage { no_cookie: true, ..ForgotPage::default() };
            return Ok(self.show_forgot(StatusCode::FORBIDDEN, page, &return_to, headers, visit));
        }
        // Each counts, whatever comes of it: it is dropped here.
        drop(self.reserve(Way::Reset, Who::Unknown, visit)?);
        let (typed, request_id) = (form.secret("username"), visit.request_id.to_owned());
        if !mail.ask_reset(AskedReset { typed, request_id, client: visit.client }) {
            return Err(Problem::Busy);
        }
        let page = ForgotPage { sent: true, ..ForgotPage::default() };
        Ok(self.show_forgot(StatusCode::OK, page, &return_to, headers, visit))
    }

    fn show_forgot(
        &self,
        status: StatusCode,
        page: ForgotPage,
        return_to: &ReturnTo,
        headers: &HeaderMap,
        visit: &Visit<'_>,
    ) -> Response<Bytes> {
        let page = |csrf| ForgotPage {
            csrf,
            return_to: super::login::fit(return_to),
            sign_in: self.login_address(return_to, SignInReason::NoSession),
            ..page
        };
        self.tied(status, page, headers, visit)
    }

    /// The page of a mailed link.
    pub(super) fn mailed_page(&self, token: &MailedToken, visit: &Visit<'_>) -> Reply {
        match self.open_mailed(token, visit)? {
            Some(shown) => self.show_setup(&shown, None, visit),
            None => self.link_expired(visit),
        }
    }

    /// Sets a password with a mailed link.
    pub(super) async fn set_up_mailed(
        &self,
        token: &MailedToken,
        form: &Form,
        headers: &HeaderMap,
        visit: &Visit<'_>,
    ) -> Reply {
        let Some(shown) = self.open_mailed(token, visit)? else { return self.link_expired(visit) };
        let member = &shown.user.profile;
        let notice = self.notice(Happened::PasswordReset, member, headers, visit);
        let with = notice.into_iter().collect();
        let password = self.new_password(form.secret("password"), member, visit)?;
        let outcome = self.parts.accounts.redeem_mailed(token, password, seen(headers, visit), with).await;
        match outcome.map_err(|error| self.store_failed(&error, visit))? {
            SetupOutcome::Busy => self.show_setup(&shown, Some(PasswordTrouble::Busy), visit),
            SetupOutcome::Done(_) => {
                audit::record(Event::PasswordReset, Some(member.id), visit);
                self.forgive(member.id, visit);
                let next = self.ours("/login?notice=password-set");
                Ok(self.outbound.redirect(StatusCode::SEE_OTHER, &next))
            }
            SetupOutcome::Expired => self.link_expired(visit),
            SetupOutcome::Weak(weak) => self.show_setup(&shown, Some(weak.into()), visit),
        }
    }

    pub(super) fn open_mailed(
        &self,
        token: &MailedToken,
        visit: &Visit<'_>,
    ) -> Result<Option<Shown>, Problem> {
        if self.passwords_are_off() {
            return Ok(None);
        }
        let reserved = self.reserve(Way::Link, Who::Unknown, visit)?;
        let open =
            self.parts.accounts.open_mailed(token).map_err(|error| self.store_failed(&error, visit))?;
        if open.is_some() {
            reserved.undone();
        }
        Ok(open.map(|user| Shown { token: token.to_text(), user, kind: LinkKind::SetUp }))
    }
}
