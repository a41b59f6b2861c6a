//! Templates: the embedded ones, those that replace them, and how a page is rendered.
//!
//! SECURITY: R2, WEB-08. Every value is escaped for HTML, whatever a template is called. All templates are parsed and
//! tried with samples at start, so that a mistake shows there and not to a member.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::{Response, StatusCode};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value, context};
use serde::Serialize;

use super::account::{
    AccountPage, ConfirmEmailPage, DataPage, EmailPage, LeavePage, NotMePage, SecurityPage,
};
use super::app_passwords::{AppPasswordPage, MakeAppPasswordPage, RemoveAppPasswordPage};
use super::assets::Assets;
use super::forgot::ForgotPage;
use super::forum::ForumPage;
use super::forum_password::ForumPasswordPage;
use super::join::JoinPage;
use super::join_ask::JoinAskPage;
use super::kept::KeptPage;
use super::link::LinkPage;
use super::login::LoginPage;
use super::logout::LogoutPage;
use super::options::PageOptions;
use super::palette::Palette;
use super::passkeys::{
    AddPasskeyPage, ConfirmPasskeyPage, PasskeyHelpPage, RemovePasskeyPage, RenamePasskeyPage, WelcomePage,
};
use super::password::PasswordPage;
use super::refusal::ProblemPage;
use super::second_factor::{CodePage, RecoveryCodesPage, TwoStepMailPage, TwoStepOffPage, TwoStepPage};
use super::setup::{LinkExpiredPage, SetupPage};
use super::{Visit, Web};

/// The embedded templates.
const TEMPLATES: &[(&str, &str)] = &[
    ("account-app-passwords.html", include_str!("../../assets/templates/account-app-passwords.html")),
    ("account-forum.html", include_str!("../../assets/templates/account-forum.html")),
    ("account-email.html", include_str!("../../assets/templates/account-email.html")),
    ("account-data.html", include_str!("../../assets/templates/account-data.html")),
    ("account-leave.html", include_str!("../../assets/templates/account-leave.html")),
    ("account-event.html", include_str!("../../assets/templates/account-event.html")),
    ("account-events.html", include_str!("../../assets/templates/account-events.html")),
    ("account-nav.html", include_str!("../../assets/templates/account-nav.html")),
    ("account-not-me.html", include_str!("../../assets/templates/account-not-me.html")),
    ("account-notice.html", include_str!("../../assets/templates/account-notice.html")),
    ("account-passkeys.html", include_str!("../../assets/templates/account-passkeys.html")),
    ("account-security.html", include_str!("../../assets/templates/account-security.html")),
    ("account-password.html", include_str!("../../assets/templates/account-password.html")),
    ("account-sessions.html", include_str!("../../assets/templates/account-sessions.html")),
    ("account-two-step.html", include_str!("../../assets/templates/account-two-step.html")),
    ("account.html", include_str!("../../assets/templates/account.html")),
    ("app-password.html", include_str!("../../assets/templates/app-password.html")),
    ("app-password-make.html", include_str!("../../assets/templates/app-password-make.html")),
    ("app-password-remove.html", include_str!("../../assets/templates/app-password-remove.html")),
    ("base.html", include_str!("../../assets/templates/base.html")),
    ("code.html", include_str!("../../assets/templates/code.html")),
    ("email.html", include_str!("../../assets/templates/email.html")),
    ("email-confirm.html", include_str!("../../assets/templates/email-confirm.html")),
    ("forgot.html", include_str!("../../assets/templates/forgot.html")),
    ("forum-password.html", include_str!("../../assets/templates/forum-password.html")),
    ("forum.html", include_str!("../../assets/templates/forum.html")),
    ("help-passkeys.html", include_str!("../../assets/templates/help-passkeys.html")),
    ("join-ask.html", include_str!("../../assets/templates/join-ask.html")),
    ("join.html", include_str!("../../assets/templates/join.html")),
    ("kept.html", include_str!("../../assets/templates/kept.html")),
    ("link-expired.html", include_str!("../../assets/templates/link-expired.html")),
    ("link.html", include_str!("../../assets/templates/link.html")),
    ("login-stay.html", include_str!("../../assets/templates/login-stay.html")),
    ("login.html", include_str!("../../assets/templates/login.html")),
    ("logout.html", include_str!("../../assets/templates/logout.html")),
    ("passkey-add.html", include_str!("../../assets/templates/passkey-add.html")),
    ("passkey-confirm.html", include_str!("../../assets/templates/passkey-confirm.html")),
    ("passkey-remove.html", include_str!("../../assets/templates/passkey-remove.html")),
    ("passkey-rename.html", include_str!("../../assets/templates/passkey-rename.html")),
    ("passkey-trouble.html", include_str!("../../assets/templates/passkey-trouble.html")),
    ("password.html", include_str!("../../assets/templates/password.html")),
    ("password-strength.html", include_str!("../../assets/templates/password-strength.html")),
    ("password-trouble.html", include_str!("../../assets/templates/password-trouble.html")),
    ("problem.html", include_str!("../../assets/templates/problem.html")),
    ("setup.html", include_str!("../../assets/templates/setup.html")),
    ("two-step-codes.html", include_str!("../../assets/templates/two-step-codes.html")),
    ("two-step-mail.html", include_str!("../../assets/templates/two-step-mail.html")),
    ("two-step-off.html", include_str!("../../assets/templates/two-step-off.html")),
    ("two-step.html", include_str!("../../assets/templates/two-step.html")),
    ("welcome.html", include_str!("../../assets/templates/welcome.html")),
];

/// Why there can be no pages. Operators read this at start.
#[derive(Debug, thiserror::Error)]
pub enum PagesError {
    /// The accent is no colour.
    #[error("`{0}` is not a colour; write it as #rrggbb, like #2f5d8a")]
    Accent(String),
    /// The folder, or a file in it, can't be read.
    #[error("can't read {path}: {reason}", path = path.display())]
    Unreadable {
        /// What was to be read.
        path: PathBuf,
        /// What the operating system says.
        reason: std::io::Error,
    },
    /// A template has a mistake, or uses a value that its page does not have.
    #[error("{file}, line {line}: {reason}")]
    Template {
        /// The file, with its folder if it is not an embedded one.
        file: String,
        /// The line in it, from 1; 0 if unknown.
        line: usize,
        /// What is wrong.
        reason: String,
    },
}

/// What a page shows. One type for each template.
pub(super) trait Page: Serialize + Sized {
    /// The template's file name.
    const TEMPLATE: &'static str;

    /// Examples that go through all branches of the embedded template.
    fn samples() -> Vec<Self>;
}

/// The pages of one site.
pub(super) struct Pages {
    environment: Environment<'static>,
    pub(super) assets: Assets,
}

/// What is the same on every page.
#[derive(Serialize)]
struct Site<'a> {
    name: &'a str,
    logo: &'a str,
    prefix: &'a str,
    style: String,
    script: String,
    passkeys: String,
    icon: String,
    recovery: &'a str,
}

/// The signed-in member, for the page's head.
#[derive(Serialize)]
struct Who<'a> {
    name: &'a str,
    csrf: String,
}

impl Pages {
    /// Loads and tries everything. `help` is the address of our own page for members who can't sign in; empty for none.
    pub(super) fn load(options: &PageOptions, prefix: &str, help: &str) -> Result<Self, PagesError> {
        let palette =
            Palette::of(&options.accent).ok_or_else(|| PagesError::Accent(options.accent.clone()))?;
        let assets = Assets::new(&palette);
        let mut environment = Environment::new();
        environment.set_syntax(syntax());
        environment.set_auto_escape_callback(|_| AutoEscape::Html);
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        let [style, script, passkeys, icon] = assets.names().map(|name| format!("{prefix}/assets/{name}"));
        let logo = options.logo.as_deref().unwrap_or(&icon).to_owned();
        let recovery = options.recovery_url.as_deref().unwrap_or(help);
        let site =
            Site { name: &options.site_name, logo: &logo, prefix, style, script, passkeys, icon, recovery };
        environment.add_global("site", Value::from(Serde(site)));
        for &(name, source) in TEMPLATES {
            environment.add_template(name, source).map_err(|error| mistake(&error, name, None))?;
        }
        if let Some(folder) = &options.templates {
            replace_from(folder, &mut environment, &["html"])?;
        }
        let pages = Self { environment, assets };
        pages.try_all().map_err(|(error, name)| mistake(&error, name, options.templates.as_deref()))?;
        Ok(pages)
    }

    fn try_all(&self) -> Result<(), (minijinja::Error, &'static str)> {
        self.try_page::<AccountPage>()?;
        self.try_page::<AddPasskeyPage>()?;
        self.try_page::<AppPasswordPage>()?;
        self.try_page::<MakeAppPasswordPage>()?;
        self.try_page::<RemoveAppPasswordPage>()?;
        self.try_page::<CodePage>()?;
        self.try_page::<DataPage>()?;
        self.try_page::<LeavePage>()?;
        self.try_page::<NotMePage>()?;
        self.try_page::<SecurityPage>()?;
        self.try_page::<ConfirmPasskeyPage>()?;
        self.try_page::<ConfirmEmailPage>()?;
        self.try_page::<EmailPage>()?;
        self.try_page::<ForgotPage>()?;
        self.try_page::<ForumPage>()?;
        self.try_page::<ForumPasswordPage>()?;
        self.try_page::<JoinAskPage>()?;
        self.try_page::<JoinPage>()?;
        self.try_page::<KeptPage>()?;
        self.try_page::<LinkExpiredPage>()?;
        self.try_page::<LinkPage>()?;
        self.try_page::<LoginPage>()?;
        self.try_page::<LogoutPage>()?;
        self.try_page::<PasskeyHelpPage>()?;
        self.try_page::<PasswordPage>()?;
        self.try_page::<ProblemPage<'_>>()?;
        self.try_page::<RecoveryCodesPage>()?;
        self.try_page::<RemovePasskeyPage>()?;
        self.try_page::<RenamePasskeyPage>()?;
        self.try_page::<SetupPage>()?;
        self.try_page::<TwoStepMailPage>()?;
        self.try_page::<TwoStepOffPage>()?;
        self.try_page::<TwoStepPage>()?;
        self.try_page::<WelcomePage>()?;
        Ok(())
    }

    fn try_page<P: Page>(&self) -> Result<(), (minijinja::Error, &'static str)> {
        for sample in P::samples() {
            for member in [None, Some(Who { name: "N", csrf: "0".to_owned() })] {
                self.render(&sample, member.as_ref()).map_err(|error| (error, P::TEMPLATE))?;
            }
        }
        Ok(())
    }

    fn render<P: Page>(&self, page: &P, member: Option<&Who<'_>>) -> Result<String, minijinja::Error> {
        let template = self.environment.get_template(P::TEMPLATE)?;
        template.render(context! { page => Value::from(Serde(page)), member => Value::from(Serde(member)) })
    }
}

impl Web {
    /// A page for this visitor.
    pub(super) fn page<P: Page>(&self, status: StatusCode, page: &P, visit: &Visit<'_>) -> Response<Bytes> {
        let profile = visit.member.map(|member| (member.session.profile(), member.proof().to_text()));
        let who =
            profile.as_ref().map(|(profile, csrf)| Who { name: profile.name.as_str(), csrf: csrf.clone() });
        match self.pages.render(page, who.as_ref()) {
            Ok(html) => self.outbound.html(status, html),
            Err(error) => {
                // Tried at start, so this takes a template that fails on some values only.
                tracing::error!(request_id = visit.request_id, template = P::TEMPLATE, %error, "a page can't be shown");
                let text = format!("This page can't be shown. Reference: {}\n", visit.request_id);
                self.outbound.text(StatusCode::INTERNAL_SERVER_ERROR, text)
            }
        }
    }
}

/// Lines that hold a tag alone leave nothing behind.
pub(super) fn syntax() -> SyntaxConfig {
    SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build().unwrap_or_default()
}

/// Takes all files of these `endings` in a folder. Those of an embedded template's name replace it, others can be included.
pub(super) fn replace_from(
    folder: &Path,
    environment: &mut Environment<'static>,
    endings: &[&str],
) -> Result<(), PagesError> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |reason| PagesError::Unreadable { path, reason }
    };
    for entry in std::fs::read_dir(folder).map_err(unreadable(folder))? {
        let path = entry.map_err(unreadable(folder))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        if path.extension().is_none_or(|extension| endings.iter().all(|ending| extension != *ending)) {
            continue;
        }
        let source = std::fs::read_to_string(&path).map_err(unreadable(&path))?;
        environment
            .add_template_owned(name.to_owned(), source)
            .map_err(|error| mistake(&error, name, Some(folder)))?;
    }
    Ok(())
}

/// `folder` is where a template of that name was looked for first.
pub(super) fn mistake(error: &minijinja::Error, name: &str, folder: Option<&Path>) -> PagesError {
    // A failing include or block names the outer file; the innermost cause names the place.
    let mut innermost = error;
    while let Some(cause) = std::error::Error::source(innermost).and_then(|cause| cause.downcast_ref()) {
        innermost = cause;
    }
    let name = innermost.name().unwrap_or(name);
    let own = folder.map(|folder| folder.join(name)).filter(|path| path.exists());
    PagesError::Template {
        file: own.map_or_else(|| format!("embedded {name}"), |path| path.display().to_string()),
        line: innermost.line().unwrap_or_default(),
        reason: innermost.detail().map_or_else(|| innermost.kind().to_string(), str::to_owned),
    }
}
