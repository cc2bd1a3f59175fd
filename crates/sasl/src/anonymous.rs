//! ANONYMOUS (RFC 4505): reading its one message.
//!
//! Not here: what an anonymous user may do (crate `kernel`).

use crate::Condition;
use crate::limits::TRACE_CHARS_MAX;

/// Checks the trace and forgets it: it is a claim about a person, and nothing needs it.
pub(crate) fn parse(message: &[u8]) -> Result<(), Condition> {
    let text = std::str::from_utf8(message).map_err(|_| Condition::MalformedRequest)?;
    let fits = text.chars().count() <= TRACE_CHARS_MAX && !text.contains('\0');
    fits.then_some(()).ok_or(Condition::MalformedRequest)
}
