//! Who stands on a list of banned addresses does not enter.
//!
//! Members and staff of the room are not looked up: its owners know better.
//!
//! Not here: the lists (features, `lists.rs`), the room's own list of outcasts (`affiliations.rs`).

use std::sync::Arc;

use kernel::{Spot, Tally, Turn, banned};
use model::query::Query;
use stanza::{Condition, Stanza, StanzaError, ns};

use crate::affiliation::Affiliation;
use crate::here::Here;
use crate::join;
use crate::service::Shared;

/// Looks somebody up who wants to enter; he comes in after that, or does not. `false`: there is nothing to look up.
pub(crate) fn looked_up(shared: &Arc<Shared>, turn: &mut Turn<'_, Spot>, stanza: &Stanza) -> bool {
    let safety = &shared.settings.safety;
    if safety.lists.is_empty() || turn.place.is_service() || !stanza.payload.has("x", ns::MUC) {
        return false;
    }
    let Some(from) = &stanza.from else { return false };
    let here = Here::of(shared, turn);
    if here.affiliation(from) != Affiliation::None || here.room.occupants.of(from).is_some() {
        return false;
    }
    let Some(read) = banned::look_up(safety, shared.settings.host.as_str(), from) else { return false };
    let (shared, stanza) = (shared.clone(), stanza.clone());
    turn.ask(Query::Read(read), move |turn, found| {
        let error = match found.map(|found| banned::is_banned(found.into_loaded())) {
            Ok(false) => return join::come(&shared, turn, stanza),
            Ok(true) => {
                Tally::count(&shared.settings.safety.tally.banned);
                StanzaError::from(Condition::Forbidden).text("you are on a list of banned addresses")
            }
            // Nobody enters because too many come at once: he may try again.
            Err(error) => error,
        };
        Here::of(&shared, turn).refuse_entry(&stanza, error);
    });
    true
}

#[cfg(test)]
mod tests {
    use address::Jid;
    use kernel::banned::{BANNED, hash, prefix};
    use kernel::{BlockList, SafetyFacts};
    use model::storage::{Owner, Write};

    use crate::Settings;
    use crate::stage::{CRONE, HAG, Stage, WITCH, outcome};

    #[test]
    fn the_banned_stay_outside_unless_the_room_knows_them() {
        let domain = |text| Jid::parse(text).unwrap();
        let list = BlockList { service: domain("lists.example"), node: "bans".into() };
        let safety = SafetyFacts { lists: vec![list.clone()], ..SafetyFacts::default() };
        let settings = Settings { safety, ..Settings::new(domain("rooms.example"), domain("a.example"), 0) };
        let mut stage = Stage::with(settings);
        for who in ["hag@a.example", "worse.example"] {
            let (owner, key) = (Owner::from("a.example"), format!("{}{}", prefix(&list), hash(who)).into());
            stage.stored(Write::MapPut { space: BANNED, owner, key, value: Default::default() });
        }
        assert_eq!(outcome(&stage.enter(CRONE, "crone")), "ok");
        stage.configure(&[]);
        assert_eq!(outcome(&stage.enter(HAG, "hag")), "forbidden");
        assert_eq!(outcome(&stage.enter("fool@worse.example/x", "fool")), "forbidden");
        assert_eq!(outcome(&stage.enter(WITCH, "witch")), "ok");
        assert_eq!(outcome(&stage.enter(WITCH, "weird")), "ok", "an occupant is not looked up");
        stage.busy = true;
        assert_eq!(
            outcome(&stage.enter("bob@b.example/x", "bob")),
            "resource-constraint",
            "nobody has looked"
        );
        stage.busy = false;
        assert_eq!(outcome(&stage.enter("bob@b.example/x", "bob")), "ok");
        stage.admin(CRONE, "<item affiliation='member' jid='hag@a.example'/>");
        assert_eq!(outcome(&stage.enter(HAG, "hag")), "ok");
    }
}
