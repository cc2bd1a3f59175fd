//! The archive of a room: what gets into it, and who may read it.
//!
//! XEP-0313 1.1.3 section 6.2.2, XEP-0334 1.0.0 (hints), XEP-0359 0.7.0 (ids)
//!
//! Not here: private messages, which are in no archive of a room.

use std::sync::Arc;

use address::Jid;
use kernel::mam::{self, Asked};
use kernel::{Answer, Iq, Spot, Turn};
use model::spaces::ARCHIVE;
use model::storage::{Entry, Owner, Page, Read, Write};
use stanza::{Condition, Payload, Stanza, StanzaError, ns};
use xml::Writer;

use crate::affiliation::{Affiliation, Role};
use crate::here::Here;
use crate::item::{self, Notice};
use crate::service::Shared;

/// Tag of entries that have a body: those that newcomers are shown.
pub(crate) const SPOKEN: u32 = 1;

/// Writes `<stanza-id/>` (XEP-0359).
pub(crate) fn write_id(w: &mut Writer, room: &str, id: u64) {
    w.open("stanza-id", ns::SID).attr("by", room).attr("id", id.to_string()).close();
}

/// What a person would look for later; hints decide otherwise (XEP-0334).
pub(crate) fn is_worth_it(payload: &Payload) -> bool {
    /// Payloads that mean something without a body.
    const SPEAKING: [&str; 6] =
        [ns::OMEMO_OLD, ns::OMEMO, ns::MARKERS, ns::RETRACT, ns::REACTIONS, ns::CALL_INVITES];
    let hint = |name| payload.has(name, ns::HINTS);
    if hint("no-store") || hint("no-permanent-store") {
        return false;
    }
    let speaks = |child: stanza::Child<'_>| SPEAKING.contains(&child.ns()) && child.name() != "markable";
    payload.has("body", ns::CLIENT)
        || payload.has("subject", ns::CLIENT)
        || hint("store")
        || payload.children().any(speaks)
}

/// Adds a message as it is sent to all, without recipient.
pub(crate) fn append(here: &mut Here<'_>, id: u64, said: &Stanza, author: &Arc<str>, client: Option<&Jid>) {
    let entry = Entry {
        id,
        at_ms: here.now_ms,
        with: (!author.is_empty()).then(|| author.clone()),
        resource: client.and_then(Jid::resource).map(Arc::from),
        tag: if said.payload.has("body", ns::CLIENT) { SPOKEN } else { 0 },
        value: said.to_stored().into(),
    };
    let owner = here.owner();
    here.fx.write(Write::LogAppend { space: ARCHIVE, owner, entry });
}

/// What somebody may read.
struct Rights {
    /// Who said what.
    authors: bool,
}

/// Section 6.2.2: whoever could enter now may read; the ban list and the member list decide.
fn rights(here: &Here<'_>, from: &Jid) -> Result<Rights, StanzaError> {
    let affiliation = here.affiliation(from);
    if !here.is_there_for(from) {
        return Err(Condition::ItemNotFound.into());
    }
    if !here.room.config.archive {
        return Err(StanzaError::from(Condition::FeatureNotImplemented).text("this room keeps no archive"));
    }
    let occupant = here.room.occupants.of(from);
    // A password opens the door, and only who has given it is inside.
    let inside =
        occupant.is_some() || affiliation >= Affiliation::Member || here.room.config.password.is_none();
    if !here.room.admits(affiliation) || !inside {
        return Err(Condition::Forbidden.into());
    }
    let staff = affiliation >= Affiliation::Admin || occupant.is_some_and(|one| one.role == Role::Moderator);
    Ok(Rights { authors: here.room.config.non_anonymous || staff })
}

/// A request to the archive.
pub(crate) fn asked(shared: &Arc<Shared>, turn: &mut Turn<'_, Spot>, iq: &Iq<'_>) -> Answer<Spot> {
    let here = Here::of(shared, turn);
    if let Err(error) = rights(&here, iq.from()) {
        return error.into();
    }
    let owner = here.owner();
    match (iq.payload.name(), iq.is_set()) {
        ("query", true) => query(shared, &here, iq, owner),
        ("query", false) => Answer::Reply(mam::form()),
        ("metadata", false) => {
            Answer::read(Read::LogBounds { space: ARCHIVE, owner, count: false }, |_, loaded| {
                Answer::Reply(mam::metadata(&loaded.into_bounds()))
            })
        }
        ("metadata" | "prefs", _) => Condition::FeatureNotImplemented.into(),
        _ => Condition::BadRequest.into(),
    }
}

fn query(shared: &Arc<Shared>, here: &Here<'_>, iq: &Iq<'_>, owner: Owner) -> Answer<Spot> {
    let query = match mam::read_query(iq.payload, ARCHIVE, owner) {
        Ok(query) => query,
        Err(error) => return error.into(),
    };
    let authors = rights(here, iq.from()).is_ok_and(|rights| rights.authors);
    if query.with.is_some() && !authors {
        return StanzaError::from(Condition::Forbidden).text("who said what is not for you to know").into();
    }
    let (shared, from, asked) = (shared.clone(), iq.from().clone(), Asked::read(iq.payload, iq.from()));
    Answer::read(query, move |turn, loaded| {
        give(&mut Here::of(&shared, turn), &from, &asked, loaded.into_page())
    })
}

fn give(here: &mut Here<'_>, from: &Jid, asked: &Asked, mut page: Page) -> Answer<Spot> {
    // What is allowed may have changed while storage was asked.
    let rights = match rights(here, from) {
        Ok(rights) => rights,
        Err(error) => return error.into(),
    };
    let fin = match mam::fin(&page) {
        Ok(fin) => fin,
        Err(error) => return error.into(),
    };
    if asked.flip {
        page.entries.reverse();
    }
    for entry in &page.entries {
        let author = rights.authors.then(|| author_of(entry)).flatten();
        let stored = match author {
            Some(author) => with_author(here, &entry.value, &author),
            None => None,
        };
        let result =
            asked.result(here.at.jid(), entry.id, entry.at_ms, stored.as_deref().unwrap_or(&entry.value));
        here.fx.route(result);
    }
    Answer::Reply(fin)
}

fn author_of(entry: &Entry) -> Option<Jid> {
    let bare = Jid::parse(entry.with.as_ref()?).ok()?;
    match &entry.resource {
        Some(resource) => bare.with_resource(resource).ok(),
        None => Some(bare),
    }
}

/// The stored message with who said it, for those who may know.
fn with_author(here: &Here<'_>, stored: &[u8], author: &Jid) -> Option<Vec<u8>> {
    let said = Stanza::from_stored(stored).ok()?;
    let affiliation = here.affiliation(author);
    let role = here.room.occupants.of(author).map_or(Role::None, |occupant| occupant.role);
    let payload =
        said.payload.with(|w| item::write(w, Some(author), affiliation, role, &Notice::default(), &[]));
    Some(Stanza { payload, ..said }.to_stored())
}

#[cfg(test)]
mod tests {
    use crate::stage::{CRONE, HAG, ROOM, Stage, WITCH, outcome};

    const ALL: &str = "<query xmlns='urn:xmpp:mam:2'/>";

    fn query(with: &str) -> String {
        format!(
            "<query xmlns='urn:xmpp:mam:2'><x xmlns='jabber:x:data' type='submit'>\
             <field var='FORM_TYPE'><value>urn:xmpp:mam:2</value></field>\
             <field var='with'><value>{with}</value></field></x></query>"
        )
    }

    /// XEP-0313 section 6.2.2; F-01 and F-02 of the bar.
    #[test]
    fn who_may_not_enter_may_not_read() {
        let mut stage = Stage::room(&[("roomconfig_persistentroom", "1")]);
        stage.enter(HAG, "hag");
        stage.say(HAG, "secret");
        let read = |jid: &str, stage: &mut Stage| {
            let seen = stage.iq(jid, "set", ALL);
            (outcome(&seen), seen.len() - 1)
        };
        assert_eq!(read(WITCH, &mut stage), ("ok".to_owned(), 1), "an open room is open");
        stage.admin(CRONE, "<item affiliation='outcast' jid='hag@a.example'/>");
        assert_eq!(read(HAG, &mut stage).0, "forbidden");
        stage.admin(CRONE, "<item affiliation='member' jid='hag@a.example'/>");
        stage.configure(&[("roomconfig_membersonly", "1")]);
        assert_eq!(
            (read(WITCH, &mut stage).0, read(HAG, &mut stage).0),
            ("forbidden".to_owned(), "ok".to_owned())
        );
        stage.admin(CRONE, "<item affiliation='none' jid='hag@a.example'/>");
        assert_eq!(read(HAG, &mut stage).0, "forbidden");
        let secret = [
            ("roomconfig_membersonly", "0"),
            ("roomconfig_passwordprotectedroom", "1"),
            ("roomconfig_roomsecret", "toad"),
        ];
        stage.configure(&secret);
        assert_eq!(read(HAG, &mut stage).0, "forbidden", "the password has not been given");
        stage.configure(&[("roomconfig_passwordprotectedroom", "0"), ("roomconfig_enablearchiving", "0")]);
        assert_eq!(read(HAG, &mut stage).0, "feature-not-implemented");
        stage.say(CRONE, "off the record");
        stage.configure(&[("roomconfig_enablearchiving", "1")]);
        assert_eq!(read(CRONE, &mut stage), ("ok".to_owned(), 1), "what was not kept is not there");
    }

    /// F-05: who said it is told to those who may know.
    #[test]
    fn authors_are_for_moderators() {
        let mut stage = Stage::room(&[]);
        stage.enter(HAG, "hag");
        stage.say(HAG, "a");
        stage.say(CRONE, "b");
        let seen = stage.iq(HAG, "set", ALL);
        assert!(
            !seen.iter().any(|line| line.contains("jid=") || line.contains("hag@a.example</")),
            "{seen:?}"
        );
        assert!(seen[0].contains("<occupant-id ") && seen[0].contains(&format!("from='{ROOM}/hag'")));
        let seen = stage.iq(CRONE, "set", ALL);
        assert!(
            seen[0].contains(&format!("<item affiliation='none' jid='{HAG}' role='participant'/>")),
            "{seen:?}"
        );
        assert_eq!(outcome(&stage.iq(HAG, "set", &query("crone@a.example"))), "forbidden");
        assert_eq!(stage.iq(CRONE, "set", &query("hag@a.example")).len(), 2);
    }

    #[test]
    fn hints_and_kinds_decide_what_is_kept() {
        let mut stage = Stage::room(&[]);
        for (inner, kept) in [
            ("<body>a</body>", true),
            ("<body>a</body><no-store xmlns='urn:xmpp:hints'/>", false),
            ("<active xmlns='http://jabber.org/protocol/chatstates'/>", false),
            ("<active xmlns='http://jabber.org/protocol/chatstates'/><store xmlns='urn:xmpp:hints'/>", true),
            ("<subject>a</subject>", true),
            ("<reactions xmlns='urn:xmpp:reactions:0' id='1'/>", true),
            ("<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>", true),
            ("<invite xmlns='urn:xmpp:call-invites:0'/>", true),
        ] {
            let before = stage.iq(CRONE, "set", ALL).len();
            let said = format!("<message from='{CRONE}' to='{ROOM}' type='groupchat'>{inner}</message>");
            assert_eq!(outcome(&stage.send(&said)), "ok");
            stage.pass(10_000);
            assert_eq!(stage.iq(CRONE, "set", ALL).len() > before, kept, "{inner}");
        }
    }

    /// After a restart a lasting room is there, with what was said last; its occupants are not.
    #[test]
    fn lasting_rooms_last() {
        let mut stage = Stage::room(&[("roomconfig_persistentroom", "1"), ("roomconfig_roomname", "Coven")]);
        stage.admin(CRONE, "<item affiliation='member' jid='hag@a.example' nick='toad'/>");
        stage.say(CRONE, "thrice");
        let topic =
            format!("<message from='{CRONE}' to='{ROOM}' type='groupchat'><subject>brew</subject></message>");
        stage.send(&topic);
        let id = |seen: &[String]| seen[0].split("occupant-id:0' id='").nth(1).unwrap()[..64].to_owned();
        let before = id(&stage.enter(CRONE, "crone"));
        stage.restart();
        assert_eq!(outcome(&stage.enter(WITCH, "toad")), "conflict", "reserved");
        let seen = stage.enter(HAG, "toad");
        assert_eq!(seen.len(), 3, "{seen:?}");
        assert!(seen[0].contains("affiliation='member'") && seen[1].contains("thrice"), "{seen:?}");
        assert!(
            seen[1].contains("<delay ") && seen[2].contains("<subject>brew</subject><delay "),
            "{seen:?}"
        );
        let back = stage.enter(CRONE, "crone");
        assert_eq!(id(&back[1..]), before, "the same person has the same id");
        // A temporary one is not, and neither is what was said in it.
        let mut stage = Stage::room(&[]);
        stage.say(CRONE, "forgotten");
        stage.restart();
        assert_eq!(outcome(&stage.say(CRONE, "a")), "item-not-found");
        let seen = stage.enter(HAG, "hag");
        assert!(seen[0].contains("code='201'") && seen.len() == 2, "{seen:?}");
        assert_eq!(stage.iq(HAG, "set", ALL).len(), 1);
    }
}
