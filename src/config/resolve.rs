//! From what is written to what is meant. Every section is read to its end, so that all problems come out at once.

use std::net::SocketAddr;

use http::Method;
use ipnet::IpNet;

use super::access::{self, Around, no_rule_asks_for_passkeys};
use super::layers::Layers;
use super::passkeys::Passwords;
use super::problem::Problem;
use super::public::Public;
use super::raw::{self, Raw};
use super::reader::{Reader, quoted};
use super::tls::Tls;
use super::{
    Config, app_passwords, connections, database, forum, house, limits, mail, passkeys, public, registration,
    second_factor, server, tls, upstream,
};
use crate::auth::SelfDelete;
use crate::auth::app_passwords::options::AppPasswordOptions;
use crate::auth::joining::options::JoinOptions;
use crate::auth::passkeys::PasskeyOptions;
use crate::auth::second_factors::SecondFactorOptions;
use crate::auth::throttle::ThrottleOptions;
use crate::domain::{RequestPath, Timestamp};
use crate::policy::{Decision, Policy, RequestFacts};
use crate::proxy::options::{
    ConnectionLimits, IdentityOptions, ProxyOptions, ServiceWorkers, UpstreamOptions, Webauthn,
};
use crate::server::options::ServerOptions;
use crate::web::options::PageOptions;

/// Gives the texts their meaning, or tells all that is wrong; `problems` are those known already.
pub(super) fn resolve(raw: &Raw, layers: &Layers, problems: Vec<Problem>) -> Result<Config, Vec<Problem>> {
    let mut reader = Reader::new(layers, problems);
    let config = read(&mut reader, raw);
    let problems = reader.into_problems();
    match config {
        Some(config) if problems.is_empty() => Ok(config),
        _ => Err(problems),
    }
}

fn read(reader: &mut Reader<'_>, raw: &Raw) -> Option<Config> {
    let public = public::read(reader, &raw.server);
    let (server, tls, listen, connections) = listeners(reader, raw, public.as_ref());
    let trusted_proxies = server::trusted_proxies(reader, &raw.server.trusted_proxies);
    let identity = upstream::identity(reader, &raw.identity);
    let upstream = upstream::read(reader, &raw.upstream, &listen, identity.as_ref());
    let (policy, prefix) = rules(reader, raw, public.as_ref());
    let password = limits::password(reader, &raw.password);
    let ways = ways(reader, raw, prefix.as_deref());
    let store = house::store(reader, &raw.store, server.as_ref().map(|server| server.data_dir.as_path()));
    let pages = house::pages(reader, &raw.pages, public.as_ref().map(|public| &public.host));
    let site = public.as_ref().zip(pages.as_ref());
    let mail = site.and_then(|(public, pages)| mail::read(reader, &raw.mail, &public.host, &pages.site_name));
    recovery_is_open(reader, public.as_ref(), pages.as_ref(), policy.as_ref());
    let passwords = if raw.password.enabled { Passwords::On } else { Passwords::Off };
    let (log, database) = (house::log(reader, &raw.log), database::read(reader, &raw.forum));
    let forum = forum::application(&raw.forum, public.as_ref(), policy.as_ref());
    let application = upstream.as_ref().map(|upstream| upstream.application(forum));
    let around = (server.as_ref(), application, identity.as_ref(), database.as_ref(), passwords);
    let bridged = forum::read(reader, &raw.forum, &raw.access.rule, around);
    let passkeys = site.and_then(|site| passkeys_of(reader, raw, site, passwords));
    let second_factor = second_factor::read(reader, raw, passwords, server.as_ref());
    let (public, mut passkeys, second_factor, policy) = (public?, passkeys?, second_factor?, policy?);
    let ((password, hashing, hashing_workers), bridged, tls) = (password?, bridged?, tls?);
    let limits::SessionLimits { lifetimes, max_per_member, keep_forms } = ways.session?;
    let policy = of_one_mind(policy, passkeys.as_mut(), &second_factor).bridged(bridged.site);
    let ends = (upstream?, identity?, trusted_proxies?, connections?);
    Some(Config {
        proxy: proxy(ends, passkeys.as_ref(), &raw.passkeys, &tls),
        tls: tls.options,
        server: server?,
        policy,
        lifetimes,
        keep_forms,
        max_per_member,
        self_delete: ways.self_delete?,
        password,
        hashing,
        hashing_workers,
        throttle: ways.throttle?,
        joining: ways.joining?,
        app_passwords: ways.app_passwords?,
        passkeys,
        second_factor,
        forum: bridged.forum,
        forum_application: forum,
        database: database?,
        store: store?,
        mail: mail?,
        pages: pages?,
        log: log?,
        aliases: public.aliases,
        transport: public.transport,
        host: public.host,
        origins: public.origins,
        prefix: prefix?,
        file: reader.layers().file().cloned(),
    })
}

/// What is listened on without TLS and with it, all its addresses, and how much comes in there.
fn listeners(
    reader: &mut Reader<'_>,
    raw: &Raw,
    public: Option<&Public>,
) -> (Option<ServerOptions>, Option<Tls>, Vec<SocketAddr>, Option<ConnectionLimits>) {
    let server = server::read(reader, &raw.server, public, &raw.tls.listen);
    let plain = server.as_ref().map(|server| [&server.listen[..], server.admin_listen.as_slice()].concat());
    let mut all = plain.unwrap_or_default();
    let in_the_clear = server.as_ref().is_none_or(|server| !server.listen.is_empty());
    let tls = tls::read(reader, &raw.tls, &all, in_the_clear, public);
    all.extend(tls.iter().filter_map(|tls| tls.options.as_ref()).flat_map(|options| &options.listen));
    (server, tls, all, connections::read(reader, &raw.connections))
}

/// Who may pass, and the path below which our own pages are.
fn rules(reader: &mut Reader<'_>, raw: &Raw, public: Option<&Public>) -> (Option<Policy>, Option<String>) {
    let methods = server::methods(reader, &raw.server.methods);
    let prefix = server::prefix(reader, &raw.server.prefix);
    let around = Around { public, methods: methods.as_deref(), prefix: prefix.as_deref() };
    let policy = access::read(reader, &raw.access, &around);
    (upstream::policy(reader, &raw.upstream, &around, policy), prefix)
}

fn passkeys_of(
    reader: &mut Reader<'_>,
    raw: &Raw,
    (public, pages): (&Public, &PageOptions),
    passwords: Passwords,
) -> Option<Option<PasskeyOptions>> {
    let (host, origins, name) = (&public.host, public.origins.as_slice(), &pages.site_name);
    let site = passkeys::Site { host, origins, name, passwords };
    let passkeys = passkeys::read(reader, &raw.passkeys, &site)?;
    if passkeys.is_none() {
        no_rule_asks_for_passkeys(reader, &raw.access);
    }
    Some(passkeys)
}

/// For how long one is in, how often one may try to get in, how one gets an account or leaves, and what programs get.
struct Ways {
    session: Option<limits::SessionLimits>,
    throttle: Option<ThrottleOptions>,
    joining: Option<JoinOptions>,
    self_delete: Option<SelfDelete>,
    app_passwords: Option<Option<AppPasswordOptions>>,
}

fn ways(reader: &mut Reader<'_>, raw: &Raw, prefix: Option<&str>) -> Ways {
    Ways {
        session: limits::session(reader, &raw.session),
        joining: registration::read(reader, &raw.registration, &raw.mail),
        throttle: limits::throttle(reader, &raw.throttle),
        self_delete: limits::self_delete(reader, &raw.accounts),
        app_passwords: app_passwords::read(reader, &raw.app_passwords, prefix),
    }
}

fn proxy(
    (upstream, identity, trusted_proxies, connections): (
        UpstreamOptions,
        IdentityOptions,
        Vec<IpNet>,
        ConnectionLimits,
    ),
    passkeys: Option<&PasskeyOptions>,
    raw: &raw::Passkeys,
    tls: &Tls,
) -> ProxyOptions {
    let webauthn = if passkeys.is_some() { Webauthn::Ours } else { Webauthn::Anyones };
    let service_workers = match webauthn {
        Webauthn::Ours if !raw.allow_service_workers => ServiceWorkers::Refused,
        Webauthn::Ours | Webauthn::Anyones => ServiceWorkers::Allowed,
    };
    let (plain_http, hsts) = (tls.plain_http, tls.hsts.clone());
    ProxyOptions {
        upstream,
        identity,
        trusted_proxies,
        webauthn,
        service_workers,
        plain_http,
        hsts,
        connections,
    }
}

/// Access rules and passkeys each know of whom the other asks for a passkey, and rules of whom a second factor is asked.
fn of_one_mind(
    policy: Policy,
    passkeys: Option<&mut PasskeyOptions>,
    second_factor: &SecondFactorOptions,
) -> Policy {
    let policy = policy.demanding_second_factors(second_factor.required_for.clone());
    let Some(passkeys) = passkeys else { return policy };
    passkeys.asked_by_rules = policy.passkey_rules();
    policy.demanding(passkeys.required_for.clone())
}

/// Whoever needs the page can't sign in to see it.
fn recovery_is_open(
    reader: &mut Reader<'_>,
    public: Option<&Public>,
    pages: Option<&PageOptions>,
    policy: Option<&Policy>,
) {
    let (Some(public), Some(pages), Some(policy)) = (public, pages, policy) else { return };
    let Some(path) = pages.recovery_url.as_deref().filter(|text| text.starts_with('/')) else { return };
    let Ok(path) = RequestPath::parse(path) else { return };
    let facts = RequestFacts { host: &public.host, path: &path, method: &Method::GET };
    if matches!(
        policy.decide(&facts, None, Timestamp::from_millis(0)),
        Decision::SignIn(_) | Decision::Refuse(_)
    ) {
        reader.note(
            "pages.recovery_url",
            quoted(&path.target()),
            "a page that visitors may open",
            "add an [[access.rule]] for it with require = \"guest\"",
        );
    }
}
