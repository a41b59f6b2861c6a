//! Mails in words. The text of each is a template of its own: its first line is the subject, an empty line parts paragraphs.
//! The HTML is made from the same words, so nothing is said in the one and not in the other.
//!
//! SECURITY: R2. Every value in the HTML is escaped. All templates are tried at start, as those of the pages are.

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value, context};
use serde::Serialize;

use super::options::PageOptions;
use super::pages::{PagesError, mistake, replace_from};
use super::wording::date;
use crate::auth::mail::{Enclosed, Happened, Letter, Notice, Words, Written};
use crate::domain::{Timestamp, User};

/// The embedded templates.
const TEMPLATES: [(&str, &str); 10] = [
    ("mail.html", include_str!("../../assets/templates/mail.html")),
    ("mail-address.txt", include_str!("../../assets/templates/mail-address.txt")),
    ("mail-code.txt", include_str!("../../assets/templates/mail-code.txt")),
    ("mail-applicant.txt", include_str!("../../assets/templates/mail-applicant.txt")),
    ("mail-approved.txt", include_str!("../../assets/templates/mail-approved.txt")),
    ("mail-join.txt", include_str!("../../assets/templates/mail-join.txt")),
    ("mail-refused.txt", include_str!("../../assets/templates/mail-refused.txt")),
    ("mail-notice.txt", include_str!("../../assets/templates/mail-notice.txt")),
    ("mail-reset.txt", include_str!("../../assets/templates/mail-reset.txt")),
    ("mail-test.txt", include_str!("../../assets/templates/mail-test.txt")),
];

/// Lines of the text are no longer than this, but for those that must stay whole.
const LINE_CHARS: usize = 72;

/// Puts mails into words.
pub struct Letters {
    environment: Environment<'static>,
}

/// What is the same in every mail.
#[derive(Serialize)]
struct Site<'a> {
    name: &'a str,
}

/// A paragraph.
#[derive(Serialize)]
struct Part {
    text: String,
    is: Kind,
}

#[derive(Clone, Copy, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Code,
    Link,
    Words,
}

/// What `mail-notice.txt` is told.
#[derive(Serialize)]
struct NoticeMail<'a> {
    what: &'a str,
    name: &'a str,
    when: String,
    browser: &'a str,
    client: String,
}

/// What `mail-address.txt` is told.
#[derive(Serialize)]
struct AddressMail<'a> {
    name: &'a str,
    /// Empty if another account has the address.
    link: &'a str,
}

/// What `mail-approved.txt` is told.
#[derive(Serialize)]
struct ApprovedMail<'a> {
    name: &'a str,
    link: &'a str,
    /// Whether the link lets in who has nothing to sign in with yet.
    is_first: bool,
}

/// What `mail-code.txt` is told.
#[derive(Serialize)]
struct CodeMail<'a> {
    name: &'a str,
    code: &'a str,
}

/// What `mail-join.txt` is told.
#[derive(Serialize)]
struct JoinMail<'a> {
    /// The accounts that have the address already; none for a new one.
    accounts: &'a [String],
    link: &'a str,
}

/// What `mail-applicant.txt` and `mail-refused.txt` are told.
#[derive(Serialize)]
struct ApplicantMail<'a> {
    name: &'a str,
}

/// What `mail-reset.txt` is told.
#[derive(Serialize)]
struct ResetMail<'a> {
    accounts: Vec<ResetAccount<'a>>,
}

#[derive(Serialize)]
struct ResetAccount<'a> {
    name: &'a str,
    link: &'a str,
}

impl Words for Letters {
    fn write(
        &self,
        letter: &Letter,
        member: Option<&User>,
        at: Timestamp,
        enclosed: &Enclosed,
    ) -> Result<Written, String> {
        let name = member.map(|member| member.profile.name.as_str()).unwrap_or_default();
        let written = match (letter, enclosed) {
            (Letter::Notice(notice), _) => self.notice(notice, name, at),
            (Letter::Applicant(name), _) => self.compose("mail-applicant.txt", &ApplicantMail { name }),
            (Letter::Refused(name), _) => self.compose("mail-refused.txt", &ApplicantMail { name }),
            (Letter::Address, Enclosed::Link(link)) => {
                self.compose("mail-address.txt", &AddressMail { name, link })
            }
            (Letter::Address, _) => self.compose("mail-address.txt", &AddressMail { name, link: "" }),
            (Letter::Code, Enclosed::Code(code)) => {
                self.compose("mail-code.txt", &CodeMail { name, code: code.expose() })
            }
            (Letter::Approved, Enclosed::Link(link)) => {
                self.compose("mail-approved.txt", &ApprovedMail { name, link, is_first: true })
            }
            (Letter::Approved, Enclosed::SignIn(link)) => {
                self.compose("mail-approved.txt", &ApprovedMail { name, link, is_first: false })
            }
            (Letter::Join, Enclosed::Link(link)) => {
                self.compose("mail-join.txt", &JoinMail { accounts: &[], link })
            }
            (Letter::Join, Enclosed::Accounts(accounts, link)) => {
                self.compose("mail-join.txt", &JoinMail { accounts, link })
            }
            (Letter::Reset, Enclosed::Resets(links)) => {
                let accounts: Vec<_> =
                    links.iter().map(|link| (link.name.as_str(), link.url.as_str())).collect();
                self.reset(&accounts)
            }
            (Letter::Approved | Letter::Code | Letter::Join | Letter::Reset, _) => {
                return Err("the mail has lost what it is about".to_owned());
            }
        };
        written.map_err(|error| format!("{error:#}"))
    }
}

impl Letters {
    /// Loads and tries everything.
    pub fn new(options: &PageOptions) -> Result<Self, PagesError> {
        let mut environment = Environment::new();
        environment.set_syntax(super::pages::syntax());
        environment.set_auto_escape_callback(|name| {
            if name.ends_with(".txt") { AutoEscape::None } else { AutoEscape::Html }
        });
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.add_global("site", Value::from(Serde(Site { name: &options.site_name })));
        for (name, source) in TEMPLATES {
            environment.add_template(name, source).map_err(|error| mistake(&error, name, None))?;
        }
        let folder = options.templates.as_deref();
        if let Some(folder) = folder {
            replace_from(folder, &mut environment, &["html", "txt"])?;
        }
        let letters = Self { environment };
        letters.try_all().map_err(|(error, name)| mistake(&error, name, folder))?;
        Ok(letters)
    }

    /// A mail that tells that mails arrive.
    pub fn test(&self) -> Result<Written, minijinja::Error> {
        self.compose("mail-test.txt", &())
    }

    /// SECURITY: SIB-08. Tells of something that happened, and holds no link: members are to open the site themselves.
    fn notice(&self, notice: &Notice, name: &str, at: Timestamp) -> Result<Written, minijinja::Error> {
        let Notice { what, browser, client } = notice;
        let client = client.map(|client| client.to_string()).unwrap_or_default();
        self.compose(
            "mail-notice.txt",
            &NoticeMail { what: what.as_str(), name, when: date(at), browser, client },
        )
    }

    /// A link to a new password for each account, by name.
    fn reset(&self, accounts: &[(&str, &str)]) -> Result<Written, minijinja::Error> {
        let accounts = accounts.iter().map(|(name, link)| ResetAccount { name, link }).collect();
        self.compose("mail-reset.txt", &ResetMail { accounts })
    }

    fn try_all(&self) -> Result<(), (minijinja::Error, &'static str)> {
        for what in Happened::ALL {
            for (browser, client) in [(String::new(), None), ("B".to_owned(), Some([192, 0, 2, 1].into()))] {
                let notice = Notice { what, browser, client };
                let written = self.notice(&notice, "N", Timestamp::default());
                written.map_err(|error| (error, "mail-notice.txt"))?;
            }
        }
        for accounts in [vec![("N", "https://x")], vec![("N", "https://x"), ("M", "https://y")]] {
            self.reset(&accounts).map_err(|error| (error, "mail-reset.txt"))?;
        }
        self.try_joining()?;
        self.test().map(drop).map_err(|error| (error, "mail-test.txt"))
    }

    /// The mails to those who join, or name an address.
    fn try_joining(&self) -> Result<(), (minijinja::Error, &'static str)> {
        let (name, link) = ("N", "https://x");
        let accounts = ["N", "M"].map(str::to_owned);
        let tried = |template, written: Result<Written, _>| match written {
            Ok(_) => Ok(()),
            Err(error) => Err((error, template)),
        };
        for link in ["", link] {
            let written = self.compose("mail-address.txt", &AddressMail { name, link });
            tried("mail-address.txt", written)?;
        }
        let written = self.compose("mail-code.txt", &CodeMail { name, code: "1234 5678" });
        tried("mail-code.txt", written)?;
        for is_first in [false, true] {
            let written = self.compose("mail-approved.txt", &ApprovedMail { name, link, is_first });
            tried("mail-approved.txt", written)?;
        }
        for accounts in [&accounts[..0], &accounts[..1], &accounts] {
            tried("mail-join.txt", self.compose("mail-join.txt", &JoinMail { accounts, link }))?;
        }
        for template in ["mail-applicant.txt", "mail-refused.txt"] {
            tried(template, self.compose(template, &ApplicantMail { name }))?;
        }
        Ok(())
    }

    fn compose(&self, template: &str, mail: &impl Serialize) -> Result<Written, minijinja::Error> {
        let words = self.environment.get_template(template)?;
        let words = words.render(context! { mail => Value::from(Serde(mail)) })?;
        let (subject, body) = words.split_once('\n').unwrap_or((&words, ""));
        let subject = one_line(subject);
        let parts: Vec<_> = body.split("\n\n").map(one_line).filter(|text| !text.is_empty()).collect();
        let is = |text: &str| match text {
            text if is_link(text) => Kind::Link,
            text if is_code(text) => Kind::Code,
            _ => Kind::Words,
        };
        let parts: Vec<_> = parts.into_iter().map(|text| Part { is: is(&text), text }).collect();
        let text = parts.iter().map(|part| filled(&part.text)).collect::<Vec<_>>().join("\n\n") + "\n";
        let html = self.environment.get_template("mail.html")?;
        let html = html.render(context! { subject => &subject, parts => Value::from(Serde(&parts)) })?;
        Ok(Written { subject, text, html })
    }
}

/// Whether a paragraph is an address and nothing else.
fn is_link(text: &str) -> bool {
    (text.starts_with("https://") || text.starts_with("http://")) && !text.contains(' ')
}

/// Whether a paragraph is digits and nothing else.
fn is_code(text: &str) -> bool {
    text.chars().all(|sign| sign.is_ascii_digit() || sign == ' ')
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Breaks a paragraph into lines.
fn filled(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= LINE_CHARS => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::tests::options;

    #[test]
    fn sib_08_a_notice_says_what_when_and_how_and_holds_no_link() {
        let letters = Letters::new(&options()).unwrap();
        for (what, told) in [
            (Happened::AccountDisabled, "have switched your account off"),
            (Happened::AddressChanged, "has another e-mail address now"),
            (Happened::AppPasswordMade, "an app password was made"),
            (Happened::AppPasswordRemoved, "an app password was removed"),
            (Happened::NewBrowser, "in a browser that we did not know"),
            (Happened::PasskeyAdded, "a passkey was added"),
            (Happened::PasskeyRemoved, "a passkey was removed"),
            (Happened::PasswordChanged, "a new password was set for your account. The"),
            (Happened::PasswordReset, "with a link that was sent to this address"),
            (Happened::TwoStepOff, "two-step sign-in was turned off"),
            (Happened::TwoStepOn, "two-step sign-in was turned on"),
        ] {
            let browser = if what == Happened::AccountDisabled { "" } else { "Firefox on Windows" };
            let client = Some([192, 0, 2, 7].into());
            let notice = Notice { what, browser: browser.to_owned(), client };
            let mail = letters.notice(&notice, "Ann <b>", Timestamp::from_millis(1_795_327_200_250)).unwrap();
            let Written { subject, text, html } = mail;
            let flat = text.replace('\n', " ");
            for part in
                ["Hello Ann <b>,", told, "When: 22 November 2026, 06:00 UTC.", "never ask for your password"]
            {
                assert!(flat.contains(part), "{what:?}: {part} in {text}");
            }
            let how = "How: with Firefox on Windows, from the internet address 192.0.2.7.";
            assert_eq!(flat.contains(how), !browser.is_empty(), "{text}");
            assert_eq!(
                flat.contains("If it was not you, open The Teapot Forum yourself"),
                !browser.is_empty()
            );
            assert_eq!(flat.contains("just answer this mail"), browser.is_empty());
            assert!(subject.contains("The Teapot Forum"), "{subject}");
            assert!(text.lines().all(|line| line.chars().count() <= LINE_CHARS), "{text}");
            for link in ["http", "://", "href", "token"] {
                assert!(!text.contains(link) && !html.contains(link), "{what:?}: {link} in {html}");
            }
            assert!(html.contains("Ann &lt;b&gt;") && !html.contains("<b>"), "{html}");
        }
    }
}
