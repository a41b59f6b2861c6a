//! An answer as the person sees it.

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use url::Url;

use super::form::Form;
use super::html;

/// An answer, its body unpacked.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    /// Its status.
    pub(crate) status: StatusCode,
    /// Where it is.
    pub(crate) url: Url,
    /// The addresses that redirected here, first one first.
    pub(crate) chain: Vec<Url>,
    /// Its headers.
    pub(crate) headers: HeaderMap,
    /// Its body.
    pub(crate) body: Bytes,
}

impl Page {
    /// The body, invalid UTF-8 replaced.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {}", self.shown()))
    }

    /// A header's value; empty if there is none. The first, if there are several.
    pub(crate) fn header(&self, name: &str) -> String {
        let value =
            self.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        value.unwrap_or_default()
    }

    /// Path and query of where it is.
    pub(crate) fn target(&self) -> &str {
        &self.url[url::Position::BeforePath..url::Position::AfterQuery]
    }

    /// Insists on a status.
    #[track_caller]
    pub(crate) fn assert_status(&self, status: u16) -> &Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.shown());
        self
    }

    /// Insists on words in the body.
    #[track_caller]
    pub(crate) fn assert_says(&self, words: &str) -> &Self {
        assert!(self.text().contains(words), "no {words:?} in {}", self.shown());
        self
    }

    /// Insists on words not being in the body.
    #[track_caller]
    pub(crate) fn assert_silent_about(&self, words: &str) -> &Self {
        assert!(!self.text().contains(words), "there is {words:?} in {}", self.shown());
        self
    }

    /// Where its `Location` leads, if it is a redirect.
    pub(crate) fn redirect(&self) -> Option<Url> {
        let location = self.headers.get(header::LOCATION).filter(|_| self.status.is_redirection())?;
        self.url.join(&String::from_utf8_lossy(location.as_bytes())).ok()
    }

    /// Where its `<meta http-equiv="refresh">` leads.
    pub(crate) fn meta_refresh(&self) -> Option<String> {
        let tags = html::tags(&self.text());
        let meta = tags
            .iter()
            .find(|tag| tag.name == "meta" && tag.value("http-equiv").eq_ignore_ascii_case("refresh"));
        let content = meta?.value("content");
        let at = content.to_ascii_lowercase().find("url=")?;
        Some(content[at + 4..].trim_matches(['\'', '"', ' ']).to_owned())
    }

    /// The first link with these words in its address.
    #[track_caller]
    pub(crate) fn link(&self, words: &str) -> String {
        let tags = html::tags(&self.text());
        let link = tags.iter().find(|tag| tag.name == "a" && tag.value("href").contains(words));
        link.map_or_else(
            || panic!("no link with {words:?} in {}", self.shown()),
            |tag| tag.value("href").to_owned(),
        )
    }

    /// All forms.
    pub(crate) fn forms(&self) -> Vec<Form> {
        Form::all(&self.text())
    }

    /// The first form that `which` fits: `#id`, else the form's name or action, else the name
    /// of one of its fields.
    #[track_caller]
    pub(crate) fn form(&self, which: &str) -> Form {
        let forms = self.forms();
        let position = forms
            .iter()
            .position(|form| form.is(which))
            .or_else(|| forms.iter().position(|form| form.fields().any(|(name, _)| name == which)));
        let found = position.and_then(|at| forms.into_iter().nth(at));
        found.unwrap_or_else(|| panic!("no form {which:?} in {}", self.shown()))
    }

    fn shown(&self) -> String {
        format!("{} {}\n{:#?}\n{}", self.status, self.url, self.headers, self.text())
    }
}
