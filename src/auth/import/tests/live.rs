//! The same members out of a database, one of SQLite's. With servers: `tests/apps/databases.rs`.

use std::fmt::Write as _;
use std::fs;
use std::time::Duration;

use super::*;
use crate::database::{Connection, DatabaseAccess, DatabaseUrl, Purpose, Terms};

const LIMIT: Duration = Duration::from_secs(10);

/// A database that holds what these statements insert, each `INSERT INTO table (columns) VALUES …`.
async fn database(folder: &tempfile::TempDir, statements: &str) -> DatabaseAccess {
    let path = folder.path().join("forum.db");
    fs::write(&path, "").unwrap();
    let access = DatabaseAccess { url: DatabaseUrl::File(path), password: None };
    let terms = Terms { purpose: Purpose::Write, connect: LIMIT, answer: LIMIT };
    let mut forum = Connection::open(&access, &terms).await.unwrap();
    for insert in statements.replace("\\\"", "\"").split("INSERT INTO ").skip(1) {
        let table = insert.split_once(" VALUES").unwrap().0;
        forum.execute(&format!("CREATE TABLE IF NOT EXISTS {table}"), &[]).await.unwrap();
        forum.execute(&format!("INSERT INTO {insert}"), &[]).await.unwrap();
    }
    access
}

/// All that a database gives.
pub(super) fn all(
    origin: Origin,
    prefix: Option<&str>,
    statements: &str,
) -> (Vec<Candidate>, Report, Result<(), Unusable>) {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (mut members, mut report) = (Vec::new(), Report::default());
    let ended = runtime.block_on(async {
        let access = database(&folder, statements).await;
        let terms = Terms { purpose: Purpose::Read, connect: LIMIT, answer: LIMIT };
        let mut connection = Connection::open(&access, &terms).await?;
        let forum = connection.begin().await?;
        let mut live = Live::find(origin, prefix, now(), forum, &mut report).await?;
        let mut rows = 0;
        loop {
            let page = live.page().await?;
            if page.is_empty() {
                break;
            }
            rows += page.len() as u64;
            live.hand_out(&page, &mut report, &mut |_, member| {
                members.push(member);
                true
            });
        }
        assert_eq!(rows, live.count());
        Ok(())
    });
    (members, report, ended)
}

#[test]
fn a_problem_names_the_row_by_table_and_key() {
    let rows = "INSERT INTO my_users (uid, username, password, salt, email, usergroup) VALUES (4,'Alice','h','s','a@x.example',2),\
                (9,'ALICE','h','s','',2),(12,'','h','s','',2),(15,'bob','h','s','A@x.example',2);";
    let (found, report, ended) = all(Origin::MyBb, None, rows);
    assert_eq!((found.len(), report.failed, ended), (2, 2, Ok(())));
    let told: Vec<_> = report.problems.iter().map(ToString::to_string).collect();
    let unseen = |table: &str| {
        format!(
            "no table {table} was seen; if the forum has one, let the user SELECT from it and run this again"
        )
    };
    assert_eq!(told[..2], [unseen("my_usergroups"), unseen("my_banned")], "bans would be overlooked");
    assert_eq!(
        told[2..],
        [
            "my_users, uid 9: \"ALICE\" is the same name as the one in my_users, uid 4",
            "my_users, uid 12: the name is empty"
        ]
    );
    assert_eq!(found[1].notes.last().unwrap(), "the e-mail address is also that of my_users, uid 4");
    assert_eq!(
        serde_json::to_string(&report.problems[3]).unwrap(),
        "{\"line\":0,\"row\":\"my_users, uid 12\",\"reason\":\"the name is empty\"}"
    );
}

#[test]
fn members_of_many_pages_come_each_once_and_in_the_order_of_their_key() {
    let mut rows = String::from(
        "INSERT INTO users (id, group_id, username, password, email) VALUES (9000,4,'last','h','')",
    );
    (2..2_502).rev().for_each(|id| write!(rows, ",({id},4,'m{id}','h','')").unwrap());
    let (found, _, ended) = all(Origin::FluxBb, None, &rows);
    let keys: Vec<_> = found.iter().map(|member| member.line).collect();
    assert_eq!((keys, ended), ((2..2_502).chain([9_000]).collect(), Ok(())));
}

#[test]
fn a_database_is_asked_for_the_prefix_only_if_there_is_a_choice() {
    let both = format!("{PHPBB}{}", PHPBB.replace("forum_", "old_").replace("'boss'", "'chief'"));
    let error = all(Origin::PhpBb, None, &both).2.unwrap_err().to_string();
    assert!(error.contains("\"forum_\" (forum_users), \"old_\" (old_users)"), "{error}");
    let (found, _, ended) = all(Origin::PhpBb, Some("OLD_"), &both);
    let lines: Vec<_> = found.iter().map(told).collect();
    assert!(ended.is_ok() && lines.contains(&"chief | - | admins | -".to_owned()), "{lines:?}");
    assert!(lines.contains(&"Tom & \"J\" | - | Bird & Co | -".to_owned()), "{lines:?}");
    let others = "INSERT INTO wp_users (ID, user_login, user_pass) VALUES (1,'x','y');";
    assert_eq!(all(Origin::PhpBb, None, &format!("{PHPBB}{others}")).2, Ok(()));
    let error = all(Origin::Smf, None, PHPBB).2.unwrap_err().to_string();
    assert!(error.contains("grant the user SELECT on …members"), "{error}");
}

#[test]
fn a_key_that_is_no_number_ends_the_reading() {
    let rows = "INSERT INTO users (id, group_id, username, password, email) VALUES (2,4,'a','h',''),('x',4,'b','h','');";
    let error = all(Origin::FluxBb, None, rows).2.unwrap_err();
    assert!(error.to_string().starts_with("the column id does not hold a number"), "{error}");
}

#[test]
fn bytes_that_are_no_text_are_read_as_a_dump_of_them_would_be() {
    let rows = "INSERT INTO users (id, group_id, username, password, email) VALUES (2,4,CAST(x'5A6FEB' AS TEXT),'h',''),\
                (3,4,x'5A6FC3AB21','h',''),(4,4,printf('%.20000c','x'),'h','');";
    let (found, report, _) = all(Origin::FluxBb, None, rows);
    let names: Vec<_> = found.iter().map(|member| member.member.name.as_str()).collect();
    assert_eq!(names, ["Zoë", "Zoë!"]);
    assert_eq!(report.problems.last().unwrap().to_string(), "users, id 4: username is far too long");
}
