//! Lists with a header line (CSV): comma, semicolon or tab between the fields, quotes doubled within quotes. Written for a
//! bound on what one field may take, which the crates for it lack.

use super::record::{Charset, Row, Value, places};
use super::scanner::{Broken, Scanner};

/// How a field ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Field,
    Record,
}

/// Reads all rows.
pub(super) fn read(
    mut scan: Scanner<'_>,
    wanted: &'static [&'static str],
    visit: &mut dyn FnMut(Row<'_>) -> Result<(), Broken>,
) -> Result<(), Broken> {
    let delimiter = delimiter(scan.rest()?);
    let header = header(&mut scan, delimiter)?;
    let places = places(&header, wanted);
    if places.iter().all(Option::is_none) {
        let reason = format!("the first line should name the columns, such as {}", wanted.join(", "));
        return Err(Broken { line: 1, reason });
    }
    let mut values = vec![Value::default(); wanted.len()];
    loop {
        scan.skip_while(|byte| matches!(byte, b'\r' | b'\n'))?;
        if scan.peek()?.is_none() {
            return Ok(());
        }
        let line = scan.line();
        values.iter_mut().for_each(Value::clear);
        let mut count = 0;
        loop {
            let mut nobody = Value::default();
            let place = places.get(count).copied().flatten().and_then(|place| values.get_mut(place));
            let end = field(&mut scan, delimiter, place.unwrap_or(&mut nobody))?;
            count += 1;
            if end == End::Record {
                break;
            }
        }
        let fault = (count != places.len())
            .then(|| format!("the line has {count} fields, the first line {}", places.len()));
        let charset = Charset::default();
        visit(Row { line, columns: wanted, values: &values, fault: fault.as_deref(), charset })?;
    }
}

/// The one of the usual delimiters that the first line has most of.
fn delimiter(beginning: &[u8]) -> u8 {
    let first = beginning.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let count = |delimiter: &u8| memchr::memchr_iter(*delimiter, first).count();
    [b'\t', b';', b','].into_iter().max_by_key(count).unwrap_or(b',')
}

fn header(scan: &mut Scanner<'_>, delimiter: u8) -> Result<Vec<String>, Broken> {
    let mut names = Vec::new();
    loop {
        let mut name = Value::default();
        let end = field(scan, delimiter, &mut name)?;
        names.push(String::from_utf8_lossy(name.bytes().unwrap_or_default()).trim().to_owned());
        if end == End::Record || names.len() > 10_000 {
            return Ok(names);
        }
    }
}

fn field(scan: &mut Scanner<'_>, delimiter: u8, into: &mut Value) -> Result<End, Broken> {
    into.push(&[]);
    let quoted = scan.peek()? == Some(b'"');
    if quoted {
        quoted_part(scan, into)?;
    }
    loop {
        let rest = scan.rest()?;
        let plain = memchr::memchr2(delimiter, b'\n', rest).unwrap_or(rest.len());
        let (ended, all) = (rest.is_empty(), plain == rest.len());
        into.push(&rest[..plain]);
        scan.skip(plain);
        if !all || ended {
            break;
        }
    }
    let end = if scan.next()? == Some(delimiter) { End::Field } else { End::Record };
    if let Some(short) =
        into.bytes().filter(|_| end == End::Record).and_then(|bytes| bytes.strip_suffix(b"\r"))
    {
        into.replace(short.to_vec());
    }
    if !quoted && matches!(into.bytes(), Some(b"NULL" | b"\\N")) {
        into.set_null();
    }
    Ok(end)
}

fn quoted_part(scan: &mut Scanner<'_>, into: &mut Value) -> Result<(), Broken> {
    let begins = scan.broken("a quote that opens here is not closed; the file may be cut off");
    scan.skip(1);
    loop {
        let rest = scan.rest()?;
        if rest.is_empty() {
            return Err(begins);
        }
        let plain = memchr::memchr(b'"', rest).unwrap_or(rest.len());
        let all = plain == rest.len();
        into.push(&rest[..plain]);
        scan.skip(plain);
        if all {
            continue;
        }
        scan.skip(1);
        if !scan.take(b'"')? {
            return Ok(());
        }
        into.push(b"\"");
    }
}
