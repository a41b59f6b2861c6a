//! `COPY … FROM stdin;`, as pg_dump writes rows: a line each, columns between tabs.

use super::super::record::{Row, Value, places};
use super::super::scanner::Broken;
use super::{Dump, Flavour, Tables};

impl Dump<'_> {
    /// After `COPY`.
    pub(super) fn copy(&mut self, tables: &mut dyn Tables) -> Result<(), Broken> {
        self.become_flavour(Flavour::Postgres);
        let table = self.name()?;
        let columns = self.columns_of(&table)?.unwrap_or_default();
        let options = self.statement_text()?.to_ascii_lowercase();
        if !options.contains("stdin") {
            return Ok(());
        }
        self.scan.skip_line()?;
        let wanted = tables.wants(&table, &columns);
        if wanted.is_some() && ["csv", "delimiter", "binary"].iter().any(|word| options.contains(word)) {
            return Err(self
                .scan
                .broken("rows in another form than pg_dump's own; dump without such options"));
        }
        let places = wanted.map(|wanted| places(&columns, wanted));
        let mut values = vec![Value::default(); wanted.map_or(0, <[_]>::len)];
        loop {
            let line = self.scan.line();
            match (self.scan.peek()?, self.scan.ahead(1)?) {
                (None, _) => {
                    return Err(self.scan.broken("the rows of a table do not end; the file is cut off"));
                }
                (Some(b'\\'), Some(b'.')) => return self.scan.skip_line(),
                _ => {}
            }
            let (Some(wanted), Some(places)) = (wanted, &places) else {
                self.scan.skip_line()?;
                continue;
            };
            let count = self.fields(places, &mut values)?;
            let fault = (count != places.len())
                .then(|| format!("the row has {count} values, the table {} columns", places.len()));
            let charset = self.charset;
            tables.row(
                &table,
                Row { line, columns: wanted, values: &values, fault: fault.as_deref(), charset },
            )?;
        }
    }

    /// The fields of one line, its end included.
    fn fields(&mut self, places: &[Option<usize>], values: &mut [Value]) -> Result<usize, Broken> {
        values.iter_mut().for_each(Value::clear);
        let mut count = 0;
        loop {
            let wanted = places.get(count).copied().flatten().and_then(|place| values.get_mut(place));
            let end = self.field(wanted)?;
            count += 1;
            match end {
                Some(b'\t') => {}
                Some(_) => return Ok(count),
                None => return Err(self.scan.broken("a row does not end; the file is cut off")),
            }
        }
    }

    /// One field; returns what ended it.
    fn field(&mut self, mut wanted: Option<&mut Value>) -> Result<Option<u8>, Broken> {
        if let Some(value) = &mut wanted {
            value.push(&[]);
        }
        if (self.scan.peek()?, self.scan.ahead(1)?) == (Some(b'\\'), Some(b'N')) {
            self.scan.skip(2);
            if let Some(value) = wanted {
                value.set_null();
            }
            return self.scan.next();
        }
        loop {
            let rest = self.scan.rest()?;
            let plain = memchr::memchr3(b'\t', b'\n', b'\\', rest).unwrap_or(rest.len());
            let all = plain == rest.len();
            if let Some(value) = &mut wanted {
                value.push(&rest[..plain]);
            }
            let ended = rest.is_empty();
            self.scan.skip(plain);
            if all && !ended {
                continue;
            }
            match self.scan.next()? {
                Some(b'\\') => self.field_escape(&mut wanted)?,
                end => {
                    self.bytea(wanted);
                    return Ok(end);
                }
            }
        }
    }

    fn field_escape(&mut self, wanted: &mut Option<&mut Value>) -> Result<(), Broken> {
        let Some(byte) = self.scan.next()? else {
            return Err(self.scan.broken("a row does not end; the file is cut off"));
        };
        let meant = match byte {
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 11,
            b'0'..=b'7' => return self.code(u32::from(byte - b'0'), 8, 2, wanted),
            b'x' => return self.code(0, 16, 2, wanted),
            other => other,
        };
        if let Some(value) = wanted {
            value.push(&[meant]);
        }
        Ok(())
    }
}
