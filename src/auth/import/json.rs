//! JSON: one array of objects, or one object after another. One object at a time is in memory, up to [`MOST`] bytes.

use serde_json::Value as Json;

use super::record::{Charset, Row, Value};
use super::scanner::{Broken, Scanner};

/// A member takes less.
const MOST: usize = 1024 * 1024;

/// Reads all rows.
pub(super) fn read(
    mut scan: Scanner<'_>,
    wanted: &'static [&'static str],
    visit: &mut dyn FnMut(Row<'_>) -> Result<(), Broken>,
) -> Result<(), Broken> {
    let mut text = Vec::new();
    let mut values = vec![Value::default(); wanted.len()];
    let mut open = None;
    loop {
        scan.skip_while(|byte| byte.is_ascii_whitespace() || byte == b',')?;
        let line = scan.line();
        match scan.peek()? {
            None => return open.map_or(Ok(()), Err),
            Some(b'[') if open.is_none() => {
                open = Some(scan.broken("the list that begins here does not end; the file may be cut off"));
                scan.skip(1);
            }
            Some(b']') if open.is_some() => {
                open = None;
                scan.skip(1);
            }
            Some(b'{') => {
                object(&mut scan, &mut text)?;
                let fault = fill(&text, wanted, &mut values);
                let charset = Charset::default();
                visit(Row { line, columns: wanted, values: &values, fault: fault.as_deref(), charset })?;
            }
            Some(_) => return Err(scan.broken("an object {…} should begin here")),
        }
    }
}

/// One object's text: brackets are counted outside of strings.
fn object(scan: &mut Scanner<'_>, text: &mut Vec<u8>) -> Result<(), Broken> {
    let begins = scan.broken("an object that begins here does not end; the file may be cut off");
    text.clear();
    let mut depth = 0_u32;
    let (mut in_string, mut escaped) = (false, false);
    loop {
        let Some(byte) = scan.next()? else { return Err(begins) };
        text.push(byte);
        if text.len() > MOST {
            return Err(Broken { reason: "an object that begins here is far too long".to_owned(), ..begins });
        }
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => depth += 1,
            b'}' | b']' if !in_string => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Ok(());
                }
            }
            _ => {}
        }
    }
}

/// Puts an object's members where they are wanted. Returns why it can't.
fn fill(text: &[u8], wanted: &[&'static str], values: &mut [Value]) -> Option<String> {
    values.iter_mut().for_each(Value::clear);
    let decoded = Charset::default().decode(text);
    let Ok(Json::Object(object)) = serde_json::from_str(&decoded) else {
        // The parser's words could quote what it read.
        return Some("the object is no valid JSON".to_owned());
    };
    for (name, json) in &object {
        let place = wanted.iter().position(|want| want.eq_ignore_ascii_case(name));
        if let Some(value) = place.and_then(|place| values.get_mut(place)) {
            put(json, value);
        }
    }
    None
}

fn put(json: &Json, value: &mut Value) {
    match json {
        Json::Null => value.set_null(),
        Json::Bool(yes) => value.push(if *yes { b"1" } else { b"0" }),
        Json::Number(number) => value.push(number.to_string().as_bytes()),
        Json::String(text) => value.push(text.as_bytes()),
        // Groups.
        Json::Array(list) => {
            let list: Vec<_> = list.iter().filter_map(Json::as_str).collect();
            value.push(list.join(",").as_bytes());
        }
        Json::Object(_) => value.set_unreadable(),
    }
}
