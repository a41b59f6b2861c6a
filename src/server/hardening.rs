//! What the process gives up at its start, so that whoever takes it over has less; and what it takes, so that it has enough.
//!
//! SECURITY: OPS-07. No program it could start has more rights than it has itself, no crash writes passwords and keys to the disk as a core
//! dump, and root is given up once the ports are bound.

use std::io;
use std::path::Path;

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::{Gid, Uid, User, chown, geteuid, setgid, setgroups, setuid};

/// Gives up what a gateway never needs. To be called before there are threads: what is given up is the calling thread's and
/// that of those it starts.
///
/// # Errors
/// The system's.
pub fn harden() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        nix::sys::prctl::set_no_new_privs()?;
        nix::sys::prctl::set_dumpable(false)?;
    }
    Ok(setrlimit(Resource::RLIMIT_CORE, 0, 0)?)
}

/// Has the process take as many file descriptors as its hard limit allows (SECURITY: REL-11), since many systems begin with a
/// thousand for programs that know no better. Returns how many that is.
///
/// # Errors
/// The system's.
pub fn raise_descriptors() -> io::Result<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft < hard {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    }
    Ok(hard)
}

/// Whether the process may do everything.
pub fn is_root() -> bool {
    geteuid().is_root()
}

/// The user that the process goes on as.
#[derive(Clone, Debug)]
pub struct Successor {
    name: String,
    uid: Uid,
    gid: Gid,
}

impl Successor {
    /// The user of this name.
    ///
    /// # Errors
    /// If there is none, or it is root; or if we are not root and somebody else.
    pub fn named(name: &str) -> io::Result<Self> {
        let user =
            User::from_name(name)?.ok_or_else(|| refused(name, "there is no such user on this system"))?;
        if user.uid.is_root() {
            return Err(refused(name, "that would give up nothing: name a user with no rights of its own"));
        }
        if !is_root() && user.uid != geteuid() {
            return Err(refused(name, "only root can become somebody else: start as root, or as that user"));
        }
        Ok(Self { name: user.name, uid: user.uid, gid: user.gid })
    }

    /// Makes a folder theirs that root has just made.
    ///
    /// # Errors
    /// The system's.
    pub fn own(&self, path: &Path) -> io::Result<()> {
        if is_root() { Ok(chown(path, Some(self.uid), Some(self.gid))?) } else { Ok(()) }
    }

    /// Becomes this user, in all threads and for good.
    ///
    /// # Errors
    /// The system's; the process must not go on then.
    pub fn take_over(&self) -> io::Result<()> {
        if !is_root() {
            return Ok(());
        }
        setgroups(&[self.gid])?;
        setgid(self.gid)?;
        setuid(self.uid)?;
        // Who can go back has given up nothing.
        match setuid(Uid::from_raw(0)) {
            Err(Errno::EPERM) => Ok(()),
            _ => Err(refused(&self.name, "root could be taken again")),
        }
    }
}

fn refused(name: &str, why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, format!("server.user = {name:?}: {why}"))
}
