//! Connections, on files of SQLite's. With servers: `tests/apps/databases.rs`.

use std::fs;
use std::path::Path;

use super::*;

fn terms(purpose: Purpose) -> Terms {
    let limit = Duration::from_secs(10);
    Terms { purpose, connect: limit, answer: limit }
}

fn access(path: &Path) -> DatabaseAccess {
    DatabaseAccess { url: DatabaseUrl::File(path.to_owned()), password: None }
}

async fn opened(path: &Path, purpose: Purpose) -> Connection {
    Connection::open(&access(path), &terms(purpose)).await.unwrap()
}

/// A database with a table, and a connection that may write.
async fn database(folder: &tempfile::TempDir) -> Connection {
    let path = folder.path().join("forum.db");
    fs::write(&path, "").unwrap();
    let mut connection = opened(&path, Purpose::Write).await;
    connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, raw BLOB)", &[]).await.unwrap();
    connection
}

async fn all(connection: &mut Connection, statement: &str) -> Vec<Row> {
    let mut rows = connection.rows(statement, &[]).await.unwrap();
    let mut all = Vec::new();
    while let Some(row) = rows.next().await.unwrap() {
        all.push(row);
    }
    all
}

#[tokio::test]
async fn parameters_go_in_and_the_same_bytes_come_out() {
    let folder = tempfile::tempdir().unwrap();
    let mut connection = database(&folder).await;
    let insert = "INSERT INTO t (id, name, raw) VALUES (?, ?, ?), (8, NULL, '')";
    let name = "it's \"?\" – ä";
    let parameters = [Parameter::Number(7), Parameter::Text(name), Parameter::Bytes(&[0, 0xff, b'\''])];
    assert_eq!(connection.execute(insert, &parameters).await, Ok(2));
    let rows = all(&mut connection, "SELECT id, name, raw FROM t ORDER BY id").await;
    assert_eq!((rows[0].number(0), rows[0].text(1).as_deref()), (Some(7), Some(name)));
    assert_eq!(
        (rows[0].bytes(2), rows[1].bytes(1), rows[1].bytes(2)),
        (Some(&[0, 0xff, b'\''][..]), None, Some(&[][..]))
    );
    assert_eq!(
        connection.execute("UPDATE t SET name = name WHERE id > ?", &[Parameter::Number(7)]).await,
        Ok(1)
    );
    let null = [Parameter::Null];
    assert_eq!(connection.execute("DELETE FROM t WHERE name IS ?", &null).await, Ok(1));
}

#[tokio::test]
async fn rows_need_not_be_read_to_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let mut connection = database(&folder).await;
    let many =
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) SELECT i FROM n";
    for _ in 0..3 {
        let mut rows = connection.rows(many, &[]).await.unwrap();
        assert_eq!(rows.next().await.unwrap().unwrap().number(0), Some(1));
    }
    assert_eq!(all(&mut connection, many).await.len(), 5000);
}

#[tokio::test]
async fn a_transaction_that_is_not_committed_did_not_happen() {
    let folder = tempfile::tempdir().unwrap();
    let mut connection = database(&folder).await;
    for (id, commits) in [(1, false), (2, true), (3, false)] {
        let mut transaction = connection.begin().await.unwrap();
        transaction.execute("INSERT INTO t (id) VALUES (?)", &[Parameter::Number(id)]).await.unwrap();
        transaction.execute("INSERT INTO t (id) VALUES (?)", &[Parameter::Number(id * 10)]).await.unwrap();
        if commits {
            transaction.commit().await.unwrap();
        }
    }
    let ids: Vec<_> =
        all(&mut connection, "SELECT id FROM t ORDER BY id").await.iter().map(|row| row.number(0)).collect();
    assert_eq!(ids, [Some(2), Some(20)]);
}

#[tokio::test]
async fn what_is_read_in_a_transaction_is_of_one_moment_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut writer = database(&folder).await;
    // Only so does SQLite let others write meanwhile.
    assert_eq!(all(&mut writer, "PRAGMA journal_mode = WAL").await[0].bytes(0), Some(&b"wal"[..]));
    writer.execute("INSERT INTO t (id) VALUES (1)", &[]).await.unwrap();
    let mut reader = opened(&folder.path().join("forum.db"), Purpose::Read).await;
    let mut snapshot = reader.begin().await.unwrap();
    let count = "SELECT count(*) FROM t";
    assert_eq!(snapshot.rows(count, &[]).await.unwrap().next().await.unwrap().unwrap().number(0), Some(1));
    writer.execute("INSERT INTO t (id) VALUES (2)", &[]).await.unwrap();
    assert_eq!(snapshot.rows(count, &[]).await.unwrap().next().await.unwrap().unwrap().number(0), Some(1));
    let refused = snapshot.execute("DELETE FROM t", &[]).await.unwrap_err();
    assert!(matches!(refused, DatabaseError::Refused { .. }), "{refused}");
    drop(snapshot);
    assert_eq!(all(&mut reader, count).await[0].number(0), Some(2));
}

#[tokio::test]
async fn what_goes_wrong_is_told_without_the_values() {
    let folder = tempfile::tempdir().unwrap();
    let mut connection = database(&folder).await;
    let error = connection.rows("SELECT x FROM nowhere", &[]).await.err().unwrap();
    assert!(error.to_string().contains("no such table: nowhere") && !error.ends_connection(), "{error}");
    let insert = "INSERT INTO t (id, name) VALUES (1, ?)";
    let secret = [Parameter::Text("hunter2")];
    connection.execute(insert, &secret).await.unwrap();
    let error = connection.execute(insert, &secret).await.unwrap_err();
    assert!(error.to_string().contains("UNIQUE") && !error.to_string().contains("hunter2"), "{error}");
    assert_eq!(all(&mut connection, "SELECT 1").await.len(), 1, "it can be used on");
    for (name, content) in
        [("none.db", None), ("text.db", Some("no database at all, however long this text may be"))]
    {
        let path = folder.path().join(name);
        if let Some(content) = content {
            fs::write(&path, content).unwrap();
        }
        let error = Connection::open(&access(&path), &terms(Purpose::Read)).await.err().unwrap();
        assert!(matches!(&error, DatabaseError::Unreachable { at, .. } if at.ends_with(name)), "{error}");
    }
}

#[tokio::test]
async fn an_answer_that_was_not_waited_for_ends_the_use_of_a_connection() {
    let folder = tempfile::tempdir().unwrap();
    let mut connection = database(&folder).await;
    {
        let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM (SELECT i FROM n LIMIT 20000000)";
        let mut rows = connection.rows(endless, &[]).await.unwrap();
        let next = std::pin::pin!(rows.next());
        assert!(futures_util::poll!(next).is_pending());
    }
    let error = connection.execute("SELECT 1", &[]).await.unwrap_err();
    assert!(matches!(error, DatabaseError::Lost { .. }) && error.ends_connection(), "{error}");
}
