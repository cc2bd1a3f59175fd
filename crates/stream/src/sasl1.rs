//! The SASL profile of RFC 6120.
//!
//! RFC 6120 sections 6.4.2 to 6.4.6.
//!
//! Not here: the course of an exchange (authenticating.rs).

use sasl::Condition;
use stanza::ns;
use xml::{Element, unescape};

use crate::opening::Opening;
use crate::peer::Peer;
use crate::profile::{Begin, Profile};
use crate::sasl2::Wishes;
use crate::state::{Io, State};

/// Reads `<auth mechanism=''>`.
pub(crate) fn read_auth(element: &Element) -> Result<Begin, Condition> {
    let mechanism = element.attr("mechanism").ok_or(Condition::InvalidMechanism)?.into_owned();
    let text = text(element)?;
    // No text is no initial response; `=` is an empty one.
    let initial = match &*text {
        "" => None,
        text => Some(sasl::decode_sasl1(text)?.to_vec()),
    };
    Ok(Begin { mechanism, initial, wishes: Wishes::default() })
}

/// Reads `<response/>` of either profile.
pub(crate) fn read_response(element: &Element, profile: Profile) -> Result<Vec<u8>, Condition> {
    let text = text(element)?;
    let decoded = match profile {
        Profile::Sasl1 => sasl::decode_sasl1(&text)?,
        Profile::Sasl2 => sasl::decode_base64(&text)?,
    };
    Ok(decoded.to_vec())
}

fn text(element: &Element) -> Result<std::borrow::Cow<'_, str>, Condition> {
    if element.children().len() > 0 {
        return Err(Condition::MalformedRequest);
    }
    // The parser lets nothing but UTF-8 through.
    Ok(unescape(std::str::from_utf8(element.inner_bytes()).unwrap_or_default()))
}

/// Writes `<success/>`; the peer begins a new stream (RFC 6120 section 6.4.6).
pub(crate) fn succeed(peer: Box<Peer>, io: &mut Io, data: Option<Vec<u8>>) -> State {
    let mut w = io.wire.writer();
    w.open("success", ns::SASL);
    if let Some(data) = data {
        w.text(sasl::encode_sasl1(&data));
    }
    w.close();
    io.wire.put(&w.finish());
    io.parser.restart();
    io.wire.restart();
    State::Opening(Opening { peer })
}
