//! What the service and its rooms say of themselves.
//!
//! XEP-0045 1.35.5 sections 6 and 7.12, XEP-0030 2.5.0, XEP-0128 1.0.1 (room information)
//!
//! Not here: the list of rooms (`listing.rs`).

use std::sync::Arc;

use kernel::{Answer, Iq, Spot};
use stanza::{Condition, ns};
use xml::Writer;

use crate::affiliation::Affiliation;
use crate::here::Here;
use crate::service::Shared;

/// A node that tells one's own reserved nickname.
const OWN_NICK: &str = "x-roomuser-item";

fn features(w: &mut Writer, vars: impl IntoIterator<Item = &'static str>) {
    let mut vars: Vec<&str> = vars.into_iter().collect();
    vars.sort_unstable();
    for var in vars {
        w.open("feature", ns::DISCO_INFO).attr("var", var).close();
    }
}

fn identity(w: &mut Writer, name: &str) {
    w.open("identity", ns::DISCO_INFO).attr("category", "conference").attr("type", "text");
    w.attr_opt("name", (!name.is_empty()).then_some(name)).close();
}

/// Of the service itself.
pub(crate) fn service(shared: &Arc<Shared>, iq: &Iq<'_>) -> Answer<Spot> {
    if iq.payload.attr("node").is_some_and(|node| !node.is_empty()) {
        return Condition::ItemNotFound.into();
    }
    let mut w = Writer::new(ns::CLIENT);
    w.open("query", ns::DISCO_INFO);
    identity(&mut w, &shared.settings.name);
    features(
        &mut w,
        [
            ns::DISCO_INFO,
            ns::DISCO_ITEMS,
            ns::MUC,
            ns::MUC_STABLE_ID,
            ns::OCCUPANT_ID,
            ns::PING,
            ns::RSM,
            ns::VCARD,
            ns::CHANNEL_SEARCH,
            "muc_rooms",
        ],
    );
    w.close();
    Answer::Reply(w.finish())
}

/// Of a room.
pub(crate) fn room(here: &Here<'_>, iq: &Iq<'_>) -> Answer<Spot> {
    let node = iq.payload.attr("node").filter(|node| !node.is_empty());
    match node.as_deref() {
        None => {}
        Some(OWN_NICK) => return own_nick(here, iq),
        // Section 17.1.1: a room that lets everything pass says so like this.
        Some(ns::MUC_TRAFFIC) => return Condition::ServiceUnavailable.into(),
        Some(ns::HATS_COMMANDS | ns::COMMANDS) => {}
        Some(node) if crate::hats_commands::is_one(node) => return crate::hats_commands::info(node),
        Some(_) => return Condition::ItemNotFound.into(),
    }
    let config = &here.room.config;
    let mut w = Writer::new(ns::CLIENT);
    w.open("query", ns::DISCO_INFO).attr_opt("node", node);
    let local = here.at.local().unwrap_or_default();
    identity(&mut w, if config.name.is_empty() { local } else { &config.name });
    let either = |holds, yes, no| if holds { yes } else { no };
    let kinds = [
        either(config.public, "muc_public", "muc_hidden"),
        either(config.members_only, "muc_membersonly", "muc_open"),
        either(config.moderated, "muc_moderated", "muc_unmoderated"),
        either(config.non_anonymous, "muc_nonanonymous", "muc_semianonymous"),
        either(config.password.is_some(), "muc_passwordprotected", "muc_unsecured"),
        either(config.persistent, "muc_persistent", "muc_temporary"),
    ];
    let always = [
        ns::COMMANDS,
        ns::DISCO_INFO,
        ns::DISCO_ITEMS,
        ns::HATS,
        ns::MODERATE,
        ns::MUC,
        ns::MUC_CONFIG,
        ns::MUC_INFO,
        ns::MUC_REGISTER,
        ns::MUC_REQUEST,
        ns::MUC_STABLE_ID,
        ns::OCCUPANT_ID,
        ns::PING,
        ns::REGISTER,
        ns::RETRACT,
        ns::SELF_PING,
        ns::SID,
        ns::VCARD,
    ];
    let archive = config.archive.then_some([ns::MAM, ns::MAM_EXTENDED, ns::RETRACT_TOMBSTONE]);
    features(&mut w, kinds.into_iter().chain(always).chain(archive.into_iter().flatten()));
    info_form(&mut w, here, iq);
    w.close();
    Answer::Reply(w.finish())
}

/// XEP-0128. How many are there and what they talk about is told to those who are there or could be (section 13.5).
fn info_form(w: &mut Writer, here: &Here<'_>, iq: &Iq<'_>) {
    let config = &here.room.config;
    let inside = here.room.occupants.of(iq.from()).is_some()
        || here.affiliation(iq.from()) >= Affiliation::Member
        || (config.public && config.is_open());
    w.open("x", ns::FORMS).attr("type", "result");
    let mut field = |var: &str, ty: Option<&str>, values: &[&str]| {
        w.open("field", ns::FORMS).attr("var", var).attr_opt("type", ty);
        for value in values {
            w.leaf("value", ns::FORMS, value);
        }
        w.close();
    };
    let flag = |holds: bool| if holds { "1" } else { "0" };
    field("FORM_TYPE", Some("hidden"), &[ns::MUC_INFO]);
    field("muc#roominfo_description", Some("text-single"), &[&config.description]);
    if !config.lang.is_empty() {
        field("muc#roominfo_lang", Some("text-single"), &[&config.lang]);
    }
    if !config.pubsub.is_empty() {
        field("muc#roominfo_pubsub", Some("text-single"), &[&config.pubsub]);
    }
    field("muc#roominfo_subjectmod", Some("boolean"), &[flag(config.change_subject)]);
    field("muc#roomconfig_changesubject", Some("boolean"), &[flag(config.change_subject)]);
    field("muc#maxhistoryfetch", Some("text-single"), &[&config.history.to_string()]);
    field("muc#roomconfig_maxusers", Some("text-single"), &[&config.occupants.to_string()]);
    if config.slow > 0 {
        field("muc#roominfo_slow_mode_duration", Some("text-single"), &[&config.slow.to_string()]);
    }
    if !here.room.avatar.is_empty() {
        let hashes: Vec<&str> = here.room.avatar.iter().map(String::as_str).collect();
        field("muc#roominfo_avatarhash", Some("text-multi"), &hashes);
    }
    if let Some(hash) = here.room.hats.hash() {
        field("hats#hash", Some("text-single"), &[&hash]);
    }
    if inside {
        field("muc#roominfo_occupants", Some("text-single"), &[&here.room.occupants.len().to_string()]);
        let subject = here.room.subject.as_ref().map(|subject| subject.text()).unwrap_or_default();
        field("muc#roominfo_subject", Some("text-single"), &[&subject]);
    }
    // XEP-0502 section 8: only of rooms that everybody may find and enter.
    if config.persistent && config.public && config.is_open() {
        let hourly = here.room.activity.per_hour(here.now_ms);
        field("{urn:xmpp:muc-activity}message-activity", None, &[&format!("{hourly:.2}")]);
    }
    w.close();
}

/// Section 7.12.
fn own_nick(here: &Here<'_>, iq: &Iq<'_>) -> Answer<Spot> {
    let entry = here.room.affiliations.get(iq.from().bare_str());
    let mut w = Writer::new(ns::CLIENT);
    w.open("query", ns::DISCO_INFO).attr("node", OWN_NICK);
    if let Some(nick) = entry.and_then(|entry| entry.nick.as_deref()) {
        identity(&mut w, nick);
    }
    w.close();
    Answer::Reply(w.finish())
}

/// Who is in a room is its occupants' affair (section 6.5); its commands are listed.
pub(crate) fn items(here: &Here<'_>, iq: &Iq<'_>) -> Answer<Spot> {
    let node = iq.payload.attr("node").filter(|node| !node.is_empty());
    let mut w = Writer::new(ns::CLIENT);
    w.open("query", ns::DISCO_ITEMS).attr_opt("node", node.as_deref());
    match node.as_deref() {
        Some(ns::COMMANDS) if here.affiliation(iq.from()) >= Affiliation::Admin => {
            crate::hats_commands::items(&mut w, here.at.jid());
        }
        None | Some(ns::COMMANDS) => {}
        Some(_) => return Condition::ItemNotFound.into(),
    }
    w.close();
    Answer::Reply(w.finish())
}
