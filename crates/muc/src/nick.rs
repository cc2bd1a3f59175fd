//! Nicknames and changes of presence.
//!
//! XEP-0045 1.35.5 sections 7.2.8, 7.6, 7.7 and 17.1.1
//!
//! Not here: entering (`join.rs`), registering a nickname (`register.rs`).

use std::sync::Arc;

use address::Jid;
use stanza::{Condition, Payload, Stanza, StanzaError};

use crate::here::{Here, too_much};
use crate::item::Notice;
use crate::occupants::Visit;
use crate::{join, limits, presence};

/// What two nicknames have in common that people cannot tell apart: case and invisible or white space do not count.
fn folded(nick: &str) -> String {
    let seen = |c: &char| !c.is_whitespace() && !is_invisible(*c);
    nick.chars().filter(seen).flat_map(char::to_lowercase).collect()
}

/// Characters that show nothing, or turn the text around.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{2800}')
}

/// Whether somebody may have that nickname (sections 7.2.8 and 17.1.1).
pub(crate) fn free(here: &Here<'_>, jid: &Jid, nick: &str) -> Result<(), StanzaError> {
    let key = folded(nick);
    if key.is_empty() || nick.len() > limits::NICK_BYTES_MAX || nick.trim() != nick {
        return Err(StanzaError::from(Condition::JidMalformed).text("the nickname is empty or too long"));
    }
    let own = jid.bare_str();
    let taken = here.room.occupants.iter().any(|one| one.bare.as_str() != own && folded(&one.nick) == key);
    if taken || reserved(here, own, nick) {
        return Err(StanzaError::from(Condition::Conflict).text("the nickname belongs to somebody else"));
    }
    Ok(())
}

/// Whether a nickname is reserved for somebody else.
pub(crate) fn reserved(here: &Here<'_>, bare: &str, nick: &str) -> bool {
    let key = folded(nick);
    here.room.affiliations.iter().any(|(jid, entry)| {
        **jid != *bare && entry.nick.as_ref().is_some_and(|reserved| folded(reserved) == key)
    })
}

/// Presence under the same nickname. With a wish to join, the client has lost its memory of the room (section 17.3).
pub(crate) fn updated(here: &mut Here<'_>, stanza: &Stanza, from: &Jid, nick: &Arc<str>, joins: bool) {
    let visit = Visit { jid: from.clone(), presence: presence::clean(&stanza.payload) };
    let bare = from.bare().text();
    let before = here.room.occupants.get(nick).and_then(|occupant| occupant.visits.last());
    let changed = before.is_none_or(|last| last.presence.inner() != visit.presence.inner());
    here.room.occupants.visit(nick, visit);
    if joins {
        join::welcome(here, nick, stanza, from, false);
    }
    // A flood of presence is kept, and not told: who asks later sees the last one.
    let most = limits::PRESENCES_MAX;
    let told = here.room.people.of(&bare).presences.take(here.now_ms, most, limits::PRESENCE_MS);
    if !told || (joins && !changed) {
        return;
    }
    here.tell_others(nick, &Notice::default());
    if !joins {
        here.tell_himself(nick, &Notice::default(), &[], None);
    }
}

/// Another nickname (section 7.6).
pub(crate) fn changed(here: &mut Here<'_>, stanza: &Stanza, from: &Jid, old: &Arc<str>, new: &str) {
    let Some(to) = stanza.to.clone() else { return };
    if let Err(error) = may_change(here, from, new) {
        return here.refuse_entry(stanza, error);
    }
    here.tell_of(new);
    let visit = Visit { jid: from.clone(), presence: presence::clean(&stanza.payload) };
    here.room.occupants.visit(old, visit);
    let Some(mut occupant) = here.room.occupants.remove(old) else { return };
    let notice = Notice { codes: &[303], nick: Some(new), ..Notice::default() };
    let nothing = Payload::default();
    here.tell_left(&occupant, &notice, &nothing);
    here.tell_gone(&occupant, &notice, &nothing, None);
    occupant.nick = Arc::from(new);
    occupant.address = to;
    here.room.occupants.insert(occupant);
    here.broadcast(new, &Notice::default(), &[]);
}

fn may_change(here: &mut Here<'_>, from: &Jid, new: &str) -> Result<(), StanzaError> {
    free(here, from, new)?;
    if here.room.occupants.get(new).is_some() {
        let text = "another client of yours has that nickname";
        return Err(StanzaError::from(Condition::Conflict).text(text));
    }
    let (bare, most) = (from.bare().text(), limits::PRESENCES_MAX);
    match here.room.people.of(&bare).presences.take(here.now_ms, most, limits::PRESENCE_MS) {
        true => Ok(()),
        false => Err(too_much("too many changes at once")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_told_apart_is_the_same() {
        for (a, b, same) in [
            ("Witch", "witch", true),
            ("witch", "wi\u{200b}tch", true),
            ("witch", "w itch", true),
            ("witch", "witch2", false),
            ("\u{3164}", "", true),
        ] {
            assert_eq!(folded(a) == folded(b), same, "{a:?} {b:?}");
        }
    }
}
