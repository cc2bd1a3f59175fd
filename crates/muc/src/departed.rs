//! Somebody's account is removed: he is nobody here any more, and whoever gets his name later does not become what he was.
//!
//! XEP-0045 1.35.5 section 10.2 (a room has an owner); docs/decisions/023-departures.md
//!
//! Not here: finding the rooms (engine, `departures.rs`).

use std::sync::Arc;

use address::{Bare, Jid};

use crate::admin::{self, Change};
use crate::affiliation::Affiliation;
use crate::destroy;
use crate::here::Here;
use crate::item::Destroyed;
use crate::limits;
use crate::room::Standing;

/// Why a room ends whose only owner goes.
const REASON: &str = "the account of the room's only owner was removed";

/// Takes somebody out of the room.
pub(crate) fn left(here: &mut Here<'_>, who: &Bare) {
    match &mut here.room.standing {
        Standing::Absent => return,
        Standing::Gone(gone) => {
            gone.owners.retain(|owner| owner != who.as_str());
            return here.save();
        }
        Standing::Locked(_) | Standing::Open => {}
    }
    if here.room.creator.as_ref() == Some(who) {
        here.own(who, false);
        here.room.creator = None;
        here.save();
    }
    let Some(entry) = here.room.affiliations.get(who.as_str()) else { return };
    // A ban stays: otherwise it would end with a new account of the same name.
    if entry.affiliation == Affiliation::Outcast {
        return;
    }
    let others = here.room.listed(Affiliation::Owner).any(|(owner, _)| **owner != *who.as_str());
    let mut changes = Vec::new();
    if entry.affiliation == Affiliation::Owner && !others {
        changes = heirs(here).into_iter().map(|heir| change(heir, Affiliation::Owner)).collect();
        if changes.is_empty() {
            admin::put(here, who.text(), None);
            let destroyed = Destroyed { reason: Some(REASON.to_owned()), ..Destroyed::default() };
            return destroy::now(here, &destroyed);
        }
    }
    changes.push(change(who.jid().clone(), Affiliation::None));
    let outcome = admin::apply(here, changes, None);
    // What he wore goes with him.
    if here.room.affiliations.contains_key(who.as_str()) {
        admin::put(here, who.text(), None);
    }
    admin::tell(here, outcome, None);
    here.after_leaving();
}

fn change(who: Jid, affiliation: Affiliation) -> Change {
    Change::Affiliation { who, affiliation, nick: None, reason: None }
}

/// Whose the room is then: its admins'. A private group belongs to its members.
fn heirs(here: &Here<'_>) -> Vec<Jid> {
    let group = here.room.config.members_only && !here.room.config.public;
    let named = |affiliation| -> Vec<Jid> {
        let listed =
            here.room.listed(affiliation).filter_map(|(jid, _): (&Arc<str>, _)| Jid::parse(jid).ok());
        listed.take(limits::HEIRS_MAX).collect()
    };
    let admins = named(Affiliation::Admin);
    if admins.is_empty() && group { named(Affiliation::Member) } else { admins }
}

#[cfg(test)]
mod tests {
    use address::{Bare, Jid};

    use crate::limits;
    use crate::stage::{CRONE, HAG, ROOM, Stage, WITCH, outcome, to};

    fn departs(stage: &mut Stage, who: &str) -> Vec<String> {
        let (service, room) = (Jid::parse("rooms.example").unwrap(), Bare::parse(ROOM).unwrap());
        let told = kernel::departed(&service, &room, &Bare::parse(who).unwrap());
        stage.send(&String::from_utf8(told.to_stored()).unwrap())
    }

    fn list(stage: &mut Stage, who: &str, affiliation: &str) -> String {
        let query = format!(
            "<query xmlns='http://jabber.org/protocol/muc#admin'><item affiliation='{affiliation}'/></query>"
        );
        stage.iq(who, "get", &query).remove(0)
    }

    const LASTING: (&str, &str) = ("roomconfig_persistentroom", "1");

    #[test]
    fn whoever_comes_later_under_his_name_is_nobody() {
        let mut stage = Stage::room(&[LASTING, ("roomconfig_membersonly", "1")]);
        for (jid, affiliation) in [
            ("hag@a.example", "member"),
            ("witch@a.example", "admin"),
            ("dame@a.example", "owner"),
            ("eve@a.example", "outcast"),
        ] {
            stage.admin(CRONE, &format!("<item affiliation='{affiliation}' jid='{jid}'/>"));
        }
        stage.enter(HAG, "hag");
        let seen = departs(&mut stage, "hag@a.example");
        assert!(to(&seen, HAG)[0].contains("code='321'"), "{seen:?}");
        for who in ["witch@a.example", "dame@a.example", "eve@a.example", "unknown@a.example"] {
            departs(&mut stage, who);
        }
        for restarted in [false, true] {
            if restarted {
                stage.restart();
            }
            for (who, expected) in [
                (HAG, "registration-required"),
                (WITCH, "registration-required"),
                ("eve@a.example/x", "forbidden"),
            ] {
                assert_eq!(outcome(&stage.enter(who, "n")), expected, "{who}");
            }
            let owners = list(&mut stage, CRONE, "owner");
            assert!(owners.contains("crone@") && !owners.contains("dame@"), "{owners}");
            assert!(list(&mut stage, CRONE, "outcast").contains("eve@"), "a ban outlives an account");
        }
    }

    #[test]
    fn a_room_is_not_left_without_an_owner() {
        let (public, group) = ("roomconfig_publicroom", ("roomconfig_membersonly", "1"));
        for (fields, people, heir) in [
            (&[LASTING][..], &[("witch", "admin"), ("hag", "member")][..], Some("witch")),
            (&[LASTING, group, (public, "0")], &[("hag", "member")], Some("hag")),
            (&[LASTING, group, (public, "1")], &[("hag", "member")], None),
            (&[LASTING], &[("hag", "member")], None),
            (&[LASTING, group, (public, "0")], &[], None),
            (&[], &[], None),
        ] {
            let mut stage = Stage::room(fields);
            for (who, affiliation) in people {
                stage.admin(CRONE, &format!("<item affiliation='{affiliation}' jid='{who}@a.example'/>"));
            }
            stage.enter(HAG, "hag");
            let seen = departs(&mut stage, "crone@a.example");
            match heir {
                Some(heir) => {
                    let owners = list(&mut stage, &format!("{heir}@a.example/x"), "owner");
                    assert!(owners.contains(heir) && !owners.contains("crone"), "{fields:?}: {owners}");
                }
                None => {
                    assert!(
                        seen.iter().any(|line| line.contains("<destroy><reason>the account")),
                        "{seen:?}"
                    );
                    // Whoever gets the name has no more right to it than others.
                    let again = outcome(&stage.enter(CRONE, "crone"));
                    assert_eq!(again, if fields.is_empty() { "ok" } else { "gone" }, "{fields:?}");
                    stage.pass(limits::TOMBSTONE_MS);
                }
            }
        }
    }

    #[test]
    fn only_the_service_itself_says_so() {
        let mut stage = Stage::room(&[LASTING]);
        for from in [HAG, "a.example", "rooms.example/x", ROOM] {
            let said = format!(
                "<message from='{from}' to='{ROOM}'><departed xmlns='urn:x-detente:departed:0' account='crone@a.example'/></message>"
            );
            stage.send(&said);
            assert!(list(&mut stage, CRONE, "owner").contains("crone@"), "{from}");
        }
    }

    #[test]
    fn a_mark_of_a_room_is_not_his_either() {
        let mut stage = Stage::room(&[LASTING]);
        stage.owner(CRONE, "<destroy/>");
        departs(&mut stage, "crone@a.example");
        stage.restart();
        assert_eq!(outcome(&stage.enter(CRONE, "crone")), "gone");
    }
}
