//! Which commands there are, and what each is, as service discovery shows it.
//!
//! XEP-0050 1.3.0 (section 2.2)
//!
//! Not here: running them (`stages.rs`).

use kernel::{Answer, Host, Iq, Turn};
use stanza::{Condition, ns};
use xml::Writer;

use super::{authorised, commands, find};
use crate::disco::{Identity, Info};

/// `disco#items` of a node of a host (section 2.2).
pub(crate) fn items(turn: &Turn<'_, Host>, iq: &Iq<'_>, node: &str) -> Answer<Host> {
    let (list, known) = (node == ns::COMMANDS, find(node).is_some());
    if !list && !known {
        return Condition::ItemNotFound.into();
    }
    let (domain, node) = (turn.place.domain.clone(), node.to_owned());
    authorised(turn, iq.from(), move |_, admin| {
        let mut w = Writer::new(ns::CLIENT);
        w.open("query", ns::DISCO_ITEMS).attr("node", node);
        for command in commands().filter(|command| list && (admin || !command.admin)) {
            w.open("item", ns::DISCO_ITEMS).attr("jid", domain.as_str());
            w.attr("node", command.node()).attr("name", command.name).close();
        }
        w.close();
        Answer::Reply(w.finish())
    })
}

/// `disco#info` of a node of a host (section 2.2).
pub(crate) fn info(turn: &Turn<'_, Host>, iq: &Iq<'_>, node: &str) -> Answer<Host> {
    let (ty, name, admin_only, vars) = match (node, find(node)) {
        (ns::COMMANDS, _) => ("command-list", "", false, vec![ns::COMMANDS]),
        (_, Some(command)) => ("command-node", command.name, command.admin, vec![ns::COMMANDS, ns::FORMS]),
        _ => return Condition::ItemNotFound.into(),
    };
    let node = node.to_owned();
    authorised(turn, iq.from(), move |_, admin| {
        if admin_only && !admin {
            return Condition::Forbidden.into();
        }
        let identity = Identity { category: "automation", ty, name };
        Answer::Reply(Info { identities: vec![identity], vars, forms: Vec::new() }.write(Some(&node)))
    })
}
