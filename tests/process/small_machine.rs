//! A gateway that may have 256 MiB, and everybody at once who would have it take more (REL-13, H2-06).
//!
//! The group of processes is one of the kernel's (cgroup, version 1 or 2); where none can be made, the test says why and is over.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use passgate::sample::{RunningForum, SampleForum};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

use crate::crash::{cookie, csrf, get, post, status};
use crate::site::{Gateway, PASSWORD, PROGRAM, Site, URL};
use crate::support::http2::{Frames, block, flag, frame, kind};
use crate::support::soon;
use crate::support::tls::{Authority, Holds};

/// As a gateway with TLS of its own has to be called.
const SECURE_URL: &str = "https://localhost:4180";
const MEMORY: u64 = 256 << 20;
const SLOW: u32 = 300;
const IDLE: u32 = 1_500;
const BOMBS: u32 = 16;
const STREAMS: u32 = 100;
const SIGN_INS: u8 = 200;
/// At once; more than hash and wait.
const SIGNING_IN: usize = 100;

/// A group of processes with an upper limit on their memory; gone when dropped.
struct Group(PathBuf);

impl Group {
    /// Within the group of this process; the reason if there can be none.
    fn make() -> Result<Self, String> {
        let mine = fs::read_to_string("/proc/self/cgroup").map_err(|error| error.to_string())?;
        let own = |middle: &str| {
            mine.lines().find_map(|line| line.split_once(':').and_then(|(_, rest)| rest.strip_prefix(middle)))
        };
        let mut reasons = String::new();
        for (root, place, limit) in [
            ("/sys/fs/cgroup/memory", own("memory:"), "memory.limit_in_bytes"),
            ("/sys/fs/cgroup", own(":"), "memory.max"),
        ] {
            let Some(place) = place else { continue };
            let folder = Path::new(root).join(place.trim_start_matches('/'));
            let folder = folder.join(format!("passgate-test-{}", std::process::id()));
            match fs::create_dir(&folder).and_then(|()| fs::write(folder.join(limit), MEMORY.to_string())) {
                Ok(()) => return Ok(Self(folder)),
                Err(error) => reasons = format!("{}: {error}", folder.display()),
            }
            let _ = fs::remove_dir(&folder);
        }
        Err(reasons)
    }

    fn serve(&self, site: &Site) -> Gateway {
        let mut command = Command::new("sh");
        let enter =
            format!("echo $$ > '{}/cgroup.procs'; exec \"$0\" serve --config \"$1\"", self.0.display());
        command.args(["-c", &enter, PROGRAM]).arg(site.file());
        Gateway::start(site.prepared(command))
    }

    /// How many of its processes the kernel has killed for want of memory.
    fn killed(&self) -> u64 {
        let files = ["memory.oom_control", "memory.events"].map(|file| fs::read_to_string(self.0.join(file)));
        let lines =
            files.into_iter().flatten().flat_map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>());
        lines.filter_map(|line| line.strip_prefix("oom_kill ")?.parse::<u64>().ok()).sum()
    }

    /// The most it had at once, what the kernel keeps of files included.
    fn peak(&self) -> String {
        let files =
            ["memory.max_usage_in_bytes", "memory.peak"].map(|file| fs::read_to_string(self.0.join(file)));
        files.into_iter().flatten().next().unwrap_or_default()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

/// From an address of its own, as far as this machine goes.
async fn connect(from: [u8; 4], to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::from(from), 0).into()).unwrap();
    soon("a connection", socket.connect(to)).await.unwrap()
}

/// A whole answer, empty if there was none.
async fn ask(from: [u8; 4], to: SocketAddr, request: &str) -> String {
    let mut stream = connect(from, to).await;
    let mut answer = Vec::new();
    let exchange = async {
        stream.write_all(request.as_bytes()).await?;
        stream.read_to_end(&mut answer).await
    };
    // Whoever is refused may find the connection gone.
    let _ = soon("an answer", exchange).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// Heads that do not come on, and connections on which nothing comes.
async fn hold_places(to: SocketAddr) -> Vec<TcpStream> {
    let mut held = Vec::new();
    for number in 0..SLOW + IDLE {
        // Each address has fewer than it may.
        let mut stream = connect([127, 0, 2, u8::try_from(number / 400 + 1).unwrap()], to).await;
        if number < SLOW {
            stream.write_all(b"GET /viewtopic.php?t=1 HTTP/1.1\r\nHost: ").await.unwrap();
        }
        held.push(stream);
    }
    held
}

/// Requests whose fields are short on the wire and long behind it (RFC 7541 §7.3), each half of them too long and within the
/// limit; and answers that nobody takes.
async fn bombs(to: SocketAddr, authority: &Authority) -> Vec<Frames> {
    const WINDOW_OF_NOTHING: [u8; 6] = [0, 4, 0, 0, 0, 0];
    let mut held = Vec::new();
    for number in 0..BOMBS {
        let client = authority.client().offering(&["h2"]);
        let mut frames = Frames::over(client.connect(to, Some("localhost")).await.unwrap());
        frames
            .send(&[Frames::PREFACE, &frame(kind::SETTINGS, flag::NONE, 0, &WINDOW_OF_NOTHING)].concat())
            .await;
        let value = "x".repeat(if number % 2 == 0 { 4_000 } else { 200 });
        let mut fields = block(&[
            (":method", "GET"),
            (":scheme", "https"),
            (":path", "/bytes?n=1048576"),
            (":authority", "localhost:4180"),
        ]);
        let (start, mut indexed) = (fields.clone(), block(&[("x-a", &value)]));
        // A literal that is remembered, and then its number again and again.
        indexed[0] = 0x40;
        fields.extend(indexed);
        for stream in 0..STREAMS {
            fields.extend([0xbe; 80]);
            let ends = flag::END_HEADERS | flag::END_STREAM;
            if !frames.send(&frame(kind::HEADERS, ends, 2 * stream + 1, &fields)).await {
                break;
            }
            fields.clone_from(&start);
        }
        held.push(frames);
    }
    held
}

/// What a sign-in page gave.
struct Form {
    cookie: String,
    csrf: String,
}

impl Form {
    async fn get(to: SocketAddr) -> Self {
        let page = ask([127, 0, 0, 1], to, &get("/.passgate/login", "")).await;
        Self { cookie: cookie(&page, "__Host-passgate").unwrap(), csrf: csrf(&page).unwrap() }
    }

    fn sign_in(&self, name: &str) -> String {
        let fields = [("username", name), ("password", PASSWORD), ("csrf", &self.csrf)];
        post("/.passgate/login", &self.cookie, &fields).replace(URL, SECURE_URL)
    }
}

/// Each from a network of its own, and for a name that nobody has; how many were looked at, and how many told to come again.
async fn sign_ins(to: SocketAddr) -> (u32, u32) {
    let form = Form::get(to).await;
    let (mut running, mut counts) = (JoinSet::new(), (0, 0));
    let mut count = |answer: String| match status(&answer) {
        "422" => counts.0 += 1,
        "503" => counts.1 += 1,
        _ => panic!("{answer}"),
    };
    for number in 0..SIGN_INS {
        if running.len() == SIGNING_IN {
            count(running.join_next().await.unwrap().unwrap());
        }
        let request = form.sign_in(&format!("nobody{number}"));
        running.spawn(async move { ask([127, 1, number, 1], to, &request).await });
    }
    while let Some(ended) = running.join_next().await {
        count(ended.unwrap());
    }
    counts
}

/// Pages, one after the other, until `end`; how many there were. Each is answered.
async fn honest(to: SocketAddr, end: &AtomicBool) -> u32 {
    let mut pages = 0;
    while !end.load(Ordering::Relaxed) {
        for path in ["/viewtopic.php?t=1", "/.passgate/login"] {
            let page = ask([127, 0, 1, 1], to, &get(path, "")).await;
            assert_eq!(status(&page), "200", "{path} after {pages}: {page}");
            pages += 1;
        }
    }
    pages
}

fn site(forum: &RunningForum) -> (Site, Authority) {
    let site = Site::before(forum.address(), "");
    let (authority, folder) = (Authority::new(), site.file().with_file_name("tls"));
    Site::private_folder(&folder);
    authority.issue(&["localhost"], Holds::ForLong, &folder, "c");
    site.configure(&format!(
        "access.default = \"guest\"\nlog.level = \"error,passgate::server=info\"\ntls.listen = \"127.0.0.1:0\"\n\
         tls.certificate = [{{ chain = \"{0}/c.pem\", key = \"{0}/c.key\" }}]",
        folder.display()
    ));
    // The usual price of a hash.
    let text = fs::read_to_string(site.file()).unwrap();
    let text =
        text.replace("memory_kib = 7168", "memory_kib = 19456").replace("iterations = 5", "iterations = 2");
    fs::write(site.file(), text.replace(URL, SECURE_URL)).unwrap();
    (site, authority)
}

#[tokio::test(flavor = "multi_thread")]
async fn rel_13_h2_06_floods_of_every_kind_at_once_do_not_fill_256_mebibytes() {
    let group = match Group::make() {
        Ok(group) => group,
        Err(reason) => return println!("skipped: no group of processes could be made: {reason}"),
    };
    // Everything that is held has one here as well.
    let descriptors = passgate::server::raise_descriptors().unwrap();
    if descriptors < 8_192 {
        return println!("skipped: this process may have {descriptors} files open, and needs 8192");
    }
    let forum = SampleForum::bind(([127, 0, 0, 1], 0).into()).await.unwrap().spawn();
    let (site, authority) = site(&forum);
    site.add_member("alice");
    let mut gateway = group.serve(&site);
    let ready = gateway.event("ready", |event| event["message"] == "ready");
    let (plain, tls) = (gateway.address, ready["tls"].as_str().unwrap().parse().unwrap());
    let end = AtomicBool::new(false);
    let attack = async {
        let attack = (hold_places(plain), bombs(tls, &authority), sign_ins(plain));
        let (held, frames, (looked_at, told)) = tokio::join!(attack.0, attack.1, attack.2);
        // All of them once more, while all that is held is held.
        let more = sign_ins(plain).await;
        end.store(true, Ordering::Relaxed);
        (held.len(), frames.len(), looked_at + more.0, told + more.1)
    };
    let ((places, bombs, looked_at, told), pages) = tokio::join!(attack, honest(plain, &end));
    println!(
        "{places} places held, {bombs} bombs, {looked_at} sign-ins looked at and {told} told to come again; {pages} pages \
         meanwhile; at most {} bytes, files included",
        group.peak().trim()
    );
    assert!(looked_at > 0 && told > 0 && pages > 0);
    let alice = ask([127, 0, 0, 1], plain, &Form::get(plain).await.sign_in("alice")).await;
    assert_eq!(status(&alice), "303", "{alice}");
    assert_eq!((group.killed(), gateway.stop()), (0, Some(0)));
}
