//! EXTERNAL (RFC 4422 appendix A, XEP-0178 1.2): reading its one message.
//!
//! Not here: reading certificates (crate `net`).

use crate::Condition;
use crate::limits::AUTHZID_BYTES_MAX;

/// Reads the authorization identity; an empty message leaves the choice to the server.
pub(crate) fn parse(message: &[u8]) -> Result<Option<String>, Condition> {
    let text = std::str::from_utf8(message).map_err(|_| Condition::MalformedRequest)?;
    if text.len() > AUTHZID_BYTES_MAX || text.contains('\0') {
        return Err(Condition::MalformedRequest);
    }
    Ok((!text.is_empty()).then(|| text.to_owned()))
}
