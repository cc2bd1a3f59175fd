//! Whether the time of a failed login tells an unknown account from one that exists: the row C-05c.
//!
//! Logins of all kinds are tried in turns, each on a connection of its own from an address of its own, and the times are
//! compared by Welch's t-test, as in "dude, is my code constant time?" (Reparaz, Balasch, Verbauwhede 2016): the slowest
//! are left out, because they show the machine and not the code; |t| above 4.5 is a difference.
//!
//! Not here: what the answers say (`rows/auth.rs`).

use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::client::{Client, Transport};
use crate::login::{auth, base64, plain};
use crate::server::{Options, PASSWORD, Server};

/// What counts as a difference.
const T_MAX: f64 = 4.5;
/// The part of the samples that counts.
const KEPT: f64 = 0.9;

/// Two kinds of logins, compared.
pub struct Timing {
    what: String,
    means: [f64; 2],
    t: f64,
}

impl Timing {
    /// Whether no difference shows.
    pub fn passed(&self) -> bool {
        self.t.abs() < T_MAX
    }
}

impl fmt::Display for Timing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b] = self.means;
        let verdict = if self.passed() { "ok  " } else { "FAIL" };
        write!(f, "{verdict} C-05c  {}: {a:.1} and {b:.1} µs, t = {:.2}", self.what, self.t)
    }
}

/// A kind of login: what is sent, up to which word of the answer time is taken.
struct Kind {
    name: &'static str,
    until: &'static str,
    attempt: fn(&str) -> String,
    samples: usize,
}

/// Tries so many logins of each kind.
///
/// # Errors
/// The server does not start or does not answer.
pub fn unknown_users(program: &Path, samples: usize) -> Outcome<Vec<Timing>> {
    let kinds = [
        Kind {
            name: "SCRAM challenge",
            until: "</challenge>",
            attempt: |user| auth("SCRAM-SHA-256", &base64(format!("n,,n={user},r=fyko+d2lbbFgONRv9qkxdawL"))),
            samples,
        },
        // Each of these waits for the delay of failures.
        Kind {
            name: "PLAIN",
            until: "</failure>",
            attempt: |user| auth("PLAIN", &plain("", user, "not-the-password")),
            samples: samples / 20,
        },
    ];
    let server = Server::start(program, Options::Calm)?;
    let (known, suspended, fresh) = ("known-user", "other-user", "third-user");
    for user in [known, suspended, fresh] {
        server.make(user, &server.target.domain)?;
    }
    server.administer("user suspend", &format!("{suspended}@{}", server.target.domain), None)?;
    let mut out = Vec::new();
    for kind in kinds {
        let users = ["nobody-now", known, suspended, "nobody-els"];
        let mut times: [Vec<f64>; 4] = Default::default();
        for round in 0..kind.samples {
            // Another order each time, so that none is always the first.
            for turn in 0..users.len() {
                let which = (turn + round) % users.len();
                times[which].push(sample(&server, &kind, users[which])?.as_secs_f64() * 1e6);
            }
        }
        for (what, other) in [("an existing account", 1), ("a suspended one", 2), ("another unknown", 3)] {
            let what = format!("{}, unknown and {what}", kind.name);
            out.push(compare(what, &times[0], &times[other]));
        }
    }
    Ok(out)
}

fn sample(server: &Server, kind: &Kind, user: &str) -> Outcome<Duration> {
    let mut client = Client::connect(&server.target, Transport::Direct, server.address())?;
    client.offered()?;
    let attempt = (kind.attempt)(user);
    debug_assert!(!attempt.contains(PASSWORD), "the right password would be another row");
    let start = Instant::now();
    client.say(attempt)?;
    client.until(kind.until)?;
    Ok(start.elapsed())
}

fn compare(what: String, a: &[f64], b: &[f64]) -> Timing {
    // One bound for both: to leave out the slowest of each would hide a difference in them.
    let mut all: Vec<f64> = a.iter().chain(b).copied().collect();
    all.sort_by(f64::total_cmp);
    let bound = all.get((all.len() as f64 * KEPT) as usize).copied().unwrap_or(f64::MAX);
    let cropped = [a, b].map(|times| times.iter().copied().filter(|time| *time <= bound).collect::<Vec<_>>());
    let [(mean_a, var_a), (mean_b, var_b)] = cropped.each_ref().map(|times| mean_and_variance(times));
    let spread = var_a / cropped[0].len().max(1) as f64 + var_b / cropped[1].len().max(1) as f64;
    Timing { what, means: [mean_a, mean_b], t: (mean_a - mean_b) / spread.max(f64::MIN_POSITIVE).sqrt() }
}

fn mean_and_variance(values: &[f64]) -> (f64, f64) {
    let n = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / n;
    (mean, values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0).max(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_seen_and_noise_is_not() {
        let noise = |n: usize| ((n * 7919) % 101) as f64;
        let times = |shift: f64, by: usize| -> Vec<f64> {
            (0..5000).map(|n| 100.0 + shift + noise(n * 3 + by)).collect()
        };
        assert!(compare(String::new(), &times(0.0, 0), &times(0.0, 17)).passed());
        assert!(!compare(String::new(), &times(0.0, 0), &times(5.0, 17)).passed());
    }
}
