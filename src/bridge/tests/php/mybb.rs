//! MyBB: a hidden second form in each header, attributes in any order, cookies with brackets, a captcha and a lock.

use crate::bridge::tests::is_right;
use crate::bridge::tests::server::{Call, Fake, Reply};

pub(in crate::bridge::tests) fn mybb() -> Fake {
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
        if call.cookie("mybbuser") == "2_LoginKey" {
            return to_member(call);
        }
        if call.path() != "/member.php" {
            return Reply::page(format!("{quick}<a href=\"member.php?action=login\">"));
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

fn to_member(call: &Call) -> Reply {
    if call.target == "/member.php?action=logout&logoutkey=k2" {
        let gone = "expires=Sun, 22-Nov-2026 05:00:00 GMT; path=/; HttpOnly";
        return Reply::page("<meta http-equiv=\"refresh\" content=\"2;URL=index.php\">")
            .cookie(format!("mybbuser=; {gone}"))
            .cookie(format!("sid=; {gone}"));
    }
    Reply::page(
        "<span class=\"welcome\"><strong>Welcome back, <a href=\"http://forum.test/member.php?action=profile&amp;uid=2\">Alice</a>\
         </strong>. <a href=\"http://forum.test/member.php?action=logout&amp;logoutkey=k2\" class=\"logout\">Log Out</a></span>",
    )
}
