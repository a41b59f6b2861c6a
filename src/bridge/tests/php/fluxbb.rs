//! FluxBB: the token is tied to the visitor's address, success is a page with 200, guests have the cookie too.

use super::INPUT;
use crate::bridge::tests::is_right;
use crate::bridge::tests::server::{Call, Fake, Reply};

pub(in crate::bridge::tests) fn fluxbb() -> Fake {
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
        let is_member = call.cookie("pun_cookie_b31e10").starts_with("2%7C");
        let own = format!("login.php?action=out&id=2&csrf_token=members-{token}");
        if is_member && call.target == format!("/{own}") {
            return Reply::page("<meta http-equiv=\"refresh\" content=\"1;URL=index.php\">").cookie(guest);
        }
        if !call.asks("login.php") {
            return Reply::page(match is_member {
                true => format!(
                    "<div id=\"brdwelcome\" class=\"inbox\"><ul class=\"conl\"><li><span>Logged in as <strong>Alice</strong>\
                     </span></li></ul></div><a href=\"{}\">",
                    own.replace('&', "&amp;")
                ),
                false => "<a href=\"login.php\">".to_owned(),
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
