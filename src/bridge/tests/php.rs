//! Five forums in PHP and a wiki: fields, tokens, cookies, redirects and refusals as the real ones were seen to have them.

use std::collections::HashMap;

use super::server::{Call, Fake, Reply};
use super::{NAME, PASSWORD, is_right};

const INPUT: &str = "<input type=\"hidden\" name=";

fn phpbb_cookies(reply: Reply, user: &str, sid: &str) -> Reply {
    let year = "expires=Mon, 22-Nov-2027 06:00:00 GMT; path=/; HttpOnly";
    reply
        .cookie(format!("phpbb3_ab1cd_u={user}; {year}"))
        .cookie(format!("phpbb3_ab1cd_k=; {year}"))
        .cookie(format!("phpbb3_ab1cd_sid={sid}; {year}"))
}

/// phpBB: the page's own second is too early, and the session is tied to the browser's name.
pub(super) fn phpbb() -> Fake {
    let (mut sessions, mut made, mut failures) = (HashMap::<String, (String, String)>::new(), 0, 0);
    Box::new(move |call: &Call| {
        let (user, agent) = sessions.get(call.cookie("phpbb3_ab1cd_sid")).cloned().unwrap_or_default();
        let is_own = agent == call.header("user-agent");
        let sid = call.cookie("phpbb3_ab1cd_sid").to_owned();
        if !call.asks("mode=login") {
            let link = if is_own && user == "2" {
                format!("./ucp.php?mode=logout&amp;sid={sid}")
            } else {
                "./ucp.php?mode=login".into()
            };
            return Reply::page(format!("<a href=\"{link}\">x</a>"));
        }
        let token = |time: &str, sid: &str| format!("token-{time}-{sid}");
        made += 1;
        let new = format!("{made:032x}");
        let form = |said: &str, captcha: &str| {
            let time = call.seconds();
            format!(
                "<form method=\"post\" action=\"./search.php\"><input name=\"keywords\"></form>{said}\
                 <form action=\"./ucp.php?mode=login&amp;sid={new}\" method=\"post\" id=\"login\">\
                 <input type=\"text\" name=\"username\"><input type=\"password\" name=\"password\" autocomplete=\"off\">{captcha}\
                 <input type=\"checkbox\" name=\"autologin\"><input type=\"checkbox\" name=\"viewonline\">\
                 {INPUT}\"redirect\" value=\"./ucp.php?mode=login&amp;sid={new}\"/>{INPUT}\"sid\" value=\"{new}\">\
                 {INPUT}\"creation_time\" value=\"{time}\"><input value=\"{}\" name='form_token' type=hidden>\
                 <input type=\"submit\" name=\"login\" value=\"Login\">{INPUT}\"redirect\" value=\"index.php\"></form>",
                token(&time.to_string(), &new)
            )
        };
        if !call.is_post() {
            sessions.insert(new.clone(), ("1".into(), call.header("user-agent").into()));
            return phpbb_cookies(Reply::page(form("", "")), "1", &new);
        }
        let time = call.field("creation_time");
        let is_fresh =
            is_own && call.field("form_token") == token(time, &sid) && time != call.seconds().to_string();
        if !is_fresh || call.field("sid") != sid || call.field("login").is_empty() {
            sessions.insert(new.clone(), ("1".into(), call.header("user-agent").into()));
            return phpbb_cookies(Reply::page(form("The submitted form was invalid", "")), "1", &new);
        }
        sessions.insert(new.clone(), ("1".into(), call.header("user-agent").into()));
        if failures >= 3 || !is_right(call.field("username"), call.field("password")) {
            failures += 1;
            let captcha = if failures >= 3 { "<input name=\"confirm_code\">" } else { "" };
            let said =
                if call.field("username") == NAME { "incorrect password" } else { "incorrect username" };
            return phpbb_cookies(Reply::page(form(said, captcha)), "1", &new);
        }
        sessions.insert(new.clone(), ("2".into(), call.header("user-agent").into()));
        let reply = Reply::to(&format!("./index.php?sid={new}"));
        phpbb_cookies(phpbb_cookies(reply, "1", "0000"), "2", &new)
    })
}

/// FluxBB: the token is tied to the visitor's address, success is a page with 200, guests have the cookie too.
pub(super) fn fluxbb() -> Fake {
    Box::new(|call: &Call| {
        let token = format!("token-of-{}", call.address());
        let form = |said: &str| {
            format!(
                "{said}<form id=\"login\" method=\"post\" action=\"login.php?action=in\" onsubmit=\"return process_form(this)\">\
                 {INPUT}\"form_sent\" value=\"1\" />{INPUT}\"redirect_url\" value=\"index.php?a=1&amp;b=2\" />\
                 {INPUT}\"csrf_token\" value=\"{token}\" /><input type=\"text\" name=\"req_username\">\
                 <input type=\"password\" name=\"req_password\"><input type=\"checkbox\" name=\"save_pass\" value=\"1\">\
                 <input type=\"submit\" name=\"login\" value=\"Login\"></form>"
            )
        };
        let guest = "pun_cookie_b31e10=1%7C93b0%7C1795327200%7Cf00d; path=/; HttpOnly";
        if !call.asks("login.php") {
            let is_member = call.cookie("pun_cookie_b31e10").starts_with("2%7C");
            return Reply::page(if is_member {
                "<a href=\"login.php?action=out&amp;id=2\">"
            } else {
                "<a href=\"login.php\">"
            });
        }
        if !call.is_post() {
            return Reply::page(form(""));
        }
        if call.field("csrf_token") != token || !call.asks("action=in") || call.field("form_sent") != "1" {
            return Reply::page("Bad request").status(404);
        }
        if !is_right(call.field("req_username"), call.field("req_password").trim()) {
            return Reply::page(form("Wrong username and/or password.")).cookie(guest);
        }
        assert_eq!(call.field("redirect_url"), "index.php?a=1&b=2", "entities are read");
        Reply::page("<title>Redirecting</title><meta http-equiv=\"refresh\" content=\"1;URL=index.php\">")
            .cookie("pun_cookie_b31e10=2%7Cfeed%7C1796536800%7Cbeef; expires=Sun, 06-Dec-2026 06:00:00 GMT; path=/; HttpOnly")
    })
}

/// PunBB: the token is tied to the address the form is sent to, and it leads to the last page of the visitor.
pub(super) fn punbb() -> Fake {
    Box::new(|call: &Call| {
        let own = format!("{}://{}/login.php", call.header("x-forwarded-proto"), call.header("host"));
        let token = |visitor: &str| format!("{own}+{visitor}");
        if !call.asks("login.php") {
            // base64 of 2|…
            let is_member = call.cookie("forum_cookie_55ff").starts_with("Mn");
            return Reply::page(if is_member {
                "<a href=\"login.php?action=out\">"
            } else {
                "<a href=\"login.php\">"
            });
        }
        let form = |said: &str| {
            format!(
                "{said}<form class=\"frm-form\" method=\"post\" accept-charset=\"utf-8\" action=\"{own}\">{INPUT}'form_sent' value='1'>\
                 {INPUT}\"redirect_url\" value=\"register.php\">{INPUT}\"csrf_token\" value=\"{}\">\
                 <input name=\"req_username\"><input type=\"password\" name=\"req_password\">\
                 <input type=\"checkbox\" name=\"save_pass\" value=\"1\"><input type=\"submit\" name=\"login\" value=\"Login\"></form>",
                token("v1")
            )
        };
        if !call.is_post() {
            return Reply::page(form("")).cookie("PHPSESSID=v1; path=/");
        }
        if call.field("csrf_token") != token(call.cookie("PHPSESSID")) {
            return Reply::page("<form><input type=submit name=confirm_cancel></form>Confirm action");
        }
        if !is_right(call.field("req_username"), call.field("req_password").trim()) {
            return Reply::page(form("Incorrect username and/or password."));
        }
        Reply::to(&format!("{}?login=1", call.field("redirect_url")))
            .cookie("forum_cookie_55ff=MnxmZWVk%7C; expires=Sun, 06-Dec-2026 06:00:00 GMT; path=/; HttpOnly")
    })
}

/// MyBB: a hidden second form in each header, attributes in any order, cookies with brackets, a captcha and a lock.
pub(super) fn mybb() -> Fake {
    let mut failures = 0;
    Box::new(move |call: &Call| {
        let key = |sid: &str| format!("key-of-{sid}");
        let quick = "<div style=\"display:none\"><form method=\"post\" action=\"http://forum.test/member.php\">\
             <input name=\"quick_username\"><input name=\"quick_password\" type=\"password\">\
             <input name=\"action\" type=\"hidden\" value=\"do_login\"></form></div>";
        let form = |said: &str, captcha: &str| {
            format!(
                "{quick}{said}<form action=\"member.php\" method=\"post\"><table><tr><td><input type=\"text\" name=\"username\">\
                 </td></tr><tr><input type=\"password\" class=\"textbox\" name=\"password\"></tr></table>{captcha}\
                 <input value=\"yes\" checked=\"checked\" name=\"remember\" type=\"checkbox\">\
                 <input type=\"submit\" value=\"Login\" name=\"submit\"><input value=\"do_login\" name=\"action\" type=\"hidden\">\
                 <input name=\"url\" type=\"hidden\" value=\"\"><input name=\"my_post_key\" value=\"{}\" type=\"hidden\"></form>",
                key("s1")
            )
        };
        if call.path() != "/member.php" {
            let is_member = call.cookie("mybbuser") == "2_LoginKey";
            return Reply::page(format!(
                "{quick}{}",
                if is_member { "member.php?action=logout" } else { "member.php?action=login" }
            ));
        }
        if !call.is_post() {
            return Reply::page(form("", ""))
                .cookie("sid=s1; path=/; HttpOnly")
                .cookie("mybb[lastvisit]=1795327200; path=/");
        }
        if call.field("my_post_key") != key(call.cookie("sid")) || call.field("action") != "do_login" {
            return Reply::page(format!("{quick}Authorization code mismatch"));
        }
        if failures >= 10 {
            failures += 1;
            let reply = Reply::page("You must now wait 0h 15m 0s before you can login again.");
            return if failures == 11 { reply.cookie("lockoutexpiry=1795330800; path=/") } else { reply };
        }
        if failures >= 3 || !is_right(call.field("username"), call.field("password")) {
            failures += 1;
            let captcha = if failures >= 3 {
                "<input name=\"imagestring\"><input name=\"imagehash\" type=\"hidden\">"
            } else {
                ""
            };
            return Reply::page(form("invalid username/password combination", captcha))
                .cookie("loginattempts=2; path=/");
        }
        Reply::page("<meta http-equiv=\"refresh\" content=\"2;URL=index.php\">")
            .cookie("loginattempts=1; path=/")
            .cookie(
                "mybbuser=2_LoginKey; expires=Mon, 22-Nov-2027 06:00:00 GMT; path=/; HttpOnly; SameSite=lax",
            )
            .cookie("sid=s2; path=/; HttpOnly")
    })
}

/// SMF: names drawn by lot, `;` in addresses, a browser's name that must stay, two seconds between sign-ins.
pub(super) fn smf() -> Fake {
    let mut last = 0;
    Box::new(move |call: &Call| {
        let agent = call.header("user-agent").to_owned();
        if !call.asks("action=login") {
            let is_member = call.cookie("SMFCookie10").contains("%220%22%3A2");
            return Reply::page(if is_member {
                "index.php?action=logout;f0=ab"
            } else {
                "index.php?action=login"
            });
        }
        if call.asks("sa=check") {
            let is_member =
                call.cookie("SMFCookie10").contains("%220%22%3A2") && call.asks("login2;sa=check;member=2");
            return Reply::to(if is_member {
                "http://forum.test/index.php"
            } else {
                "http://forum.test/index.php?action=login"
            });
        }
        let form = |said: &str| {
            format!(
                "{said}<form class=\"login\" action=\"http://forum.test/index.php?action=login2\" name=\"frmLogin\" method=\"post\">\
                 <input name=\"user\"><input type=\"password\" name=\"passwrd\">\
                 <select name=\"cookielength\"><option value=\"60\">1 hour</option><option value=\"3153600\" selected>Forever</option></select>\
                 <input type=\"submit\" value=\"Log in\">{INPUT}\"hash_passwrd\" value=\"\">{INPUT}\"f0a1b2c3\" value=\"session-of-{agent}\">\
                 {INPUT}\"e4d5f6\" value=\"once\"></form>"
            )
        };
        if !call.is_post() {
            return Reply::page(form("")).cookie("PHPSESSID=guest; path=/");
        }
        let is_own =
            call.cookie("PHPSESSID") == "guest" && call.field("f0a1b2c3") == format!("session-of-{agent}");
        if !is_own || call.field("e4d5f6") != "once" || !call.asks("login2") {
            return Reply::page("Session verification failed");
        }
        if call.now.as_millis() < last + 2000 {
            return Reply::page(
                "<div class=\"errorbox\">You will have to wait about 2 seconds to login again, sorry.</div>",
            );
        }
        last = call.now.as_millis();
        if call.field("user") != NAME && !call.field("user").starts_with("member") {
            return Reply::page(form("That username does not exist."));
        }
        if call.field("passwrd") != PASSWORD {
            return Reply::page(form("Password incorrect"));
        }
        Reply::to("http://forum.test/index.php?action=login2;sa=check;member=2")
            .cookie("PHPSESSID=member; path=/")
            .cookie("SMFCookie10=%7B%220%22%3A2%2C%221%22%3A%22ab%22%7D; Max-Age=189216000; path=/; HttpOnly; SameSite=lax")
    })
}

/// DokuWiki.
pub(super) fn dokuwiki() -> Fake {
    Box::new(|call: &Call| {
        let is_member = call.cookie("DW68700bfd16c2027de7de74a5a8202a6f") == "YWxpY2U%3D%7C1%7Cabc";
        if is_member {
            return Reply::page("<a href=\"/doku.php?id=start&amp;do=logout&amp;sectok=1\">");
        }
        let form = "<form id=\"dw__search\" action=\"/doku.php?id=start\"><input name=\"q\"></form>\
             <form id=\"dw__login\" action=\"/doku.php\" method=\"post\" accept-charset=\"utf-8\"><div class=\"no\">\
             <input type=\"hidden\" name=\"sectok\" value=\"5e1f\"><input type=\"hidden\" name=\"id\" value=\"start\">\
             <input type=\"hidden\" name=\"do\" value=\"login\"><input type=\"text\" name=\"u\"><input type=\"password\" name=\"p\">\
             <input type=\"checkbox\" name=\"r\" value=\"1\"><button type=\"submit\">Log In</button></div></form>";
        if !call.is_post() {
            return Reply::page(form).cookie("DokuWiki=s1; path=/; HttpOnly");
        }
        let is_whole =
            call.field("do") == "login" && call.field("sectok") == "5e1f" && call.cookie("DokuWiki") == "s1";
        if !is_whole || !is_right(call.field("u"), call.field("p")) {
            return Reply::page(format!("Sorry, username or password was wrong.{form}")).status(403);
        }
        Reply::to("/doku.php?id=start")
            .cookie("DW68700bfd16c2027de7de74a5a8202a6f=YWxpY2U%3D%7C1%7Cabc; path=/; HttpOnly")
    })
}
