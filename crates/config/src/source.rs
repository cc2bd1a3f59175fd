//! The text of the file, where each setting stands in it, and the faults found so far.
//!
//! Not here: what is looked for.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::{Fault, Level, Place};

/// A file under examination.
pub(crate) struct Source {
    file: PathBuf,
    text: String,
    places: BTreeMap<String, Origin>,
    pub(crate) faults: Vec<Fault>,
}

#[derive(Clone)]
enum Origin {
    Bytes(Range<usize>),
    Variable(String),
}

impl Source {
    pub(crate) fn new(file: &Path, text: String) -> Source {
        Source { file: file.to_owned(), text, places: BTreeMap::new(), faults: Vec::new() }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Remembers where a setting stands.
    pub(crate) fn found(&mut self, path: &str, span: Range<usize>) {
        self.places.insert(path.to_owned(), Origin::Bytes(span));
    }

    /// A variable takes a setting's place.
    pub(crate) fn overridden(&mut self, path: &str, variable: &str) {
        let inside = format!("{path}[");
        self.places.retain(|known, _| !known.starts_with(&inside));
        self.places.insert(path.to_owned(), Origin::Variable(variable.to_owned()));
    }

    /// The settings that stand in the file itself and not in a variable.
    pub(crate) fn in_file(&self, of: impl Fn(&str) -> bool) -> Vec<String> {
        let there = self.places.iter().filter(|(path, place)| matches!(place, Origin::Bytes(_)) && of(path));
        there.map(|(path, _)| path.clone()).collect()
    }

    /// Something is wrong at these bytes.
    pub(crate) fn error_at(&mut self, span: Range<usize>, what: impl Into<String>, fix: impl Into<String>) {
        let place = self.line(span);
        self.push(Level::Error, place, what.into(), fix.into());
    }

    /// Something is wrong with a setting; if it is not in the file, with what holds it.
    pub(crate) fn error(&mut self, path: &str, what: impl Into<String>, fix: impl Into<String>) {
        let place = self.place(path);
        self.push(Level::Error, place, what.into(), fix.into());
    }

    /// Something about a setting deserves a look.
    pub(crate) fn warning(&mut self, path: &str, what: impl Into<String>, fix: impl Into<String>) {
        let place = self.place(path);
        self.push(Level::Warning, place, what.into(), fix.into());
    }

    fn push(&mut self, level: Level, place: Place, what: String, fix: String) {
        self.faults.push(Fault { level, place, what, fix });
    }

    fn place(&self, path: &str) -> Place {
        let mut path = path;
        loop {
            match self.places.get(path) {
                Some(Origin::Bytes(span)) => return self.line(span.clone()),
                Some(Origin::Variable(name)) => return Place::Variable(name.clone()),
                None => match path.rfind(['[', '.']) {
                    Some(end) => path = &path[..end],
                    None => return Place::File(self.file.clone()),
                },
            }
        }
    }

    fn line(&self, span: Range<usize>) -> Place {
        let start = floor(&self.text, span.start);
        let end = floor(&self.text, span.end.max(start));
        let begin = self.text[..start].rfind('\n').map_or(0, |at| at + 1);
        let stop = self.text[start..].find('\n').map_or(self.text.len(), |at| start + at);
        let text = self.text[begin..stop].trim_end_matches('\r').to_owned();
        Place::Line {
            file: self.file.clone(),
            line: self.text[..start].matches('\n').count() + 1,
            column: self.text[begin..start].chars().count() + 1,
            width: self.text[start..end.clamp(start, stop)].chars().count().max(1),
            text,
        }
    }
}

/// The nearest position that is not inside a character.
fn floor(text: &str, mut at: usize) -> usize {
    at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
