//! The forms in which members of each forum change their password, put before the forum's fake: with its tokens, what it checks, and
//! how it says yes and no. Behind it the fake knows the new password, and the old one no more.

use std::sync::{Arc, Mutex};

use super::PASSWORD;
use super::php::INPUT;
use super::server::{Call, Fake, Reply};

/// What the forum knows of the one password.
pub(super) struct Lock {
    pub(super) password: String,
    /// How often somebody tried to sign in with another one.
    pub(super) wrong: usize,
    /// Whether it says no to any new one.
    pub(super) refuses: bool,
    /// Whether it says yes and keeps the one it has.
    pub(super) lies: bool,
}

impl Default for Lock {
    fn default() -> Self {
        Self { password: PASSWORD.to_owned(), wrong: 0, refuses: false, lies: false }
    }
}

/// What a forum's form leads to.
enum Act {
    /// This is shown.
    Show(Reply),
    /// A whole form came: the old password, the new one, and again; then this, or that.
    Change([&'static str; 3], Box<[Reply; 2]>),
}

fn change(fields: [&'static str; 3], done: Reply, refused: Reply) -> Act {
    Act::Change(fields, Box::new([done, refused]))
}

/// How a forum's form answers, if it is what is asked for.
type Form = fn(&Call) -> Option<Act>;

/// The fake `forum` with such a form before it. `check` is a page of members, `field` the password's in the sign-in form.
fn before(mut forum: Fake, form: Form, (check, field): (&'static str, &'static str)) -> (Fake, Shared) {
    let shared = Shared::default();
    let lock = Arc::clone(&shared);
    let fake: Fake = Box::new(move |call: &Call| {
        let mut lock = lock.lock().unwrap();
        let Some(act) = form(call) else {
            let mut call = call.clone();
            for (_, typed) in call.form.iter_mut().filter(|(name, _)| name == field) {
                let is_right = *typed == lock.password;
                lock.wrong += usize::from(!is_right);
                *typed = if is_right { PASSWORD.to_owned() } else { "another".to_owned() };
            }
            return forum(&call);
        };
        let asks = Call { method: "GET".to_owned(), target: check.to_owned(), ..call.clone() };
        if !forum(&asks).text().contains("out") {
            return Reply::page("you are a guest").status(403);
        }
        match act {
            Act::Show(reply) => reply,
            Act::Change([old, new, again], replies) => {
                let [done, refused] = *replies;
                let new = call.field(new);
                if lock.refuses || call.field(old) != lock.password || call.field(again) != new {
                    return refused;
                }
                if !lock.lies {
                    new.clone_into(&mut lock.password);
                }
                done
            }
        }
    });
    (fake, shared)
}

pub(super) type Shared = Arc<Mutex<Lock>>;

/// The fake of a preset with its form.
pub(super) fn with_form(preset: &str) -> (Fake, Shared) {
    use super::{php, python};
    let (forum, form, page): (Fake, Form, _) = match preset {
        "phpbb" => (php::phpbb(), phpbb, ("/index.php", "password")),
        "fluxbb" => (php::fluxbb(), fluxbb, ("/index.php", "req_password")),
        "punbb" => (php::punbb(), punbb, ("/index.php", "req_password")),
        "mybb" => (php::mybb(), mybb, ("/index.php", "password")),
        "smf" => (php::smf(), smf, ("/index.php?action=profile", "passwrd")),
        "flaskbb" => (python::flaskbb(), flaskbb, ("/", "password")),
        "spirit" => (python::spirit(), spirit, ("/", "password")),
        "dokuwiki" => (php::dokuwiki(), dokuwiki, ("/doku.php?id=start", "p")),
        other => panic!("{other}"),
    };
    before(forum, form, page)
}

fn fields(names: [&str; 3]) -> String {
    names.map(|name| format!("<input type=\"password\" name=\"{name}\">")).concat()
}

/// A second must have passed since the page, and the token fits the time.
fn phpbb(call: &Call) -> Option<Act> {
    const FIELDS: [&str; 3] = ["cur_password", "new_password", "password_confirm"];
    call.asks("i=ucp_profile&mode=reg_details").then(|| {
        let time = call.seconds();
        let form = format!(
            "<form id=\"ucp\" method=\"post\" action=\"./ucp.php?i=ucp_profile&amp;mode=reg_details\"><input type=\"email\" name=\"email\" \
             value=\"alice@forum.test\">{}<input type=\"submit\" name=\"submit\" value=\"Submit\">{INPUT}\"creation_time\" value=\"{time}\">\
             {INPUT}\"form_token\" value=\"reg-{time}\"></form>",
            fields(FIELDS)
        );
        let made = call.field("creation_time");
        let is_whole = call.field("form_token") == format!("reg-{made}") && made != time.to_string();
        match call.is_post() && is_whole && call.field("email") == "alice@forum.test" && !call.field("submit").is_empty() {
            true => change(
                FIELDS,
                Reply::page("<meta http-equiv=\"refresh\" content=\"3; url=./ucp.php\" />Your profile has been updated."),
                Reply::page(format!("You entered your current password incorrectly.{form}")),
            ),
            false => Act::Show(Reply::page(format!("The submitted form was invalid.{form}"))),
        }
    })
}

/// Only from its own page, and only for one's own number; yes and no are pages without the form.
fn fluxbb(call: &Call) -> Option<Act> {
    const FIELDS: [&str; 3] = ["req_old_password", "req_new_password1", "req_new_password2"];
    call.asks("/profile.php?action=change_pass").then(|| {
        if !call.target.ends_with("&id=2") {
            return Act::Show(Reply::page("No permission").status(403));
        }
        if !call.is_post() {
            return Act::Show(Reply::page(format!(
                "<a href=\"login.php?action=out&amp;id=2&amp;csrf_token=x\">Logout</a><form id=\"change_pass\" method=\"post\" \
                 action=\"profile.php?action=change_pass&amp;id=2\" onsubmit=\"return process_form(this)\">{INPUT}\"form_sent\" value=\"1\" />{}\
                 <input type=\"submit\" name=\"update\" value=\"Submit\" /></form>",
                fields(FIELDS)
            )));
        }
        let is_from_there = call.header("referer").starts_with("https://forum.test/profile.php?");
        if !is_from_there || call.field("form_sent") != "1" {
            return Act::Show(Reply::page("Bad HTTP_REFERER. You were referred to this page from an unauthorized source."));
        }
        let cookie = "pun_cookie_b31e10=2%7Cnew%7C1796536800%7Cbeef; path=/; HttpOnly";
        change(
            FIELDS,
            Reply::page("<meta http-equiv=\"refresh\" content=\"1;URL=profile.php?section=essentials&amp;id=2\" />").cookie(cookie),
            Reply::page("Wrong old password. <a href=\"javascript: history.go(-1)\">Go back</a>"),
        )
    })
}

/// The token is that of the address the form is sent to.
fn punbb(call: &Call) -> Option<Act> {
    const FIELDS: [&str; 3] = ["req_old_password", "req_new_password1", "req_new_password2"];
    call.asks("/profile.php?action=change_pass&id=2").then(|| {
        let own = "https://forum.test/profile.php?action=change_pass&amp;id=2";
        let form = format!(
            "<form class=\"frm-form\" method=\"post\" accept-charset=\"utf-8\" action=\"{own}\">{INPUT}\"form_sent\" value=\"1\">\
             {INPUT}\"csrf_token\" value=\"token-of-{own}\">{}<input type=\"submit\" name=\"update\" value=\"Submit\"></form>",
            fields(FIELDS)
        );
        let is_whole = call.field("csrf_token") == format!("token-of-{}", own.replace("&amp;", "&"));
        match (call.is_post(), is_whole) {
            (false, _) => Act::Show(Reply::page(form)),
            (true, false) => Act::Show(Reply::page("<form><input type=submit name=confirm_cancel></form>Confirm action")),
            (true, true) => change(
                FIELDS,
                Reply::to("https://forum.test/profile.php?section=about&id=2").cookie("forum_cookie_55ff=MnxuZXc%3D; path=/; HttpOnly"),
                Reply::page(format!("Incorrect old password.{form}")),
            ),
        }
    })
}

/// The action is in the body, thirty letters are all it takes, and the cookie is another one afterwards.
fn mybb(call: &Call) -> Option<Act> {
    const FIELDS: [&str; 3] = ["oldpassword", "password", "password2"];
    (call.path() == "/usercp.php").then(|| {
        let form = format!(
            "<form action=\"usercp.php\" method=\"post\">{INPUT}\"my_post_key\" value=\"members-key\" />{}\
             {INPUT}\"action\" value=\"do_password\" /><input type=\"submit\" name=\"submit\" value=\"Update Password\" /></form>",
            fields(FIELDS)
        );
        if !call.is_post() {
            return Act::Show(Reply::page(form));
        }
        if call.field("my_post_key") != "members-key" || call.field("action") != "do_password" {
            return Act::Show(Reply::page("Authorization code mismatch."));
        }
        if call.field("password").chars().count() > 30 {
            return Act::Show(Reply::page(format!("The password you entered is invalid.{form}")));
        }
        change(
            FIELDS,
            Reply::page("<meta http-equiv=\"refresh\" content=\"2;URL=usercp.php?action=password\">")
                .cookie("mybbuser=2_AnotherKey; path=/; HttpOnly; SameSite=lax"),
            Reply::page(format!("The password you entered is incorrect.{form}")),
        )
    })
}

/// The button has to be pressed, and two of the hidden fields have names drawn by lot.
fn smf(call: &Call) -> Option<Act> {
    const FIELDS: [&str; 3] = ["oldpasswrd", "passwrd1", "passwrd2"];
    call.asks("action=profile;area=account").then(|| {
        let agent = call.header("user-agent").to_owned();
        let form = format!(
            "<form action=\"https://forum.test/index.php?action=profile;area=account;u=2\" method=\"post\" name=\"creator\" \
             enctype=\"multipart/form-data\"><input type=\"text\" name=\"real_name\" value=\"The Queen\">{}\
             <input type=\"submit\" name=\"save\" value=\"Change profile\">{INPUT}\"a1b2\" value=\"once\">{INPUT}\"f0a1\" value=\"of-{agent}\">\
             {INPUT}\"u\" value=\"2\">{INPUT}\"sa\" value=\"account\"></form>",
            fields(FIELDS)
        );
        let is_own = call.cookie("PHPSESSID") == "member" && call.field("f0a1") == format!("of-{agent}");
        match call.is_post() && !call.field("save").is_empty() {
            false => Act::Show(Reply::page(form)),
            true if !is_own || call.field("a1b2") != "once" || call.field("real_name") != "The Queen" => {
                Act::Show(Reply::page("Session verification failed"))
            }
            true => change(
                FIELDS,
                Reply::to("https://forum.test/index.php?action=profile;area=account;updated"),
                Reply::page(format!("The password you entered is incorrect.{form}")),
            ),
        }
    })
}

/// It leads back to the form.
fn flaskbb(call: &Call) -> Option<Act> {
    const FIELDS: [&str; 3] = ["old_password", "new_password", "confirm_new_password"];
    (call.path() == "/user/settings/password").then(|| {
        let form = format!(
            "<form role=\"form\" method=\"POST\">{INPUT}\"csrf_token\" value=\"tok+2\">{}<input name=\"submit\" type=\"submit\" \
             value=\"Save\"></form>",
            fields(FIELDS)
        );
        match call.is_post() && call.field("csrf_token") == "tok+2" {
            false => Act::Show(Reply::page(form)),
            true => change(
                FIELDS,
                Reply::to("/user/settings/password"),
                Reply::page(format!("Old password is wrong.{form}")),
            ),
        }
    })
}

/// A token in a cookie and in the form, and both say where the form comes from.
fn spirit(call: &Call) -> Option<Act> {
    const FIELDS: [&str; 3] = ["old_password", "new_password1", "new_password2"];
    (call.path() == "/user/password-change/").then(|| {
        let form = format!(
            "<form action=\"/search/\"><input name=\"q\"></form><form action=\".\" method=\"post\">{INPUT}\"csrfmiddlewaretoken\" \
             value=\"members\">{}<input class=\"button\" type=\"submit\" name=\"post\" value=\"Change my password\"></form>",
            fields(FIELDS)
        );
        let is_own = call.header("origin") == "https://forum.test" && call.cookie("csrftoken") == "members";
        match (call.is_post(), is_own && call.field("csrfmiddlewaretoken") == "members") {
            (false, _) => Act::Show(Reply::page(form).cookie("  csrftoken=members; Path=/; SameSite=Lax")),
            (true, false) => Act::Show(Reply::page("CSRF verification failed.").status(403)),
            (true, true) => change(
                FIELDS,
                Reply::to("/user/").cookie("  sessionid=member; HttpOnly; Path=/; SameSite=Lax"),
                Reply::page(format!("Your old password was entered incorrectly.{form}")),
            ),
        }
    })
}

/// Name and address are in the same form and must not be lost.
fn dokuwiki(call: &Call) -> Option<Act> {
    const FIELDS: [&str; 3] = ["oldpass", "newpass", "passchk"];
    (call.asks("do=profile") || call.field("do") == "profile").then(|| {
        let form = format!(
            "<form id=\"dw__register\" method=\"post\" action=\"/doku.php?id=start\"><input type=\"hidden\" name=\"sectok\" value=\"5e1f\">\
             {INPUT}\"do\" value=\"profile\">{INPUT}\"save\" value=\"1\"><input type=\"text\" name=\"login\" disabled=\"disabled\" value=\"alice\">\
             <input type=\"text\" name=\"fullname\" value=\"The Queen\"><input type=\"email\" name=\"email\" value=\"alice@wiki.test\">{}\
             <button type=\"submit\">Save</button></form><form id=\"dw__profiledelete\" method=\"post\"><input type=\"password\" name=\"oldppass\"></form>",
            fields(FIELDS)
        );
        let is_whole = call.field("sectok") == "5e1f" && call.field("save") == "1" && call.field("fullname") == "The Queen";
        match call.is_post() && is_whole && call.field("email") == "alice@wiki.test" {
            false => Act::Show(Reply::page(form)),
            true => change(
                FIELDS,
                Reply::page("User profile successfully updated.")
                    .cookie("DW68700bfd16c2027de7de74a5a8202a6f=YWxpY2U%3D%7C1%7Cabc; path=/; HttpOnly"),
                Reply::page(format!("Sorry, the password was wrong.{form}")),
            ),
        }
    })
}
