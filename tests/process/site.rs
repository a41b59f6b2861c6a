//! A folder with a configuration, and the program run in it: commands to their end, gateways until they are stopped.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::LIMIT;
use crate::support::browser::{Browser, Page};

/// The program.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_passgate");

/// What browsers take the gateway for. Its real port is known only once it runs, so it is reached like one behind a
/// port that is forwarded.
pub(crate) const URL: &str = "http://localhost:4180";

/// A password that passes every check.
pub(crate) const PASSWORD: &str = "wonderland is far";

/// The cheapest hashing that a configuration may ask for.
const CHEAP: &str = "password.memory_kib = 7168\npassword.iterations = 5\npassword.workers = 2\n";

/// A folder with a `gateway.toml`.
pub(crate) struct Site {
    folder: tempfile::TempDir,
    upstream: SocketAddr,
}

/// A command that has ended.
#[derive(Debug)]
pub(crate) struct Finished {
    /// Its exit code; none if a signal ended it.
    pub(crate) code: Option<i32>,
    /// What it wrote to its standard output.
    pub(crate) out: String,
    /// What it wrote to its standard error.
    pub(crate) err: String,
}

impl Site {
    /// A configuration for the application at `upstream`, with further lines of the form `section.key = value`.
    pub(crate) fn before(upstream: SocketAddr, lines: &str) -> Self {
        let site = Self { folder: tempfile::tempdir().unwrap(), upstream };
        site.configure(lines);
        site
    }

    /// Replaces the further lines.
    pub(crate) fn configure(&self, lines: &str) {
        let text = format!(
            "upstream.url = \"http://{}\"\n{CHEAP}{lines}\n{}{}{}{}",
            self.upstream,
            unless(lines, "server.public_url", &format!("\"{URL}\"")),
            unless(lines, "server.listen", "\"127.0.0.1:0\""),
            unless(lines, "server.admin_listen", "\"127.0.0.1:0\""),
            unless(lines, "server.drain_timeout", "\"10s\""),
        );
        std::fs::write(self.file(), text).unwrap();
    }

    /// The configuration.
    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("gateway.toml")
    }

    /// Where the gateway keeps its things.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Makes a folder that only its owner may enter.
    pub(crate) fn private_folder(path: &Path) {
        std::fs::create_dir_all(path).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)).unwrap();
    }

    /// The program with these arguments, and the configuration, in the folder; nothing of this process's environment.
    pub(crate) fn program(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).arg("--config").arg(self.file());
        self.prepared(command)
    }

    /// Any command, run in the folder without this process's environment.
    pub(crate) fn prepared(&self, mut command: Command) -> Command {
        let path = std::env::var_os("PATH").unwrap_or_default();
        command.env_clear().env("PATH", path).current_dir(self.folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Finished {
        finish(self.program(arguments), "")
    }

    /// As [`Self::run`], with something to read.
    pub(crate) fn run_with(&self, arguments: &[&str], input: &str) -> Finished {
        finish(self.program(arguments), input)
    }

    /// Makes an account with [`PASSWORD`].
    #[track_caller]
    pub(crate) fn add_member(&self, name: &str) {
        self.run_with(&["user", "add", name, "--password-stdin"], &format!("{PASSWORD}\n")).assert_code(0);
    }

    /// All that the store tells of its members, but for what no two imports have in common.
    #[track_caller]
    pub(crate) fn members(&self) -> Value {
        let mut members = self.run(&["user", "list", "--json"]).assert_code(0).json();
        for member in members.as_array_mut().unwrap() {
            member.as_object_mut().unwrap().retain(|key, _| !["id", "created"].contains(&key.as_str()));
        }
        members
    }

    /// Starts a gateway and waits until it is ready.
    #[track_caller]
    pub(crate) fn serve(&self) -> Gateway {
        Gateway::start(self.program(&["serve"]))
    }
}

fn unless(lines: &str, key: &str, value: &str) -> String {
    if lines.contains(key) { String::new() } else { format!("{key} = {value}\n") }
}

/// Runs a command to its end, at most [`LIMIT`] long.
pub(crate) fn finish(mut command: Command, input: &str) -> Finished {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    // It may end without reading.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let out = collected(child.stdout.take().unwrap());
    let err = collected(child.stderr.take().unwrap());
    let status = ended(&mut child);
    Finished { code: status.code(), out: out.join().unwrap(), err: err.join().unwrap() }
}

fn collected(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Waits until a process has ended. There is no waiting with a limit in the standard library, hence the short pauses.
fn ended(child: &mut Child) -> ExitStatus {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if started.elapsed() > LIMIT {
            child.kill().unwrap();
            panic!("process {} does not end", child.id());
        }
        thread::sleep(Duration::from_millis(2));
    }
}

impl Finished {
    /// Insists on an exit code.
    #[track_caller]
    pub(crate) fn assert_code(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    /// Insists on words for people.
    #[track_caller]
    pub(crate) fn assert_says(&self, words: &str) -> &Self {
        assert!(self.err.contains(words), "no {words:?} in {self:#?}");
        self
    }

    /// The data as JSON, which has to be one line.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.out.trim_end().lines().count(), 1, "{self:#?}");
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}

/// The lines a process has written so far.
#[derive(Default)]
pub(crate) struct Log {
    lines: Mutex<(Vec<String>, bool)>,
    more: Condvar,
}

impl Log {
    /// Reads a pipe to its end, beside whoever waits for its lines.
    pub(crate) fn follow(self: &Arc<Self>, pipe: impl Read + Send + 'static) {
        let log = Arc::clone(self);
        thread::spawn(move || {
            for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
                log.lines.lock().unwrap().0.push(String::from_utf8_lossy(&line).into_owned());
                log.more.notify_all();
            }
            log.lines.lock().unwrap().1 = true;
            log.more.notify_all();
        });
    }

    /// All of them.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().0.clone()
    }

    /// The first line for which `find` has a value; none if the pipe ends before.
    pub(crate) fn wait<T>(&self, find: impl Fn(&str) -> Option<T>) -> Option<T> {
        self.wait_for(|lines| lines.iter().find_map(|line| find(line)))
    }

    /// The same of all lines together.
    pub(crate) fn wait_for<T>(&self, find: impl Fn(&[String]) -> Option<T>) -> Option<T> {
        let mut lines = self.lines.lock().unwrap();
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Some(found) = find(&lines.0) {
                return Some(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if lines.1 || left.is_zero() {
                return None;
            }
            lines = self.more.wait_timeout(lines, left).unwrap().0;
        }
    }
}

/// A gateway that runs; killed when it is dropped.
pub(crate) struct Gateway {
    child: Child,
    log: Arc<Log>,
    /// From its start to its `ready` event.
    pub(crate) ready_after: Duration,
    /// Where members' requests arrive.
    pub(crate) address: SocketAddr,
    /// Where health and metrics are.
    pub(crate) admin: SocketAddr,
}

impl Gateway {
    /// Starts `command` and waits for the `ready` event.
    #[track_caller]
    pub(crate) fn start(mut command: Command) -> Self {
        let started = Instant::now();
        let mut child = command.spawn().unwrap();
        let log = Arc::new(Log::default());
        log.follow(child.stderr.take().unwrap());
        let ready = log.wait(|line| {
            let event: Value = serde_json::from_str(line).ok()?;
            (event["message"] == "ready").then_some(event)
        });
        let Some(ready) = ready else {
            let _ = child.kill();
            panic!("it did not get ready:\n{}", log.lines.lock().unwrap().0.join("\n"));
        };
        let address = |key: &str| ready[key].as_str().and_then(|text| text.parse().ok());
        Self {
            ready_after: started.elapsed(),
            address: address("listen").expect("the event names the address"),
            admin: address("admin").expect("the event names the admin address"),
            child,
            log,
        }
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// A browser that knows nothing yet.
    pub(crate) fn browser(&self) -> Browser {
        Browser::new(self.address, URL)
    }

    /// A browser whose member has signed in, and the page they came to.
    pub(crate) async fn signed_in(&self, name: &str, password: &str) -> (Browser, Page) {
        let mut browser = self.browser();
        let form = browser.get("/.passgate/login?return_to=/whoami.php").await;
        let page = browser.submit(&form, "password", &[("username", name), ("password", password)]).await;
        (browser, page)
    }

    /// Sends a signal by name.
    pub(crate) fn signal(&self, name: &str) {
        let kill = Command::new("kill").args([format!("-{name}"), self.id().to_string()]).status();
        assert!(kill.unwrap().success());
    }

    /// Waits until it has ended and returns its exit code.
    pub(crate) fn ended(&mut self) -> Option<i32> {
        ended(&mut self.child).code()
    }

    /// Kills it as a crash would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop and returns the exit code.
    pub(crate) fn stop(&mut self) -> Option<i32> {
        self.signal("TERM");
        self.ended()
    }

    /// Waits for an event that fits.
    #[track_caller]
    pub(crate) fn event(&self, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let event = self.log.wait(|line| serde_json::from_str(line).ok().filter(|event| fits(event)));
        event.unwrap_or_else(|| panic!("no event {what} in\n{}", self.lines().join("\n")))
    }

    /// Waits until the event with this message has come so many times.
    #[track_caller]
    pub(crate) fn event_has_come(&self, times: usize, message: &str) {
        let fits = |line: &&String| {
            serde_json::from_str::<Value>(line).is_ok_and(|event| event["message"] == message)
        };
        let found = self.log.wait_for(|lines| (lines.iter().filter(fits).count() >= times).then_some(()));
        found.unwrap_or_else(|| panic!("not {times} times {message:?} in\n{}", self.lines().join("\n")));
    }

    /// What it has logged; all of it once it has ended.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.log.lines()
    }

    /// All that it has ever logged, after its end.
    pub(crate) fn last_lines(&self) -> Vec<String> {
        let _ = self.log.wait(|_| None::<()>);
        self.lines()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The permission bits of a file.
pub(crate) fn mode(path: &Path) -> u32 {
    std::fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}
