//! Floor 3: our own pages. `http::Request` in, `http::Response` out; knows no pingora.
//!
//! This file is the list of routes and hands each request to the file that answers it. Nothing is checked, worded or
//! formatted here. Every response leaves through `response`, so that each carries the same security headers once.

mod account;
mod app_passwords;
mod arriving;
mod assets;
mod audience;
mod audit;
mod first_sign_in;
mod forgot;
mod forum;
mod forum_password;
mod incidents;
mod join;
mod join_ask;
mod kept;
mod letters;
mod link;
mod login;
mod logout;
mod notices;
pub mod options;
mod pages;
mod palette;
mod passkeys;
mod password;
mod posted;
mod refusal;
mod request;
mod response;
mod second_factor;
mod security_headers;
mod setup;
mod stay;
mod throttled;
mod tied;
mod well_known;
mod wording;

pub use audience::Audience;
pub use kept::{Late, Resend};
pub use letters::Letters;
pub use pages::PagesError;
pub use passkeys::{PasskeyCount, PasskeyCounts};
pub use refusal::Problem;
pub use request::{MAX_BODY_BYTES, MAX_JSON_BYTES};
pub use response::without_body;
pub use well_known::is_well_known;

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};

use crate::auth::app_passwords::options::AppPasswordOptions;
use crate::auth::joining::Invitations;
use crate::auth::joining::options::JoinOptions;
use crate::auth::mail::MailQueue;
use crate::auth::passkeys::Passkeys;
use crate::auth::second_factors::SecondFactors;
use crate::auth::throttle::Throttle;
use crate::auth::{
    Accounts, Cookies, KeptForms, LiveSession, SelfDelete, SessionToken, Sessions, SignIn, Tally,
};
use crate::bridge::ForumAccounts;
use crate::domain::{Clock, RequestPath, ReturnTo};
use crate::policy::SignInReason;
use options::PageOptions;
use pages::Pages;
use response::{Outbound, Reply};

/// What the pages are made of.
pub struct WebParts {
    /// How they look.
    pub options: PageOptions,
    /// The path below which they live, without a slash at its end: `/.passgate`.
    pub prefix: String,
    /// The origins our forms are posted from, as browsers write them in `Origin`: `https://forum.example`, or
    /// `https://*.forum.example` for all names below that one.
    pub origins: Vec<String>,
    /// The `Strict-Transport-Security` of every response; none where browsers reach us without TLS.
    pub hsts: Option<HeaderValue>,
    /// The methods the gateway lets through to the application, named when it refuses another.
    pub methods: Vec<Method>,
    /// Makes and reads our cookies.
    pub cookies: Cookies,
    /// Signing in.
    pub sign_in: Arc<SignIn>,
    /// Set-up links.
    pub accounts: Arc<Accounts>,
    /// Invitations.
    pub invitations: Invitations,
    /// Who may join.
    pub joining: JoinOptions,
    /// Signing out, and a member's own sessions.
    pub sessions: Arc<Sessions>,
    /// Forms that came too late.
    pub kept: Arc<KeptForms>,
    /// How large one of them may be; 0 where none is kept.
    pub keep_forms: usize,
    /// Whether members delete their accounts themselves.
    pub self_delete: SelfDelete,
    /// What app passwords are for; none where they are off.
    pub app_passwords: Option<AppPasswordOptions>,
    /// Passkeys; none where they are switched off, and then no page speaks of them.
    pub passkeys: Option<Arc<Passkeys>>,
    /// Second factors.
    pub second_factors: Arc<SecondFactors>,
    /// How often anybody may try to get in.
    pub throttle: Arc<Throttle>,
    /// What strangers make happen.
    pub tally: Arc<Tally>,
    /// What becomes of ceremonies.
    pub passkey_counts: Arc<PasskeyCounts>,
    /// Members' accounts at the forum; none where they need none.
    pub forum: Option<Arc<ForumAccounts>>,
    /// Mails to members; none where none is sent.
    pub mail: Option<Arc<MailQueue>>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// Our own pages.
pub struct Web {
    parts: WebParts,
    pages: Pages,
    outbound: Outbound,
}

/// Who asks: what the caller has found out about a request before it comes here.
#[derive(Clone, Copy)]
pub struct Visit<'a> {
    /// The request's id; members see it as the reference of a problem.
    pub request_id: &'a str,
    /// The address the request came from.
    pub client: IpAddr,
    /// The signed-in member, if the session cookie was good.
    pub member: Option<Member<'a>>,
}

/// A signed-in member's browser.
#[derive(Clone, Copy)]
pub struct Member<'a> {
    /// What the browser presented; sign-out and account forms are tied to it.
    pub token: &'a SessionToken,
    /// What [`Sessions::check`] made of it.
    pub session: &'a LiveSession,
}

/// Everything below the prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route<'r> {
    Account,
    AccountData,
    AccountEmail,
    AccountEmailCancel,
    AccountEmailConfirm,
    AccountExport,
    AccountLeave,
    AccountNotMe,
    AccountSecurity,
    AppPasswords(app_passwords::Route),
    Asset(&'r str),
    EndOtherSessions,
    EndSession,
    Forgot,
    Forum,
    ForumDisconnect,
    ForumPassword,
    Home,
    Join,
    Kept,
    KeptDiscard,
    KeptSend,
    Link,
    Login,
    Logout,
    Passkeys(passkeys::Route),
    Password,
    PasswordStrength,
    SecondFactor(second_factor::Route),
    Setup,
}

impl<'r> Route<'r> {
    /// THE list of routes; `rest` is what follows the prefix.
    fn of(rest: &'r str) -> Option<Self> {
        Some(match rest {
            "" | "/" => Self::Home,
            "/account" => Self::Account,
            "/account/end-other-sessions" => Self::EndOtherSessions,
            "/account/end-session" => Self::EndSession,
            "/account/forum" => Self::Forum,
            "/account/forum/disconnect" => Self::ForumDisconnect,
            "/account/forum/password" => Self::ForumPassword,
            "/account/data" => Self::AccountData,
            "/account/data/export" => Self::AccountExport,
            "/account/email" => Self::AccountEmail,
            "/account/email/cancel" => Self::AccountEmailCancel,
            "/account/email/confirm" => Self::AccountEmailConfirm,
            "/account/leave" => Self::AccountLeave,
            "/account/not-me" => Self::AccountNotMe,
            "/account/security" => Self::AccountSecurity,
            "/account/kept" => Self::Kept,
            "/account/kept/discard" => Self::KeptDiscard,
            "/account/kept/send" => Self::KeptSend,
            "/forgot" => Self::Forgot,
            "/join" => Self::Join,
            "/account/password" => Self::Password,
            "/api/password-strength" => Self::PasswordStrength,
            "/link" => Self::Link,
            "/login" => Self::Login,
            "/logout" => Self::Logout,
            "/setup" => Self::Setup,
            _ => match rest.strip_prefix("/assets/") {
                Some(name) => Self::Asset(name),
                None => {
                    let app_passwords = app_passwords::Route::of(rest).map(Self::AppPasswords);
                    let second_factor = || second_factor::Route::of(rest).map(Self::SecondFactor);
                    let passkeys = || passkeys::Route::of(rest).map(Self::Passkeys);
                    return app_passwords.or_else(second_factor).or_else(passkeys);
                }
            },
        })
    }

    /// The methods it answers, for `Allow`.
    const fn allow(self) -> &'static str {
        match self {
            Self::Account
            | Self::AccountData
            | Self::AccountSecurity
            | Self::Asset(_)
            | Self::Home
            | Self::Kept => "GET, HEAD",
            Self::AccountEmailCancel
            | Self::AccountExport
            | Self::EndOtherSessions
            | Self::EndSession
            | Self::ForumDisconnect
            | Self::KeptDiscard
            | Self::KeptSend
            | Self::PasswordStrength => "POST",
            Self::AccountEmail
            | Self::AccountEmailConfirm
            | Self::AccountLeave
            | Self::AccountNotMe
            | Self::Forgot
            | Self::Forum
            | Self::ForumPassword
            | Self::Join
            | Self::Link
            | Self::Login
            | Self::Logout
            | Self::Password
            | Self::Setup => "GET, HEAD, POST",
            Self::AppPasswords(route) => route.allow(),
            Self::Passkeys(route) => route.allow(),
            Self::SecondFactor(route) => route.allow(),
        }
    }
}

impl Web {
    /// Loads and tries all templates; a folder of one's own with a mistake in it fails here, naming file and line.
    pub fn new(parts: WebParts) -> Result<Self, PagesError> {
        let has_passwords = parts.passkeys.as_ref().is_none_or(|passkeys| !passkeys.are_the_only_way());
        let helps = parts.mail.is_some() && has_passwords;
        let help = if helps { format!("{}/forgot", parts.prefix) } else { String::new() };
        let pages = Pages::load(&parts.options, &parts.prefix, &help)?;
        let outbound = Outbound::new(parts.hsts.clone(), &parts.methods);
        Ok(Self { parts, pages, outbound })
    }

    /// Answers a request below the prefix, or at a well-known address of ours. The body is complete, or cut off somewhere
    /// above [`MAX_JSON_BYTES`].
    pub async fn dispatch(&self, request: Request<Bytes>, visit: &Visit<'_>) -> Response<Bytes> {
        let audience = Audience::of(request.headers(), request.method());
        let reply = self.answer(&request, visit).await;
        let response = reply.unwrap_or_else(|problem| self.problem(problem, audience, visit));
        if request.method() == Method::HEAD { without_body(response) } else { response }
    }

    async fn answer(&self, request: &Request<Bytes>, visit: &Visit<'_>) -> Reply {
        let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
        let path = RequestPath::parse(target).map_err(|_| Problem::AmbiguousTarget)?;
        if let Some(reply) = self.well_known(&path, request) {
            return reply;
        }
        let rest = path.below(&self.parts.prefix).ok_or(Problem::NotFound)?;
        let route = Route::of(rest).ok_or(Problem::NotFound)?;
        match (request.method(), route) {
            (_, Route::AppPasswords(route)) => self.answer_app_passwords(route, request, visit).await,
            (_, Route::Passkeys(route)) => self.answer_passkeys(route, request, visit).await,
            (_, Route::SecondFactor(route)) => self.answer_second_factor(route, request, visit).await,
            (&Method::GET | &Method::HEAD, Route::Account) => self.account_page(request, visit),
            (&Method::GET | &Method::HEAD, Route::AccountData) => self.data_page(visit),
            (&Method::GET | &Method::HEAD, Route::AccountEmail) => self.email_page(visit),
            (&Method::GET | &Method::HEAD, Route::AccountEmailConfirm) => {
                self.confirm_email_page(request, visit)
            }
            (&Method::GET | &Method::HEAD, Route::AccountLeave) => self.leave_page(request, visit),
            (&Method::GET | &Method::HEAD, Route::AccountNotMe) => self.not_me_page(request, visit),
            (&Method::GET | &Method::HEAD, Route::AccountSecurity) => self.security_page(request, visit),
            (&Method::GET | &Method::HEAD, Route::Asset(name)) => self.asset(name, request.headers()),
            (&Method::GET | &Method::HEAD, Route::Forgot) => self.forgot_page(request, visit),
            (&Method::GET | &Method::HEAD, Route::Forum) => self.forum_page(request, visit),
            (&Method::GET | &Method::HEAD, Route::ForumPassword) => self.forum_password_page(visit),
            (&Method::GET | &Method::HEAD, Route::Home) => {
                Ok(self.outbound.redirect(StatusCode::SEE_OTHER, &self.ours("/account")))
            }
            (&Method::GET | &Method::HEAD, Route::Join) => self.join_page(request, visit),
            (&Method::GET | &Method::HEAD, Route::Kept) => self.kept_page(request, visit).await,
            (&Method::GET | &Method::HEAD, Route::Link) => self.link_page(request, visit).await,
            (&Method::GET | &Method::HEAD, Route::Login) => self.login_page(request, visit),
            (&Method::GET | &Method::HEAD, Route::Logout) => self.logout_page(visit),
            (&Method::GET | &Method::HEAD, Route::Password) => self.password_page(request, visit),
            (&Method::GET | &Method::HEAD, Route::Setup) => self.setup_page(request, visit).await,
            (&Method::POST, Route::AccountEmail) => self.ask_email(request, visit).await,
            (&Method::POST, Route::AccountEmailCancel) => self.cancel_email(request, visit).await,
            (&Method::POST, Route::AccountEmailConfirm) => self.confirm_email(request, visit).await,
            (&Method::POST, Route::AccountExport) => self.export(request, visit),
            (&Method::POST, Route::AccountLeave) => self.leave(request, visit).await,
            (&Method::POST, Route::AccountNotMe) => self.was_not_me(request, visit).await,
            (&Method::POST, Route::EndOtherSessions) => self.end_other_sessions(request, visit).await,
            (&Method::POST, Route::EndSession) => self.end_session(request, visit).await,
            (&Method::POST, Route::Forgot) => self.ask_reset(request, visit).await,
            (&Method::POST, Route::Forum) => self.connect_forum(request, visit).await,
            (&Method::POST, Route::ForumDisconnect) => self.disconnect_forum(request, visit).await,
            (&Method::POST, Route::ForumPassword) => self.choose_forum_password(request, visit).await,
            (&Method::POST, Route::Join) => self.join(request, visit).await,
            (&Method::POST, Route::KeptDiscard) => self.discard_kept(request, visit),
            (&Method::POST, Route::KeptSend) => self.send_kept(request, visit),
            (&Method::POST, Route::Link) => self.sign_in_by_link(request, visit).await,
            (&Method::POST, Route::Login) => self.log_in(request, visit).await,
            (&Method::POST, Route::Logout) => self.log_out(request, visit).await,
            (&Method::POST, Route::Password) => self.change_password(request, visit).await,
            (&Method::POST, Route::PasswordStrength) => self.judge_password(request, visit).await,
            (&Method::POST, Route::Setup) => self.set_up(request, visit).await,
            _ => Err(Problem::MethodNotAllowed(Some(route.allow()))),
        }
    }

    /// Sends a visitor from another name of the site to this address of it. The answer is not kept, so that a mistake in
    /// the configuration is not either.
    pub fn moved(&self, location: &str) -> Response<Bytes> {
        self.outbound.redirect(StatusCode::MOVED_PERMANENTLY, location)
    }

    /// Sends a visitor to the sign-in page, or tells a script that signing in comes first.
    pub fn unauthenticated(
        &self,
        audience: Audience,
        return_to: &ReturnTo,
        reason: SignInReason,
        visit: &Visit<'_>,
    ) -> Response<Bytes> {
        match audience {
            Audience::Page => {
                self.outbound.redirect(StatusCode::FOUND, &self.login_address(return_to, reason))
            }
            Audience::Script => self.problem(reason.into(), audience, visit),
        }
    }

    /// An address of ours.
    fn ours(&self, rest: &str) -> String {
        format!("{}{rest}", self.parts.prefix)
    }

    /// The `Cookie` fields of a request.
    fn cookie_fields(headers: &HeaderMap) -> impl Iterator<Item = &[u8]> {
        headers.get_all(http::header::COOKIE).iter().map(HeaderValue::as_bytes)
    }
}

#[cfg(test)]
mod tests;
