//! Values as the databases write them: texts with their ways of escaping, numbers, blobs, and the few functions that
//! SQLite's dumps use.

use super::super::record::Value;
use super::super::scanner::Broken;
use super::words::in_word;
use super::{Backslash, Dump, Flavour};

/// Functions within functions; SQLite's dumps have three.
const DEEPEST: u32 = 12;

type Wanted<'v> = Option<&'v mut Value>;

fn push(wanted: &mut Wanted<'_>, bytes: &[u8]) {
    if let Some(value) = wanted {
        value.push(bytes);
    }
}

impl Dump<'_> {
    /// One value, after blanks.
    pub(super) fn value(&mut self, mut wanted: Wanted<'_>, depth: u32) -> Result<(), Broken> {
        if depth > DEEPEST {
            return Err(self.scan.broken("functions within functions, too deep to be a dump"));
        }
        loop {
            self.operand(wanted.as_deref_mut(), depth)?;
            self.blank()?;
            match (self.scan.peek()?, self.scan.ahead(1)?) {
                (Some(b'|'), Some(b'|')) => self.scan.skip(2),
                (Some(b':'), Some(b':')) => {
                    self.scan.skip(2);
                    self.scan
                        .skip_while(|byte| in_word(byte) || matches!(byte, b' ' | b'[' | b']' | b'.'))?;
                    return Ok(());
                }
                // The parts of one text.
                (Some(b'\''), _) => {}
                _ => return Ok(()),
            }
        }
    }

    fn operand(&mut self, mut wanted: Wanted<'_>, depth: u32) -> Result<(), Broken> {
        self.blank()?;
        match self.scan.peek()? {
            Some(quote @ (b'\'' | b'"')) => {
                self.quoted(quote, self.backslash, wanted.as_deref_mut())?;
                self.bytea(wanted);
                Ok(())
            }
            Some(b'0') if matches!(self.scan.ahead(1)?, Some(b'x' | b'X')) => {
                self.scan.skip(2);
                self.hex(wanted)
            }
            Some(b'0'..=b'9' | b'-' | b'+' | b'.') => self.number(wanted),
            Some(b'$') => self.dollar_quoted(wanted),
            Some(b'(') => {
                self.scan.skip(1);
                self.value(wanted, depth + 1)?;
                self.expect(b')')
            }
            Some(byte) if in_word(byte) => self.named(wanted, depth),
            Some(_) => Err(self.scan.broken("a value should stand here")),
            None => Err(self.scan.broken("a row of values does not end; the file is cut off")),
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), Broken> {
        if self.take(byte)? {
            return Ok(());
        }
        Err(self.scan.broken(format!("`{}` should stand here", char::from(byte))))
    }

    fn number(&mut self, mut wanted: Wanted<'_>) -> Result<(), Broken> {
        self.scan.skip_while(|byte| {
            let fits = byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'+');
            if fits {
                push(&mut wanted, &[byte]);
            }
            fits
        })
    }

    /// What begins with a word: NULL and its like, a text with a prefix, a function.
    fn named(&mut self, mut wanted: Wanted<'_>, depth: u32) -> Result<(), Broken> {
        let word = self.word()?;
        match (word.as_str(), self.scan.peek()?) {
            ("E", Some(b'\'')) => return self.quoted(b'\'', Backslash::Escapes, wanted),
            ("X", Some(b'\'')) => {
                self.scan.skip(1);
                self.hex(wanted)?;
                return self.expect(b'\'');
            }
            ("B", Some(b'\'')) => return self.bits(wanted),
            ("NULL", _) => wanted.into_iter().for_each(Value::set_null),
            ("TRUE", _) => push(&mut wanted, b"1"),
            ("FALSE", _) => push(&mut wanted, b"0"),
            _ => {
                self.blank()?;
                match self.scan.peek()? {
                    // N'…', _binary '…', _utf8mb4'…', DATE '…'
                    Some(b'\'') => return self.quoted(b'\'', self.backslash, wanted),
                    Some(b'(') => return self.function(&word, wanted, depth),
                    Some(_) if word.starts_with('_') => return self.operand(wanted, depth + 1),
                    _ => wanted.into_iter().for_each(Value::set_unreadable),
                }
            }
        }
        Ok(())
    }

    fn function(&mut self, name: &str, mut wanted: Wanted<'_>, depth: u32) -> Result<(), Broken> {
        self.expect(b'(')?;
        let mut parts: Vec<Value> = Vec::new();
        while !self.take(b')')? {
            let mut part = Value::default();
            self.value(wanted.is_some().then_some(&mut part), depth + 1)?;
            parts.push(part);
            if self.take_word("AS")? {
                self.scan.skip_while(|byte| byte != b')' && byte != b'\n')?;
            }
            if !self.take(b',')? {
                self.expect(b')')?;
                break;
            }
            if parts.len() > 64 {
                return Err(self.scan.broken("a function with too many values to be one of a dump"));
            }
        }
        let bytes = |at: usize| parts.get(at).and_then(Value::bytes).unwrap_or_default();
        match name {
            "CAST" | "CONVERT" => push(&mut wanted, bytes(0)),
            "CONCAT" => (0..parts.len()).for_each(|part| push(&mut wanted, bytes(part))),
            "CHAR" | "CHR" => (0..parts.len()).for_each(|part| push(&mut wanted, &character(bytes(part)))),
            "REPLACE" => push(&mut wanted, &replaced(bytes(0), bytes(1), bytes(2))),
            "UNISTR" => push(&mut wanted, unescaped(bytes(0)).as_bytes()),
            _ => wanted.into_iter().for_each(Value::set_unreadable),
        }
        Ok(())
    }

    /// Hexadecimal digits as bytes.
    fn hex(&mut self, mut wanted: Wanted<'_>) -> Result<(), Broken> {
        let mut high = None;
        self.scan.skip_while(|byte| {
            let Some(digit) = char::from(byte).to_digit(16) else { return false };
            match high.take() {
                None => high = Some(digit),
                Some(high) => push(&mut wanted, &[(high * 16 + digit) as u8]),
            }
            true
        })?;
        push(&mut wanted, &[]);
        if high.is_some() {
            return Err(self.scan.broken("a blob with half a byte"));
        }
        Ok(())
    }

    /// `b'101'` as a number; a column of single bits is a flag.
    fn bits(&mut self, mut wanted: Wanted<'_>) -> Result<(), Broken> {
        self.scan.skip(1);
        let mut number = 0_u64;
        self.scan.skip_while(|byte| {
            let bit = matches!(byte, b'0' | b'1');
            if bit {
                number = number << 1 | u64::from(byte == b'1');
            }
            bit
        })?;
        push(&mut wanted, number.to_string().as_bytes());
        self.expect(b'\'')
    }

    /// A text in quotes, which are taken. A doubled quote is one.
    pub(super) fn quoted(
        &mut self,
        quote: u8,
        backslash: Backslash,
        mut wanted: Wanted<'_>,
    ) -> Result<(), Broken> {
        let begins = self
            .scan
            .broken("a text that begins here does not end; the file may be cut off, or a quote be missing");
        self.scan.skip(1);
        push(&mut wanted, &[]);
        // Without escapes nothing else than the quote is looked for.
        let escape = if backslash == Backslash::Escapes { b'\\' } else { quote };
        loop {
            let rest = self.scan.rest()?;
            if rest.is_empty() {
                return Err(begins);
            }
            let plain = memchr::memchr2(quote, escape, rest).unwrap_or(rest.len());
            let all = plain == rest.len();
            push(&mut wanted, &rest[..plain]);
            self.scan.skip(plain);
            if all {
                continue;
            }
            if self.scan.take(quote)? {
                if !self.scan.take(quote)? {
                    return Ok(());
                }
                push(&mut wanted, &[quote]);
            } else {
                self.scan.skip(1);
                let Some(byte) = self.scan.next()? else { return Err(begins) };
                self.escaped(byte, &mut wanted)?;
            }
        }
    }

    /// What stands behind a backslash.
    fn escaped(&mut self, byte: u8, wanted: &mut Wanted<'_>) -> Result<(), Broken> {
        let postgres = self.flavour == Flavour::Postgres;
        let meant = match byte {
            b'b' => 8,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'f' if postgres => 12,
            b'0' if !postgres => 0,
            b'Z' if !postgres => 26,
            b'0'..=b'7' if postgres => return self.code(u32::from(byte - b'0'), 8, 2, wanted),
            b'x' if postgres => return self.code(0, 16, 2, wanted),
            b'u' if postgres => return self.letter(4, wanted),
            b'U' if postgres => return self.letter(8, wanted),
            // They keep the backslash: it is for LIKE.
            b'%' | b'_' if !postgres => {
                push(wanted, b"\\");
                byte
            }
            other => other,
        };
        push(wanted, &[meant]);
        Ok(())
    }

    /// Up to so many more digits of a byte.
    pub(super) fn code(
        &mut self,
        first: u32,
        base: u32,
        digits: usize,
        wanted: &mut Wanted<'_>,
    ) -> Result<(), Broken> {
        let code = self.digits(first, base, digits)?;
        push(wanted, &[(code & 0xff) as u8]);
        Ok(())
    }

    fn letter(&mut self, digits: usize, wanted: &mut Wanted<'_>) -> Result<(), Broken> {
        let code = self.digits(0, 16, digits)?;
        let letter = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
        push(wanted, letter.encode_utf8(&mut [0; 4]).as_bytes());
        Ok(())
    }

    fn digits(&mut self, first: u32, base: u32, most: usize) -> Result<u32, Broken> {
        let mut code = first;
        for _ in 0..most {
            let Some(digit) = self.scan.peek()?.and_then(|byte| char::from(byte).to_digit(base)) else {
                break;
            };
            code = code << base.ilog2() | digit;
            self.scan.skip(1);
        }
        Ok(code)
    }

    /// `$tag$…$tag$`.
    pub(super) fn dollar_quoted(&mut self, mut wanted: Wanted<'_>) -> Result<(), Broken> {
        let begins = self.scan.broken("a text in $$ that begins here does not end; the file may be cut off");
        let mut tag = vec![b'$'];
        self.scan.skip(1);
        self.scan.skip_while(|byte| {
            let fits = byte != b'$' && in_word(byte) && tag.len() < 64;
            if fits {
                tag.push(byte);
            }
            fits
        })?;
        if !self.scan.take(b'$')? {
            // Something else with a dollar, such as a parameter's number.
            return Ok(());
        }
        tag.push(b'$');
        push(&mut wanted, &[]);
        loop {
            let Some(byte) = self.scan.peek()? else { return Err(begins) };
            if byte == b'$' && self.is_ahead(&tag)? {
                self.scan.skip(tag.len());
                return Ok(());
            }
            push(&mut wanted, &[byte]);
            self.scan.skip(1);
        }
    }

    fn is_ahead(&mut self, bytes: &[u8]) -> Result<bool, Broken> {
        for (distance, byte) in bytes.iter().enumerate() {
            if self.scan.ahead(distance)? != Some(*byte) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// PostgreSQL writes bytes as the text `\x6869`.
    pub(super) fn bytea(&self, wanted: Wanted<'_>) {
        if self.flavour != Flavour::Postgres {
            return;
        }
        let Some(value) = wanted else { return };
        let digits = value.bytes().and_then(|bytes| bytes.strip_prefix(b"\\x"));
        let pairs = digits.map(|digits| {
            digits.chunks(2).map(|pair| {
                let digit = |at: usize| char::from(*pair.get(at)?).to_digit(16);
                Some((digit(0)? * 16 + digit(1)?) as u8)
            })
        });
        if let Some(Some(bytes)) = pairs.map(Iterator::collect::<Option<Vec<u8>>>) {
            value.replace(bytes);
        }
    }
}

fn character(number: &[u8]) -> Vec<u8> {
    let code = std::str::from_utf8(number).ok().and_then(|number| number.parse().ok());
    code.and_then(char::from_u32).map(|letter| letter.to_string().into_bytes()).unwrap_or_default()
}

fn replaced(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut made = Vec::with_capacity(text.len());
    let mut left = text;
    while let Some(first) = left.first() {
        match left.strip_prefix(from).filter(|_| !from.is_empty()) {
            Some(behind) => {
                // More than one value may hold is thrown away by who gets it.
                if made.len() <= Value::MOST {
                    made.extend_from_slice(to);
                }
                left = behind;
            }
            None => {
                made.push(*first);
                left = &left[1..];
            }
        }
    }
    made
}

/// SQLite's `unistr`: `\uXXXX`, `\+XXXXXX`, `\XXXX`, `\\`.
fn unescaped(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let mut parts = text.split('\\');
    let mut made = parts.next().unwrap_or_default().to_owned();
    let mut literal = false;
    for part in parts {
        if literal {
            made.push_str(part);
            literal = false;
            continue;
        }
        let (skip, digits) = match part.as_bytes().first() {
            None => {
                made.push('\\');
                literal = true;
                continue;
            }
            Some(b'u') => (1, 4),
            Some(b'U') => (1, 8),
            Some(b'+') => (1, 6),
            Some(_) => (0, 4),
        };
        let code = part.get(skip..skip + digits).and_then(|code| u32::from_str_radix(code, 16).ok());
        match code.and_then(char::from_u32) {
            Some(letter) => {
                made.push(letter);
                made.push_str(&part[skip + digits..]);
            }
            None => made.push_str(part),
        }
    }
    made
}
