//! From a file and the environment to a checked configuration.
//!
//! Not here: the single checks (`walk.rs`, `meaning.rs`, `files.rs`).

use std::path::Path;

use serde::Deserialize;
use toml::Value;
use toml::de::DeTable;

use crate::source::Source;
use crate::{Certificates, Config, Fault, Level, Place, environment, files, meaning, walk};

/// What came out.
#[derive(Debug)]
pub struct Checked {
    /// The configuration; `None` if there is an error.
    pub config: Option<Config>,
    /// All that was found, in the order of the file, errors and warnings.
    pub faults: Vec<Fault>,
}

impl Checked {
    /// The configuration, if there is no error.
    ///
    /// # Errors
    /// All faults, warnings too.
    pub fn ok(self) -> Result<Config, Vec<Fault>> {
        self.config.ok_or(self.faults)
    }
}

/// Reads and checks everything that can be known from the text alone.
pub fn read(file: &Path, environment: impl IntoIterator<Item = (String, String)>) -> Checked {
    match open(file) {
        Ok(mut source) => {
            let config = of_text(&mut source, file, environment);
            finish(source, config)
        }
        Err(fault) => Checked { config: None, faults: vec![*fault] },
    }
}

/// Reads and checks everything, certificates, keys and folders included.
pub fn check(
    file: &Path,
    environment: impl IntoIterator<Item = (String, String)>,
    certificates: &dyn Certificates,
) -> Checked {
    match open(file) {
        Ok(mut source) => {
            let config = of_text(&mut source, file, environment);
            if let Some(config) = &config {
                files::check(&mut source, config, file, certificates);
            }
            finish(source, config)
        }
        Err(fault) => Checked { config: None, faults: vec![*fault] },
    }
}

fn finish(mut source: Source, config: Option<Config>) -> Checked {
    // Stable: what was found at one place stays in order.
    source.faults.sort_by_key(line);
    let fatal = source.faults.iter().any(|fault| fault.level == Level::Error);
    Checked { config: config.filter(|_| !fatal), faults: source.faults }
}

fn line(fault: &Fault) -> (usize, usize) {
    match &fault.place {
        Place::Line { line, column, .. } => (*line, *column),
        _ => (usize::MAX, 0),
    }
}

fn open(file: &Path) -> Result<Source, Box<Fault>> {
    let text = std::fs::read(file).map_err(|error| {
        Box::new(Fault {
            level: Level::Error,
            place: Place::File(file.to_owned()),
            what: format!("the configuration cannot be read: {error}"),
            fix: "name another file with --config, or write one with `detente init`".to_owned(),
        })
    })?;
    String::from_utf8(text).map(|text| Source::new(file, text)).map_err(|_| {
        Box::new(Fault {
            level: Level::Error,
            place: Place::File(file.to_owned()),
            what: "the configuration is not text in UTF-8".to_owned(),
            fix: "save it as UTF-8".to_owned(),
        })
    })
}

/// The configuration as far as it can be made; with faults it may be incomplete.
fn of_text(
    source: &mut Source,
    file: &Path,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Option<Config> {
    let text = source.text().to_owned();
    let (parsed, errors) = DeTable::parse_recoverable(&text);
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        let what = format!("this is not proper TOML: {}", error.message().replace('\n', "; "));
        source.error_at(span, what, "see https://toml.io for how values are written");
    }
    let mut table = walk::walk(source, parsed.get_ref());
    environment::apply(source, &mut table, environment);
    let mut config = match Config::deserialize(Value::Table(table)) {
        Ok(config) => config,
        Err(error) => {
            // `walk` lets nothing pass that does not fit; a test holds the two together.
            source.error(
                "",
                error.message().to_owned(),
                "this is a mistake of this program; please report it",
            );
            return None;
        }
    };
    config.base = file.parent().map(Path::to_owned).unwrap_or_default();
    meaning::check(source, &mut config);
    Some(config)
}
