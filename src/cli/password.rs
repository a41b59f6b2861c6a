//! Reading a password: never from an argument, which every process of the machine could see.

use std::io::{BufRead, Read};

use super::Trouble;
use super::streams::{Input, Streams};
use crate::domain::Secret;
use zeroize::Zeroizing;

/// More than any password that is accepted, in bytes.
const MOST: u64 = 8 * 1024;

/// From a terminal, asked for twice and not shown; otherwise the first line of the input.
pub(super) fn read(streams: &mut Streams<'_>) -> Result<Secret<String>, Trouble> {
    match streams.input_kind() {
        Input::Piped => read_line(streams.input()),
        Input::Terminal => ask_twice(),
    }
}

/// One that exists already: from a terminal it is asked for once.
pub(super) fn read_once(streams: &mut Streams<'_>) -> Result<Secret<String>, Trouble> {
    match streams.input_kind() {
        Input::Piped => read_line(streams.input()),
        Input::Terminal => ask("Password: "),
    }
}

fn read_line(input: &mut dyn BufRead) -> Result<Secret<String>, Trouble> {
    let mut line = Zeroizing::new(String::with_capacity(MOST as usize));
    match input.take(MOST).read_line(&mut line) {
        Ok(0) => Err(Trouble::data("a password is expected on the input, but it is empty")),
        Ok(_) => {
            let password = line.strip_suffix('\n').unwrap_or(&line);
            let password = password.strip_suffix('\r').unwrap_or(password);
            Ok(Secret::new(password.to_owned()))
        }
        // The error is not shown: it could quote what was read.
        Err(_) => Err(Trouble::data("the password could not be read; it has to be UTF-8 text")),
    }
}

fn ask(prompt: &str) -> Result<Secret<String>, Trouble> {
    rpassword::prompt_password(prompt)
        .map(Secret::new)
        .map_err(|error| Trouble::unavailable(format!("the password can't be asked for: {error}")))
}

fn ask_twice() -> Result<Secret<String>, Trouble> {
    let password = ask("Password: ")?;
    if ask("The same again: ")?.expose() == password.expose() {
        Ok(password)
    } else {
        Err(Trouble::data("these were two different passwords; try again"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(input: &[u8]) -> Result<String, super::super::Exit> {
        read_line(&mut &*input).map(|password| password.expose().clone()).map_err(|trouble| trouble.exit)
    }

    #[test]
    fn auth_02_a_password_is_the_first_line_and_nothing_is_trimmed_off_it() {
        assert_eq!(read(b" pass word \n").as_deref(), Ok(" pass word "));
        assert_eq!(read(b"p\r\n").as_deref(), Ok("p"));
        assert_eq!(read(b"p\n\nq\n").as_deref(), Ok("p"));
        assert_eq!(read(b"no line break").as_deref(), Ok("no line break"));
        assert_eq!(read(b""), Err(super::super::Exit::Data));
        assert_eq!(read(b"\xff\n"), Err(super::super::Exit::Data));
    }
}
