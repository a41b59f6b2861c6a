//! Bytes one after another with the line they stand in. Holds one buffer, however long the lines are.

use std::io::{self, Read};

/// Why reading ended before the file did.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct Broken {
    /// Where, counted from 1.
    pub line: u64,
    /// What is wrong, in words.
    pub reason: String,
}

/// Reads ahead a little, and counts lines.
pub(super) struct Scanner<'i> {
    input: Box<dyn Read + 'i>,
    buffer: Vec<u8>,
    at: usize,
    end: usize,
    line: u64,
}

impl<'i> Scanner<'i> {
    /// Small in tests, which read thousands of files and want to see it run empty.
    const BUFFER: usize = if cfg!(test) { 1024 } else { 128 * 1024 };

    pub(super) fn new(input: Box<dyn Read + 'i>) -> Self {
        Self { input, buffer: vec![0; Self::BUFFER], at: 0, end: 0, line: 1 }
    }

    /// The line of the next byte.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// A fault here.
    pub(super) fn broken(&self, reason: impl Into<String>) -> Broken {
        Broken { line: self.line, reason: reason.into() }
    }

    /// What is at hand without reading further; empty at the end of the file only.
    pub(super) fn rest(&mut self) -> Result<&[u8], Broken> {
        if self.at == self.end {
            self.fill()?;
        }
        Ok(&self.buffer[self.at..self.end])
    }

    /// The next byte.
    pub(super) fn peek(&mut self) -> Result<Option<u8>, Broken> {
        Ok(self.rest()?.first().copied())
    }

    /// The byte `distance` bytes on; for distances of a few bytes.
    pub(super) fn ahead(&mut self, distance: usize) -> Result<Option<u8>, Broken> {
        while self.end - self.at <= distance {
            if self.fill()? == 0 {
                return Ok(None);
            }
        }
        Ok(Some(self.buffer[self.at + distance]))
    }

    /// Steps over what is at hand.
    pub(super) fn skip(&mut self, bytes: usize) {
        let to = (self.at + bytes).min(self.end);
        self.line += memchr::memchr_iter(b'\n', &self.buffer[self.at..to]).count() as u64;
        self.at = to;
    }

    /// Takes the next byte.
    pub(super) fn next(&mut self) -> Result<Option<u8>, Broken> {
        let next = self.peek()?;
        self.skip(1);
        Ok(next)
    }

    /// Takes the next byte if it is this one.
    pub(super) fn take(&mut self, byte: u8) -> Result<bool, Broken> {
        let there = self.peek()? == Some(byte);
        if there {
            self.skip(1);
        }
        Ok(there)
    }

    /// Steps over bytes for as long as they are of a kind.
    pub(super) fn skip_while(&mut self, mut kind: impl FnMut(u8) -> bool) -> Result<(), Broken> {
        loop {
            let rest = self.rest()?;
            let count = rest.iter().position(|byte| !kind(*byte)).unwrap_or(rest.len());
            let (ended, all) = (rest.is_empty(), count == rest.len());
            self.skip(count);
            if ended || !all {
                return Ok(());
            }
        }
    }

    /// Steps over the rest of the line, and its end.
    pub(super) fn skip_line(&mut self) -> Result<(), Broken> {
        self.skip_while(|byte| byte != b'\n')?;
        self.next().map(drop)
    }

    /// Reads more behind what is left. Returns how much.
    fn fill(&mut self) -> Result<usize, Broken> {
        self.buffer.copy_within(self.at..self.end, 0);
        self.end -= self.at;
        self.at = 0;
        loop {
            match self.input.read(&mut self.buffer[self.end..]) {
                Ok(count) => {
                    self.end += count;
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.broken(format!("reading stopped: {error}"))),
            }
        }
    }
}
