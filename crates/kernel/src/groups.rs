//! Groups of the operator: all members of one see one another in their rosters, without asking.
//!
//! What a group adds to a roster is in memory only and lies over what the user has stored: when the group goes, that is
//! left.
//!
//! Not here: where groups are written down (config), the user's own contacts (`roster.rs`).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use address::{Bare, Jid};
use stanza::{PresenceType, Stanza};

use crate::presence::{hide, show};
use crate::subscriptions::push;
use crate::{Account, Kernel, Turn};

/// What the operator says of one group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// Its name in rosters.
    pub name: String,
    /// Who is in it, and what the others read as their names; none: what each wants.
    pub members: Vec<(Bare, Option<String>)>,
}

/// All groups of a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Groups {
    list: Vec<Group>,
    /// In which groups somebody is.
    of: HashMap<String, Vec<usize>>,
}

/// What groups say of a contact.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shared {
    /// In which groups the contact is together with the user.
    pub groups: Vec<String>,
    /// What the contact is called there.
    pub name: Option<String>,
}

impl Groups {
    /// These groups.
    pub fn new(list: Vec<Group>) -> Groups {
        let mut of: HashMap<String, Vec<usize>> = HashMap::new();
        for (at, group) in list.iter().enumerate() {
            for (member, _) in &group.members {
                of.entry(member.as_str().to_owned()).or_default().push(at);
            }
        }
        Groups { list, of }
    }

    /// Those who share a group with somebody.
    pub(crate) fn contacts(&self, account: &Bare) -> BTreeMap<Jid, Arc<Shared>> {
        let mut found: BTreeMap<Jid, Shared> = BTreeMap::new();
        let own = self.of.get(account.as_str()).into_iter().flatten();
        for group in own.filter_map(|at| self.list.get(*at)) {
            for (member, name) in group.members.iter().filter(|(member, _)| member != account) {
                let shared = found.entry(member.jid().clone()).or_default();
                if !shared.groups.contains(&group.name) {
                    shared.groups.push(group.name.clone());
                }
                if shared.name.is_none() {
                    shared.name.clone_from(name);
                }
            }
        }
        found.into_iter().map(|(jid, shared)| (jid, Arc::new(shared))).collect()
    }
}

impl Account {
    /// Lays the groups of the operator over the roster, as an account is loaded.
    pub fn apply_groups(&mut self) {
        let contacts = self.facts.groups.contacts(&self.jid);
        self.roster.share(contacts);
    }
}

impl Kernel {
    /// What the operator says of the domain has changed; `turn.place.facts` has it already.
    pub fn facts_changed(&self, turn: &mut Turn<'_, Account>) {
        let contacts = turn.place.facts.groups.contacts(&turn.place.jid);
        let seen: Vec<Jid> = turn
            .place
            .roster
            .iter()
            .filter(|(_, item)| item.shown_to())
            .map(|(jid, _)| jid.clone())
            .collect();
        let changed = turn.place.roster.share(contacts);
        for contact in changed {
            let item = turn.place.roster.item(contact.as_str()).cloned();
            push(turn, &contact, item.as_ref().filter(|item| item.in_roster()));
            let (was, is) = (seen.contains(&contact), item.is_some_and(|item| item.shown_to()));
            match (was, is) {
                (false, true) if !self.hidden(turn.place, &contact) => show(turn, &contact),
                (true, false) => hide(turn, &contact),
                _ => {}
            }
        }
    }

    /// A subscription stanza between members of a group: they see each other as long as the operator wants that.
    pub(crate) fn shared_subscription(&self, turn: &mut Turn<'_, Account>, ty: PresenceType, contact: &Jid) {
        if ty == PresenceType::Subscribe {
            let agreed = Stanza::presence(PresenceType::Subscribed);
            turn.fx.route(agreed.from(&turn.place.jid).to(contact));
            show(turn, contact);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_shares_a_group_is_a_contact_once() {
        let bare = |text: &str| Bare::parse(text).unwrap();
        let group = |name: &str, members: &[&str]| Group {
            name: name.into(),
            members: members
                .iter()
                .map(|m| (bare(m), (*m == "bob@a.example").then(|| "Bob".to_owned())))
                .collect(),
        };
        let groups = Groups::new(vec![
            group("Family", &["alice@a.example", "bob@a.example", "bob@a.example"]),
            group("Choir", &["alice@a.example", "bob@a.example", "carol@b.example"]),
            group("Others", &["dora@a.example"]),
        ]);
        for (who, expected) in [
            (
                "alice@a.example",
                &[("bob@a.example", "Family,Choir", Some("Bob")), ("carol@b.example", "Choir", None)][..],
            ),
            (
                "carol@b.example",
                &[("alice@a.example", "Choir", None), ("bob@a.example", "Choir", Some("Bob"))],
            ),
            ("dora@a.example", &[]),
            ("eve@a.example", &[]),
        ] {
            let found = groups.contacts(&bare(who));
            let found: Vec<_> =
                found.iter().map(|(jid, s)| (jid.as_str(), s.groups.join(","), s.name.as_deref())).collect();
            let expected: Vec<_> =
                expected.iter().map(|(jid, g, name)| (*jid, (*g).to_owned(), *name)).collect();
            assert_eq!(found, expected, "{who}");
        }
    }
}
