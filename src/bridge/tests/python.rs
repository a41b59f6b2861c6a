//! Two forums in Python.

use std::collections::HashMap;

use super::is_right;
use super::server::{Call, Fake, Reply};

/// FlaskBB: twenty requests a quarter of an hour and address, a raw `|` in a cookie.
pub(super) fn flaskbb() -> Fake {
    let mut asked = HashMap::<String, u32>::new();
    Box::new(move |call: &Call| {
        let is_member = call.cookie("remember_token") == "2|5ca1ab1e";
        if is_member && call.path() == "/auth/logout" {
            return Reply::to("/")
                .cookie("remember_token=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/")
                .cookie("session=.eJw-guest; HttpOnly; Path=/");
        }
        if call.path() != "/auth/login" {
            return Reply::page(if is_member {
                "<a class=\"btn\" href=\"/user/Alice\"><span class=\"far fa-user fa-fw\"></span> Alice\n</a><a href=\"/auth/logout\">"
            } else {
                "<a href=\"/auth/login\">"
            });
        }
        let asked = asked.entry(call.address().to_owned()).or_default();
        *asked += 1;
        if *asked > 20 {
            return Reply::page("Too many requests").status(429).with("retry-after", "600");
        }
        let form = "<form class=\"form\" role=\"form\" method=\"POST\"><input id=\"csrf_token\" name=\"csrf_token\" type=\"hidden\" value=\"tok&#43;1\">\
             <input name=\"login\" type=\"text\" value=\"\"><input name=\"password\" type=\"password\" value=\"\">\
             <input name=\"remember_me\" type=\"checkbox\" value=\"y\"><input name=\"submit\" type=\"submit\" value=\"Login\"></form>";
        if !call.is_post() {
            return Reply::page(form).cookie("session=.eJw-x.y; HttpOnly; Path=/");
        }
        let is_own = call.cookie("session") == ".eJw-x.y" && call.field("csrf_token") == "tok+1";
        if !is_own || !is_right(call.field("login"), call.field("password")) {
            return Reply::page(format!("Wrong username or password.{form}"));
        }
        Reply::to("/")
            .cookie("remember_token=2|5ca1ab1e; Expires=Mon, 22 Nov 2027 06:00:00 GMT; Path=/")
            .cookie("session=.eJw-z; HttpOnly; Path=/")
    })
}

/// django-spirit: Origin is compared with Host and scheme, five tries in five minutes, `Set-Cookie` with two blanks.
pub(super) fn spirit() -> Fake {
    let (mut tries, mut is_live) = (Vec::new(), false);
    Box::new(move |call: &Call| {
        let is_member = is_live && call.cookie("sessionid") == "member";
        let own = format!("{}://{}", call.header("x-forwarded-proto"), call.header("host"));
        let is_own = call.header("origin") == own && call.header("referer").starts_with(&own);
        if is_member && call.path() == "/user/logout/" {
            if !call.is_post() {
                let form = "<a href=\"/user/logout/?next=/user/logout/\">Log out</a><form action=\".\" method=\"post\">\
                     <input type=\"hidden\" name=\"csrfmiddlewaretoken\" value=\"again\"><input type=\"submit\" name=\"post\" value=\"Log out\"></form>";
                return Reply::page(form).cookie("  csrftoken=members; Path=/; SameSite=Lax");
            }
            if !is_own
                || call.field("csrfmiddlewaretoken") != "again"
                || call.cookie("csrftoken") != "members"
            {
                return Reply::page("CSRF verification failed.").status(403);
            }
            is_live = false;
            return Reply::to("/").cookie(
                "  sessionid=\"\"; expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Path=/; SameSite=Lax",
            );
        }
        if call.path() != "/user/login/" {
            return Reply::page(if is_member {
                "<a href=\"/user/logout/?next=/\">"
            } else {
                "<a href=\"/user/login/\">"
            });
        }
        let form = "<form action=\".\" method=\"post\"><input type=\"hidden\" name=\"csrfmiddlewaretoken\" value=\"masked\">\
             <input type=\"text\" name=\"username\"><input type=\"password\" name=\"password\">\
             <input type=\"hidden\" name=\"next\" value=\"\"><input type=\"submit\" value=\"Log in\"></form>";
        if !call.is_post() {
            return Reply::page(form).cookie("  csrftoken=secret; expires=Sun, 21 Nov 2027 06:00:00 GMT; Max-Age=31449600; Path=/; SameSite=Lax");
        }
        if !is_own || call.field("csrfmiddlewaretoken") != "masked" || call.cookie("csrftoken") != "secret" {
            return Reply::page("CSRF verification failed.").status(403);
        }
        tries.retain(|at| call.seconds() < at + 300);
        tries.push(call.seconds());
        if tries.len() > 5 {
            return Reply::to("/user/login/");
        }
        if !is_right(call.field("username"), call.field("password")) {
            return Reply::page(format!("Please enter a correct username and password.{form}"));
        }
        is_live = true;
        Reply::to("/user/")
            .cookie("  csrftoken=other; Path=/")
            .cookie("  sessionid=member; HttpOnly; Path=/; SameSite=Lax")
    })
}
