use super::*;
use crate::domain::ReturnTo;
use crate::policy::{Refusal, SignInReason};
use crate::web::{Audience, Problem};

const ALL: [Problem; 22] = [
    Problem::AmbiguousTarget,
    Problem::BadRequest,
    Problem::Busy,
    Problem::CsrfFailed,
    Problem::Denied,
    Problem::HeadTooLarge,
    Problem::InTheClear,
    Problem::Internal,
    Problem::MethodNotAllowed(None),
    Problem::NotFound,
    Problem::NotInGroup,
    Problem::PayloadTooLarge,
    Problem::ServiceWorker,
    Problem::SignInRequired,
    Problem::StepUpRequired,
    Problem::StoreFailed,
    Problem::Throttled(61),
    Problem::UnknownHost,
    Problem::UnsupportedMediaType,
    Problem::UpstreamBroken,
    Problem::UpstreamTimeout,
    Problem::UpstreamUnreachable,
];

#[test]
fn every_problem_has_a_page_and_a_json_answer_with_its_reference() {
    let site = Site::new();
    let mut codes = std::collections::BTreeSet::new();
    for problem in ALL {
        let json = Answer(site.web.problem(problem, Audience::Script, &nobody()));
        assert_eq!((json.status(), json.header("content-type")), (problem.status(), "application/json"));
        let value: serde_json::Value = serde_json::from_str(json.text()).unwrap();
        let fields = value.as_object().unwrap();
        assert_eq!(fields.keys().collect::<Vec<_>>(), ["code", "message", "ref"]);
        assert_eq!((&value["code"], &value["ref"]), (&problem.code().into(), &"0f1e2d3c".into()));
        assert!(codes.insert(problem.code()), "one code a problem");
        assert!(problem.code().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'));
        let page = Answer(site.web.problem(problem, Audience::Page, &nobody()));
        assert_eq!((page.status(), page.header("cache-control")), (problem.status(), "no-store"));
        if problem != Problem::UnknownHost {
            assert!(
                page.text().contains("The Teapot Forum") && page.text().contains("<code>0f1e2d3c</code>")
            );
        }
    }
}

#[test]
fn ops_04_no_problem_tells_what_is_behind_it() {
    let site = Site::new();
    for problem in ALL {
        for audience in [Audience::Page, Audience::Script] {
            let answer = Answer(site.web.problem(problem, audience, &nobody()));
            let text = format!("{:?} {}", answer.headers(), answer.text()).to_lowercase();
            for word in [
                env!("CARGO_PKG_VERSION"),
                "127.0.0.1",
                "pingora",
                "sled",
                ".rs",
                "panic",
                "error",
                "server:",
            ] {
                assert!(!text.contains(word), "{problem:?} tells {word}");
            }
        }
    }
}

#[test]
fn path_04_a_foreign_name_learns_nothing_of_the_site() {
    let site = Site::new();
    for audience in [Audience::Page, Audience::Script] {
        let answer = Answer(site.web.problem(Refusal::UnknownHost.into(), audience, &nobody()));
        assert_eq!(answer.status(), StatusCode::MISDIRECTED_REQUEST);
        assert!(!answer.text().contains("Teapot") && !answer.text().contains("passgate"));
    }
}

#[test]
fn statuses_that_need_a_field_have_it() {
    let site = Site::new();
    let header = |problem, name| {
        Answer(site.web.problem(problem, Audience::Script, &nobody())).header(name).to_owned()
    };
    assert_eq!(header(Problem::Busy, "retry-after"), "5");
    assert_eq!(header(Problem::Throttled(61), "retry-after"), "61");
    assert_eq!(header(Refusal::MethodNotAllowed.into(), "allow"), "GET, HEAD, POST");
    assert_eq!(header(Problem::SignInRequired, "www-authenticate"), "Cookie realm=\"sign-in\"");
}

#[test]
fn a_page_load_is_sent_to_sign_in_and_a_script_is_told() {
    let site = Site::new();
    let target = ReturnTo::parse("/viewtopic.php?t=5&p=7", "/.passgate");
    let answer = |audience, reason| Answer(site.web.unauthenticated(audience, &target, reason, &nobody()));
    let page = answer(Audience::Page, SignInReason::NoSession);
    assert_eq!(page.status(), StatusCode::FOUND);
    assert_eq!(page.location(), "/.passgate/login?return_to=%2Fviewtopic.php%3Ft%3D5%26p%3D7");
    assert!(answer(Audience::Page, SignInReason::StepUp).location().ends_with("&again=1"));
    let script = answer(Audience::Script, SignInReason::NoSession);
    assert_eq!(script.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(
        script.text(),
        "{\"code\":\"sign-in-required\",\"message\":\"Please sign in first.\",\"ref\":\"0f1e2d3c\"}"
    );
    assert!(answer(Audience::Script, SignInReason::StepUp).text().contains("step-up-required"));
}

#[tokio::test]
async fn what_is_not_ours_is_not_found_in_the_readers_own_form() {
    let site = Site::with_alice().await;
    let page = site.browser().get("/.passgate/nothing").await;
    assert_eq!(page.status(), StatusCode::NOT_FOUND);
    assert!(page.text().contains("There’s nothing here"));
    let script = ask(&site, Request::get("/.passgate/nothing").body(Bytes::new()).unwrap()).await;
    assert_eq!((script.status(), script.header("content-type")), (StatusCode::NOT_FOUND, "application/json"));
    let ambiguous = site.browser().get("/.passgate/x%2fy").await;
    assert_eq!(ambiguous.status(), StatusCode::BAD_REQUEST);
    let member = site.signed_in("alice").await.get("/.passgate/nothing").await;
    assert!(member.text().contains(">Sign out</button>"), "members can sign out from here too");
}
