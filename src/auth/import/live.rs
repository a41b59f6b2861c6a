//! Members straight from the forum's own database: the shapes that read a dump's tables, fed with rows.
//!
//! Everything is read in one transaction that can't write. What side tables tell is read first, then the members, a page at a
//! time in the order of their key: memory holds one page, and a table without transactions (MyISAM) is not locked while members
//! are written here.

use super::gather::{Entry, Survey, Told, Unusable, entry};
use super::record::{Charset, Row, Value};
use super::shapes::{Shape, Table, WORTH_READING, shape};
use super::sql::Tables;
use super::{Intake, Origin, Report, Take, seconds};
use crate::database::{DatabaseError, Kind, Parameter, Row as LiveRow, Transaction};
use crate::domain::Timestamp;

/// Rows that are read at a time.
const PAGE: usize = 1_000;

/// The members of a forum, in its database.
pub struct Live<'c> {
    forum: Transaction<'c>,
    shape: &'static Shape,
    told: Told,
    intake: Intake,
    select: Select,
    count: u64,
    /// The key of the last row that was read.
    after: Option<i64>,
}

impl<'c> Live<'c> {
    /// Finds the tables, and reads those beside the members'. From here on the report names rows instead of lines.
    pub async fn find(
        origin: Origin,
        prefix: Option<&str>,
        now: Timestamp,
        mut forum: Transaction<'c>,
        report: &mut Report,
    ) -> Result<Self, Unusable> {
        let shape = shape(origin);
        let mut survey = Survey::new(shape, prefix, seconds(now));
        let tables = tables(&mut forum, shape).await?;
        for (table, columns) in &tables {
            survey.wants(table, columns);
        }
        let prefix = survey.chosen(origin).map_err(|unusable| match unusable {
            Unusable::NoTable(name, table) => Unusable::NoLiveTable(name, table),
            other => other,
        })?;
        for side in shape.sides {
            let of_prefix = |(table, columns): &&(String, Vec<String>)| {
                side.prefix_of(table, columns).is_some_and(|(found, _)| found == prefix)
            };
            match tables.iter().find(of_prefix) {
                Some((table, columns)) => read_aside(&mut forum, side, table, columns, &mut survey).await?,
                None => report.tell(0, unseen(side, &prefix)),
            }
        }
        let (table, told) = survey.told_of(&prefix);
        let columns = tables.iter().find(|(name, _)| *name == table).map_or(&[][..], |(_, columns)| columns);
        let select = Select::new(forum.kind(), &shape.users, &table, columns);
        report.rows_of = Some(format!("{table}, {}", select.key));
        let counted = format!("SELECT count(*) FROM {}", forum.kind().quoted(&table));
        let counted = forum.rows(&counted, &[]).await?.next().await?;
        let count = counted.and_then(|row| row.number(0)).and_then(|count| u64::try_from(count).ok());
        let (count, intake) = (count.unwrap_or_default(), Intake::new(origin));
        Ok(Self { forum, shape, told, intake, select, count, after: None })
    }

    /// How many rows the members' table has.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The next rows; none when all have been read.
    pub async fn page(&mut self) -> Result<Vec<LiveRow>, Unusable> {
        let Select { text, quoted_key, key, .. } = &self.select;
        let after = if self.after.is_some() { format!(" WHERE {quoted_key} > ?") } else { String::new() };
        let statement = format!("{text}{after} ORDER BY {quoted_key} LIMIT {PAGE}");
        let after = self.after.map(Parameter::Number);
        let mut rows = self.forum.rows(&statement, after.as_slice()).await?;
        let mut page = Vec::new();
        while let Some(row) = rows.next().await? {
            page.push(row);
        }
        if let Some(last) = page.last() {
            let next = last.number(0).filter(|next| Some(*next) > self.after);
            let reason = || format!("the column {key} does not hold a number of its own for each member");
            self.after = Some(next.ok_or_else(|| Unusable::Kind(reason()))?);
        }
        Ok(page)
    }

    /// Hands out the members of a page, as [`super::read_members`] does; false if `take` has had enough.
    pub fn hand_out(&mut self, page: &[LiveRow], report: &mut Report, take: &mut Take<'_>) -> bool {
        let Self { shape, told, intake, select, .. } = self;
        page.iter().all(|row| {
            let entry: Entry = select.read(row, |row| entry(shape, told, row));
            intake.take_in(entry, report, take)
        })
    }
}

/// Who is banned there would come in here, so a table that can't be seen is not passed over in silence.
fn unseen(side: &Table, prefix: &str) -> String {
    let name = side.names.join(" or ");
    format!(
        "no table {prefix}{name} was seen; if the forum has one, let the user SELECT from it and run this again"
    )
}

/// The tables that may be of such a forum, and their columns, as far as the user may see them.
async fn tables(
    forum: &mut Transaction<'_>,
    shape: &Shape,
) -> Result<Vec<(String, Vec<String>)>, DatabaseError> {
    let mut rows = forum
        .rows(
            match forum.kind() {
                Kind::MySql => {
                    "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = DATABASE() \
                     ORDER BY table_name, ordinal_position"
                }
                Kind::Postgres => {
                    "SELECT table_name, column_name FROM information_schema.columns \
                     WHERE table_schema = current_schema() ORDER BY table_name, ordinal_position"
                }
                Kind::Sqlite => {
                    "SELECT t.name, c.name FROM sqlite_master t, pragma_table_info(t.name) c \
                     WHERE t.type IN ('table', 'view') ORDER BY t.name, c.cid"
                }
            },
            &[],
        )
        .await?;
    let mut tables: Vec<(String, Vec<String>)> = Vec::new();
    while let Some(row) = rows.next().await? {
        let [table, column] = [0, 1].map(|at| row.text(at).unwrap_or_default().into_owned());
        let known = |of: &Table| of.prefix_of(&table, &[]).is_some();
        match tables.last_mut() {
            Some((last, columns)) if *last == table => columns.push(column),
            _ if known(&shape.users) || shape.sides.iter().any(known) => tables.push((table, vec![column])),
            _ => {}
        }
    }
    Ok(tables)
}

async fn read_aside(
    forum: &mut Transaction<'_>,
    side: &'static Table,
    table: &str,
    columns: &[String],
    survey: &mut Survey<'_>,
) -> Result<(), Unusable> {
    let mut select = Select::new(forum.kind(), side, table, columns);
    let (of, condition) = WORTH_READING;
    let only = if side.names.contains(&of) { format!(" WHERE {condition}") } else { String::new() };
    let mut rows = forum.rows(&format!("{}{only}", select.text), &[]).await?;
    while let Some(row) = rows.next().await? {
        select.read(&row, |row| survey.row(table, row))?;
    }
    Ok(())
}

/// What is asked of a table.
struct Select {
    text: String,
    /// The column that tells rows apart: the first one that a table lists.
    key: String,
    quoted_key: String,
    columns: &'static [&'static str],
    /// Which of them stands in each column that is asked for.
    places: Vec<usize>,
    values: Vec<Value>,
}

impl Select {
    fn new(kind: Kind, table: &Table, name: &str, columns: &[String]) -> Self {
        let wanted = table.columns.iter().enumerate();
        let found = wanted.filter_map(|(place, want)| {
            Some((place, columns.iter().find(|column| column.eq_ignore_ascii_case(want))?))
        });
        let (places, names): (Vec<_>, Vec<_>) = found.unzip();
        let quoted: Vec<_> = names.iter().map(|name| kind.quoted(name)).collect();
        let key = names.first().map_or(String::new(), |name| (*name).clone());
        Self {
            text: format!("SELECT {} FROM {}", quoted.join(", "), kind.quoted(name)),
            quoted_key: kind.quoted(&key),
            key,
            columns: table.columns,
            values: vec![Value::default(); table.columns.len()],
            places,
        }
    }

    /// A row, as a dump would show it.
    fn read<T>(&mut self, row: &LiveRow, read: impl FnOnce(Row<'_>) -> T) -> T {
        for (at, place) in self.places.iter().enumerate() {
            let Some(value) = self.values.get_mut(*place) else { continue };
            value.clear();
            match row.bytes(at) {
                Some(bytes) => value.push(bytes),
                None => value.set_null(),
            }
        }
        let line = row.number(0).and_then(|key| u64::try_from(key).ok()).unwrap_or_default();
        let charset = Charset::default();
        read(Row { line, columns: self.columns, values: &self.values, fault: None, charset })
    }
}
