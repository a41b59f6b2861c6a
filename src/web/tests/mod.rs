//! The pages, asked by browsers with a cookie jar, on a store in memory. Requests go straight to [`Web`], with the session
//! looked up as the proxy does it.

mod account;
mod audit;
mod data;
mod email;
mod faulty;
mod forgot;
mod join;
mod join_open;
mod kept;
mod leaving;
mod login;
mod logout;
mod mailed_code;
mod mailing;
mod pages;
mod passkeys;
mod password;
mod password_strength;
mod refusal;
mod second_factor;
mod security;
mod setup;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, COOKIE, ORIGIN, SET_COOKIE, USER_AGENT};
use http::request::Builder;
use http::{HeaderMap, Method, Request, Response, StatusCode};

use super::options::PageOptions;
use super::{Member, PagesError, PasskeyCounts, Visit, Web, WebParts};
use crate::auth::joining::Invitations;
use crate::auth::joining::options::{Approval, JoinMode, JoinOptions};
use crate::auth::passkeys::{PasskeyOptions, Passkeys, Pending};
use crate::auth::second_factors::SecondFactors;
use crate::auth::second_factors::second_factors;
use crate::auth::throttle::{Throttle, ThrottleOptions};
use crate::auth::{
    Accounts, Cookies, HashingCost, KeptForms, NewUser, PasswordPolicy, Passwords, SessionToken, Sessions,
    SignIn, Transport,
};
use crate::domain::{
    Clock, Group, Lifetimes, LinkKind, ManualClock, Persistence, Secret, Timestamp, User, UserName,
};
use crate::store::{Change, Drawer, Owner, Store, Verdict};
use faulty::FaultyStore;

const ORIGIN_OF_SITE: &str = "https://forum.example";
const PASSWORD: &str = "correct horse battery staple";
const CHEAP: HashingCost = HashingCost { memory_kib: 64, iterations: 1, parallelism: 1 };
const FORM: &str = "application/x-www-form-urlencoded";

/// A gateway's pages with what is behind them.
struct Site {
    web: Web,
    accounts: Arc<Accounts>,
    sessions: Arc<Sessions>,
    second_factors: Arc<SecondFactors>,
    cookies: Cookies,
    clock: Arc<ManualClock>,
    store: Arc<FaultyStore>,
    passwords: Arc<Passwords>,
    passkey_counts: Arc<PasskeyCounts>,
}

pub(super) fn options() -> PageOptions {
    PageOptions {
        site_name: "The Teapot Forum".to_owned(),
        logo: None,
        accent: "#2f5d8a".to_owned(),
        recovery_url: None,
        templates: None,
    }
}

impl Site {
    fn new() -> Self {
        Self::with(options()).unwrap()
    }

    fn with(options: PageOptions) -> Result<Self, PagesError> {
        Self::made(options, CHEAP, None)
    }

    fn made(
        options: PageOptions,
        cost: HashingCost,
        passkeys: Option<PasskeyOptions>,
    ) -> Result<Self, PagesError> {
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_795_327_200_000)));
        let ticking: Arc<dyn Clock> = Arc::clone(&clock) as _;
        let faulty = Arc::new(FaultyStore::default());
        let store: Arc<dyn Store> = Arc::clone(&faulty) as _;
        let sessions = Arc::new(Sessions::open(store.clone(), ticking.clone(), lifetimes()).unwrap());
        let passwords = Arc::new(Passwords::new(cost, 1));
        let accounts = Arc::new(Accounts::new(
            Arc::clone(&store),
            Arc::clone(&sessions),
            Arc::clone(&passwords),
            Arc::clone(&ticking),
            PasswordPolicy { min_chars: 15, with_second_factor: 8 },
        ));
        let throttle = Throttle::open(ThrottleOptions::default(), store.clone(), ticking.clone()).unwrap();
        let throttle = Arc::new(throttle);
        let second_factors = second_factors(&store, &sessions, &ticking);
        let sign_in = SignIn::new(
            Arc::clone(&store),
            Arc::clone(&sessions),
            Arc::clone(&passwords),
            Arc::clone(&throttle),
            Arc::clone(&second_factors),
            Arc::clone(&ticking),
        );
        let passkeys = passkeys.map(|options| passkeys_of(options, &store, &sessions, &ticking));
        let passkey_counts = Arc::<PasskeyCounts>::default();
        let cookies = Cookies::new(Transport::Tls, lifetimes().remember);
        let web = Web::new(WebParts {
            options,
            prefix: "/.passgate".to_owned(),
            origins: vec![ORIGIN_OF_SITE.to_owned()],
            hsts: Some(http::HeaderValue::from_static("max-age=31536000")),
            methods: vec![Method::GET, Method::HEAD, Method::POST],
            cookies: cookies.clone(),
            sign_in: Arc::new(sign_in),
            accounts: Arc::clone(&accounts),
            invitations: Invitations::new(Arc::clone(&faulty) as _, Arc::clone(&ticking)),
            joining: closed(),
            sessions: Arc::clone(&sessions),
            kept: Arc::new(KeptForms::new(Arc::clone(&ticking), None)),
            keep_forms: 64 * 1024,
            self_delete: crate::auth::SelfDelete::Request,
            app_passwords: None,
            passkeys,
            throttle,
            second_factors: Arc::clone(&second_factors),
            passkey_counts: passkey_counts.clone(),
            tally: Arc::default(),
            forum: None,
            mail: None,
            clock: ticking,
        })?;
        let store = faulty;
        Ok(Self { web, accounts, sessions, second_factors, cookies, clock, store, passwords, passkey_counts })
    }

    /// A site with a member `alice`.
    async fn with_alice() -> Self {
        let site = Self::new();
        site.add("alice").await;
        site
    }

    async fn add(&self, name: &str) -> User {
        self.add_with_email(name, &format!("{name}@wonderland.example")).await
    }

    async fn add_with_email(&self, name: &str, email: &str) -> User {
        let phc = self.accounts.hash(Secret::new(PASSWORD.to_owned())).await.unwrap();
        let new = NewUser {
            name: UserName::parse(name).unwrap(),
            full_name: Some("Alice <Liddell>".to_owned()),
            email: Some(email.to_owned()),
            groups: vec![Group::parse("Tea & cake").unwrap()],
        };
        self.accounts.add(new, Some(phc)).await.unwrap()
    }

    fn browser(&self) -> Browser<'_> {
        Browser { site: self, jar: BTreeMap::new() }
    }

    /// A browser in which `name` has signed in.
    async fn signed_in(&self, name: &str) -> Browser<'_> {
        let mut browser = self.browser();
        assert_eq!(browser.sign_in(name, PASSWORD).await.status(), StatusCode::SEE_OTHER);
        browser
    }

    fn live(&self, token: &str) -> bool {
        self.sessions.check(&SessionToken::parse(token).unwrap()).is_some()
    }
}

/// Nobody may join.
fn closed() -> JoinOptions {
    let approval = Approval::NotNeeded;
    JoinOptions {
        mode: JoinMode::Closed,
        approval,
        approver: None,
        per_hour: 100,
        reserved_names: Vec::new(),
    }
}

fn lifetimes() -> Lifetimes {
    let day = Duration::from_secs(86_400);
    Lifetimes { idle: day, absolute: day * 2, remember: day * 30, shared: day / 96 }
}

fn passkeys_of(
    options: PasskeyOptions,
    store: &Arc<dyn Store>,
    sessions: &Arc<Sessions>,
    clock: &Arc<dyn Clock>,
) -> Arc<Passkeys> {
    let pending = Arc::new(Pending::new(clock));
    let passkeys =
        Passkeys::new(options, pending, Arc::clone(store), Arc::clone(sessions), Arc::clone(clock));
    Arc::new(passkeys.unwrap())
}

/// A browser: keeps cookies, and says of itself what browsers say.
struct Browser<'s> {
    site: &'s Site,
    jar: BTreeMap<String, String>,
}

impl Browser<'_> {
    async fn get(&mut self, target: &str) -> Answer {
        self.send(Request::get(target)).await
    }

    /// Posts a form from a page of the site.
    async fn post(&mut self, target: &str, fields: &[(&str, &str)]) -> Answer {
        let request =
            Request::post(target).header(ORIGIN, ORIGIN_OF_SITE).header("sec-fetch-site", "same-origin");
        self.post_as(request, fields).await
    }

    /// Posts a form with a request that is made already.
    async fn post_as(&mut self, request: Builder, fields: &[(&str, &str)]) -> Answer {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.send_body(request.header(CONTENT_TYPE, FORM), body).await
    }

    async fn send(&mut self, request: Builder) -> Answer {
        self.send_body(request, String::new()).await
    }

    async fn send_body(&mut self, request: Builder, body: String) -> Answer {
        let cookies: Vec<String> = self.jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = if cookies.is_empty() { request } else { request.header(COOKIE, cookies.join("; ")) };
        let request = request
            .header("accept", "text/html,*/*;q=0.8")
            .header("sec-fetch-mode", "navigate")
            .header("sec-fetch-dest", "document")
            .header(USER_AGENT, "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0");
        let answer = ask(self.site, request.body(body.into()).unwrap()).await;
        self.keep(&answer);
        answer
    }

    fn keep(&mut self, answer: &Answer) {
        if answer.headers().contains_key("clear-site-data") {
            self.jar.clear();
        }
        for cookie in answer.set_cookies() {
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            if cookie.contains("Max-Age=0") {
                self.jar.remove(name);
            } else {
                self.jar.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    /// Opens the sign-in page and sends its form.
    async fn sign_in(&mut self, name: &str, password: &str) -> Answer {
        let page = self.get("/.passgate/login").await;
        let csrf = page.field("csrf");
        self.post("/.passgate/login", &[("csrf", &csrf), ("username", name), ("password", password)]).await
    }

    fn session(&self) -> Option<&String> {
        self.jar.get(self.site.cookies.session_name())
    }
}

/// Asks as the proxy does: the session is looked up first.
async fn ask(site: &Site, request: Request<Bytes>) -> Answer {
    let presented = site.cookies.session(Web::cookie_fields(request.headers())).token();
    let live = presented.as_ref().and_then(|token| site.sessions.check(token));
    let member = presented.as_ref().zip(live.as_deref()).map(|(token, session)| Member { token, session });
    Answer(site.web.dispatch(request, &Visit { member, ..nobody() }).await)
}

fn nobody() -> Visit<'static> {
    Visit { request_id: "0f1e2d3c", client: IpAddr::V4(Ipv4Addr::LOCALHOST), member: None }
}

struct Answer(Response<Bytes>);

impl Answer {
    fn status(&self) -> StatusCode {
        self.0.status()
    }

    fn headers(&self) -> &HeaderMap {
        self.0.headers()
    }

    fn text(&self) -> &str {
        std::str::from_utf8(self.0.body()).unwrap()
    }

    /// A header field that is there once.
    fn header(&self, name: &str) -> &str {
        let mut values = self.headers().get_all(name).iter();
        let value = values.next().unwrap_or_else(|| panic!("no {name}")).to_str().unwrap();
        assert_eq!(values.next(), None, "{name} once");
        value
    }

    fn location(&self) -> &str {
        self.header("location")
    }

    fn set_cookies(&self) -> Vec<&str> {
        self.headers().get_all(SET_COOKIE).iter().map(|value| value.to_str().unwrap()).collect()
    }

    /// The line that hands out a session, which is there once.
    fn session_cookie(&self) -> &str {
        let all = self.set_cookies();
        let mut own = all.iter().filter(|line| line.starts_with("__Host-passgate="));
        let line = own.next().unwrap_or_else(|| panic!("no session in {all:?}"));
        assert_eq!(own.next(), None, "one session");
        line
    }

    /// The value of the first field of that name in the page.
    fn field(&self, name: &str) -> String {
        let start = format!("name=\"{name}\"");
        let (_, rest) = self.text().split_once(&start).unwrap_or_else(|| panic!("no field {name}"));
        let (_, rest) = rest.split_once("value=\"").unwrap();
        rest.split_once('"').unwrap().0.replace("&#x2f;", "/").replace("&amp;", "&")
    }
}
