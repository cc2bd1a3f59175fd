//! What operators ask of rooms, in the name of the domain whose rooms they are: to them rooms are as to an owner.
//!
//! XEP-0045 1.35.5 section 10 (what owners may; here also without having entered), and a namespace of ours for lists
//!
//! Not here: who is an operator and how he asks (admin, detente), what owners may (`owner.rs`, `admin.rs`).

use std::sync::Arc;

use address::Jid;
use kernel::{Answer, Iq, Spot};
use model::storage::{Owner, Read};
use stanza::{Condition, StanzaError, ns};
use xml::{El, Writer};

use crate::affiliation::Affiliation;
use crate::config::Config;
use crate::here::Here;
use crate::limits::{OPERATOR_LIST_MAX, ROOM_BYTES_MAX};
use crate::room::{Entry, Glance, ROOM, Standing};
use crate::service::Shared;
use crate::{admin, config_form};

impl Shared {
    /// Nobody but this server itself can send from the bare domain of its accounts.
    pub(crate) fn is_operator(&self, jid: &Jid) -> bool {
        *jid == self.settings.host
    }
}

/// A page of all rooms of the service, hidden ones too, by address; `more` says where the next one begins.
pub(crate) fn rooms(shared: &Arc<Shared>, iq: &Iq<'_>) -> Answer<Spot> {
    let after = iq.payload.attr("after").map(|after| Owner::from(&*after));
    let shared = shared.clone();
    let read = Read::Owners { space: ROOM, after, limit: OPERATOR_LIST_MAX };
    Answer::read(read, move |_, loaded| {
        let owners = loaded.into_owners();
        let more = owners.last().filter(|_| owners.len() >= OPERATOR_LIST_MAX as usize);
        let more = more.map(|last| last.as_str().to_owned());
        let domain = shared.settings.domain.as_str();
        // Other services store theirs in the same space.
        let ours = |owner: &Owner| owner.as_str().split_once('@').is_some_and(|(_, at)| at == domain);
        let owners: Vec<Owner> = owners.into_iter().filter(ours).collect();
        let reads = owners.iter().map(|owner| Read::Doc { space: ROOM, owner: owner.clone() }).collect();
        Answer::read(Read::Many(reads), move |_, loaded| {
            let documents = loaded.into_many().into_iter().map(|loaded| loaded.into_doc());
            let mut w = Writer::new(ns::CLIENT);
            w.open("rooms", ns::ROOMS).attr_opt("more", more);
            for (owner, document) in owners.iter().zip(documents) {
                let glance = document.and_then(|document| Glance::of(&document, shared.settings.started_ms));
                let Some(glance) = glance else { continue };
                w.open("room", ns::ROOMS).attr("jid", owner.as_str());
                glance.write(&mut w);
                w.close();
            }
            w.close();
            Answer::Reply(w.finish())
        })
    })
}

/// What there is to know of a room, and who is in it.
pub(crate) fn room(here: &Here<'_>) -> Answer<Spot> {
    let mut w = Writer::new(ns::CLIENT);
    w.open("room", ns::ROOMS).attr("jid", here.at.as_str());
    Glance::here(here).write(&mut w);
    w.attr("locked", if matches!(here.room.standing, Standing::Locked(_)) { "1" } else { "0" });
    use Affiliation::{Admin, Member, Outcast, Owner};
    for affiliation in [Owner, Admin, Member, Outcast] {
        w.open("count", ns::ROOMS).attr("affiliation", affiliation.name());
        w.attr("people", here.room.listed(affiliation).count().to_string()).close();
    }
    for occupant in here.room.occupants.iter() {
        w.open("occupant", ns::ROOMS).attr("nick", &*occupant.nick).attr("jid", occupant.bare.as_str());
        w.attr("role", occupant.role.name());
        w.attr("affiliation", here.room.affiliation(occupant.bare.jid()).name()).close();
    }
    w.close();
    Answer::Reply(w.finish())
}

/// Makes a room as the form says; it needs at least one owner, of whom the first counts as the one who made it.
pub(crate) fn create(here: &mut Here<'_>, iq: &Iq<'_>) -> Result<(), StanzaError> {
    let form = iq.payload.child("x", ns::FORMS).filter(|x| x.attr("type").as_deref() == Some("submit"));
    let form = form.ok_or(Condition::BadRequest)?;
    if here.at.local().is_none_or(|local| local.len() > ROOM_BYTES_MAX) {
        return Err(StanzaError::from(Condition::NotAcceptable).text("the room's address is too long"));
    }
    let (config, owners, admins) = judged(here, form)?;
    let creator = owners.first().ok_or(Condition::NotAcceptable)?.bare();
    here.make(&creator);
    here.room.config = config;
    here.unlock();
    for (people, affiliation) in [(&admins, Affiliation::Admin), (&owners, Affiliation::Owner)] {
        for jid in people {
            admin::put(here, jid.bare().text(), Some(Entry { affiliation, ..Entry::default() }));
        }
    }
    // Once more, because only now it is known whether it lasts.
    here.own(&creator, true);
    here.save();
    here.fx.route(iq.stanza.result(Default::default()));
    Ok(())
}

/// Owners and admins.
type People = Vec<Jid>;

/// Reads the form over what a new room begins with. Nothing is changed but if all of it is good.
fn judged(here: &mut Here<'_>, form: El<'_>) -> Result<(Config, People, People), StanzaError> {
    let fresh = Config::new(&here.shared.settings);
    let before = std::mem::replace(&mut here.room.config, fresh);
    let wanted = config_form::read(here, form);
    here.room.config = before;
    let wanted = wanted?;
    let (owners, admins) = wanted.people()?;
    if owners.is_empty() {
        return Err(StanzaError::from(Condition::NotAcceptable).text("a room needs an owner"));
    }
    if owners.iter().chain(&admins).any(|jid| jid.local().is_none()) {
        return Err(StanzaError::from(Condition::JidMalformed).text("a domain cannot own a room"));
    }
    Ok((wanted.config, owners, admins))
}

#[cfg(test)]
mod tests {
    use crate::stage::{CRONE, HAG, ROOM, Stage, outcome, to};

    /// The domain of the accounts: nobody else can send from there.
    const OPERATOR: &str = "a.example";
    const NEW: &str = "attic@rooms.example";

    fn form(fields: &[(&str, &str)]) -> String {
        let field =
            |(var, value): &(&str, &str)| format!("<field var='muc#{var}'><value>{value}</value></field>");
        let fields: String = fields.iter().map(field).collect();
        format!(
            "<query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'>{fields}</x></query>"
        )
    }

    fn create(fields: &[(&str, &str)]) -> String {
        let form = form(fields).replace("</query>", "</create>");
        form.replace(
            "query xmlns='http://jabber.org/protocol/muc#owner'",
            "create xmlns='urn:x-detente:rooms:0'",
        )
    }

    fn ask(stage: &mut Stage, to: &str, ty: &str, payload: &str) -> Vec<String> {
        stage.send(&format!("<iq from='{OPERATOR}' to='{to}' id='i' type='{ty}'>{payload}</iq>"))
    }

    fn listed(stage: &mut Stage) -> String {
        ask(stage, "rooms.example", "get", "<rooms xmlns='urn:x-detente:rooms:0'/>").remove(0)
    }

    #[test]
    fn all_rooms_are_listed_also_hidden_ones_and_after_a_restart() {
        let mut stage = Stage::room(&[("roomconfig_publicroom", "0"), ("roomconfig_roomname", "Coven")]);
        let owner = [("roomconfig_roomowners", "hag@a.example"), ("roomconfig_persistentroom", "1")];
        assert_eq!(outcome(&ask(&mut stage, NEW, "set", &create(&owner))), "ok");
        let seen = listed(&mut stage);
        let coven =
            format!("<room jid='{ROOM}' name='Coven' public='0' lasting='0' creator='crone@a.example'/>");
        let attic = format!("<room jid='{NEW}' public='1' lasting='1' creator='hag@a.example'/>");
        assert!(seen.contains(&(attic.clone() + &coven)), "{seen}");
        stage.restart();
        let seen = listed(&mut stage);
        assert!(seen.contains(&attic) && !seen.contains(ROOM), "only what lasts: {seen}");
        let list = "<rooms xmlns='urn:x-detente:rooms:0'/>";
        for (from, to) in
            [(HAG, "rooms.example"), ("a.example/x", "rooms.example"), ("b.example", "rooms.example")]
        {
            let seen = stage.send(&format!("<iq from='{from}' to='{to}' id='i' type='get'>{list}</iq>"));
            assert_eq!(outcome(&seen), "service-unavailable", "{from}");
        }
    }

    #[test]
    fn a_room_is_shown_with_who_is_in_it() {
        let mut stage = Stage::room(&[]);
        stage.enter(HAG, "hag");
        let seen = ask(&mut stage, ROOM, "get", "<room xmlns='urn:x-detente:rooms:0'/>").remove(0);
        for part in [
            "creator='crone@a.example' locked='0'>",
            "<count affiliation='owner' people='1'/>",
            "<occupant nick='hag' jid='hag@a.example' role='participant' affiliation='none'/>",
        ] {
            assert!(seen.contains(part), "{part}: {seen}");
        }
        let query = "<room xmlns='urn:x-detente:rooms:0'/>";
        assert_eq!(outcome(&stage.iq(CRONE, "get", query)), "service-unavailable", "owners have other ways");
        assert_eq!(outcome(&ask(&mut stage, NEW, "get", query)), "item-not-found");
    }

    #[test]
    fn what_is_refused_makes_no_room() {
        let mut stage = Stage::new();
        let owner = ("roomconfig_roomowners", "hag@a.example");
        let long = format!("{}@rooms.example", "a".repeat(257));
        for (at, fields, expected) in [
            (NEW, vec![], "not-acceptable"),
            (NEW, vec![("roomconfig_roomowners", "a.example")], "jid-malformed"),
            (NEW, vec![("roomconfig_roomowners", "a b@a.example")], "jid-malformed"),
            (NEW, vec![owner, ("roomconfig_roomadmins", "a.example")], "jid-malformed"),
            (NEW, vec![owner, ("roomconfig_maxusers", "0")], "not-acceptable"),
            (NEW, vec![owner, ("roomconfig_passwordprotectedroom", "1")], "not-acceptable"),
            (&long, vec![owner], "not-acceptable"),
        ] {
            assert_eq!(outcome(&ask(&mut stage, at, "set", &create(&fields))), expected, "{fields:?}");
            assert!(!listed(&mut stage).contains("<room "), "{fields:?}");
        }
        let empty = "<create xmlns='urn:x-detente:rooms:0'/>";
        assert_eq!(outcome(&ask(&mut stage, NEW, "set", empty)), "bad-request");
        assert_eq!(outcome(&ask(&mut stage, NEW, "set", &form(&[owner]))), "item-not-found");
        let mut send = |xml: String| stage.send(&xml);
        let own = create(&[owner]);
        let seen = send(format!("<iq from='{HAG}' to='{NEW}' id='i' type='set'>{own}</iq>"));
        assert_eq!(outcome(&seen), "item-not-found", "who is no operator");
        for expected in ["ok", "conflict"] {
            let seen = send(format!("<iq from='{OPERATOR}' to='{NEW}' id='i' type='set'>{own}</iq>"));
            assert_eq!(outcome(&seen), expected);
        }
        let x = "<x xmlns='http://jabber.org/protocol/muc'/>";
        let seen = send(format!("<presence from='{HAG}' to='{NEW}/hag'>{x}</presence>"));
        assert!(seen[0].contains("affiliation='owner'"), "{seen:?}");
    }

    /// As to an owner, without having entered.
    #[test]
    fn rooms_obey_operators() {
        let mut stage = Stage::room(&[("roomconfig_persistentroom", "1")]);
        stage.enter(HAG, "hag");
        let ban = "<query xmlns='http://jabber.org/protocol/muc#admin'><item affiliation='outcast' jid='hag@a.example'/></query>";
        let seen = ask(&mut stage, ROOM, "set", ban);
        assert!(to(&seen, HAG)[0].contains("code='301'"), "{seen:?}");
        assert_eq!(outcome(&ask(&mut stage, ROOM, "set", &form(&[("roomconfig_roomname", "Attic")]))), "ok");
        let seen = ask(&mut stage, ROOM, "get", "<query xmlns='http://jabber.org/protocol/muc#owner'/>");
        assert!(seen[0].contains("<value>Attic</value>"), "{seen:?}");
        let last = "<query xmlns='http://jabber.org/protocol/muc#admin'><item affiliation='none' jid='crone@a.example'/></query>";
        assert_eq!(outcome(&ask(&mut stage, ROOM, "set", last)), "conflict", "the last owner stays");
        let end = "<query xmlns='http://jabber.org/protocol/muc#owner'><destroy/></query>";
        let seen = ask(&mut stage, ROOM, "set", end);
        assert!(to(&seen, CRONE)[0].contains("<destroy"), "{seen:?}");
        assert!(!listed(&mut stage).contains("<room "), "it is gone");
        // Its address is closed for others, not for operators.
        assert_eq!(outcome(&stage.enter(HAG, "hag")), "gone");
        assert_eq!(
            outcome(&ask(&mut stage, ROOM, "set", &create(&[("roomconfig_roomowners", "hag@a.example")]))),
            "ok"
        );
        assert_eq!(outcome(&stage.enter(HAG, "hag")), "ok");
    }
}
