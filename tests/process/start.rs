//! Starting: what goes wrong is told once, with what to do, and nothing on the disk is open to others.

use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket};

use crate::site::{Gateway, PASSWORD, PROGRAM, Site, mode};
use crate::support::raw::{Reply, exchange};
use passgate::sample::SampleForum;

/// An address at which nobody answers, held so that nobody else takes it meanwhile.
fn nobody() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

async fn get(address: SocketAddr, path: &str) -> Reply {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\n\r\n");
    exchange(address, request).await.unwrap()
}

#[tokio::test]
async fn a_bad_configuration_names_every_problem_at_once_and_ends_with_78() {
    let (_held, upstream) = nobody();
    let site = Site::before(
        upstream,
        "server.listen = \"8080\"\nupstream.read_timeout = \"soon\"\naccess.default = \"maybe\"\n\
         password.min_lenght = 8\n",
    );
    for command in ["serve", "check", "reload"] {
        let finished = site.run(&[command]);
        finished.assert_code(78);
        for words in [
            "server.listen",
            "upstream.read_timeout",
            "\"soon\"",
            "access.default",
            "\"maybe\"",
            "password.min_lenght",
            "min_length",
            "gateway.toml",
        ] {
            finished.assert_says(words);
        }
        assert_eq!(finished.out, "");
    }
    assert!(!site.data_dir().exists());
}

#[tokio::test]
async fn a_wrong_command_line_ends_with_64_and_a_question_about_it_with_0() {
    let (_held, upstream) = nobody();
    let site = Site::before(upstream, "");
    let wrong: &[&[&str]] = &[
        &[],
        &["sevre"],
        &["serve", "--prot", "1"],
        &["user", "add"],
        &["user", "add", "alice", "--password", "secret"],
        &["session", "revoke"],
        &["session", "revoke", "12", "--all"],
        &["explain", "GET"],
    ];
    for arguments in wrong {
        site.run(arguments).assert_code(64).assert_says("Usage");
    }
    let help = site.run(&["--help"]);
    assert!(help.assert_code(0).out.contains("serve"));
    assert!(site.run(&["--version"]).assert_code(0).out.starts_with("passgate "));
}

#[tokio::test]
async fn a_busy_port_is_named_with_what_to_do() {
    let (_held, upstream) = nobody();
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap().into_std().unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for key in ["server.listen", "server.admin_listen"] {
        let site = Site::before(upstream, &format!("{key} = \"{address}\""));
        site.run(&["serve"])
            .assert_code(69)
            .assert_says(&address)
            .assert_says("another program has this port")
            .assert_says("choose another port");
        assert!(!site.data_dir().exists(), "nothing is left behind");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sto_13_a_second_process_on_the_same_data_is_refused_until_the_first_is_gone() {
    let (_held, upstream) = nobody();
    let site = Site::before(upstream, "");
    let mut first = site.serve();
    let second = site.run(&["serve"]);
    second.assert_code(69).assert_says(&site.data_dir().display().to_string()).assert_says("stop");
    assert_eq!(get(first.admin, "/health").await.status(), 200, "the first goes on");
    first.kill();
    let mut third = site.serve();
    assert_eq!(third.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_application_is_no_reason_not_to_start_and_is_noticed_when_it_comes() {
    let (held, upstream) = nobody();
    let site = Site::before(upstream, "access.default = \"guest\"\nupstream.connect_timeout = \"1s\"");
    let gateway = site.serve();
    assert_eq!(get(gateway.admin, "/health").await.status(), 200);
    let ready = get(gateway.admin, "/ready").await;
    assert_eq!(ready.status(), 503);
    assert!(ready.text().contains("upstream"), "{}", ready.text());
    let page = get(gateway.address, "/").await;
    assert_eq!(page.status(), 502);
    assert!(page.text().contains("eference"), "{}", page.text());
    assert_eq!(get(gateway.address, "/.passgate/login").await.status(), 200);

    let listener = held.listen(64).unwrap();
    let application = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut request = [0; 4096];
                if stream.read(&mut request).await.is_ok_and(|length| length > 0) {
                    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nhere";
                    let _ = stream.write_all(answer).await;
                }
            });
        }
    });
    assert_eq!(get(gateway.admin, "/ready").await.status(), 200);
    let page = get(gateway.address, "/").await;
    assert_eq!((page.status(), page.text().as_str()), (200, "here"));
    application.abort();
}

#[tokio::test]
async fn ops_05_a_data_folder_that_is_open_to_others_or_can_t_be_made_is_refused() {
    let (_held, upstream) = nobody();
    let site = Site::before(upstream, "");
    std::fs::create_dir(site.data_dir()).unwrap();
    for open in [0o755, 0o710, 0o701] {
        std::fs::set_permissions(site.data_dir(), std::fs::Permissions::from_mode(open)).unwrap();
        let refused = site.run(&["serve"]);
        refused.assert_code(69).assert_says(&format!("{open:o}")).assert_says("chmod 700");
        assert_eq!(
            std::fs::read_dir(site.data_dir()).unwrap().count(),
            0,
            "nothing is put where others can look"
        );
    }
    std::fs::remove_dir(site.data_dir()).unwrap();
    std::fs::write(site.data_dir(), "a file").unwrap();
    site.run(&["serve"]).assert_code(69).assert_says(&site.data_dir().display().to_string());
    let below = Site::before(upstream, "server.data_dir = \"gateway.toml/data\"");
    below.run(&["serve"]).assert_code(69).assert_says("gateway.toml/data").assert_says("directory");
}

#[tokio::test(flavor = "multi_thread")]
async fn ops_05_ops_06_whatever_the_umask_nothing_is_readable_by_others() {
    let forum = SampleForum::bind(([127, 0, 0, 1], 0).into()).await.unwrap().spawn();
    let site = Site::before(forum.address(), "");
    let program = |arguments: &[&str]| {
        let mut shell = Command::new("sh");
        shell
            .args(["-c", "umask 000; exec \"$0\" \"$@\"", PROGRAM])
            .args(arguments)
            .arg("--config")
            .arg(site.file());
        site.prepared(shell)
    };
    let mut gateway = Gateway::start(program(&["serve"]));
    site.add_member("alice");
    let (_, page) = gateway.signed_in("alice", PASSWORD).await;
    page.assert_says("alice");
    let files = all_below(&site.data_dir());
    assert_closed(&files);
    assert!(files.iter().any(|path| path.symlink_metadata().unwrap().file_type().is_socket()));
    assert_eq!(gateway.stop(), Some(0));
    assert_closed(&all_below(&site.data_dir()));

    std::fs::remove_dir_all(site.data_dir()).unwrap();
    let added = crate::site::finish(program(&["user", "add", "bob"]), "");
    added.assert_code(0);
    assert_closed(&all_below(&site.data_dir()));
}

#[track_caller]
fn assert_closed(paths: &[PathBuf]) {
    assert!(paths.len() > 3, "{paths:?}");
    for path in paths {
        let expected = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode(path), expected, "{}: {:o}", path.display(), mode(path));
    }
}

/// A folder and everything in it.
fn all_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = vec![folder.to_owned()];
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(all_below(&path)) } else { found.push(path) }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn starting_is_quick_and_waiting_is_cheap() {
    let (_held, upstream) = nobody();
    let site = Site::before(upstream, "");
    let gateway = site.serve();
    assert_eq!(get(gateway.address, "/.passgate/login").await.status(), 200);
    let status = std::fs::read_to_string(format!("/proc/{}/status", gateway.id())).unwrap();
    // Without what is mapped of the program's file, which has ten times the size where nothing is optimised.
    let resident = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    let kib: u64 = resident.trim().trim_end_matches(" kB").trim().parse().unwrap();
    println!("ready after {:?}; {} KiB resident after one page", gateway.ready_after, kib);
    assert!(kib < 40 * 1024, "{kib} KiB");
}
