//! SMF: names drawn by lot, `;` in addresses, a browser's name that must stay, two seconds between sign-ins.

use super::INPUT;
use crate::bridge::tests::server::{Call, Fake, Reply};
use crate::bridge::tests::{NAME, PASSWORD};

/// What SMF knows a member by, as long as the salt of their row is this.
fn smf_cookie(salt: &str) -> String {
    format!("%7B%220%22%3A2%2C%221%22%3A%22{salt}%22%7D")
}

pub(in crate::bridge::tests) fn smf() -> Fake {
    let (mut last, mut salt) = (0, "ab".to_owned());
    Box::new(move |call: &Call| {
        let agent = call.header("user-agent").to_owned();
        if call.cookie("SMFCookie10") == smf_cookie(&salt) {
            return to_member(call, &mut salt);
        }
        if !call.asks("action=login") || call.asks("sa=check") {
            return Reply::page("<a href=\"http://forum.test/index.php?action=login\">Log in</a>");
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
            .cookie(format!(
                "SMFCookie10={}; Max-Age=189216000; path=/; HttpOnly; SameSite=lax",
                smf_cookie(&salt)
            ))
    })
}

fn to_member(call: &Call, salt: &mut String) -> Reply {
    if call.target == "/index.php?action=logout;f0a1=e2f3" && call.cookie("PHPSESSID") == "member" {
        salt.push('x');
        return Reply::to("http://forum.test/index.php")
            .cookie("SMFCookie10=%7B%220%22%3A0%7D; Max-Age=0; path=/");
    }
    if call.asks("login2;sa=check;member=2") {
        return Reply::to("http://forum.test/index.php");
    }
    Reply::page(
        "<a href=\"http://forum.test/index.php?action=profile\" id=\"profile_menu_top\"><span class=\"textmenu\">The Queen</span></a>\
         <a href=\"http://forum.test/index.php?action=logout;f0a1=e2f3\">Log out</a>\
         <div id=\"detailedinfo\"><dl class=\"settings\"><dt>Username: </dt><dd>Alice</dd></dl></div>",
    )
}
