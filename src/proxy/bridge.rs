//! The forum's side of a request: by what it knows the member, which of its cookies stay here, and what its own addresses
//! for signing in and out mean. How it is done is the `bridge`'s; this is where requests and answers pass by it.
//!
//! SECURITY: what a session has of the forum goes along with that session's requests and no others, and none of it reaches
//! a browser, unless the operator wants it there.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flate2::read::GzDecoder;
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, COOKIE, LOCATION, REFERER, SET_COOKIE};
use http::{HeaderValue, Method, Response, StatusCode};
use pingora::http::RequestHeader;
use pingora::proxy::Session;
use url::{Position, Url};

use super::context::{Outcome, RequestContext};
use super::fields::Fields;
use super::{Gateway, Known, facts, visit};
use crate::bridge::options::{ForumOptions, Register};
use crate::bridge::{self, AddressPattern, AsWhom, Asked, ForumAccounts, InBrowser, Kind, Seen, any_seen};
use crate::domain::{RequestPath, ReturnTo, SessionId, Timestamp};
use crate::policy::{ApplicationId, Permit, SignInReason};
use crate::web::{Audience, Problem};

/// Where a header alone names the member, a sign-in older than this does not open the forum's administration: the forum asks
/// for no password of its own there.
const ADMIN_FRESH: Duration = Duration::from_secs(15 * 60);
/// How much of a page is looked at for signs, as it came and unpacked.
const WATCHED: usize = 256 * 1024;
const UNPACKED: u64 = 1024 * 1024;
/// A longer form is not one that signs out.
const LONGEST_FORM: usize = 8 * 1024;

/// The forum behind the gateway.
pub struct ForumRules {
    options: ForumOptions,
    /// There where members sign in at its form.
    accounts: Option<Arc<ForumAccounts>>,
    /// Which of the applications it is. Nothing of it goes to another one.
    application: ApplicationId,
}

/// What a request has to do with the forum.
#[derive(Default)]
pub(super) struct AtForum {
    /// As whose it goes there.
    whom: AsWhom,
    /// What the browser sent of the forum's cookies that it should not have, or did not send though it should.
    in_browser: InBrowser,
    /// The path asked for, as the forum gets it.
    path: String,
    /// The session of a member who is signing out at the forum.
    leaving: Option<SessionId>,
    /// A form on its way that may turn out to sign out.
    form: Option<Form>,
    /// The page, as far as it has to be looked at.
    watched: Option<Watched>,
}

/// A member's form, as far as it has come.
struct Form {
    target: String,
    of: SessionId,
    bytes: Vec<u8>,
}

struct Watched {
    status: StatusCode,
    is_packed: bool,
    bytes: Vec<u8>,
}

/// What the member sees instead of what they asked for.
pub(super) enum Instead {
    Ask(bridge::Ask),
    Blocked,
    ChoosePassword,
    SignIn(SignInReason),
    Back,
}

impl ForumRules {
    /// `accounts` are needed for [`Kind::Form`].
    pub fn new(
        options: ForumOptions,
        accounts: Option<Arc<ForumAccounts>>,
        application: ApplicationId,
    ) -> Self {
        Self { options, accounts, application }
    }

    fn is_one_of(asked: Asked<'_>, patterns: &[AddressPattern]) -> bool {
        patterns.iter().any(|pattern| pattern.matches(asked))
    }

    fn is_way_in_or_out(&self, target: &str) -> bool {
        let addresses = &self.options.preset.addresses;
        self.leads_to(&addresses.login, target, b"") || self.signs_out(target, b"")
    }

    fn signs_out(&self, target: &str, form: &[u8]) -> bool {
        self.leads_to(&self.options.preset.addresses.logout, target, form)
    }

    fn leads_to(&self, patterns: &[AddressPattern], target: &str, form: &[u8]) -> bool {
        RequestPath::parse(target).is_ok_and(|path| {
            Asked::of(&path, &self.options.base, form).is_some_and(|asked| Self::is_one_of(asked, patterns))
        })
    }

    /// What only the header of an answer can show: a page is not there yet.
    fn shows_signed_out(&self, response: &impl Fields, status: StatusCode, now: Timestamp) -> bool {
        any_seen(&self.options.preset.signs.signed_out, &seen(response, status, now))
    }

    fn looks_at_pages(&self) -> bool {
        self.options.preset.signs.signed_out.iter().any(bridge::Sign::needs_page)
    }
}

impl Gateway {
    /// Finds out by what the forum knows the member of a request that may pass. The answer, if it is not to be forwarded.
    pub(super) async fn at_forum(
        &self,
        session: &mut Session,
        ctx: &mut RequestContext,
        permit: &Permit,
        known: &Known,
    ) -> Option<Response<Bytes>> {
        let (instead, target) = self.meet_forum(session.req_header(), ctx, permit, known).await?;
        let rules = Arc::clone(&ctx.rules);
        let forum = rules.forum.as_ref()?;
        let request = session.req_header();
        ctx.outcome = Outcome::Own;
        let response = match instead {
            Instead::Ask(ask) if forum.is_way_in_or_out(&target) => {
                rules.web.ask_for_forum(ask, &came_from(forum, request, ctx))
            }
            Instead::Ask(ask) => {
                rules.web.ask_for_forum(ask, &rules.web.return_to(&request.headers, &target))
            }
            Instead::Back => rules.web.go_back(&came_from(forum, request, ctx)),
            Instead::ChoosePassword => rules.web.to_forum_password(),
            Instead::Blocked => {
                ctx.outcome = Outcome::Failed(Problem::Denied);
                rules.web.problem(Problem::Denied, ctx.audience, &visit(ctx, known))
            }
            Instead::SignIn(SignInReason::NoSession) => {
                ctx.outcome = Outcome::SignIn;
                let return_to = came_from(forum, request, ctx);
                rules.web.unauthenticated(
                    ctx.audience,
                    &return_to,
                    SignInReason::NoSession,
                    &visit(ctx, known),
                )
            }
            Instead::SignIn(reason) => {
                ctx.outcome = Outcome::SignIn;
                self.sign_in_first(session, ctx, &target, reason, known).await
            }
        };
        Some(response)
    }

    /// The same for a request whose answer is not asked for yet: what it is to be, and what was asked for.
    pub(super) async fn meet_forum(
        &self,
        request: &RequestHeader,
        ctx: &mut RequestContext,
        permit: &Permit,
        known: &Known,
    ) -> Option<(Instead, String)> {
        let rules = Arc::clone(&ctx.rules);
        let forum = rules.forum.as_ref().filter(|forum| forum.application == permit.application())?;
        let parsed = facts::parse(request, &[]).ok()?;
        ctx.forum = Some(AtForum { path: parsed.path.wire().to_owned(), ..AtForum::default() });
        let instead = self.judge_at_forum(forum, request, ctx, permit, known).await?;
        Some((instead, parsed.path.target().into_owned()))
    }

    async fn judge_at_forum(
        &self,
        forum: &ForumRules,
        request: &RequestHeader,
        ctx: &mut RequestContext,
        permit: &Permit,
        known: &Known,
    ) -> Option<Instead> {
        let parsed = facts::parse(request, &[]).ok()?;
        let asked = Asked::of(&parsed.path, &forum.options.base, b"")?;
        let addresses = &forum.options.preset.addresses;
        let leaves = ForumRules::is_one_of(asked, &addresses.logout);
        let is_account_page = ForumRules::is_one_of(asked, &addresses.register)
            || ForumRules::is_one_of(asked, &addresses.lost_password);
        let is_login = !leaves && !is_account_page && ForumRules::is_one_of(asked, &addresses.login);
        if is_account_page && forum.options.register == Register::Block {
            return Some(Instead::Blocked);
        }
        let way = permit.bridge()?;
        let is_page = ctx.audience == Audience::Page && !known.is_program();
        let (Some(live), Some(_)) = (known.live(), permit.identity()) else {
            return (is_login && is_page).then_some(Instead::SignIn(SignInReason::NoSession));
        };
        let is_fresh = self.clock.now().since(live.signed_in_at()) <= ADMIN_FRESH;
        if way.replaces_password() && !is_fresh && ForumRules::is_one_of(asked, &addresses.admin) {
            return Some(Instead::SignIn(SignInReason::StepUp));
        }
        let at_forum = ctx.forum.as_mut()?;
        at_forum.leaving = (leaves && !known.is_program()).then(|| live.id());
        if !leaves && !known.is_program() && is_form(request) {
            let target = parsed.path.target().into_owned();
            at_forum.form = Some(Form { target, of: live.id(), bytes: Vec::new() });
        }
        let Some(accounts) = forum.accounts.as_ref().filter(|_| way.keeps_session()) else {
            return (is_login && is_page).then_some(Instead::Back);
        };
        // Whoever is asked there for the password so far can't tell it; a fault of the store is the forum's page to tell of.
        let is_change = ForumRules::is_one_of(asked, &addresses.change_password);
        if is_change && accounts.is_generated(live.user()).unwrap_or_default() {
            return Some(if is_page { Instead::ChoosePassword } else { Instead::Blocked });
        }
        let visitor = accounts.visitor(ctx.origin.client, &request.headers);
        match accounts.known(live.id(), live.user(), &visitor).await {
            bridge::Known::Cookies(session) => {
                at_forum.whom = AsWhom::Member(session);
                (is_login && is_page).then_some(Instead::Back)
            }
            bridge::Known::AsksMember(ask) if is_page && request.method == Method::GET => {
                Some(Instead::Ask(ask))
            }
            // SECURITY: nobody plants a session; who chose to be a guest may sign in there by themselves.
            bridge::Known::AsksMember(_) | bridge::Known::Anonymous => {
                if !accounts.is_guest(&live.id()) {
                    at_forum.whom = AsWhom::Nobody;
                }
                None
            }
        }
    }

    /// An answer of the forum, before the browser gets it: the forum's cookies stay here, and who has signed out there is
    /// signed out here.
    pub(super) async fn take_from_forum(
        &self,
        ctx: &mut RequestContext,
        response: &mut impl Fields,
        status: StatusCode,
    ) -> pingora::Result<()> {
        let rules = Arc::clone(&ctx.rules);
        let (Some(forum), Some(at_forum)) = (&rules.forum, &mut ctx.forum) else { return Ok(()) };
        if status.is_informational() {
            return Ok(());
        }
        let now = self.clock.now();
        let is_signed_out = forum.shows_signed_out(response, status, now);
        if let Some(accounts) = &forum.accounts {
            if let AsWhom::Member(session) = &at_forum.whom {
                accounts.notice(session, &seen(response, status, now));
                if at_forum.leaving.is_none() && ctx.audience == Audience::Page && forum.looks_at_pages() {
                    at_forum.watched = Watched::of(response, status);
                }
            }
            pass_cookies(accounts, at_forum, ctx.audience, response, now)?;
        }
        let Some(leaving) = at_forum.leaving.filter(|_| is_signed_out) else { return Ok(()) };
        let accounts = forum.accounts.iter();
        let taken: Vec<_> = accounts.flat_map(|accounts| accounts.farewell(&leaving, now)).collect();
        match self.sessions.end(leaving).await {
            Ok(()) => {
                taken.iter().try_for_each(|field| response.append("Set-Cookie", field.as_bytes()))?;
                tracing::info!(target: "passgate::audit", event = "signed-out", at = "forum",
                    member = ctx.member.map(tracing::field::display), request_id = ctx.id.as_str());
                response.append("Set-Cookie", rules.cookies.clear_session().as_bytes())?;
            }
            Err(error) => tracing::error!(request_id = ctx.id.as_str(), %error, "the store failed"),
        }
        Ok(())
    }
}

/// Writes by what the forum knows the member. After everything of ours and of the client's has been taken out.
pub(super) fn introduce(
    ctx: &mut RequestContext,
    upstream: &mut impl Fields,
    now: Timestamp,
) -> pingora::Result<()> {
    let rules = Arc::clone(&ctx.rules);
    let Some(forum) = &rules.forum else { return Ok(()) };
    if forum.options.uses(Kind::Basic) {
        // SECURITY: this forum believes the name without a password, so a client's own line would be a way in, on any route.
        upstream.remove(&AUTHORIZATION);
        let named = ctx.permit.as_ref().filter(|permit| {
            permit.bridge() == Some(Kind::Basic) && permit.application() == forum.application
        });
        let name = named.and_then(Permit::identity).map(|profile| profile.name.as_str());
        if let Some(named) = name.and_then(bridge::basic_authorization) {
            upstream.set_as(&AUTHORIZATION, "Authorization", named.as_bytes())?;
        }
    }
    let (Some(at_forum), Some(accounts)) = (&mut ctx.forum, &forum.accounts) else { return Ok(()) };
    if accounts.leaves_alone(&at_forum.whom) {
        return Ok(());
    }
    let browsers: Vec<&[u8]> = upstream.values(&COOKIE).collect();
    let (field, in_browser) = accounts.cookies(&at_forum.whom, &browsers, &at_forum.path, now);
    at_forum.in_browser = in_browser;
    match field {
        Some(cookies) => upstream.set_as(&COOKIE, "Cookie", cookies.as_bytes()),
        None => {
            upstream.remove(&COOKIE);
            Ok(())
        }
    }
}

/// Looks at a form that passes, for the word that signs out: it may be in there and not in the address.
pub(super) fn read_form(ctx: &mut RequestContext, body: Option<&Bytes>, end: bool) {
    let rules = Arc::clone(&ctx.rules);
    let (Some(forum), Some(at_forum)) = (&rules.forum, &mut ctx.forum) else { return };
    let Some(mut form) = at_forum.form.take() else { return };
    form.bytes.extend_from_slice(body.map_or(&[], |body| body));
    if form.bytes.len() > LONGEST_FORM {
        return;
    }
    if !end {
        at_forum.form = Some(form);
    } else if forum.signs_out(&form.target, &form.bytes) {
        at_forum.leaving = Some(form.of);
    }
}

/// Whether it brings a form whose fields can be read.
fn is_form(request: &RequestHeader) -> bool {
    let kind = request.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    request.method == Method::POST && kind.starts_with("application/x-www-form-urlencoded")
}

/// Looks at a page that passes, for the sign that the forum took the member for a guest.
pub(super) fn watch(ctx: &mut RequestContext, body: Option<&[u8]>, end: bool) {
    let Some(AtForum { whom: AsWhom::Member(session), watched: Some(watched), .. }) = &mut ctx.forum else {
        return;
    };
    if let Some(body) = body {
        let room = WATCHED - watched.bytes.len();
        watched.bytes.extend_from_slice(&body[..body.len().min(room)]);
    }
    let accounts = ctx.rules.forum.as_ref().and_then(|forum| forum.accounts.as_ref());
    if let (true, Some(accounts)) = (end, accounts) {
        let page = watched.text();
        let seen = Seen { status: watched.status.as_u16(), page: Some(&page), ..Seen::default() };
        accounts.notice(session, &seen);
    }
}

impl Watched {
    /// A page that can be read.
    fn of(response: &impl Fields, status: StatusCode) -> Option<Self> {
        let kind = response.text(&CONTENT_TYPE)?;
        let coding = response.values(&CONTENT_ENCODING).next();
        let is_packed = match coding {
            None => false,
            Some(b"gzip") => true,
            Some(_) => return None,
        };
        let is_page = status == StatusCode::OK && kind.trim_start().starts_with("text/html");
        is_page.then(|| Self { status, is_packed, bytes: Vec::new() })
    }

    fn text(&self) -> String {
        if !self.is_packed {
            return String::from_utf8_lossy(&self.bytes).into_owned();
        }
        let mut page = Vec::new();
        // What was cut off at our limit ends with an error; what came before it is there.
        let _ = GzDecoder::new(self.bytes.as_slice()).take(UNPACKED).read_to_end(&mut page);
        String::from_utf8_lossy(&page).into_owned()
    }
}

/// What the header of an answer shows.
fn seen(response: &impl Fields, status: StatusCode, now: Timestamp) -> Seen<'_> {
    let settings = response.values(&SET_COOKIE).filter_map(|field| bridge::setting(field, now));
    Seen {
        status: status.as_u16(),
        location: response.text(&LOCATION),
        cookies: last_ones(
            settings.map(|setting| (setting.name.to_vec(), setting.value.map(<[u8]>::to_vec))),
        ),
        ..Seen::default()
    }
}

/// Of a cookie set several times in one answer the last counts.
fn last_ones(settings: impl Iterator<Item = (Vec<u8>, Option<Vec<u8>>)>) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
    let mut last: Vec<(Vec<u8>, Option<Vec<u8>>)> = Vec::new();
    for (name, value) in settings {
        last.retain(|(known, _)| *known != name);
        last.push((name, value));
    }
    last
}

/// The cookies by which the forum knows the member go into the jar, all others on to the browser; and those too, where it is to have
/// them. Pages alone put a browser right: they are few, and one at a time.
fn pass_cookies(
    accounts: &ForumAccounts,
    at_forum: &AtForum,
    audience: Audience,
    response: &mut impl Fields,
    now: Timestamp,
) -> pingora::Result<()> {
    let AtForum { whom, in_browser, path, .. } = at_forum;
    if accounts.leaves_alone(whom) {
        return Ok(());
    }
    let fields = response.values(&SET_COOKIE).filter_map(|field| HeaderValue::from_bytes(field).ok());
    let fields: Vec<HeaderValue> = fields.collect();
    let passed: Vec<_> = fields.iter().filter_map(|field| accounts.pass(whom, field, path, now)).collect();
    let (taken, mut given) = match audience {
        Audience::Page => accounts.put_right(whom, in_browser, now),
        Audience::Script => Default::default(),
    };
    given.retain(|field| !passed.contains(field));
    response.remove(&SET_COOKIE);
    // Of one name the last counts: what the forum says counts more than what is taken away here.
    let mut all = taken.into_iter().chain(passed).chain(given);
    all.try_for_each(|field| response.append("Set-Cookie", field.as_bytes()))
}

/// The page of this site that led here; the front page if it was none, or one for signing in or out.
fn came_from(forum: &ForumRules, request: &RequestHeader, ctx: &RequestContext) -> ReturnTo {
    let referer = request.headers.get(REFERER).and_then(|referer| referer.to_str().ok());
    let referer = referer.and_then(|referer| Url::parse(referer).ok());
    let target = referer.map(|referer| referer[Position::BeforePath..Position::AfterQuery].to_owned());
    let target = target.filter(|target| !forum.is_way_in_or_out(target));
    ReturnTo::parse(target.as_deref().unwrap_or("/"), ctx.rules.policy.our_prefix())
}
