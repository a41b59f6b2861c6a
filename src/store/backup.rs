//! What a backup is: lines of JSON, packed with gzip or not.
//!
//! ```text
//! {"passgate_backup":1,"made":"2026-11-27T17:34:00.000Z"}
//! {"kind":"user","key":"AQEB…","version":1,"record":{"name":…}}
//! {"kind":"passkey","key":"…","gone":true}
//! {"lines":2,"sha256":"…"}
//! ```
//!
//! The first line names the form, the last one tells how many there were and the digest of all before it: a backup that was
//! cut off or changed is refused as a whole. Of two lines with one key the later counts. What stands in the lines between
//! is the adapter's business ([`super::Store::export`], [`super::Rebuild`]).

use std::io::{self, BufRead, BufReader, Read, Write};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::domain::{Timestamp, hex};

/// The form written, and the only one there has been.
const FORM: u32 = 1;
/// No line is longer: a record is a few kilobytes at most.
const MAX_LINE: u64 = 4 * 1024 * 1024;

#[derive(Serialize, Deserialize)]
struct First {
    passgate_backup: u32,
    made: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Last {
    lines: u64,
    sha256: String,
}

/// Whether a backup is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// With gzip.
    Gzip,
    /// Not at all.
    Plain,
}

/// Writes a backup.
pub struct BackupWriter<W: Write> {
    out: Packed<W>,
    digest: Sha256,
    lines: u64,
}

enum Packed<W: Write> {
    Gzip(GzEncoder<W>),
    Plain(W),
}

impl<W: Write> BackupWriter<W> {
    /// Begins a backup that was made at this time.
    pub fn new(out: W, packing: Packing, made: Timestamp) -> io::Result<Self> {
        let out = match packing {
            Packing::Gzip => Packed::Gzip(GzEncoder::new(out, Compression::default())),
            Packing::Plain => Packed::Plain(out),
        };
        let mut backup = Self { out, digest: Sha256::new(), lines: 0 };
        backup.write(&serde_json::to_string(&First { passgate_backup: FORM, made: made.to_string() })?)?;
        Ok(backup)
    }

    /// Adds a line of an export.
    pub fn line(&mut self, line: &str) -> io::Result<()> {
        self.lines += 1;
        self.write(line)
    }

    /// Writes the last line, and gives back what it was written to.
    pub fn finish(mut self) -> io::Result<W> {
        let sha256 = hex(self.digest.clone().finalize());
        self.write(&serde_json::to_string(&Last { lines: self.lines, sha256 })?)?;
        match self.out {
            Packed::Gzip(out) => out.finish(),
            Packed::Plain(mut out) => out.flush().map(|()| out),
        }
    }

    fn write(&mut self, line: &str) -> io::Result<()> {
        let out: &mut dyn Write = match &mut self.out {
            Packed::Gzip(out) => out,
            Packed::Plain(out) => out,
        };
        for part in [line.as_bytes(), b"\n"] {
            self.digest.update(part);
            out.write_all(part)?;
        }
        Ok(())
    }
}

/// Why a backup can't be read.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// It can't be read at all.
    #[error("it can't be read: {0}")]
    Io(#[from] io::Error),
    /// It is something else.
    #[error("it is not a backup that passgate has made")]
    Foreign,
    /// It is newer than this program.
    #[error("it has form {0}, and this version knows form {FORM}; use a newer passgate")]
    Newer(u32),
    /// It ends too early.
    #[error("it is cut off after line {0}; take another one")]
    CutOff(u64),
    /// It is not as it was written.
    #[error("it is damaged: its digest does not fit; take another one")]
    Changed,
    /// A line makes no sense.
    #[error("line {0}: {1}")]
    Line(u64, String),
}

/// Reads a backup, packed or not, line by line; how many there were. Whether it is whole is known when this returns, so
/// nothing that `take` does may be for good before.
pub fn read_backup(
    input: impl Read,
    take: &mut dyn FnMut(&str) -> Result<(), String>,
) -> Result<u64, BackupError> {
    let mut packed = BufReader::new(input);
    // A buffer holds at least these two bytes of a file that has them, or of a pipe that has begun with one.
    let is_packed = packed.fill_buf()?.starts_with(&[0x1f, 0x8b]);
    let mut input: Box<dyn BufRead> =
        if is_packed { Box::new(BufReader::new(MultiGzDecoder::new(packed))) } else { Box::new(packed) };
    let (mut line, mut count, mut digest) = (Vec::new(), 0, Sha256::new());
    let head = next_line(&mut *input, &mut line)?.and_then(|text| serde_json::from_str::<First>(text).ok());
    match head.ok_or(BackupError::Foreign)?.passgate_backup {
        FORM => digest.update(&line),
        other => return Err(BackupError::Newer(other)),
    }
    loop {
        let cut_off = BackupError::CutOff(count + 1);
        let text = match next_line(&mut *input, &mut line) {
            Ok(text) => text.ok_or(cut_off)?,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(cut_off),
            // Packed bytes that make no sense.
            Err(error) if is_packed && error.kind() == io::ErrorKind::InvalidInput => {
                return Err(BackupError::Changed);
            }
            Err(error) => return Err(error.into()),
        };
        if let Ok(last) = serde_json::from_str::<Last>(text) {
            let is_whole = last.lines == count && last.sha256 == hex(digest.finalize());
            // What is packed has a sum of its own behind its end.
            let ends = matches!(input.fill_buf(), Ok([]));
            return if is_whole && ends { Ok(count) } else { Err(BackupError::Changed) };
        }
        count += 1;
        take(text).map_err(|reason| BackupError::Line(count + 1, reason))?;
        digest.update(&line);
    }
}

/// The next line without its end, of which `line` keeps the bytes; none if there is no whole one.
fn next_line<'l>(input: &mut dyn BufRead, line: &'l mut Vec<u8>) -> io::Result<Option<&'l str>> {
    line.clear();
    input.take(MAX_LINE).read_until(b'\n', line)?;
    Ok(line.strip_suffix(b"\n").and_then(|text| str::from_utf8(text).ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(packing: Packing) -> Vec<u8> {
        let mut backup = BackupWriter::new(Vec::new(), packing, Timestamp::from_millis(0)).unwrap();
        (0..300).for_each(|n| backup.line(&format!("{{\"kind\":\"user\",\"key\":\"{n}\"}}")).unwrap());
        backup.finish().unwrap()
    }

    fn read(bytes: &[u8]) -> Result<u64, BackupError> {
        read_backup(bytes, &mut |_| Ok(()))
    }

    #[test]
    fn what_was_written_is_read_packed_or_not() {
        for packing in [Packing::Gzip, Packing::Plain] {
            let mut lines = Vec::new();
            let count = read_backup(&*written(packing), &mut |line| {
                lines.push(line.to_owned());
                Ok(())
            });
            assert_eq!((count.unwrap(), lines.len()), (300, 300));
            assert_eq!(lines[299], "{\"kind\":\"user\",\"key\":\"299\"}");
        }
    }

    #[test]
    fn sto_09_a_backup_that_is_cut_off_anywhere_is_refused() {
        for packing in [Packing::Gzip, Packing::Plain] {
            let whole = written(packing);
            for length in 0..whole.len() {
                assert!(read(&whole[..length]).is_err(), "{packing:?} cut at {length}");
            }
        }
    }

    #[test]
    fn sto_09_a_backup_that_was_changed_anywhere_is_refused() {
        let whole = written(Packing::Plain);
        // The time in the first line is told, not relied on; it is in the digest all the same.
        for place in (0..whole.len()).step_by(7) {
            let mut changed = whole.clone();
            changed[place] ^= 1;
            assert!(read(&changed).is_err(), "byte {place}");
        }
        let packed = written(Packing::Gzip);
        // But for its head, whose time and system mean nothing.
        for place in 10..packed.len() {
            let mut changed = packed.clone();
            changed[place] ^= 1;
            assert!(read(&changed).is_err(), "packed byte {place}");
        }
    }

    #[test]
    fn what_is_no_backup_or_a_newer_one_is_told() {
        assert!(matches!(read(b""), Err(BackupError::Foreign)));
        assert!(matches!(read(b"{\"name\":\"alice\"}\n"), Err(BackupError::Foreign)));
        let newer = b"{\"passgate_backup\":2,\"made\":\"\",\"more\":1}\n";
        assert!(matches!(read(newer), Err(BackupError::Newer(2))));
    }
}
