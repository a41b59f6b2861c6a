//! PunBB: the token is tied to the address the form is sent to, and it leads to the last page of the visitor.

use super::INPUT;
use crate::bridge::tests::is_right;
use crate::bridge::tests::server::{Call, Fake, Reply};

pub(in crate::bridge::tests) fn punbb() -> Fake {
    Box::new(|call: &Call| {
        let own = format!("{}://{}/login.php", call.header("x-forwarded-proto"), call.header("host"));
        let token = |visitor: &str| format!("{own}+{visitor}");
        // base64 of 2|…
        let is_member = call.cookie("forum_cookie_55ff").starts_with("Mn");
        if is_member && call.target == "/login.php?action=out&id=2&csrf_token=c5" {
            return Reply::to("index.php?login=1")
                .cookie("forum_cookie_55ff=MXxndWVzdA%3D%3D; path=/; HttpOnly");
        }
        if !call.asks("login.php") {
            return Reply::page(if is_member {
                "<p id=\"welcome\"><span>Logged in as <strong>Alice</strong>.</span></p>\
                 <a href=\"http://forum.test/login.php?action=out&amp;id=2&amp;csrf_token=c5\">"
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
