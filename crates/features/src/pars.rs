//! Pre-authenticated roster subscription: who comes with an invitation becomes a contact without being asked.
//!
//! XEP-0379 0.3.3 (complete)
//!
//! Not here: who holds which invitation (accounts), making one (`adhoc/invite.rs`).

use address::Jid;
use kernel::{Account, Card, Direction, Feature, Flow, Spec, Step, Turn, Way};
use model::query::{AccountFound, AccountQuery, Found, Password, Query};
use model::storage::Owner;
use stanza::{Kind, PresenceType, Stanza, ns};

/// Most bytes of a token; a longer one is none.
const TOKEN_BYTES_MAX: usize = 256;

static CARD: Card = Card {
    specs: &[Spec::complete("XEP-0379", "0.3.3")],
    steps: &[(Way::Arrive, Step::Screen)],
    ..Card::named("pars")
};

/// XEP-0379.
pub(crate) struct Pars;

impl Feature for Pars {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn step(&self, _: Way, _: Step, turn: &mut Turn<'_, Account>, stanza: &mut Stanza) -> Flow {
        let (Some(from), Some(token)) = (&stanza.from, token(turn.place, stanza)) else { return Flow::On };
        let (account, contact) = (turn.place.jid.clone(), from.bare());
        let query = AccountQuery::Vouch {
            account: account.clone(),
            contact: contact.clone(),
            token: Password::new(token),
        };
        // Section 4.1: whatever the answer, the request goes on, and then as any other.
        let mut request = stanza.clone();
        request.payload = request.payload.without(|child| child.is("preauth", ns::PARS));
        turn.fx.ask(&account, Query::Account(query), move |turn, found| {
            if let Ok(Found::Account(AccountFound::Done)) = found {
                agree(turn, contact.jid());
            }
            turn.fx.route(request);
        });
        Flow::Stop
    }
}

/// The token of a request that is to be looked at.
fn token(account: &Account, stanza: &Stanza) -> Option<String> {
    let from = stanza.from.as_ref().filter(|_| stanza.kind == Kind::Presence(PresenceType::Subscribe))?;
    let preauth = stanza.payload.child("preauth", ns::PARS)?;
    let known = account.roster.item(from.bare_str()).is_some_and(kernel::Item::shown_to);
    // Nobody shall see by what happens that he is blocked.
    let token = preauth.attr("token").filter(|token| token.len() <= TOKEN_BYTES_MAX);
    token.filter(|_| !known && !account.blocks(from))
}

/// Whether a request is taken out of the way here until its invitation has been looked at.
pub(crate) fn waits(account: &Account, stanza: &Stanza) -> bool {
    token(account, stanza).is_some()
}

/// The user agrees in advance, and asks in turn (section 3.4).
fn agree(turn: &mut Turn<'_, Account>, contact: &Jid) {
    let owner = Owner::from(turn.place.jid.text());
    let mut item = turn.place.roster.item(contact.as_str()).cloned().unwrap_or_default();
    let asks = item.to == Direction::None;
    (item.approved, item.listed) = (true, true);
    if asks {
        item.to = Direction::Pending;
    }
    let fits = turn.place.roster.len() < kernel::limits::ROSTER_ITEMS_MAX;
    if !fits || !turn.place.roster.fits(contact.as_str(), &item) {
        return;
    }
    turn.place.roster.set(&owner, contact, item, turn.fx);
    if asks {
        let own = turn.place.jid.jid().clone();
        turn.fx.route(Stanza::presence(PresenceType::Subscribe).from(&own).to(contact));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::Scene;

    #[test]
    fn who_has_the_right_token_becomes_a_contact() {
        for (token, known, agreed, asked) in [
            ("<preauth xmlns='urn:xmpp:pars:0' token='right'/>", false, true, true),
            ("<preauth xmlns='urn:xmpp:pars:0' token='wrong'/>", false, false, true),
            ("<preauth xmlns='urn:xmpp:pars:0' token='right'/>", true, false, false),
            ("<preauth xmlns='urn:xmpp:pars:0'/>", false, false, false),
            ("", false, false, false),
        ] {
            let mut scene = Scene::one(Pars);
            scene.open("phone");
            if known {
                scene.contact("bob@a.example", Direction::None, Direction::Active);
            }
            let request = format!(
                "<presence from='bob@a.example' to='alice@example.org' type='subscribe'>{token}</presence>"
            );
            let seen = scene.get(&request);
            let has = |line: &str| seen.iter().any(|seen| seen.starts_with(line));
            assert_eq!(has("ask vouch alice@example.org bob@a.example"), asked, "{seen:?}");
            assert_eq!(has("put roster bob@a.example = {"), agreed || !(asked || known), "{seen:?}");
            let ours = "-> <presence from='alice@example.org' to='bob@a.example' type='subscribe'/>";
            assert_eq!(has(ours), agreed, "{seen:?}");
            // It goes on without the token.
            let again = "-> <presence from='bob@a.example' to='alice@example.org' type='subscribe'/>";
            assert_eq!(has(again), asked, "{seen:?}");
        }
    }
}
