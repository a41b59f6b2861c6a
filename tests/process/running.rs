//! The process and the system it runs on: what the service manager is told, what is given up at the start, a changed file that is
//! noticed (OPS-07, OPS-10, REL-09).

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use crate::site::{Gateway, Site, finish};
use crate::support::LIMIT;
use passgate::sample::SampleForum;

async fn forum() -> passgate::sample::RunningForum {
    SampleForum::bind(([127, 0, 0, 1], 0).into()).await.unwrap().spawn()
}

/// What a service manager hears.
struct Manager(UnixDatagram);

impl Manager {
    fn heard(&self) -> String {
        let mut buffer = [0; 256];
        let length = self.0.recv(&mut buffer).expect("it says something in time");
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    /// Waits for this word; what comes before it may be signs of life.
    fn hears(&self, word: &str) {
        loop {
            let heard = self.heard();
            if heard.contains(word) {
                return;
            }
            assert_eq!(heard.trim(), "WATCHDOG=1", "before {word}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_manager_is_told_of_readiness_reloads_life_and_the_end() {
    let forum = forum().await;
    let site = Site::before(forum.address(), "");
    let path = site.data_dir().with_file_name("notify");
    let manager = Manager(UnixDatagram::bind(&path).unwrap());
    manager.0.set_read_timeout(Some(LIMIT)).unwrap();
    let mut command = site.program(&["serve"]);
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "300000");
    let mut gateway = Gateway::start(command);
    manager.hears("READY=1");
    manager.hears("WATCHDOG=1");
    gateway.signal("HUP");
    manager.hears("RELOADING=1");
    manager.hears("READY=1");
    assert_eq!(gateway.stop(), Some(0));
    manager.hears("STOPPING=1");
}

#[tokio::test(flavor = "multi_thread")]
async fn ops_10_a_changed_file_is_noticed_where_that_is_asked_for_and_a_broken_one_changes_nothing() {
    let forum = forum().await;
    let site = Site::before(forum.address(), "server.watch = true");
    let gateway = site.serve();
    site.configure("server.watch = true\naccess.default = \"maybe\"");
    let problems = gateway.event("of problems", |event| event["problems"].is_string());
    assert!(problems["problems"].as_str().unwrap().contains("access.default"));
    let mut browser = gateway.browser();
    assert_eq!(browser.get("/").await.url.path(), "/.passgate/login");
    site.configure("server.watch = true\naccess.default = \"guest\"");
    gateway.event("of reloading", |event| event["message"] == "reloaded");
    assert_eq!(browser.get("/").await.assert_status(200).url.path(), "/");
}

fn status(gateway: &Gateway, key: &str) -> String {
    let text = std::fs::read_to_string(format!("/proc/{}/status", gateway.id())).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    line.expect("the kernel tells it").trim().to_owned()
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn ops_07_what_it_starts_gets_no_more_rights_and_a_crash_writes_no_memory_to_the_disk() {
    let forum = forum().await;
    let site = Site::before(forum.address(), "");
    let gateway = site.serve();
    assert_eq!(status(&gateway, "NoNewPrivs"), "1");
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", gateway.id())).unwrap();
    let cores = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(cores.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"]);
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn ops_07_root_is_given_up_for_good_once_the_ports_are_bound() {
    let forum = forum().await;
    let site = Site::before(forum.address(), "server.user = \"nobody\"");
    if std::fs::metadata(site.file()).unwrap().uid() != 0 {
        eprintln!("skipped: only root can give root up");
        return;
    }
    let folder = site.file().parent().unwrap().to_owned();
    set_mode(&folder, 0o700);
    finish(site.program(&["serve"]), "").assert_code(78).assert_says("server.user = \"nobody\" can't read");
    let none = Site::before(forum.address(), "server.user = \"nobody-of-this-name\"");
    finish(none.program(&["serve"]), "").assert_code(78).assert_says("there is no such user");

    std::fs::remove_dir_all(site.data_dir()).unwrap();
    set_mode(&folder, 0o755);
    let gateway = site.serve();
    let ids = |key| status(&gateway, key).split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(ids("Uid"), ["65534"; 4]);
    assert_eq!(ids("Gid"), ["65534"; 4]);
    assert_eq!(ids("Groups"), ["65534"]);
    assert_eq!(status(&gateway, "CapEff"), "0000000000000000");
    assert_eq!(std::fs::metadata(site.data_dir()).unwrap().uid(), 65534);
    gateway.browser().get("/").await.assert_status(200);
}
