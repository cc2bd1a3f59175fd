//! Private XML Storage: a drawer for clients' own small data.
//!
//! XEP-0049 1.2 (complete)
//!
//! Not here: bookmarks in PEP (pubsub), which are to be preferred.

use std::sync::{Arc, Weak};

use kernel::{Account, Answer, Card, Feature, Iq, IqRoute, Spec, Turn};
use model::spaces::PRIVATE;
use model::storage::{Loaded, Owner, Read, Size, Write};
use stanza::{Condition, StanzaError, ns};
use xml::{El, Writer};

/// Most bytes of one element in canonical form.
pub const PRIVATE_BYTES_MAX: usize = 65_536;
/// Most bytes of all elements of one account, with their names.
pub const PRIVATE_TOTAL_BYTES_MAX: usize = 1 << 20;
/// Most elements of one account.
pub const PRIVATE_ELEMENTS_MAX: usize = 64;
/// Most bytes of an element's name and namespace together.
pub const PRIVATE_KEY_BYTES_MAX: usize = 1_023;

static CARD: Card = Card {
    specs: &[Spec::complete("XEP-0049", "1.2")],
    account_vars: &[ns::PRIVATE],
    host_vars: &[ns::PRIVATE],
    iqs: &[IqRoute::own(ns::PRIVATE)],
    ..Card::named("private")
};

/// XEP-0049.
pub struct Private;

impl Feature for Private {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn iq(&self, turn: &mut Turn<'_, Account>, iq: &Iq<'_>) -> Answer<Account> {
        let owner = Owner::from(turn.place.jid.text());
        let mut elements = iq.payload.children();
        if iq.is_set() {
            return set(turn, owner, iq.payload);
        }
        match (elements.next(), elements.next()) {
            (Some(wanted), None) if wanted.ns() != ns::PRIVATE => get(owner, wanted),
            _ => Condition::BadRequest.into(),
        }
    }
}

fn key(el: El<'_>) -> String {
    format!("{{{}}}{}", el.ns(), el.name())
}

/// What is stored, or an empty element of that name.
fn get(owner: Owner, wanted: El<'_>) -> Answer<Account> {
    let mut w = Writer::new(ns::PRIVATE);
    w.open(wanted.name(), wanted.ns()).close();
    let (key, empty) = (key(wanted).into(), w.finish());
    Answer::read(Read::MapGet { space: PRIVATE, owner, key }, move |_, found| {
        let element = found.into_doc().unwrap_or(empty);
        let mut w = Writer::new(ns::CLIENT);
        w.open("query", ns::PRIVATE).raw(&element).close();
        Answer::Reply(w.finish())
    })
}

/// Stores all elements or none. An empty element takes its key away, as it reads the same.
fn set(turn: &mut Turn<'_, Account>, owner: Owner, query: El<'_>) -> Answer<Account> {
    let mut changes: Vec<(String, Option<Vec<u8>>)> = Vec::new();
    for el in query.children() {
        let (key, empty) = (key(el), el.inner_raw().is_empty() && el.attrs().next().is_none());
        let value = el.raw(ns::PRIVATE).into_owned();
        let named_twice = changes.iter().any(|(known, _)| *known == key);
        if el.ns().is_empty() || el.ns() == ns::PRIVATE || named_twice {
            return Condition::BadRequest.into();
        }
        if value.len() > PRIVATE_BYTES_MAX || key.len() > PRIVATE_KEY_BYTES_MAX {
            return StanzaError::from(Condition::NotAcceptable).text("An element is too large").into();
        }
        changes.push((key, (!empty).then_some(value)));
        if changes.len() > PRIVATE_ELEMENTS_MAX {
            return Condition::ResourceConstraint.into();
        }
    }
    if changes.is_empty() {
        return Condition::BadRequest.into();
    }
    let get = |key: &String| Read::MapGet { space: PRIVATE, owner: owner.clone(), key: key.as_str().into() };
    let mut reads = vec![Read::MapSize { space: PRIVATE, owner: owner.clone() }];
    reads.extend(changes.iter().map(|(key, _)| get(key)));
    let claim = claim(turn, &changes);
    Answer::read(Read::Many(reads), move |turn, held| apply(turn, &owner, changes, &claim, held))
}

/// What a request that waits for its data is going to add.
struct Claim(Size);

/// Requests of the account that wait for their data: what they will add counts already for those that come first.
#[derive(Default)]
struct Claims(Vec<Weak<Claim>>);

fn claim(turn: &mut Turn<'_, Account>, changes: &[(String, Option<Vec<u8>>)]) -> Arc<Claim> {
    let mut size = Size::default();
    for (key, value) in changes.iter().filter_map(|(key, value)| Some((key, value.as_ref()?))) {
        size.count += 1;
        size.bytes += (key.len() + value.len()) as u64;
    }
    let claim = Arc::new(Claim(size));
    let claims = turn.place.slots.of::<Claims>();
    claims.0.retain(|claim| claim.strong_count() > 0);
    claims.0.push(Arc::downgrade(&claim));
    claim
}

fn apply(
    turn: &mut Turn<'_, Account>,
    owner: &Owner,
    changes: Vec<(String, Option<Vec<u8>>)>,
    claim: &Arc<Claim>,
    held: Loaded,
) -> Answer<Account> {
    let mut held = held.into_many().into_iter();
    let size = held.next().map(Loaded::into_size).unwrap_or_default();
    let mut freed = Size::default();
    for ((key, _), old) in changes.iter().zip(held) {
        if let Some(old) = old.into_doc() {
            freed.count += 1;
            freed.bytes += (key.len() + old.len()) as u64;
        }
    }
    let claims = turn.place.slots.of::<Claims>();
    let open = claims.0.iter().filter_map(Weak::upgrade);
    let (count, bytes) = open
        .fold((size.count, size.bytes), |(count, bytes), open| (count + open.0.count, bytes + open.0.bytes));
    claims.0.retain(|open| !std::ptr::eq(open.as_ptr(), Arc::as_ptr(claim)));
    let too_many = count - freed.count > PRIVATE_ELEMENTS_MAX as u64;
    // Who has too much already, from the time before there was a limit, may still put less in its place.
    if claim.0.count > freed.count && too_many {
        return StanzaError::from(Condition::ResourceConstraint).text("Too many elements").into();
    }
    if claim.0.bytes > freed.bytes && bytes - freed.bytes > PRIVATE_TOTAL_BYTES_MAX as u64 {
        return StanzaError::from(Condition::ResourceConstraint).text("There is no room for so much").into();
    }
    for (key, value) in changes {
        match value {
            Some(value) => turn.fx.put_map(PRIVATE, owner.clone(), &key, value),
            None => turn.fx.write(Write::MapDelete { space: PRIVATE, owner: owner.clone(), key: key.into() }),
        }
    }
    Answer::done()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::{Scene, error};

    fn set(scene: &mut Scene, inner: &str) -> Vec<String> {
        scene.send(
            "phone",
            &format!("<iq type='set' id='1'><query xmlns='jabber:iq:private'>{inner}</query></iq>"),
        )
    }

    fn get(scene: &mut Scene, inner: &str) -> String {
        let ask = format!("<iq type='get' id='1'><query xmlns='jabber:iq:private'>{inner}</query></iq>");
        scene.send("phone", &ask).remove(0)
    }

    #[test]
    fn gives_back_what_was_put_in() {
        let mut scene = Scene::one(Private);
        let empty = "<query xmlns='jabber:iq:private'><a xmlns='urn:a'/></query>";
        assert!(get(&mut scene, "<a xmlns='urn:a'/>").contains(empty));
        set(&mut scene, "<a xmlns='urn:a'>1<b/></a><a xmlns='urn:b' c='&amp;'/>");
        assert!(get(&mut scene, "<a xmlns='urn:a'/>").contains("<a xmlns='urn:a'>1<b/></a></query>"));
        assert!(get(&mut scene, "<a xmlns='urn:b'/>").contains("<a xmlns='urn:b' c='&amp;'/></query>"));
        assert_eq!(set(&mut scene, "<a xmlns='urn:a'/>")[0], "del private {urn:a}a");
        assert!(get(&mut scene, "<a xmlns='urn:a'/>").contains(empty));
    }

    #[test]
    fn takes_all_or_nothing() {
        let mut scene = Scene::one(Private);
        let big = format!("<a xmlns='urn:a'>{}</a>", "x".repeat(PRIVATE_BYTES_MAX));
        let many =
            |from: usize, to| (from..to).map(|n| format!("<a xmlns='urn:{n}'>1</a>")).collect::<String>();
        for (inner, ty, condition) in [
            ("", "modify", "bad-request"),
            ("<a xmlns='urn:a'>1</a><a xmlns='urn:a'>2</a>", "modify", "bad-request"),
            ("<a xmlns='urn:a'>1</a><a/>", "modify", "bad-request"),
            (&big, "modify", "not-acceptable"),
            (&many(0, PRIVATE_ELEMENTS_MAX + 1), "wait", "resource-constraint"),
        ] {
            let seen = set(&mut scene, inner);
            let expected = error(ty, condition);
            let (head, _) = expected.split_at(expected.len() - "</error>".len());
            assert!(seen.len() == 1 && seen[0].contains(head), "{seen:?}");
        }
        assert_eq!(set(&mut scene, &many(0, PRIVATE_ELEMENTS_MAX)).len(), PRIVATE_ELEMENTS_MAX + 1);
        assert!(set(&mut scene, "<z xmlns='urn:z'>1</z>")[0].contains("resource-constraint"));
        assert_eq!(set(&mut scene, "<z xmlns='urn:z'>1</z><a xmlns='urn:0'/>").len(), 3);
        assert!(get(&mut scene, "").contains("bad-request"));
    }

    #[test]
    fn there_is_room_for_so_many_bytes() {
        let mut scene = Scene::one(Private);
        let large = |n| format!("<a xmlns='urn:{n}'>{}</a>", "x".repeat(PRIVATE_BYTES_MAX - 100));
        let fits = PRIVATE_TOTAL_BYTES_MAX / (PRIVATE_BYTES_MAX - 60);
        for n in 0..fits {
            assert_eq!(set(&mut scene, &large(n)).len(), 2, "{n}");
        }
        assert!(set(&mut scene, &large(fits))[0].contains("resource-constraint"));
        assert_eq!(set(&mut scene, &large(0)).len(), 2, "what takes the place of as much fits");
        assert_eq!(set(&mut scene, &format!("<a xmlns='urn:0'/>{}", large(fits))).len(), 3);
        // Two that wait for the same data know of each other.
        set(&mut scene, "<a xmlns='urn:1'/>");
        let session = scene.session("phone");
        let own = scene.account.session(session).unwrap().jid.clone();
        let both = [large(1), large(2_000)].map(|inner| {
            let iq = format!("<iq type='set' id='1'><query xmlns='jabber:iq:private'>{inner}</query></iq>");
            crate::scene::stanza(&iq).from(&own)
        });
        let seen = scene
            .play(Some(session), |kernel, turn| both.map(|iq| kernel.leave(turn, iq)).into_iter().collect());
        let put: Vec<_> = seen.iter().filter(|line| line.starts_with("put ")).collect();
        assert!(
            put.len() == 1 && put[0].starts_with("put private {urn:2000}a"),
            "the first had to make room"
        );
    }

    #[test]
    fn is_private() {
        let mut scene = Scene::one(Private);
        let ask = "<iq from='eve@a.example/x' to='alice@example.org' type='get' id='1'>\
                   <query xmlns='jabber:iq:private'><a xmlns='urn:a'/></query></iq>";
        assert!(scene.get(ask)[0].contains(&error("cancel", "service-unavailable")));
    }
}
