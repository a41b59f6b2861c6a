//! What kind of file it is, by its first bytes: packed or not, a dump, a list, or JSON.

use std::io::{Cursor, Read};

use flate2::read::MultiGzDecoder;

use super::Origin;

/// The form of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Delimited,
    Htpasswd,
    Json,
    Sql,
}

/// So much is looked at.
const LOOKED_AT: usize = 4 * 1024;

/// What can't be read as it is, by its first bytes, and what to do.
const REFUSED: [(&[u8], &str); 9] = [
    (b"\x28\xb5\x2f\xfd", "packed with zstd; unpack it first: zstd -dc FILE | passgate user import - …"),
    (b"BZh", "packed with bzip2; unpack it first: bzip2 -dc FILE | passgate user import - …"),
    (b"\xfd7zXZ\0", "packed with xz; unpack it first: xz -dc FILE | passgate user import - …"),
    (b"PK\x03\x04", "a ZIP archive; unpack it first"),
    (b"PGDMP", "pg_dump's custom form; turn it into text first: pg_restore -f dump.sql FILE"),
    (b"SQLite format 3\0", "an SQLite database; name it as one: passgate user import sqlite:FILE …"),
    (b"\xff\xfe", "UTF-16; save it as UTF-8 first"),
    (b"\xfe\xff", "UTF-16; save it as UTF-8 first"),
    (b"%PDF", "a PDF document"),
];

/// What dumps begin with.
const SQL: [&str; 17] = [
    "--", "/*", "#", "\\", "alter ", "begin", "copy ", "create ", "delete ", "drop ", "insert ", "lock ",
    "pragma ", "replace ", "select ", "set ", "start ",
];

/// Unpacks gzip, steps over a byte order mark, and tells the form. The error is in words.
pub(super) fn recognised<'i>(
    mut input: Box<dyn Read + 'i>,
    origin: Origin,
) -> Result<(Form, Box<dyn Read + 'i>), String> {
    let mut head = beginning(&mut input)?;
    if head.starts_with(&[0x1f, 0x8b]) {
        input = Box::new(MultiGzDecoder::new(Cursor::new(head).chain(input)));
        head = beginning(&mut input)?;
    }
    if let Some((_, what)) = REFUSED.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Err(format!("the file is {what}"));
    }
    if head.starts_with(b"\xef\xbb\xbf") {
        head.drain(..3);
    }
    let form = form(&head, origin);
    Ok((form, Box::new(Cursor::new(head).chain(input))))
}

fn beginning(input: &mut dyn Read) -> Result<Vec<u8>, String> {
    let mut head = Vec::new();
    match input.take(LOOKED_AT as u64).read_to_end(&mut head) {
        Ok(_) => Ok(head),
        Err(error) => Err(format!("the file can't be read: {error}")),
    }
}

fn form(head: &[u8], origin: Origin) -> Form {
    match origin {
        Origin::Htpasswd => return Form::Htpasswd,
        Origin::Json | Origin::Passgate => return Form::Json,
        Origin::Csv => return Form::Delimited,
        _ => {}
    }
    let text = head.trim_ascii_start();
    let begins =
        |word: &str| text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()));
    if matches!(text.first(), Some(b'[' | b'{')) {
        Form::Json
    } else if text.is_empty() || SQL.iter().any(|word| begins(word)) {
        Form::Sql
    } else {
        Form::Delimited
    }
}
