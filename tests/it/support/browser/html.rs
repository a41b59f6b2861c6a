//! Tags and their attributes out of HTML as it is in the wild: any attribute order, any quotes, upper case, comments.

/// An opening, closing or empty tag, with the text that follows it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Tag {
    /// In lower case; closing tags start with `/`.
    pub(super) name: String,
    attributes: Vec<(String, String)>,
    /// Decoded text up to the next tag.
    pub(super) text: String,
}

impl Tag {
    /// An attribute's decoded value; empty if it isn't there or has none.
    pub(super) fn value(&self, name: &str) -> &str {
        self.attributes.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    /// Whether an attribute is there.
    pub(super) fn has(&self, name: &str) -> bool {
        self.attributes.iter().any(|(key, _)| key == name)
    }
}

/// All tags in order. Comments, and what is inside of scripts and styles, are passed over.
pub(super) fn tags(html: &str) -> Vec<Tag> {
    let mut tags: Vec<Tag> = Vec::new();
    let mut rest = html;
    while let Some((text, after)) = rest.split_once('<') {
        if let Some(tag) = tags.last_mut() {
            tag.text.push_str(&decoded(text));
        }
        rest = after;
        if let Some(comment) = rest.strip_prefix("!--") {
            rest = comment.split_once("-->").map_or("", |(_, after)| after);
            continue;
        }
        let Some((tag, after)) = tag(rest) else {
            // A lone `<` is text.
            if let Some(tag) = tags.last_mut() {
                tag.text.push('<');
            }
            continue;
        };
        rest = match tag.name.as_str() {
            "script" | "style" => past_end(after, &tag.name),
            _ => after,
        };
        tags.push(tag);
    }
    tags
}

/// What follows the closing tag, which itself is left in.
fn past_end<'t>(text: &'t str, name: &str) -> &'t str {
    text.to_ascii_lowercase().find(&format!("</{name}")).map_or("", |at| &text[at..])
}

/// The tag whose `<` has been taken off, and what follows its `>`.
fn tag(text: &str) -> Option<(Tag, &str)> {
    let end = text.find(|letter: char| letter.is_whitespace() || letter == '>').unwrap_or(text.len());
    let name = text[..end].trim_end_matches('/').to_ascii_lowercase();
    if !name.trim_start_matches(['/', '!', '?']).starts_with(|letter: char| letter.is_ascii_alphabetic()) {
        return None;
    }
    let mut tag = Tag { name, ..Tag::default() };
    let mut rest = &text[end..];
    loop {
        rest = rest.trim_start_matches(|letter: char| letter.is_whitespace() || letter == '/');
        if let Some(after) = rest.strip_prefix('>') {
            return Some((tag, after));
        }
        if rest.is_empty() {
            return Some((tag, rest));
        }
        let (attribute, after) = attribute(rest);
        tag.attributes.push(attribute);
        rest = after;
    }
}

fn attribute(text: &str) -> ((String, String), &str) {
    let is_end = |letter: char| letter.is_whitespace() || letter == '>' || letter == '=';
    let end =
        text.char_indices().skip(1).find(|(_, letter)| is_end(*letter)).map_or(text.len(), |(at, _)| at);
    let name = text[..end].trim_end_matches('/').to_ascii_lowercase();
    let after = text[end..].trim_start();
    let Some(value) = after.strip_prefix('=').map(str::trim_start) else {
        return ((name, String::new()), &text[end..]);
    };
    let (value, after) = match value.chars().next() {
        Some(quote @ ('"' | '\'')) => value[1..].split_once(quote).unwrap_or_else(|| (&value[1..], "")),
        _ => value.split_at(value.find(|l: char| l.is_whitespace() || l == '>').unwrap_or(value.len())),
    };
    ((name, decoded(value)), after)
}

/// Text with the entities that forums write decoded.
pub(super) fn decoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        rest = after;
        let entity = after.split_once(';').and_then(|(name, after)| Some((letter(name)?, after)));
        match entity {
            Some((letter, after)) => {
                out.push(letter);
                rest = after;
            }
            None => out.push('&'),
        }
    }
    out + rest
}

fn letter(entity: &str) -> Option<char> {
    let number = |text: &str, radix| u32::from_str_radix(text, radix).ok().and_then(char::from_u32);
    match entity {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some('\u{a0}'),
        _ => match entity.strip_prefix('#')? {
            hex if hex.starts_with(['x', 'X']) => number(&hex[1..], 16),
            decimal => number(decimal, 10),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_of_the_wild_are_read() {
        let html = "<!-- <input name=no> --><INPUT value='a&amp;&quot;b' NAME=x checked/><script>if (a<b) '<p>'</script>\
                    <p title=\"1 > 0\">2 < 3 &#x2f; &#52; &unknown; &</p><br/>";
        let tags = tags(html);
        let names: Vec<&str> = tags.iter().map(|tag| tag.name.as_str()).collect();
        assert_eq!(names, ["input", "script", "/script", "p", "/p", "br"]);
        assert_eq!((tags[0].value("value"), tags[0].value("name")), ("a&\"b", "x"));
        assert!(tags[0].has("checked") && !tags[0].has("disabled"));
        assert_eq!((tags[3].value("title"), tags[3].text.as_str()), ("1 > 0", "2 < 3 / 4 &unknown; &"));
    }
}
