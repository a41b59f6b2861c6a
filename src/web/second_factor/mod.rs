//! The pages that have to do with second factors, which members know as "two-step sign-in". What is checked is checked in
//! `auth::second_factors`.
//!
//! Where they are switched off nothing answers at these addresses, and no other page speaks of them.

mod code;
mod codes;
mod list;
mod mail;
mod off;
mod qr;
mod set_up;
mod trust;

pub(super) use code::CodePage;
pub(super) use codes::RecoveryCodesPage;
pub(super) use list::TwoStep;
pub(super) use mail::TwoStepMailPage;
pub(super) use off::TwoStepOffPage;
pub(super) use set_up::TwoStepPage;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};

use super::response::Reply;
use super::{Member, Problem, Visit, Web};
use crate::auth::second_factors::{Kind, SecondFactorError};
use crate::domain::ReturnTo;
use crate::policy::SignInReason;

/// What has to do with second factors below the prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    Code,
    Codes,
    EndTrust,
    Mail,
    Off,
    SetUp,
}

impl Route {
    /// The part of the list of routes that is about second factors.
    pub(super) fn of(rest: &str) -> Option<Self> {
        Some(match rest {
            "/account/two-step" => Self::SetUp,
            "/account/two-step/codes" => Self::Codes,
            "/account/two-step/end-trust" => Self::EndTrust,
            "/account/two-step/mail" => Self::Mail,
            "/account/two-step/off" => Self::Off,
            "/login/code" => Self::Code,
            _ => return None,
        })
    }

    /// The methods it answers, for `Allow`.
    pub(super) const fn allow(self) -> &'static str {
        match self {
            Self::Code | Self::Codes | Self::Mail | Self::Off | Self::SetUp => "GET, HEAD, POST",
            Self::EndTrust => "POST",
        }
    }
}

impl Web {
    /// Answers at one of these addresses.
    pub(super) async fn answer_second_factor(
        &self,
        route: Route,
        request: &Request<Bytes>,
        visit: &Visit<'_>,
    ) -> Reply {
        if !self.parts.second_factors.are_on() {
            return Err(Problem::NotFound);
        }
        match (request.method(), route) {
            (&Method::GET | &Method::HEAD, Route::Code) => self.code_page(request, visit),
            (&Method::GET | &Method::HEAD, Route::Codes) => self.codes_page(visit),
            (&Method::GET | &Method::HEAD, Route::Mail) => self.two_step_mail_page(visit),
            (&Method::GET | &Method::HEAD, Route::Off) => self.two_step_off_page(visit),
            (&Method::GET | &Method::HEAD, Route::SetUp) => self.two_step_page(request, visit),
            (&Method::POST, Route::Code) => self.enter_code(request, visit).await,
            (&Method::POST, Route::Codes) => self.make_codes(request, visit).await,
            (&Method::POST, Route::EndTrust) => self.end_trust(request, visit).await,
            (&Method::POST, Route::Mail) => self.turn_mailed_codes_on(request, visit).await,
            (&Method::POST, Route::Off) => self.turn_two_step_off(request, visit).await,
            (&Method::POST, Route::SetUp) => self.set_two_step_up(request, visit).await,
            _ => Err(Problem::MethodNotAllowed(Some(route.allow()))),
        }
    }

    /// Where a member goes whose password alone is not enough; none where the form with the password leads there.
    pub(super) fn to_second_factor(
        &self,
        member: &Member<'_>,
        return_to: &ReturnTo,
        visit: &Visit<'_>,
    ) -> Result<Option<Response<Bytes>>, Problem> {
        let user = member.session.user();
        let failed = |error| self.store_failed(&error, visit);
        if !self.parts.second_factors.are_awaited(member.session) {
            return Ok(Some(self.outbound.redirect(StatusCode::SEE_OTHER, return_to.as_str())));
        }
        // Mailed codes are not what is asked for, so who has those is led on to an app.
        let standing = self.parts.second_factors.of(user).map_err(failed)?;
        if standing.is_some_and(|standing| standing.kind == Kind::App) {
            return Ok(None);
        }
        if let Some(passkeys) = self.parts.passkeys.as_deref()
            && !passkeys.of(user).map_err(failed)?.is_empty()
        {
            return self.confirm_by_passkey(member, return_to, SignInReason::Passkey, visit);
        }
        let target: String = form_urlencoded::byte_serialize(return_to.as_str().as_bytes()).collect();
        let address = format!("{}?return_to={target}", self.ours("/account/two-step"));
        Ok(Some(self.outbound.redirect(StatusCode::SEE_OTHER, &address)))
    }

    /// What has to come before a second factor is set up, changed or taken away; none if the member has just proven who they are,
    /// with all that is asked of them.
    fn before_changing(
        &self,
        member: &Member<'_>,
        here: &ReturnTo,
        visit: &Visit<'_>,
    ) -> Result<Option<Response<Bytes>>, Problem> {
        if self.awaits_passkey(member.session) {
            return Ok(Some(self.to_login(here, SignInReason::Passkey)));
        }
        let failed = |error| self.store_failed(&error, visit);
        let passkeys = self.parts.passkeys.as_deref();
        let reason = passkeys.map_or(Ok(None), |passkeys| passkeys.first(member.session)).map_err(failed)?;
        let may = self.parts.second_factors.may_be_changed_by(member.session).map_err(failed)?;
        let reason = reason.or_else(|| (!may).then_some(SignInReason::StepUp));
        Ok(reason.map(|reason| self.to_login(here, reason)))
    }

    /// An address of ours, as a return target.
    fn two_step(&self, rest: &str) -> ReturnTo {
        ReturnTo::parse(&self.ours(&format!("/account/two-step{rest}")), &self.parts.prefix)
    }
}

fn second_factor_failed(error: &SecondFactorError, visit: &Visit<'_>) -> Problem {
    tracing::error!(request_id = visit.request_id, %error, "a second factor can't be set up");
    Problem::StoreFailed
}
