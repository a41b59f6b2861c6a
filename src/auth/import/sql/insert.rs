//! `INSERT` and `REPLACE`: row after row of values.

use super::super::record::{Row, Value, places};
use super::super::scanner::Broken;
use super::{Dump, Tables};

impl Dump<'_> {
    /// After `INSERT` or `REPLACE`.
    pub(super) fn insert(&mut self, tables: &mut dyn Tables) -> Result<(), Broken> {
        for word in ["LOW_PRIORITY", "DELAYED", "HIGH_PRIORITY", "IGNORE", "OR", "REPLACE", "IGNORE", "INTO"]
        {
            self.take_word(word)?;
        }
        let table = self.name()?;
        let columns = self.columns_of(&table)?;
        let wanted = columns.as_ref().and_then(|columns| tables.wants(&table, columns));
        if columns.is_none() && tables.wants(&table, &[]).is_some() {
            let reason = format!(
                "rows of {table}, but nothing in the file names its columns; dump structure and data together"
            );
            return Err(self.scan.broken(reason));
        }
        let (Some(columns), Some(wanted)) = (columns, wanted) else { return self.skip_statement() };
        if self.take_word("OVERRIDING")? {
            self.blank()?;
            self.word()?;
            self.take_word("VALUE")?;
        }
        if !self.take_word("VALUES")? && !self.take_word("VALUE")? {
            return self.skip_statement();
        }
        let places = places(&columns, wanted);
        let mut values = vec![Value::default(); wanted.len()];
        loop {
            self.blank()?;
            let line = self.scan.line();
            if !self.scan.take(b'(')? {
                return Err(self.scan.broken("a row of values should begin here"));
            }
            let count = self.values(&places, &mut values)?;
            let fault = (count != places.len())
                .then(|| format!("the row has {count} values, the table {} columns", places.len()));
            let charset = self.charset;
            tables.row(
                &table,
                Row { line, columns: wanted, values: &values, fault: fault.as_deref(), charset },
            )?;
            if !self.take(b',')? {
                // There may be an ON DUPLICATE KEY UPDATE or the like.
                return self.skip_statement();
            }
        }
    }

    /// The columns a statement names, or those of the table's definition.
    pub(super) fn columns_of(&mut self, table: &str) -> Result<Option<Vec<String>>, Broken> {
        if !self.take(b'(')? {
            return Ok(self.schema.get(&table.to_ascii_lowercase()).cloned());
        }
        let mut columns = Vec::new();
        loop {
            columns.push(self.name()?);
            if self.take(b')')? {
                return Ok(Some(columns));
            }
            if !self.take(b',')? || columns.len() > 10_000 {
                return Err(self.scan.broken("the names of columns should go on here"));
            }
        }
    }

    /// The values up to the closing parenthesis, which is taken. Returns how many there were.
    fn values(&mut self, places: &[Option<usize>], values: &mut [Value]) -> Result<usize, Broken> {
        values.iter_mut().for_each(Value::clear);
        let mut count = 0;
        loop {
            let wanted = places.get(count).copied().flatten().and_then(|place| values.get_mut(place));
            self.value(wanted, 0)?;
            count += 1;
            if self.take(b')')? {
                return Ok(count);
            }
            if !self.take(b',')? {
                let reason =
                    "a value should end here with `,` or `)`; the file may be cut off, or a quote be missing";
                return Err(self.scan.broken(reason));
            }
        }
    }
}
