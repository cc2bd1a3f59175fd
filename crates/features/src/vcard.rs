//! vcard-temp: a user's visiting card, kept by the server for everybody to read.
//!
//! XEP-0054 1.3.0 (complete)
//!
//! Not here: what the card says; its photo as an avatar, and vCard4 (pubsub).

use kernel::{Account, Answer, Card, Directory, Feature, Iq, IqRoute, Spec, Turn};
use model::spaces::VCARD;
use model::storage::{Owner, Read};
use stanza::{Condition, StanzaError, ns};

use crate::directory;

/// Most bytes of a card in canonical form.
pub const VCARD_BYTES_MAX: usize = 262_144;

static CARD: Card = Card {
    specs: &[Spec::complete("XEP-0054", "1.3.0")],
    account_vars: &[ns::VCARD],
    host_vars: &[ns::VCARD],
    iqs: &[IqRoute::open(ns::VCARD).and_set()],
    ..Card::named("vcard")
};

/// XEP-0054.
pub struct Vcard;

impl Feature for Vcard {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn iq(&self, turn: &mut Turn<'_, Account>, iq: &Iq<'_>) -> Answer<Account> {
        let owner = Owner::from(turn.place.jid.text());
        let own = iq.from().bare_str() == owner.as_str();
        match iq.is_set() {
            // What an account that is not there would say.
            set if !own && (set || iq.payload.name() != "vCard") => Condition::ServiceUnavailable.into(),
            _ if iq.payload.name() != "vCard" => Condition::BadRequest.into(),
            true => store(turn, owner, iq),
            false => {
                Answer::read(Read::Doc { space: VCARD, owner }, move |_, found| match found.into_doc() {
                    Some(card) => Answer::Reply(card),
                    None if own => Condition::ItemNotFound.into(),
                    // Section 3.3: as from an account that does not exist.
                    None => Condition::ServiceUnavailable.into(),
                })
            }
        }
    }
}

fn store(turn: &mut Turn<'_, Account>, owner: Owner, iq: &Iq<'_>) -> Answer<Account> {
    let card = iq.payload.raw(ns::CLIENT);
    if card.len() > VCARD_BYTES_MAX {
        return StanzaError::from(Condition::NotAcceptable).text("The card is too large").into();
    }
    turn.fx.put_doc(VCARD, owner.clone(), card.into_owned());
    if turn.place.facts.safety.directory != Directory::Off {
        directory::card::Card::of(iq.payload).keep(owner, turn.fx);
    }
    Answer::done()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::{Scene, error};

    const GET: &str = "<iq type='get' id='1'><vCard xmlns='vcard-temp'/></iq>";
    const OTHERS: &str = "<iq from='eve@a.example/x' to='alice@example.org' type='get' id='2'><vCard xmlns='vcard-temp'/></iq>";

    #[test]
    fn is_for_everybody_to_read_and_its_owner_to_write() {
        let mut scene = Scene::one(Vcard);
        assert!(scene.send("phone", GET)[0].contains(&error("cancel", "item-not-found")));
        assert!(scene.get(OTHERS)[0].contains(&error("cancel", "service-unavailable")));
        assert!(
            scene.get(&OTHERS.replace("'get'", "'set'"))[0].contains(&error("cancel", "service-unavailable"))
        );
        let card = "<vCard xmlns='vcard-temp'><FN>A &amp; B</FN><v4 xmlns='urn:x'/></vCard>";
        let seen = scene.send("phone", &format!("<iq type='set' id='3'>{card}</iq>"));
        let done = "phone: <iq to='alice@example.org/phone' id='3' type='result'/>".to_owned();
        assert_eq!(seen, [format!("put vcard = {card}"), done]);
        assert!(scene.get(OTHERS)[0].contains(card));
        scene.reload();
        scene.open("laptop");
        assert!(scene.send("laptop", GET)[0].contains(card));
    }

    #[test]
    fn has_bounds() {
        let mut scene = Scene::one(Vcard);
        for (bytes, taken) in [(VCARD_BYTES_MAX, true), (VCARD_BYTES_MAX + 1, false)] {
            let text = "x".repeat(bytes - "<vCard xmlns='vcard-temp'></vCard>".len());
            let seen = scene.send(
                "phone",
                &format!("<iq type='set' id='3'><vCard xmlns='vcard-temp'>{text}</vCard></iq>"),
            );
            assert_eq!(seen.iter().any(|line| line.starts_with("put")), taken);
            assert_eq!(seen.iter().any(|line| line.contains("not-acceptable")), !taken);
        }
    }
}
