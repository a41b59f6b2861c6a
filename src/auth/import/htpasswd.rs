//! htpasswd files: `name:hash`, a line each.

use super::record::{Charset, Row, Value};
use super::scanner::{Broken, Scanner};

const COLUMNS: [&str; 2] = ["name", "password"];

/// Reads all rows.
pub(super) fn read(
    mut scan: Scanner<'_>,
    visit: &mut dyn FnMut(Row<'_>) -> Result<(), Broken>,
) -> Result<(), Broken> {
    let mut values = [Value::default(), Value::default()];
    loop {
        scan.skip_while(|byte| byte.is_ascii_whitespace())?;
        let line = scan.line();
        match scan.peek()? {
            None => return Ok(()),
            Some(b'#') => {
                scan.skip_line()?;
                continue;
            }
            Some(_) => {}
        }
        values.iter_mut().for_each(Value::clear);
        let mut place = 0;
        scan.skip_while(|byte| {
            match byte {
                b'\n' => return false,
                b':' if place == 0 => place = 1,
                b'\r' => {}
                byte => values[place].push(&[byte]),
            }
            true
        })?;
        let fault = (place == 0).then_some("the line has no `:` between name and hash");
        visit(Row { line, columns: &COLUMNS, values: &values, fault, charset: Charset::default() })?;
    }
}
