//! How each forum keeps its members: names of tables and columns, what marks a guest or a ban, and which groups there are
//! from the start. One file a forum; they are tables and the reading of one row, nothing else.

mod django;
mod flaskbb;
mod flat;
mod ipb;
mod mediawiki;
mod mybb;
mod phpbb;
mod punbb;
mod smf;
mod vbulletin;
mod wordpress;
mod xenforo;

pub(super) use wordpress::WORTH_READING;

use super::Origin;
use super::record::Row;
use crate::auth::passwords::Source;

/// A forum's tables, and what their rows mean.
pub(super) struct Shape {
    /// How its hashes are to be read; none if they are ours.
    pub(super) hashes: Option<Source>,
    /// Where the members are.
    pub(super) users: Table,
    /// Where more is told of them; read before the members.
    pub(super) sides: &'static [Table],
    /// What a row of `users` says. The moment, in seconds since 1970, tells whether a ban is over.
    pub(super) member: fn(&Row<'_>) -> Reading,
    /// What a row of the side table of this name says.
    pub(super) aside: fn(&str, &Row<'_>, i64) -> Aside,
    /// The groups there are from the start, for a file without the table of groups.
    pub(super) stock: fn(i64) -> Option<Rank>,
}

/// A table: its names without a prefix, the columns that are looked at, and those without which it is another table. The
/// first column of members is the number that tells them apart.
pub(super) struct Table {
    pub(super) names: &'static [&'static str],
    pub(super) columns: &'static [&'static str],
    pub(super) required: &'static [&'static str],
}

/// What a row of the members' table is.
pub(super) enum Reading {
    Member(Draft),
    /// Nobody who signs in, and why.
    Skip(&'static str),
}

/// A member as the forum tells of them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Draft {
    /// Ties the rows of the side tables to it.
    pub(super) id: Option<i64>,
    pub(super) name: String,
    pub(super) full_name: Option<String>,
    pub(super) email: Option<String>,
    /// By number; what they are called is told elsewhere.
    pub(super) groups: Vec<i64>,
    pub(super) ranks: Vec<Rank>,
    /// Why they may not sign in.
    pub(super) off: Option<&'static str>,
    pub(super) hash: Option<Vec<u8>>,
    pub(super) salt: Option<Vec<u8>>,
}

/// What a group makes of its members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Rank {
    Admins,
    Moderators,
    /// Everybody is in it.
    Nobody,
    /// Its members may not sign in.
    Off(&'static str),
    Named(String),
}

/// Something told of a member in another table.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fact {
    Group(i64),
    Hash(Box<[u8]>),
    Off(&'static str),
    Rank(Rank),
}

/// What a row of a side table is.
pub(super) enum Aside {
    /// The member of this name is banned.
    Banned(String),
    Group(i64, Rank),
    Nothing,
    Of(Option<i64>, Fact),
}

pub(super) const BANNED: &str = "banned";
pub(super) const GUEST: &str = "a guest or a bot";
pub(super) const UNVERIFIED: &str = "not activated yet";

/// How the members of this origin are kept.
pub(super) fn shape(origin: Origin) -> &'static Shape {
    match origin {
        Origin::Csv | Origin::Json => &flat::LIST,
        Origin::Django | Origin::Spirit => &django::SHAPE,
        Origin::FlaskBb => &flaskbb::SHAPE,
        Origin::FluxBb => &punbb::FLUXBB,
        Origin::Htpasswd => &flat::HTPASSWD,
        Origin::Ipb => &ipb::SHAPE,
        Origin::MediaWiki => &mediawiki::SHAPE,
        Origin::MyBb => &mybb::SHAPE,
        Origin::Passgate => &flat::PASSGATE,
        Origin::PhpBb => &phpbb::SHAPE,
        Origin::PunBb => &punbb::PUNBB,
        Origin::Smf => &smf::SHAPE,
        Origin::VBulletin => &vbulletin::SHAPE,
        Origin::WordPress => &wordpress::SHAPE,
        Origin::XenForo => &xenforo::SHAPE,
    }
}

/// The bytes of a column, to be kept.
fn kept(row: &Row<'_>, column: &str) -> Option<Vec<u8>> {
    row.bytes(column).map(<[u8]>::to_vec)
}

/// A group by what it is called, if it is none of the `stock`.
fn group(id: Option<i64>, title: Option<String>, stock: fn(i64) -> Option<Rank>) -> Aside {
    let Some(id) = id else { return Aside::Nothing };
    let rank = stock(id).or_else(|| title.map(|title| Rank::Named(unescaped(&title))));
    rank.map_or(Aside::Nothing, |rank| Aside::Group(id, rank))
}

fn nothing(_: &str, _: &Row<'_>, _: i64) -> Aside {
    Aside::Nothing
}

fn no_stock(_: i64) -> Option<Rank> {
    None
}

/// Takes back what PHP's `htmlspecialchars` did to a text.
fn unescaped(text: &str) -> String {
    const ENTITIES: [(&str, char); 6] =
        [("&amp;", '&'), ("&lt;", '<'), ("&gt;", '>'), ("&quot;", '"'), ("&#039;", '\''), ("&#39;", '\'')];
    let mut made = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        made.push_str(&rest[..at]);
        rest = &rest[at..];
        let found = ENTITIES.iter().find(|(entity, _)| rest.starts_with(entity));
        let (length, letter) = found.map_or((1, '&'), |(entity, letter)| (entity.len(), *letter));
        made.push(letter);
        rest = &rest[length..];
    }
    made + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entities_are_taken_back_once() {
        assert_eq!(unescaped("Tom &amp; &quot;J&quot; &lt;3 &#039;s &#39;"), "Tom & \"J\" <3 's '");
        assert_eq!(unescaped("&amp;lt; & &nope; ä"), "&lt; & &nope; ä");
    }
}
