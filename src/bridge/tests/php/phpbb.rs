//! phpBB: the page's own second is too early, and the session is tied to the browser's name.

use std::collections::HashMap;

use super::INPUT;
use crate::bridge::tests::server::{Call, Fake, Reply};
use crate::bridge::tests::{NAME, is_right};

fn phpbb_cookies(reply: Reply, user: &str, sid: &str) -> Reply {
    let year = "expires=Mon, 22-Nov-2027 06:00:00 GMT; path=/; HttpOnly";
    reply
        .cookie(format!("phpbb3_ab1cd_u={user}; {year}"))
        .cookie(format!("phpbb3_ab1cd_k=; {year}"))
        .cookie(format!("phpbb3_ab1cd_sid={sid}; {year}"))
}

pub(in crate::bridge::tests) fn phpbb() -> Fake {
    let (mut sessions, mut made, mut failures) = (HashMap::<String, (String, String)>::new(), 0, 0);
    Box::new(move |call: &Call| {
        let (user, agent) = sessions.get(call.cookie("phpbb3_ab1cd_sid")).cloned().unwrap_or_default();
        let is_own = agent == call.header("user-agent");
        let sid = call.cookie("phpbb3_ab1cd_sid").to_owned();
        if call.asks("mode=logout") && is_own && user == "2" && call.asks(&format!("&sid={sid}")) {
            sessions.remove(&sid);
            return phpbb_cookies(Reply::to("./index.php?sid=0000"), "1", "0000");
        }
        if !call.asks("mode=login") {
            if !is_own || user != "2" {
                return Reply::page("<a href=\"./ucp.php?mode=login\">x</a>");
            }
            return Reply::page(format!(
                "<li id=\"username_logged_in\" class=\"rightside \"><a href=\"./ucp.php\" class=\"header-avatar dropdown-trigger\">\
                 <span style=\"color: #AA0000;\" class=\"username-coloured\">Alice</span></a>\
                 <a href=\"./ucp.php?mode=logout&amp;sid={sid}\">x</a>"
            ));
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
