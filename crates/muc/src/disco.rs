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
        field(ns::MUC_ACTIVITY, None, &[&format!("{hourly:.2}")]);
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

#[cfg(test)]
mod tests {
    use crate::stage::{CRONE, HAG, ROOM, Stage, WITCH, outcome};

    const INFO: &str = "<query xmlns='http://jabber.org/protocol/disco#info'/>";

    fn service(stage: &mut Stage, payload: &str) -> String {
        stage.send(&format!("<iq from='{HAG}' to='rooms.example' id='s' type='get'>{payload}</iq>")).remove(0)
    }

    fn room(stage: &mut Stage, name: &str, fields: &str) {
        let iq = format!(
            "<query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'>{fields}</x></query>"
        );
        let address = format!("{name}@rooms.example");
        stage.send(&format!(
            "<presence from='{CRONE}' to='{address}/c'><x xmlns='http://jabber.org/protocol/muc'/></presence>"
        ));
        let seen = stage.send(&format!("<iq from='{CRONE}' to='{address}' id='c' type='set'>{iq}</iq>"));
        assert_eq!(outcome(&seen), "ok");
    }

    #[test]
    fn public_rooms_are_listed_in_pages() {
        let mut stage = Stage::new();
        for name in ["a", "b", "c"] {
            room(&mut stage, name, "");
        }
        let hidden = "<field var='muc#roomconfig_publicroom'><value>0</value></field>";
        room(&mut stage, "hidden", hidden);
        let items =
            |set: &str| format!("<query xmlns='http://jabber.org/protocol/disco#items'>{set}</query>");
        let jids = |seen: &str| seen.matches("@rooms.example' name='").count();
        let all = service(&mut stage, &items(""));
        assert!(jids(&all) == 3 && !all.contains("hidden") && !all.contains("<set "), "{all}");
        let page = |set: &str| format!("<set xmlns='http://jabber.org/protocol/rsm'>{set}</set>");
        let first = service(&mut stage, &items(&page("<max>2</max>")));
        assert!(jids(&first) == 2 && first.contains("<last>b</last>"), "{first}");
        let second = service(&mut stage, &items(&page("<max>2</max><after>b</after>")));
        assert!(jids(&second) == 1 && second.contains("c@rooms.example"), "{second}");
        assert!(service(&mut stage, INFO).contains("<feature var='http://jabber.org/protocol/muc'/>"));
        // Temporary rooms end with the process, and are no longer listed then.
        stage.restart();
        assert_eq!(jids(&service(&mut stage, &items(""))), 0);
    }

    #[test]
    fn a_room_tells_what_it_is() {
        let mut stage = Stage::room(&[("roomconfig_roomname", "The Coven")]);
        stage.send(&format!(
            "<message from='{CRONE}' to='{ROOM}' type='groupchat'><subject>brew</subject></message>"
        ));
        let seen = stage.iq(HAG, "get", INFO).remove(0);
        for var in [
            "muc_public",
            "muc_open",
            "muc_unmoderated",
            "muc_semianonymous",
            "muc_unsecured",
            "muc_temporary",
        ] {
            assert!(seen.contains(&format!("<feature var='{var}'/>")), "{var} {seen}");
        }
        assert!(seen.contains("name='The Coven'") && seen.contains("<value>brew</value>"), "{seen}");
        assert!(!seen.contains("crone") && !seen.contains("message-activity"), "{seen}");
        let secret = [
            ("roomconfig_membersonly", "1"),
            ("roomconfig_passwordprotectedroom", "1"),
            ("roomconfig_roomsecret", "toad"),
            ("roomconfig_persistentroom", "1"),
        ];
        stage.configure(&secret);
        let seen = stage.iq(WITCH, "get", INFO).remove(0);
        assert!(seen.contains("muc_membersonly") && seen.contains("muc_passwordprotected"), "{seen}");
        assert!(
            !seen.contains("brew") && !seen.contains("toad") && !seen.contains("roominfo_occupants"),
            "{seen}"
        );
        assert!(stage.iq(CRONE, "get", INFO)[0].contains("<value>brew</value>"));
        let node =
            |node: &str| format!("<query xmlns='http://jabber.org/protocol/disco#info' node='{node}'/>");
        assert_eq!(
            outcome(&stage.iq(HAG, "get", &node("http://jabber.org/protocol/muc#traffic"))),
            "service-unavailable"
        );
        assert_eq!(outcome(&stage.iq(HAG, "get", &node("x"))), "item-not-found");
        let items = stage.iq(CRONE, "get", "<query xmlns='http://jabber.org/protocol/disco#items'/>");
        assert!(items[0].contains("<query xmlns='http://jabber.org/protocol/disco#items'/>"));
    }

    /// XEP-0502: of public lasting rooms, over full hours.
    #[test]
    fn activity() {
        let mut stage = Stage::room(&[("roomconfig_persistentroom", "1")]);
        stage.say(CRONE, "a");
        stage.pass(3_600_000);
        let value = "<field var='{urn:xmpp:muc-activity}message-activity'><value>0.04</value></field>";
        let seen = stage.iq(HAG, "get", INFO).remove(0);
        assert!(seen.contains(value), "{seen}");
    }

    #[test]
    fn search() {
        let mut stage = Stage::new();
        let named =
            |name: &str| format!("<field var='muc#roomconfig_roomname'><value>{name}</value></field>");
        room(&mut stage, "garden", &named("Roses and Thorns"));
        room(&mut stage, "kitchen", &named("Pots"));
        let mut ask = |fields: &[(&str, &str)]| {
            let fields: String = fields
                .iter()
                .map(|(var, value)| format!("<field var='{var}'><value>{value}</value></field>"))
                .collect();
            service(
                &mut stage,
                &format!(
                    "<search xmlns='urn:xmpp:channel-search:0:search'><x xmlns='jabber:x:data' type='submit'>{fields}</x></search>"
                ),
            )
        };
        for (fields, expected) in [
            (&[("q", "ROSES")][..], "1 garden"),
            (&[("q", "and roses")], "1 garden"),
            (&[("q", "kit")], "1 kitchen"),
            (&[("q", "kit"), ("sinaddr", "0")], "0 "),
            (&[("q", "%")], "0 "),
            (&[("all", "1")], "2 garden"),
        ] {
            let seen = ask(fields);
            let first = seen.split("address='").nth(1).unwrap_or("").split('@').next().unwrap();
            assert_eq!(format!("{} {first}", seen.matches("<item ").count()), expected, "{seen}");
        }
        for (fields, app) in [
            (&[][..], "no-search-conditions"),
            (&[("q", "a"), ("all", "1")], "conflicting-fields"),
            (&[("q", "a"), ("key", "{urn:xmpp:channel-search:0:order}nusers")], "invalid-sort-key"),
        ] {
            assert!(
                ask(fields).contains(&format!("<{app} xmlns='urn:xmpp:channel-search:0:error'/>")),
                "{app}"
            );
        }
        assert!(
            service(&mut stage, "<search xmlns='urn:xmpp:channel-search:0:search'/>").contains("var='q'")
        );
    }
}
