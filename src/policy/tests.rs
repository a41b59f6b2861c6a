mod required;
mod second_factor;

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::domain::{Group, PathPattern, UserId, UserName};

const NOW: Timestamp = Timestamp::from_millis(1_000_000_000);

fn rule(path: &str, require: Requirement) -> Rule {
    Rule {
        host: None,
        path: PathPattern::parse(path).unwrap(),
        methods: Vec::new(),
        require,
        groups: Vec::new(),
        step_up: None,
        step_up_with: StepUpWith::Any,
        authorization: ClientAuthorization::Drop,
        bridge: RuleBridge::Sites,
    }
}

fn policy(default: Requirement, rules: Vec<Rule>) -> Policy {
    let hosts =
        vec![HostPattern::parse("forum.example").unwrap(), HostPattern::parse("*.forum.example").unwrap()];
    let methods = vec![Method::GET, Method::HEAD, Method::POST, Method::OPTIONS];
    Policy::new(hosts, methods, "/.passgate".to_owned(), default, rules)
}

fn alice() -> Arc<Profile> {
    Arc::new(Profile {
        id: UserId([1; 16]),
        name: UserName::parse("alice").unwrap(),
        full_name: None,
        email: None,
        groups: vec![Group::parse("admins").unwrap()],
    })
}

/// Signed in just now.
fn by_password(profile: &Arc<Profile>) -> Presence<'_> {
    Presence { profile, proved_at: Some(NOW), proof: Proof::Password, passkey_for: PasskeyFor::default() }
}

fn ask(policy: &Policy, method: &str, url: &str, member: Option<&Arc<Profile>>) -> Decision {
    let (host, target) = url.split_at(url.find('/').unwrap());
    let facts = RequestFacts {
        host: &Host::parse(host).unwrap(),
        path: &RequestPath::parse(target).unwrap(),
        method: &method.parse().unwrap(),
    };
    policy.decide(&facts, member.map(by_password), NOW)
}

fn forwards_as(decision: &Decision) -> Option<Option<&str>> {
    match decision {
        Decision::Forward(permit) => Some(permit.identity().map(|profile| profile.name.as_str())),
        _ => None,
    }
}

#[test]
fn each_requirement_means_what_it_says_for_visitor_and_member() {
    let alice = alice();
    for (require, visitor, member) in [
        (Requirement::Deny, None, None),
        (Requirement::Guest, Some(None), Some(Some("alice"))),
        (Requirement::Login, None, Some(Some("alice"))),
        (Requirement::Public, Some(None), Some(None)),
    ] {
        let policies = [policy(require, vec![]), policy(Requirement::Deny, vec![rule("/**", require)])];
        for policy in policies {
            assert_eq!(forwards_as(&ask(&policy, "GET", "forum.example/x", None)), visitor, "{require:?}");
            assert_eq!(
                forwards_as(&ask(&policy, "GET", "forum.example/x", Some(&alice))),
                member,
                "{require:?}"
            );
        }
    }
}

#[test]
fn the_longest_match_decides_whatever_the_order() {
    let rules = vec![
        rule("/**", Requirement::Guest),
        rule("/adm/**", Requirement::Login),
        rule("/adm/style.css", Requirement::Public),
        Rule {
            host: Some(HostPattern::parse("old.forum.example").unwrap()),
            ..rule("/**", Requirement::Deny)
        },
        Rule { methods: vec![Method::POST], ..rule("/adm/style.css", Requirement::Deny) },
    ];
    for rules in [rules.clone(), rules.into_iter().rev().collect()] {
        let policy = policy(Requirement::Deny, rules);
        let no_one = |method, url| ask(&policy, method, url, None);
        assert_eq!(forwards_as(&no_one("GET", "forum.example/x")), Some(None));
        assert_eq!(no_one("GET", "forum.example/adm/"), Decision::SignIn(SignInReason::NoSession));
        assert_eq!(forwards_as(&no_one("GET", "forum.example/adm/style.css")), Some(None));
        assert_eq!(no_one("POST", "forum.example/adm/style.css"), Decision::Refuse(Refusal::Denied));
        assert_eq!(no_one("GET", "old.forum.example/adm/style.css"), Decision::Refuse(Refusal::Denied));
    }
}

#[test]
fn path_08_head_is_decided_as_get_and_options_as_itself() {
    let policy = policy(
        Requirement::Login,
        vec![Rule { methods: vec![Method::GET], ..rule("/open", Requirement::Guest) }],
    );
    assert_eq!(forwards_as(&ask(&policy, "HEAD", "forum.example/open", None)), Some(None));
    assert_eq!(
        ask(&policy, "OPTIONS", "forum.example/open", None),
        Decision::SignIn(SignInReason::NoSession)
    );
    assert_eq!(ask(&policy, "HEAD", "forum.example/", None), Decision::SignIn(SignInReason::NoSession));
}

#[test]
fn path_07_methods_not_listed_are_refused() {
    let policy = policy(Requirement::Public, vec![]);
    for method in ["TRACE", "TRACK", "CONNECT", "get", "PROPFIND"] {
        let decision = ask(&policy, method, "forum.example/", None);
        assert_eq!(decision, Decision::Refuse(Refusal::MethodNotAllowed), "{method}");
    }
}

#[test]
fn p5_an_unknown_host_is_refused_before_any_rule() {
    let policy = policy(Requirement::Public, vec![rule("/**", Requirement::Public)]);
    for host in ["other.example", "forum.example.evil", "evilforum.example", "127.0.0.1"] {
        let decision = ask(&policy, "GET", &format!("{host}/.passgate/login"), None);
        assert_eq!(decision, Decision::Refuse(Refusal::UnknownHost), "{host}");
    }
    assert_eq!(forwards_as(&ask(&policy, "GET", "a.forum.example/", None)), Some(None));
}

#[test]
fn path_05_no_rule_reaches_our_own_pages() {
    let policy = policy(Requirement::Public, vec![rule("/.passgate/**", Requirement::Public)]);
    for target in
        ["/.passgate", "/.passgate/login", "//.passgate/x", "/x/../.passgate/", "/%2epassgate/login"]
    {
        assert_eq!(
            ask(&policy, "GET", &format!("forum.example{target}"), None),
            Decision::ServeOwn,
            "{target}"
        );
    }
}

#[test]
fn path_06_a_rule_for_static_files_opens_no_script() {
    let policy = policy(Requirement::Login, vec![rule("/**/*.css", Requirement::Public)]);
    assert_eq!(forwards_as(&ask(&policy, "GET", "forum.example/styles/x.css", None)), Some(None));
    let through_script = ask(&policy, "GET", "forum.example/ucp.php/x.css", None);
    assert_eq!(through_script, Decision::SignIn(SignInReason::NoSession));
}

#[test]
fn a_rule_asks_for_groups_and_for_a_recent_sign_in() {
    let mut admin = rule("/adm/**", Requirement::Login);
    admin.groups = vec![Group::parse("founders").unwrap(), Group::parse("admins").unwrap()];
    admin.step_up = Some(Duration::from_secs(300));
    let policy = policy(Requirement::Guest, vec![admin]);
    let mut bob = Profile::clone(&alice());
    bob.groups.clear();
    assert_eq!(
        ask(&policy, "GET", "forum.example/adm/", Some(&Arc::new(bob))),
        Decision::Refuse(Refusal::NotInGroup)
    );

    let facts = RequestFacts {
        host: &Host::parse("forum.example").unwrap(),
        path: &RequestPath::parse("/adm/").unwrap(),
        method: &Method::GET,
    };
    let alice = alice();
    let proved = |proved_at, age| {
        let now = NOW.after(Duration::from_secs(age));
        policy.decide(&facts, Some(Presence { proved_at, ..by_password(&alice) }), now)
    };
    let at = |age| proved(Some(NOW), age);
    assert_eq!(forwards_as(&at(300)), Some(Some("alice")));
    assert_eq!(at(301), Decision::SignIn(SignInReason::StepUp));
    assert_eq!(proved(None, 0), Decision::SignIn(SignInReason::StepUp), "L9: nothing was proved");
}

#[test]
fn a_rule_says_how_members_become_known_and_the_site_where_it_does_not() {
    let bridged = |path: &str, require, bridge| Rule { bridge, ..rule(path, require) };
    let policy = policy(
        Requirement::Login,
        vec![
            rule("/same", Requirement::Guest),
            bridged("/api", Requirement::Login, RuleBridge::By(BridgeKind::Headers)),
            bridged("/quiet", Requirement::Login, RuleBridge::Nobody),
            rule("/open", Requirement::Public),
        ],
    );
    let bridge = |policy: &Policy, path: &str| {
        let Decision::Forward(permit) = ask(policy, "GET", &format!("forum.example{path}"), Some(&alice()))
        else {
            panic!("{path}")
        };
        (permit.bridge(), permit.identity().is_some(), permit.depends_on_member())
    };
    let form = policy.clone().bridged(Some(BridgeKind::Form));
    for (path, expected) in [
        ("/", (Some(BridgeKind::Form), true, true)),
        ("/same", (Some(BridgeKind::Form), true, true)),
        ("/api", (Some(BridgeKind::Headers), true, true)),
        ("/quiet", (None, false, true)),
        ("/open", (None, false, false)),
    ] {
        assert_eq!(bridge(&form, path), expected, "{path}");
    }
    assert_eq!(
        bridge(&policy, "/"),
        (Some(BridgeKind::Headers), true, true),
        "unless the site says otherwise"
    );
    let nobody = policy.bridged(None);
    assert_eq!(bridge(&nobody, "/"), (None, false, true));
    assert_eq!(bridge(&nobody, "/api"), (Some(BridgeKind::Headers), true, true));
    assert_eq!(ask(&nobody, "GET", "forum.example/quiet", None), Decision::SignIn(SignInReason::NoSession));
}

#[test]
fn an_explanation_names_the_deciding_rule_and_what_kept_the_others_out() {
    let policy = policy(
        Requirement::Login,
        vec![
            rule("/adm/**", Requirement::Deny),
            rule("/**", Requirement::Guest),
            rule("/x", Requirement::Public),
        ],
    );
    let facts = RequestFacts {
        host: &Host::parse("forum.example").unwrap(),
        path: &RequestPath::parse("/adm/x").unwrap(),
        method: &Method::GET,
    };
    let text = policy.explain(&facts, None, NOW).to_string();
    assert!(
        text.starts_with("refused: a rule denies it\ndecided by: path = \"/adm/**\", require = \"deny\"\n"),
        "{text}"
    );
    assert!(text.contains("a better match won   path = \"/**\""), "{text}");
    assert!(text.contains("another path         path = \"/x\""), "{text}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    /// PATH-01, PATH-09: no spelling of a target is judged more kindly than the canonical path it is forwarded as, and
    /// without a session nothing outside the open folder passes.
    #[test]
    fn path_09_no_spelling_of_a_closed_path_passes(
        target in "(/|//|/\\.|/\\.\\.|%2e|%2F|/public|/closed|%70ublic|[a-c;%\\\\]){1,8}"
    ) {
        let policy = policy(Requirement::Login, vec![rule("/public/**", Requirement::Public)]);
        let target = format!("/{target}");
        if let Ok(path) = RequestPath::parse(&target) {
            let forwarded = path.target().into_owned();
            let as_sent = ask(&policy, "GET", &format!("forum.example{target}"), None);
            let as_forwarded = ask(&policy, "GET", &format!("forum.example{forwarded}"), None);
            prop_assert_eq!(&as_sent, &as_forwarded);
            if forwards_as(&as_sent).is_some() {
                prop_assert!(forwarded == "/public" || forwarded.starts_with("/public/"), "{}", forwarded);
            }
        }
    }
}
