//! The JSON that the script of our pages speaks: two requests a ceremony, and a note of what failed in the browser.
//!
//! SECURITY: WEB-01, WEB-02, BP-42. Each request carries the anti-forgery value of its page: the browser's for signing in,
//! the member's for all else. A ceremony for signing in belongs to the browser that holds the cookie.

use bytes::Bytes;
use http::header::{HeaderMap, SET_COOKIE};
use http::{Request, Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::account::seen;
use super::super::audit::{self, Event};
use super::super::request::{proven_json, sign_in_proof, user_agent};
use super::super::response::Reply;
use super::super::stay::Stay;
use super::super::throttled::with_retry_after;
use super::super::{Member, Problem, Visit, Web};
use super::Purpose;
use super::counts::{Alarm, PasskeyCount, client};
use super::refused::Refused;
use super::signal::Signal;
use super::welcome::PlatformAuthenticator;
use crate::auth::events::What;
use crate::auth::mail::Happened as Told;
use crate::auth::passkeys::{Challenge, Failed, PasskeySignIn, Passkeys, Place};
use crate::auth::throttle::{Reserved, Throttled, Way, Who};
use crate::auth::{BrowserToken, SessionToken};
use crate::domain::{Passkey, Persistence, Profile, ReturnTo};

/// What begins a ceremony.
#[derive(Deserialize)]
struct Begin {
    /// For adding: where it is to live.
    #[serde(default)]
    place: PlaceWord,
}

/// [`Place`] as the script calls it.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum PlaceWord {
    #[default]
    Any,
    Phone,
    SecurityKey,
    ThisDevice,
}

impl From<PlaceWord> for Place {
    fn from(word: PlaceWord) -> Self {
        match word {
            PlaceWord::Any => Self::Any,
            PlaceWord::Phone => Self::Phone,
            PlaceWord::SecurityKey => Self::SecurityKey,
            PlaceWord::ThisDevice => Self::ThisDevice,
        }
    }
}

/// What ends one.
#[derive(Deserialize)]
struct Finish {
    ceremony: String,
    /// The authenticator's answer, as the browser's `toJSON()` writes it.
    answer: Value,
    #[serde(flatten)]
    stay: Stay,
    #[serde(default)]
    return_to: String,
    #[serde(default)]
    passkey_ready: bool,
    /// Whether the member comes back to an account that they had switched off.
    #[serde(default)]
    come_back: bool,
}

/// What failed in the browser.
#[derive(Deserialize)]
struct Trouble {
    purpose: String,
    name: String,
}

#[derive(Serialize)]
struct Begun<'a> {
    ceremony: &'a str,
    options: &'a Value,
    lifetime_seconds: u64,
}

#[derive(Serialize)]
struct Done<'a> {
    location: &'a str,
    signal: Option<Signal>,
}

impl Web {
    pub(super) async fn begin_ceremony(
        &self,
        passkeys: &Passkeys,
        purpose: Purpose,
        request: &Request<Bytes>,
        visit: &Visit<'_>,
    ) -> Reply {
        let origins = &self.parts.origins;
        if purpose == Purpose::SignIn {
            let browser = self.browser(request.headers()).ok_or(Problem::CsrfFailed)?;
            proven_json::<Begin>(request, origins, &sign_in_proof(&browser))?;
            return Ok(self.begun(&passkeys.begin_sign_in(browser.hash())));
        }
        let member = visit.member.ok_or(Problem::SignInRequired)?;
        let begin: Begin = proven_json(request, origins, &member.proof())?;
        if purpose == Purpose::StepUp {
            let challenge = passkeys.begin_step_up(member.session);
            return challenge
                .map(|challenge| self.begun(&challenge))
                .map_err(|error| self.store_failed(&error, visit));
        }
        match passkeys.begin_add(member.session, begin.place.into()) {
            Ok(Ok(challenge)) => Ok(self.begun(&challenge)),
            Ok(Err(reason)) => {
                Ok(self.not_done(passkeys, Refused::adding(&reason), Purpose::Add, request.headers(), visit))
            }
            Err(error) => Err(self.store_failed(&error, visit)),
        }
    }

    pub(super) async fn finish_ceremony(
        &self,
        passkeys: &Passkeys,
        purpose: Purpose,
        request: &Request<Bytes>,
        visit: &Visit<'_>,
    ) -> Reply {
        let origins = &self.parts.origins;
        if purpose == Purpose::SignIn {
            let browser = self.browser(request.headers()).ok_or(Problem::CsrfFailed)?;
            let finish = proven_json(request, origins, &sign_in_proof(&browser))?;
            return self.finish_sign_in(passkeys, &browser, finish, request.headers(), visit).await;
        }
        let member = visit.member.ok_or(Problem::SignInRequired)?;
        let finish = proven_json(request, origins, &member.proof())?;
        match purpose {
            Purpose::Add => self.finish_add(passkeys, &member, finish, request.headers(), visit).await,
            _ => self.finish_step_up(passkeys, &member, finish, request.headers(), visit).await,
        }
    }

    async fn finish_sign_in(
        &self,
        passkeys: &Passkeys,
        browser: &BrowserToken,
        finish: Finish,
        headers: &HeaderMap,
        visit: &Visit<'_>,
    ) -> Reply {
        let Finish { ceremony, answer, stay, return_to, passkey_ready, come_back } = finish;
        let persistence = Persistence::from(stay);
        let reserved = match self.try_to_reserve(Way::Passkey, Who::Unknown, visit)? {
            Ok(reserved) => reserved,
            Err(throttled) => return Ok(self.wait(passkeys, &throttled, Purpose::SignIn, headers, visit)),
        };
        let agent = user_agent(headers);
        let (reserved, browser) = (reserved, browser.hash());
        let ended = if come_back {
            passkeys.finish_coming_back(&reserved, browser, &ceremony, &answer, persistence, agent).await
        } else {
            passkeys.finish_sign_in(&reserved, browser, &ceremony, &answer, persistence, agent).await
        };
        match ended.map_err(|error| self.store_failed(&error, visit))? {
            PasskeySignIn::Failed(reason) => {
                settle(reserved, reason);
                Ok(self.not_done(passkeys, Refused::because(reason), Purpose::SignIn, headers, visit))
            }
            PasskeySignIn::SignedIn(token, profile, passkey) => {
                reserved.succeeded(profile.id);
                audit::record(Event::SignedInByPasskey, Some(profile.id), visit);
                self.notify_if_new(profile.id, headers, visit).await;
                let event = self.seen_happening(What::SignedInByPasskey, headers, visit);
                let event = event.about(passkey.name.as_str()).beginning(token.hash());
                self.parts.accounts.note(profile.id, event);
                self.count(passkeys, Purpose::SignIn.word(), "ok", headers);
                self.end_replaced(visit).await;
                let return_to = ReturnTo::parse(&return_to, &self.parts.prefix);
                let is_offered = passkey_ready && persistence != Persistence::Shared;
                let platform = PlatformAuthenticator::from(is_offered && is_elsewhere(&answer, &passkey));
                let next = self.after_sign_in(&profile, &return_to, platform, headers);
                let response = self.signed_in_by_passkey(passkeys, &token, persistence, &profile, &next);
                Ok(self.marking(response, profile.id, persistence, headers, visit))
            }
        }
    }

    async fn finish_step_up(
        &self,
        passkeys: &Passkeys,
        member: &Member<'_>,
        finish: Finish,
        headers: &HeaderMap,
        visit: &Visit<'_>,
    ) -> Reply {
        let Finish { ceremony, answer, return_to, .. } = finish;
        let reserved = match self.try_to_reserve(Way::Passkey, Who::Unknown, visit)? {
            Ok(reserved) => reserved,
            Err(throttled) => return Ok(self.wait(passkeys, &throttled, Purpose::StepUp, headers, visit)),
        };
        let agent = user_agent(headers);
        let ended = passkeys.finish_step_up(&reserved, member.session, &ceremony, &answer, agent).await;
        match ended.map_err(|error| self.store_failed(&error, visit))? {
            PasskeySignIn::Failed(reason) => {
                settle(reserved, reason);
                let name = member.session.profile().name.to_string();
                Ok(self.not_done(
                    passkeys,
                    Refused::confirming(reason, &name),
                    Purpose::StepUp,
                    headers,
                    visit,
                ))
            }
            PasskeySignIn::SignedIn(token, profile, _) => {
                reserved.succeeded(profile.id);
                audit::record(Event::Confirmed, Some(profile.id), visit);
                self.count(passkeys, Purpose::StepUp.word(), "ok", headers);
                let persistence = member.session.persistence();
                let next = ReturnTo::parse(&return_to, &self.parts.prefix);
                let response =
                    self.signed_in_by_passkey(passkeys, &token, persistence, &profile, next.as_str());
                Ok(self.marking(response, profile.id, persistence, headers, visit))
            }
        }
    }

    async fn finish_add(
        &self,
        passkeys: &Passkeys,
        member: &Member<'_>,
        finish: Finish,
        headers: &HeaderMap,
        visit: &Visit<'_>,
    ) -> Reply {
        let Finish { ceremony, answer, return_to, .. } = finish;
        let seen = seen(headers, visit);
        let ended = passkeys.finish_add(member.session, &ceremony, &answer, None, seen).await;
        match ended.map_err(|error| self.store_failed(&error, visit))? {
            Err(reason) => {
                Ok(self.not_done(passkeys, Refused::adding(&reason), Purpose::Add, headers, visit))
            }
            Ok(passkey) => {
                audit::record(Event::PasskeyAdded, Some(member.session.user()), visit);
                self.notify(Told::PasskeyAdded, member.session.user(), headers, visit).await;
                self.count(passkeys, Purpose::Add.word(), "ok", headers);
                let return_to = self.optional_return(&return_to);
                let location = self.rename_address(&passkey.id.handle(), &return_to);
                let signal = Signal::of(passkeys, &member.session.profile());
                Ok(self.outbound.json(StatusCode::OK, &Done { location: &location, signal }))
            }
        }
    }

    /// Writes down what failed in a member's browser; the answer is the reference to it.
    pub(super) fn note_trouble(
        &self,
        passkeys: &Passkeys,
        request: &Request<Bytes>,
        visit: &Visit<'_>,
    ) -> Reply {
        let expected = match visit.member {
            Some(member) => member.proof(),
            None => sign_in_proof(&self.browser(request.headers()).ok_or(Problem::CsrfFailed)?),
        };
        let Trouble { purpose, name } = proven_json(request, &self.parts.origins, &expected)?;
        let known = |list: &[&'static str], word: &str| {
            list.iter().find(|known| **known == word).copied().unwrap_or("other")
        };
        let (purpose, error) = (known(&PURPOSES, &purpose), known(&ERRORS, &name));
        self.count(passkeys, purpose, error, request.headers());
        self.note_passkey("passkey-trouble", purpose, error, visit);
        Ok(self.outbound.json(StatusCode::OK, &serde_json::json!({ "ref": visit.request_id })))
    }

    fn begun(&self, challenge: &Challenge) -> Response<Bytes> {
        let Challenge { ceremony, options, lifetime } = challenge;
        let begun = Begun { ceremony, options, lifetime_seconds: lifetime.as_secs() };
        self.outbound.json(StatusCode::OK, &begun)
    }

    /// Too many passkeys that proved nothing came from there.
    fn wait(
        &self,
        passkeys: &Passkeys,
        throttled: &Throttled,
        purpose: Purpose,
        headers: &HeaderMap,
        visit: &Visit<'_>,
    ) -> Response<Bytes> {
        let response = self.not_done(passkeys, Refused::too_many(), purpose, headers, visit);
        with_retry_after(response, throttled)
    }

    fn not_done(
        &self,
        passkeys: &Passkeys,
        refused: Refused,
        purpose: Purpose,
        headers: &HeaderMap,
        visit: &Visit<'_>,
    ) -> Response<Bytes> {
        self.count(passkeys, purpose.word(), refused.counted, headers);
        self.note_passkey("passkey-refused", purpose.word(), refused.code, visit);
        let refused = if passkeys.are_the_only_way() { refused.without_passwords() } else { refused };
        self.refuse(&refused, visit)
    }

    /// Counts what became of a ceremony, and tells operators what they should know now.
    fn count(&self, passkeys: &Passkeys, ceremony: &'static str, outcome: &'static str, headers: &HeaderMap) {
        let client = client(user_agent(headers));
        let count = PasskeyCount { ceremony, outcome, client };
        match self.parts.passkey_counts.note(count, self.parts.clock.now()) {
            None => {}
            Some(Alarm::Origin) => tracing::warn!(
                target: "passgate::passkeys",
                alarm = "origin", ceremony, outcome, client,
                rp_id = passkeys.options().rp_id, origins = passkeys.options().origins.join(", "),
                "a passkey was refused over the page's address: if members reach the site under another name than \
                 server.public_url, list that name in server.aliases; if a proxy stands before the gateway, it must \
                 leave the Host field as it is"
            ),
            Some(Alarm::ManyFail { failed, of }) => tracing::warn!(
                target: "passgate::passkeys",
                alarm = "many-fail", failed, of,
                "many passkeys have failed within ten minutes; `passgate passkey stats` shows with which browsers"
            ),
        }
    }

    fn signed_in_by_passkey(
        &self,
        passkeys: &Passkeys,
        token: &SessionToken,
        persistence: Persistence,
        profile: &Profile,
        location: &str,
    ) -> Response<Bytes> {
        let done = Done { location, signal: Signal::of(passkeys, profile) };
        let mut response = self.outbound.json(StatusCode::OK, &done);
        response.headers_mut().append(SET_COOKIE, self.parts.cookies.set_session(token, persistence));
        response
    }
}

/// Without its first half nothing was looked at.
fn settle(reserved: Reserved, reason: Failed) {
    if reason == Failed::Ceremony {
        reserved.undone();
    }
}

const PURPOSES: [&str; 3] = ["add", "sign-in", "step-up"];

/// What browsers throw (WebAuthn Level 3, §5.1.3.1 and §5.1.4.4). Only these words reach the log.
const ERRORS: [&str; 9] = [
    "ConstraintError",
    "InvalidStateError",
    "NotAllowedError",
    "NotReadableError",
    "NotSupportedError",
    "OperationError",
    "SecurityError",
    "TypeError",
    "UnknownError",
];

impl Purpose {
    const fn word(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::SignIn => "sign-in",
            Self::StepUp => "step-up",
        }
    }
}

/// Whether the passkey is on another device, such as a phone near by (BP-21). A hint of the browser's, for an offer only.
fn is_elsewhere(answer: &Value, passkey: &Passkey) -> bool {
    let is_key = passkey.transports.iter().any(|way| way == "usb" || way == "nfc");
    answer.get("authenticatorAttachment").and_then(Value::as_str) == Some("cross-platform") && !is_key
}
