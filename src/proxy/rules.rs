//! What a reload replaces, and what of it is asked about a request before anything else.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method};
use pingora::http::RequestHeader;

use super::options::{PlainHttp, ServiceWorkers};
use super::{ForumRules, Gateway, HeaderRules, Judged, PublicOrigin, TrustedProxies, Upstreams, tunnels};
use crate::auth::Cookies;
use crate::auth::app_passwords::options::AppPasswordOptions;
use crate::domain::{Host, HostPattern};
use crate::policy::{Policy, RequestFacts};
use crate::web::{Problem, Web};

/// Everything a reload replaces, as one value: a request sees all of the old or all of the new (SECURITY: PATH-10).
pub struct Rules {
    /// Who may pass.
    pub policy: Policy,
    /// How headers are rewritten.
    pub headers: Arc<HeaderRules>,
    /// How cookies are read.
    pub cookies: Cookies,
    /// Our own pages.
    pub web: Web,
    /// The applications.
    pub upstreams: Arc<Upstreams>,
    /// Whose forwarding fields are believed.
    pub trusted: TrustedProxies,
    /// Other names of the site: what is asked for there is to be asked for at the public origin.
    pub aliases: Vec<HostPattern>,
    /// How browsers reach us.
    pub public: PublicOrigin,
    /// Whether the application may have service workers.
    pub service_workers: ServiceWorkers,
    /// What becomes of requests without TLS.
    pub plain_http: PlainHttp,
    /// Where app passwords count; none where they are off.
    pub app_passwords: Option<AppPasswordOptions>,
    /// The application as a forum; none if members become known to it in no other way than by the headers.
    pub forum: Option<ForumRules>,
}

impl Gateway {
    /// What is said of TLS in answers that come inside it; none if nothing is.
    pub fn hsts(&self) -> Option<HeaderValue> {
        self.rules.load().headers.hsts().cloned()
    }
}

impl Rules {
    /// SECURITY: BP-85. Under another name of the site nothing is served, since neither a session nor a passkey made there
    /// would count here; what can be asked for again is.
    pub(super) fn elsewhere(&self, facts: &RequestFacts<'_>) -> Judged {
        if self.is_alias(facts.host) && matches!(*facts.method, Method::GET | Method::HEAD) {
            return Judged::Moved(format!("{}{}", self.public.origin, facts.path.target()));
        }
        Judged::Refused(Problem::UnknownHost)
    }

    pub(super) fn is_alias(&self, host: &Host) -> bool {
        self.aliases.iter().any(|alias| alias.matches(host))
    }

    pub(super) fn is_of_this_site(&self, host: &Host) -> bool {
        self.policy.answers_to(host) || self.is_alias(host)
    }

    /// SECURITY: BP-88. A script that someone uploaded could else answer for our pages, and see what is typed there.
    /// Browsers mark the request for one (Service Workers, `Service-Worker: script`), and scripts can't leave that out.
    pub(super) fn refuse_worker(&self, headers: &HeaderMap) -> bool {
        self.service_workers == ServiceWorkers::Refused && headers.contains_key("service-worker")
    }

    /// SECURITY: WS-01.
    pub(super) fn is_foreign_tunnel(&self, request: &RequestHeader) -> bool {
        tunnels::is_asked_for(request) && !self.web.is_from_here(&request.headers)
    }
}
