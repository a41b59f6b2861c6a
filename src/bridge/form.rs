//! Finds the form for a password in a page and fills it in as a browser would (HTML Standard, "Form submission"), and tells where the
//! page's buttons and links lead.
//!
//! The page is what the forum sent and may be anything: it is read by a tokenizer that follows the standard, with limits on
//! how much of it is believed. Fields are taken in their order, since PHP lets the last of a name win.

use std::borrow::Cow;
use std::collections::BTreeMap;

use encoding_rs::{Encoding, UTF_8};
use html5gum::{DefaultEmitter, StartTag, Token, Tokenizer};

/// How many fields one form may have, and how long its post may be.
const FIELDS: usize = 500;
const POST_BYTES: usize = 64 * 1024;

/// The forms of a page.
pub(super) struct Page {
    /// The page as text.
    pub(super) text: String,
    encoding: &'static Encoding,
    base: Option<String>,
    forms: Vec<Form>,
    links: Vec<String>,
}

/// A form, with the fields a browser would send.
#[derive(Default)]
struct Form {
    action: Option<String>,
    is_post: bool,
    fields: Vec<Field>,
    /// The fields that are shown, whether they would be sent or not.
    names: Vec<String>,
    has_button: bool,
}

struct Field {
    name: String,
    value: String,
}

/// A form that is filled in. May hold the password: not to be printed.
#[cfg_attr(test, derive(Debug, PartialEq, Eq))]
pub(super) struct Post {
    /// Where to, as the page says it; empty: to the page's own address.
    pub(super) action: String,
    /// `application/x-www-form-urlencoded`.
    pub(super) body: String,
}

/// Why a page has no form to be filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoForm {
    #[error("there is no form with the password field on the page")]
    Missing,
    #[error("the form has the password field, but not the other fields that the preset names")]
    Other,
    #[error("the form is too large to be one for passwords")]
    TooLong,
}

/// What is filled in.
#[derive(Clone, Copy)]
pub(super) struct Filling<'f> {
    /// Fields with their values, in this order. The last is a password's, and the form that has it is meant.
    pub(super) fields: &'f [(&'f str, &'f str)],
    pub(super) fixed: &'f BTreeMap<String, String>,
}

impl Page {
    /// Reads a page. `charset` is what its `Content-Type` says.
    pub(super) fn read(bytes: &[u8], charset: Option<&str>) -> Self {
        let label = charset.and_then(|label| Encoding::for_label(label.as_bytes()));
        let encoding = label.or_else(|| declared(bytes)).unwrap_or(UTF_8);
        let (text, encoding, _) = encoding.decode(bytes);
        let mut reader = Reader::default();
        let mut emitter = DefaultEmitter::default();
        emitter.naively_switch_states(true);
        Tokenizer::new_with_emitter(&*text, emitter).for_each(|Ok(token)| reader.take(token));
        let Reader { base, forms, links, .. } = reader;
        Self { text: text.into_owned(), encoding, base, forms, links }
    }

    /// The names of the fields in its forms.
    pub(super) fn names(&self) -> Vec<String> {
        self.forms.iter().flat_map(|form| form.names.iter().cloned()).collect()
    }

    /// What relative addresses on it begin from, if not from its own.
    pub(super) fn base(&self) -> Option<&str> {
        self.base.as_deref()
    }

    /// Fills in the form that has the password's field.
    pub(super) fn fill(&self, filling: Filling<'_>) -> Result<Post, NoForm> {
        let Filling { fields, fixed } = filling;
        let has = |form: &Form, name: &str| form.names.iter().any(|known| known == name);
        let (password, _) = fields.last().ok_or(NoForm::Missing)?;
        let with_password = || self.forms.iter().filter(|form| has(form, password));
        let form = with_password()
            .find(|form| fields.iter().all(|(name, _)| has(form, name)))
            .ok_or_else(|| with_password().next().map_or(NoForm::Missing, |_| NoForm::Other))?;
        let is_set = |name: &str| fields.iter().any(|(own, _)| *own == name) || fixed.contains_key(name);
        let copied = form.pairs().filter(|(name, _)| !is_set(name));
        let fixed = fixed.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let pairs = copied.chain(fields.iter().copied()).chain(fixed);
        self.post(form, pairs).ok_or(NoForm::TooLong)
    }

    /// What its forms post if nothing is filled in and the return key pressed.
    pub(super) fn buttons(&self) -> impl Iterator<Item = Post> {
        self.forms.iter().filter(|form| form.is_post).filter_map(|form| self.post(form, form.pairs()))
    }

    /// Where its links lead, and after them its forms that post nothing.
    pub(super) fn links(&self) -> impl Iterator<Item = Cow<'_, str>> {
        let forms = self.forms.iter().filter(|form| !form.is_post);
        let forms = forms.filter_map(|form| self.post(form, form.pairs())).map(|Post { action, body }| {
            let path = action.split(['?', '#']).next().unwrap_or_default();
            Cow::Owned(format!("{path}?{body}"))
        });
        self.links.iter().map(|link| Cow::Borrowed(link.as_str())).chain(forms)
    }

    /// A form as it is sent, in the page's own encoding; none if that would be too long.
    fn post<'p>(&self, form: &Form, pairs: impl Iterator<Item = (&'p str, &'p str)>) -> Option<Post> {
        let mut post = form_urlencoded::Serializer::new(String::new());
        let encode: &dyn Fn(&str) -> Cow<'_, [u8]> = &|text| self.encoding.encode(text).0;
        post.encoding_override(Some(encode));
        let body = post.extend_pairs(pairs).finish();
        let fits = form.names.len() <= FIELDS && body.len() <= POST_BYTES;
        fits.then(|| Post { action: form.action.clone().unwrap_or_default(), body })
    }
}

impl Form {
    /// The fields that are sent.
    fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields.iter().map(|field| (field.name.as_str(), field.value.as_str()))
    }
}

/// The text of a piece of a page, as it is shown.
pub(super) fn plain(html: &str) -> String {
    let texts = Tokenizer::new(html).map(|Ok(token)| match token {
        Token::String(text) => String::from_utf8_lossy(&text.value).into_owned(),
        _ => String::new(),
    });
    texts.collect::<String>().trim().to_owned()
}

/// What the first kilobyte of the page says of its own encoding, as `charset=` in a `meta` tag.
fn declared(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(1024)]).to_ascii_lowercase();
    let (_, rest) = head.split_once("charset=")?;
    let label = rest.trim_start_matches(['"', '\'']).split(['"', '\'', ' ', ';', '/', '>']).next()?;
    Encoding::for_label(label.as_bytes())
}

/// Follows the tags of a page.
#[derive(Default)]
struct Reader {
    base: Option<String>,
    forms: Vec<Form>,
    links: Vec<String>,
    /// The form whose fields are read; a form inside a form is none (HTML Standard, 13.2.6.4.7).
    open: Option<usize>,
    /// The field whose text is being read.
    text_of: Option<TextOf>,
}

/// A field whose value is not in its tag.
enum TextOf {
    /// A text area.
    Area(String, String),
    /// A selection, with the value that is chosen so far.
    Selection(String, Option<String>),
}

impl Reader {
    fn take(&mut self, token: Token) {
        match token {
            Token::StartTag(tag) => self.start(&tag),
            Token::EndTag(tag) => self.end(&tag.name),
            Token::String(text) => {
                if let Some(TextOf::Area(_, value)) = &mut self.text_of {
                    value.push_str(&String::from_utf8_lossy(&text));
                }
            }
            _ => {}
        }
    }

    fn start(&mut self, tag: &StartTag<()>) {
        match &tag.name[..] {
            b"base" if self.base.is_none() => self.base = attribute(tag, "href"),
            b"a" => self.links.extend(attribute(tag, "href")),
            b"form" if self.open.is_none() => {
                self.open = Some(self.forms.len());
                let is_post =
                    attribute(tag, "method").is_some_and(|method| method.eq_ignore_ascii_case("post"));
                self.forms.push(Form { action: attribute(tag, "action"), is_post, ..Form::default() });
            }
            b"input" => self.input(tag),
            b"button" => self.button(tag),
            b"textarea" if !has(tag, "disabled") => {
                self.text_of = attribute(tag, "name").map(|name| TextOf::Area(name, String::new()));
            }
            b"select" if !has(tag, "disabled") => {
                self.text_of = attribute(tag, "name").map(|name| TextOf::Selection(name, None));
            }
            b"option" => {
                if let Some(TextOf::Selection(_, chosen)) = &mut self.text_of
                    && (chosen.is_none() || has(tag, "selected"))
                {
                    *chosen = Some(attribute(tag, "value").unwrap_or_default());
                }
            }
            _ => {}
        }
    }

    fn end(&mut self, name: &[u8]) {
        match name {
            b"form" => self.open = None,
            b"textarea" | b"select" => match self.text_of.take() {
                Some(TextOf::Area(name, value)) => {
                    let value = value.strip_prefix('\n').unwrap_or(&value).to_owned();
                    self.add(name, value);
                }
                Some(TextOf::Selection(name, Some(value))) => self.add(name, value),
                _ => {}
            },
            _ => {}
        }
    }

    fn input(&mut self, tag: &StartTag<()>) {
        let Some(name) = attribute(tag, "name").filter(|name| !name.is_empty()) else { return };
        let kind = attribute(tag, "type").unwrap_or_default().to_ascii_lowercase();
        let value = || attribute(tag, "value").unwrap_or_default();
        match kind.as_str() {
            _ if has(tag, "disabled") => {}
            "submit" => self.press(name, value()),
            "checkbox" | "radio" if has(tag, "checked") => {
                self.add(name, attribute(tag, "value").unwrap_or_else(|| "on".to_owned()));
            }
            "checkbox" | "radio" | "button" | "reset" | "file" | "image" => self.show(name),
            _ => self.add(name, value()),
        }
    }

    fn button(&mut self, tag: &StartTag<()>) {
        let kind = attribute(tag, "type").unwrap_or_default().to_ascii_lowercase();
        if let Some(name) = attribute(tag, "name").filter(|name| !name.is_empty())
            && !matches!(kind.as_str(), "button" | "reset")
            && !has(tag, "disabled")
        {
            self.press(name, attribute(tag, "value").unwrap_or_default());
        }
    }

    /// The first button of a form is the one that the return key presses; some forums look for it.
    fn press(&mut self, name: String, value: String) {
        let Some(form) = self.open.and_then(|at| self.forms.get_mut(at)) else { return };
        if !std::mem::replace(&mut form.has_button, true) {
            self.add(name, value);
        }
    }

    fn show(&mut self, name: String) {
        if let Some(form) = self.open.and_then(|at| self.forms.get_mut(at)) {
            form.names.push(name);
        }
    }

    fn add(&mut self, name: String, value: String) {
        self.show(name.clone());
        if let Some(form) = self.open.and_then(|at| self.forms.get_mut(at)) {
            form.fields.push(Field { name, value });
        }
    }
}

fn attribute(tag: &StartTag<()>, name: &str) -> Option<String> {
    tag.attributes.get(name.as_bytes()).map(|value| String::from_utf8_lossy(value).into_owned())
}

fn has(tag: &StartTag<()>, name: &str) -> bool {
    tag.attributes.contains_key(name.as_bytes())
}

#[cfg(test)]
mod tests;
