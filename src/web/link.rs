//! The one-time link with which a member signs in (MF-63).
//!
//! SECURITY: AUTH-10. A member's second factor is asked for here, too; a wrong code leaves the link as it is.
//!
//! SECURITY: AUTH-09, L9. Looking at the link does not use it up, pressing the button does; what the session may do then is
//! decided in `auth::links`. As on the set-up page the token is the proof that the form asks for.

use bytes::Bytes;
use http::header::SET_COOKIE;
use http::{HeaderMap, Request, StatusCode};
use serde::Serialize;

use super::audit::{self, Event};
use super::pages::Page;
use super::request::{Form, in_query, user_agent};
use super::response::Reply;
use super::throttled::seconds;
use super::wording::masked;
use super::{Problem, Visit, Web};
use crate::auth::events::What;
use crate::auth::second_factors::{CodeWay, Shown};
use crate::auth::throttle::{Marks, Way};
use crate::auth::{Answered, CodeAttempt, LinkFactors, SetupToken};
use crate::domain::{LinkKind, Persistence, Profile, Secret, User};

/// What the page shows.
#[derive(Default, Serialize)]
pub(super) struct LinkPage {
    token: String,
    username: String,
    /// Whether it leads to adding one.
    adds_passkey: bool,
    /// Whether the code of a second factor is asked for.
    asks_code: bool,
    /// Whether one was given that is not right.
    is_refused: bool,
    /// Where codes are mailed to, in part; empty where an app shows them.
    mailed_to: String,
    /// Whether one was mailed just now.
    is_sent: bool,
    /// Whether mailed codes show nothing now, so that a recovery code has to do.
    only_recovery: bool,
}

/// Whether the code of a second factor is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Code {
    Asked,
    /// It is, and was mailed.
    Mailed,
    NotAsked,
    /// One was given that is not right.
    Refused,
}

impl Page for LinkPage {
    const TEMPLATE: &'static str = "link.html";

    fn samples() -> Vec<Self> {
        vec![
            Self::default(),
            Self { adds_passkey: true, ..Self::default() },
            Self { asks_code: true, ..Self::default() },
            Self { asks_code: true, is_refused: true, ..Self::default() },
            Self { asks_code: true, only_recovery: true, ..Self::default() },
            Self { asks_code: true, mailed_to: "a…@f….example".to_owned(), ..Self::default() },
            Self {
                is_sent: true, mailed_to: "a…@f….example".to_owned(), asks_code: true, ..Self::default()
            },
        ]
    }
}

impl Web {
    pub(super) async fn link_page(&self, request: &Request<Bytes>, visit: &Visit<'_>) -> Reply {
        match self.open_link(&in_query(request, "token"), visit)? {
            Some((token, user, kind)) if kind.signs_in() => {
                let marks = self.marks(request.headers());
                let attempt = code_attempt(Secret::new(String::new()), request.headers(), &marks, visit);
                let factors = self.parts.sign_in.beside_link(user.clone(), &attempt).await;
                let factors = factors.map_err(|error| self.store_failed(&error, visit))?;
                let code = if matches!(factors, LinkFactors::Met(..)) { Code::NotAsked } else { Code::Asked };
                self.show_link(&token, &user, kind, code, visit)
            }
            _ => self.link_expired(visit),
        }
    }

    pub(super) async fn sign_in_by_link(&self, request: &Request<Bytes>, visit: &Visit<'_>) -> Reply {
        let form = Form::read(request, &self.parts.origins)?;
        let Some((token, user, kind)) = self.open_link(form.text("token"), visit)? else {
            return self.link_expired(visit);
        };
        if form.is_ticked("another")
            && let Some(CodeWay::Mail(to)) = self.way_of_code(&user, visit)?
        {
            let sent = self.mail_code(user.profile.id, &to, visit).await?;
            return self.show_link(&token, &user, kind, if sent { Code::Mailed } else { Code::Asked }, visit);
        }
        let marks = self.marks(request.headers());
        let attempt = code_attempt(form.secret("code"), request.headers(), &marks, visit);
        let factors = self.parts.sign_in.beside_link(user.clone(), &attempt).await;
        let (met, shown) = match factors.map_err(|error| self.store_failed(&error, visit))? {
            LinkFactors::Met(met, shown) => (met, shown),
            LinkFactors::Asked(answered) => {
                if answered == Answered::Wrongly {
                    self.note(What::WrongCode, user.profile.id, request.headers(), visit);
                    audit::record(Event::SecondFactorRefused, Some(user.profile.id), visit);
                }
                return self.show_link(&token, &user, kind, Code::Refused, visit);
            }
            LinkFactors::Throttled(throttled) => {
                self.note_throttled(Way::SecondFactor, &throttled, Some(user.profile.id), visit);
                return Err(Problem::Throttled(seconds(throttled.retry_after())));
            }
        };
        let outcome = self.parts.accounts.sign_in_by_link(&token, kind, met, attempt.user_agent).await;
        let Some((session, profile)) = outcome.map_err(|error| self.store_failed(&error, visit))? else {
            return self.link_expired(visit);
        };
        if let Some(Shown::Recovery(left)) = shown {
            self.note(What::RecoveryCodeUsed, profile.id, request.headers(), visit);
            audit::record(Event::RecoveryCodeUsed(left), Some(profile.id), visit);
        }
        audit::record(Event::SignedInByLink(kind), Some(profile.id), visit);
        self.note_sign_in(What::SignedInByLink, profile.id, session.hash(), request.headers(), visit);
        self.forgive(profile.id, visit);
        self.end_replaced(visit).await;
        let adds = self.adds_passkey(kind, &profile);
        let next = if adds { "/account/passkeys/add" } else { "/account?notice=by-link" };
        let mut response = self.outbound.redirect(StatusCode::SEE_OTHER, &self.ours(next));
        let cookie = self.parts.cookies.set_session(&session, Persistence::Browser);
        response.headers_mut().append(SET_COOKIE, cookie);
        Ok(response)
    }

    fn show_link(
        &self,
        token: &SetupToken,
        user: &User,
        kind: LinkKind,
        code: Code,
        visit: &Visit<'_>,
    ) -> Reply {
        let way = self.way_of_code(user, visit)?.filter(|_| code != Code::NotAsked);
        let only_recovery = matches!(way, Some(CodeWay::NotByMail(_)));
        let mailed_to = match way {
            Some(CodeWay::Mail(to)) => masked(&to),
            _ => String::new(),
        };
        let status = if code == Code::Refused { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
        let page = LinkPage {
            token: token.to_text().to_string(),
            username: user.profile.name.to_string(),
            adds_passkey: self.adds_passkey(kind, &user.profile),
            asks_code: code != Code::NotAsked,
            is_refused: code == Code::Refused,
            mailed_to,
            is_sent: code == Code::Mailed,
            only_recovery,
        };
        Ok(self.page(status, &page, visit))
    }

    fn way_of_code(&self, user: &User, visit: &Visit<'_>) -> Result<Option<CodeWay>, Problem> {
        self.parts.second_factors.code_way(user).map_err(|error| self.store_failed(&error, visit))
    }

    /// Whether a passkey can be added in a session that such a link opens.
    fn adds_passkey(&self, kind: LinkKind, member: &Profile) -> bool {
        kind == LinkKind::Reset
            && self.parts.passkeys.as_ref().is_some_and(|passkeys| passkeys.are_offered_to(member))
    }
}

fn code_attempt<'a>(
    code: Secret<String>,
    headers: &'a HeaderMap,
    marks: &'a Marks,
    visit: &Visit<'a>,
) -> CodeAttempt<'a> {
    CodeAttempt {
        code,
        user_agent: user_agent(headers),
        from: visit.client,
        session: visit.member.map(|member| member.session),
        marks,
    }
}
