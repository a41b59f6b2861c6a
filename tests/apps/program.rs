//! A program from elsewhere, run as a child process until it is dropped.

use std::ffi::OsString;
use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::support::raw;

/// How often a program is asked whether it is ready, and how long to wait in between: two minutes in all, since the first
/// start of an application sets it up.
const ASKED: usize = 1200;
const PAUSE: Duration = Duration::from_millis(100);

/// A running program.
pub(crate) struct Program {
    leash: Child,
    port: u16,
    folder: PathBuf,
}

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A port that is free at this moment.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

impl Program {
    /// Starts what `command` says for a port and a folder of its own, and waits until `GET ready` is answered without an
    /// error.
    pub(crate) async fn start(
        name: &str,
        port: u16,
        ready: &str,
        command: impl FnOnce(u16, &Path) -> Vec<OsString>,
    ) -> Self {
        let folder = root().join(format!("target/apps/run/{name}-{}-{port}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let log = File::create(log_of(&folder)).unwrap();
        let leash = Command::new(root().join("tests/apps/leash.sh"))
            .args(command(port, &folder))
            .current_dir(root())
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut program = Self { leash, port, folder };
        program.wait_until_ready(name, ready).await;
        program
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// Where its data of this run lies.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What it has said so far.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(log_of(&self.folder)).unwrap_or_default()
    }

    /// Waits for what it is about to say, if that comes at all.
    pub(crate) async fn has_said(&self, is_so: impl Fn() -> bool) {
        for _ in 0..ASKED {
            if is_so() {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn wait_until_ready(&mut self, name: &str, path: &str) {
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: localhost:{}\r\nConnection: close\r\n\r\n", self.port);
        for _ in 0..ASKED {
            if self.leash.try_wait().unwrap().is_some() {
                break;
            }
            if tokio::net::TcpStream::connect(self.address()).await.is_ok()
                && raw::exchange(self.address(), &request).await.is_ok_and(|reply| reply.status() < 400)
            {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
        panic!("{name} is not ready (is it installed? run tests/setup.sh apps); it said:\n{}", self.said());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.leash.stdin.take());
        let _ = self.leash.wait();
        // What a failed test leaves is of use to whoever looks for the reason.
        if !std::thread::panicking() {
            let _ = fs::remove_dir_all(&self.folder);
            let _ = fs::remove_file(log_of(&self.folder));
        }
    }
}

fn log_of(folder: &Path) -> PathBuf {
    folder.with_extension("log")
}

/// Words of a command line.
pub(crate) fn words<const N: usize>(words: [&dyn AsRef<std::ffi::OsStr>; N]) -> Vec<OsString> {
    words.iter().map(|word| word.as_ref().to_owned()).collect()
}
