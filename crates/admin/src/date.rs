//! Unix seconds as people and programs read them (RFC 3339, UTC).
//!
//! Not here: reading dates.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// As in `2026-02-28T12:34:56Z`.
pub(crate) fn rfc3339(unix: u64) -> String {
    // Years beyond 9999 cannot be written; no clock of ours gets there.
    let time = i64::try_from(unix).ok().and_then(|unix| OffsetDateTime::from_unix_timestamp(unix).ok());
    time.and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (unix, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_772_281_696, "2026-02-28T12:28:16Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(rfc3339(unix), expected, "{unix}");
        }
    }
}
