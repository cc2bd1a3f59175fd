//! Some seeds pass, and the same seed is the same run.
//!
//! Not here: many seeds and the bug zoo, which `make sim` plays.

use sim::run;

#[test]
fn the_same_seed_is_the_same_run() {
    for seed in [3, 17] {
        let (one, other) = (run(seed, false), run(seed, false));
        assert!(one.history.events.len() > 100);
        assert_eq!(one.history.fingerprint(), other.history.fingerprint(), "seed {seed}");
    }
    assert_ne!(run(3, false).history.fingerprint(), run(4, false).history.fingerprint());
}

#[test]
fn seeds_pass() {
    for seed in 1..=SEEDS {
        let outcome = run(seed, false);
        assert!(outcome.is_clean(), "{}", outcome.explain());
        assert!(outcome.report.sent > 0 && outcome.report.received > 0, "seed {seed} does nothing");
    }
}

/// Debug builds are slow.
const SEEDS: u64 = 40;
