use super::*;

const BOTH: PasskeyFor = PasskeyFor { signing_in: true, sensitive_actions: true };
const SIGNING_IN: PasskeyFor = PasskeyFor { signing_in: true, sensitive_actions: false };
const SENSITIVE: PasskeyFor = PasskeyFor { signing_in: false, sensitive_actions: true };
const NOTHING: PasskeyFor = PasskeyFor { signing_in: false, sensitive_actions: false };
const PASSKEY_FIRST: Decision = Decision::SignIn(SignInReason::Passkey);

fn groups(names: &[&str]) -> RequiredFor {
    RequiredFor::Groups(names.iter().map(|name| Group::parse(name).unwrap()).collect())
}

/// `GET /x` of a member of the group `admins`.
fn decide(policy: &Policy, proof: Proof, passkey_for: PasskeyFor, now: Timestamp) -> Decision {
    let (alice, method) = (alice(), Method::GET);
    let facts = RequestFacts {
        host: &Host::parse("forum.example").unwrap(),
        path: &RequestPath::parse("/x").unwrap(),
        method: &method,
    };
    policy.decide(&facts, Some(Presence { proof, passkey_for, ..by_password(&alice) }), now)
}

fn rule_for_x(rule: Rule) -> Policy {
    policy(Requirement::Deny, vec![Rule { path: PathPattern::parse("/x").unwrap(), ..rule }])
}

#[test]
fn mf_01_mf_28_a_password_opens_nothing_where_a_passkey_is_required() {
    for (required_for, is_asked) in [
        (RequiredFor::Everyone, true),
        (groups(&["admins"]), true),
        (groups(&["moderators", "admins"]), true),
        (groups(&["moderators"]), false),
        (groups(&[]), false),
        (RequiredFor::Nobody, false),
    ] {
        for require in [Requirement::Guest, Requirement::Login] {
            for policy in [policy(require, vec![]), rule_for_x(rule("/**", require))] {
                let policy = policy.demanding(required_for.clone());
                let by = |proof| decide(&policy, proof, NOTHING, NOW);
                let expected = if is_asked { None } else { Some(Some("alice")) };
                assert_eq!(forwards_as(&by(Proof::Password)), expected, "{required_for:?} {require:?}");
                assert_eq!(by(Proof::Password) == PASSKEY_FIRST, is_asked);
                assert_eq!(by(Proof::Link), by(Proof::Password), "L9: a link is no passkey");
                assert_eq!(forwards_as(&by(Proof::Passkey)), Some(Some("alice")), "{required_for:?}");
                let visitor = ask(&policy, "GET", "forum.example/x", None);
                assert_eq!(forwards_as(&visitor).is_some(), require == Requirement::Guest, "nobody is asked");
            }
        }
        let closed = policy(Requirement::Deny, vec![]).demanding(required_for.clone());
        assert_eq!(
            decide(&closed, Proof::Password, NOTHING, NOW),
            Decision::Refuse(Refusal::Denied),
            "closed to everyone"
        );
        let open = policy(Requirement::Public, vec![]).demanding(required_for);
        assert_eq!(forwards_as(&decide(&open, Proof::Password, BOTH, NOW)), Some(None), "as to strangers");
    }
}

#[test]
fn mx_11_a_members_choice_counts_as_the_sites_and_rests_where_passkeys_are_off() {
    let policy = |required_for| policy(Requirement::Guest, vec![]).demanding(required_for);
    for (required_for, choice, is_asked) in [
        (groups(&[]), SIGNING_IN, true),
        (groups(&[]), BOTH, true),
        (groups(&[]), SENSITIVE, false),
        (groups(&[]), NOTHING, false),
        (RequiredFor::Nobody, BOTH, false),
    ] {
        let decision = decide(&policy(required_for.clone()), Proof::Password, choice, NOW);
        assert_eq!(decision == PASSKEY_FIRST, is_asked, "{required_for:?} {choice:?}");
        let decision = decide(&policy(required_for), Proof::Passkey, choice, NOW);
        assert_eq!(forwards_as(&decision), Some(Some("alice")));
    }
}

#[test]
fn mf_08_mx_13_a_page_may_take_a_passkey_alone_and_a_fresh_one() {
    let limit = Duration::from_secs(300);
    let (fresh, old) = (NOW.after(limit), NOW.after(limit + Duration::from_millis(1)));
    let step_up = |step_up_with| {
        rule_for_x(Rule { step_up: Some(limit), step_up_with, ..rule("/**", Requirement::Login) })
            .demanding(groups(&[]))
    };
    let forwards = |decision: &Decision| forwards_as(decision) == Some(Some("alice"));
    for (policy, choice) in [(step_up(StepUpWith::Passkey), NOTHING), (step_up(StepUpWith::Any), SENSITIVE)] {
        assert_eq!(decide(&policy, Proof::Password, choice, NOW), PASSKEY_FIRST);
        assert_eq!(decide(&policy, Proof::Passkey, choice, old), PASSKEY_FIRST);
        assert!(forwards(&decide(&policy, Proof::Passkey, choice, fresh)));
    }
    let any = step_up(StepUpWith::Any);
    for proof in [Proof::Password, Proof::Passkey] {
        assert!(forwards(&decide(&any, proof, NOTHING, fresh)), "MX-15: {proof:?}");
        assert_eq!(decide(&any, proof, NOTHING, old), Decision::SignIn(SignInReason::StepUp), "{proof:?}");
    }
    let off = any.demanding(RequiredFor::Nobody);
    assert!(forwards(&decide(&off, Proof::Password, SENSITIVE, fresh)), "passkeys are switched off");
}

#[test]
fn a_member_of_no_group_of_the_rule_is_asked_for_the_passkey_before_that_is_said() {
    let staff = vec![Group::parse("staff").unwrap()];
    let policy =
        rule_for_x(Rule { groups: staff, ..rule("/**", Requirement::Login) }).demanding(groups(&["admins"]));
    assert_eq!(decide(&policy, Proof::Password, NOTHING, NOW), PASSKEY_FIRST);
    assert_eq!(decide(&policy, Proof::Passkey, NOTHING, NOW), Decision::Refuse(Refusal::NotInGroup));
}

#[test]
fn what_asks_for_a_passkey_is_explained() {
    let (alice, method) = (alice(), Method::GET);
    let (host, path) = (Host::parse("forum.example").unwrap(), RequestPath::parse("/x").unwrap());
    let facts = RequestFacts { host: &host, path: &path, method: &method };
    let told = |policy: &Policy, passkey_for| {
        let member = Presence { passkey_for, ..by_password(&alice) };
        policy.explain(&facts, Some(member), NOW).to_string()
    };
    let guest = || policy(Requirement::Guest, vec![]);
    for (policy, choice, why) in [
        (guest().demanding(RequiredFor::Everyone), NOTHING, "password.enabled = false"),
        (guest().demanding(groups(&["admins"])), NOTHING, "passkeys.required_for = [\"admins\"]"),
        (guest().demanding(groups(&[])), SIGNING_IN, "the member's own choice"),
        (
            rule_for_x(Rule {
                step_up: Some(Duration::from_secs(300)),
                step_up_with: StepUpWith::Passkey,
                ..rule("/**", Requirement::Login)
            }),
            NOTHING,
            "step_up = \"300s\", step_up_with = \"passkey\"",
        ),
    ] {
        let text = told(&policy, choice);
        assert!(text.starts_with("asked for a passkey first") && text.contains(why), "{text}");
    }
    assert!(!told(&guest().demanding(groups(&[])), SENSITIVE).contains("asked"));
}
