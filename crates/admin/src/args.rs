//! Arguments of commands: described as data, checked before a command sees them.
//!
//! Not here: how they are written on a command line (detente).

use address::Bare;
use model::query::Password;
use serde_json::{Map, Value};
use zeroize::Zeroize;

use crate::{Failure, FailureKind};

/// What an argument may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgKind {
    /// The address of an account.
    Account,
    /// One of the server's domains.
    Domain,
    /// The address of an account or a domain.
    Place,
    /// A password: never logged.
    Password,
    /// Any text.
    Text,
    /// `true` or `false`.
    Flag,
    /// A whole number.
    Number,
    /// A list of text.
    Texts,
}

/// An argument.
#[derive(Clone, Copy, Debug)]
pub struct Arg {
    /// Its name.
    pub name: &'static str,
    /// What it may be.
    pub kind: ArgKind,
    /// Whether it must be there.
    pub required: bool,
    /// What it is, in a sentence.
    pub about: &'static str,
}

/// Arguments that fit their command. Passwords in them are wiped when dropped.
pub struct Args(Map<String, Value>);

impl Drop for Args {
    fn drop(&mut self) {
        for (_, value) in self.0.iter_mut() {
            if let Value::String(text) = value {
                text.zeroize();
            }
        }
    }
}

fn usage(text: impl std::fmt::Display) -> Failure {
    Failure::new(FailureKind::Usage, text)
}

impl Args {
    /// Checks what came against what a command takes.
    pub(crate) fn check(given: Map<String, Value>, known: &[Arg]) -> Result<Args, Failure> {
        let args = Args(given);
        if let Some(name) = args.0.keys().find(|name| !known.iter().any(|arg| arg.name == *name)) {
            let names: Vec<&str> = known.iter().map(|arg| arg.name).collect();
            return Err(usage(format_args!("unknown argument \"{name}\"; known are: {}", names.join(", "))));
        }
        for arg in known {
            match args.0.get(arg.name) {
                None | Some(Value::Null) if arg.required => {
                    return Err(usage(format_args!("the argument \"{}\" is missing", arg.name)));
                }
                None | Some(Value::Null) => {}
                Some(value) if fits(arg.kind, value) => {}
                Some(_) => {
                    return Err(usage(format_args!("the argument \"{}\" has the wrong type", arg.name)));
                }
            }
        }
        Ok(args)
    }

    pub(crate) fn account(&self, name: &str) -> Result<Bare, Failure> {
        let text = self.text(name).unwrap_or_default();
        let account = Bare::parse(text).map_err(|error| usage(format_args!("\"{text}\": {error}")))?;
        match account.local() {
            Some(_) => Ok(account),
            None => Err(usage(format_args!("\"{text}\" is a domain; write an address like name@{account}"))),
        }
    }

    /// The address of an account or of a domain.
    pub(crate) fn place(&self, name: &str) -> Result<Option<Bare>, Failure> {
        let Some(text) = self.text(name) else { return Ok(None) };
        Bare::parse(text).map(Some).map_err(|error| usage(format_args!("\"{text}\": {error}")))
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    pub(crate) fn flag(&self, name: &str) -> bool {
        self.0.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.0.get(name)?.as_u64()
    }

    /// A text that people read.
    pub(crate) fn written(&self, name: &str) -> Result<Option<&str>, Failure> {
        match self.text(name) {
            Some(text) if !is_writable(text) => Err(usage(format_args!("\"{name}\" has control characters"))),
            text => Ok(text),
        }
    }

    pub(crate) fn texts(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
    }

    pub(crate) fn password(&self, name: &str) -> Password {
        Password::new(self.text(name).unwrap_or_default())
    }
}

/// Whether a text can stand in XML, on a line or several.
pub(crate) fn is_writable(text: &str) -> bool {
    let odd = |c: char| (c.is_control() && !matches!(c, '\n' | '\t')) || matches!(c, '\u{fffe}' | '\u{ffff}');
    !text.contains(odd)
}

fn fits(kind: ArgKind, value: &Value) -> bool {
    match kind {
        ArgKind::Account | ArgKind::Domain | ArgKind::Place | ArgKind::Password | ArgKind::Text => {
            value.is_string()
        }
        ArgKind::Flag => value.is_boolean(),
        ArgKind::Number => value.is_u64(),
        ArgKind::Texts => value.as_array().is_some_and(|list| list.iter().all(Value::is_string)),
    }
}
