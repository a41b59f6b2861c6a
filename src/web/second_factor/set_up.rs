//! Setting a second factor up: a key for an app, which counts once a code confirms it.
//!
//! SECURITY: BP-63, AUTH-05. Only after a fresh proof of who asks. The key is shown on this page alone, and only until it counts.

use bytes::Bytes;
use http::header::SET_COOKIE;
use http::{Request, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

use super::super::audit::{self, Event};
use super::super::pages::Page;
use super::super::request::{in_query, user_agent};
use super::super::response::Reply;
use super::super::{Member, Visit, Web};
use super::qr::Qr;
use super::second_factor_failed;
use crate::auth::events::What;
use crate::auth::mail::Happened;
use crate::auth::second_factors::{Kind, SetUp};
use crate::domain::ReturnTo;
use crate::policy::SignInReason;

/// What the page shows.
#[derive(Clone, Default, Serialize)]
pub(in crate::web) struct TwoStepPage {
    csrf: String,
    /// Where to go afterwards; empty for the account page.
    return_to: String,
    return_to_in_query: String,
    username: String,
    /// The key in groups of four.
    key: String,
    /// The same, as an address that an app on this device opens.
    uri: String,
    qr: Option<Qr>,
    /// There is no going on without it.
    is_needed: bool,
    /// Whether a passkey can be added instead.
    offers_passkey: bool,
    is_refused: bool,
}

impl Page for TwoStepPage {
    const TEMPLATE: &'static str = "two-step.html";

    fn samples() -> Vec<Self> {
        let qr = Some(Qr { side: 33, path: "M4 4h7v1h-7z".to_owned() });
        vec![
            Self { qr, return_to: "/".to_owned(), ..Self::default() },
            Self { is_needed: true, offers_passkey: true, ..Self::default() },
            Self { is_needed: true, is_refused: true, ..Self::default() },
        ]
    }
}

impl Web {
    pub(super) fn two_step_page(&self, request: &Request<Bytes>, visit: &Visit<'_>) -> Reply {
        let here = self.return_here(request);
        let Some(member) = visit.member else {
            return Ok(self.to_login(&here, SignInReason::NoSession));
        };
        let return_to = self.optional_return(&in_query(request, "return_to"));
        self.show_two_step(StatusCode::OK, &here, return_to, &member, visit)
    }

    pub(super) async fn set_two_step_up(&self, request: &Request<Bytes>, visit: &Visit<'_>) -> Reply {
        let Some(member) = visit.member else { return Ok(self.to_sign_in()) };
        let form = self.member_form(request, &member)?;
        let here = self.two_step("");
        if let Some(first) = self.before_changing(&member, &here, visit)? {
            return Ok(first);
        }
        let return_to = self.optional_return(form.text("return_to"));
        let agent = user_agent(request.headers());
        let outcome = self.parts.second_factors.confirm(member.session, form.text("code"), agent).await;
        match outcome.map_err(|error| second_factor_failed(&error, visit))? {
            SetUp::AlreadyThere => Ok(self.back_to_account("two-step-there")),
            SetUp::StepUpFirst => Ok(self.to_login(&here, SignInReason::StepUp)),
            SetUp::NotBegun => Ok(self
                .outbound
                .redirect(StatusCode::SEE_OTHER, &self.with_return(here.as_str(), &return_to))),
            SetUp::WrongCode => {
                self.show_two_step(StatusCode::UNPROCESSABLE_ENTITY, &here, return_to, &member, visit)
            }
            SetUp::Done(token, codes) => {
                self.note(What::SecondFactorSetUp, member.session.user(), request.headers(), visit);
                audit::record(Event::SecondFactorSetUp, Some(member.session.user()), visit);
                self.notify(Happened::TwoStepOn, member.session.user(), request.headers(), visit).await;
                let mut response = self.show_codes(&codes, &return_to, &member, visit);
                if let Some(token) = token {
                    let persistence = member.session.persistence();
                    let cookie = self.parts.cookies.set_session(&token, persistence);
                    response.headers_mut().append(SET_COOKIE, cookie);
                }
                Ok(response)
            }
        }
    }

    fn show_two_step(
        &self,
        status: StatusCode,
        here: &ReturnTo,
        return_to: String,
        member: &Member<'_>,
        visit: &Visit<'_>,
    ) -> Reply {
        if let Some(first) = self.before_changing(member, here, visit)? {
            return Ok(first);
        }
        let second_factors = &self.parts.second_factors;
        let standing = second_factors.of(member.session.user());
        let standing = standing.map_err(|error| self.store_failed(&error, visit))?;
        if standing.is_some_and(|standing| standing.kind == Kind::App) {
            return Ok(self.back_to_account("two-step-there"));
        }
        let profile = member.session.profile();
        let setting_up = second_factors.begin(member.session);
        let uri = self.otpauth(profile.name.as_str(), &setting_up.key());
        let passkeys = self.parts.passkeys.as_deref();
        let page = TwoStepPage {
            csrf: member.proof().to_text(),
            return_to_in_query: form_urlencoded::byte_serialize(return_to.as_bytes()).collect(),
            return_to,
            username: profile.name.to_string(),
            key: setting_up.key_in_groups(),
            qr: Qr::of(&uri),
            uri,
            is_needed: second_factors.are_awaited(member.session),
            offers_passkey: passkeys.is_some_and(|passkeys| passkeys.are_offered_to(&profile)),
            is_refused: status != StatusCode::OK,
        };
        Ok(self.page(status, &page, visit))
    }

    /// The key as apps read it from a QR code or a link; what is left out is what they take without it: <https://github.com/google/google-authenticator/wiki/Key-Uri-Format>.
    fn otpauth(&self, name: &str, key: &str) -> String {
        let encoded = |text| utf8_percent_encode(text, NON_ALPHANUMERIC);
        let (site, name) = (encoded(&self.parts.options.site_name), encoded(name));
        format!("otpauth://totp/{site}:{name}?secret={key}&issuer={site}")
    }

    pub(super) fn with_return(&self, address: &str, return_to: &str) -> String {
        let target: String = form_urlencoded::byte_serialize(return_to.as_bytes()).collect();
        if target.is_empty() { address.to_owned() } else { format!("{address}?return_to={target}") }
    }
}
