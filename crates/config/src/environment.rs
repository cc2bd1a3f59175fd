//! Variables of the environment that override the file.
//!
//! Not here: the rule for people (`lib.rs`).

use toml::de::DeValue;
use toml::{Spanned, Table, Value};

use crate::near::nearest;
use crate::settings::{Kind, SETTINGS, Setting};
use crate::source::Source;
use crate::walk;
use crate::{Fault, Level, Place};

const PREFIX: &str = "DETENTE_";
/// Names the file; read by the command line.
const CONFIG: &str = "DETENTE_CONFIG";

/// Puts what the variables say into the table.
pub(crate) fn apply(
    source: &mut Source,
    table: &mut Table,
    environment: impl IntoIterator<Item = (String, String)>,
) {
    let mut variables: Vec<_> =
        environment.into_iter().filter(|(name, _)| name.starts_with(PREFIX) && name != CONFIG).collect();
    variables.sort();
    for (variable, text) in variables {
        match SETTINGS.iter().find(|setting| name_of(setting).as_deref() == Some(&variable)) {
            Some(setting) => {
                source.overridden(setting.path, &variable);
                if let Some(value) = read(source, setting, &text) {
                    put(table, setting.path, value);
                }
            }
            None => unknown(source, variable),
        }
    }
}

/// The variable of a setting; `None` for those of single domains.
pub(crate) fn name_of(setting: &Setting) -> Option<String> {
    let (section, name) = setting.path.split_once('.').filter(|_| !setting.path.contains('*'))?;
    Some(format!("{PREFIX}{}__{}", section.to_ascii_uppercase(), name.to_ascii_uppercase()))
}

fn unknown(source: &mut Source, variable: String) {
    let names: Vec<String> = SETTINGS.iter().filter_map(name_of).collect();
    let fix = match nearest(&variable, names.iter().map(String::as_str)) {
        Some(meant) => format!("did you mean {meant}?"),
        None => format!("variables have the form {PREFIX}SECTION__SETTING, as in {PREFIX}LOG__LEVEL"),
    };
    let what = format!("{variable} names no setting");
    source.faults.push(Fault { level: Level::Error, place: Place::Variable(variable), what, fix });
}

fn read(source: &mut Source, setting: &Setting, text: &str) -> Option<Value> {
    let quoted = |text: &str| Spanned::new(0..0, DeValue::String(text.to_owned().into()));
    match setting.kind {
        Kind::Text | Kind::OneOf(_) => walk::read(source, setting.path, setting.kind, &quoted(text)),
        Kind::List | Kind::ListOf(_) if !text.trim_start().starts_with('[') => {
            let words: Vec<&str> = text.split(',').map(str::trim).filter(|word| !word.is_empty()).collect();
            let element = match setting.kind {
                Kind::ListOf(of) => Kind::OneOf(of),
                _ => Kind::Text,
            };
            let values =
                words.into_iter().map(|word| walk::read(source, setting.path, element, &quoted(word)));
            Some(Value::Array(values.collect::<Vec<_>>().into_iter().flatten().collect()))
        }
        kind => match DeValue::parse(text.trim()) {
            Ok(value) => {
                let read = walk::read(source, setting.path, kind, &value);
                // Elements of a list have no place in the file.
                let name = name_of(setting).unwrap_or_default();
                source.overridden(setting.path, &name);
                read
            }
            Err(_) => {
                let what = format!("\"{text}\" is no value for `{}`", setting.path);
                source.error(setting.path, what, format!("write {}", kind.describe()));
                None
            }
        },
    }
}

fn put(table: &mut Table, path: &str, value: Value) {
    let Some((section, name)) = path.split_once('.') else { return };
    let section = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
    if let Value::Table(section) = section {
        section.insert(name.to_owned(), value);
    }
}
