//! Dumps of databases: bytes in, the rows of wanted tables out. Reads what mysqldump, mariadb-dump, phpMyAdmin, pg_dump (both
//! ways) and SQLite's `.dump` write; runs nothing of it.
//!
//! Memory is bounded whatever the file holds: one buffer, the wanted columns of one row, and the column names of tables.
//! A file that ends early, or makes no sense, is [`Broken`] with its line; the rows before it have been handed out, and
//! they are the same as those of the whole file.

mod copy;
mod insert;
mod literal;
mod schema;
mod words;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io::Read;

use super::record::{Charset, Row};
use super::scanner::{Broken, Scanner};

/// Whoever wants rows.
pub(super) trait Tables {
    /// The columns that are wanted of a table's rows; none if the rows are not.
    fn wants(&mut self, table: &str, columns: &[String]) -> Option<&'static [&'static str]>;

    /// A row of a table that is wanted. What it returns ends the reading.
    fn row(&mut self, table: &str, row: Row<'_>) -> Result<(), Broken>;
}

/// Whose rules a dump follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flavour {
    MySql,
    Postgres,
    Sqlite,
}

/// What a backslash means in a plain text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Backslash {
    Escapes,
    Plain,
}

/// A dump being read.
pub(super) struct Dump<'i> {
    scan: Scanner<'i>,
    flavour: Flavour,
    backslash: Backslash,
    charset: Charset,
    /// Column names by table, since rows need not name them.
    schema: HashMap<String, Vec<String>>,
}

impl<'i> Dump<'i> {
    pub(super) fn new(input: Box<dyn Read + 'i>) -> Self {
        Self {
            scan: Scanner::new(input),
            flavour: Flavour::MySql,
            backslash: Backslash::Escapes,
            charset: Charset::default(),
            schema: HashMap::new(),
        }
    }

    /// Reads to the end.
    pub(super) fn read(mut self, tables: &mut dyn Tables) -> Result<(), Broken> {
        while self.statement(tables)? {}
        Ok(())
    }

    fn statement(&mut self, tables: &mut dyn Tables) -> Result<bool, Broken> {
        self.blank()?;
        match self.scan.peek()? {
            None => return Ok(false),
            Some(b';') => {
                self.scan.skip(1);
                return Ok(true);
            }
            // What psql is told, such as \connect.
            Some(b'\\') => {
                self.scan.skip_line()?;
                return Ok(true);
            }
            Some(_) => {}
        }
        match self.word()?.as_str() {
            "INSERT" | "REPLACE" => self.insert(tables)?,
            "COPY" => self.copy(tables)?,
            "CREATE" => self.create()?,
            "SET" => self.set()?,
            "PRAGMA" => {
                self.become_flavour(Flavour::Sqlite);
                self.skip_statement()?;
            }
            "DELIMITER" => self.skip_delimited()?,
            _ => self.skip_statement()?,
        }
        Ok(true)
    }

    fn become_flavour(&mut self, flavour: Flavour) {
        self.flavour = flavour;
        self.backslash = match flavour {
            Flavour::MySql => Backslash::Escapes,
            Flavour::Postgres | Flavour::Sqlite => Backslash::Plain,
        };
    }

    /// `SET …`: what changes how texts are written.
    fn set(&mut self) -> Result<(), Broken> {
        let text = self.statement_text()?.to_ascii_lowercase();
        let quoted = || text.split(['\'', '"']).nth(1).unwrap_or_default();
        if text.contains("standard_conforming_strings") {
            self.become_flavour(Flavour::Postgres);
            if text.contains("off") {
                self.backslash = Backslash::Escapes;
            }
        } else if text.contains("client_encoding") {
            self.become_flavour(Flavour::Postgres);
            self.charset = Charset::named(quoted()).unwrap_or(self.charset);
        } else if let Some(name) = text.trim().strip_prefix("names ") {
            let name = name.trim().trim_matches(['\'', '"']);
            let name = name.split([' ', '\'']).next().unwrap_or_default();
            self.charset = Charset::named(name).unwrap_or(self.charset);
        } else if text.contains("sql_mode") && self.flavour == Flavour::MySql {
            let plain = text.contains("no_backslash_escapes");
            self.backslash = if plain { Backslash::Plain } else { Backslash::Escapes };
        }
        Ok(())
    }

    /// After `DELIMITER`: triggers and functions, up to the line that ends them.
    fn skip_delimited(&mut self) -> Result<(), Broken> {
        if self.statement_line()?.trim() == ";" {
            return Ok(());
        }
        loop {
            let line = self.statement_line()?;
            let mut words = line.split_whitespace();
            let ends = words.next().is_some_and(|word| word.eq_ignore_ascii_case("delimiter"));
            if (ends && words.next() == Some(";")) || self.scan.peek()?.is_none() {
                return Ok(());
            }
        }
    }
}
