//! What came twice to one device, and requests without their one answer.
//!
//! INV-2: a session sees each message once, as itself and as a copy; later sessions see it again only as something old.
//! INV-5.
//!
//! Not here: several ids of one message (fate).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::index::{Index, Message};
use crate::{Finding, Kind, Via, What};

pub(super) fn check(index: &Index<'_>, findings: &mut Vec<Finding>) {
    for message in &index.messages {
        repeats(index, message, findings);
    }
    answers(index, findings);
}

fn repeats(index: &Index<'_>, message: &Message<'_>, findings: &mut Vec<Finding>) {
    let mut seen: BTreeSet<(&str, u64, bool)> = BTreeSet::new();
    let mut sessions: BTreeMap<&str, u64> = BTreeMap::new();
    for at in &message.recvs {
        let What::Recv { device, session, via, delay, .. } = index.what(*at) else { continue };
        if *via == Via::Mam {
            continue;
        }
        let is_copy = *via == Via::Carbon;
        if !seen.insert((device, *session, is_copy)) {
            let text = format!("{} came twice to {device} in its session {session}", message.key);
            findings.push(index.about(Kind::Duplicated, message, text));
        }
        let before = sessions.insert(device, *session);
        if before.is_some_and(|before| before != *session) && !*delay && !is_copy {
            let text =
                format!("{} came again to {device} in a later session, as if it were new", message.key);
            findings.push(index.about(Kind::Duplicated, message, text));
        }
    }
}

fn answers(index: &Index<'_>, findings: &mut Vec<Finding>) {
    let mut open: HashMap<(u64, &str), (usize, Option<usize>)> = HashMap::new();
    let mut order = Vec::new();
    let mut over = BTreeSet::new();
    for (at, event) in index.events.iter().enumerate() {
        match &event.what {
            What::Ask { session, id } => {
                open.insert((*session, id), (at, None));
                order.push((*session, id.as_str()));
            }
            What::Answer { session, id } => match open.get_mut(&(*session, id.as_str())) {
                Some((_, answer @ None)) => *answer = Some(at),
                known => {
                    let evidence = known.map(|(ask, first)| [Some(*ask), *first]).into_iter().flatten();
                    let evidence = evidence.flatten().chain([at]).collect();
                    let text = format!("an answer to {id} of session {session} that nobody waits for");
                    findings.push(Finding { kind: Kind::Answers, key: None, text, evidence });
                }
            },
            What::Over { session } => {
                over.insert(*session);
            }
            _ => {}
        }
    }
    for (session, id) in order {
        if let Some((ask, None)) = open.get(&(session, id))
            && !over.contains(&session)
        {
            let text = format!("no answer to {id} of session {session}, which goes on");
            findings.push(Finding { kind: Kind::Answers, key: None, text, evidence: vec![*ask] });
        }
    }
}
