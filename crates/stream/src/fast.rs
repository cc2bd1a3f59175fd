//! FAST: logging in by a token.
//!
//! XEP-0484 version 0.2.
//!
//! Not here: comparing tokens (crate `sasl`), keeping them (whoever answers `Ask::Tokens` and `Ask::Login`).

use sasl::{Condition, Mechanism};
use stanza::{ns, when};
use xml::{El, Writer};

use crate::{Issued, manage};

/// `<fast/>`: the login is by token.
pub(crate) struct Fast {
    pub(crate) count: Option<u64>,
    pub(crate) invalidate: bool,
}

/// Reads `<fast count='' invalidate=''/>`.
pub(crate) fn read(fast: El<'_>) -> Result<Fast, Condition> {
    let count = match fast.attr("count") {
        None => None,
        Some(count) => Some(count.parse().map_err(|_| Condition::MalformedRequest)?),
    };
    let invalidate = fast.attr("invalidate").is_some_and(|value| manage::is_true(&value));
    Ok(Fast { count, invalidate })
}

/// Reads `<request-token mechanism=''/>`; a mechanism that we do not have gives no token, but is no reason to refuse
/// the login.
pub(crate) fn read_request(request: El<'_>) -> Option<Mechanism> {
    Mechanism::parse(&request.attr("mechanism")?).filter(|mechanism| mechanism.is_fast())
}

/// Writes `<token/>`.
pub(crate) fn write_token(w: &mut Writer, issued: &Issued) {
    w.open("token", ns::FAST);
    w.attr("expiry", when::seconds(issued.expires)).attr("token", issued.token.expose());
    w.close();
}
