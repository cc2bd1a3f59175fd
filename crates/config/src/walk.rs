//! Goes through the file's values: unknown names, wrong types, numbers out of range; all of them, not only the first.
//!
//! Not here: what settings mean together (`meaning.rs`).

use std::ops::Range;

use toml::de::{DeTable, DeValue};
use toml::{Spanned, Table, Value};

use crate::near::nearest;
use crate::settings::{Kind, SETTINGS, find, inside};
use crate::source::Source;

/// What of the table can be used, without what is wrong.
pub(crate) fn walk(source: &mut Source, table: &DeTable<'_>) -> Table {
    let mut segments = Vec::new();
    section(source, table, &mut segments)
}

fn section(source: &mut Source, table: &DeTable<'_>, segments: &mut Vec<String>) -> Table {
    let mut good = Table::new();
    // Tables of the parser are sorted by key; people read from the top.
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    for (key, value) in entries {
        segments.push(key.get_ref().to_string());
        let path = segments.join(".");
        source.found(&path, key.span());
        let read = if let Some(setting) = find(segments) {
            source.found(&path, value.span());
            read(source, &path, setting.kind, value)
        } else if inside(segments).is_empty() {
            unknown(source, segments, key.span());
            None
        } else if let DeValue::Table(table) = value.get_ref() {
            Some(Value::Table(section(source, table, segments)))
        } else {
            let fix = format!("write it as a section: [{}]", shown(segments));
            source.error_at(value.span(), format!("`{}` is a section, not a setting", shown(segments)), fix);
            None
        };
        if let Some(value) = read {
            good.insert(key.get_ref().to_string(), value);
        }
        segments.pop();
    }
    good
}

fn unknown(source: &mut Source, segments: &[String], span: Range<usize>) {
    let Some((word, section)) = segments.split_last() else { return };
    let here = inside(section);
    let (what, kind) = match section {
        [] => (format!("there is no section [{word}]"), "section"),
        _ => (format!("there is no setting `{word}` in [{}]", shown(section)), "setting"),
    };
    let elsewhere = || {
        let last = |path: &'static str| path.rsplit('.').next();
        let setting = SETTINGS.iter().find(|setting| last(setting.path) == Some(word))?;
        let section = setting.path.strip_suffix(word.as_str())?.trim_end_matches('.');
        Some(format!("`{word}` belongs into the section [{}]", section.replace('*', "\"example.org\"")))
    };
    let fix = if let Some(meant) = nearest(word, here.iter().copied()) {
        format!("did you mean `{meant}`?")
    } else if let Some(fix) = elsewhere() {
        fix
    } else {
        format!("the {kind}s here are: {}", here.join(", "))
    };
    source.error_at(span, what, fix);
}

fn shown(segments: &[String]) -> String {
    let quoted = |segment: &String| match segment.contains('.') {
        true => format!("\"{segment}\""),
        false => segment.clone(),
    };
    segments.iter().map(quoted).collect::<Vec<_>>().join(".")
}

/// A value of the right kind, or the fault is noted.
pub(crate) fn read(
    source: &mut Source,
    path: &str,
    kind: Kind,
    value: &Spanned<DeValue<'_>>,
) -> Option<Value> {
    let wrong = |source: &mut Source, what: String| {
        let fix = format!("write {}", kind.describe());
        source.error(path, what, fix);
        None
    };
    let name = path.rsplit('.').next().unwrap_or(path);
    match (kind, value.get_ref()) {
        (Kind::Flag, DeValue::Boolean(flag)) => Some(Value::Boolean(*flag)),
        (Kind::Text, DeValue::String(text)) => Some(Value::String(text.to_string())),
        (Kind::OneOf(words), DeValue::String(text)) if words.contains(&text.as_ref()) => {
            Some(Value::String(text.to_string()))
        }
        (Kind::OneOf(words), DeValue::String(text)) => {
            let fix = match nearest(text, words.iter().copied()) {
                Some(meant) => format!("did you mean \"{meant}\"?"),
                None => format!("write {}", kind.describe()),
            };
            source.error(path, format!("`{name}` cannot be \"{text}\""), fix);
            None
        }
        (Kind::Number(low, high), DeValue::Integer(number)) => {
            let digits = number.as_str().replace('_', "");
            match i64::from_str_radix(&digits, number.radix()) {
                Ok(n) if u64::try_from(n).is_ok_and(|n| (low..=high).contains(&n)) => Some(Value::Integer(n)),
                _ => wrong(source, format!("`{name}` is out of range: {digits}")),
            }
        }
        (Kind::List | Kind::ListOf(_), DeValue::Array(items)) => list(source, path, kind, items.iter()),
        (_, other) => wrong(source, format!("`{name}` must not be {}", a(other.type_str()))),
    }
}

fn list<'a, 'i: 'a>(
    source: &mut Source,
    path: &str,
    kind: Kind,
    items: impl Iterator<Item = &'a Spanned<DeValue<'i>>>,
) -> Option<Value> {
    let element = match kind {
        Kind::ListOf(words) => Kind::OneOf(words),
        _ => Kind::Text,
    };
    let mut good = Vec::new();
    for (at, item) in items.enumerate() {
        let path = format!("{path}[{at}]");
        source.found(&path, item.span());
        good.extend(read(source, &path, element, item));
    }
    Some(Value::Array(good))
}

fn a(kind: &str) -> String {
    match kind {
        "string" => "text".to_owned(),
        "integer" => "a number".to_owned(),
        "boolean" => "true or false".to_owned(),
        "array" => "a list".to_owned(),
        "table" => "a section".to_owned(),
        "datetime" => "a date".to_owned(),
        _ => format!("a {kind}"),
    }
}
