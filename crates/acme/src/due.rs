//! When a certificate is renewed, and when an attempt is made again.
//!
//! RFC 9773 section 4.2 (a moment within the authority's window)
//!
//! All times are Unix time in seconds. A `share` from 0 to 1 is drawn once for each certificate, so that not everybody
//! comes at the same moment.
//!
//! Not here: the attempts (`keeper.rs`).

use crate::limits;

/// Two thirds of the life, or up to a twentieth of it earlier; the authority's window counts more, but a tenth of the life
/// always remains.
pub(crate) fn renewal((from, until): (i64, i64), window: Option<(i64, i64)>, share: f64) -> i64 {
    let life = until.saturating_sub(from).max(0);
    let own = from + life / 3 * 2 - part(life / 20, share);
    match window {
        Some((start, end)) if start <= end => (start + part(end - start, share)).min(until - life / 10),
        _ => own,
    }
}

/// The pause after so many failures in a row.
pub(crate) fn pause(failures: u32, limited: bool, share: f64) -> i64 {
    let doubled = limits::PAUSE_FIRST_S.saturating_mul(1 << failures.saturating_sub(1).min(20));
    let pause = doubled.min(limits::PAUSE_MAX_S).max(if limited { limits::PAUSE_LIMITED_S } else { 0 });
    pause - pause / 4 + part(pause / 2, share)
}

#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "seconds, and roughly")]
fn part(of: i64, share: f64) -> i64 {
    (of as f64 * share.clamp(0.0, 1.0)) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renewal_is_at_two_thirds_or_when_the_authority_says() {
        const DAY: i64 = 86_400;
        let life = (1000 * DAY, 1090 * DAY);
        for (window, share, want) in [
            (None, 0.0, 1060 * DAY),
            (None, 1.0, 1060 * DAY - 90 * DAY / 20),
            (Some((1010 * DAY, 1020 * DAY)), 0.0, 1010 * DAY),
            (Some((1010 * DAY, 1020 * DAY)), 0.5, 1015 * DAY),
            // A window that is too late, and one that is none.
            (Some((1089 * DAY, 1200 * DAY)), 1.0, 1081 * DAY),
            (Some((1020 * DAY, 1010 * DAY)), 0.0, 1060 * DAY),
        ] {
            assert_eq!(renewal(life, window, share), want, "{window:?} {share}");
        }
        assert_eq!(renewal((10, 5), None, 0.5), 10, "a life that is none");
    }

    #[test]
    fn pauses_grow_and_end() {
        let all: Vec<i64> = (1..20).map(|failures| pause(failures, false, 0.5)).collect();
        assert!(all.windows(2).all(|two| two[0] <= two[1]), "{all:?}");
        assert_eq!((all[0], all[1]), (60, 120));
        assert_eq!(pause(u32::MAX, false, 0.5), 12 * 3600);
        assert_eq!(pause(1, true, 0.5), 3600);
        assert_eq!((pause(1, false, 0.0), pause(1, false, 1.0)), (45, 75));
    }
}
