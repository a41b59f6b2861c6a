//! Tools of others that look at a gateway from outside: sslyze at its TLS, slowhttptest as slow clients by the dozen, and kosoku with
//! cases of the Autobahn suite through its WebSockets.
//!
//! Short forms of long runs, so that they go on working. Where a tool can't be had its test says so, and passes.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::program::{Program, free_port, root, words};
use crate::support::gateway::{Gateway, Settings};
use crate::support::raw::exchange;
use crate::support::secure::{Secure, Wanted};
use crate::support::upstream::{Act, Recorder, Records};

/// A program of `target/venv-tools`, or of the system; none, with a word on it, if it is not there.
fn tool(name: &str) -> Option<PathBuf> {
    let own = root().join("target/venv-tools/bin").join(name);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::iter::once(own).chain(std::env::split_paths(&path).map(|folder| folder.join(name)));
    let found = found.into_iter().find(|file| file.is_file());
    if found.is_none() {
        println!("skipped: there is no {name}; tests/setup.sh apps tells why");
    }
    found
}

/// Runs a tool beside the gateway, which is in this process.
async fn run(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_01_sslyze_finds_what_mozilla_recommends() {
    if tool("sslyze").is_none() {
        return;
    }
    let upstream = Recorder::always([Act::ok("fine")]).await;
    for (profile, versions) in [("intermediate", &["tls_1_2", "tls_1_3"][..]), ("modern", &["tls_1_3"])] {
        let line = format!("profile = \"{profile}\"");
        // It also asks without a name, to which there would be no answer.
        let wanted = Wanted { tls: &line, certificate: "default = true", ..Wanted::DEFAULT };
        let site = Secure::before(upstream.address(), wanted).await;
        let authority = site.folder.path().join("ca.pem");
        site.authority.write(&authority);
        let mut scan = Command::new(root().join("target/venv-tools/bin/python"));
        scan.arg(root().join("tests/apps/tools/scanned.py"));
        scan.arg(site.address.port().to_string()).arg(authority).arg(profile);
        let output = run(scan).await;
        assert!(output.status.success(), "{}", text(&output.stderr));
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(found["issues"], serde_json::json!({}), "{profile}: {found:#}");
        let spoken: Vec<_> = found["suites"].as_object().unwrap().keys().collect();
        assert_eq!(spoken, versions, "{profile}: {found:#}");
        for never in ["early_data", "compression", "client_renegotiation", "heartbleed"] {
            assert_eq!(found[never], false, "{profile}: {never}");
        }
    }
}

/// Slow clients by the dozen, of one kind.
fn slow(program: &Path, gateway: &Gateway, options: &str) -> Command {
    let mut command = Command::new(program);
    command.args("-c 40 -r 40 -i 1 -l 60".split(' ')).args(options.split(' '));
    command.args(["-u", &format!("http://localhost:{}/page", gateway.address.port())]);
    command
}

/// Whether all their connections had been closed when they ended.
fn were_given_up(output: &Output) -> bool {
    text(&output.stdout).contains("No open connections left")
}

#[tokio::test(flavor = "multi_thread")]
async fn rel_01_rel_03_slowhttptest_is_given_up_while_others_are_served() {
    let Some(program) = tool("slowhttptest") else { return };
    let page = "x".repeat(8 << 20);
    let upstream = Recorder::always([Act::ok(&page)]).await;
    let settings = Settings {
        access: "default = \"guest\"",
        rest: "[connections]\nhead_timeout = \"2s\"\nrate_grace = \"2s\"\nstall_timeout = \"4s\"",
        ..Settings::NONE
    };
    let gateway = Gateway::with(upstream.address(), settings).await;
    let ends = async {
        let heads = run(slow(&program, &gateway, "-H"));
        let bodies = run(slow(&program, &gateway, "-B -s 8192 -x 10"));
        tokio::join!(heads, bodies)
    };
    let others = async {
        loop {
            let asked = format!("GET /.passgate/login HTTP/1.1\r\nHost: {}\r\n\r\n", gateway.host());
            assert_eq!(exchange(gateway.address, asked).await.unwrap().status(), 200);
            tokio::task::yield_now().await;
        }
    };
    let (heads, bodies) = tokio::select! {
        ends = ends => ends,
        () = others => unreachable!("it never ends"),
    };
    assert!(were_given_up(&heads), "slow heads: {}", text(&heads.stdout));
    assert!(were_given_up(&bodies), "slow bodies: {}", text(&bodies.stdout));
    // A slow reader is given up, too, but does not see it for long: the end comes behind what it has not read.
    let before = upstream.connections().len();
    let mut reading =
        slow(&program, &gateway, "-X -w 10 -y 20 -n 1 -z 5").stdout(Stdio::null()).spawn().unwrap();
    let are_over = |records: &Records| {
        let some = &records.connections[before..];
        some.len() >= 40 && some.iter().all(|connection| connection.is_over)
    };
    upstream.wait_until("slow readers to be given up", are_over).await;
    assert!(reading.try_wait().unwrap().is_none(), "they would have gone on");
    reading.kill().unwrap();
    reading.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn ws_03_autobahn_cases_end_as_they_do_without_the_gateway() {
    let Some(program) = tool("kosoku") else { return };
    let echo = Program::start("echo", free_port(), "/", |port, _| {
        let python = root().join("target/venv/bin/python");
        words([&python, &root().join("tests/apps/tools/echo.py"), &port.to_string()])
    })
    .await;
    let settings =
        Settings { access: "default = \"guest\"", server: "hosts = [\"127.0.0.1\"]", ..Settings::NONE };
    let gateway = Gateway::with(echo.address(), settings).await;
    let folder = tempfile::tempdir().unwrap();
    let mut outcomes = Vec::new();
    for address in [echo.address(), gateway.address] {
        let mut command = Command::new(&program);
        command.args(["-p", "4", "-o"]).arg(folder.path());
        for cases in ["1.*", "2.*", "3.*", "4.*", "5.*", "6.1.*", "6.2.*", "7.*", "9.1.1", "9.2.1"] {
            command.args(["-i", cases]);
        }
        command.arg(address.to_string()).current_dir(folder.path());
        // Those that fail, a line each, and how many there were.
        let output = run(command).await;
        outcomes.push(text(&output.stdout) + &text(&output.stderr));
    }
    let [direct, through] = [&outcomes[0], &outcomes[1]];
    assert!(direct.contains("110 cases") && !direct.contains("ERROR"), "{direct}");
    assert_eq!(direct, through);
}
