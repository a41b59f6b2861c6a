//! No answer leaves before the disk has what it says (STO-04), as the kernel sees it: the calls of a running gateway, in order, as
//! `strace` writes them down.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

use passgate::auth::SessionToken;
use passgate::sample::SampleForum;

use crate::site::{Gateway, PASSWORD, Site};

const CALLS: &str = "trace=pwrite64,fsync,fdatasync,openat,write,writev,sendto,sendmsg";
const SIGN_INS: usize = 6;

/// A call to the kernel.
#[derive(Debug)]
struct Call {
    /// With strings that are not ASCII in hexadecimal.
    text: String,
    /// The line of the trace in which it began, and the one in which it came back.
    begun: usize,
    back: usize,
}

impl Call {
    fn is(&self, name: &str, path: &Path) -> bool {
        let path = format!("<{}>", path.display());
        self.text.starts_with(&format!("{name}(")) && self.text.contains(&path)
    }

    fn has(&self, bytes: &[u8]) -> bool {
        let mut hex = String::new();
        bytes.iter().for_each(|byte| write!(hex, "\\x{byte:02x}").unwrap());
        self.text.contains(&hex) || str::from_utf8(bytes).is_ok_and(|text| self.text.contains(text))
    }

    fn is_done(&self) -> bool {
        self.text.trim_end().ends_with("= 0")
    }
}

fn calls(trace: &str) -> Vec<Call> {
    let mut begun: BTreeMap<&str, (usize, String)> = BTreeMap::new();
    let mut calls = Vec::new();
    for (line, text) in trace.lines().enumerate() {
        let Some((thread, call)) = text.split_once(' ') else { continue };
        let call = call.trim_start();
        if let Some((first, _)) = call.split_once(" <unfinished") {
            begun.insert(thread, (line, first.to_owned()));
        } else if let Some((_, rest)) =
            call.strip_prefix("<... ").and_then(|call| call.split_once("resumed>"))
        {
            let back = begun.remove(thread);
            calls.extend(back.map(|(begun, first)| Call { text: first + rest, begun, back: line }));
        } else {
            calls.push(Call { text: call.to_owned(), begun: line, back: line });
        }
    }
    calls
}

/// Insists that the record with these bytes was synced before the answer with those began.
fn assert_synced(calls: &[Call], store: &Path, record: &[u8], answer: &[u8]) {
    let log = store.join("db");
    let written = calls.iter().find(|call| call.is("pwrite64", &log) && call.has(record));
    let written = written.expect("the session was written to the log");
    let synced = calls.iter().filter(|call| call.is("fdatasync", &log) && call.is_done());
    let synced = synced.filter(|call| call.begun > written.back).map(|call| call.back).min();
    let answered = calls.iter().find(|call| !call.text.starts_with("pwrite64") && call.has(answer));
    let answered = answered.expect("the cookie was sent").begun;
    assert!(
        synced.is_some_and(|synced| synced < answered),
        "answered in line {answered}, synced in {synced:?}"
    );
}

/// Insists that the names of all files of the store were synced before this line.
fn assert_named(calls: &[Call], store: &Path, line: usize) {
    let made = calls.iter().filter(|call| call.text.starts_with("openat(") && call.text.contains("O_CREAT"));
    for call in made.filter(|call| call.back < line) {
        // The file that is open afterwards, which strace shows last.
        let file = call.text.rsplit_once('<').map_or("", |(_, file)| file.trim_end_matches('>'));
        let Some(folder) = Path::new(file).parent().filter(|folder| folder.starts_with(store)) else {
            continue;
        };
        let named = calls.iter().any(|sync| {
            sync.is("fsync", folder) && sync.is_done() && sync.begun > call.back && sync.back < line
        });
        assert!(named, "the name of {file} may be lost");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sto_04_no_answer_leaves_before_the_kernel_says_that_the_disk_has_it() {
    if Command::new("strace").arg("-V").output().is_err() {
        return println!("skipped: there is no strace");
    }
    let forum = SampleForum::bind(([127, 0, 0, 1], 0).into()).await.unwrap().spawn();
    let site = Site::before(forum.address(), "");
    let trace = site.data_dir().with_file_name("trace");
    let program = site.program(&["serve"]);
    let mut strace = Command::new("strace");
    // As a grandchild beside the program, which stays the one that is waited for and stopped.
    strace.args(["-D", "-f", "-y", "-x", "-s", "65536", "-e", CALLS, "-o"]).arg(&trace);
    strace.arg(program.get_program()).args(program.get_args());
    let mut gateway = Gateway::start(site.prepared(strace));
    site.add_member("alice");
    let mut cookies = Vec::new();
    for _ in 0..SIGN_INS {
        let (alice, page) = gateway.signed_in("alice", PASSWORD).await;
        page.assert_says("<b id=\"member\">alice</b>");
        cookies.push(alice.jar.find("passgate").unwrap().value.clone());
    }
    assert_eq!(gateway.stop(), Some(0));
    let store = site.data_dir().join("store").canonicalize().unwrap();
    let calls = calls(&fs::read_to_string(&trace).unwrap());
    for cookie in &cookies {
        let session = SessionToken::parse(cookie).unwrap();
        assert_synced(&calls, &store, &session.hash().0, format!("passgate={cookie}").as_bytes());
    }
    let first = calls.iter().find(|call| call.has(format!("passgate={}", cookies[0]).as_bytes()));
    assert_named(&calls, &store, first.unwrap().begun);
}
