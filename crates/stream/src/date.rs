//! Dates as XMPP writes them.
//!
//! XEP-0082 version 1.1, section 3.2 (DateTime, always UTC).
//!
//! Not here: reading dates.

/// `2020-03-12T14:36:15Z` for seconds since 1970.
pub(crate) fn seconds(unix: u64) -> String {
    let (date, clock) = (unix / 86_400, unix % 86_400);
    let (year, month, day) = civil(date);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", clock / 3600, clock / 60 % 60, clock % 60)
}

/// `2020-03-12T14:36:15.042Z` for milliseconds since 1970.
pub(crate) fn milliseconds(unix: u64) -> String {
    let mut text = seconds(unix / 1000);
    text.pop();
    text.push_str(&format!(".{:03}Z", unix % 1000));
    text
}

/// Gregorian date of a day since 1970: counted in eras of 400 years from 0000-03-01, so that a leap day is a year's last.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
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
