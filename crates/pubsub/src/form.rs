//! Data Forms as nodes use them: fields with values and choices, and what was submitted.
//!
//! XEP-0004 2.13.2, XEP-0068 1.3.0
//!
//! Not here: which fields there are (`config.rs`, `options.rs`).

use stanza::{StanzaError, ns};
use xml::{El, Writer};

use crate::error::{INVALID_OPTIONS, MALFORMED};
use crate::limits::{FIELDS_MAX, VALUE_BYTES_MAX};

/// A field to write.
pub(crate) struct Field {
    pub(crate) var: &'static str,
    pub(crate) label: &'static str,
    /// A type of section 3.3, such as `jid-multi`.
    pub(crate) ty: &'static str,
    pub(crate) values: Vec<String>,
    /// For lists: what may be chosen.
    pub(crate) choices: Vec<String>,
}

/// Writes `<x/>`: a `form` to fill in with labels and choices, or a `result` with values only.
pub(crate) fn write(w: &mut Writer, ty: &str, form_type: &str, fields: &[Field]) {
    let asks = ty == "form";
    w.open("x", ns::FORMS).attr("type", ty);
    w.open("field", ns::FORMS).attr("var", "FORM_TYPE").attr("type", "hidden");
    w.leaf("value", ns::FORMS, form_type).close();
    for field in fields {
        w.open("field", ns::FORMS).attr("var", field.var).attr("type", field.ty);
        w.attr_opt("label", (asks && !field.label.is_empty()).then_some(field.label));
        for choice in field.choices.iter().filter(|_| asks) {
            w.open("option", ns::FORMS).leaf("value", ns::FORMS, choice).close();
        }
        for value in &field.values {
            w.leaf("value", ns::FORMS, value);
        }
        w.close();
    }
    w.close();
}

/// What somebody did with a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answered {
    /// `type='cancel'`.
    Cancelled,
    /// `type='submit'`.
    Submitted(Submitted),
}

/// The fields of a submitted form but for FORM_TYPE, in order, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Submitted(pub(crate) Vec<(String, Vec<String>)>);

impl Submitted {
    /// The first value of a field.
    pub(crate) fn value(&self, var: &str) -> Option<&str> {
        let (_, values) = self.0.iter().find(|(name, _)| name == var)?;
        values.first().map(String::as_str)
    }
}

/// Reads the `<x/>` inside `parent`. Old clients leave FORM_TYPE out (XEP-0068).
///
/// # Errors
/// If there is none, it has another FORM_TYPE, a field without name, twice, or too much of anything.
pub(crate) fn read(parent: El<'_>, form_type: &str) -> Result<Answered, StanzaError> {
    let x = parent.child("x", ns::FORMS).ok_or(MALFORMED)?;
    match x.attr("type").as_deref() {
        Some("cancel") => return Ok(Answered::Cancelled),
        Some("submit") => {}
        _ => return Err(MALFORMED),
    }
    let mut fields: Vec<(String, Vec<String>)> = Vec::new();
    for field in x.children_named("field", ns::FORMS) {
        let var = field.attr("var").ok_or(INVALID_OPTIONS)?.into_owned();
        let mut values: Vec<String> =
            field.children_named("value", ns::FORMS).take(FIELDS_MAX + 1).map(|v| v.text().into()).collect();
        let large = values.iter().any(|value| value.len() > VALUE_BYTES_MAX) || var.len() > VALUE_BYTES_MAX;
        if large || values.len() > FIELDS_MAX || fields.len() >= FIELDS_MAX {
            return Err(INVALID_OPTIONS.text("too many fields, or too long a value"));
        }
        if fields.iter().any(|(known, _)| *known == var) {
            return Err(INVALID_OPTIONS.text("a field is there twice"));
        }
        // A text field may be said to be empty by an empty value.
        if values.len() == 1 && values[0].is_empty() {
            values.clear();
        }
        fields.push((var, values));
    }
    let given = fields.iter().position(|(var, _)| var == "FORM_TYPE").map(|at| fields.remove(at).1);
    match given {
        Some(values) if values != [form_type] => Err(INVALID_OPTIONS.text("another FORM_TYPE")),
        _ => Ok(Answered::Submitted(Submitted(fields))),
    }
}

/// `1`, `true`, `0` or `false` (section 3.3).
pub(crate) fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "true" => Some(true),
        "0" | "false" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_was_submitted() {
        let read = |x: &str| {
            let xml = format!("<a>{x}</a>");
            let tree = xml::Tree::parse(xml.as_bytes(), ns::CLIENT).unwrap();
            read(tree.root().unwrap(), "urn:f")
        };
        let form = |ty: &str, fields: &str| format!("<x xmlns='jabber:x:data' type='{ty}'>{fields}</x>");
        let kind = |ty| format!("<field var='FORM_TYPE'><value>{ty}</value></field>");
        let a = "<field var='a'><value>1</value><value>2</value></field><field var='b'><value/></field>";
        let Ok(Answered::Submitted(found)) = read(&form("submit", &(kind("urn:f") + a))) else { panic!() };
        assert_eq!(found.0, [("a".into(), vec!["1".to_owned(), "2".into()]), ("b".into(), vec![])]);
        assert_eq!((found.value("a"), found.value("b"), found.value("c")), (Some("1"), None, None));
        assert_eq!(read(&form("cancel", "")), Ok(Answered::Cancelled));
        let many = "<field var='z'>".to_owned() + &"<value>1</value>".repeat(FIELDS_MAX + 1) + "</field>";
        for bad in [
            String::new(),
            form("form", a),
            form("submit", &kind("urn:g")),
            form("submit", &a.repeat(2)),
            form("submit", "<field><value>1</value></field>"),
            form("submit", &many),
            form(
                "submit",
                &format!("<field var='a'><value>{}</value></field>", "x".repeat(VALUE_BYTES_MAX + 1)),
            ),
        ] {
            assert!(read(&bad).is_err(), "{bad}");
        }
    }
}
