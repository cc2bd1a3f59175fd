//! The bytes of an imported file and of those that it includes, with the line that is being read.
//!
//! XEP-0227 1.1 section 5 (XInclude: relative addresses only)
//!
//! Not here: XML (`reader.rs`).

use std::fmt;
use std::io::Read;

use crate::limits::INCLUDES_MAX;

/// Why an import or export ended.
#[derive(Debug)]
pub enum Fault {
    /// The file is not what it should be: file, line and what is wrong.
    File {
        /// Its name.
        name: String,
        /// The line, from 1.
        line: u64,
        /// What is wrong, in words.
        what: String,
    },
    /// Storage failed.
    Store(store::Fault),
    /// A file cannot be read or written.
    Io(std::io::Error),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::File { name, line, what } => write!(f, "{name}, line {line}: {what}"),
            Fault::Store(fault) => write!(f, "{fault}"),
            Fault::Io(error) => write!(f, "{error}"),
        }
    }
}

impl From<store::Fault> for Fault {
    fn from(fault: store::Fault) -> Fault {
        Fault::Store(fault)
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Fault {
        Fault::Io(error)
    }
}

/// Opens a file that another one includes, by its name relative to the first one's folder.
pub type Open<'a> = &'a mut dyn FnMut(&str) -> std::io::Result<Box<dyn Read>>;

struct Input {
    name: String,
    line: u64,
    read: Box<dyn Read>,
    buffer: Vec<u8>,
    at: usize,
}

/// The bytes.
pub(crate) struct Source<'a> {
    inputs: Vec<Input>,
    open: Open<'a>,
    /// Read ahead and put back.
    back: Option<u8>,
}

impl<'a> Source<'a> {
    pub(crate) fn new(name: &str, read: Box<dyn Read>, open: Open<'a>) -> Source<'a> {
        let mut source = Source { inputs: Vec::new(), open, back: None };
        source.push(name, read);
        source
    }

    fn push(&mut self, name: &str, read: Box<dyn Read>) {
        self.inputs.push(Input { name: name.to_owned(), line: 1, read, buffer: Vec::new(), at: 0 });
    }

    /// How many files are open.
    pub(crate) fn depth(&self) -> usize {
        self.inputs.len()
    }

    /// Goes on with another file; behind it with this one.
    pub(crate) fn include(&mut self, href: &str) -> Result<(), Fault> {
        if self.inputs.len() >= INCLUDES_MAX {
            return Err(self.fault(format!("more than {INCLUDES_MAX} files include each other")));
        }
        let name = decoded(href);
        let stays = !name.starts_with('/') && !name.contains("//") && !name.contains(':');
        if !stays || name.split('/').any(|part| part == ".." || part.contains(['\\', '\0'])) {
            return Err(self.fault(format!("\"{href}\" is no file beside or below this one")));
        }
        let read = (self.open)(&name)
            .map_err(|error| self.fault(format!("\"{href}\" cannot be opened: {error}")))?;
        self.push(&name, read);
        Ok(())
    }

    /// Leaves a file that has ended. Whether there is one behind it.
    pub(crate) fn leave(&mut self) -> bool {
        self.inputs.pop();
        !self.inputs.is_empty()
    }

    pub(crate) fn put_back(&mut self, byte: u8) {
        self.back = Some(byte);
    }

    /// The next byte of the innermost file; `None` at its end.
    pub(crate) fn next(&mut self) -> Result<Option<u8>, Fault> {
        if let Some(byte) = self.back.take() {
            return Ok(Some(byte));
        }
        let Some(input) = self.inputs.last_mut() else { return Ok(None) };
        if input.at == input.buffer.len() {
            input.buffer.resize(65_536, 0);
            let read = input.read.read(&mut input.buffer)?;
            input.buffer.truncate(read);
            input.at = 0;
            if read == 0 {
                return Ok(None);
            }
        }
        let byte = input.buffer[input.at];
        input.at += 1;
        input.line += u64::from(byte == b'\n');
        Ok(Some(byte))
    }

    /// The place that is being read, and what is wrong there.
    pub(crate) fn fault(&self, what: impl Into<String>) -> Fault {
        let (name, line) = self.inputs.last().map_or(("", 0), |input| (&*input.name, input.line));
        Fault::File { name: name.to_owned(), line, what: what.into() }
    }

    /// The place that is being read.
    pub(crate) fn place(&self) -> String {
        self.inputs.last().map(|input| format!("{}, line {}", input.name, input.line)).unwrap_or_default()
    }
}

/// RFC 3986 section 2.1.
fn decoded(href: &str) -> String {
    let (mut out, mut rest) = (Vec::new(), href.as_bytes());
    while let [first, more @ ..] = rest {
        let digits = more.get(..2).filter(|_| *first == b'%').and_then(|two| std::str::from_utf8(two).ok());
        match digits.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(byte) => (out.push(byte), rest = &more[2..]).0,
            None => (out.push(*first), rest = more).0,
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
