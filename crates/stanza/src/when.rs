//! Times as XMPP writes them.
//!
//! XEP-0082 1.1.1 (DateTime), XEP-0203 2.0 (delay).
//!
//! Not here: reading any clock.

use ::time::OffsetDateTime;
use ::time::format_description::well_known::Rfc3339;
use xml::Writer;

/// Unix milliseconds as `2026-11-21T13:16:20.123Z`.
pub fn stamp(unix_ms: u64) -> String {
    let whole = i128::from(unix_ms) * 1_000_000;
    // Years beyond 9999 cannot be written; no clock of ours gets there.
    OffsetDateTime::from_unix_timestamp_nanos(whole)
        .ok()
        .and_then(|t| t.format(&Rfc3339).ok())
        .unwrap_or_default()
}

/// Unix seconds as `2026-11-21T13:16:20Z`.
pub fn seconds(unix: u64) -> String {
    stamp(unix.saturating_mul(1_000))
}

/// Unix milliseconds with all three digits, as in `2026-11-21T13:16:20.000Z`: for lists whose lines shall be alike.
pub fn milliseconds(unix_ms: u64) -> String {
    let mut text = seconds(unix_ms / 1_000);
    text.pop();
    text.push_str(&format!(".{:03}Z", unix_ms % 1_000));
    text
}

/// Reads a DateTime; `None` if it is none, or before 1970.
pub fn parse(text: &str) -> Option<u64> {
    let time = OffsetDateTime::parse(text.trim(), &Rfc3339).ok()?;
    u64::try_from(time.unix_timestamp_nanos() / 1_000_000).ok()
}

/// Writes `<delay/>` (XEP-0203).
pub fn write_delay(w: &mut Writer, from: Option<&str>, unix_ms: u64) {
    w.open("delay", crate::ns::DELAY).attr_opt("from", from).attr("stamp", stamp(unix_ms)).close();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_and_reads() {
        assert_eq!(stamp(0), "1970-01-01T00:00:00Z");
        assert_eq!(stamp(1_763_730_980_123), "2025-11-21T13:16:20.123Z");
        for (unix, text) in [
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_584_023_775, "2020-03-12T14:36:15Z"),
            (4_102_444_799, "2099-12-31T23:59:59Z"),
        ] {
            assert_eq!(seconds(unix), text);
        }
        assert_eq!(milliseconds(1_584_023_775_042), "2020-03-12T14:36:15.042Z");
        assert_eq!(milliseconds(1_584_023_775_000), "2020-03-12T14:36:15.000Z");
        for (text, ms) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2025-11-21T13:16:20.123Z", Some(1_763_730_980_123)),
            ("2025-11-21T14:16:20.123456+01:00", Some(1_763_730_980_123)),
            ("1969-12-31T23:59:59Z", None),
            ("yesterday", None),
            ("", None),
        ] {
            assert_eq!(parse(text), ms, "{text}");
        }
    }
}
