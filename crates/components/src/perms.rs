//! Telling a component what it may do.
//!
//! XEP-0356 0.4.1 sections 3.2, 4.2, 5.2, 6.2 (and its older namespace, which knows no requests)
//!
//! Not here: holding it to that (engine).

use address::Jid;
use model::rights::{Reach, Rights, Sight};
use stanza::{MessageType, Stanza, ns};
use xml::Writer;

/// A message of each of our domains for which there are rights; with both namespaces, so that old components find theirs.
pub(crate) fn messages(component: &Jid, rights: &Rights) -> Vec<Stanza> {
    if !rights.is_privileged() {
        return Vec::new();
    }
    let domains = rights.domains.iter().filter_map(|domain| Jid::parse(domain).ok());
    let each = domains.flat_map(|domain| {
        [ns::PRIVILEGE, ns::PRIVILEGE_1].map(|version| {
            let mut w = Writer::new(ns::CLIENT);
            write(&mut w, version, rights);
            let id = if version == ns::PRIVILEGE { "privileges-2" } else { "privileges-1" };
            Stanza::message(MessageType::Normal).from(&domain).to(component).id(id).with_inner(w.finish())
        })
    });
    each.collect()
}

fn write(w: &mut Writer, version: &str, rights: &Rights) {
    w.open("privilege", version);
    if rights.roster != Reach::None {
        w.open("perm", version).attr("access", "roster").attr("type", rights.roster.name());
        w.attr("push", if rights.push { "true" } else { "false" }).close();
    }
    if rights.message {
        w.open("perm", version).attr("access", "message").attr("type", "outgoing").close();
    }
    let asks: Vec<_> = rights.iq.iter().filter(|(_, reach)| *reach != Reach::None).collect();
    if !asks.is_empty() && version == ns::PRIVILEGE {
        w.open("perm", version).attr("access", "iq");
        for (namespace, reach) in asks {
            w.open("namespace", version).attr("ns", namespace).attr("type", reach.name()).close();
        }
        w.close();
    }
    if rights.presence != Sight::None {
        w.open("perm", version).attr("access", "presence").attr("type", rights.presence.name()).close();
    }
    w.close();
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may")]
mod tests {
    use super::*;

    #[test]
    fn each_domain_says_it_in_both_namespaces() {
        let component = Jid::parse("irc.a.example").unwrap();
        assert!(messages(&component, &Rights::default()).is_empty());
        let rights = Rights {
            domains: vec!["a.example".to_owned()],
            roster: Reach::Both,
            push: true,
            message: true,
            iq: vec![("http://jabber.org/protocol/pubsub".to_owned(), Reach::Set)],
            presence: Sight::Managed,
        };
        let said = messages(&component, &rights);
        let inner = |at: usize| String::from_utf8(said[at].payload.inner().to_vec()).unwrap();
        assert_eq!(
            inner(0),
            "<privilege xmlns='urn:xmpp:privilege:2'><perm access='roster' type='both' push='true'/>\
             <perm access='message' type='outgoing'/><perm access='iq'>\
             <namespace ns='http://jabber.org/protocol/pubsub' type='set'/></perm>\
             <perm access='presence' type='managed_entity'/></privilege>"
        );
        assert_eq!(
            inner(1),
            "<privilege xmlns='urn:xmpp:privilege:1'><perm access='roster' type='both' push='true'/>\
             <perm access='message' type='outgoing'/><perm access='presence' type='managed_entity'/></privilege>"
        );
        assert_eq!(said.len(), 2);
    }
}
