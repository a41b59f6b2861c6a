//! What each kind of dump says is what is read; whatever is done to a dump, nothing else is.

use proptest::prelude::*;

use super::super::record::Value;
use super::*;

const WANTED: &[&str] = &["id", "name", "hash"];

/// Rows of the table `t`, as line and values. A value is `None` for NULL and for what is not there.
type Rows = Vec<(u64, Vec<Option<Vec<u8>>>)>;

#[derive(Default)]
struct Collected {
    rows: Rows,
    faults: Vec<String>,
}

impl Tables for Collected {
    fn wants(&mut self, table: &str, _: &[String]) -> Option<&'static [&'static str]> {
        (table == "t").then_some(WANTED)
    }

    fn row(&mut self, table: &str, row: Row<'_>) -> Result<(), Broken> {
        assert_eq!(table, "t");
        match row.fault() {
            Some(fault) => self.faults.push(fault),
            None => {
                let values = row.values.iter().map(|value| value.bytes().map(<[u8]>::to_vec));
                self.rows.push((row.line, values.collect()));
            }
        }
        Ok(())
    }
}

fn read(dump: &[u8]) -> (Collected, Result<(), Broken>) {
    let mut collected = Collected::default();
    let ended = Dump::new(Box::new(dump)).read(&mut collected);
    (collected, ended)
}

#[track_caller]
fn rows(dump: &str) -> Vec<Vec<Option<String>>> {
    let (collected, ended) = read(dump.as_bytes());
    assert_eq!(ended, Ok(()), "{dump}");
    assert!(collected.faults.is_empty(), "{:?}", collected.faults);
    let text = |value: Option<Vec<u8>>| value.map(|bytes| String::from_utf8(bytes).unwrap());
    collected.rows.into_iter().map(|(_, values)| values.into_iter().map(text).collect()).collect()
}

/// The names of a dump whose table is `t(id, name)`.
#[track_caller]
fn names(dump: &str) -> Vec<String> {
    rows(dump).into_iter().map(|mut row| row.remove(1).unwrap_or_else(|| "NULL".to_owned())).collect()
}

const MYSQL: &str = "CREATE TABLE `t` (\n  `id` int(10) DEFAULT 'a,)\\'b' COMMENT ', `x` (',\n  `name` varchar(9) CHECK (`id` in (1,2)),\n  \
    `hash` enum('a','b)'),\n  PRIMARY KEY (`id`),\n  UNIQUE KEY `name` (`name`(25))\n) ENGINE=x COMMENT='; `';\n";

#[test]
fn mysql_texts_with_every_escape_are_read() {
    let dump = format!(
        "{MYSQL}INSERT INTO `t` VALUES (1,'it\\'s ''q'' \\\\ \\n\\0\\Z\\%\\x','a'),(-2,_binary 'x;y',NULL)\n,(3.5e-2,0x4142,X'43');"
    );
    let one = |text: &str| Some(text.to_owned());
    assert_eq!(
        rows(&dump),
        [
            [one("1"), one("it's 'q' \\ \n\0\u{1a}\\%x"), one("a")],
            [one("-2"), one("x;y"), None],
            [one("3.5e-2"), one("AB"), one("C")],
        ]
    );
}

#[test]
fn statements_may_name_their_columns_in_any_order_and_way() {
    for insert in [
        "INSERT INTO t (hash, x, NAME) VALUES ('h', 1, 'n');",
        "insert ignore into `db`.`t` (`hash`,`x`,`name`) values ('h',1,'n');",
        "REPLACE INTO \"public\".\"t\" (\"hash\", \"x\", \"name\") VALUES ('h', 1, 'n') ON CONFLICT DO NOTHING;",
        "INSERT INTO [dbo].[t] ([hash], [x], [name]) VALUES (N'h', -1, N'n');",
        "/*!40000 INSERT INTO t (hash, x, name) VALUES ('h', /* ; */ 1, -- it's\n 'n') */;",
        "INSERT OR IGNORE INTO t(hash,x,name)VALUES('h',DEFAULT,\"n\")",
    ] {
        let dump = format!("{insert}\n;SELECT 1;");
        assert_eq!(rows(&dump), [[None, Some("n".to_owned()), Some("h".to_owned())]], "{insert}");
    }
}

#[test]
fn what_looks_like_rows_in_comments_texts_and_triggers_is_none() {
    let dump = format!(
        "-- INSERT INTO t VALUES (1,'a','b');\n# INSERT INTO t VALUES (1,'a','b');\n/* INSERT INTO t VALUES (1,'a','b'); */\n\
         /*M!999999\\- enable the sandbox mode */\n{MYSQL}\
         INSERT INTO other (x) VALUES ('); INSERT INTO t VALUES (1,\\'a\\',2);'), (\"; `\"), (`;'`);\n\
         DELIMITER ;;\nCREATE TRIGGER x BEGIN INSERT INTO t VALUES (1,'a','b'); END;;\nDELIMITER ;\n\
         INSERT INTO t SELECT * FROM other;\nINSERT INTO t VALUES (1,'only',2);"
    );
    assert_eq!(names(&dump), ["only"]);
    let sqlite = "PRAGMA foreign_keys=OFF;\nCREATE TABLE t(id, name);\n\
        CREATE TRIGGER x AFTER INSERT ON t BEGIN INSERT INTO t VALUES(1,'a'); SELECT 1; END;\nINSERT INTO t VALUES(1,'only');";
    assert_eq!(names(sqlite), ["only"]);
    let postgres = "SET standard_conforming_strings = on;\nCREATE FUNCTION f() AS $body$ INSERT INTO t(name) VALUES ('a'); $body$;\n\
        INSERT INTO t (name) VALUES ($x$only$x$);";
    assert_eq!(names(postgres), ["only"]);
}

#[test]
fn a_backslash_escapes_where_the_dump_says_so_and_nowhere_else() {
    let insert = "INSERT INTO t (id, name) VALUES (1, 'a\\'), (2, 'b');";
    for plain in [
        "PRAGMA foreign_keys=OFF;",
        "SET standard_conforming_strings = on;",
        "/*!40101 SET SQL_MODE='ANSI_QUOTES,NO_BACKSLASH_ESCAPES' */;",
        "-- PostgreSQL database dump\n",
    ] {
        assert_eq!(names(&format!("{plain}\n{insert}")), ["a\\", "b"], "{plain}");
    }
    let back = "SET sql_mode = 'NO_BACKSLASH_ESCAPES'; /*!40101 SET SQL_MODE=@OLD_SQL_MODE */;";
    for escapes in ["", back, "SET standard_conforming_strings = off;"] {
        let dump = format!("{escapes}\nINSERT INTO t (id, name) VALUES (1, 'a\\'), (2, ');");
        assert_eq!(names(&dump), ["a'), (2, "], "{escapes}");
    }
}

#[test]
fn pg_dump_is_read_both_ways() {
    let copy = "--\n-- PostgreSQL database dump\n--\n\\restrict x\nCOPY public.other (a) FROM stdin;\nINSERT INTO t VALUES (1);\n\\.\n\n\
        COPY public.\"t\" (id, name, x, hash) FROM stdin;\n1\ta\\tb\\\\c\\n\\101\\x42\t\\N\t\\\\x4142\n2\t\t;\t\\N\n\\.\n\nSELECT 1;\n";
    let one = |text: &str| Some(text.to_owned());
    assert_eq!(rows(copy), [[one("1"), one("a\tb\\c\nAB"), one("AB")], [one("2"), one(""), None]]);
    let inserts = "SET client_encoding = 'UTF8';\nINSERT INTO public.t (id, name, hash) OVERRIDING SYSTEM VALUE VALUES \
        (1, E'a\\tb\\\\c\\u00e4\\101''', '\\x4142'::bytea), (true, $$it's$$, 'x'::character varying);";
    assert_eq!(rows(inserts), [[one("1"), one("a\tb\\cäA'"), one("AB")], [one("1"), one("it's"), one("x")]]);
}

#[test]
fn sqlite_dumps_with_their_functions_are_read() {
    let dump = "PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\nCREATE TABLE IF NOT EXISTS \"t\" (id integer, \"name\" text DEFAULT ('x'), hash);\n\
        INSERT INTO t VALUES(1,replace(replace('a\\nb\\r','\\r',char(13)),'\\n',char(10)),X'6869');\n\
        INSERT INTO t VALUES(2,unistr('a\\u000ab\\\\'),CAST(X'6869' AS TEXT));\n\
        INSERT INTO t VALUES(3,'a'||char(9)||'b',now());\nCOMMIT;\n";
    let (collected, ended) = read(dump.as_bytes());
    assert_eq!(ended, Ok(()));
    let names: Vec<_> = collected.rows.iter().map(|(line, row)| (*line, row[1].clone().unwrap())).collect();
    assert_eq!(names, [(4, b"a\nb\r".to_vec()), (5, b"a\nb\\".to_vec())]);
    assert!(collected.rows.iter().all(|(_, row)| row[2].as_deref() == Some(b"hi")));
    assert_eq!(collected.faults, ["hash is computed by the database, not written in the file"]);
}

#[test]
fn broken_rows_are_told_and_the_next_ones_read() {
    let long = "x".repeat(Value::MOST + 1);
    let dump = format!("INSERT INTO t (id, name) VALUES (1), (2,'{long}'), (3,'c',4), (5,'e');");
    let (collected, ended) = read(dump.as_bytes());
    assert_eq!(ended, Ok(()));
    assert_eq!(collected.rows.len(), 1);
    let faults = [
        "the row has 1 values, the table 2 columns",
        "name is far too long",
        "the row has 3 values, the table 2 columns",
    ];
    assert_eq!(collected.faults, faults);
}

#[test]
fn what_makes_no_sense_is_told_with_its_line() {
    for (dump, line, part) in [
        ("SELECT 1;\nINSERT INTO t (id, name) VALUES\n(1, 'a'),\n(2, 'b\n);\n", 4, "text"),
        ("\nINSERT INTO t VALUES (1);", 2, "names its columns"),
        ("INSERT INTO t (id, name) VALUES (1 2);", 1, "`,` or `)`"),
        ("INSERT INTO t (id, name) VALUES (1, );", 1, "value should stand"),
        ("INSERT INTO t (id name) VALUES (1, 2);", 1, "names of columns"),
        ("/* x", 1, "comment"),
        ("INSERT INTO t (`id) VALUES (1);", 1, "name that begins"),
        ("INSERT INTO t (id) VALUES (X'4');", 1, "half a byte"),
        ("COPY t (id, name) FROM stdin;\n1\ta\n", 3, "cut off"),
        ("COPY t (id, name) FROM stdin WITH (FORMAT csv);\n1,a\n\\.\n", 2, "another form"),
        ("CREATE TABLE t (id", 1, "definition"),
    ] {
        let broken = read(dump.as_bytes()).1.unwrap_err();
        assert!(broken.line == line && broken.reason.contains(part), "{dump}: {broken}");
    }
    let nested = format!("INSERT INTO t (id) VALUES ({}1{});", "(".repeat(100_000), ")".repeat(100_000));
    assert!(read(nested.as_bytes()).1.unwrap_err().reason.contains("too deep"));
}

#[test]
fn character_sets_count_only_for_what_is_not_utf_8() {
    let text = |dump: &[u8]| {
        let mut texts = Texts(Vec::new());
        Dump::new(Box::new(dump)).read(&mut texts).unwrap();
        texts.0.remove(0)
    };
    assert_eq!(text(b"INSERT INTO t (name) VALUES ('Zo\xeb \x80');"), "Zoë €");
    assert_eq!(text("/*!40101 SET NAMES latin1 */;INSERT INTO t (name) VALUES ('Zoë');".as_bytes()), "Zoë");
    assert_eq!(text(b"SET NAMES 'cp1251' COLLATE 'x';INSERT INTO t (name) VALUES ('\xcf\xf0');"), "Пр");
    assert_eq!(text(b"SET client_encoding = 'WIN1251';INSERT INTO t (name) VALUES ('\xcf\xf0');"), "Пр");
}

struct Texts(Vec<String>);

impl Tables for Texts {
    fn wants(&mut self, _: &str, _: &[String]) -> Option<&'static [&'static str]> {
        Some(WANTED)
    }

    fn row(&mut self, _: &str, row: Row<'_>) -> Result<(), Broken> {
        self.0.extend(row.text("name"));
        Ok(())
    }
}

const EVERYTHING: &str = "/*M!999999\\- enable the sandbox mode */ \n/*!40101 SET NAMES utf8mb4 */;\n\
    CREATE TABLE `t` (`id` int, `name` text, `hash` text, KEY `x` (`id`)) COMMENT='a;b';\n\
    INSERT INTO `t` VALUES (1,'al''ice\\'',_binary '\\0x'),(2,'b\\\\ob',NULL),\n(3,0x41,-1.5);\n-- x\n\
    INSERT INTO u (a) VALUES ('; INSERT INTO t (id) VALUES (9);');\n# y\nREPLACE INTO t (name, id) VALUES ('carol', 4);\n\
    COPY public.t (id, name) FROM stdin;\n5\td\\tave\n6\t\\N\n\\.\nINSERT INTO t (id, name) VALUES (7, E'e\\'v'), (8, $x$e$$v$x$);\n\
    /* end */\n";

#[test]
fn a_dump_cut_anywhere_gives_the_rows_before_the_cut_and_no_other() {
    let (whole, ended) = read(EVERYTHING.as_bytes());
    assert_eq!((whole.rows.len(), ended), (8, Ok(())));
    for cut in 0..EVERYTHING.len() {
        let (part, ended) = read(&EVERYTHING.as_bytes()[..cut]);
        assert!(whole.rows.starts_with(&part.rows), "cut at {cut}: {:?}", part.rows);
        assert!(part.faults.is_empty(), "cut at {cut}: {:?}", part.faults);
        if part.rows.len() < 8 && ended.is_ok() {
            // Then the cut lies between two statements.
            let before = EVERYTHING[..cut].trim_end();
            let between =
                before.ends_with([';', '.', '/', 'x', 'y', '#', '-']) || before.is_empty() || cut < 200;
            assert!(between, "cut at {cut} unnoticed: {:?}", &before[before.len() - 20..]);
        }
    }
}

#[test]
fn a_line_longer_than_any_buffer_is_read() {
    let row = |n: u32| format!("({n},'{}','h')", "x".repeat(1_000));
    let values: Vec<_> = (0..17_000).map(row).collect();
    let dump = format!("INSERT INTO t (id, name, hash) VALUES {};", values.join(","));
    assert!(dump.len() > 16 << 20);
    assert_eq!(read(dump.as_bytes()).0.rows.len(), 17_000);
}

proptest! {
    #[test]
    fn random_changes_never_panic(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let mut dump = EVERYTHING.as_bytes().to_vec();
        for (at, byte) in changes {
            let at = at.index(dump.len());
            dump[at] = byte;
        }
        drop(read(&dump));
    }

    #[test]
    fn texts_of_all_bytes_come_back_as_they_were(text: Vec<u8>) {
        let mut quoted = Vec::new();
        for byte in &text {
            match byte {
                0 => quoted.extend(b"\\0"),
                b'\'' | b'"' | b'\\' => quoted.extend([b'\\', *byte]),
                _ => quoted.push(*byte),
            }
        }
        let dump = [b"INSERT INTO t (id, name) VALUES (1, '".as_slice(), &quoted, b"');"].concat();
        let (collected, ended) = read(&dump);
        prop_assert_eq!(ended, Ok(()));
        prop_assert_eq!(collected.rows[0].1[1].as_deref(), Some(text.as_slice()));
        let doubled: Vec<u8> = text.iter().flat_map(|byte| if *byte == b'\'' { vec![*byte; 2] } else { vec![*byte] }).collect();
        let dump = [b"PRAGMA x;INSERT INTO t (id, name) VALUES (1, '".as_slice(), &doubled, b"');"].concat();
        let (collected, _) = read(&dump);
        prop_assert_eq!(collected.rows[0].1[1].as_deref(), Some(text.as_slice()));
    }
}
