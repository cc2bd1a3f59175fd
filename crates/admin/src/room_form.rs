//! The configuration of a room, as operators write it: `name=value`, with the names of the form's fields.
//!
//! XEP-0045 1.35.5 section 15.5.3
//!
//! Not here: what the settings mean and may be (muc).

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use stanza::ns;
use xml::{El, Writer};

use crate::args::{Args, is_writable};
use crate::{Failure, FailureKind};

const SECRET: &str = "muc#roomconfig_roomsecret";
const GUARDED: &str = "muc#roomconfig_passwordprotectedroom";
/// Fields with several values; operators part them by commas.
const LISTS: [&str; 3] =
    ["muc#roomconfig_roomadmins", "muc#roomconfig_roomowners", "muc#roomconfig_presencebroadcast"];

/// What is to be submitted, by field.
pub(crate) type Fields = BTreeMap<&'static str, Vec<String>>;

fn usage(text: impl std::fmt::Display) -> Failure {
    Failure::new(FailureKind::Usage, text)
}

/// Without what all names begin with.
fn short(field: &str) -> &str {
    field.strip_prefix("muc#roomconfig_").or_else(|| field.strip_prefix("muc#")).unwrap_or(field)
}

fn known(name: &str) -> Result<&'static str, Failure> {
    muc::fields().find(|field| *field == name || short(field) == name).ok_or_else(|| {
        let mut names: Vec<&str> = muc::fields().map(short).collect();
        names.sort_unstable();
        usage(format_args!("\"{name}\" is no setting of a room; they are: {}", names.join(", ")))
    })
}

/// The settings that a command names, and the password that it came with.
///
/// # Errors
/// One is unknown, said twice, or cannot be.
pub(crate) fn fields(args: &Args) -> Result<Fields, Failure> {
    let mut fields = Fields::new();
    for text in args.texts("settings") {
        let (name, value) =
            text.split_once('=').ok_or_else(|| usage(format_args!("\"{text}\" is not NAME=VALUE")))?;
        let field = known(name.trim())?;
        if field == SECRET {
            return Err(usage("passwords are no arguments: others on this machine could read them"));
        }
        if !is_writable(value) {
            return Err(usage(format_args!("\"{name}\" has control characters in its value")));
        }
        let values = match LISTS.contains(&field) {
            true => value
                .split(',')
                .map(|value| value.trim().to_owned())
                .filter(|value| !value.is_empty())
                .collect(),
            false => vec![value.to_owned()],
        };
        if fields.insert(field, values).is_some() {
            return Err(usage(format_args!("\"{name}\" is said twice")));
        }
    }
    if let Some(password) = args.written("password")? {
        fields.insert(SECRET, vec![password.to_owned()]);
        fields.insert(GUARDED, vec!["1".to_owned()]);
    }
    Ok(fields)
}

/// As a submitted form.
pub(crate) fn write(w: &mut Writer, fields: &Fields) {
    w.open("x", ns::FORMS).attr("type", "submit").open("field", ns::FORMS).attr("var", "FORM_TYPE");
    w.attr("type", "hidden").leaf("value", ns::FORMS, ns::MUC_CONFIG).close();
    for (field, values) in fields {
        w.open("field", ns::FORMS).attr("var", *field);
        for value in values {
            w.leaf("value", ns::FORMS, value);
        }
        w.close();
    }
    w.close();
}

/// A form as the room shows it, without its password: names and values.
pub(crate) fn read(query: El<'_>) -> Map<String, Value> {
    let fields = query.child("x", ns::FORMS).into_iter().flat_map(|x| x.children_named("field", ns::FORMS));
    let fields = fields.filter_map(|field| {
        let var = field.attr("var")?.into_owned();
        let mut values: Vec<String> =
            field.children_named("value", ns::FORMS).map(|value| value.text().into_owned()).collect();
        let value = match (field.attr("type").as_deref(), LISTS.contains(&&*var)) {
            (_, true) => Value::from(values),
            (Some("boolean"), _) => Value::from(values.first().is_some_and(|value| value == "1")),
            _ => values.pop().map_or(Value::Null, Value::from),
        };
        (var != SECRET && var != "FORM_TYPE").then(|| (short(&var).to_owned(), value))
    });
    fields.collect()
}
