//! Authenticated, without a resource: binding one, or resuming a session.
//!
//! RFC 6120 section 7, XEP-0198 version 1.6.2 section 5.
//!
//! Not here: Bind 2 (bind2.rs), waiting for the engine (binding.rs).

use address::Bare;
use model::link::Resource;
use stanza::{Condition, IqType, Kind, Stanza, StanzaError, ns};
use xml::Element;

use crate::binding::Binding;
use crate::offered::not_authorized;
use crate::peer::Peer;
use crate::state::{Fail, Io, Next, State};
use crate::{Misbehaviour, manage, starttls};

/// Waits for the request for a resource.
pub(crate) struct Unbound {
    pub(crate) peer: Box<Peer>,
}

impl Unbound {
    pub(crate) fn handle_element(self, io: &mut Io, element: &Element) -> Next {
        match (element.ns(), element.name()) {
            (ns::CLIENT, "iq") => self.handle_iq(io, element),
            (ns::SM, "resume") => self.handle_resume(io, element),
            (ns::SM, _) => {
                io.note(Misbehaviour::UnexpectedManagement);
                manage::put_failed(io, Condition::UnexpectedRequest);
                Ok(State::Unbound(self))
            }
            (ns::TLS, _) => Err(starttls::unexpected()),
            // A second authentication, or a stanza from nowhere.
            _ => Err(not_authorized()),
        }
    }

    fn handle_resume(self, io: &mut Io, element: &Element) -> Next {
        let condition = match manage::read_resume(|name| element.attr(name)) {
            _ if !io.settings.stream_management => Condition::FeatureNotImplemented,
            Some(wish) => return Ok(Binding::resume(self.peer, io, wish)),
            None => Condition::BadRequest,
        };
        manage::put_failed(io, condition);
        Ok(State::Unbound(self))
    }

    fn handle_iq(self, io: &mut Io, element: &Element) -> Next {
        let iq = match Stanza::from_element(element) {
            Ok(iq) => iq,
            Err(unusable) => {
                io.note(Misbehaviour::UnusableStanza);
                if let Some(reply) = unusable.reply {
                    io.wire.stanza(&reply);
                }
                return Ok(State::Unbound(self));
            }
        };
        let account =
            self.peer.login.as_ref().map(|login| login.account.clone()).ok_or_else(Fail::internal)?;
        match (iq.kind, iq.payload.child("bind", ns::BIND)) {
            (Kind::Iq(IqType::Set), Some(bind)) => match read_resource(&account, bind) {
                Ok(resource) => Ok(Binding::bind(self.peer, io, resource, iq.id)),
                Err(error) => {
                    io.note(Misbehaviour::UnusableStanza);
                    if let Some(reply) = iq.error(error) {
                        io.wire.stanza(&reply);
                    }
                    Ok(State::Unbound(self))
                }
            },
            _ => Err(not_authorized()),
        }
    }
}

/// Reads `<resource/>` (RFC 6120 section 7.7): empty means that we choose.
fn read_resource(account: &Bare, bind: stanza::Child<'_>) -> Result<Resource, StanzaError> {
    let bad = || StanzaError::from(Condition::BadRequest);
    let tree = bind.tree().map_err(|_| bad())?;
    let root = tree.roots().next().ok_or_else(bad)?;
    let resource = root.children().find(|child| child.ns() == ns::BIND && child.name() == "resource");
    let text = resource.map(|resource| resource.text().into_owned()).unwrap_or_default();
    if text.is_empty() {
        return Ok(Resource::Any);
    }
    // Never cut to fit: another name would be bound than was asked for.
    let jid = account.with_resource(&text).map_err(|_| bad().text("not a possible resource"))?;
    Ok(Resource::Asked(jid))
}
