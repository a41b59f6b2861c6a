//! Each kind of forum: who is signed in, by which cookies, and how a refusal is told from another.

use super::server::{Call, Reply};
use super::*;
use crate::bridge::tests::{php, python};

/// A preset, a forum of that kind, and the cookies by which it knows alice.
type Case = (&'static str, fn() -> Fake, &'static str);

fn all() -> [Case; 8] {
    [
        (
            "phpbb",
            php::phpbb,
            "phpbb3_ab1cd_u=2; phpbb3_ab1cd_k=; phpbb3_ab1cd_sid=00000000000000000000000000000002",
        ),
        ("fluxbb", php::fluxbb, "pun_cookie_b31e10=2%7Cfeed%7C1796536800%7Cbeef"),
        ("punbb", php::punbb, "forum_cookie_55ff=MnxmZWVk%7C"),
        ("mybb", php::mybb, "loginattempts=1; mybbuser=2_LoginKey; sid=s2"),
        ("smf", php::smf, "PHPSESSID=member; SMFCookie10=%7B%220%22%3A2%2C%221%22%3A%22ab%22%7D"),
        ("flaskbb", python::flaskbb, "remember_token=2|5ca1ab1e; session=.eJw-z"),
        ("spirit", python::spirit, "sessionid=member"),
        ("dokuwiki", php::dokuwiki, "DokuWiki=s1; DW68700bfd16c2027de7de74a5a8202a6f=YWxpY2U%3D%7C1%7Cabc"),
    ]
}

#[tokio::test]
async fn each_forum_knows_a_member_after_one_post() {
    for (name, fake, cookies) in all() {
        let (server, forum) = start(name, fake()).await;
        let report = forum.sign_in(&credentials(NAME, PASSWORD), &visitor(1)).await;
        let Login::SignedIn(jar) = &report.login else { panic!("{name}: {report:#?}") };
        assert_eq!(sent(jar, server.clock.now()), cookies, "{name}: the session's cookies and no others");
        assert_eq!(server.posts(), 1, "{name}");
        for call in server.calls() {
            assert_eq!(call.header("user-agent"), "Mozilla/5.0 (X11) Firefox/140.0", "{name}");
            assert_eq!(
                (call.header("host"), call.header("x-forwarded-for")),
                ("forum.test", "192.0.2.1"),
                "{name}"
            );
            assert_eq!(call.header("accept-encoding"), "identity", "{name}");
        }
    }
}

#[tokio::test]
async fn auth_15_each_forum_says_whom_it_has_signed_in_or_compares_names_as_we_do() {
    for (name, fake, _) in all() {
        let (_, forum) = start(name, fake()).await;
        let report = forum.sign_in(&credentials(NAME, PASSWORD), &visitor(1)).await;
        let shown = if name == "spirit" { NAME } else { "Alice" };
        assert_eq!(report.name.as_deref(), Some(shown), "{name}: {report:#?}");
    }
}

#[tokio::test]
async fn each_forum_tells_a_wrong_password_and_an_unknown_name_and_is_asked_once() {
    for (name, fake, _) in all() {
        let told = matches!(name, "phpbb" | "smf");
        let unknown = if told { "unknown" } else { "wrong password" };
        for (user, password, expected) in [(NAME, "wrong", "wrong password"), ("nobody", PASSWORD, unknown)] {
            let (server, forum) = start(name, fake()).await;
            let report = forum.sign_in(&credentials(user, password), &visitor(1)).await;
            assert_eq!(said(&report.login), expected, "{name} {user}: {report:#?}");
            assert_eq!(server.posts(), 1, "{name}");
        }
    }
}

#[tokio::test]
async fn a_captcha_and_a_lock_are_not_taken_for_a_wrong_password() {
    for (name, fake, tries) in [
        (
            "phpbb",
            php::phpbb as fn() -> Fake,
            &["wrong password", "wrong password", "captcha", "captcha"][..],
        ),
        ("mybb", php::mybb, &["wrong password", "wrong password", "captcha"]),
        ("spirit", python::spirit, &["wrong password"; 5]),
    ] {
        let (_, forum) = start(name, fake()).await;
        for expected in tries {
            let report = forum.sign_in(&credentials(NAME, "wrong"), &visitor(1)).await;
            assert_eq!(said(&report.login), *expected, "{name}: {report:#?}");
        }
        let (right, expected) =
            (credentials(NAME, PASSWORD), if name == "spirit" { "throttled" } else { "captcha" });
        let report = forum.sign_in(&right, &visitor(1)).await;
        assert_eq!(said(&report.login), expected, "{name}: even the right password: {report:#?}");
    }
    let (_, forum) = start("mybb", php::mybb()).await;
    for _ in 0..10 {
        forum.sign_in(&credentials(NAME, "wrong"), &visitor(1)).await;
    }
    for _ in 0..2 {
        let report = forum.sign_in(&credentials(NAME, PASSWORD), &visitor(1)).await;
        assert_eq!(said(&report.login), "throttled", "{report:#?}");
    }
}

#[tokio::test]
async fn a_forum_that_says_how_long_to_wait_is_believed() {
    let (server, forum) = start("flaskbb", python::flaskbb()).await;
    for _ in 0..10 {
        forum.sign_in(&credentials(NAME, "wrong"), &visitor(1)).await;
    }
    let posts = server.posts();
    let report = forum.sign_in(&credentials(NAME, PASSWORD), &visitor(1)).await;
    let Login::Throttled { wait } = report.login else { panic!("{report:#?}") };
    assert_eq!((wait, server.posts()), (Duration::from_secs(600), posts), "no post to a forum that said no");
    let report = forum.sign_in(&credentials(NAME, PASSWORD), &visitor(2)).await;
    assert_eq!(said(&report.login), "signed in", "another address is another visitor");
}

#[tokio::test]
async fn phpbb_gets_its_second_between_page_and_post() {
    let hasty = Preset::text("phpbb").unwrap().replace("wait = \"1s\"", "");
    let server = Server::start(php::phpbb()).await;
    let forum = forum(&server, Preset::parse(&hasty).unwrap(), "/");
    let report = forum.sign_in(&credentials(NAME, PASSWORD), &visitor(1)).await;
    assert_ne!(said(&report.login), "signed in", "without the wait it refuses, so the wait is what helps");
}

#[tokio::test]
async fn smf_gets_its_two_seconds_between_sign_ins_and_says_so_otherwise() {
    let (server, forum) = start("smf", php::smf()).await;
    let forum = Arc::new(forum);
    let members = (0..20).map(|at| {
        let forum = forum.clone();
        tokio::spawn(async move {
            let name = format!("member{at}");
            forum.sign_in(&credentials(&name, PASSWORD), &visitor(at)).await
        })
    });
    for member in members.collect::<Vec<_>>() {
        let report = member.await.unwrap();
        assert_eq!(said(&report.login), "signed in", "{report:#?}");
    }
    assert_eq!(server.posts(), 20);

    let hasty = Preset::text("smf").unwrap().replace("pace = \"2s\"", "");
    let forum = super::forum(&server, Preset::parse(&hasty).unwrap(), "/");
    let report = forum.sign_in(&credentials(NAME, "wrong"), &visitor(1)).await;
    let Login::Throttled { wait } = report.login else { panic!("{report:#?}") };
    assert_eq!(wait, Duration::from_secs(3));
}

#[tokio::test]
async fn a_forum_below_a_path_is_signed_in_to_there() {
    let mut smf = php::phpbb();
    let server = Server::start(Box::new(move |call| {
        assert!(call.target.starts_with("/phpbb/"), "{}", call.target);
        smf(call)
    }))
    .await;
    let forum = forum(&server, Preset::shipped("phpbb").unwrap(), "/phpbb");
    let report = forum.sign_in(&credentials(NAME, PASSWORD), &visitor(1)).await;
    assert_eq!(said(&report.login), "signed in", "{report:#?}");
}

#[tokio::test]
async fn an_old_forum_in_latin_1_gets_the_password_in_its_own_letters() {
    let (server, forum) = start(
        "generic-form",
        Box::new(|call| {
            let is_member = call.cookie("session") == "m";
            match call.is_post() {
                true => Reply::to("/").cookie("session=m"),
                false if is_member => Reply::page("logout"),
                false => Reply::page("<form><input name=username><input type=password name=password></form>")
                    .with("content-type", "text/html; charset=ISO-8859-1"),
            }
        }),
    )
    .await;
    forum.sign_in(&credentials("zoë", "Zoë €"), &visitor(1)).await;
    let post = server.calls().into_iter().find(Call::is_post).unwrap();
    assert_eq!(post.raw, "username=zo%EB&password=Zo%EB+%80", "as browsers send windows-1252");
}

#[tokio::test]
async fn o4_what_is_said_of_a_sign_in_holds_no_secret() {
    for (name, fake, cookies) in all() {
        let (_, forum) = start(name, fake()).await;
        for password in [PASSWORD, "wr0ng-password"] {
            let report = forum.sign_in(&credentials(NAME, password), &visitor(1)).await;
            let printed = format!("{report:?} {:?}", credentials(NAME, password));
            assert!(!printed.contains(password), "{name}: {printed}");
            let values = cookies.split("; ").filter_map(|pair| pair.split_once('=')).map(|(_, value)| value);
            for value in values.filter(|value| value.len() > 4) {
                assert!(!printed.contains(value), "{name}: {printed}");
            }
        }
    }
}
