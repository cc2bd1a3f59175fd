//! Commands that make, give and take hats.
//!
//! XEP-0317 0.3.1 sections 4.2 to 4.7, XEP-0050 1.3.0 (one form each)
//!
//! Not here: how hats are worn (`hats.rs`).

use address::Jid;
use kernel::{Answer, Iq, Spot};
use stanza::forms::Submitted;
use stanza::{Condition, StanzaError, ns};
use xml::Writer;

use crate::affiliation::Affiliation;
use crate::hats::Hat;
use crate::here::{Here, too_much};
use crate::item::Notice;
use crate::{admin, limits};

/// The last parts of the commands' nodes, with their names, and the fields that they need.
const COMMANDS: [(&str, &str, &[&str]); 6] = [
    ("create", "Create a hat", &["hats#title", "hats#uri", "hats#hue"]),
    ("destroy", "Destroy a hat", &["hats#uri"]),
    ("list", "List hats", &[]),
    ("assign", "Assign a hat", &["hats#jid", "hats#uri"]),
    ("unassign", "Unassign a hat", &["hats#jid", "hats#uri"]),
    ("list-assigned", "List assigned hats", &[]),
];

fn node_of(name: &str) -> String {
    format!("{}:{name}", ns::HATS_COMMANDS)
}

fn find(node: &str) -> Option<&'static (&'static str, &'static str, &'static [&'static str])> {
    COMMANDS.iter().find(|(name, ..)| node_of(name) == node)
}

/// Whether that is the node of a command.
pub(crate) fn is_one(node: &str) -> bool {
    find(node).is_some()
}

/// `disco#info` of a command.
pub(crate) fn info(node: &str) -> Answer<Spot> {
    let mut w = Writer::new(ns::CLIENT);
    w.open("query", ns::DISCO_INFO).attr("node", node).open("identity", ns::DISCO_INFO);
    w.attr("category", "automation").attr("type", "command-node");
    w.attr("name", find(node).map_or("", |(_, title, _)| title)).close();
    for var in [ns::COMMANDS, ns::FORMS] {
        w.open("feature", ns::DISCO_INFO).attr("var", var).close();
    }
    w.close();
    Answer::Reply(w.finish())
}

/// The commands of a room.
pub(crate) fn items(w: &mut Writer, room: &Jid) {
    for (name, title, _) in COMMANDS {
        w.open("item", ns::DISCO_ITEMS).attr("jid", room.as_str());
        w.attr("node", node_of(name)).attr("name", title).close();
    }
}

/// A command. `None`: it has been answered already.
pub(crate) fn asked(here: &mut Here<'_>, iq: &Iq<'_>) -> Option<Answer<Spot>> {
    match run(here, iq) {
        Ok(answer) => Some(answer),
        Err(error) => Some(error.into()),
    }
}

fn run(here: &mut Here<'_>, iq: &Iq<'_>) -> Result<Answer<Spot>, StanzaError> {
    let node = iq.payload.attr("node").unwrap_or_default();
    let Some((name, title, fields)) = find(&node) else { return Err(Condition::ItemNotFound.into()) };
    if here.affiliation(iq.from()) < Affiliation::Admin {
        return Err(StanzaError::from(Condition::Forbidden).text("only admins and owners may do that"));
    }
    if iq.payload.attr("action").as_deref() == Some("cancel") {
        return Ok(answer(iq, &node, "canceled", |_| ()));
    }
    match iq.payload.child("x", ns::FORMS) {
        None if fields.is_empty() => {}
        None => return Ok(answer(iq, &node, "executing", |w| form(w, title, fields))),
        Some(_) => {}
    }
    let form = iq.payload.child("x", ns::FORMS).map(|x| Submitted::read(x, ns::HATS_COMMANDS));
    let form = form.unwrap_or_else(|| Some(Submitted::default())).ok_or(Condition::BadRequest)?;
    match *name {
        "create" => create(here, &form)?,
        "destroy" => destroy(here, &form)?,
        "assign" => wear(here, &form, true)?,
        "unassign" => wear(here, &form, false)?,
        "list" => return Ok(answer(iq, &node, "completed", |w| list(w, here))),
        _ => return Ok(answer(iq, &node, "completed", |w| list_assigned(w, here))),
    }
    Ok(answer(iq, &node, "completed", |_| ()))
}

fn answer(iq: &Iq<'_>, node: &str, status: &str, write: impl FnOnce(&mut Writer)) -> Answer<Spot> {
    let session = iq.payload.attr("sessionid").filter(|id| id.len() <= 64);
    let mut w = Writer::new(ns::CLIENT);
    w.open("command", ns::COMMANDS)
        .attr("node", node)
        .attr("sessionid", session.as_deref().unwrap_or("hats"));
    w.attr("status", status);
    write(&mut w);
    w.close();
    Answer::Reply(w.finish())
}

fn form(w: &mut Writer, title: &str, fields: &[&str]) {
    w.open("x", ns::FORMS).attr("type", "form").leaf("title", ns::FORMS, title);
    w.open("field", ns::FORMS).attr("var", "FORM_TYPE").attr("type", "hidden");
    w.leaf("value", ns::FORMS, ns::HATS_COMMANDS).close();
    for var in fields {
        let ty = if *var == "hats#jid" { "jid-single" } else { "text-single" };
        w.open("field", ns::FORMS).attr("var", var).attr("type", ty);
        w.attr("label", var.trim_start_matches("hats#"));
        if *var != "hats#hue" {
            w.leaf("required", ns::FORMS, "");
        }
        w.close();
    }
    w.close();
}

/// A required text of a form.
fn needed<'f>(form: &'f Submitted, var: &'static str) -> Result<&'f str, StanzaError> {
    let text = form.value(var).ok_or(Condition::BadRequest)?;
    match text.len() <= limits::HAT_BYTES_MAX {
        true => Ok(text),
        false => Err(StanzaError::from(Condition::NotAcceptable).text("a text is too long")),
    }
}

fn create(here: &mut Here<'_>, form: &Submitted) -> Result<(), StanzaError> {
    let (uri, title) = (needed(form, "hats#uri")?.to_owned(), needed(form, "hats#title")?.to_owned());
    let hue = form.value("hats#hue").map(str::to_owned);
    let known =
        hue.as_ref().is_none_or(|hue| hue.parse::<f32>().is_ok_and(|hue| (0.0..=360.0).contains(&hue)));
    if !known {
        return Err(StanzaError::from(Condition::NotAcceptable).text("a hue is an angle from 0 to 360"));
    }
    let hats = &mut here.room.hats.0;
    let hat = Hat { uri, title, hue };
    match hats.iter().position(|known| known.uri == hat.uri) {
        Some(at) => hats[at] = hat,
        None if hats.len() >= limits::HATS_MAX => return Err(too_much("this room has enough hats")),
        None => hats.push(hat),
    }
    changed(here);
    Ok(())
}

fn destroy(here: &mut Here<'_>, form: &Submitted) -> Result<(), StanzaError> {
    let uri = needed(form, "hats#uri")?;
    let before = here.room.hats.0.len();
    here.room.hats.0.retain(|hat| hat.uri != uri);
    match here.room.hats.0.len() < before {
        true => {
            changed(here);
            Ok(())
        }
        false => Err(Condition::ItemNotFound.into()),
    }
}

/// The list has changed: it is stored, and shown where its hats are worn.
fn changed(here: &mut Here<'_>) {
    here.save();
    let wearing: Vec<_> = (here.room.occupants.iter())
        .filter(|one| {
            here.room.affiliations.get(one.bare.as_str()).is_some_and(|entry| !entry.hats.is_empty())
        })
        .map(|one| one.nick.clone())
        .collect();
    for nick in wearing {
        refresh(here, &nick);
    }
    here.announce(&[104]);
}

fn refresh(here: &mut Here<'_>, nick: &str) {
    if let Some(occupant) = here.room.occupants.get_mut(nick) {
        occupant.shown = None;
        here.broadcast(nick, &Notice::default(), &[]);
    }
}

fn wear(here: &mut Here<'_>, form: &Submitted, on: bool) -> Result<(), StanzaError> {
    let (jid, uri) = (needed(form, "hats#jid")?, needed(form, "hats#uri")?);
    let bare = Jid::parse(jid).map_err(|_| Condition::JidMalformed)?.bare();
    if on && here.room.hats.get(uri).is_none() {
        return Err(Condition::ItemNotFound.into());
    }
    let mut entry = here.room.affiliations.get(bare.as_str()).cloned().unwrap_or_default();
    entry.hats.retain(|worn| worn != uri && here.room.hats.get(worn).is_some());
    if on {
        if entry.hats.len() >= limits::HATS_WORN_MAX
            || here.room.affiliations.len() >= limits::AFFILIATIONS_MAX
        {
            return Err(too_much("no more hats can be worn"));
        }
        entry.hats.push(uri.to_owned());
    }
    let empty = entry.affiliation == Affiliation::None && entry.hats.is_empty();
    admin::put(here, bare.text(), (!empty).then_some(entry));
    for nick in here.room.occupants.nicks_of(bare.as_str()) {
        refresh(here, &nick);
    }
    Ok(())
}

fn list(w: &mut Writer, here: &Here<'_>) {
    let rows = here.room.hats.0.iter().map(|hat| {
        vec![
            ("hats#title", hat.title.as_str()),
            ("hats#uri", &hat.uri),
            ("hats#hue", hat.hue.as_deref().unwrap_or("")),
        ]
    });
    table(w, &["hats#title", "hats#uri", "hats#hue"], rows);
}

fn list_assigned(w: &mut Writer, here: &Here<'_>) {
    let rows = here.room.affiliations.iter().flat_map(|(jid, entry)| {
        let worn = entry.hats.iter().filter_map(|uri| here.room.hats.get(uri));
        worn.map(|hat| vec![("hats#jid", &**jid), ("hats#uri", hat.uri.as_str()), ("hats#title", &hat.title)])
    });
    table(w, &["hats#jid", "hats#uri", "hats#title"], rows);
}

fn table<'v>(w: &mut Writer, columns: &[&str], rows: impl Iterator<Item = Vec<(&'v str, &'v str)>>) {
    w.open("x", ns::FORMS).attr("type", "result").open("reported", ns::FORMS);
    for var in columns {
        w.open("field", ns::FORMS).attr("var", var).attr("label", var.trim_start_matches("hats#")).close();
    }
    w.close();
    for row in rows {
        w.open("item", ns::FORMS);
        for (var, value) in row {
            w.open("field", ns::FORMS).attr("var", var).leaf("value", ns::FORMS, value).close();
        }
        w.close();
    }
    w.close();
}

#[cfg(test)]
mod tests {
    use crate::stage::{CRONE, HAG, Stage, outcome, to};

    fn command(name: &str, fields: Option<&[(&str, &str)]>) -> String {
        let form = fields.map(|fields| {
            let fields: String = fields
                .iter()
                .map(|(var, value)| format!("<field var='hats#{var}'><value>{value}</value></field>"))
                .collect();
            format!("<x xmlns='jabber:x:data' type='submit'>{fields}</x>")
        });
        let form = form.unwrap_or_default();
        format!(
            "<command xmlns='http://jabber.org/protocol/commands' node='urn:xmpp:hats:commands:{name}'>{form}</command>"
        )
    }

    /// XEP-0317 section 4.
    #[test]
    fn hats_are_made_given_worn_and_taken() {
        let mut stage = Stage::room(&[("roomconfig_persistentroom", "1")]);
        stage.enter(HAG, "hag");
        let hat = [("title", "Teacher"), ("uri", "urn:x:teacher"), ("hue", "327.2")];
        let (jid, uri) = (("jid", "hag@a.example"), ("uri", "urn:x:teacher"));
        assert_eq!(outcome(&stage.iq(HAG, "set", &command("create", Some(&hat)))), "forbidden");
        assert!(stage.iq(CRONE, "set", &command("create", None))[0].contains("status='executing'"));
        assert_eq!(outcome(&stage.iq(CRONE, "set", &command("assign", Some(&[jid, uri])))), "item-not-found");
        let seen = stage.iq(CRONE, "set", &command("create", Some(&hat)));
        assert!(to(&seen, HAG)[0].contains("code='104'"), "{seen:?}");
        let seen = stage.iq(CRONE, "set", &command("assign", Some(&[jid, uri])));
        let worn =
            "<hats xmlns='urn:xmpp:hats:0'><hat title='Teacher' uri='urn:x:teacher' hue='327.2'/></hats>";
        assert!(to(&seen, CRONE)[0].contains(worn), "{seen:?}");
        assert!(stage.iq(CRONE, "set", &command("list", None))[0].contains("<value>Teacher</value>"));
        assert!(
            stage.iq(CRONE, "set", &command("list-assigned", None))[0]
                .contains("<value>hag@a.example</value>")
        );
        stage.restart();
        assert!(stage.enter(HAG, "hag")[0].contains(worn), "it is remembered");
        let bad = [("title", "T"), ("uri", "urn:x:t"), ("hue", "361")];
        assert_eq!(outcome(&stage.iq(CRONE, "set", &command("create", Some(&bad)))), "not-acceptable");
        assert_eq!(outcome(&stage.iq(CRONE, "set", &command("nonsense", None))), "item-not-found");
        let seen = stage.iq(CRONE, "set", &command("destroy", Some(&[uri])));
        assert!(!to(&seen, HAG)[0].contains("<hats "), "{seen:?}");
    }
}
