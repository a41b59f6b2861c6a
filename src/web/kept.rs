//! Forms that came too late: which of them are kept, the page on which their member sends them or throws them away, and
//! how the one request is known that sends one.
//!
//! SECURITY: R3. What is shown is text in a page, never a form to be filled in by others' bytes. Sending takes the
//! member's click on that page with a value made for that one form. The click is answered with 307 to the form's own
//! address and a mark; the browser posts our form's fields there, and whoever forwards that request puts the kept bytes in
//! their place. Those fields never reach the application.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ORIGIN, REFERER, REFERRER_POLICY, SET_COOKIE,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use serde::Serialize;

use super::audit::{self, Event};
use super::pages::Page;
use super::request::{Form, Provenance, in_query, provenance};
use super::response::Reply;
use super::wording::ago;
use super::{Audience, Member, Problem, Visit, Web};
use crate::auth::{BrowserToken, KeptForm, KeptForms, KeptHeaders, Owner, Presented, Progress, Room, Taken};
use crate::domain::{PostedField, PostedValue, ReturnTo, TokenHash, UserId};
use crate::policy::SignInReason;

/// What the page shows.
#[derive(Default, Serialize)]
pub(super) struct KeptPage {
    forms: Vec<Shown>,
    /// Whether one of them can be sent.
    waiting: bool,
    /// One has just been thrown away.
    discarded: bool,
}

#[derive(Default, Serialize)]
struct Shown {
    id: String,
    progress: Progress,
    csrf: String,
    target: String,
    age: String,
    texts: Vec<ShownText>,
    files: Vec<String>,
}

#[derive(Default, Serialize)]
struct ShownText {
    name: String,
    value: String,
    rows: usize,
}

impl Page for KeptPage {
    const TEMPLATE: &'static str = "kept.html";

    fn samples() -> Vec<Self> {
        let form = |names: &[&str]| Shown {
            files: names.iter().copied().map(str::to_owned).collect(),
            texts: names.iter().map(|_| ShownText::default()).collect(),
            ..Shown::default()
        };
        let at = |progress| Shown { progress, ..form(&["a"]) };
        let two = vec![form(&[]), form(&["a", "b"])];
        vec![
            Self { discarded: true, ..Self::default() },
            Self { forms: two, waiting: true, discarded: false },
            Self { forms: vec![at(Progress::Unanswered)], waiting: true, discarded: false },
            Self { forms: vec![at(Progress::Sent)], ..Self::default() },
        ]
    }
}

/// A form that came too late and is to be kept, before it is read.
#[derive(Clone, Copy, Debug)]
pub struct Late<'r> {
    /// Whose it is.
    pub member: UserId,
    /// Why it is not let through.
    pub reason: SignInReason,
    /// Where it was posted to, in canonical form.
    pub target: &'r str,
    /// What came with it.
    pub headers: &'r HeaderMap,
}

/// What a request has to do with kept forms.
#[derive(Debug)]
pub enum Resend {
    /// Nothing; it goes its way.
    Nothing,
    /// This form is to be sent in place of its own body.
    Form(Arc<KeptForm>, Bytes),
    /// It would send a form that is there no more; this is the answer.
    Over(Response<Bytes>),
}

impl Web {
    /// Texts of a form beyond this many bytes are not shown; they are sent all the same.
    const MOST_SHOWN: usize = 1024 * 1024;

    /// The room for a form that is worth keeping, or why it can't be kept; none for a request that is no form of this
    /// site's pages, which is answered like any other.
    pub fn room_for(
        &self,
        method: &Method,
        headers: &HeaderMap,
        audience: Audience,
    ) -> Option<Result<Room, Problem>> {
        let is_form = text(headers, CONTENT_TYPE.as_str()).is_some_and(PostedField::is_form);
        let is_ours = provenance(headers, &self.parts.origins) == Some(Provenance::Ours);
        let limit = self.parts.keep_forms;
        let is_kept = limit > 0 && method == Method::POST && audience == Audience::Page && is_form && is_ours;
        if !is_kept || headers.contains_key(CONTENT_ENCODING) || self.is_resend(headers) {
            return None;
        }
        let announced = text(headers, CONTENT_LENGTH.as_str()).and_then(|length| length.parse().ok());
        let wanted = announced.unwrap_or(limit);
        if wanted > limit {
            return Some(Err(Problem::FormTooLarge));
        }
        Some(self.parts.kept.room(wanted, limit).ok_or(Problem::FormNotKept))
    }

    /// Keeps a form and sends its member to sign in.
    pub async fn keep(&self, late: Late<'_>, body: Bytes, room: Room, visit: &Visit<'_>) -> Response<Bytes> {
        let Late { member, reason, target, headers } = late;
        let content_type = text(headers, CONTENT_TYPE.as_str()).unwrap_or_default();
        // SECURITY: R3. A password is not kept, wherever it is meant for; it is soon typed again.
        let is_fit = PostedField::read(content_type, &body)
            .is_some_and(|fields| !fields.iter().any(PostedField::is_password));
        let target = ReturnTo::exactly(target, &self.parts.prefix).filter(|_| is_fit);
        let (Some(target), Some(content_type)) = (target, headers.get(CONTENT_TYPE).cloned()) else {
            return self.not_kept(Problem::FormNotKept, member, visit);
        };
        let kept_headers = KeptHeaders {
            content_type,
            origin: headers.get(ORIGIN).cloned(),
            referer: headers.get(REFERER).cloned(),
        };
        let known = self.browser(headers);
        let is_new = known.is_none();
        let browser = known.unwrap_or_else(BrowserToken::generate);
        let owner = Owner { member, browser: browser.hash() };
        let bytes = body.len();
        if let Err(error) = self.parts.kept.keep(owner, target, kept_headers, body, room).await {
            tracing::warn!(request_id = visit.request_id, %error, "a form can't be kept");
            return self.not_kept(Problem::FormNotKept, member, visit);
        }
        audit::record(Event::FormKept(bytes), Some(member), visit);
        let address = self.login_address(&self.kept_address(), reason);
        let mut response = self.outbound.redirect(StatusCode::SEE_OTHER, &address);
        if is_new {
            response.headers_mut().append(SET_COOKIE, self.parts.cookies.set_browser(&browser));
        }
        response
    }

    /// Says that a form could not be kept, and what to do.
    pub fn not_kept(&self, problem: Problem, member: UserId, visit: &Visit<'_>) -> Response<Bytes> {
        audit::record(Event::FormNotKept(problem.code()), Some(member), visit);
        self.problem(problem, Audience::Page, visit)
    }

    /// Where a visitor goes who has signed in: to what was asked for, or back to the kept forms if this request was to
    /// send one.
    pub fn return_to(&self, headers: &HeaderMap, target: &str) -> ReturnTo {
        if self.is_resend(headers) {
            self.kept_address()
        } else {
            ReturnTo::parse(target, &self.parts.prefix)
        }
    }

    /// What a POST that may pass has to do with kept forms. The form it sends is handed out once.
    pub async fn resend(&self, headers: &HeaderMap, target: &str, visit: &Visit<'_>) -> Resend {
        if Audience::of(headers, &Method::POST) == Audience::Script {
            return Resend::Nothing;
        }
        let mark = self.parts.cookies.send(Self::cookie_fields(headers)).token();
        let taken = match (self.owner(headers, visit), mark) {
            (Some(owner), Some(mark)) => self.parts.kept.take(owner, &mark, target),
            _ => Taken::Elsewhere,
        };
        let form = match taken {
            Taken::Form(form) => form,
            Taken::Elsewhere if !self.is_resend(headers) => return Resend::Nothing,
            Taken::Elsewhere | Taken::Gone => {
                let kept = self.kept_address();
                return Resend::Over(self.outbound.redirect(StatusCode::SEE_OTHER, kept.as_str()));
            }
        };
        match self.parts.kept.body(&form).await {
            Ok(body) => {
                audit::record(Event::FormSent(body.len()), Some(form.owner().member), visit);
                Resend::Form(form, body)
            }
            Err(error) => {
                tracing::error!(request_id = visit.request_id, %error, "a kept form can't be read");
                self.parts.kept.put_back(&form, Progress::Waiting);
                Resend::Over(self.problem(Problem::StoreFailed, Audience::Page, visit))
            }
        }
    }

    /// Keeps on a form that was to be sent, when no answer came.
    pub fn put_back(&self, form: &KeptForm, progress: Progress, visit: &Visit<'_>) {
        audit::record(Event::FormKept(form.bytes()), Some(form.owner().member), visit);
        self.parts.kept.put_back(form, progress);
    }

    /// A `Set-Cookie` value that takes the mark back.
    pub fn clear_send(&self) -> HeaderValue {
        self.parts.cookies.clear_send()
    }

    pub(super) async fn kept_page(&self, request: &Request<Bytes>, visit: &Visit<'_>) -> Reply {
        let Some(member) = visit.member else { return Ok(self.to_kept_by_sign_in()) };
        let forms = self.owner(request.headers(), visit).map(|owner| self.parts.kept.of(owner));
        let mut shown = Vec::new();
        for (form, progress) in forms.unwrap_or_default() {
            let body = self.parts.kept.body(&form).await.map_err(|error| {
                tracing::error!(request_id = visit.request_id, %error, "a kept form can't be read");
                Problem::StoreFailed
            })?;
            shown.push(self.shown(&form, progress, &body, &member));
        }
        let discarded = in_query(request, "notice") == "discarded";
        let waiting = shown.iter().any(|form| form.progress != Progress::Sent);
        let page = KeptPage { forms: shown, waiting, discarded };
        Ok(with_referer(self.page(StatusCode::OK, &page, visit)))
    }

    /// The member's click: the browser is sent on to the form's address, with a mark.
    pub(super) fn send_kept(&self, request: &Request<Bytes>, visit: &Visit<'_>) -> Reply {
        let Some((owner, form)) = self.kept_form(request, visit)? else {
            return Ok(self.to_kept_by_sign_in());
        };
        let Some((token, target)) = self.parts.kept.release(owner, form.text("form")) else {
            return Ok(self.outbound.redirect(StatusCode::SEE_OTHER, self.kept_address().as_str()));
        };
        let mut response = self.outbound.redirect(StatusCode::TEMPORARY_REDIRECT, target.as_str());
        let cookie = self.parts.cookies.set_send(&token, KeptForms::SENDING);
        response.headers_mut().append(SET_COOKIE, cookie);
        Ok(with_referer(response))
    }

    pub(super) fn discard_kept(&self, request: &Request<Bytes>, visit: &Visit<'_>) -> Reply {
        let Some((owner, form)) = self.kept_form(request, visit)? else {
            return Ok(self.to_kept_by_sign_in());
        };
        if let Some(form) = self.parts.kept.discard(owner, form.text("form")) {
            audit::record(Event::FormDiscarded(form.bytes()), Some(owner.member), visit);
        }
        let address = format!("{}?notice=discarded", self.kept_address());
        Ok(self.outbound.redirect(StatusCode::SEE_OTHER, &address))
    }

    /// Whether something waits for this member to be sent.
    pub(super) fn has_kept(&self, headers: &HeaderMap, visit: &Visit<'_>) -> bool {
        let forms = self.owner(headers, visit).map(|owner| self.parts.kept.of(owner)).unwrap_or_default();
        forms.iter().any(|(_, progress)| *progress != Progress::Sent)
    }

    /// Who signs out leaves nothing behind.
    pub(super) fn discard_all_kept(&self, headers: &HeaderMap, visit: &Visit<'_>) {
        if let Some(owner) = self.owner(headers, visit) {
            self.parts.kept.discard_all(owner);
        }
    }

    /// A form of the page of kept forms, with whose it is; none if nobody is signed in.
    fn kept_form(
        &self,
        request: &Request<Bytes>,
        visit: &Visit<'_>,
    ) -> Result<Option<(Owner, Form)>, Problem> {
        let form = Form::read(request, &self.parts.origins)?;
        let (Some(member), Some(owner)) = (visit.member, self.owner(request.headers(), visit)) else {
            return Ok(None);
        };
        if form.proves(&member.kept_proof(form.text("form"))) {
            Ok(Some((owner, form)))
        } else {
            Err(Problem::CsrfFailed)
        }
    }

    fn owner(&self, headers: &HeaderMap, visit: &Visit<'_>) -> Option<Owner> {
        let browser = self.browser(headers)?.hash();
        visit.member.map(|member| Owner { member: member.session.user(), browser })
    }

    fn kept_address(&self) -> ReturnTo {
        ReturnTo::parse(&self.ours("/account/kept"), &self.parts.prefix)
    }

    fn to_kept_by_sign_in(&self) -> Response<Bytes> {
        let address = self.login_address(&self.kept_address(), SignInReason::NoSession);
        self.outbound.redirect(StatusCode::SEE_OTHER, &address)
    }

    /// Whether the body is our own form's, by where it came from; by its mark, where a browser does not say.
    fn is_resend(&self, headers: &HeaderMap) -> bool {
        if Audience::of(headers, &Method::POST) == Audience::Script {
            return false;
        }
        match headers.get(REFERER).map(|referer| String::from_utf8_lossy(referer.as_bytes())) {
            Some(referer) => {
                let path = referer.split_once("://").and_then(|(_, rest)| Some(&rest[rest.find('/')?..]));
                path.is_some_and(|path| path.split('?').next() == Some(self.kept_address().as_str()))
            }
            None => !matches!(self.parts.cookies.send(Self::cookie_fields(headers)), Presented::Nothing),
        }
    }

    /// What a member may want to copy. Fields that forms carry for themselves are left out, and so are files' contents.
    fn shown(&self, form: &KeptForm, progress: Progress, body: &[u8], member: &Member<'_>) -> Shown {
        let content_type = form.headers().content_type.to_str().unwrap_or_default();
        let (mut texts, mut files, mut bytes) = (Vec::new(), Vec::new(), 0);
        for PostedField { name, value } in PostedField::read(content_type, body).unwrap_or_default() {
            match value {
                PostedValue::File(file) if !file.is_empty() => files.push(file),
                PostedValue::Text(value) if is_written(&name, &value) => {
                    bytes += value.len();
                    if bytes <= Self::MOST_SHOWN {
                        let rows = value.lines().map(|line| 1 + line.len() / 60).sum::<usize>().clamp(2, 12);
                        texts.push(ShownText { name, value, rows });
                    }
                }
                _ => {}
            }
        }
        let id = form.id();
        Shown {
            progress,
            csrf: member.kept_proof(&id).to_text(),
            target: form.target().to_string(),
            age: ago(self.parts.clock.now().since(form.kept_at())),
            id,
            texts,
            files,
        }
    }
}

impl Member<'_> {
    /// The anti-forgery value for one kept form. The browser posts it to the form's address, so it is good for nothing
    /// else (SECURITY: R3).
    fn kept_proof(&self, id: &str) -> TokenHash {
        self.token.derive(format!("passgate kept form {id}").as_bytes())
    }
}

/// Whether a person wrote it: words, or a field that is for words.
fn is_written(name: &str, value: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let is_for_words =
        ["subject", "title", "message", "text", "body", "comment", "content"].contains(&&*name);
    let has_words = value.trim().contains(char::is_whitespace) || !value.is_ascii();
    !value.trim().is_empty() && (is_for_words || has_words)
}

/// Browsers name this page, to this site alone, in what comes of it: so a form of ours is known at whatever address it is
/// posted to.
fn with_referer(mut response: Response<Bytes>) -> Response<Bytes> {
    response.headers_mut().insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    response
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
