//! What is measured, as a table of names, and in the OpenMetrics text format.
//!
//! OpenMetrics 1.0. Names and labels are fixed words of ours: nothing that a peer says becomes one (I-39).
//!
//! Not here: where the numbers come from (`monitor.rs`, `net::Counters`).

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use kernel::Tally;
use net::{Count, Counters, HandshakeFault, MISBEHAVIOURS};
use serde_json::{Map, Value, json};

/// What kind of number it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows.
    Counter,
    /// It goes up and down.
    Gauge,
}

/// One measure.
pub struct Measure {
    name: &'static str,
    kind: Kind,
    about: &'static str,
    /// The name of its label; without one there is one sample.
    label: Option<&'static str>,
    samples: Vec<(&'static str, u64)>,
}

impl Measure {
    /// One number.
    pub fn one(name: &'static str, kind: Kind, about: &'static str, value: u64) -> Measure {
        Measure { name, kind, about, label: None, samples: vec![("", value)] }
    }

    /// One number for each value of a label.
    pub fn each(
        name: &'static str,
        kind: Kind,
        about: &'static str,
        label: &'static str,
        samples: Vec<(&'static str, u64)>,
    ) -> Measure {
        Measure { name, kind, about, label: Some(label), samples }
    }
}

/// The kinds of listeners, in their order.
#[rustfmt::skip]
const DOORS: [&str; 13] = [
    "c2s", "c2s_tls", "http", "https", "metrics", "turn", "turn_tls", "s2s", "s2s_tls", "component", "component_tls",
    "shared", "acme",
];

/// All that the sockets count.
pub(crate) fn of_sockets(counters: &Counters) -> Vec<Measure> {
    use Kind::{Counter, Gauge};
    let named = |names: &[&'static str], counts: &[Count]| {
        names.iter().copied().zip(counts.iter().map(Count::value)).collect::<Vec<_>>()
    };
    let transports = ["tcp", "direct_tls", "websocket", "bosh"];
    let faults = HandshakeFault::ALL.map(HandshakeFault::name);
    let refused = vec![
        ("per_address", counters.refused_per_address.value()),
        ("rate", counters.refused_rate.value()),
        ("full", counters.refused_full.value()),
    ];
    let bytes = vec![("in", counters.bytes_in.value()), ("out", counters.bytes_out.value())];
    let classes = ["1xx", "2xx", "3xx", "4xx", "5xx"];
    vec![
        Measure::one("sockets", Gauge, "Sockets open now.", counters.sockets.value()),
        Measure::each(
            "streams",
            Gauge,
            "Streams open now.",
            "transport",
            named(&transports, &counters.streams),
        ),
        Measure::each(
            "connections",
            Counter,
            "Connections accepted.",
            "listener",
            named(&DOORS, &counters.accepted),
        ),
        Measure::each("refused", Counter, "Connections refused.", "why", refused),
        Measure::one(
            "accept_backoffs",
            Counter,
            "Times that the system was out of something.",
            counters.accept_backoffs.value(),
        ),
        Measure::one("handshakes", Counter, "TLS handshakes that succeeded.", counters.handshakes.value()),
        Measure::each(
            "handshakes_failed",
            Counter,
            "TLS handshakes that failed.",
            "why",
            named(&faults, &counters.handshakes_failed),
        ),
        Measure::each("traffic_bytes", Counter, "Bytes read and written.", "direction", bytes),
        Measure::one(
            "stuck",
            Counter,
            "Streams ended because the peer did not read.",
            counters.stuck.value(),
        ),
        Measure::one("logins", Counter, "Successful authentications.", counters.authenticated.value()),
        Measure::each(
            "http_responses",
            Counter,
            "HTTP requests answered.",
            "status",
            named(&classes, &counters.http),
        ),
        Measure::each(
            "misbehaviour",
            Counter,
            "What peers did wrong.",
            "kind",
            named(&MISBEHAVIOURS, &counters.misbehaviour),
        ),
    ]
}

/// All that is counted about spam and strangers.
pub(crate) fn of_safety(tally: &Tally) -> Vec<Measure> {
    let value = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let strangers = vec![
        ("held", value(&tally.held)),
        ("refused", value(&tally.refused)),
        ("banned", value(&tally.banned)),
    ];
    vec![
        Measure::one("reports", Kind::Counter, "Reports of spam and abuse.", value(&tally.reports)),
        Measure::each(
            "strangers",
            Kind::Counter,
            "What strangers sent that was not simply delivered.",
            "outcome",
            strangers,
        ),
    ]
}

/// OpenMetrics text, with the version of the program first.
pub(crate) fn text(version: &str, measures: &[Measure]) -> String {
    let mut out = String::with_capacity(8_192);
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        "# TYPE detente info\n# HELP detente The program.\ndetente_info{{version=\"{version}\"}} 1\n"
    );
    for measure in measures {
        let Measure { name, about, .. } = measure;
        let (kind, end) = match measure.kind {
            Kind::Counter => ("counter", "_total"),
            Kind::Gauge => ("gauge", ""),
        };
        let _ = write!(out, "# TYPE detente_{name} {kind}\n# HELP detente_{name} {about}\n");
        for (value, number) in &measure.samples {
            let _ = match measure.label {
                Some(label) => writeln!(out, "detente_{name}{end}{{{label}=\"{value}\"}} {number}"),
                None => writeln!(out, "detente_{name}{end} {number}"),
            };
        }
    }
    out.push_str("# EOF\n");
    out
}

/// The same for `detente status`: a number, or one for each label.
pub(crate) fn tree(measures: &[Measure]) -> Map<String, Value> {
    let value = |measure: &Measure| match measure.label {
        Some(_) => measure.samples.iter().map(|(label, number)| (label.to_string(), json!(number))).collect(),
        None => json!(measure.samples.first().map(|(_, number)| number)),
    };
    measures.iter().map(|measure| (measure.name.to_owned(), value(measure))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i39_every_line_is_of_the_format_and_their_number_is_fixed() {
        let counters = Counters::default();
        counters.misbehaved("flood");
        counters.bytes_in.add(7);
        let text = text("1.2", &of_sockets(&counters));
        assert!(text.ends_with("# EOF\n") && text.starts_with("# TYPE detente info\n"));
        for expected in [
            "# TYPE detente_misbehaviour counter\n# HELP detente_misbehaviour What peers did wrong.\n",
            "detente_misbehaviour_total{kind=\"flood\"} 1\n",
            "detente_traffic_bytes_total{direction=\"in\"} 7\n",
            "# TYPE detente_streams gauge\n",
            "detente_streams{transport=\"bosh\"} 0\n",
            "detente_connections_total{listener=\"metrics\"} 0\n",
            "\ndetente_logins_total 0\n",
        ] {
            assert!(text.contains(expected), "{expected} is not in {text}");
        }
        let mut families = Vec::new();
        for line in text.lines().filter(|line| *line != "# EOF") {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let family = rest.split(' ').next().unwrap();
                assert!(!families.contains(&family), "{family} twice");
                families.push(family);
            } else if !line.starts_with("# HELP ") {
                let (name, number) = line.rsplit_once(' ').unwrap();
                assert!(
                    name.starts_with(families.last().unwrap()) && number.parse::<u64>().is_ok(),
                    "{line}"
                );
            }
        }
        assert!(text.lines().count() < 150);
    }
}
