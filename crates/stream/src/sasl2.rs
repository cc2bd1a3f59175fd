//! The extensible SASL profile: one request with all its wishes, one answer with all results.
//!
//! XEP-0388 version 1.0, with XEP-0386 version 1.0 (Bind 2), XEP-0198 version 1.6 section 8 (inline resumption),
//! XEP-0484 version 0.2 (FAST).
//!
//! Not here: the course of an exchange (authenticating.rs), waiting for the engine (binding.rs).

use model::link::Client;
use sasl::{Condition, Hash, Mechanism};
use stanza::ns;
use xml::{El, Element, Tree};

use crate::bind2::{self, Bind2};
use crate::binding::{Binding, Inline};
use crate::fast::{self, Fast};
use crate::manage::{self, ResumeWish};
use crate::peer::Peer;
use crate::profile::Begin;
use crate::state::{Io, State};
use crate::{Issued, unbound, upgrading};

/// Longest identifier of an installation that is taken; a UUID has 36.
const CLIENT_ID_BYTES_MAX: usize = 64;
/// Longest name of a software or device that is kept.
const CLIENT_NAME_BYTES_MAX: usize = 128;

/// What shall happen on success.
#[derive(Default)]
pub(crate) struct Wishes {
    pub(crate) client: Client,
    pub(crate) bind: Option<Bind2>,
    /// `Some(None)`: asked for, but unusable.
    pub(crate) resume: Option<Option<ResumeWish>>,
    pub(crate) fast: Option<Fast>,
    pub(crate) request: Option<Mechanism>,
    /// XEP-0480.
    pub(crate) upgrades: Vec<Hash>,
}

impl Wishes {
    /// XEP-0484 section 3.4: a token goes with `<fast/>`, a password without.
    pub(crate) fn check(&self, mechanism: Mechanism) -> Result<(), Condition> {
        match (mechanism.is_fast(), self.fast.is_some()) {
            (true, true) if self.client.id.is_none() => Err(Condition::MalformedRequest),
            (true, true) | (false, false) => Ok(()),
            _ => Err(Condition::MalformedRequest),
        }
    }
}

/// Reads `<authenticate mechanism=''/>`.
pub(crate) fn read_authenticate(element: &Element) -> Result<Begin, Condition> {
    let malformed = Condition::MalformedRequest;
    let mechanism = element.attr("mechanism").ok_or(Condition::InvalidMechanism)?.into_owned();
    let tree = Tree::parse(element.bytes(), element.content_ns()).map_err(|_| malformed)?;
    let root = tree.roots().next().ok_or(malformed)?;
    let mut wishes = Wishes::default();
    let mut initial = None;
    for child in root.children() {
        match (child.ns(), child.name()) {
            (ns::SASL2, "initial-response") => {
                let data = sasl::decode_base64(&child.text())?.to_vec();
                if initial.replace(data).is_some() {
                    return Err(malformed);
                }
            }
            (ns::SASL2, "user-agent") => wishes.client = read_client(child),
            (ns::BIND2, "bind") => wishes.bind = Some(bind2::read(child)),
            (ns::SM, "resume") => wishes.resume = Some(manage::read_resume(|name| child.attr(name))),
            (ns::FAST, "fast") => wishes.fast = Some(fast::read(child)?),
            (ns::SASL_UPGRADE, "upgrade") => upgrading::read_wish(&mut wishes.upgrades, &child.text()),
            (ns::FAST, "request-token") => wishes.request = fast::read_request(child),
            // RFC 6120 section 4.3: what is not understood is ignored.
            _ => {}
        }
    }
    if wishes.client.id.is_none() {
        // A token belongs to an installation.
        wishes.request = None;
    }
    Ok(Begin { mechanism, initial, wishes })
}

fn read_client(agent: El<'_>) -> Client {
    let name = |name: &str| {
        let child = agent.children().find(|child| child.ns() == ns::SASL2 && child.name() == name)?;
        Some(cut(child.text().trim())).filter(|text| !text.is_empty())
    };
    let id = agent.attr("id").filter(|id| {
        (1..=CLIENT_ID_BYTES_MAX).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic())
    });
    Client { id: id.map(|id| id.into_owned()), software: name("software"), device: name("device") }
}

fn cut(text: &str) -> String {
    let end = (0..=CLIENT_NAME_BYTES_MAX.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    text[..end.unwrap_or(0)].to_owned()
}

/// Authentication succeeded: resume first, else bind, else stay unbound; then answer.
pub(crate) fn succeed(
    peer: Box<Peer>,
    io: &mut Io,
    wishes: Wishes,
    data: Option<Vec<u8>>,
    issued: Option<Issued>,
) -> State {
    let inline = Inline { data, issued, bind: wishes.bind, resume_failed: None };
    let resume = wishes.resume.map(|wish| wish.filter(|_| io.settings.stream_management));
    match resume {
        Some(Some(wish)) => Binding::resume_inline(peer, io, wish, inline),
        Some(None) => Binding::bind_inline(peer, io, Inline { resume_failed: Some(None), ..inline }),
        None => Binding::bind_inline(peer, io, inline),
    }
}

/// Writes `<success/>`; `inside` adds the results of the wishes.
pub(crate) fn put_success(io: &mut Io, inline: &Inline, jid: &str, inside: impl FnOnce(&mut xml::Writer)) {
    let mut w = io.wire.writer();
    w.open("success", ns::SASL2);
    if let Some(data) = &inline.data {
        w.open("additional-data", ns::SASL2).text(sasl::encode_base64(data)).close();
    }
    w.open("authorization-identifier", ns::SASL2).text(jid).close();
    if let Some(h) = inline.resume_failed {
        manage::write_failed(&mut w, stanza::Condition::ItemNotFound, h);
    }
    inside(&mut w);
    if let Some(issued) = &inline.issued {
        fast::write_token(&mut w, issued);
    }
    w.close();
    io.wire.put(&w.finish());
}

/// The end of a login that did not ask for a resource, or did not get one.
pub(crate) fn finish_unbound(peer: Box<Peer>, io: &mut Io, inline: &Inline) -> State {
    let account = peer.login.as_ref().map(|login| login.account.clone());
    put_success(io, inline, account.as_ref().map_or("", |account| account.as_str()), |_| {});
    crate::features::write_unbound(io, &peer);
    State::Unbound(unbound::Unbound { peer })
}
