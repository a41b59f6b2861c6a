//! Files of members, from their bytes to what the store holds. What is told of a dump is told of a database as well.

mod live;

use std::io::{Read, Write};
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::auth::passwords::{Columns, Source, read};
use crate::domain::{Group, ImportMark, LinkKind, ManualClock, SetupLink, TokenHash, User, UserState};
use crate::store::{Change, MemoryStore, Store, Verdict};

fn now() -> Timestamp {
    Timestamp::from_millis(1_795_327_200_000)
}

/// All that a file gives.
fn all(origin: Origin, prefix: Option<&str>, file: &[u8]) -> (Vec<Candidate>, Report, Result<(), Unusable>) {
    let (mut members, mut report) = (Vec::new(), Report::default());
    let file = file.to_vec();
    let mut open = || Ok(Box::new(std::io::Cursor::new(file.clone())) as Box<dyn Read>);
    let ended = read_members(origin, prefix, now(), &mut open, &mut report, &mut |_, member| {
        members.push(member);
        true
    });
    (members, report, ended)
}

#[track_caller]
fn members(origin: Origin, file: &str) -> Vec<Candidate> {
    let (members, report, ended) = all(origin, None, file.as_bytes());
    assert_eq!(ended, Ok(()));
    assert_eq!((report.failed, report.problems), (0, vec![]));
    members
}

/// One member in a line: name, full name, groups, why they are kept out.
fn told(candidate: &Candidate) -> String {
    let Candidate { member, off, .. } = candidate;
    let groups: Vec<_> = member.groups.iter().map(Group::as_str).collect();
    let full_name = member.full_name.as_deref().unwrap_or("-");
    format!("{} | {full_name} | {} | {}", member.name, groups.join(", "), off.as_deref().unwrap_or("-"))
}

#[track_caller]
fn assert_told(origin: Origin, file: &str, lines: &[&str]) {
    let of_file: Vec<_> = members(origin, file).iter().map(told).collect();
    assert_eq!(of_file, lines);
    if origin.has_tables() {
        let (members, report, ended) = live::all(origin, None, file);
        assert_eq!((ended, report.failed), (Ok(()), 0));
        assert_eq!(members.iter().map(told).collect::<Vec<_>>(), lines, "the same from a database");
    }
}

fn sample(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/fixtures/import/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

const OLD: &str = "$2y$10$f9zNsrN9oZUjhp18jmHQz.McDSXrwWM4GqmUOn.m7hXEpr/c/FSyu";
const NEW: &str = "$2y$10$g9zNsrN9oZUjhp18jmHQz.McDSXrwWM4GqmUOn.m7hXEpr/c/FSyu";

/// What is stored of a hash.
fn kept(source: Source, hash: &str, salt: Option<&str>) -> String {
    let columns = Columns { hash: hash.as_bytes(), salt: salt.map(str::as_bytes), name: "alice" };
    read(source, columns).unwrap().as_str().to_owned()
}

#[test]
fn every_sample_of_a_real_forum_gives_its_three_members_with_address_and_hash() {
    for (origin, file) in [
        (Origin::FlaskBb, "flaskbb.csv"),
        (Origin::FlaskBb, "flaskbb.json"),
        (Origin::FlaskBb, "flaskbb.sql"),
        (Origin::FluxBb, "fluxbb.csv"),
        (Origin::FluxBb, "fluxbb.sql"),
        (Origin::MyBb, "mybb.csv"),
        (Origin::MyBb, "mybb.sql"),
        (Origin::PhpBb, "phpbb.csv"),
        (Origin::PhpBb, "phpbb.sql"),
        (Origin::Spirit, "spirit.csv"),
        (Origin::Spirit, "spirit.json"),
        (Origin::Spirit, "spirit.sql"),
        (Origin::Django, "spirit.sql"),
    ] {
        let (members, report, ended) = all(origin, None, &sample(file));
        assert_eq!(ended, Ok(()), "{file}");
        assert_eq!((report.failed, report.skipped, report.problems), (0, 0, vec![]), "{file}");
        let mut names: Vec<_> = members.iter().map(|member| member.member.name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["alice", "bob", "carol"], "{file}");
        let text = String::from_utf8_lossy(&sample(file)).replace("\"\"", "\"");
        for Candidate { member, off, kind, .. } in &members {
            assert_eq!(
                member.email.as_deref(),
                Some(format!("{}@forum.test", member.name).as_str()),
                "{file}"
            );
            assert_eq!((off, member.state), (&None, UserState::Active), "{file}");
            assert!(member.groups.is_empty() && member.full_name.is_none(), "{file}");
            assert!(kind.is_some() && member.password.is_some(), "{file}");
        }
        assert!(text.contains("alice@forum.test"));
    }
}

#[test]
fn a_sample_cut_anywhere_gives_members_of_the_whole_and_no_other() {
    for (origin, file, step) in [
        (Origin::FluxBb, "fluxbb.sql", 1),
        (Origin::FlaskBb, "flaskbb.sql", 1),
        (Origin::FlaskBb, "flaskbb.json", 1),
        // The longer ones with some steps between, for time.
        (Origin::PhpBb, "phpbb.sql", 11),
        (Origin::MyBb, "mybb.sql", 11),
        (Origin::Spirit, "spirit.sql", 1),
    ] {
        let whole = sample(file);
        let password = |candidate: &Candidate| candidate.member.password.clone();
        let known: Vec<_> = all(origin, None, &whole).0.iter().map(password).collect();
        for cut in (0..whole.len()).step_by(step) {
            let part = all(origin, None, &whole[..cut]).0;
            assert!(part.iter().all(|member| known.contains(&password(member))), "{file} cut at {cut}");
        }
    }
}

const PHPBB: &str = "INSERT INTO forum_banlist (ban_userid, ban_end, ban_exclude) VALUES (8,0,0),(3,1,0),(4,0,1);\n\
    INSERT INTO forum_groups (group_id, group_name) VALUES (1,'GUESTS'),(2,'REGISTERED'),(11,'ADMINISTRATORS'),(12,'Bird &amp; Co');\n\
    INSERT INTO forum_user_group (group_id, user_id, user_pending) VALUES (2,3,0),(12,3,0),(12,4,1),(11,5,0);\n\
    INSERT INTO forum_users (user_id, user_type, group_id, username, user_password, user_email) VALUES\n\
    (1,2,1,'Anonymous','',''),(2,3,2,'root','h',''),\n(3,0,2,'Tom &amp; &quot;J&quot;','h','t@x.example'),(4,1,2,'new','h',''),\n\
    (5,0,2,'boss','h',''),(6,2,6,'Bot','',''),(7,0,5,'five','h',''),(8,0,2,'bad','h','');\n";

#[test]
fn phpbb_groups_founders_bans_and_guests_are_what_they_are_there() {
    let (found, report, ended) = all(Origin::PhpBb, None, PHPBB.as_bytes());
    assert_eq!(ended, Ok(()));
    assert_eq!((report.skipped, report.skipped_because[shapes::GUEST]), (2, 2));
    let lines: Vec<_> = found.iter().map(told).collect();
    assert_eq!(
        lines,
        [
            "root | - | admins | -",
            "Tom & \"J\" | - | Bird & Co | -",
            "new | - |  | not activated yet",
            "boss | - | admins | -",
            "five | - | admins | -",
            "bad | - |  | banned",
        ]
    );
    let places: Vec<_> = found.iter().map(|member| member.line).collect();
    assert_eq!(places, [5, 6, 6, 7, 7, 7]);
}

#[test]
fn each_forum_knows_its_own_groups_and_those_who_are_kept_out() {
    assert_told(
        Origin::FluxBb,
        "INSERT INTO bans (id,username,expire) VALUES (1,'BAD',NULL),(2,'once',5);\n\
         INSERT INTO users (id,group_id,username,password,email,realname) VALUES (1,3,'Guest','Guest','Guest',NULL),\
         (2,1,'root','h','','Root R.'),(3,2,'mod','h','',NULL),(4,0,'new','h','',NULL),(5,4,'bad','h','',NULL),(6,9,'once','h','',NULL);",
        &[
            "root | Root R. | admins | -",
            "mod | - | moderators | -",
            "new | - |  | not activated yet",
            "bad | - |  | banned",
            "once | - |  | -",
        ],
    );
    assert_told(
        Origin::PunBb,
        "INSERT INTO groups (g_id,g_title,g_moderator) VALUES (1,'Administrators',0),(2,'Guest',0),(3,'Members',0),(4,'Moderators',1),(5,'Writers, all',0),(6,'Fans',0);\n\
         INSERT INTO users (id,group_id,username,password,email,salt) VALUES (2,1,'root','h','','s'),(3,4,'mod','h','','s'),(4,6,'fan','h','','s'),(5,3,'bob','h','',NULL);",
        &["root | - | admins | -", "mod | - | moderators | -", "fan | - | Fans | -", "bob | - |  | -"],
    );
    assert_told(
        Origin::MyBb,
        "INSERT INTO mybb_banned (uid,lifted) VALUES (3,0),(4,7);\nINSERT INTO mybb_usergroups (gid,title) VALUES (8,'Fans');\n\
         INSERT INTO mybb_users (uid,username,password,salt,usergroup,additionalgroups) VALUES (1,'root','h','s',4,'8,2'),\
         (2,'new','h','s',5,''),(3,'bad','h','s',2,''),(4,'once','h','s',6,''),(5,'gone','h','s',7,'');",
        &[
            "root | - | Fans, admins | -",
            "new | - |  | not activated yet",
            "bad | - |  | banned",
            "once | - | moderators | -",
            "gone | - |  | banned",
        ],
    );
    assert_told(
        Origin::Smf,
        "INSERT INTO smf_membergroups (id_group,group_name) VALUES (9,'Fans &amp; co'),(4,'Newbie');\n\
         INSERT INTO smf_members (id_member,member_name,real_name,passwd,id_group,additional_groups,is_activated) VALUES \
         (1,'root','Root &lt;3','h',1,'9',1),(2,'new','new','h',0,'',0),(3,'bad','bad','h',4,'',11);",
        &["root | Root <3 | Fans & co, admins | -", "new | - |  | not activated yet", "bad | - |  | banned"],
    );
    assert_told(
        Origin::VBulletin,
        "INSERT INTO user (userid,username,password,salt,email,usergroupid,membergroupids) VALUES (1,'T &amp; J','h','s','',6,'5'),(2,'new','h','s','',3,''),(3,'bad','h','s','',2,'');\n\
         INSERT INTO userban (userid,liftdate) VALUES (3,0);",
        &["T & J | - | admins, moderators | -", "new | - |  | not activated yet", "bad | - |  | banned"],
    );
}

#[test]
fn forums_with_their_members_in_several_tables_are_put_together() {
    assert_told(
        Origin::Ipb,
        "INSERT INTO ibf_groups (g_id,g_title) VALUES (7,'Fans');INSERT INTO ibf_members (member_id,name,members_display_name,members_pass_hash,members_pass_salt,member_group_id,mgroup_others,member_banned) \
         VALUES (1,'root','The Root','h','s',4,',7,',0),(2,'bad','bad','h','s',3,'',1),(3,'new','new','h','s',1,'',0);",
        &["root | The Root | Fans, admins | -", "bad | - |  | banned", "new | - |  | not activated yet"],
    );
    let xenforo = "INSERT INTO xf_user (user_id,username,email,user_group_id,secondary_group_ids,user_state,is_banned,is_admin,is_moderator) VALUES \
         (1,'root','',2,'3,5','valid',0,1,0),(2,'new','',2,'','email_confirm',0,0,0),(3,'bad','',2,'','valid',1,0,1);\n\
         INSERT INTO xf_user_authenticate (user_id,data) VALUES (1,'DATA'),(2,'b'),(3,'c');\n\
         INSERT INTO xf_user_group (user_group_id,title) VALUES (5,'Fans');";
    let data = format!("a:1:{{s:4:\"hash\";s:60:\"{OLD}\";}}");
    let xenforo = &xenforo.replace("DATA", &data.replace('"', "\\\""));
    assert_told(
        Origin::XenForo,
        xenforo,
        &["root | - | Fans, admins | -", "new | - |  | not activated yet", "bad | - | moderators | banned"],
    );
    assert_eq!(
        members(Origin::XenForo, xenforo)[0].member.password,
        Some(kept(Source::XenForo, &data, None))
    );
    assert_told(
        Origin::FlaskBb,
        "INSERT INTO groups (id,name,admin,super_mod,mod,guest,banned) VALUES (1,'Administrator',1,0,0,0,0),(4,'Member',0,0,0,0,0),(9,'Out',0,0,0,0,1),(10,'Fans',0,0,0,0,0);\n\
         INSERT INTO users (id,username,password,activated,primary_group_id) VALUES (1,'root','h',1,1),(2,'new','h',0,4),(3,'bad','h',1,9);\n\
         INSERT INTO groups_users (user_id,group_id) VALUES (2,10);",
        &["root | - | admins | -", "new | - | Fans | not activated yet", "bad | - |  | banned"],
    );
    assert_told(
        Origin::Spirit,
        "INSERT INTO auth_user (id,username,password,is_active,is_staff,is_superuser,first_name,last_name) VALUES (1,'root','h',1,1,1,'Ro','Ot'),(2,'out','h',0,0,0,'',''),(3,'new','h',1,0,0,'',''),(4,'mod','h',1,0,0,'','');\n\
         INSERT INTO auth_group (id,name) VALUES (2,'Fans');INSERT INTO auth_user_groups (user_id,group_id) VALUES (4,2);\n\
         INSERT INTO spirit_user_userprofile (user_id,is_verified,is_moderator,is_administrator) VALUES (1,1,0,1),(2,1,0,0),(3,0,0,0),(4,1,1,0);",
        &[
            "root | Ro Ot | admins | -",
            "out | - |  | not activated yet",
            "new | - |  | not activated yet",
            "mod | - | Fans, moderators | -",
        ],
    );
    assert_told(
        Origin::WordPress,
        "INSERT INTO wp_usermeta (user_id,meta_key,meta_value) VALUES (1,'wp_capabilities','a:1:{s:13:\\\"administrator\\\";b:1;}'),(2,'wp_capabilities','a:2:{s:10:\\\"subscriber\\\";b:1;s:6:\\\"editor\\\";b:1;}'),(2,'nickname','x');\n\
         INSERT INTO wp_users (ID,user_login,user_pass,user_email,display_name) VALUES (1,'root','h','','root'),(2,'ed','h','','Ed W');",
        &["root | - | admins | -", "ed | Ed W | editor | -"],
    );
}

#[test]
fn a_wiki_knows_who_runs_it_who_is_blocked_and_in_whose_name_it_writes_itself() {
    assert_told(
        Origin::MediaWiki,
        "INSERT INTO user (user_id,user_name,user_real_name,user_password,user_email,user_token) VALUES (1,'Root','','h','','t'),(2,'MediaWiki default','','','','*** INVALID ***'),(3,'Zoë W','Zoë','h','','t'),(4,'Out','','h','','t'),(5,'Back','','h','','t'),(6,'Part','','h','','t'),(7,'New','','h','','t');\n\
         INSERT INTO user_groups (ug_user,ug_group,ug_expiry) VALUES (1,'bureaucrat',NULL),(1,'sysop',NULL),(3,'reviewer','20991231000000'),(3,'sysop','20200101000000');\n\
         INSERT INTO ipblocks (ipb_user,ipb_expiry,ipb_sitewide) VALUES (0,'infinity',1),(4,'infinity',1),(5,'20200101000000',1),(6,'infinity',0);\n\
         INSERT INTO block_target (bt_user,bt_count) VALUES (7,1),(3,0),(NULL,1);",
        &[
            "Root | - | admins | -",
            "Zoë W | Zoë | reviewer | -",
            "Out | - |  | banned",
            "Back | - |  | -",
            "Part | - |  | -",
            "New | - |  | banned",
        ],
    );
}

#[test]
fn lists_are_read_with_any_usual_delimiter_and_header() {
    let punbb = "id,group_id,username,password,email,salt\r\n2,3,alice,29bfab42c9dc0823fec7935c738b3c4d5dfb1f0d,a@x.example,\"49rg,~'6&\"\"Vd\\\"\r\n\r\n3,3,bob,h,,NULL\r\n";
    let found = members(Origin::PunBb, punbb);
    let salt = Some("49rg,~'6&\"Vd\\");
    let hash = kept(Source::PunBb, "29bfab42c9dc0823fec7935c738b3c4d5dfb1f0d", salt);
    assert_eq!(found[0].member.password, Some(hash));
    assert_eq!((found[1].line, found.len()), (4, 2));
    for delimiter in [",", ";", "\t"] {
        let list = "\u{feff}Login|E-Mail|Hash|Groups|State\nzoë|z@x.example|h|\"admins;Fans\"|active\nbob||NULL||disabled\n";
        assert_told(
            Origin::Csv,
            &list.replace('|', delimiter),
            &["zoë | - | Fans, admins | -", "bob | - |  | disabled in the list"],
        );
    }
    assert_told(
        Origin::Htpasswd,
        "# x\nalice:$apr1$x:y\r\n\n bob:h",
        &["alice | - |  | -", "bob | - |  | -"],
    );
    let (_, report, ended) = all(Origin::Htpasswd, None, b"alice\nbob:h");
    assert_eq!((ended, report.failed, report.problems[0].line), (Ok(()), 1, 1));
    let (_, _, ended) = all(Origin::Csv, None, b"a,b\n1,2\n");
    assert!(ended.unwrap_err().to_string().contains("name the columns"));
    let (_, report, ended) = all(Origin::Csv, None, b"name,email\na,b,c\nd,e@f\n\"g,h\n");
    assert!(ended.unwrap_err().to_string().starts_with("line 4: a quote"));
    assert_eq!(report.problems[0].reason, "the line has 3 fields, the first line 2");
}

#[test]
fn json_is_read_as_one_list_or_an_object_a_line() {
    let own = r#"{"name":"alice","email":"a@x.example","groups":["admins","Fans"],"state":"disabled","password":"$argon2id$x"}"#;
    for file in [format!("{own}\n"), format!("[{own}]"), format!("[\n {own},\n]\n")] {
        let found = members(Origin::Passgate, &file);
        assert_eq!(found[0].member.password.as_deref(), Some("$argon2id$x"), "as it is");
        assert_eq!(told(&found[0]), "alice | - | Fans, admins | disabled in the list");
    }
    assert_told(
        Origin::Json,
        "{\"username\": \"a\\u00e4}\\\"[\", \"is_active\": false}",
        &["aä}\"[ | - |  | disabled in the list"],
    );
    for (file, line) in [("[{\"name\":\"a\"},\n", 1), ("{\"name\":\n\"a\"", 1), ("\n7", 2), ("{}]", 1)] {
        let (_, _, ended) = all(Origin::Json, None, file.as_bytes());
        assert!(
            matches!(ended, Err(Unusable::Broken(Broken { line: found, .. })) if found == line),
            "{file}"
        );
    }
    let (found, report, ended) = all(Origin::Json, None, b"{\"name\":}\n{\"name\":\"b\"}");
    assert_eq!((found.len(), report.failed, ended), (1, 1, Ok(())));
}

#[test]
fn packed_files_are_unpacked_or_refused_with_the_way_to_unpack_them() {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&sample("mybb.sql")).unwrap();
    let gzip = gzip.finish().unwrap();
    assert_eq!(all(Origin::MyBb, None, &gzip).0.len(), 3);
    let cut = all(Origin::MyBb, None, &gzip[..gzip.len() - 20]);
    assert!(cut.2.is_err());
    for (magic, word) in [
        (&b"\x28\xb5\x2f\xfdx"[..], "zstd -dc"),
        (b"BZh9", "bzip2 -dc"),
        (b"PK\x03\x04", "ZIP"),
        (b"\xff\xfea\0", "UTF-16"),
    ] {
        assert!(all(Origin::MyBb, None, magic).2.unwrap_err().to_string().contains(word));
    }
}

#[test]
fn the_prefix_is_found_unless_there_is_a_choice() {
    let second = PHPBB.replace("forum_", "old_").replace("'boss'", "'chief'");
    let both = format!("{PHPBB}{second}");
    let error = all(Origin::PhpBb, None, both.as_bytes()).2.unwrap_err().to_string();
    assert!(
        error.contains("--table-prefix") && error.contains("\"forum_\"") && error.contains("old_users"),
        "{error}"
    );
    let (found, _, ended) = all(Origin::PhpBb, Some("old_"), both.as_bytes());
    assert!(ended.is_ok() && found.iter().any(|member| told(member) == "chief | - | admins | -"));
    let error = all(Origin::PhpBb, Some("x_"), both.as_bytes()).2.unwrap_err().to_string();
    assert!(error.contains("x_users"), "{error}");
    // Tables of other programs in the same database have other columns.
    let others = format!("INSERT INTO wp_users (ID, user_login, user_pass) VALUES (1,'x','y');\n{PHPBB}");
    assert_eq!(all(Origin::PhpBb, None, others.as_bytes()).2, Ok(()));
    assert!(matches!(all(Origin::Smf, None, PHPBB.as_bytes()).2, Err(Unusable::NoTable("smf", _))));
    let data_only = "INSERT INTO mybb_users VALUES (1,'x');";
    assert!(all(Origin::MyBb, None, data_only.as_bytes()).2.unwrap_err().to_string().contains("structure"));
}

#[test]
fn auth_15_a_name_that_another_line_has_in_some_spelling_is_told_with_both_lines() {
    let list =
        "name,email\nAlice,a@x.example\nbob,A@X.example\nＡＬＩＣＥ,\n,x\na\u{200b}b,\nZoe\u{308},odd\n";
    let (found, report, ended) = all(Origin::Csv, None, list.as_bytes());
    assert_eq!((found.len(), report.failed, ended), (3, 3, Ok(())));
    let told: Vec<_> =
        report.problems.iter().map(|problem| (problem.line, problem.reason.as_str())).collect();
    assert_eq!(
        told,
        [
            (4, "\"ＡＬＩＣＥ\" is the same name as the one in line 2"),
            (5, "the name is empty"),
            (6, "the name \"a\\u{200b}b\" holds a control or invisible character"),
        ]
    );
    assert_eq!(found[1].notes, ["the e-mail address is also that of line 2"]);
    assert_eq!(found[2].notes.len(), 2, "{:?}", found[2].notes);
    assert_eq!(found[0].member.name.as_str(), "Alice", "the spelling is the forum's");
}

#[test]
fn auth_15_of_many_texts_each_is_remembered_with_its_place() {
    let mut places = Places::default();
    let text = |n: u64| format!("member {n}");
    assert!((1..50_000).all(|n| places.seen(&text(n), n).is_none()));
    assert!((1..50_000).all(|n| places.seen(&text(n), 77) == Some(n)));
    assert_eq!((places.seen("zero", 0), places.seen("zero", 5)), (None, Some(1)), "0 is nowhere");
}

proptest! {
    #[test]
    fn random_bytes_in_a_sample_never_panic(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        for (origin, file) in [(Origin::FluxBb, "fluxbb.sql"), (Origin::PhpBb, "phpbb.csv"), (Origin::Spirit, "spirit.json")] {
            let mut bytes = sample(file);
            for (at, byte) in &changes {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            drop(all(origin, None, &bytes));
        }
    }
}

struct House {
    store: Arc<MemoryStore>,
    admission: Admission,
}

impl House {
    fn new() -> Self {
        let store = Arc::new(MemoryStore::new());
        Self { admission: Admission::new(store.clone(), Arc::new(ManualClock::at(now()))), store }
    }

    async fn admit(&self, list: &str) -> Vec<Outcome> {
        let members: Vec<_> =
            all(Origin::Csv, None, list.as_bytes()).0.into_iter().map(|one| one.member).collect();
        let rehearsed = self.admission.admit("csv", &members, Mode::Rehearse).await.unwrap();
        let outcomes = self.admission.admit("csv", &members, Mode::Write).await.unwrap();
        assert_eq!(rehearsed, outcomes, "a rehearsal tells what will happen");
        outcomes
    }

    fn user(&self, name: &str) -> User {
        self.store.user_by_name(name).unwrap().unwrap()
    }

    async fn change(&self, name: &str, change: impl Fn(&mut User) + Send + 'static) {
        let revise = move |user: &mut User| {
            change(user);
            Verdict::Keep
        };
        self.store
            .apply(vec![Change::ReviseUser(self.user(name).profile.id, Box::new(revise))])
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_second_import_adds_the_new_renews_the_untouched_and_leaves_the_rest() {
    let house = House::new();
    let list = &format!(
        "name,email,password,groups,state\nAlice,a@x.example,{OLD},Fans,\nbob,,{OLD},,\ncarol,,{OLD},,\ndave,,{OLD},,\n"
    );
    assert_eq!(house.admit(list).await, [Outcome::Added; 4]);
    assert_eq!(house.admit(list).await, [Outcome::Unchanged; 4]);
    let alice = house.user("alice");
    assert_eq!(
        (alice.profile.name.as_str(), alice.created, alice.state),
        ("Alice", now(), UserState::Active)
    );
    house.change("bob", |bob| bob.last_sign_in = Some(now())).await;
    house.change("carol", |carol| carol.password = Some("$argon2id$set here".to_owned())).await;
    let link = SetupLink { hash: TokenHash([1; 32]), expires: now(), kind: LinkKind::Reset };
    house.change("dave", move |dave| dave.setup = Some(link.clone())).await;
    let next = &format!(
        "name,email,password,groups,state\nalice,b@x.example,{NEW},admins,\nbob,,{NEW},,\ncarol,,{NEW},,banned\n\
         dave,,{OLD},,disabled\nerin,,{OLD},,\n"
    );
    let outcomes = house.admit(next).await;
    assert_eq!(
        outcomes,
        [Outcome::Updated, Outcome::AtHome, Outcome::AtHome, Outcome::Updated, Outcome::Added]
    );
    let alice = house.user("alice");
    assert_eq!(alice.password, Some(kept(Source::Plain, NEW, None)));
    assert_eq!(
        (alice.profile.email.as_deref(), alice.profile.groups[0].as_str()),
        (Some("b@x.example"), "Fans")
    );
    assert_eq!(house.user("bob").password, Some(kept(Source::Plain, OLD, None)));
    assert_eq!(house.user("carol").password.unwrap(), "$argon2id$set here");
    let dave = house.user("dave");
    assert_eq!((dave.state, dave.setup), (UserState::Disabled, None));
    assert_eq!(house.admit(list).await[3], Outcome::Unchanged, "nobody is let in again by a file");
    assert_eq!(house.user("dave").state, UserState::Disabled);
}

#[tokio::test]
async fn a_member_made_by_hand_or_from_another_forum_is_not_overwritten() {
    let house = House::new();
    house.admit(&format!("name,password\nalice,{OLD}\n")).await;
    house.change("alice", |alice| alice.imported = None).await;
    assert_eq!(house.admit(&format!("name,password\nALICE,{NEW}\n")).await, [Outcome::Stranger]);
    let from_elsewhere = ImportMark::new("mybb", house.user("alice").password.as_deref());
    house.change("alice", move |alice| alice.imported = Some(from_elsewhere.clone())).await;
    assert_eq!(house.admit(&format!("name,password\nALICE,{NEW}\n")).await, [Outcome::Stranger]);
    assert_eq!(house.user("alice").password, Some(kept(Source::Plain, OLD, None)));
}
