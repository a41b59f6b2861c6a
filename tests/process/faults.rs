//! Disk calls of the program that fail, hang, or are its last: a small library put before its own, see `faults.c`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::site::Site;

/// The library, for the store of one site.
pub(crate) struct Faults {
    library: PathBuf,
    orders: PathBuf,
    store: PathBuf,
}

impl Faults {
    /// None, with the reason, where no library can be made.
    pub(crate) fn in_store_of(site: &Site) -> Result<Self, String> {
        let beside = |name| site.data_dir().with_file_name(name);
        let faults = Self {
            library: beside("faults.so"),
            orders: beside("orders"),
            store: site.data_dir().join("store"),
        };
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/process/faults.c");
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&faults.library).arg(source).arg("-ldl");
        let made = cc.output().map_err(|error| format!("cc: {error}"))?;
        if !made.status.success() {
            return Err(String::from_utf8_lossy(&made.stderr).into_owned());
        }
        faults.order("");
        Ok(faults)
    }

    /// What the calls do from now on; the words are those of `faults.c`.
    pub(crate) fn order(&self, words: &str) {
        // At one moment, since it is read at any.
        let new = self.orders.with_extension("new");
        fs::write(&new, format!("{words}\n")).unwrap();
        fs::rename(new, &self.orders).unwrap();
    }

    /// The program with the library before its own.
    pub(crate) fn in_front_of(&self, mut command: Command) -> Command {
        command.env("LD_PRELOAD", &self.library).env("FAULT_FOLDER", &self.store);
        command.env("FAULT_ORDERS", &self.orders);
        command
    }
}
