//! A room's picture, in its vCard.
//!
//! XEP-0486 0.1.0 (complete), XEP-0054 1.3.0 (vCards), XEP-0153 1.1.1 (hashes)
//!
//! Not here: pictures of occupants, which come with their presence.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use kernel::{Answer, Iq, Spot};
use model::storage::{Read, Space, Write};
use sha1::{Digest, Sha1};
use stanza::{Condition, StanzaError, ns};
use xml::{El, Writer};

use crate::affiliation::Affiliation;
use crate::here::Here;
use crate::{limits, occupant_id};

/// A room's vCard in canonical form.
const VCARD: Space = Space("muc-vcard");
/// Most pictures in one card: the same in several formats.
const PHOTOS_MAX: usize = 8;

/// The card, for everybody who may know of the room.
pub(crate) fn shown(here: &Here<'_>) -> Answer<Spot> {
    Answer::read(Read::Doc { space: VCARD, owner: here.owner() }, |_, loaded| {
        Answer::Reply(loaded.into_doc().unwrap_or_else(empty))
    })
}

fn empty() -> Bytes {
    let mut w = Writer::new(ns::CLIENT);
    w.open("vCard", ns::VCARD).close();
    w.finish()
}

/// An owner sets it, or takes it away by an empty one.
pub(crate) fn set(here: &mut Here<'_>, iq: &Iq<'_>) -> Answer<Spot> {
    if here.affiliation(iq.from()) != Affiliation::Owner {
        return StanzaError::from(Condition::Forbidden).text("only owners may set the picture").into();
    }
    let card = iq.payload.raw(ns::CLIENT);
    if card.len() > limits::VCARD_BYTES_MAX {
        return StanzaError::from(Condition::NotAcceptable).text("the card is too large").into();
    }
    let Some(hashes) = hashes(iq.payload) else { return Condition::BadRequest.into() };
    let (owner, none) = (here.owner(), iq.payload.children().next().is_none());
    here.fx.write(match none {
        true => Write::DocDelete { space: VCARD, owner },
        false => Write::DocPut { space: VCARD, owner, value: card.into_owned().into() },
    });
    here.room.avatar = hashes;
    here.save();
    here.announce(&[104]);
    Answer::done()
}

/// Of all pictures, each hashed as XEP-0153 section 3 wants it; `None` if one is no base64.
fn hashes(card: El<'_>) -> Option<Vec<String>> {
    let mut hashes = Vec::new();
    for photo in card.children_named("PHOTO", ns::VCARD).take(PHOTOS_MAX) {
        let Some(text) = photo.child_text("BINVAL", ns::VCARD) else { continue };
        let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let image = STANDARD.decode(text).ok()?;
        hashes.push(occupant_id::hex(&Sha1::digest(&image)));
    }
    Some(hashes)
}

#[cfg(test)]
mod tests {
    use crate::stage::{CRONE, HAG, Stage, outcome, to};

    #[test]
    fn owners_set_the_picture_and_all_may_see_it() {
        let mut stage = Stage::room(&[]);
        stage.enter(HAG, "hag");
        let card = |data: &str| {
            format!(
                "<vCard xmlns='vcard-temp'><PHOTO><TYPE>image/png</TYPE><BINVAL>{data}</BINVAL></PHOTO></vCard>"
            )
        };
        assert_eq!(outcome(&stage.iq(HAG, "set", &card("aGFn"))), "forbidden");
        assert_eq!(outcome(&stage.iq(CRONE, "set", &card("no base64!"))), "bad-request");
        let seen = stage.iq(CRONE, "set", &card("aGFn"));
        assert!(to(&seen, HAG)[0].contains("code='104'"), "{seen:?}");
        let info = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
        let hash = "<field var='muc#roominfo_avatarhash' type='text-multi'><value>c70b9fe31c3ab8a927a77d12741b8419dda5f55e<";
        let told = stage.iq(HAG, "get", info).remove(0);
        assert!(told.contains(hash), "{told}");
        assert!(stage.iq(HAG, "get", "<vCard xmlns='vcard-temp'/>")[0].contains("aGFn"));
        stage.iq(CRONE, "set", "<vCard xmlns='vcard-temp'/>");
        assert!(!stage.iq(HAG, "get", info)[0].contains("avatarhash"));
        assert!(
            stage.iq(HAG, "get", "<vCard xmlns='vcard-temp'/>")[0].contains("<vCard xmlns='vcard-temp'/>")
        );
    }
}
