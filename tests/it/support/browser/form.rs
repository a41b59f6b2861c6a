//! Forms as browsers collect and send them (HTML, "constructing the entry list").

use http::Method;
use url::Url;

use super::html::{Tag, tags};
use super::request::{Asked, Fetch};

/// Divides the parts of a multipart body; in no test's data.
const BOUNDARY: &str = "----------------------------passgate7f3a9c51e2";

/// A file chosen for a form.
#[derive(Clone, Copy, Debug)]
pub(crate) struct File<'f> {
    /// The field it is chosen in.
    pub(crate) field: &'f str,
    /// Its name.
    pub(crate) name: &'f str,
    /// Its media type.
    pub(crate) content_type: &'f str,
    /// Its content.
    pub(crate) bytes: &'f [u8],
}

/// A form of a page, with what it would send.
#[derive(Clone, Debug, Default)]
pub(crate) struct Form {
    action: String,
    is_post: bool,
    is_multipart: bool,
    name: String,
    id: String,
    entries: Vec<(String, String)>,
    file_fields: Vec<String>,
    buttons: Vec<(String, String)>,
}

impl Form {
    /// All forms of a page, in order.
    pub(super) fn all(html: &str) -> Vec<Self> {
        let mut forms: Vec<Self> = Vec::new();
        let mut is_open = false;
        let mut select = String::new();
        let tags = tags(html);
        for (at, tag) in tags.iter().enumerate() {
            match (tag.name.as_str(), forms.last_mut()) {
                ("form", _) => {
                    forms.push(Self::opened(tag));
                    is_open = true;
                }
                ("/form", _) => is_open = false,
                ("select", _) => select = tag.value("name").to_owned(),
                ("/select", _) => select.clear(),
                ("option", Some(form)) if is_open && !select.is_empty() => {
                    form.take_option(&select, tag, is_first_option(&tags, at))
                }
                (_, Some(form)) if is_open => form.take(tag),
                _ => {}
            }
        }
        forms
    }

    /// The names and values it would send without a button.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        let files = self.file_fields.iter().map(|name| (name.as_str(), ""));
        self.entries.iter().map(|(name, value)| (name.as_str(), value.as_str())).chain(files)
    }

    /// The value of a field; empty if it isn't there.
    pub(crate) fn value(&self, name: &str) -> &str {
        self.fields().find(|(key, _)| *key == name).map_or("", |(_, value)| value)
    }

    /// Where it is sent, as written.
    pub(crate) fn action(&self) -> &str {
        &self.action
    }

    pub(super) fn is(&self, which: &str) -> bool {
        which.strip_prefix('#').map_or(self.name == which || self.action == which, |id| self.id == id)
    }

    fn opened(tag: &Tag) -> Self {
        Self {
            action: tag.value("action").to_owned(),
            is_post: tag.value("method").eq_ignore_ascii_case("post"),
            is_multipart: tag.value("enctype").eq_ignore_ascii_case("multipart/form-data"),
            name: tag.value("name").to_owned(),
            id: tag.value("id").to_owned(),
            ..Self::default()
        }
    }

    fn take(&mut self, tag: &Tag) {
        let name = tag.value("name").to_owned();
        if tag.has("disabled") {
            return;
        }
        let value = tag.value("value").to_owned();
        match (tag.name.as_str(), tag.value("type").to_ascii_lowercase().as_str()) {
            ("input", "submit" | "image") | ("button", "" | "submit") => self.buttons.push((name, value)),
            _ if name.is_empty() => {}
            ("input", "reset" | "button") => {}
            ("input", "file") => self.file_fields.push(name),
            ("input", "checkbox" | "radio") if !tag.has("checked") => {}
            ("input", "checkbox" | "radio") if !tag.has("value") => {
                self.entries.push((name, "on".to_owned()))
            }
            ("input", _) => self.entries.push((name, value)),
            // The first line break of a text area is not part of it.
            ("textarea", _) => {
                let text = tag.text.strip_prefix("\r\n").or_else(|| tag.text.strip_prefix('\n'));
                self.entries.push((name, text.unwrap_or(&tag.text).to_owned()));
            }
            _ => {}
        }
    }

    fn take_option(&mut self, select: &str, tag: &Tag, is_first: bool) {
        if !is_first && !tag.has("selected") {
            return;
        }
        let value = if tag.has("value") { tag.value("value") } else { tag.text.trim() };
        if tag.has("selected") {
            self.entries.retain(|(name, _)| name != select);
        }
        self.entries.push((select.to_owned(), value.to_owned()));
    }

    /// Replaces the entries of each name; a button's name presses that button instead of the first.
    pub(super) fn fill(&mut self, filled: &[(&str, &str)]) {
        let is_filled = |name: &str| filled.iter().any(|(key, _)| *key == name);
        if self.buttons.iter().any(|(name, _)| is_filled(name)) {
            self.buttons.clear();
        }
        self.entries.retain(|(name, _)| !is_filled(name));
        self.entries.extend(filled.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    }

    /// The request it makes when its first button is pressed.
    pub(super) fn into_request(mut self, page: &Url, files: &[File<'_>]) -> Asked {
        for file in files {
            assert!(self.file_fields.iter().any(|name| name == file.field), "no file field {}", file.field);
        }
        let mut url = page.join(&self.action).expect("a form's action is a URL");
        let button = self.buttons.first().filter(|(name, _)| !name.is_empty()).cloned();
        self.entries.extend(button);
        let encoded = form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.entries).finish();
        if !self.is_post {
            url.set_query(Some(&encoded));
            return Asked::new(Fetch::Navigate, Method::GET, url).started_by(page);
        }
        let asked = Asked::new(Fetch::Navigate, Method::POST, url).started_by(page);
        if self.is_multipart {
            asked.with_body(&format!("multipart/form-data; boundary={BOUNDARY}"), self.multipart(files))
        } else {
            asked.with_body("application/x-www-form-urlencoded", encoded)
        }
    }

    fn multipart(&self, files: &[File<'_>]) -> Vec<u8> {
        let mut body = Vec::new();
        for (name, value) in &self.entries {
            let head =
                format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{}\"\r\n\r\n", quoted(name));
            body.extend_from_slice(head.as_bytes());
            body.extend_from_slice(value.as_bytes());
            body.extend_from_slice(b"\r\n");
        }
        for field in &self.file_fields {
            let none = File { field, name: "", content_type: "application/octet-stream", bytes: b"" };
            let file = files.iter().find(|file| file.field == field).unwrap_or(&none);
            let head = format!(
                "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{}\"; filename=\"{}\"\r\nContent-Type: {}\r\n\r\n",
                quoted(field),
                quoted(file.name),
                file.content_type
            );
            body.extend_from_slice(head.as_bytes());
            body.extend_from_slice(file.bytes);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
        body
    }
}

/// Whether the option at this place is the first of its list.
fn is_first_option(tags: &[Tag], at: usize) -> bool {
    let before = tags[..at].iter().rev().find(|tag| matches!(tag.name.as_str(), "option" | "select"));
    before.is_some_and(|tag| tag.name == "select")
}

fn quoted(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HTML: &str = r#"
        <form action="search.php"><input name=q value=""><input type=submit></form>
        <FORM method="POST" action="in.php?a=1&amp;b=2" name="login">
        <input value="t&quot;1" type="hidden" name="token"><input type="text" name="user">
        <input type="checkbox" name="keep" value="1"><input type="checkbox" name="view" checked>
        <input type="radio" name="way" value="a"><input type="radio" name="way" value="b" checked>
        <select name="life"><option value="60">an hour<option value="0" selected>for ever</option></select>
        <select name="style"><option>plain</option><option>fancy</option></select>
        <textarea name="text">
one &lt;b&gt;
two</textarea><input disabled name="off" value="1"><input type="reset" name="reset" value="x">
        <button name="do[save]" value="Save">S</button><input type="submit" name="do[preview]" value="Preview">
        </form><input name="stray" value="1">"#;

    #[test]
    fn a_form_sends_what_a_browser_would() {
        let forms = Form::all(HTML);
        assert_eq!(forms.len(), 2);
        let form = &forms[1];
        assert_eq!(form.action(), "in.php?a=1&b=2");
        let fields: Vec<(&str, &str)> = form.fields().collect();
        let expected = [
            ("token", "t\"1"),
            ("user", ""),
            ("view", "on"),
            ("way", "b"),
            ("life", "0"),
            ("style", "plain"),
            ("text", "one <b>\ntwo"),
        ];
        assert_eq!(fields, expected);
    }

    #[test]
    fn the_first_button_is_pressed_unless_another_is_named() {
        let sent = |filled: &[(&str, &str)]| {
            let mut form = Form::all(HTML).remove(1);
            form.fill(filled);
            let button = form.buttons.first().cloned();
            form.entries
                .into_iter()
                .chain(button)
                .filter(|(name, _)| name.starts_with("do"))
                .collect::<Vec<_>>()
        };
        assert_eq!(sent(&[("user", "alice")]), [("do[save]".to_owned(), "Save".to_owned())]);
        assert_eq!(sent(&[("do[preview]", "P")]), [("do[preview]".to_owned(), "P".to_owned())]);
    }
}
