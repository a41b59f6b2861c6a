//! Mails in words. The text of each is a template of its own: its first line is the subject, an empty line parts paragraphs.
//! The HTML is made from the same words, so nothing is said in the one and not in the other.
//!
//! SECURITY: R2. Every value in the HTML is escaped. All templates are tried at start, as those of the pages are.

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value, context};
use serde::Serialize;

use super::options::PageOptions;
use super::pages::{PagesError, mistake, replace_from};
use crate::auth::mail::Written;

/// The embedded templates.
const TEMPLATES: [(&str, &str); 2] = [
    ("mail.html", include_str!("../../assets/templates/mail.html")),
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
    Words,
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

    fn try_all(&self) -> Result<(), (minijinja::Error, &'static str)> {
        self.test().map(drop).map_err(|error| (error, "mail-test.txt"))
    }

    fn compose(&self, template: &str, mail: &impl Serialize) -> Result<Written, minijinja::Error> {
        let words = self.environment.get_template(template)?;
        let words = words.render(context! { mail => Value::from(Serde(mail)) })?;
        let (subject, body) = words.split_once('\n').unwrap_or((&words, ""));
        let subject = one_line(subject);
        let parts: Vec<_> = body.split("\n\n").map(one_line).filter(|text| !text.is_empty()).collect();
        let parts: Vec<_> = parts.into_iter().map(|text| Part { text, is: Kind::Words }).collect();
        let text = parts.iter().map(|part| filled(&part.text)).collect::<Vec<_>>().join("\n\n") + "\n";
        let html = self.environment.get_template("mail.html")?;
        let html = html.render(context! { subject => &subject, parts => Value::from(Serde(&parts)) })?;
        Ok(Written { subject, text, html })
    }
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
