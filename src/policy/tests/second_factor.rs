use super::*;

fn decided(policy: &Policy, proof: Proof) -> (Decision, String) {
    let (alice, method) = (alice(), Method::GET);
    let facts = RequestFacts {
        host: &Host::parse("forum.example").unwrap(),
        path: &RequestPath::parse("/x").unwrap(),
        method: &method,
    };
    let member = Some(Presence { proof, ..by_password(&alice) });
    (policy.decide(&facts, member, NOW), policy.explain(&facts, member, NOW).to_string())
}

fn needed_by(group: &str) -> SecondFactorFor {
    SecondFactorFor::Groups(vec![Group::parse(group).unwrap()])
}

#[test]
fn a_password_or_a_link_alone_opens_nothing_to_members_who_need_a_second_factor() {
    for require in [Requirement::Guest, Requirement::Login] {
        let policy = policy(require, vec![]).demanding_second_factors(needed_by("admins"));
        for (proof, passes) in [
            (Proof::Link, false),
            (Proof::LinkAndCode, true),
            (Proof::Passkey, true),
            (Proof::Password, false),
            (Proof::PasswordAndCode, true),
            (Proof::TrustedDevice, true),
        ] {
            let (decision, explained) = decided(&policy, proof);
            let expected = if passes { Some(Some("alice")) } else { None };
            assert_eq!(forwards_as(&decision), expected, "{proof:?}");
            assert_eq!(decision == Decision::SignIn(SignInReason::SecondFactor), !passes);
            assert_eq!(explained.contains("second_factor.required_groups = [\"admins\"]"), !passes);
        }
        let visitor = ask(&policy, "GET", "forum.example/x", None);
        assert_eq!(forwards_as(&visitor).is_some(), require == Requirement::Guest, "nobody is asked");
    }
}

#[test]
fn others_and_public_pages_are_as_they_were() {
    let open = policy(Requirement::Public, vec![]).demanding_second_factors(needed_by("admins"));
    assert_eq!(forwards_as(&decided(&open, Proof::Password).0), Some(None), "as to strangers");
    let moderators = policy(Requirement::Login, vec![]).demanding_second_factors(needed_by("moderators"));
    assert_eq!(forwards_as(&decided(&moderators, Proof::Password).0), Some(Some("alice")));
    let both = policy(Requirement::Login, vec![])
        .demanding_second_factors(needed_by("admins"))
        .demanding(RequiredFor::Groups(vec![Group::parse("admins").unwrap()]));
    let (decision, _) = decided(&both, Proof::PasswordAndCode);
    assert_eq!(decision, Decision::SignIn(SignInReason::Passkey), "a code is no passkey");
}

#[test]
fn what_is_asked_of_everyone_is_asked_of_members_without_a_group() {
    let policy = policy(Requirement::Login, vec![]).demanding_second_factors(SecondFactorFor::Everyone);
    let (decision, explained) = decided(&policy, Proof::Password);
    assert_eq!(decision, Decision::SignIn(SignInReason::SecondFactor));
    assert!(explained.contains("second_factor.required_for_all = true"), "{explained}");
    assert_eq!(forwards_as(&decided(&policy, Proof::PasswordAndCode).0), Some(Some("alice")));
}
