//! The small parts of statements: what is blank, words, names, and stepping over what is not wanted.

use super::super::scanner::Broken;
use super::{Backslash, Dump, Flavour};

/// So much of a statement or a name is looked at.
const LOOKED_AT: usize = 512;

/// Whether a byte may stand in a word.
pub(super) fn in_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || byte >= 0x80
}

impl Dump<'_> {
    /// Steps over blanks and comments. What MySQL runs although it looks like a comment (`/*!40101 … */`) is no comment:
    /// its two ends are blanks.
    pub(super) fn blank(&mut self) -> Result<(), Broken> {
        loop {
            self.scan.skip_while(|byte| byte.is_ascii_whitespace())?;
            match (self.scan.peek()?, self.scan.ahead(1)?) {
                (Some(b'-'), Some(b'-')) => self.comment_line()?,
                (Some(b'#'), _) => self.scan.skip_line()?,
                (Some(b'*'), Some(b'/')) => self.scan.skip(2),
                (Some(b'/'), Some(b'*')) => self.comment()?,
                _ => return Ok(()),
            }
        }
    }

    fn comment_line(&mut self) -> Result<(), Broken> {
        let line = self.statement_line()?;
        if line.contains("PostgreSQL database dump") {
            self.become_flavour(Flavour::Postgres);
        }
        Ok(())
    }

    fn comment(&mut self) -> Result<(), Broken> {
        let begins = self.scan.broken("a comment that begins here does not end; the file may be cut off");
        let marks = match (self.scan.ahead(2)?, self.scan.ahead(3)?) {
            (Some(b'!'), _) => 3,
            (Some(b'M'), Some(b'!')) => 4,
            _ => 0,
        };
        self.scan.skip(2);
        if marks > 0 {
            self.scan.skip(marks - 2);
            let version = self.raw_word()?;
            // No server is of that version; MariaDB's client reads it.
            if version != "999999" {
                return Ok(());
            }
        }
        loop {
            self.scan.skip_while(|byte| byte != b'*')?;
            if self.scan.next()?.is_none() {
                return Err(begins);
            }
            if self.scan.take(b'/')? {
                return Ok(());
            }
        }
    }

    /// A word in capital letters; empty if none stands here.
    pub(super) fn word(&mut self) -> Result<String, Broken> {
        Ok(self.raw_word()?.to_ascii_uppercase())
    }

    fn raw_word(&mut self) -> Result<String, Broken> {
        let mut word = Vec::new();
        self.scan.skip_while(|byte| {
            let fits = in_word(byte);
            if fits && word.len() < LOOKED_AT {
                word.push(byte);
            }
            fits
        })?;
        Ok(String::from_utf8_lossy(&word).into_owned())
    }

    /// Takes a word, after blanks, if it is this one; capital letters.
    pub(super) fn take_word(&mut self, wanted: &str) -> Result<bool, Broken> {
        self.blank()?;
        for (distance, letter) in wanted.bytes().enumerate() {
            if !self.scan.ahead(distance)?.is_some_and(|byte| byte.eq_ignore_ascii_case(&letter)) {
                return Ok(false);
            }
        }
        if self.scan.ahead(wanted.len())?.is_some_and(in_word) {
            return Ok(false);
        }
        self.scan.skip(wanted.len());
        Ok(true)
    }

    /// Takes a byte, after blanks, if it is this one.
    pub(super) fn take(&mut self, byte: u8) -> Result<bool, Broken> {
        self.blank()?;
        self.scan.take(byte)
    }

    /// The last part of a name such as `"public"."users"`; empty if there is none.
    pub(super) fn name(&mut self) -> Result<String, Broken> {
        loop {
            let part = self.name_part()?;
            if !self.take(b'.')? {
                return Ok(part);
            }
        }
    }

    fn name_part(&mut self) -> Result<String, Broken> {
        self.blank()?;
        let quote = match self.scan.peek()? {
            Some(quote @ (b'`' | b'"')) => quote,
            Some(b'[') => b']',
            _ => return self.raw_word(),
        };
        let begins = self.scan.broken("a name that begins here does not end; the file may be cut off");
        self.scan.skip(1);
        let mut name = Vec::new();
        loop {
            match self.scan.next()? {
                None => return Err(begins),
                Some(byte) if byte == quote && !self.scan.take(quote)? => break,
                Some(byte) if name.len() < LOOKED_AT => name.push(byte),
                Some(_) => return Err(begins),
            }
        }
        Ok(String::from_utf8_lossy(&name).into_owned())
    }

    /// Steps over the rest of a statement, its `;` included.
    pub(super) fn skip_statement(&mut self) -> Result<(), Broken> {
        self.rest_of_statement(&mut Vec::new(), 0)
    }

    /// The rest of a statement, or the beginning of it.
    pub(super) fn statement_text(&mut self) -> Result<String, Broken> {
        let mut text = Vec::new();
        self.rest_of_statement(&mut text, LOOKED_AT)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    fn rest_of_statement(&mut self, text: &mut Vec<u8>, most: usize) -> Result<(), Broken> {
        let begins =
            self.scan.broken("a statement that begins before here does not end; the file may be cut off");
        loop {
            let plain =
                |byte: u8| !matches!(byte, b'\'' | b'"' | b'`' | b';' | b'-' | b'/' | b'#' | b'$' | b'*');
            self.scan.skip_while(|byte| {
                let plain = plain(byte);
                if plain && text.len() < most {
                    text.push(byte);
                }
                plain
            })?;
            match self.scan.peek()? {
                None => return Err(begins),
                Some(b';') => {
                    self.scan.skip(1);
                    return Ok(());
                }
                Some(quote @ (b'\'' | b'"' | b'`')) => {
                    let mut kept = super::super::record::Value::default();
                    let backslash = if quote == b'`' { Backslash::Plain } else { self.backslash };
                    self.quoted(quote, backslash, Some(&mut kept))?;
                    let room = most.saturating_sub(text.len());
                    let inner = kept.bytes().unwrap_or_default();
                    if room > inner.len() + 2 {
                        text.extend([&[quote], inner, &[quote]].concat());
                    }
                }
                Some(b'$') if self.flavour == Flavour::Postgres => self.dollar_quoted(None)?,
                Some(byte) => {
                    let next = self.scan.ahead(1)?;
                    if matches!(
                        (byte, next),
                        (b'-', Some(b'-')) | (b'/', Some(b'*')) | (b'*', Some(b'/')) | (b'#', _)
                    ) {
                        self.blank()?;
                    } else {
                        self.scan.skip(1);
                    }
                }
            }
        }
    }

    /// The rest of the line, or the beginning of it; its end is stepped over.
    pub(super) fn statement_line(&mut self) -> Result<String, Broken> {
        let mut line = Vec::new();
        self.scan.skip_while(|byte| {
            if byte != b'\n' && line.len() < LOOKED_AT {
                line.push(byte);
            }
            byte != b'\n'
        })?;
        self.scan.next()?;
        Ok(String::from_utf8_lossy(&line).into_owned())
    }
}
