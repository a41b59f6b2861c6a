//! Who gets no session: whoever the forum's own sign-in would not let in, and everybody whose name is not exactly a member's.

use super::*;

#[tokio::test]
async fn auth_15_a_name_is_a_members_in_exactly_their_own_spelling() {
    for kind in &KINDS {
        let site = Site::start(kind).await;
        for name in ["ALICE", "Alice"] {
            assert_eq!(site.refused(name).await, Unminted::OtherSpelling, "{}", kind.preset);
        }
        for name in ["alice ", "nobody", "alice' OR '1'='1", "%", ""] {
            assert_eq!(site.refused(name).await, Unminted::NotThere, "{} {name:?}", kind.preset);
        }
        assert!(site.server.calls().is_empty(), "{}: the forum is not asked about them", kind.preset);
    }
    // As phpBB has it in its table.
    let site = Site::start(kind("phpbb")).await;
    assert_eq!(site.mint("a&b \"c\" <d>").await.name.as_deref(), Some("a&b \"c\" <d>"));
    assert_eq!(site.refused("a&amp;b &quot;c&quot; &lt;d&gt;").await, Unminted::NotThere);
}

#[tokio::test]
async fn guests_bots_the_banned_and_the_inactive_get_none_and_whose_ban_is_over_does() {
    for (preset, refused) in [
        ("phpbb", &[("Anonymous", Unminted::Inactive), ("Googlebot", Unminted::Inactive)][..]),
        ("smf", &[("careful", Unminted::SecondFactor)]),
        ("mybb", &[]),
        ("fluxbb", &[("Guest", Unminted::Inactive)]),
        ("punbb", &[("Guest", Unminted::Inactive), ("spammer", Unminted::Banned)]),
    ] {
        let site = Site::start(kind(preset)).await;
        let all = [("banned", Unminted::Banned), ("inactive", Unminted::Inactive)];
        for (name, why) in all.iter().chain(refused) {
            assert_eq!(site.refused(name).await, *why, "{preset} {name}");
        }
        assert!(site.server.calls().is_empty(), "{preset}");
        if preset != "smf" {
            site.minted("returned").await;
        }
    }
    // A ban is of none whom another line spares, and of none who founded the board or runs it.
    let site = Site::start(kind("phpbb")).await;
    site.minted("spared").await;
    site.minted("admin").await;
    Site::start(kind("fluxbb")).await.minted("admin").await;
    Site::start(kind("fluxbb")).await.minted("spammer").await;
}

#[tokio::test]
async fn a_second_factor_of_smf_counts_only_where_the_forum_asks_for_it() {
    let site = Site::start(kind("smf")).await;
    site.tables.run("UPDATE smf_settings SET value = '0' WHERE variable = 'tfa_mode'");
    site.minted("careful").await;
}

#[tokio::test]
async fn what_the_database_says_of_the_cookies_counts() {
    let site = Site::start(kind("phpbb")).await;
    let misconfigured = |why: Unminted| match why {
        Unminted::Misconfigured(said) => said,
        other => panic!("{other:?}"),
    };
    site.tables.run("UPDATE phpbb_config SET config_value = '0' WHERE config_name = 'allow_autologin'");
    let said = misconfigured(site.refused("alice").await);
    assert!(said.contains("allow_autologin"), "{said}");
    site.tables.run("UPDATE phpbb_config SET config_value = '1' WHERE config_name = 'allow_autologin'");
    site.tables.run("UPDATE phpbb_config SET config_value = 'board' WHERE config_name = 'cookie_name'");
    let said = misconfigured(site.refused("alice").await);
    assert!(said.contains("\"board_u\"") && said.contains("cookies.session"), "{said}");

    let site = Site::start(kind("mybb")).await;
    let said = misconfigured(site.refused("keyless").await);
    assert!(said.contains("login key"), "{said}");
    site.tables.run("UPDATE mybb_settings SET value = 'x_' WHERE name = 'cookieprefix'");
    let said = misconfigured(site.refused("alice").await);
    assert!(said.contains("\"x_mybbuser\""), "{said}");

    let site = Site::start(kind("smf")).await;
    site.tables.run("UPDATE smf_settings SET value = '1' WHERE variable = 'localCookies'");
    // This forum was told otherwise.
    assert_eq!(site.refused("alice").await, Unminted::NotTaken);
}

#[tokio::test]
async fn two_rows_of_one_name_are_nobodys() {
    let site = Site::start(kind("punbb")).await;
    site.tables.run("INSERT INTO users VALUES (77, 4, 'alice', 'a@forum.test', 'x', 'y')");
    assert!(matches!(site.refused("alice").await, Unminted::Misconfigured(_)));
}
