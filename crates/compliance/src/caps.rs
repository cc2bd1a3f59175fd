//! The verification string of entity capabilities.
//!
//! XEP-0115 1.6.0 section 5.1
//!
//! Not here: who announces it.

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use xml::El;

/// The hash over a `<query/>` of service discovery.
pub(crate) fn hash(query: El<'_>) -> String {
    let attr = |el: &El<'_>, name| el.attr(name).unwrap_or_default().into_owned();
    let mut identities: Vec<String> = query
        .children()
        .filter(|el| el.name() == "identity")
        .map(|el| {
            let lang = el.lang().unwrap_or_default().into_owned();
            format!("{}/{}/{lang}/{}<", attr(&el, "category"), attr(&el, "type"), attr(&el, "name"))
        })
        .collect();
    let mut features: Vec<String> = query
        .children()
        .filter(|el| el.name() == "feature")
        .map(|el| format!("{}<", attr(&el, "var")))
        .collect();
    let mut forms: Vec<(String, String)> =
        query.children().filter(|el| el.is("x", "jabber:x:data")).filter_map(form).collect();
    identities.sort();
    features.sort();
    forms.sort();
    let forms: String = forms.into_iter().map(|(kind, rest)| format!("{kind}<{rest}")).collect();
    let text = identities.concat() + &features.concat() + &forms;
    BASE64.encode(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()))
}

/// A form's type and the rest of its text; one without a type does not count.
fn form(x: El<'_>) -> Option<(String, String)> {
    let values = |field: &El<'_>| -> Vec<String> {
        let mut all: Vec<String> =
            field.children().filter(|el| el.name() == "value").map(|el| format!("{}<", el.text())).collect();
        all.sort();
        all
    };
    let named: Vec<(String, El<'_>)> = x
        .children()
        .filter(|el| el.name() == "field")
        .filter_map(|el| Some((el.attr("var")?.into_owned(), el)))
        .collect();
    let kind = named.iter().find(|(name, _)| name == "FORM_TYPE").map(|(_, el)| values(el).concat())?;
    let mut rest: Vec<String> = named
        .iter()
        .filter(|(name, _)| name != "FORM_TYPE")
        .map(|(name, el)| format!("{name}<{}", values(el).concat()))
        .collect();
    rest.sort();
    Some((kind.trim_end_matches('<').to_owned(), rest.concat()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use xml::Tree;

    /// XEP-0115 section 5.2.
    #[test]
    fn the_example_of_the_specification() {
        let text = "<query xmlns='http://jabber.org/protocol/disco#info'>\
            <identity category='client' name='Exodus 0.9.1' type='pc'/>\
            <feature var='http://jabber.org/protocol/caps'/><feature var='http://jabber.org/protocol/disco#items'/>\
            <feature var='http://jabber.org/protocol/disco#info'/><feature var='http://jabber.org/protocol/muc'/>\
            </query>";
        let tree = Tree::parse(text.as_bytes(), "").unwrap();
        assert_eq!(hash(tree.root().unwrap()), "QgayPKawpkPSDYmwT/WM94uAlu0=");
    }
}
