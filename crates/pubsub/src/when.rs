//! Times as XMPP writes them.
//!
//! XEP-0082 1.1.1 (DateTime), XEP-0203 2.0 (delay)
//!
//! Not here: reading any clock.

use ::time::OffsetDateTime;
use ::time::format_description::well_known::Rfc3339;
use xml::Writer;

/// Unix milliseconds as `2026-11-21T13:16:20.123Z`.
pub(crate) fn stamp(unix_ms: u64) -> String {
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(unix_ms) * 1_000_000);
    // Years beyond 9999 cannot be written; no clock of ours gets there.
    time.ok().and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_default()
}

/// Reads a DateTime; `None` if it is none, or before 1970.
pub(crate) fn parse(text: &str) -> Option<u64> {
    let time = OffsetDateTime::parse(text.trim(), &Rfc3339).ok()?;
    u64::try_from(time.unix_timestamp_nanos() / 1_000_000).ok()
}

/// Writes `<delay/>`.
pub(crate) fn write_delay(w: &mut Writer, unix_ms: u64) {
    w.open("delay", stanza::ns::DELAY).attr("stamp", stamp(unix_ms)).close();
}
