//! Occupants who are no longer there: what cannot be delivered tells.
//!
//! XEP-0045 1.35.5 sections 11.1 and 18.1.2, XEP-0199 2.0.1 (pings of the room)
//!
//! Not here: sessions of our own accounts, whose end is always told (kernel).

use stanza::{Condition, IqType, Kind, Payload, Stanza, ns};
use xml::Writer;

use crate::forward::condition_of;
use crate::here::Here;
use crate::item::Notice;

/// What the names of the room's own pings begin with.
const PING: &str = "muc-ping-";

/// An error for something that the room sent.
pub(crate) fn bounced(here: &mut Here<'_>, stanza: &Stanza) {
    let Some(from) = &stanza.from else { return };
    if here.room.occupants.of(from).is_none() {
        return;
    }
    use Condition::{
        Gone, InternalServerError, ItemNotFound, JidMalformed, RecipientUnavailable, Redirect,
        RemoteServerNotFound, RemoteServerTimeout, ServiceUnavailable,
    };
    match condition_of(&stanza.payload) {
        Some(Gone | ItemNotFound | JidMalformed | RecipientUnavailable | Redirect | RemoteServerNotFound)
        | Some(RemoteServerTimeout) => {
            let notice = Notice { codes: &[333], ..Notice::default() };
            here.out(from, &notice, &Payload::default());
        }
        // It may be that nobody is there, or that one occupant has blocked another (XEP-0191): the room asks.
        Some(ServiceUnavailable | InternalServerError) => {
            let mut w = Writer::new(ns::CLIENT);
            w.open("ping", ns::PING).close();
            let name = format!("{PING}{}", here.id);
            let ping = Stanza::new(Kind::Iq(IqType::Get)).id(&name).from(here.at.jid()).to(from);
            here.fx.route(ping.with_inner(w.finish()));
        }
        _ => {}
    }
}

/// The answer to such a ping; whether it was one.
pub(crate) fn answered(here: &mut Here<'_>, stanza: &Stanza) -> bool {
    let (Some(from), Some(id)) = (&stanza.from, &stanza.id) else { return false };
    if !id.starts_with(PING) {
        return false;
    }
    // A client that knows no pings says so; nobody at all says that the service is not there.
    let alive = match stanza.kind {
        Kind::Iq(IqType::Error) => {
            matches!(condition_of(&stanza.payload), Some(Condition::FeatureNotImplemented))
        }
        _ => true,
    };
    if !alive {
        let notice = Notice { codes: &[333], ..Notice::default() };
        here.out(from, &notice, &Payload::default());
    }
    true
}
