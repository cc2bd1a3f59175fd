//! What only owners may ask: the configuration, and the end of the room.
//!
//! XEP-0045 1.35.5 sections 10.1, 10.2 and 10.9
//!
//! Not here: the form's fields (`config_form.rs`).

use kernel::{Answer, Iq, Spot};
use stanza::{Condition, Payload, StanzaError, ns};
use xml::{El, Writer};

use crate::admin::{self, Actor, Outcome};
use crate::affiliation::Affiliation;
use crate::config::Config;
use crate::config_form::{self, Wanted};
use crate::here::Here;
use crate::item::Notice;
use crate::room::Standing;
use crate::{affiliations, destroy};

fn is_owner(here: &Here<'_>, iq: &Iq<'_>) -> Result<(), StanzaError> {
    match here.affiliation(iq.from()) {
        Affiliation::Owner => Ok(()),
        _ => Err(StanzaError::from(Condition::Forbidden).text("only owners may do that")),
    }
}

/// The form as it stands.
pub(crate) fn form(here: &Here<'_>, iq: &Iq<'_>) -> Answer<Spot> {
    if let Err(error) = is_owner(here, iq) {
        return error.into();
    }
    let mut w = Writer::new(ns::CLIENT);
    w.open("query", ns::MUC_OWNER);
    config_form::write(&mut w, here);
    w.close();
    Answer::Reply(w.finish())
}

/// A form that was filled in or given up, or the wish to end the room.
pub(crate) fn set(here: &mut Here<'_>, iq: &Iq<'_>) -> Result<(), StanzaError> {
    is_owner(here, iq)?;
    let mut children = iq.payload.children();
    match (children.next(), children.next()) {
        (Some(destroy), None) if destroy.is("destroy", ns::MUC_OWNER) => destroy::asked(here, iq, destroy),
        (Some(x), None) if x.is("x", ns::FORMS) => match x.attr("type").as_deref() {
            Some("cancel") => cancel(here, iq),
            Some("submit") => submit(here, iq, x),
            _ => Err(Condition::BadRequest.into()),
        },
        _ => Err(Condition::BadRequest.into()),
    }
}

/// Section 10.1.3: a room whose first configuration is given up is no more; later nothing happens.
fn cancel(here: &mut Here<'_>, iq: &Iq<'_>) -> Result<(), StanzaError> {
    here.fx.route(iq.stanza.result(Default::default()));
    if let Standing::Locked(_) = here.room.standing {
        destroy::now(here, &Default::default());
    }
    Ok(())
}

fn submit(here: &mut Here<'_>, iq: &Iq<'_>, x: El<'_>) -> Result<(), StanzaError> {
    let wanted = config_form::read(here, x)?;
    let actor = Actor::of(here, iq.from());
    let changes = config_form::changes(here, &actor, &wanted)?;
    let before = std::mem::replace(&mut here.room.config, wanted.config.clone());
    here.unlock();
    let actor = actor.nick.clone();
    let mut outcome = admin::apply(here, changes, actor.as_deref());
    follow(here, &before, &mut outcome);
    let Wanted { config, .. } = wanted;
    if config.persistent != before.persistent
        && let Some(creator) = here.room.creator.clone()
    {
        here.own(&creator, true);
    }
    here.room.history.trim(config.history);
    for occupant in here.room.occupants.iter_mut() {
        occupant.shown = None;
    }
    here.save();
    here.fx.route(iq.stanza.result(Default::default()));
    admin::tell(here, outcome, actor.as_deref());
    let codes = codes(&before, &config);
    if !codes.is_empty() {
        here.announce(&codes);
    }
    here.after_leaving();
    Ok(())
}

/// What a new configuration means for those who are here: strangers leave rooms that are for members only now (322),
/// and roles follow the room's kind.
fn follow(here: &mut Here<'_>, before: &Config, outcome: &mut Outcome) {
    if here.room.config.members_only && !before.members_only {
        let strangers: Vec<_> = (here.room.occupants.iter())
            .filter(|one| !here.room.admits(here.room.affiliation(one.bare.jid())))
            .map(|one| one.nick.clone())
            .collect();
        for nick in strangers {
            let Some(occupant) = here.expel(&nick) else { continue };
            let notice = Notice { codes: &[322], ..Notice::default() };
            here.tell_gone(&occupant, &notice, &Payload::default(), None);
            outcome.left.push((occupant, 322, None));
        }
    }
    if here.room.config.moderated != before.moderated {
        affiliations::regrade(here, outcome);
    }
}

/// Section 10.2.1.
fn codes(before: &Config, now: &Config) -> Vec<u16> {
    let mut codes = Vec::new();
    if before.archive != now.archive {
        codes.push(if now.archive { 170 } else { 171 });
    }
    if before.non_anonymous != now.non_anonymous {
        codes.push(if now.non_anonymous { 172 } else { 173 });
    }
    let rest = Config { archive: now.archive, non_anonymous: now.non_anonymous, ..before.clone() };
    if rest != *now {
        codes.push(104);
    }
    codes.sort_unstable();
    codes
}
