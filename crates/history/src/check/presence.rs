//! Presence at the end: what each sees is what is true.
//!
//! INV-6.
//!
//! Not here: presence on its way.

use std::collections::{BTreeMap, BTreeSet};

use super::index::Index;
use crate::key::bare;
use crate::{Finding, Kind, Right, What};

pub(super) fn check(index: &Index<'_>, findings: &mut Vec<Finding>) {
    let mut online: BTreeMap<&str, (usize, bool)> = BTreeMap::new();
    let mut shown: BTreeMap<(&str, &str), bool> = BTreeMap::new();
    for (at, event) in index.events.iter().enumerate() {
        match &event.what {
            What::Online { device, here } => {
                online.insert(device, (at, *here));
            }
            What::Perm { owner, peer, right: Right::Presence, on, .. } => {
                shown.insert((owner, peer), *on);
            }
            _ => {}
        }
    }
    for (at, event) in index.events.iter().enumerate() {
        let What::Sees { device, others } = &event.what else { continue };
        let sees: BTreeSet<&str> = others.iter().map(String::as_str).collect();
        let visible = |of: &str| {
            bare(of) == bare(device) || shown.get(&(bare(of), bare(device))).is_some_and(|shown| *shown)
        };
        for (of, (since, here)) in online.iter().filter(|(of, _)| **of != device) {
            let true_now = *here && visible(of);
            if sees.contains(of) != true_now {
                let text = match true_now {
                    true => format!("{device} does not see {of}, which is available"),
                    false => format!("{device} sees {of}, which is gone or not to be seen"),
                };
                let mut evidence = vec![*since, at];
                evidence.sort_unstable();
                findings.push(Finding { kind: Kind::Presence, key: None, text, evidence });
            }
        }
        for ghost in sees.iter().filter(|of| !online.contains_key(**of) && **of != device) {
            let text = format!("{device} sees {ghost}, of which nothing is known");
            findings.push(Finding { kind: Kind::Presence, key: None, text, evidence: vec![at] });
        }
    }
}
