//! `CREATE TABLE`: the names of columns, in their order.

use super::super::scanner::Broken;
use super::{Backslash, Dump};

/// What begins a line of a table's definition that is no column, unless it is quoted.
const NO_COLUMN: [&str; 13] = [
    "CHECK",
    "CONSTRAINT",
    "EXCLUDE",
    "FOREIGN",
    "FULLTEXT",
    "INDEX",
    "KEY",
    "LIKE",
    "PERIOD",
    "PRIMARY",
    "SPATIAL",
    "UNIQUE",
    "VECTOR",
];

/// All column names of all tables together; more is no dump of a forum.
const MOST_COLUMNS: usize = 200_000;

impl Dump<'_> {
    /// After `CREATE`.
    pub(super) fn create(&mut self) -> Result<(), Broken> {
        for word in ["GLOBAL", "LOCAL", "TEMPORARY", "TEMP", "UNLOGGED"] {
            self.take_word(word)?;
        }
        if self.take_word("TRIGGER")? {
            return self.skip_trigger();
        }
        if !self.take_word("TABLE")? {
            return self.skip_statement();
        }
        if self.take_word("IF")? {
            self.take_word("NOT")?;
            self.take_word("EXISTS")?;
        }
        let table = self.name()?;
        if self.take(b'(')? {
            let columns = self.definitions()?;
            let known: usize = self.schema.values().map(Vec::len).sum();
            if known + columns.len() > MOST_COLUMNS {
                return Err(self.scan.broken("the tables have too many columns"));
            }
            self.schema.insert(table.to_ascii_lowercase(), columns);
        }
        self.skip_statement()
    }

    /// SQLite's triggers hold statements that are not run now. MySQL's are written between `DELIMITER` lines.
    fn skip_trigger(&mut self) -> Result<(), Broken> {
        self.skip_statement()?;
        if self.flavour == super::Flavour::Sqlite {
            while self.scan.peek()?.is_some() && !self.take_word("END")? {
                self.skip_statement()?;
            }
            self.skip_statement()?;
        }
        Ok(())
    }

    /// The columns between the parentheses, the closing one included.
    fn definitions(&mut self) -> Result<Vec<String>, Broken> {
        let mut columns = Vec::new();
        loop {
            self.blank()?;
            let quoted = matches!(self.scan.peek()?, Some(b'`' | b'"' | b'['));
            let name = self.name()?;
            let column = quoted || !NO_COLUMN.contains(&name.to_ascii_uppercase().as_str());
            if column && !name.is_empty() {
                columns.push(name);
            }
            if columns.len() > MOST_COLUMNS || self.definition_ends()? {
                return Ok(columns);
            }
        }
    }

    /// Steps over the rest of one definition. True if it was the last one.
    fn definition_ends(&mut self) -> Result<bool, Broken> {
        let begins = self.scan.broken("a table's definition does not end; the file may be cut off");
        let mut depth = 0_u32;
        loop {
            self.blank()?;
            match self.scan.peek()? {
                None => return Err(begins),
                Some(quote @ (b'\'' | b'"' | b'`')) => {
                    let backslash = if quote == b'`' { Backslash::Plain } else { self.backslash };
                    self.quoted(quote, backslash, None)?;
                    continue;
                }
                Some(b'(') => depth += 1,
                Some(b')') if depth == 0 => {
                    self.scan.skip(1);
                    return Ok(true);
                }
                Some(b')') => depth -= 1,
                Some(b',') if depth == 0 => {
                    self.scan.skip(1);
                    return Ok(false);
                }
                Some(_) => {}
            }
            self.scan.skip(1);
        }
    }
}
