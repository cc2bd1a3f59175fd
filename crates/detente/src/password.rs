//! Asks for a password: twice on a terminal, without showing it, or from standard input.
//!
//! Not here: which passwords are allowed (sasl).

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};

use admin::{Failure, FailureKind};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

/// More than any password that is allowed, in bytes.
const LINE_MAX: u64 = 4_096;

/// A new password.
///
/// # Errors
/// None is given, the two differ, or it cannot be a password.
pub(crate) fn new(stdin: bool) -> Result<Zeroizing<String>, Failure> {
    let password = if stdin { line(&mut io::stdin().lock())? } else { twice()? };
    sasl::Password::parse(&password).map_err(|error| Failure::new(FailureKind::Refused, error))?;
    Ok(password)
}

fn twice() -> Result<Zeroizing<String>, Failure> {
    let hint = "there is no terminal to ask for a password; give it on standard input with --password-stdin";
    let no_terminal = |_| Failure::new(FailureKind::Usage, hint);
    let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty").map_err(no_terminal)?;
    let ask = |prompt| ask(&terminal, prompt).map_err(|error| Failure::new(FailureKind::Failed, error));
    let first = ask("New password: ")?;
    if *first != *ask("Once more: ")? {
        return Err(Failure::new(FailureKind::Failed, "the two passwords differ; nothing was changed"));
    }
    Ok(first)
}

/// Shows again what is typed, whatever happens.
struct Silence<'a>(&'a File, Termios);

impl Drop for Silence<'_> {
    fn drop(&mut self) {
        // Nothing better can be done about a terminal that is gone.
        let _ = tcsetattr(self.0, OptionalActions::Flush, &self.1);
    }
}

fn ask(mut terminal: &File, prompt: &str) -> io::Result<Zeroizing<String>> {
    write!(terminal, "{prompt}")?;
    let before = tcgetattr(terminal)?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    silent.local_modes.insert(LocalModes::ECHONL | LocalModes::ICANON);
    let silence = Silence(terminal, before);
    tcsetattr(terminal, OptionalActions::Flush, &silent)?;
    let answer = line(&mut BufReader::new(terminal)).map_err(io::Error::other);
    drop(silence);
    answer
}

/// The first line, without its end.
fn line(from: &mut impl BufRead) -> Result<Zeroizing<String>, Failure> {
    let mut text = Zeroizing::new(String::new());
    let read = from.take(LINE_MAX).read_line(&mut text);
    read.map_err(|error| {
        Failure::new(FailureKind::Failed, format_args!("no password could be read: {error}"))
    })?;
    let kept = text.trim_end_matches(['\r', '\n']).len();
    text.truncate(kept);
    Ok(text)
}

/// Whether a person says yes.
///
/// # Errors
/// There is no terminal.
pub(crate) fn confirm(question: &str) -> Result<bool, Failure> {
    let hint = "there is no terminal to ask for confirmation; add --yes if you are sure";
    let no_terminal = |_| Failure::new(FailureKind::Usage, hint);
    let mut terminal = OpenOptions::new().read(true).write(true).open("/dev/tty").map_err(no_terminal)?;
    let failed = |error: io::Error| Failure::new(FailureKind::Failed, error);
    write!(terminal, "{question} [y/N] ").map_err(failed)?;
    let mut answer = String::new();
    BufReader::new(terminal).take(LINE_MAX).read_line(&mut answer).map_err(failed)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes" | "Yes"))
}
