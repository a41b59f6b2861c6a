//! A form as browsers post it, read so that people can be shown what they wrote, and passwords be found. Whoever sends a
//! form on sends its bytes, never what was read here: text that is no UTF-8 is replaced.

/// One field of a posted form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostedField {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub value: PostedValue,
}

/// What a field holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PostedValue {
    /// A text.
    Text(String),
    /// A file of this name; empty if none was chosen.
    File(String),
}

/// How the fields are written (HTML, "form submission").
#[derive(Clone, Debug, PartialEq, Eq)]
enum Encoding {
    Urlencoded,
    Multipart(String),
    Plain,
}

impl PostedField {
    /// Reads the fields of a body; none if it is not one of the three ways in which forms are written.
    pub fn read(content_type: &str, body: &[u8]) -> Option<Vec<Self>> {
        match Encoding::of(content_type)? {
            Encoding::Urlencoded => {
                Some(form_urlencoded::parse(body).map(|(name, value)| Self::text(&name, &value)).collect())
            }
            Encoding::Multipart(boundary) => multipart(body, &boundary),
            Encoding::Plain => {
                let text = String::from_utf8_lossy(body);
                Some(text.lines().filter_map(|line| line.split_once('=')).map(Self::of_pair).collect())
            }
        }
    }

    /// Whether a browser sends forms under this type.
    pub fn is_form(content_type: &str) -> bool {
        Encoding::of(content_type).is_some()
    }

    /// Whether it holds a password, going by its name.
    pub fn is_password(&self) -> bool {
        let name = self.name.to_ascii_lowercase();
        let is_filled = matches!(&self.value, PostedValue::Text(text) if !text.is_empty());
        is_filled && ["pass", "pwd", "pswd"].iter().any(|part| name.contains(part))
    }

    fn text(name: &str, value: &str) -> Self {
        Self { name: name.to_owned(), value: PostedValue::Text(value.to_owned()) }
    }

    fn of_pair((name, value): (&str, &str)) -> Self {
        Self::text(name, value)
    }
}

impl Encoding {
    fn of(content_type: &str) -> Option<Self> {
        let (media, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
        match &*media.trim().to_ascii_lowercase() {
            "application/x-www-form-urlencoded" => Some(Self::Urlencoded),
            "text/plain" => Some(Self::Plain),
            "multipart/form-data" => {
                let boundary = parameters.split(';').find_map(|parameter| {
                    let (name, value) = parameter.split_once('=')?;
                    name.trim().eq_ignore_ascii_case("boundary").then(|| value.trim().trim_matches('"'))
                })?;
                // RFC 2046 §5.1.1.
                (1..=70).contains(&boundary.len()).then(|| Self::Multipart(boundary.to_owned()))
            }
            _ => None,
        }
    }
}

/// RFC 7578, as browsers write it; none for anything that is not whole.
fn multipart(body: &[u8], boundary: &str) -> Option<Vec<PostedField>> {
    let delimiter = format!("\r\n--{boundary}").into_bytes();
    let mut rest = body.strip_prefix(&delimiter[2..])?;
    let mut fields = Vec::new();
    loop {
        if rest.starts_with(b"--") {
            return Some(fields);
        }
        let part = rest.strip_prefix(b"\r\n")?;
        let end = find(part, &delimiter)?;
        fields.push(field(&part[..end])?);
        rest = &part[end + delimiter.len()..];
    }
}

fn field(part: &[u8]) -> Option<PostedField> {
    const BREAK: &[u8] = b"\r\n\r\n";
    let end = find(part, BREAK)?;
    let head = String::from_utf8_lossy(&part[..end]);
    let disposition = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-disposition").then_some(value)
    })?;
    let name = parameter(disposition, "; name=\"")?;
    let value = match parameter(disposition, "; filename=\"") {
        Some(file) => PostedValue::File(file),
        None => PostedValue::Text(String::from_utf8_lossy(&part[end + BREAK.len()..]).into_owned()),
    };
    Some(PostedField { name, value })
}

/// Browsers write a quotation mark in a value as `%22`.
fn parameter(disposition: &str, opening: &str) -> Option<String> {
    let value = &disposition[disposition.find(opening)? + opening.len()..];
    Some(value.split('"').next()?.replace("%22", "\""))
}

/// Looks at each byte once where nothing begins like `wanted`; bodies are megabytes.
fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let first = wanted.first()?;
    let mut from = 0;
    while let Some(at) = bytes[from..].iter().position(|byte| byte == first) {
        if bytes[from + at..].starts_with(wanted) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, file: &str) -> PostedField {
        PostedField { name: name.to_owned(), value: PostedValue::File(file.to_owned()) }
    }

    #[test]
    fn r3_the_three_ways_in_which_forms_are_written_are_read() {
        let fields =
            PostedField::read("application/x-www-form-urlencoded; charset=UTF-8", b"a=x+y%0D%0Az&b=");
        assert_eq!(fields.unwrap(), [PostedField::text("a", "x y\r\nz"), PostedField::text("b", "")]);
        let fields = PostedField::read("Text/Plain", b"a=x y\r\nb=1=2\r\n");
        assert_eq!(fields.unwrap(), [PostedField::text("a", "x y"), PostedField::text("b", "1=2")]);
        let body = b"--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\r\n--\r\ny\r\n--b\r\n\
            content-disposition: form-data; name=\"f\"; filename=\"a%22.png\"\r\nContent-Type: image/png\r\n\r\n\
            \x89\xff\r\n\r\n\r\n--b--\r\n";
        let fields = PostedField::read("multipart/form-data; boundary=\"b\"", body);
        assert_eq!(fields.unwrap(), [PostedField::text("a", "x\r\n--\r\ny"), file("f", "a\".png")]);
        assert_eq!(PostedField::read("application/json", b"{}"), None);
    }

    #[test]
    fn r3_a_broken_multipart_body_is_not_read() {
        for broken in [
            "",
            "--b",
            "--b\r\n",
            "--b\r\nx\r\n--b--",
            "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx",
            "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\r\n--b",
            "x--b--",
        ] {
            assert_eq!(
                PostedField::read("multipart/form-data; boundary=b", broken.as_bytes()),
                None,
                "{broken}"
            );
        }
        assert!(
            !PostedField::is_form("multipart/form-data")
                && !PostedField::is_form("multipart/form-data; boundary=")
        );
    }

    #[test]
    fn r3_passwords_are_known_by_their_names() {
        for (name, value, is_password) in [
            ("password", "x", true),
            ("new_passwd[1]", "x", true),
            ("userPwd", "x", true),
            ("PASSWORD", "", false),
            ("message", "my password is hunter2", false),
        ] {
            assert_eq!(PostedField::text(name, value).is_password(), is_password, "{name}");
        }
        assert!(!file("pass", "x").is_password());
    }
}
