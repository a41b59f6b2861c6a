//! Which server a request goes to, and what is kept of each: turns by weight, a member's own server, failures, checks.

use std::net::{Ipv4Addr, SocketAddr};

use http::Method;

use super::*;
use crate::domain::{Host, HostPattern, PathPattern, RequestPath, Timestamp};
use crate::policy::{Decision, Policy, RequestFacts, Requirement, Route};
use crate::proxy::options::{ClientCertificate, HostHeader, Place, ServerAt};

const NOBODY: Client = Client { member: None, address: IpAddr::V4(Ipv4Addr::LOCALHOST) };

/// An application on these ports, each at its one address.
fn application(ports: &[u16], balance: Balance) -> ApplicationOptions {
    let (scheme, host) = (UpstreamScheme::Http, Host::parse("127.0.0.1").unwrap());
    let at = |port: &u16| Place::Port { scheme, host: host.clone(), port: *port };
    let second = Duration::from_secs(1);
    ApplicationOptions {
        name: "upstream".into(),
        servers: ports.iter().map(|port| ServerAt { place: at(port), weight: 1 }).collect(),
        balance,
        ca_file: None,
        client_certificate: None,
        host_header: HostHeader::Client,
        connect_timeout: second,
        read_timeout: second,
        write_timeout: second,
        idle_timeout: second,
        check: None,
    }
}

fn options(sites: ApplicationOptions, routed: Vec<ApplicationOptions>) -> UpstreamOptions {
    UpstreamOptions { sites, routed, pool_size: 1, tunnels: TunnelLimits { total: 1, per_client: 1 } }
}

fn all(addresses: &[&str]) -> Vec<SocketAddr> {
    addresses.iter().map(|address| address.parse().unwrap()).collect()
}

/// A permit for this path, by a policy with a route for `/wiki`.
fn permit(path: &str) -> Permit {
    let host = Host::parse("localhost").unwrap();
    let route = Route {
        host: None,
        path: PathPattern::parse("/wiki/**").unwrap(),
        application: ApplicationId::of_route(0).unwrap(),
    };
    let hosts = vec![HostPattern::Exact(host.clone())];
    let policy = Policy::new(hosts, vec![Method::GET], "/.passgate".into(), Requirement::Public, Vec::new());
    let path = RequestPath::parse(path).unwrap();
    let facts = RequestFacts { host: &host, path: &path, method: &Method::GET };
    match policy.routed(vec![route]).decide(&facts, None, Timestamp::from_millis(0)) {
        Decision::Forward(permit) => permit,
        other => panic!("{other:?}"),
    }
}

/// Where a request goes, and goes on to after so many connects that failed.
fn ports(upstream: &Upstream, path: &str, attempts: &mut Attempts) -> Vec<u16> {
    let request = RequestHeader::build("POST", b"/", None).unwrap();
    let mut ports = Vec::new();
    while let Ok(peer) = upstream.peer(&permit(path), &request, None, NOBODY, attempts) {
        ports.push(peer._address.as_inet().unwrap().port());
        let error = Error::explain(ErrorType::ConnectRefused, "nobody is there");
        if !upstream.not_connected(&peer, error, attempts).retry() {
            break;
        }
    }
    ports
}

#[test]
fn an_address_that_leads_nowhere_is_passed_over_and_the_next_one_stays_in_use() {
    let [six, four] = ["[::1]:80", "127.0.0.1:80"];
    let upstream = Upstream::new(application(&[80], Balance::Turns), |_| None);
    let security = Security::default();
    let server = &upstream.servers[0];
    let used = || server.peer().unwrap()._address.to_string();
    server.found(all(&[six, four]), &security);
    assert!(server.pass_over(&server.peer().unwrap(), 1), "the other one is left");
    assert_eq!(used(), four);
    server.found(all(&[four, six]), &security);
    server.found(all(&[six, four]), &security);
    assert_eq!(used(), four);
    assert!(!server.pass_over(&server.peer().unwrap(), 2), "both have been tried");
    server.found(all(&["10.0.0.1:80", four]), &security);
    server.found(all(&["10.0.0.2:80"]), &security);
    assert_eq!(used(), "10.0.0.2:80");
    assert!(!server.pass_over(&server.peer().unwrap(), 1));
    assert_eq!(used(), "10.0.0.2:80", "there is no other");
}

#[tokio::test]
async fn a_permit_leads_to_its_own_application_and_no_other() {
    let routed = vec![application(&[2], Balance::Turns)];
    let upstreams = Upstreams::new(&options(application(&[1], Balance::Turns), routed), None);
    upstreams.look_up().await;
    for (path, port) in [("/", 1), ("/wikis", 1), ("/wiki", 2), ("/wiki/x", 2)] {
        assert_eq!(ports(upstreams.of(&permit(path)), path, &mut Attempts::default()), [port], "{path}");
    }
}

#[tokio::test]
async fn rel_06_a_request_that_was_not_sent_is_tried_at_each_server_once() {
    for balance in [Balance::Turns, Balance::Member, Balance::Address] {
        let upstream = Upstream::new(application(&[1, 2, 3], balance), |_| None);
        upstream.look_up().await;
        for _ in 0..4 {
            let mut tried = ports(&upstream, "/", &mut Attempts::default());
            tried.sort_unstable();
            assert_eq!(tried, [1, 2, 3], "{balance:?}: all are away, so each is asked as the last hope");
        }
        assert!(upstream.servers.iter().all(|server| !server.standing.is_up()));
    }
}

#[tokio::test]
async fn a_server_whose_checks_fail_gets_nothing_even_as_the_last_one() {
    let upstream = Upstream::new(application(&[1, 2], Balance::Turns), |_| None);
    upstream.look_up().await;
    let fails = |at: usize| (0..2).for_each(|_| _ = upstream.servers[at].standing.checked(false));
    fails(0);
    assert_eq!(ports(&upstream, "/", &mut Attempts::default()), [2]);
    fails(1);
    assert_eq!(ports(&upstream, "/", &mut Attempts::default()), [0; 0]);
    let alone = Upstream::new(application(&[1], Balance::Turns), |_| None);
    alone.look_up().await;
    (0..2).for_each(|_| _ = alone.servers[0].standing.checked(false));
    assert_eq!(ports(&alone, "/", &mut Attempts::default()), [0; 0]);
}

#[tokio::test]
async fn a_server_whose_name_is_not_found_costs_the_others_nothing() {
    let upstream = Upstream::new(application(&[1, 2], Balance::Turns), |_| None);
    upstream.servers[1].found(all(&["127.0.0.1:2"]), &Security::default());
    for _ in 0..4 {
        assert_eq!(ports(&upstream, "/", &mut Attempts::default()), [2]);
    }
}

#[tokio::test]
async fn what_is_known_of_a_server_outlives_a_reload() {
    let two = options(application(&[1, 2], Balance::Turns), Vec::new());
    let before = Upstreams::new(&two, None);
    before.look_up().await;
    before.sites.servers[0].standing.failed(Tick::now());
    let elsewhere = ApplicationOptions { name: "/wiki/**".into(), ..application(&[1], Balance::Turns) };
    let apart = Upstreams::new(&options(application(&[3], Balance::Turns), vec![elsewhere]), Some(&before));
    assert!(apart.routed[0].servers[0].standing.is_up(), "another application may speak to it otherwise");
    let swapped = Upstreams::new(&options(application(&[3, 1], Balance::Turns), Vec::new()), Some(&before));
    let up: Vec<_> = swapped.sites.servers.iter().map(|server| server.standing.is_up()).collect();
    assert_eq!(up, [true, false]);
    assert!(swapped.exposition().contains("{application=\"upstream\",server=\"http://127.0.0.1:1\"} 0\n"));
}

#[tokio::test]
async fn a_check_that_is_taken_out_or_asks_something_else_leaves_no_server_away() {
    let check = |target: &str| CheckOptions {
        target: target.into(),
        interval: Duration::from_secs(3_600),
        timeout: Duration::from_secs(1),
        status: http::StatusCode::OK,
        host: None,
        proof: None,
    };
    let asked = |check: Option<CheckOptions>| {
        options(ApplicationOptions { check, ..application(&[1], Balance::Turns) }, Vec::new())
    };
    let wrong = Upstreams::new(&asked(Some(check("/no-such-page"))), None);
    let standing = &wrong.sites.servers[0].standing;
    for (next, is_up) in [(Some(check("/no-such-page")), false), (Some(check("/health")), true), (None, true)]
    {
        assert!(standing.is_check_due(Tick::now(), Duration::from_secs(3_600)));
        (0..2).for_each(|_| _ = standing.checked(false));
        let reloaded = Upstreams::new(&asked(next), Some(&wrong));
        assert_eq!(reloaded.sites.servers[0].standing.is_up(), is_up);
        assert_eq!(standing.is_check_due(Tick::now(), Duration::from_secs(3_600)), is_up);
        standing.forget_checks();
    }
}

#[tokio::test]
async fn files_that_have_changed_are_read_again_and_the_old_ones_connections_are_not_used_any_more() {
    let folder = tempfile::tempdir().unwrap();
    let [chain, key] = ["chain.pem", "key.pem"].map(|name| folder.path().join(name));
    let issue = || {
        let pair = rcgen::generate_simple_self_signed(["gateway".to_owned()]).unwrap();
        std::fs::write(&chain, pair.cert.pem()).unwrap();
        std::fs::write(&key, pair.signing_key.serialize_pem()).unwrap();
        std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    };
    issue();
    let upstream = Upstream::new(
        ApplicationOptions {
            client_certificate: Some(ClientCertificate::read(chain.clone(), key.clone()).unwrap()),
            ..application(&[1], Balance::Turns)
        },
        |_| None,
    );
    upstream.look_up().await;
    let group = || upstream.servers[0].peer().unwrap().group_key;
    let first = group();
    assert!(first >> 63 == 1, "apart from all others");
    upstream.renew();
    assert_eq!(group(), first);
    std::fs::write(&key, "half of it").unwrap();
    upstream.renew();
    assert_eq!(group(), first, "what can't be used changes nothing");
    issue();
    upstream.renew();
    assert_ne!(group(), first);
    upstream.look_up().await;
    assert_ne!(group(), first);
}
