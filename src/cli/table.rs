//! Tables for the eye: columns as wide as their widest cell.

/// Lays out rows under headings; the last column is not padded.
pub(super) fn table<const N: usize>(headings: [&str; N], rows: &[[String; N]]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([headings[column].len()]).max().unwrap_or(0)
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |cells: [&str; N]| {
        let padded = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let mut lines = vec![line(headings)];
    lines.extend(rows.iter().map(|row| line(row.each_ref().map(String::as_str))));
    lines.join("\n")
}

/// A time of a listing to the minute; headings say that it is UTC.
pub(super) fn minute(time: Option<&str>) -> String {
    time.and_then(|time| time.get(..16)).map_or_else(|| "never".to_owned(), |time| time.replace('T', " "))
}

/// The same in a sentence, where no heading says so.
pub(super) fn moment(time: Option<&str>) -> String {
    time.map_or_else(|| minute(None), |time| format!("{} UTC", minute(Some(time))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_whatever_the_letters() {
        let rows = [["Zoë".to_owned(), "x".to_owned()], ["Bartholomew".to_owned(), String::new()]];
        assert_eq!(table(["NAME", "GROUPS"], &rows), "NAME         GROUPS\nZoë          x\nBartholomew");
        assert_eq!(minute(Some("2026-11-22T06:00:00.250Z")), "2026-11-22 06:00");
        assert_eq!(minute(None), "never");
    }
}
