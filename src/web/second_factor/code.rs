//! The page that asks for a code after the password, and what it posts.
//!
//! SECURITY: THR-08, THR-13. It is shown to whoever knows the password, in the browser in which it was typed, for five minutes. Until
//! the code is right there is no session, the forum hears nothing, and the browser is marked in no way.

use bytes::Bytes;
use http::header::SET_COOKIE;
use http::{HeaderMap, Request, Response, StatusCode};
use serde::Serialize;

use super::super::arriving::{Arrival, Wishes};
use super::super::audit::{self, Event};
use super::super::pages::Page;
use super::super::request::{Form, Provenance, in_query, sign_in_proof, user_agent};
use super::super::response::Reply;
use super::super::throttled::with_retry_after;
use super::super::wording::{days, masked, wait_in_words};
use super::super::{Problem, Visit, Web};
use crate::auth::events::What;
use crate::auth::second_factors::{CodeWay, NotByMail, Shown};
use crate::auth::throttle::{Throttled, Way};
use crate::auth::{BrowserToken, CodeAttempt, CodeOutcome, PasswordRight, SignedInByCode};
use crate::domain::{MailAddress, Persistence, ReturnTo, Secret, User, UserId};
use crate::policy::SignInReason;

/// What the page shows.
#[derive(Clone, Default, Serialize)]
pub(in crate::web) struct CodePage {
    csrf: String,
    return_to: String,
    return_to_in_query: String,
    username: String,
    /// Whether a signed-in member is to confirm who they are.
    again: bool,
    /// Whether a recovery code is asked for.
    recovery: bool,
    /// Where the code was mailed to, in part; empty where an app shows it.
    mailed_to: String,
    /// Why no mailed code counts, so that a recovery code has to do.
    not_by_mail: Option<NotMailed>,
    /// Whether another code was mailed just now.
    is_sent_again: bool,
    /// For how long this browser may be trusted; empty where that is not offered.
    trust: String,
    /// The names of what was wished with the password.
    wishes: Vec<&'static str>,
    trouble: Option<Trouble>,
    /// How long to wait before the next try; empty where waiting does not help.
    wait: String,
}

/// Whether the browser is to be trusted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Trust {
    NotWanted,
    Wanted,
}

impl From<bool> for Trust {
    fn from(is_ticked: bool) -> Self {
        if is_ticked { Self::Wanted } else { Self::NotWanted }
    }
}

/// Why no mailed code counts.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case")]
enum NotMailed {
    PasswordIsFromThere,
    Unconfirmed,
}

/// Why the form is shown once more.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Trouble {
    /// Enough codes were mailed within the hour.
    Enough,
    Refused,
    Throttled,
}

impl Page for CodePage {
    const TEMPLATE: &'static str = "code.html";

    fn samples() -> Vec<Self> {
        let trouble = |trouble| Self { trouble: Some(trouble), ..Self::default() };
        let mailed = || Self { mailed_to: "a…@f….example".to_owned(), ..Self::default() };
        vec![
            Self { trust: "30 days".to_owned(), wishes: vec!["then_add"], ..Self::default() },
            Self { recovery: true, ..Self::default() },
            Self { recovery: true, ..trouble(Trouble::Refused) },
            Self { again: true, ..Self::default() },
            trouble(Trouble::Refused),
            trouble(Trouble::Throttled),
            Self { is_sent_again: true, ..mailed() },
            Self { trouble: Some(Trouble::Enough), ..mailed() },
            Self { trouble: Some(Trouble::Refused), ..mailed() },
            Self { recovery: true, ..mailed() },
            Self { recovery: true, not_by_mail: Some(NotMailed::PasswordIsFromThere), ..Self::default() },
            Self { recovery: true, not_by_mail: Some(NotMailed::Unconfirmed), ..Self::default() },
            Self { wait: "5 minutes".to_owned(), ..trouble(Trouble::Throttled) },
        ]
    }
}

impl Web {
    /// Has the browser wait for the code. The password is kept for those five minutes only where the forum is to be signed in to
    /// with it afterwards.
    pub(in crate::web) async fn ask_for_code(
        &self,
        right: PasswordRight,
        password: Secret<String>,
        return_to: &ReturnTo,
        wishes: Wishes,
        headers: &HeaderMap,
        visit: &Visit<'_>,
    ) -> Reply {
        let Some(browser) = self.browser(headers) else {
            return Ok(self.to_login(return_to, SignInReason::NoSession));
        };
        audit::record(Event::SecondFactorAwaited, Some(right.user()), visit);
        if let CodeWay::Mail(to) = right.code_way() {
            self.mail_code(right.user(), to, visit).await?;
        }
        let password = self.would_try_at_forum(right.user()).then_some(password);
        self.parts.sign_in.await_code(browser.hash(), right, password);
        let target: String = form_urlencoded::byte_serialize(return_to.as_str().as_bytes()).collect();
        let wishes: String = wishes.names().map(|name| format!("&{name}=1")).collect();
        let address = format!("{}?return_to={target}{wishes}", self.ours("/login/code"));
        Ok(self.outbound.redirect(StatusCode::SEE_OTHER, &address))
    }

    /// Mails a code to this member. Whether that was done: it is not if they have had enough of them within the hour.
    pub(in crate::web) async fn mail_code(
        &self,
        user: UserId,
        to: &MailAddress,
        visit: &Visit<'_>,
    ) -> Result<bool, Problem> {
        let Some(mail) = &self.parts.mail else { return Ok(false) };
        let sent = mail.send_code(user, to).await.map_err(|error| self.store_failed(&error, visit))?;
        if sent {
            audit::record(Event::CodeMailed, Some(user), visit);
        }
        Ok(sent)
    }

    /// Mails another code to the member whose sign-in waits in this browser.
    async fn mail_again(
        &self,
        browser: &BrowserToken,
        page: CodePage,
        return_to: &ReturnTo,
        headers: &HeaderMap,
        visit: &Visit<'_>,
    ) -> Reply {
        let failed = |error| self.store_failed(&error, visit);
        let awaited = self.parts.sign_in.awaited_in(browser.hash()).map_err(failed)?;
        let Some((user, ..)) = awaited else { return Ok(self.start_again(return_to)) };
        let page = match self.parts.second_factors.code_way(&user).map_err(failed)? {
            Some(CodeWay::Mail(to)) if self.mail_code(user.profile.id, &to, visit).await? => {
                CodePage { is_sent_again: true, ..page }
            }
            Some(CodeWay::Mail(_)) => CodePage { trouble: Some(Trouble::Enough), ..page },
            _ => page,
        };
        self.show_code(page, return_to, headers, visit)
    }

    pub(super) fn code_page(&self, request: &Request<Bytes>, visit: &Visit<'_>) -> Reply {
        let return_to = ReturnTo::parse(&in_query(request, "return_to"), &self.parts.prefix);
        let recovery = in_query(request, "with") == "recovery";
        let wished = |name: &'static str| (!in_query(request, name).is_empty()).then_some(name);
        let wishes = ["then_add", "passkey_ready"].into_iter().filter_map(wished).collect();
        let page = CodePage { recovery, wishes, ..CodePage::default() };
        self.show_code(page, &return_to, request.headers(), visit)
    }

    pub(super) async fn enter_code(&self, request: &Request<Bytes>, visit: &Visit<'_>) -> Reply {
        let form = Form::read(request, &self.parts.origins)?;
        let headers = request.headers();
        let return_to = ReturnTo::parse(form.text("return_to"), &self.parts.prefix);
        let browser = self.browser(headers).filter(|browser| form.proves(&sign_in_proof(browser)));
        let Some(browser) = browser else {
            return match form.provenance() {
                Provenance::Ours => Ok(self.start_again(&return_to)),
                Provenance::Unsaid => Err(Problem::CsrfFailed),
            };
        };
        let attempt = CodeAttempt {
            code: form.secret("code"),
            user_agent: user_agent(headers),
            from: visit.client,
            session: visit.member.map(|member| member.session),
            marks: &self.marks(headers),
        };
        let wishes = Wishes::posted(&form);
        let page = CodePage {
            recovery: form.is_ticked("recovery"),
            wishes: wishes.names().collect(),
            ..CodePage::default()
        };
        if form.is_ticked("another") {
            return self.mail_again(&browser, page, &return_to, headers, visit).await;
        }
        let outcome = self.parts.sign_in.by_code(browser.hash(), attempt).await;
        match outcome.map_err(|error| self.store_failed(&error, visit))? {
            CodeOutcome::Over => Ok(self.start_again(&return_to)),
            CodeOutcome::Refused(member) => {
                self.note(What::WrongCode, member, headers, visit);
                audit::record(Event::SecondFactorRefused, Some(member), visit);
                let page = CodePage { trouble: Some(Trouble::Refused), ..page };
                self.show_code(page, &return_to, headers, visit)
            }
            CodeOutcome::Throttled(throttled, member) => {
                self.note_throttled(Way::SecondFactor, &throttled, Some(member), visit);
                self.show_code_wait(&throttled, page, &return_to, headers, visit)
            }
            CodeOutcome::SignedIn(signed_in) => {
                let trust = form.is_ticked("trust");
                Ok(self.let_in(*signed_in, &return_to, wishes, trust.into(), headers, visit).await)
            }
        }
    }

    async fn let_in(
        &self,
        signed_in: SignedInByCode,
        return_to: &ReturnTo,
        wishes: Wishes,
        trust: Trust,
        headers: &HeaderMap,
        visit: &Visit<'_>,
    ) -> Response<Bytes> {
        let SignedInByCode { token, profile, shown, persistence, way, password } = signed_in;
        let event = match shown {
            Shown::Code => Event::SignedInWith("code"),
            Shown::Mailed => Event::SignedInWith("mailed-code"),
            Shown::Recovery(left) => {
                self.note(What::RecoveryCodeUsed, profile.id, headers, visit);
                audit::record(Event::RecoveryCodeUsed(left), Some(profile.id), visit);
                Event::SignedInWith("recovery-code")
            }
        };
        let arrival = Arrival {
            token: &token,
            profile: &profile,
            persistence,
            way,
            return_to,
            password,
            at_forum: None,
            wishes,
            event,
        };
        let mut response = self.arrive(arrival, headers, visit).await;
        let may_be = way == Way::Password && may_be_trusted(persistence);
        if trust == Trust::Wanted
            && may_be
            && let Some(cookie) = self.trust_this_browser(profile.id, headers, visit).await
        {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
        response
    }

    fn show_code_wait(
        &self,
        throttled: &Throttled,
        page: CodePage,
        return_to: &ReturnTo,
        headers: &HeaderMap,
        visit: &Visit<'_>,
    ) -> Reply {
        let wait = wait_in_words(throttled.wait);
        let page = CodePage { trouble: Some(Trouble::Throttled), wait, ..page };
        let response = self.show_code(page, return_to, headers, visit)?;
        Ok(with_retry_after(response, throttled))
    }

    /// Shows the form, if a sign-in waits in this browser.
    fn show_code(
        &self,
        page: CodePage,
        return_to: &ReturnTo,
        headers: &HeaderMap,
        visit: &Visit<'_>,
    ) -> Reply {
        let Some(browser) = self.browser(headers) else { return Ok(self.start_again(return_to)) };
        let awaited = self.parts.sign_in.awaited_in(browser.hash());
        let awaited: Option<(User, Way, Persistence)> =
            awaited.map_err(|error| self.store_failed(&error, visit))?;
        let Some((user, way, persistence)) = awaited else {
            return Ok(self.start_again(return_to));
        };
        let way_of_code = self.parts.second_factors.code_way(&user);
        let (mailed_to, not_by_mail) = match way_of_code.map_err(|error| self.store_failed(&error, visit))? {
            Some(CodeWay::Mail(to)) => (masked(&to), None),
            Some(CodeWay::NotByMail(NotByMail::PasswordIsFromThere)) => {
                (String::new(), Some(NotMailed::PasswordIsFromThere))
            }
            Some(CodeWay::NotByMail(NotByMail::Unconfirmed)) => (String::new(), Some(NotMailed::Unconfirmed)),
            Some(CodeWay::App) | None => (String::new(), None),
        };
        let is_offered = way == Way::Password && may_be_trusted(persistence);
        let trust = self.parts.second_factors.trust().filter(|_| is_offered);
        let page = CodePage {
            csrf: sign_in_proof(&browser).to_text(),
            return_to: return_to.to_string(),
            return_to_in_query: form_urlencoded::byte_serialize(return_to.as_str().as_bytes()).collect(),
            username: user.profile.name.to_string(),
            again: way == Way::Confirm,
            recovery: page.recovery || not_by_mail.is_some(),
            mailed_to,
            not_by_mail,
            trust: trust.map(days).unwrap_or_default(),
            ..page
        };
        let status = match page.trouble {
            None => StatusCode::OK,
            Some(Trouble::Refused) => StatusCode::UNPROCESSABLE_ENTITY,
            Some(Trouble::Enough | Trouble::Throttled) => StatusCode::TOO_MANY_REQUESTS,
        };
        Ok(self.page(status, &page, visit))
    }

    /// Back to the password: it was too long ago, or is another one by now. Whoever is signed in already goes on, and is asked
    /// there if need be.
    fn start_again(&self, return_to: &ReturnTo) -> Response<Bytes> {
        self.to_login(return_to, SignInReason::NoSession)
    }
}

/// Whoever says that a computer is shared trusts it with nothing.
const fn may_be_trusted(persistence: Persistence) -> bool {
    match persistence {
        Persistence::Browser | Persistence::Remembered => true,
        Persistence::Shared => false,
    }
}
