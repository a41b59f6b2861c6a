//! What can go wrong and how we say it: the one table from a [`Problem`] to status, code and words.
//!
//! SECURITY: OPS-04. No version, address, path or cause is told; the reference leads an operator to the log line.

use bytes::Bytes;
use http::header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde::Serialize;

use super::pages::Page;
use super::throttled::seconds;
use super::{Audience, Visit, Web};
use crate::auth::throttle::Throttled;
use crate::policy::{Refusal, SignInReason};
use crate::store::StoreError;

/// Why there is no answer to what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The address can be read in more than one way.
    AmbiguousTarget,
    /// A program's app password is none, or not for this.
    AppPasswordRefused,
    /// The request is not as it should be.
    BadRequest,
    /// Too much going on; nothing was done.
    Busy,
    /// A form that did not come from our page, or not from this browser.
    CsrfFailed,
    /// A rule denies it to everyone.
    Denied,
    /// A WebSocket that a page of another site asks for.
    ForeignTunnel,
    /// A form that waits for its member to sign in would have to be kept, and can't be.
    FormNotKept,
    /// The same, because it is too large.
    FormTooLarge,
    /// The request has more fields than it may.
    HeadTooLarge,
    /// Something else than a page was asked for without TLS, where there is TLS.
    InTheClear,
    /// A mistake of ours.
    Internal,
    /// Not with this method; the methods of a page of ours, or none for what the gateway lets through.
    MethodNotAllowed(Option<&'static str>),
    /// Nothing but a new one-time link lets this member confirm who they are.
    NewLinkNeeded,
    /// No such page of ours.
    NotFound,
    /// Signed in, but in none of the groups it takes.
    NotInGroup,
    /// More than we take.
    PayloadTooLarge,
    /// It takes a passkey, and this member may not have one.
    PasskeyNotOffered,
    /// A script has to have its member use a passkey.
    PasskeyRequired,
    /// Passwords are switched off.
    PasswordsOff,
    /// A script has to have its member show a second factor.
    SecondFactorRequired,
    /// A service worker of the application, which would stand before our pages.
    ServiceWorker,
    /// A script has to have its member sign in.
    SignInRequired,
    /// A script has to have its member confirm who they are.
    StepUpRequired,
    /// The store can't do its work.
    StoreFailed,
    /// Too many have been tried; so many seconds have to pass.
    Throttled(u32),
    /// A host we do not answer for.
    UnknownHost,
    /// A form in a format we do not read.
    UnsupportedMediaType,
    /// The application sent something that is no answer.
    UpstreamBroken,
    /// The application did not answer in time.
    UpstreamTimeout,
    /// The application can't be reached.
    UpstreamUnreachable,
}

/// What a problem looks like from outside.
struct Wording {
    status: StatusCode,
    code: &'static str,
    title: &'static str,
    sentence: &'static str,
    advice: &'static str,
    next: Next,
}

/// The link below the words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Next {
    FrontPage,
    Reload,
    SignIn,
    SignInAside,
}

impl Problem {
    /// Seconds after which trying again makes sense.
    pub(super) const RETRY_AFTER: &'static str = "5";
    /// What asks a program for an app password (RFC 7617).
    pub const APP_PASSWORD_CHALLENGE: HeaderValue =
        HeaderValue::from_static("Basic realm=\"app password\", charset=\"UTF-8\"");

    /// That a try came too early.
    pub fn throttled(throttled: &Throttled) -> Self {
        Self::Throttled(seconds(throttled.retry_after()))
    }

    /// THE table.
    #[rustfmt::skip]
    fn wording(self) -> Wording {
        use Next::{FrontPage, Reload, SignIn, SignInAside};
        use StatusCode as S;
        let (status, code, title, sentence, advice, next) = match self {
            Self::AmbiguousTarget => (S::BAD_REQUEST, "ambiguous-address", "We can’t read this address",
                "The address of this page is not written the way it should be.",
                "If you typed it or pasted it, please check it. If a link brought you here, tell the people who run this site.", FrontPage),
            Self::AppPasswordRefused => (S::UNAUTHORIZED, "app-password-refused", "That app password doesn’t work here",
                "It may be mistyped, removed, or not meant for this address.",
                "Sign in with your browser: your account page lists your app passwords, and makes new ones.", SignIn),
            Self::BadRequest => (S::BAD_REQUEST, "bad-request", "We didn’t understand that",
                "Your browser sent us something we can’t read. Nothing was changed.",
                "Please go back, load the page again and give it another try.", FrontPage),
            Self::Busy => (S::SERVICE_UNAVAILABLE, "busy", "A lot is going on right now",
                "We couldn’t get to your request. Nothing was changed.",
                "Please wait a few seconds and try again.", Reload),
            Self::CsrfFailed => (S::FORBIDDEN, "form-not-accepted", "We couldn’t accept that form",
                "It didn’t seem to come from our page in this browser, or the page had been open for a long time. Nothing was changed.",
                "Please open the page again and send the form from there.", FrontPage),
            Self::Denied => (S::FORBIDDEN, "denied", "This page isn’t open",
                "Nobody can open this page from here.",
                "If you think that’s a mistake, tell the people who run this site.", FrontPage),
            Self::FormNotKept => (S::UNAUTHORIZED, "form-not-kept", "Please sign in, then send it again",
                "Your sign-in has ended, or this page wants a fresh one. What you were sending has not gone out, and we couldn’t keep it for you.",
                "It isn’t lost: sign in in a new tab, come back to this one, and press your browser’s Back button. What you wrote should still be there to be sent again.", SignInAside),
            Self::FormTooLarge => (S::PAYLOAD_TOO_LARGE, "form-too-large", "Please sign in, then send it again",
                "Your sign-in has ended, or this page wants a fresh one. What you were sending has not gone out, and it is too large for us to keep for you.",
                "It isn’t lost: sign in in a new tab, come back to this one, and press your browser’s Back button. What you wrote should still be there to be sent again.", SignInAside),
            Self::ForeignTunnel => (S::FORBIDDEN, "foreign-origin", "That came from another site",
                "A page of another site tried to open a connection here. Nothing was changed.",
                "Please open it from this site’s own pages.", FrontPage),
            Self::HeadTooLarge => (S::REQUEST_HEADER_FIELDS_TOO_LARGE, "head-too-large", "Your browser sent too much",
                "It sent more along with this request than we take; too many cookies are the usual reason.",
                "Delete this site’s cookies in your browser’s settings, then try again.", FrontPage),
            Self::InTheClear => (S::FORBIDDEN, "https-only", "Please use https",
                "Here nothing is taken in the clear, where others could read along. Nothing was changed.",
                "Open the front page: it leads to the same site over https.", FrontPage),
            Self::Internal => (S::INTERNAL_SERVER_ERROR, "internal", "Something went wrong",
                "The mistake is on our side, not yours.",
                "Please try again. If it keeps happening, tell the people who run this site.", Reload),
            Self::MethodNotAllowed(_) => (S::METHOD_NOT_ALLOWED, "method-not-allowed", "That doesn’t work here",
                "This address can’t be used in that way. Nothing was changed.",
                "Please go back and start again from the page you came from.", FrontPage),
            Self::NewLinkNeeded => (S::FORBIDDEN, "new-link-needed", "Please ask for a new link",
                "The link you came with was used a while ago, and without a passkey we can’t tell that it’s still you.",
                "The people who run this site can give you a new one. Nothing was changed.", FrontPage),
            Self::NotFound => (S::NOT_FOUND, "not-found", "There’s nothing here",
                "We have no page at this address.",
                "The link may be old or incomplete.", FrontPage),
            Self::NotInGroup => (S::FORBIDDEN, "not-in-group", "This page isn’t open to you",
                "You’re signed in, but your account can’t open this page.",
                "If you think it should, ask the people who run this site.", FrontPage),
            Self::PayloadTooLarge => (S::PAYLOAD_TOO_LARGE, "too-large", "That’s too much at once",
                "What you sent is larger than we can take. Nothing was changed.",
                "Please go back and make it shorter or smaller.", FrontPage),
            Self::PasskeyNotOffered => (S::FORBIDDEN, "passkey-not-offered", "This page needs a passkey",
                "It opens only with a passkey, and your account can’t have one yet.",
                "The people who run this site can change that.", FrontPage),
            Self::PasskeyRequired => (S::UNAUTHORIZED, "passkey-required", "Please use your passkey",
                "Please confirm with a passkey first.", "", SignIn),
            Self::SecondFactorRequired => (S::UNAUTHORIZED, "second-factor-required", "Please finish signing in",
                "Please show your second factor first.", "", SignIn),
            Self::PasswordsOff => (S::FORBIDDEN, "passwords-off", "There are no passwords here",
                "On this site you sign in with a passkey. Nothing was changed.",
                "If you have none yet, the people who run this site can help you in.", SignIn),
            Self::ServiceWorker => (S::FORBIDDEN, "service-worker-refused", "This script can’t be installed",
                "The site’s pages may not keep a script running in your browser.",
                "Everything else works as before.", FrontPage),
            Self::SignInRequired => (S::UNAUTHORIZED, "sign-in-required", "Please sign in",
                "Please sign in first.", "", SignIn),
            Self::StepUpRequired => (S::UNAUTHORIZED, "step-up-required", "Please confirm it’s you",
                "Please confirm it’s you first.", "", SignIn),
            Self::StoreFailed => (S::SERVICE_UNAVAILABLE, "storage", "We can’t do this right now",
                "We couldn’t save or read what we need. Nothing was changed.",
                "Please try again in a little while. If it keeps happening, tell the people who run this site.", Reload),
            Self::Throttled(_) => (S::TOO_MANY_REQUESTS, "too-many-tries", "Please wait a little",
                "Too many tries went wrong. Nothing was changed.",
                "Please try again in a while. If it is urgent, the people who run this site can help.", Reload),
            Self::UnknownHost => (S::MISDIRECTED_REQUEST, "unknown-host", "Wrong address",
                "This server does not answer for that name.", "", FrontPage),
            Self::UnsupportedMediaType => (S::UNSUPPORTED_MEDIA_TYPE, "unsupported-form", "We can’t read that form",
                "It was sent in a format we don’t take. Nothing was changed.",
                "Please use the form on our page.", FrontPage),
            Self::UpstreamBroken => (S::BAD_GATEWAY, "site-answer-broken", "The site sent something unreadable",
                "We reached the site, but couldn’t make sense of its answer.",
                "Please try again in a moment. If it keeps happening, tell the people who run this site.", Reload),
            Self::UpstreamTimeout => (S::GATEWAY_TIMEOUT, "site-too-slow", "The site is taking too long",
                "We asked for your page, but no answer came in time.",
                "Please try again in a moment. If you were sending something, check first whether it arrived.", Reload),
            Self::UpstreamUnreachable => (S::BAD_GATEWAY, "site-unreachable", "The site is having a break",
                "We can’t reach it right now. It may be restarting.",
                "Please try again in a minute.", Reload),
        };
        Wording { status, code, title, sentence, advice, next }
    }

    /// Its stable code, for logs and scripts.
    pub fn code(self) -> &'static str {
        self.wording().code
    }

    /// Its status.
    pub fn status(self) -> StatusCode {
        self.wording().status
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Denied => Self::Denied,
            Refusal::MethodNotAllowed => Self::MethodNotAllowed(None),
            Refusal::NotInGroup => Self::NotInGroup,
            Refusal::UnknownHost => Self::UnknownHost,
        }
    }
}

impl From<SignInReason> for Problem {
    fn from(reason: SignInReason) -> Self {
        match reason {
            SignInReason::NoSession => Self::SignInRequired,
            SignInReason::Passkey => Self::PasskeyRequired,
            SignInReason::SecondFactor => Self::SecondFactorRequired,
            SignInReason::StepUp => Self::StepUpRequired,
        }
    }
}

/// What the problem page shows.
#[derive(Serialize)]
pub(super) struct ProblemPage<'a> {
    title: &'static str,
    sentence: &'static str,
    advice: &'static str,
    next: Next,
    reference: &'a str,
}

impl Page for ProblemPage<'_> {
    const TEMPLATE: &'static str = "problem.html";

    fn samples() -> Vec<Self> {
        let page = |next| Self { title: "T", sentence: "S.", advice: "A.", next, reference: "0" };
        vec![
            page(Next::FrontPage),
            page(Next::Reload),
            page(Next::SignInAside),
            Self { advice: "", ..page(Next::SignIn) },
        ]
    }
}

/// What a script is told.
#[derive(Serialize)]
struct ProblemJson<'a> {
    code: &'static str,
    message: &'static str,
    #[serde(rename = "ref")]
    reference: &'a str,
}

impl Web {
    /// The answer to a problem, as a page or as JSON `{"code","message","ref"}`.
    pub fn problem(&self, problem: Problem, audience: Audience, visit: &Visit<'_>) -> Response<Bytes> {
        let wording = problem.wording();
        let mut response = match (audience, problem) {
            // SECURITY: PATH-04. Whoever asks under a foreign name learns nothing of the site.
            (Audience::Page, Problem::UnknownHost) => {
                self.outbound.text(wording.status, format!("{}\n", wording.sentence))
            }
            (Audience::Page, _) => {
                let Wording { status, title, sentence, advice, next, .. } = wording;
                let page = ProblemPage { title, sentence, advice, next, reference: visit.request_id };
                self.page(status, &page, visit)
            }
            (Audience::Script, _) => {
                let Wording { code, sentence: message, .. } = wording;
                self.outbound
                    .json(wording.status, &ProblemJson { code, message, reference: visit.request_id })
            }
        };
        if let Some((name, value)) = self.extra_field(problem) {
            response.headers_mut().insert(name, value);
        }
        response
    }

    /// The field that belongs to a status.
    fn extra_field(&self, problem: Problem) -> Option<(HeaderName, HeaderValue)> {
        match problem {
            Problem::Busy | Problem::UpstreamUnreachable => {
                Some((RETRY_AFTER, HeaderValue::from_static(Problem::RETRY_AFTER)))
            }
            Problem::Throttled(seconds) => Some((RETRY_AFTER, seconds.into())),
            Problem::MethodNotAllowed(Some(allow)) => Some((ALLOW, HeaderValue::from_static(allow))),
            Problem::MethodNotAllowed(None) => Some((ALLOW, self.outbound.allow())),
            Problem::AppPasswordRefused => Some((WWW_AUTHENTICATE, Problem::APP_PASSWORD_CHALLENGE)),
            // RFC 9110 §11.6.1 wants a challenge; browsers show no dialogue for a scheme they do not know.
            Problem::FormNotKept
            | Problem::PasskeyRequired
            | Problem::SecondFactorRequired
            | Problem::SignInRequired
            | Problem::StepUpRequired => {
                Some((WWW_AUTHENTICATE, HeaderValue::from_static("Cookie realm=\"sign-in\"")))
            }
            _ => None,
        }
    }

    /// Logs what broke and gives the problem to show for it.
    pub(super) fn store_failed(&self, error: &StoreError, visit: &Visit<'_>) -> Problem {
        tracing::error!(request_id = visit.request_id, %error, "the store failed");
        Problem::StoreFailed
    }
}
