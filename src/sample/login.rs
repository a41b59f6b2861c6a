//! The forum's own login and logout, with the habits of its time: success is a page of status 200 that refreshes, and a
//! logout sets one cookie name several times, the last of which counts.

use http::StatusCode;
use http::header::SET_COOKIE;
use minijinja::context;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::members;
use super::pages::{moved, redirect, show};
use super::reading::Submission;
use super::reply::{Answer, Trouble, add};
use super::visit::{LOGIN_COOKIE, SESSION_COOKIE, Visit};

/// `|` becomes `%7C`, digits and letters stay.
const COOKIE_VALUE: &AsciiSet = NON_ALPHANUMERIC;
/// Seconds a saved login is kept.
const SAVED: u32 = 14 * 86_400;
const PAST: &str = "expires=Thu, 01 Jan 1970 00:00:01 GMT; Max-Age=0";

/// `login.php`, and the logout that is a link to it.
pub(super) fn page(visit: &Visit<'_>) -> Result<Answer, Trouble> {
    if visit.query.last("action") == "out" {
        return log_out(visit);
    }
    if visit.visitor.known_by == "login" {
        return Ok(redirect("index.php"));
    }
    Ok(form(visit, "", ""))
}

/// The form, posted.
pub(super) fn submit(visit: &Visit<'_>, submission: &Submission) -> Result<Answer, Trouble> {
    let fields = &submission.fields;
    if !visit.owns(fields) {
        return Ok(form(visit, fields.last("username"), "The form is out of date. Please send it again."));
    }
    let member = visit.forum.members.check(fields.last("username"), fields.last("password"));
    let Some(number) = member else {
        return Ok(form(visit, fields.last("username"), "Wrong user name or password."));
    };
    let value = encoded(&visit.forum.members.login_cookie(number));
    let life = if fields.has("save_pass") { format!("; Max-Age={SAVED}") } else { String::new() };
    let mut answer = moved(visit, "index.php", "You are logged in. Welcome back!");
    add(&mut answer, SET_COOKIE, &format!("{LOGIN_COOKIE}={value}; path=/; HttpOnly{life}"));
    Ok(answer)
}

fn form(visit: &Visit<'_>, username: &str, problem: &str) -> Answer {
    show(visit, StatusCode::OK, "Login", "login.html", context! { username, problem })
}

fn log_out(visit: &Visit<'_>) -> Result<Answer, Trouble> {
    if !visit.owns(&visit.query) {
        return Err(Trouble::forbidden(
            "The link is out of date. Please use the one at the top of the page.",
        ));
    }
    let mut answer = moved(visit, "index.php", "You are logged out. Come back soon!");
    for line in [
        // The page's start renews both cookies, the logout then takes the one back and replaces the other.
        format!("{LOGIN_COOKIE}=guest%7C; path=/; HttpOnly"),
        format!("{SESSION_COOKIE}={}; path=/; HttpOnly", encoded(&visit.session)),
        format!("{LOGIN_COOKIE}=deleted; {PAST}; path=/; HttpOnly"),
        format!("{SESSION_COOKIE}=deleted; {PAST}; path=/; HttpOnly"),
        format!("{SESSION_COOKIE}={}; path=/; HttpOnly", members::new_session()),
    ] {
        add(&mut answer, SET_COOKIE, &line);
    }
    Ok(answer)
}

fn encoded(value: &str) -> String {
    utf8_percent_encode(value, COOKIE_VALUE).to_string()
}
