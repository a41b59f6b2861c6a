//! What does not work: a wrong secret, a database that is away or lacks a table, a forum that is away. It is said, once in a
//! while, and without anything secret.

use super::*;
use crate::database::DatabaseError;

#[tokio::test]
async fn with_a_wrong_secret_members_are_guests_and_neither_forum_nor_log_is_flooded() {
    for preset in ["smf", "fluxbb"] {
        let site = Site::with_secret(kind(preset), "another-secret-of-another-forum").await;
        let bridge = site.bridge();
        let log = Log::start();
        for _ in 0..20 {
            assert!(matches!(known(&bridge, 1).await, Known::Anonymous), "{preset}");
            assert!(matches!(known(&bridge, 2).await, Known::Anonymous), "{preset}");
        }
        assert_eq!(site.server.calls().len(), 1, "{preset}");
        let said = log.text();
        assert_eq!(said.matches("does not take the cookies").count(), 1, "{preset}: {said}");
        for secret in ["another-secret", "$2y$", "a1b2c3d4"] {
            assert!(!said.contains(secret), "{preset}: {said}");
        }
        // An hour of requests, one each second.
        for _ in 0..3600 {
            site.server.clock.advance(Duration::from_secs(1));
            known(&bridge, 1).await;
        }
        let tries = site.server.calls().len();
        assert!((7..=13).contains(&tries), "{preset}: {tries}");
    }
}

#[tokio::test]
async fn a_missing_table_is_named() {
    for (preset, table) in [
        ("phpbb", "phpbb_users"),
        ("phpbb", "phpbb_config"),
        ("phpbb", "phpbb_banlist"),
        ("phpbb", "phpbb_sessions_keys"),
        ("smf", "smf_settings"),
        ("mybb", "mybb_usergroups"),
        ("fluxbb", "flux_bans"),
        ("punbb", "users"),
    ] {
        let site = Site::start(kind(preset)).await;
        site.tables.run(&format!("DROP TABLE {table}"));
        let why = site.refused("alice").await;
        let Unminted::Database(error @ DatabaseError::Refused { .. }) = why else { panic!("{why:?}") };
        assert!(error.to_string().contains(table), "{error}");
    }
}

#[tokio::test]
async fn while_the_database_is_away_members_are_guests_and_afterwards_they_are_not() {
    let kind = kind("mybb");
    let site = Site::start(kind).await;
    let (path, aside) = (site.tables.path(), site.tables.path().with_extension("aside"));
    std::fs::rename(&path, &aside).unwrap();
    let bridge = site.bridge();
    let log = Log::start();
    assert!(matches!(known(&bridge, 1).await, Known::Anonymous));
    let said = log.text();
    assert!(said.contains("can't be reached") && said.contains("forum.db"), "{said}");
    let why = site.refused("bob").await;
    assert!(matches!(&why, Unminted::Database(DatabaseError::Unreachable { .. })), "{why:?}");
    std::fs::rename(&aside, &path).unwrap();
    assert_eq!(site.refused("bob").await, why, "it is left alone for a while, for everybody");
    site.server.clock.advance(Duration::from_secs(10));
    assert!(matches!(known(&bridge, 1).await, Known::Cookies(_)));
}

#[tokio::test]
async fn while_the_forum_is_away_nothing_stays_in_its_database() {
    let kind = kind("phpbb");
    let tables = Tables::of(kind);
    let away = |_: &super::super::server::Call| super::super::server::Reply::page("restarting").status(502);
    let server = Server::start(Box::new(away)).await;
    let forum = forum(&server, Preset::shipped("phpbb").unwrap(), "/");
    let minter = minter(kind, &tables.path(), "");
    let report = forum.mint(&minter, "alice", &visitor(1)).await;
    assert_eq!(said(&report.login), "unavailable", "{report:#?}");
    assert_eq!(tables.count("phpbb_sessions_keys"), 1, "the member's own");
}

#[tokio::test]
async fn nothing_secret_is_in_what_is_said_of_it() {
    for kind in &KINDS {
        let site = Site::start(kind).await;
        let report = site.mint("alice").await;
        let told = format!("{report:?} {:?}", site.minter);
        for secret in [SEED, "$2y$", "$argon2", "l0ginKey", "49rg", "a1b2c3d4", "renewed"] {
            assert!(!told.contains(secret), "{}: {told}", kind.preset);
        }
    }
}
