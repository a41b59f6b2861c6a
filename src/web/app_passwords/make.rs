//! Making an app password: its name, what it is for, and the page that shows it, once.

use bytes::Bytes;
use http::{Request, StatusCode};
use serde::Serialize;

use super::super::audit::{self, Event};
use super::super::pages::Page;
use super::super::request::Form;
use super::super::response::Reply;
use super::super::{Member, Visit, Web};
use super::in_words;
use crate::auth::app_passwords::options::AppPasswordOptions;
use crate::auth::app_passwords::{AppPassword, MadeAppPassword, NewAppPassword, Obstacle};
use crate::auth::events::What;
use crate::auth::mail::Happened as Told;
use crate::domain::PasskeyName;

/// The form.
#[derive(Default, Serialize)]
pub(in crate::web) struct MakeAppPasswordPage {
    csrf: String,
    name: String,
    max_chars: usize,
    /// What it can be for; none where there is nothing to choose.
    paths: Vec<PathLine>,
    trouble: Option<Trouble>,
}

#[derive(Default, Serialize)]
struct PathLine {
    field: String,
    path: String,
    is_chosen: bool,
}

/// Why the form is shown once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Trouble {
    Full,
    Name,
    NameTaken,
    NoPath,
    Over,
}

impl Page for MakeAppPasswordPage {
    const TEMPLATE: &'static str = "app-password-make.html";

    fn samples() -> Vec<Self> {
        let paths = || vec![PathLine { is_chosen: true, ..PathLine::default() }, PathLine::default()];
        let all = [Trouble::Full, Trouble::Name, Trouble::NameTaken, Trouble::NoPath, Trouble::Over];
        let trouble = |trouble| Self { trouble: Some(trouble), paths: paths(), ..Self::default() };
        all.map(trouble).into_iter().chain([Self::default()]).collect()
    }
}

/// The app password that was made. Nothing shows it again.
#[derive(Default, Serialize)]
pub(in crate::web) struct AppPasswordPage {
    name: String,
    username: String,
    password: String,
    paths: Vec<String>,
}

impl Page for AppPasswordPage {
    const TEMPLATE: &'static str = "app-password.html";

    fn samples() -> Vec<Self> {
        vec![Self::default(), Self { paths: vec!["/a/…".to_owned(), "/b".to_owned()], ..Self::default() }]
    }
}

impl Web {
    pub(super) fn make_app_password_page(&self, options: &AppPasswordOptions, visit: &Visit<'_>) -> Reply {
        let Some(member) = visit.member else { return Ok(self.to_sign_in()) };
        if let Some(first) = self.before_app_passwords(&member, &self.app_passwords(""), visit)? {
            return Ok(first);
        }
        let count = self.app_passwords_of(&member, visit)?.len();
        let trouble = (count >= options.max_per_member).then_some(Trouble::Full);
        let page = form_page(options, &member, "", |_| true, trouble);
        Ok(self.page(StatusCode::OK, &page, visit))
    }

    pub(super) async fn make_app_password(
        &self,
        options: &AppPasswordOptions,
        request: &Request<Bytes>,
        visit: &Visit<'_>,
    ) -> Reply {
        let Some(member) = visit.member else { return Ok(self.to_sign_in()) };
        let form = self.member_form(request, &member)?;
        if let Some(first) = self.before_app_passwords(&member, &self.app_passwords(""), visit)? {
            return Ok(first);
        }
        let again = |trouble| {
            let is_chosen = |field: &str| form.is_ticked(field);
            let page = form_page(options, &member, form.text("name"), is_chosen, Some(trouble));
            Ok(self.page(StatusCode::UNPROCESSABLE_ENTITY, &page, visit))
        };
        let Ok(name) = PasskeyName::parse(form.text("name")) else { return again(Trouble::Name) };
        let chosen = match chosen(options, &form) {
            Some(chosen) if chosen.is_empty() => return again(Trouble::NoPath),
            chosen => chosen,
        };
        let user = member.session.user();
        let event = self.seen_happening(What::AppPasswordMade, request.headers(), visit).about(name.as_str());
        let mut with = vec![event.kept(user)];
        let profile = member.session.profile();
        with.extend(self.notice(Told::AppPasswordMade, &profile, request.headers(), visit));
        let paths = chosen.iter().flatten().map(|path| in_words(path)).collect();
        let new = NewAppPassword { name: name.clone(), chosen };
        let limit = options.max_per_member;
        let made = self.parts.accounts.make_app_password(member.session, new, limit, with).await;
        match made.map_err(|error| self.store_failed(&error, visit))? {
            MadeAppPassword::Made(password) => {
                audit::record(Event::AppPasswordMade, Some(user), visit);
                Ok(self.show_app_password(&name, &password, paths, &member, visit))
            }
            MadeAppPassword::Not(Obstacle::Full) => again(Trouble::Full),
            MadeAppPassword::Not(Obstacle::NameTaken) => again(Trouble::NameTaken),
            MadeAppPassword::Not(Obstacle::Over) => again(Trouble::Over),
        }
    }

    fn show_app_password(
        &self,
        name: &PasskeyName,
        password: &AppPassword,
        paths: Vec<String>,
        member: &Member<'_>,
        visit: &Visit<'_>,
    ) -> http::Response<Bytes> {
        let page = AppPasswordPage {
            name: name.as_str().to_owned(),
            username: member.session.profile().name.to_string(),
            password: password.shown().to_string(),
            paths,
        };
        self.page(StatusCode::OK, &page, visit)
    }
}

fn form_page(
    options: &AppPasswordOptions,
    member: &Member<'_>,
    name: &str,
    is_chosen: impl Fn(&str) -> bool,
    trouble: Option<Trouble>,
) -> MakeAppPasswordPage {
    let paths = options.paths.iter().enumerate().map(|(at, pattern)| {
        let field = field(at);
        PathLine { is_chosen: is_chosen(&field), path: in_words(pattern.as_str()), field }
    });
    MakeAppPasswordPage {
        csrf: member.proof().to_text(),
        name: name.to_owned(),
        max_chars: PasskeyName::MAX_CHARS,
        paths: if options.paths.len() > 1 { paths.collect() } else { Vec::new() },
        trouble,
    }
}

/// The paths that are ticked; none where all are, so that one the operator adds later is among them.
fn chosen(options: &AppPasswordOptions, form: &Form) -> Option<Vec<String>> {
    let ticked = options.paths.iter().enumerate().filter(|(at, _)| form.is_ticked(&field(*at)));
    let ticked: Vec<_> = ticked.map(|(_, pattern)| pattern.as_str().to_owned()).collect();
    (options.paths.len() > 1 && ticked.len() < options.paths.len()).then_some(ticked)
}

fn field(at: usize) -> String {
    format!("path-{}", at + 1)
}
