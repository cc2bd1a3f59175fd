//! Dates as XMPP writes them.
//!
//! XEP-0082 version 1.1, section 3.2 (DateTime, always UTC).
//!
//! Not here: reading dates.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// `2020-03-12T14:36:15Z` for seconds since 1970.
pub(crate) fn seconds(unix: u64) -> String {
    // Years beyond 9999 cannot be written; no clock of ours gets there.
    let time = i64::try_from(unix).ok().and_then(|unix| OffsetDateTime::from_unix_timestamp(unix).ok());
    time.and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_default()
}

/// `2020-03-12T14:36:15.042Z` for milliseconds since 1970.
pub(crate) fn milliseconds(unix: u64) -> String {
    let mut text = seconds(unix / 1000);
    text.pop();
    text.push_str(&format!(".{:03}Z", unix % 1000));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_dates() {
        for (unix, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_584_023_775, "2020-03-12T14:36:15Z"),
            (4_102_444_799, "2099-12-31T23:59:59Z"),
        ] {
            assert_eq!(seconds(unix), text);
        }
        assert_eq!(milliseconds(1_584_023_775_042), "2020-03-12T14:36:15.042Z");
    }
}
