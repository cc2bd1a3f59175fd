//! Data Forms: writing forms and results, reading what was submitted.
//!
//! XEP-0004 2.13.2 (the field types that the server uses), XEP-0068 1.3.0 (FORM_TYPE)
//!
//! Not here: any form in particular.

use std::borrow::Cow;

use crate::ns;
use xml::{El, Writer};

/// A field to be filled in.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name.
    pub var: &'static str,
    /// What people read.
    pub label: &'static str,
    /// A type of section 3.3, such as `jid-single`.
    pub ty: &'static str,
    /// Whether it must be filled in.
    pub required: bool,
    /// What one may choose from (`list-single`).
    pub options: &'static [&'static str],
}

impl Field {
    /// A field that must be filled in.
    pub const fn required(var: &'static str, ty: &'static str, label: &'static str) -> Field {
        Field { var, label, ty, required: true, options: &[] }
    }

    /// A field that may be left empty.
    pub const fn optional(var: &'static str, ty: &'static str, label: &'static str) -> Field {
        Field { var, label, ty, required: false, options: &[] }
    }

    /// The same, with a choice.
    #[must_use]
    pub const fn of(mut self, options: &'static [&'static str]) -> Field {
        self.options = options;
        self
    }
}

fn open(w: &mut Writer, ty: &str, title: Option<&str>, form_type: &str) {
    w.open("x", ns::FORMS).attr("type", ty);
    if let Some(title) = title {
        w.leaf("title", ns::FORMS, title);
    }
    w.open("field", ns::FORMS).attr("var", "FORM_TYPE").attr("type", "hidden");
    w.leaf("value", ns::FORMS, form_type).close();
}

/// Writes a form to be filled in; `known` is what the first field says already.
pub fn ask(w: &mut Writer, title: &str, form_type: &str, fields: &[Field], known: &[String]) {
    fill_in(w, title, form_type, fields, known, &[]);
}

/// Writes a form to be filled in; `options` (label and value) is what may be chosen in the first field.
pub fn choose(w: &mut Writer, title: &str, form_type: &str, fields: &[Field], options: &[(String, String)]) {
    fill_in(w, title, form_type, fields, &[], options);
}

fn fill_in(
    w: &mut Writer,
    title: &str,
    form_type: &str,
    fields: &[Field],
    known: &[String],
    options: &[(String, String)],
) {
    open(w, "form", Some(title), form_type);
    for (at, field) in fields.iter().enumerate() {
        w.open("field", ns::FORMS).attr("var", field.var).attr("type", field.ty).attr("label", field.label);
        if field.required {
            w.leaf("required", ns::FORMS, "");
        }
        for value in known.iter().filter(|_| at == 0) {
            w.leaf("value", ns::FORMS, value);
        }
        let fixed = field.options.iter().map(|option| (*option, *option));
        let found = options.iter().filter(|_| at == 0).map(|(label, value)| (&label[..], &value[..]));
        for (label, value) in fixed.chain(found) {
            w.open("option", ns::FORMS).attr("label", label);
            w.leaf("value", ns::FORMS, value).close();
        }
        w.close();
    }
    w.close();
}

/// Writes a result: fields with their values, and what `more` writes.
pub fn result(
    w: &mut Writer,
    form_type: &str,
    fields: &[(&str, Vec<String>)],
    more: impl FnOnce(&mut Writer),
) {
    open(w, "result", None, form_type);
    for (var, values) in fields {
        // Section 3.3: without a type it is text; several values make it several lines.
        let ty = if values.len() == 1 { "text-single" } else { "text-multi" };
        w.open("field", ns::FORMS).attr("var", var).attr("type", ty);
        for value in values {
            w.leaf("value", ns::FORMS, value);
        }
        w.close();
    }
    more(w);
    w.close();
}

/// What somebody filled in, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Submitted(Vec<(String, Vec<String>)>);

impl Submitted {
    /// Reads `<x type='submit'/>`; `None` if it is another form than `form_type`, or says a field twice.
    pub fn read(x: El<'_>, form_type: &str) -> Option<Submitted> {
        let mut fields: Vec<(String, Vec<String>)> = Vec::new();
        for field in x.children_named("field", ns::FORMS) {
            let var = field.attr("var").map(Cow::into_owned)?;
            let values =
                field.children_named("value", ns::FORMS).map(|value| value.text().into_owned()).collect();
            if fields.iter().any(|(known, _)| *known == var) {
                return None;
            }
            fields.push((var, values));
        }
        let form = Submitted(fields);
        let fits = form.value("FORM_TYPE").is_none_or(|ty| ty == form_type);
        fits.then_some(form)
    }

    /// All values of a field that are not empty.
    pub fn values(&self, var: &'static str) -> impl Iterator<Item = &str> {
        let found = self.0.iter().filter(move |(name, _)| name == var);
        found.flat_map(|(_, values)| values).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The one value of a field; `None` if there is none.
    pub fn value(&self, var: &'static str) -> Option<&str> {
        self.values(var).next()
    }

    /// All values of a field as they stand, if it was submitted at all.
    pub fn field(&self, var: &str) -> Option<&[String]> {
        self.0.iter().find(|(name, _)| name == var).map(|(_, values)| &values[..])
    }

    /// All fields, in order.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.0.iter().map(|(name, values)| (name.as_str(), &values[..]))
    }

    /// Whether every required field has a value.
    pub fn fills(&self, fields: &[Field]) -> bool {
        fields.iter().filter(|field| field.required).all(|field| self.value(field.var).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_was_submitted() {
        let read = |fields: &str| {
            let xml = format!("<x xmlns='jabber:x:data' type='submit'>{fields}</x>");
            let tree = xml::Tree::parse(xml.as_bytes(), ns::CLIENT).unwrap();
            Submitted::read(tree.root().unwrap(), "urn:f")
        };
        let ty = |ty| format!("<field var='FORM_TYPE'><value>{ty}</value></field>");
        let field = "<field var='a'><value>1</value><value/><value>2</value></field>";
        let form = read(&(ty("urn:f") + field)).unwrap();
        assert_eq!(form.values("a").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!((form.value("a"), form.value("b")), (Some("1"), None));
        assert!(form.fills(&[Field::required("a", "", ""), Field::optional("b", "", "")]));
        assert!(!form.fills(&[Field::required("b", "", "")]));
        assert!(read("").is_some(), "XEP-0068 leaves the type out of old forms");
        for bad in [ty("urn:g"), field.repeat(2), "<field><value>1</value></field>".into()] {
            assert_eq!(read(&bad), None, "{bad}");
        }
    }
}
