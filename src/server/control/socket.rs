//! The admin socket: where it lies, how a gateway answers on it, how a command calls it.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::ops::ControlFlow;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::OwnedWriteHalf;
use tokio::task::JoinSet;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::{Command, Control, Copying, Failure, Reply};

/// A command is never longer than this. Only one that takes in members is longer than a few lines.
const MAX_LINE: u64 = 1024 * 1024;
/// A caller that says nothing for this long is hung up on; also the longest that stopping waits for commands.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a command waits for the gateway's answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(120);

/// Why a running gateway could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Its socket belongs to somebody else.
    #[error("the gateway's socket {path} can't be opened by this user; run the command as the user that runs the gateway", path = .0.display())]
    NotAllowed(PathBuf),
    /// It does not answer as expected; it may be stopping, or of another version.
    #[error("the gateway did not answer: {0}; try again, and compare its version with this one's")]
    NoAnswer(String),
}

/// How many bytes all that is in a command may take.
pub const fn room_for_command() -> usize {
    MAX_LINE as usize - 1024
}

/// An admin socket, bound; removed again when it is dropped.
#[derive(Debug)]
pub struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl ControlSocket {
    /// Binds `run/control.sock` in the data folder; folder mode 0700, socket mode 0600 (SECURITY: OPS-06). A socket that
    /// nobody answers on is left over from a crash and replaced.
    pub fn bind(data_dir: &Path) -> io::Result<Self> {
        let path = socket_path(data_dir);
        let folder = private_folder(data_dir)?;
        match UnixStream::connect(Reachable::of(&path)?.path()) {
            Ok(_) => {
                let words = format!(
                    "another gateway uses {}; stop it, or give this one a data_dir of its own",
                    data_dir.display()
                );
                return Err(io::Error::new(ErrorKind::AddrInUse, words));
            }
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(&path)?,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        // Nobody else can get into the folder, so the moment before the mode is set does no harm.
        let listener = UnixListener::bind(Reachable::of(&path)?.path())?;
        fs::set_permissions(folder.join(FILE), Permissions::from_mode(0o600))?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener, path })
    }

    /// Answers until `shutdown` completes; commands that have begun are carried out.
    pub async fn serve(
        self,
        control: Arc<Control>,
        shutdown: impl Future<Output = ()> + Send,
    ) -> io::Result<()> {
        let listener = tokio::net::UnixListener::from_std(self.listener.try_clone()?)?;
        let mut callers = JoinSet::new();
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                Some(_) = callers.join_next() => {}
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => drop(callers.spawn(answer(stream, Arc::clone(&control)))),
                    Err(error) => {
                        tracing::warn!(%error, "the admin socket could not take a call");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                },
            }
        }
        drop(listener);
        drop(self);
        let _ = timeout(PATIENCE, async { while callers.join_next().await.is_some() {} }).await;
        Ok(())
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        // If it stays, the next start finds that nobody answers on it.
        let _ = fs::remove_file(&self.path);
    }
}

/// Asks the gateway that runs on this data folder; none if there is none.
pub fn call(data_dir: &Path, command: &Command) -> Result<Option<Reply>, CallError> {
    let Some(stream) = connected(data_dir)? else { return Ok(None) };
    ask(&stream, command).and_then(|()| next(&mut BufReader::new(&stream))).map(Some).map_err(no_answer)
}

/// Has the gateway that runs on this data folder copy what it keeps, and hands over each [`Reply::Copy`] until `take` wants no
/// more. The last reply; none if no gateway runs.
pub fn call_for_copy(
    data_dir: &Path,
    take: &mut dyn FnMut(Reply) -> ControlFlow<()>,
) -> Result<Option<Reply>, CallError> {
    let Some(stream) = connected(data_dir)? else { return Ok(None) };
    ask(&stream, &Command::Backup).map_err(no_answer)?;
    let mut answers = BufReader::new(&stream);
    loop {
        match next(&mut answers).map_err(no_answer)? {
            copy @ Reply::Copy { .. } => {
                if take(copy).is_break() {
                    return Ok(Some(Reply::Done("broken off".to_owned())));
                }
            }
            last => return Ok(Some(last)),
        }
    }
}

/// Whether a gateway runs on this data folder.
pub fn is_running(data_dir: &Path) -> Result<bool, CallError> {
    connected(data_dir).map(|stream| stream.is_some())
}

fn no_answer(error: io::Error) -> CallError {
    CallError::NoAnswer(error.to_string())
}

fn connected(data_dir: &Path) -> Result<Option<UnixStream>, CallError> {
    let path = socket_path(data_dir);
    let connected = Reachable::of(&path).and_then(|reachable| UnixStream::connect(reachable.path()));
    match connected {
        Ok(stream) => Ok(Some(stream)),
        Err(error) => match error.kind() {
            ErrorKind::NotFound | ErrorKind::ConnectionRefused | ErrorKind::NotADirectory => Ok(None),
            ErrorKind::PermissionDenied => Err(CallError::NotAllowed(path)),
            _ => Err(no_answer(error)),
        },
    }
}

fn ask(mut stream: &UnixStream, command: &Command) -> io::Result<()> {
    stream.set_read_timeout(Some(ANSWER_WITHIN))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(&line(command)?)
}

fn next(answers: &mut impl BufRead) -> io::Result<Reply> {
    let mut answer = Zeroizing::new(String::new());
    answers.read_line(&mut answer)?;
    if answer.is_empty() {
        return Err(io::Error::new(ErrorKind::UnexpectedEof, "it hung up"));
    }
    Ok(serde_json::from_str(&answer)?)
}

async fn answer(stream: tokio::net::UnixStream, control: Arc<Control>) {
    let (read, mut write) = stream.into_split();
    let mut read = tokio::io::BufReader::new(read);
    loop {
        let mut request = Zeroizing::new(Vec::new());
        let mut limited = (&mut read).take(MAX_LINE);
        match timeout(PATIENCE, limited.read_until(b'\n', &mut request)).await {
            Ok(Ok(length)) if length > 0 => {}
            _ => return,
        }
        let reply = match serde_json::from_slice(&request) {
            Ok(command) => control.execute(command).await,
            // The error could quote the request, and with it a password.
            Err(_) => Reply::Failed(Failure::Data(
                "the gateway does not know this command; its version may differ".into(),
            )),
        };
        let reply = match reply {
            Reply::Copying(copying) => copied(copying, &mut write).await,
            reply => Some(reply),
        };
        let Some(reply) = reply else { return };
        if !say(&mut write, &reply).await || request.last() != Some(&b'\n') {
            return;
        }
    }
}

/// Whether the caller took it.
async fn say(write: &mut OwnedWriteHalf, reply: &Reply) -> bool {
    let Ok(reply) = line(reply) else { return false };
    matches!(timeout(PATIENCE, write.write_all(&reply)).await, Ok(Ok(())))
}

/// Sends a copy but its last reply, which is given back; none if the caller has gone.
async fn copied(mut copying: Copying, write: &mut OwnedWriteHalf) -> Option<Reply> {
    loop {
        let next = tokio::task::spawn_blocking(move || (copying.next_reply(), copying)).await;
        let (reply, rest) = next.ok()?;
        copying = rest;
        match reply {
            Reply::Copy { .. } if say(write, &reply).await => {}
            Reply::Copy { .. } => return None,
            last => return Some(last),
        }
    }
}

/// JSON holds no line break of its own. Wiped afterwards: a command may hold a password, a reply a link.
fn line(message: &impl serde::Serialize) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut line = Zeroizing::new(serde_json::to_vec(message)?);
    line.push(b'\n');
    Ok(line)
}

const FOLDER: &str = "run";
const FILE: &str = "control.sock";

fn socket_path(data_dir: &Path) -> PathBuf {
    data_dir.join(FOLDER).join(FILE)
}

fn private_folder(data_dir: &Path) -> io::Result<PathBuf> {
    let folder = data_dir.join(FOLDER);
    DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
    if !fs::symlink_metadata(&folder)?.is_dir() {
        let words = format!("{} is no folder; remove it", folder.display());
        return Err(io::Error::new(ErrorKind::NotADirectory, words));
    }
    fs::set_permissions(&folder, Permissions::from_mode(0o700))?;
    Ok(folder)
}

/// A socket's path in a form that fits: addresses hold 107 bytes (unix(7)), folders may lie deeper. Linux knows an open
/// folder by a short name as well.
struct Reachable {
    short: PathBuf,
    _folder: Option<File>,
}

impl Reachable {
    fn of(path: &Path) -> io::Result<Self> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(ErrorKind::InvalidInput.into());
        };
        if path.as_os_str().len() < 100 {
            return Ok(Self { short: path.to_owned(), _folder: None });
        }
        let folder = File::open(parent)?;
        let short = Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(name);
        Ok(Self { short, _folder: Some(folder) })
    }

    fn path(&self) -> &Path {
        &self.short
    }
}
