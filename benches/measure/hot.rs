//! What is done for each request of a member, one step at a time: for the micro-benchmarks, and for the test that counts
//! allocations.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Method};
use passgate::auth::{Cookies, LiveSession, SessionToken, Sessions, Transport};
use passgate::domain::{
    Beside, Clock, Host, HostPattern, Lifetimes, PasskeyFor, PathPattern, Persistence, Profile, RequestPath,
    Session, SystemClock, Timestamp, User, UserId, UserName, UserState,
};
use passgate::policy::{
    ClientAuthorization, Decision, Permit, Policy, RequestFacts, Requirement, Rule, RuleBridge, StepUpWith,
};
use passgate::proxy::HeaderRules;
use passgate::proxy::options::{IdentityEncoding, IdentityOptions, Webauthn};
use passgate::store::{Change, MemoryStore, Store};
use pingora::http::RequestHeader;

/// As most are.
const PLAIN_TARGET: &str = "/viewtopic.php?f=12&t=34567&start=20";
/// One that has to be taken apart.
const ODD_TARGET: &str = "/./forum//caf%C3%A9/../viewtopic.php?t=1";
/// Rules, of which the last one fits.
const RULES: usize = 10;

/// Everything that the steps need, made once.
pub(crate) struct Hot {
    policy: Policy,
    host: Host,
    path: RequestPath<'static>,
    sessions: Sessions,
    token: SessionToken,
    live: Arc<LiveSession>,
    now: Timestamp,
    cookies: Cookies,
    cookie: String,
    headers: HeaderRules,
}

impl Hot {
    pub(crate) fn new() -> Self {
        let (token, user) = (SessionToken::generate(), user());
        let (store, clock) = (Arc::new(MemoryStore::new()), Arc::new(SystemClock));
        let now = clock.now();
        let changes = vec![Change::AddUser(user.clone()), Change::PutSession(session(&token, &user, now))];
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(store.apply(changes)).unwrap();
        let day = Duration::from_secs(86_400);
        let lifetimes = Lifetimes { idle: day, absolute: day, remember: day, shared: day };
        let sessions = Sessions::open(store, clock, lifetimes).unwrap();
        let live = sessions.check(&token).unwrap();
        let cookies = Cookies::new(Transport::Tls, day);
        let session = format!("{}={}", cookies.session_name(), token.to_text().as_str());
        let cookie = format!("phpbb3_u=2; phpbb3_k=; {session}; phpbb3_sid=0123456789abcdef; style=dark");
        Self {
            policy: policy(),
            host: Host::parse("forum.example.org").unwrap(),
            path: RequestPath::parse(PLAIN_TARGET).unwrap(),
            headers: HeaderRules::new(identity(), cookies.clone(), None, Webauthn::Ours),
            sessions,
            token,
            live,
            now,
            cookies,
            cookie,
        }
    }

    /// Who may do this.
    pub(crate) fn decide(&self) -> Decision {
        let facts = RequestFacts { host: &self.host, path: &self.path, method: &Method::GET };
        let profile = self.live.profile();
        self.policy.decide(black_box(&facts), Some(self.live.presence(&profile)), self.now)
    }

    /// Whether this session holds.
    pub(crate) fn check(&self) -> Arc<LiveSession> {
        self.sessions.check(black_box(&self.token)).unwrap()
    }

    /// What path that is.
    pub(crate) fn canonical(&self) -> RequestPath<'static> {
        RequestPath::parse(black_box(PLAIN_TARGET)).unwrap()
    }

    /// The same of one that no browser sends.
    pub(crate) fn canonical_odd(&self) -> RequestPath<'static> {
        RequestPath::parse(black_box(ODD_TARGET)).unwrap()
    }

    /// Which session is presented.
    pub(crate) fn read_cookie(&self) -> SessionToken {
        self.cookies.session(std::iter::once(black_box(self.cookie.as_bytes()))).token().unwrap()
    }

    /// A request as a browser sends it.
    pub(crate) fn request(&self) -> RequestHeader {
        let mut request = RequestHeader::build("GET", PLAIN_TARGET.as_bytes(), None).unwrap();
        for (name, value) in [
            ("Host", "forum.example.org"),
            ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"),
            ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
            ("Accept-Language", "en-GB,en;q=0.5"),
            ("Accept-Encoding", "gzip, deflate, br"),
            ("Referer", "https://forum.example.org/viewforum.php?f=12"),
            ("Cookie", &self.cookie),
            ("Sec-Fetch-Site", "same-origin"),
            ("Sec-Fetch-Mode", "navigate"),
            ("Remote-User", "admin"),
        ] {
            request
                .append_header(HeaderName::try_from(name).unwrap(), HeaderValue::from_str(value).unwrap())
                .unwrap();
        }
        request
    }

    pub(crate) fn permit(&self) -> Permit {
        match self.decide() {
            Decision::Forward(permit) => permit,
            other => panic!("{other:?}"),
        }
    }

    /// Takes out of a request what the client must not say.
    pub(crate) fn sanitise(&self, request: &mut RequestHeader, permit: &Permit) {
        self.headers.rewrite(request, permit);
    }
}

fn user() -> User {
    User {
        profile: Profile {
            id: UserId::generate(),
            name: UserName::parse("alice").unwrap(),
            full_name: None,
            email: None,
            groups: vec![],
        },
        state: UserState::Active,
        password: None,
        created: Timestamp::from_millis(1),
        last_sign_in: None,
        setup: None,
        passkey_for: PasskeyFor::default(),
        imported: None,
    }
}

fn session(token: &SessionToken, user: &User, now: Timestamp) -> Session {
    Session {
        id: token.hash(),
        user: user.profile.id,
        created: now,
        last_seen: now,
        persistence: Persistence::Browser,
        passkey: None,
        by_link: false,
        beside: Beside::Nothing,
        user_agent: String::new(),
    }
}

fn policy() -> Policy {
    let rule = |number: usize| Rule {
        host: None,
        path: PathPattern::parse(&if number == 0 { "/**".to_owned() } else { format!("/area-{number}/**") })
            .unwrap(),
        methods: Vec::new(),
        require: Requirement::Login,
        groups: Vec::new(),
        step_up: None,
        step_up_with: StepUpWith::Any,
        authorization: ClientAuthorization::Drop,
        bridge: RuleBridge::Sites,
    };
    let hosts = vec![HostPattern::parse("forum.example.org").unwrap()];
    let methods = vec![Method::GET, Method::HEAD, Method::POST];
    Policy::new(hosts, methods, "/.passgate".to_owned(), Requirement::Login, (0..RULES).map(rule).collect())
}

fn identity() -> IdentityOptions {
    IdentityOptions {
        user: HeaderName::from_static("remote-user"),
        name: HeaderName::from_static("remote-name"),
        email: HeaderName::from_static("remote-email"),
        groups: HeaderName::from_static("remote-groups"),
        encoding: IdentityEncoding::Percent,
        secret: HeaderName::from_static("x-gateway-secret"),
        proof: None,
    }
}
