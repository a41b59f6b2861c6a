//! From a file to members: finds the tables, reads what the side tables tell, then hands out one member after another.
//!
//! A dump is read twice, since it may tell of members before and after it lists them. What is kept meanwhile is small: a
//! few dozen bytes for each member of whom something unusual is told.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{self, Read};

use super::input::{Form, recognised};
use super::record::Row;
use super::scanner::{Broken, Scanner};
use super::shapes::{Aside, BANNED, Draft, Fact, Rank, Reading, Shape, Table, shape};
use super::sql::{Dump, Tables};
use super::{Origin, delimited, htpasswd, json};
use crate::database::DatabaseError;

/// Why nobody could be read, or no more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// The file makes no sense from a line on, or ends early. Who was before that has been handed out.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// It is of a kind that can't be read.
    #[error("{0}")]
    Kind(String),
    /// No table looks like that of the members.
    #[error(
        "no table of {0} members was found; if --from is right, the dump may lack the table {1}, or its structure"
    )]
    NoTable(&'static str, String),
    /// The same of a database.
    #[error(
        "no table of {0} members was found in the database, or the user may not read it; if --from and the database are \
         right, grant the user SELECT on {1} and the tables beside it"
    )]
    NoLiveTable(&'static str, String),
    /// Several do.
    #[error("there are several tables of members; choose one with --table-prefix: {}", .0.join(", "))]
    Prefixes(Vec<String>),
    /// The forum's database does not answer, or not as it should. Who was read before that has been handed out.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// Opens the file, once or twice.
pub type Open<'o> = dyn FnMut() -> io::Result<Box<dyn Read>> + 'o;

/// A row of the members' table.
pub(super) enum Entry {
    Member { line: u64, draft: Draft },
    Skipped(&'static str),
    Unusable { line: u64, reason: String },
}

/// What side tables tell.
#[derive(Default)]
pub(super) struct Told {
    groups: HashMap<i64, Rank>,
    /// Sorted by member before it is used.
    facts: Vec<(i64, Fact)>,
    banned: HashSet<String>,
}

/// Reads all there is. `visit` ends it by returning an error.
pub(super) fn gather(
    origin: Origin,
    prefix: Option<&str>,
    now: i64,
    open: &mut Open<'_>,
    visit: &mut dyn FnMut(Entry) -> Result<(), Broken>,
) -> Result<(), Unusable> {
    let shape = shape(origin);
    let mut input = || {
        let input = open().map_err(|error| Unusable::Kind(format!("the file can't be opened: {error}")))?;
        recognised(input, origin).map_err(Unusable::Kind)
    };
    let (form, bytes) = input()?;
    let mut told = Told::default();
    let mut row = |told: &Told, row: Row<'_>| visit(entry(shape, told, row));
    match form {
        Form::Sql => {
            let mut survey = Survey::new(shape, prefix, now);
            Dump::new(bytes).read(&mut survey).or_else(|broken| survey.found_nothing_or_go_on(broken))?;
            let chosen = survey.chosen(origin)?;
            let (table, of_table) = survey.told_of(&chosen);
            told = of_table;
            let (_, bytes) = input()?;
            let mut rows = Members { shape, table, told: &told, row: &mut row };
            Dump::new(bytes).read(&mut rows)?;
        }
        Form::Delimited => {
            delimited::read(Scanner::new(bytes), shape.users.columns, &mut |line| row(&told, line))?
        }
        Form::Json => json::read(Scanner::new(bytes), shape.users.columns, &mut |line| row(&told, line))?,
        Form::Htpasswd => htpasswd::read(Scanner::new(bytes), &mut |line| row(&told, line))?,
    }
    Ok(())
}

pub(super) fn entry(shape: &Shape, told: &Told, row: Row<'_>) -> Entry {
    if let Some(reason) = row.fault() {
        return Entry::Unusable { line: row.line, reason };
    }
    match (shape.member)(&row) {
        Reading::Skip(because) => Entry::Skipped(because),
        Reading::Member(mut draft) => {
            told.complete(&mut draft, shape.stock);
            Entry::Member { line: row.line, draft }
        }
    }
}

impl Table {
    /// What stands before the table's own name, if this may be it.
    pub(super) fn prefix_of(&self, table: &str, columns: &[String]) -> Option<(String, &'static str)> {
        let has = |want: &&str| columns.iter().any(|column| column.eq_ignore_ascii_case(want));
        if !columns.is_empty() && !self.required.iter().all(has) {
            return None;
        }
        let table = table.to_ascii_lowercase();
        self.names.iter().find_map(|name| table.strip_suffix(name).map(|prefix| (prefix.to_owned(), *name)))
    }
}

/// The first reading: which tables there are, and what those beside the members' tell.
pub(super) struct Survey<'s> {
    shape: &'static Shape,
    prefix: Option<&'s str>,
    now: i64,
    /// By prefix: the members' table, if it was seen, and what is told.
    found: BTreeMap<String, (Option<String>, Told)>,
}

/// Dumps of whole servers have many forums in them, but not that many.
const MOST_PREFIXES: usize = 1_000;

impl<'s> Survey<'s> {
    pub(super) fn new(shape: &'static Shape, prefix: Option<&'s str>, now: i64) -> Self {
        Self { shape, prefix, now, found: BTreeMap::new() }
    }

    fn of_prefix(&mut self, prefix: String) -> Option<&mut (Option<String>, Told)> {
        let unwanted = self.prefix.is_some_and(|wanted| !wanted.eq_ignore_ascii_case(&prefix));
        if unwanted || (self.found.len() >= MOST_PREFIXES && !self.found.contains_key(&prefix)) {
            return None;
        }
        Some(self.found.entry(prefix).or_default())
    }

    /// A file that breaks off after the members' table was seen is still read up to there.
    fn found_nothing_or_go_on(&self, broken: Broken) -> Result<(), Broken> {
        if self.found.values().any(|(table, _)| table.is_some()) { Ok(()) } else { Err(broken) }
    }

    /// The one prefix of which the members' table was seen.
    pub(super) fn chosen(&self, origin: Origin) -> Result<String, Unusable> {
        let mut tables = self.found.iter().filter_map(|(prefix, (table, _))| Some((prefix, table.as_ref()?)));
        match (tables.next(), tables.next()) {
            (Some((prefix, _)), None) => Ok(prefix.clone()),
            (None, _) => {
                let name = self.shape.users.names.join(" or ");
                Err(Unusable::NoTable(origin.name(), format!("{}{name}", self.prefix.unwrap_or("…"))))
            }
            (first, second) => {
                let all = first.into_iter().chain(second).chain(tables);
                Err(Unusable::Prefixes(all.map(|(prefix, table)| format!("{prefix:?} ({table})")).collect()))
            }
        }
    }

    /// The members' table of a prefix, and what is told beside it.
    pub(super) fn told_of(mut self, prefix: &str) -> (String, Told) {
        let (table, mut told) = self.found.remove(prefix).unwrap_or_default();
        told.facts.sort_by_key(|(user, _)| *user);
        (table.unwrap_or_default(), told)
    }
}

impl Tables for Survey<'_> {
    fn wants(&mut self, table: &str, columns: &[String]) -> Option<&'static [&'static str]> {
        if let Some((prefix, _)) = self.shape.users.prefix_of(table, columns) {
            let table = table.to_owned();
            self.of_prefix(prefix)?.0 = Some(table);
            return None;
        }
        let shape = self.shape;
        let (side, prefix) =
            shape.sides.iter().find_map(|side| Some((side, side.prefix_of(table, columns)?.0)))?;
        self.of_prefix(prefix)?;
        Some(side.columns)
    }

    fn row(&mut self, table: &str, row: Row<'_>) -> Result<(), Broken> {
        let (shape, now) = (self.shape, self.now);
        let side = shape.sides.iter().find(|side| side.columns == row.columns);
        let found = side.and_then(|side| side.prefix_of(table, &[]));
        let Some((prefix, name)) = found.filter(|_| row.fault().is_none()) else { return Ok(()) };
        let Some((_, told)) = self.of_prefix(prefix) else { return Ok(()) };
        told.note((shape.aside)(name, &row, now));
        Ok(())
    }
}

impl Told {
    fn note(&mut self, aside: Aside) {
        match aside {
            Aside::Banned(name) => drop(self.banned.insert(name.to_lowercase())),
            Aside::Group(id, rank) => drop(self.groups.insert(id, rank)),
            Aside::Of(Some(_), Fact::Group(id)) if self.groups.get(&id) == Some(&Rank::Nobody) => {}
            Aside::Of(Some(user), fact) => self.facts.push((user, fact)),
            Aside::Nothing | Aside::Of(None, _) => {}
        }
    }

    /// Adds to a member what other tables tell of them; groups become what they are called.
    fn complete(&self, draft: &mut Draft, stock: fn(i64) -> Option<Rank>) {
        let of_them = draft.id.map_or(&[][..], |id| {
            let from = self.facts.partition_point(|(user, _)| *user < id);
            let count = self.facts[from..].iter().take_while(|(user, _)| *user == id).count();
            &self.facts[from..from + count]
        });
        for (_, fact) in of_them {
            match fact {
                Fact::Group(id) => draft.groups.push(*id),
                Fact::Hash(hash) => draft.hash = Some(hash.to_vec()),
                Fact::Off(why) => draft.off = Some(why),
                Fact::Rank(rank) => draft.ranks.push(rank.clone()),
            }
        }
        let known = |id: i64| self.groups.get(&id).cloned().or_else(|| stock(id));
        draft.ranks.extend(std::mem::take(&mut draft.groups).into_iter().filter_map(known));
        if !self.banned.is_empty() && self.banned.contains(&draft.name.to_lowercase()) {
            draft.off = Some(BANNED);
        }
    }
}

/// The second reading: the members.
struct Members<'m> {
    shape: &'static Shape,
    table: String,
    told: &'m Told,
    row: &'m mut dyn FnMut(&Told, Row<'_>) -> Result<(), Broken>,
}

impl Tables for Members<'_> {
    fn wants(&mut self, table: &str, _: &[String]) -> Option<&'static [&'static str]> {
        table.eq_ignore_ascii_case(&self.table).then_some(self.shape.users.columns)
    }

    fn row(&mut self, _: &str, row: Row<'_>) -> Result<(), Broken> {
        (self.row)(self.told, row)
    }
}
