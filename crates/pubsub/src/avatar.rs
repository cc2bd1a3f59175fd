//! Avatars: what is published as one node's item is the photo of the visiting card, and the other way round.
//!
//! XEP-0398 1.0.0 (complete), XEP-0153 1.1.1 (the hash in presence)
//!
//! Not here: the card (features), the nodes (`pep`).

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use kernel::{Account, Card, Feature, Flow, Form, Kept, Spec, Step, Turn, Way};
use model::query::Query;
use model::spaces::VCARD;
use model::storage::{Loaded, Owner, Read, Space, Write};
use sha1::{Digest, Sha1};
use stanza::{IqType, Kind, PresenceType, Stanza, ns};
use xml::{El, Tree, Writer};

use crate::config::Access;
use crate::home::{Home, owner};
use crate::items::Item;
use crate::limits::PAYLOAD_BYTES_MAX;
use crate::own;

/// The hash of the photo that card and node agree on: one document of hexadecimal digits.
pub(crate) const PHOTO: Space = Space("photo-hash");

static CARD: Card = Card {
    specs: &[
        Spec::complete("XEP-0398", "1.0.0"),
        Spec::complete("XEP-0153", "1.1.1").note("the server adds the hash to presence"),
    ],
    account_vars: &[ns::AVATAR_CONVERSION],
    steps: &[(Way::Leave, Step::Stamp)],
    kept: &[Kept { space: PHOTO, form: Form::Doc }],
    ..Card::named("avatar")
};

/// XEP-0398.
pub(crate) struct Avatar;

/// The photo of the account.
#[derive(Debug, Default)]
struct Photo {
    hash: Option<String>,
    /// How often the card was set, to see that it was while it was being read.
    cards: u64,
}

impl Feature for Avatar {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn hydrate(&self, account: &mut Account, _: Space, stored: Loaded) {
        let hash = stored.into_doc().and_then(|hash| String::from_utf8(hash.to_vec()).ok());
        account.slots.of::<Photo>().hash = hash.filter(|hash| is_hash(hash));
    }

    fn step(&self, _: Way, _: Step, turn: &mut Turn<'_, Account>, stanza: &mut Stanza) -> Flow {
        let own = stanza.to.as_ref().is_none_or(|to| to.as_str() == turn.place.jid.as_str());
        match stanza.kind {
            Kind::Presence(PresenceType::Available) => stamp(turn.place, stanza),
            Kind::Iq(IqType::Set) if own && stanza.payload.has("vCard", ns::VCARD) => card_set(turn, stanza),
            _ => {}
        }
        Flow::On
    }
}

fn is_hash(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The hash goes into presence, unless the client says that it has no photo to show (section 3.3).
fn stamp(account: &Account, stanza: &mut Stanza) {
    let Some(hash) = account.slots.peek::<Photo>().and_then(|photo| photo.hash.as_deref()) else { return };
    if let Some(update) = stanza.payload.child("x", ns::VCARD_UPDATE) {
        let Ok(tree) = update.tree() else { return };
        let said = tree.root().and_then(|x| x.child_text("photo", ns::VCARD_UPDATE));
        match said.as_deref().map(str::trim) {
            Some("") => return,
            Some(said) if said == hash => return,
            _ => {}
        }
    }
    let without = stanza.payload.without(|child| child.is("x", ns::VCARD_UPDATE));
    stanza.payload = without.with(|w| {
        w.open("x", ns::VCARD_UPDATE).leaf("photo", ns::VCARD_UPDATE, hash).close();
    });
}

fn remember(turn: &mut Turn<'_, Account>, hash: Option<String>) {
    let owner = owner(turn.place);
    match &hash {
        Some(hash) => turn.fx.put_doc(PHOTO, owner, hash.clone().into_bytes()),
        None => turn.fx.write(Write::DocDelete { space: PHOTO, owner }),
    }
    turn.place.slots.of::<Photo>().hash = hash;
}

/// A picture: its type, and itself as Base64 without white space.
struct Picture {
    ty: String,
    text: String,
    bytes: usize,
    hash: String,
}

fn picture(ty: String, text: &str) -> Option<Picture> {
    let text: String = text.split_ascii_whitespace().collect();
    let decoded = BASE64_STANDARD.decode(&text).ok().filter(|decoded| !decoded.is_empty())?;
    Some(Picture { ty, text, bytes: decoded.len(), hash: hex(&Sha1::digest(&decoded)) })
}

/// The hash of a card's photo.
pub(crate) fn hash_of(card: El<'_>) -> Option<String> {
    photo(card).map(|picture| picture.hash)
}

fn photo(card: El<'_>) -> Option<Picture> {
    let photo = card.child("PHOTO", ns::VCARD)?;
    let ty =
        photo.child_text("TYPE", ns::VCARD).map_or_else(|| "image/png".to_owned(), |ty| ty.trim().to_owned());
    picture(ty, &photo.child_text("BINVAL", ns::VCARD)?)
}

/// A client sets its card: the photo is published, or that there is none (section 3.2).
fn card_set(turn: &mut Turn<'_, Account>, stanza: &Stanza) {
    turn.place.slots.of::<Photo>().cards += 1;
    let Ok(tree) = stanza.payload.tree() else { return };
    let Some(card) = tree.root() else { return };
    let before = turn.place.slots.of::<Photo>().hash.clone();
    match photo(card) {
        Some(photo) if before.as_deref() != Some(&photo.hash) => {
            remember(turn, Some(photo.hash.clone()));
            // The card is for everybody to see.
            let open = [("pubsub#access_model", Access::Open.word())];
            let known = |turn: &Turn<'_, Account>, node: &str| {
                turn.place.peek().is_some_and(|nodes| nodes.get(node).is_some())
            };
            let options =
                |turn: &Turn<'_, Account>, node| if known(turn, node) { &[][..] } else { &open[..] };
            let (data, metadata) = (options(turn, ns::AVATAR_DATA), options(turn, ns::AVATAR_METADATA));
            own::publish(turn, ns::AVATAR_DATA, &photo.hash, data, |w| {
                w.leaf("data", ns::AVATAR_DATA, &photo.text);
            });
            own::publish(turn, ns::AVATAR_METADATA, &photo.hash, metadata, |w| {
                w.open("metadata", ns::AVATAR_METADATA).open("info", ns::AVATAR_METADATA);
                w.attr_of("bytes", photo.bytes)
                    .attr("id", &photo.hash)
                    .attr("type", &photo.ty)
                    .close()
                    .close();
            });
        }
        None if before.is_some() => {
            remember(turn, None);
            own::publish(turn, ns::AVATAR_METADATA, "none", &[], |w| {
                w.open("metadata", ns::AVATAR_METADATA).close();
            });
        }
        _ => {}
    }
}

/// The metadata have changed: the picture that they name becomes the photo of the card, if everybody may see it
/// (sections 3.1 and 7).
pub(crate) fn published(turn: &mut Turn<'_, Account>) {
    let (account, owner) = (turn.place.jid.clone(), owner(turn.place));
    let cards = turn.place.slots.of::<Photo>().cards;
    let reads = vec![
        Item::read_newest(&owner, ns::AVATAR_METADATA, 1),
        Item::read_newest(&owner, ns::AVATAR_DATA, 8),
        Read::Doc { space: VCARD, owner: owner.clone() },
    ];
    turn.fx.ask(&account, Query::Read(Read::Many(reads)), move |turn, found| {
        if turn.place.slots.of::<Photo>().cards != cards {
            return published(turn);
        }
        // Without an answer nothing is changed.
        let Ok(found) = found else { return };
        let mut found = found.into_loaded().into_many().into_iter();
        let mut items = || {
            let stored = found.next().unwrap_or(Loaded::Map(Vec::new())).into_map();
            stored.iter().filter_map(|(_, stored)| Item::hydrate(stored)).collect::<Vec<_>>()
        };
        let (metadata, data) = (items(), items());
        let card = found.next().and_then(Loaded::into_doc);
        take_over(turn, owner, &metadata, &data, card);
    });
}

fn take_over(
    turn: &mut Turn<'_, Account>,
    owner: Owner,
    metadata: &[Item],
    data: &[Item],
    card: Option<Bytes>,
) {
    let before = turn.place.slots.of::<Photo>().hash.clone();
    let open = |node| {
        let node = turn.place.peek().and_then(|nodes| nodes.get(node));
        node.is_some_and(|node| node.config().access_model == Access::Open)
    };
    // What was retracted is as good as empty.
    let Some(named) = metadata.first().map_or(Some(None), named) else { return };
    let after = match named {
        Some((id, ty)) if open(ns::AVATAR_DATA) => {
            let found = data.iter().find(|item| item.id == id).and_then(|item| {
                let tree = Tree::parse(&item.payload, "").ok()?;
                let text = tree.root().filter(|root| root.is("data", ns::AVATAR_DATA))?.text().into_owned();
                picture(ty, &text).filter(|picture| picture.hash == id)
            });
            // Without data, or with other data than it says, there is nothing to take over.
            let Some(picture) = found else { return };
            Some(picture)
        }
        Some(_) => return,
        None => None,
    };
    if before.as_deref() == after.as_ref().map(|picture| picture.hash.as_str()) {
        return;
    }
    let card = with_photo(card.as_deref(), after.as_ref());
    if card.len() > PAYLOAD_BYTES_MAX {
        return;
    }
    turn.fx.put_doc(VCARD, owner, card.to_vec());
    remember(turn, after.map(|picture| picture.hash));
}

/// The picture that metadata name and that is in the data node: its hash and type; inside `None` if there is no avatar.
fn named(item: &Item) -> Option<Option<(String, String)>> {
    let tree = Tree::parse(&item.payload, "").ok()?;
    let metadata = tree.root().filter(|root| root.is("metadata", ns::AVATAR_METADATA))?;
    let mut infos = metadata.children_named("info", ns::AVATAR_METADATA).peekable();
    if infos.peek().is_none() {
        return Some(None);
    }
    let info = infos.find(|info| info.attr("url").is_none())?;
    let ty = info.attr("type").unwrap_or("image/png".into());
    Some(Some((info.attr("id")?.to_ascii_lowercase(), ty.into_owned())))
}

/// The card with another photo, or with none.
fn with_photo(card: Option<&[u8]>, photo: Option<&Picture>) -> Bytes {
    let mut w = Writer::new(ns::CLIENT);
    w.open("vCard", ns::VCARD);
    let tree = card.and_then(|card| Tree::parse(card, ns::CLIENT).ok());
    if let Some(root) = tree.as_ref().and_then(|tree| tree.root()) {
        for child in root.children().filter(|child| !child.is("PHOTO", ns::VCARD)) {
            w.raw(&child.raw(ns::VCARD));
        }
    }
    if let Some(photo) = photo {
        w.open("PHOTO", ns::VCARD)
            .leaf("TYPE", ns::VCARD, &photo.ty)
            .leaf("BINVAL", ns::VCARD, &photo.text)
            .close();
    }
    w.close();
    w.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pep::Pep;
    use crate::scene::Scene;
    use kernel::{Answer, Iq, IqRoute};

    /// The card's own feature, as far as it matters here.
    struct Vcard;

    static VCARD_CARD: Card = Card { iqs: &[IqRoute::open(ns::VCARD).and_set()], ..Card::named("vcard") };

    impl Feature for Vcard {
        fn card(&self) -> &'static Card {
            &VCARD_CARD
        }

        fn iq(&self, turn: &mut Turn<'_, Account>, iq: &Iq<'_>) -> Answer<Account> {
            let owner = owner(turn.place);
            if iq.is_set() {
                turn.fx.put_doc(VCARD, owner, iq.payload.raw(ns::CLIENT).into_owned());
                return Answer::done();
            }
            Answer::read(Read::Doc { space: VCARD, owner }, |_, found| {
                Answer::Reply(found.into_doc().unwrap_or_default())
            })
        }
    }

    fn stage() -> Scene {
        let mut scene = Scene::new(vec![Box::new(Avatar), Box::new(Vcard), Box::new(Pep)]);
        scene.open("phone");
        scene
    }

    /// Sends an iq and brings what is routed to the account itself back to it.
    fn send(scene: &mut Scene, inner: &str) -> Vec<String> {
        let mut seen = scene.send("phone", &format!("<iq type='set' id='1'>{inner}</iq>"));
        let own = |line: &&String| line.starts_with("-> <iq from='alice@example.org' to='alice@example.org'");
        let routed: Vec<String> = seen.iter().filter(own).map(|line| line[3..].to_owned()).collect();
        for stanza in routed {
            seen.extend(scene.get(&stanza));
        }
        seen
    }

    fn card(scene: &mut Scene) -> String {
        scene.send("phone", "<iq type='get' id='1'><vCard xmlns='vcard-temp'/></iq>").remove(0)
    }

    fn presence(scene: &mut Scene, inner: &str) -> String {
        scene.send("phone", &format!("<presence to='room@a.example/me'>{inner}</presence>")).remove(0)
    }

    fn publish(node: &str, id: &str, payload: &str) -> String {
        format!(
            "<pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='urn:xmpp:avatar:{node}'><item id='{id}'>\
             {payload}</item></publish><publish-options><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'>\
             <value>http://jabber.org/protocol/pubsub#publish-options</value></field>\
             <field var='pubsub#access_model'><value>open</value></field></x></publish-options></pubsub>"
        )
    }

    /// `hello` in Base64, and its hash.
    const HELLO: &str = "aGVsbG8=";
    const HASH: &str = "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d";

    fn stamped(hash: &str) -> String {
        format!("<x xmlns='vcard-temp:x:update'><photo>{hash}</photo></x>")
    }

    #[test]
    fn the_photo_of_a_card_is_published() {
        let mut scene = stage();
        assert!(!presence(&mut scene, "").contains("vcard-temp:x:update"));
        let photo = "<PHOTO><TYPE>image/jpeg</TYPE><BINVAL>\n aGVs\n bG8=\n</BINVAL></PHOTO>";
        let seen = send(&mut scene, &format!("<vCard xmlns='vcard-temp'><FN>A</FN>{photo}</vCard>"));
        assert!(
            seen.iter().any(|line| line.starts_with("put node-items") && line.contains(HELLO)),
            "{seen:?}"
        );
        let info = format!("<info bytes='5' id='{HASH}' type='image/jpeg'/>");
        assert!(
            seen.iter().any(|line| line.starts_with("put node-items") && line.contains(&info)),
            "{seen:?}"
        );
        assert!(seen.iter().all(|line| !line.contains("type='error'")), "{seen:?}");
        for (said, expected) in [
            ("", stamped(HASH)),
            ("<x xmlns='vcard-temp:x:update'/>", stamped(HASH)),
            ("<x xmlns='vcard-temp:x:update'><photo>old</photo></x>", stamped(HASH)),
            (
                "<x xmlns='vcard-temp:x:update'><photo/></x>",
                "<x xmlns='vcard-temp:x:update'><photo/></x>".into(),
            ),
        ] {
            let seen = presence(&mut scene, said);
            assert!(seen.contains(&expected) && seen.matches("x:update").count() == 1, "{seen}");
        }
        scene.reload();
        scene.open("phone");
        assert!(presence(&mut scene, "").contains(&stamped(HASH)));
        let seen = send(&mut scene, "<vCard xmlns='vcard-temp'><FN>A</FN></vCard>");
        assert!(
            seen.iter().any(|line| line.contains("<metadata xmlns='urn:xmpp:avatar:metadata'/>")),
            "{seen:?}"
        );
        assert!(!presence(&mut scene, "").contains("x:update"));
    }

    #[test]
    fn what_is_published_is_the_photo_of_the_card() {
        let mut scene = stage();
        send(&mut scene, "<vCard xmlns='vcard-temp'><FN>A</FN></vCard>");
        let data = |text: &str| format!("<data xmlns='urn:xmpp:avatar:data'>{text}</data>");
        let metadata = |id: &str| {
            format!(
                "<metadata xmlns='urn:xmpp:avatar:metadata'><info bytes='5' id='{id}' type='image/png'/></metadata>"
            )
        };
        send(&mut scene, &publish("data", HASH, &data(HELLO)));
        send(&mut scene, &publish("metadata", HASH, &metadata(HASH)));
        let expected =
            format!("<FN>A</FN><PHOTO><TYPE>image/png</TYPE><BINVAL>{HELLO}</BINVAL></PHOTO></vCard>");
        assert!(card(&mut scene).contains(&expected), "{}", card(&mut scene));
        assert!(presence(&mut scene, "").contains(&stamped(HASH)));
        // What is not what it says changes nothing.
        let other = "0".repeat(40);
        send(&mut scene, &publish("data", &other, &data("AAAA")));
        send(&mut scene, &publish("metadata", &other, &metadata(&other)));
        assert!(card(&mut scene).contains(&expected));
        send(&mut scene, &publish("metadata", "x", "<metadata xmlns='urn:xmpp:avatar:metadata'/>"));
        assert!(card(&mut scene).contains("<FN>A</FN></vCard>"), "{}", card(&mut scene));
        assert!(!presence(&mut scene, "").contains("x:update"));
    }
}
