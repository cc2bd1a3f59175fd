//! Nodes on their way in from another server: elements of XEP-0060 become what is stored.
//!
//! XEP-0227 1.1 section 4.9, XEP-0060 1.30.0
//!
//! What cannot be understood is left out; access that is not known here becomes the strictest.
//!
//! Not here: the way out (`portable.rs`).

use std::collections::BTreeSet;
use std::sync::Arc;

use address::Jid;
use model::spaces::VCARD;
use model::storage::{Owner, Write};
use stanza::{ns, when};
use xml::El;

use crate::form::Submitted;
use crate::items::{Entry, stored};
use crate::limits::{ITEM_ID_BYTES_MAX, ITEMS_MAX, NODE_BYTES_MAX, NODES_MAX, SERVICE_NODES_MAX};
use crate::node::{self, Affiliation, Record, State, Subscription, key};
use crate::portable::{OWN, STRICT, bare, offer};
use crate::{avatar, defaults};

/// The nodes of one owner on their way in.
pub struct Arriving {
    owner: Owner,
    account: bool,
    now_ms: u64,
    known: BTreeSet<String>,
    /// The node whose items come, and their ids.
    current: String,
    ids: BTreeSet<String>,
    seq: u64,
}

impl Arriving {
    /// None yet, for an account or a service.
    pub fn new(owner: Owner, account: bool, now_ms: u64) -> Arriving {
        Arriving {
            owner,
            account,
            now_ms,
            known: BTreeSet::new(),
            current: String::new(),
            ids: BTreeSet::new(),
            seq: 0,
        }
    }

    /// How many nodes came.
    pub fn count(&self) -> usize {
        self.known.len()
    }

    /// Takes over one child of `<pubsub/>` in the namespace `pubsub#owner`. `None`: it is nothing that belongs there.
    pub fn configuration(&mut self, el: El<'_>) -> Option<Vec<Write>> {
        let name = el.attr("node")?;
        match el.name() {
            "configure" => self.configure(&name, Some(el)).map(|write| vec![write]),
            "affiliations" => {
                let all = el.children_named("affiliation", ns::PUBSUB_OWNER);
                Some(all.filter_map(|one| self.affiliation(&name, one)).collect())
            }
            "subscriptions" => {
                let all = el.children_named("subscription", ns::PUBSUB_OWNER);
                Some(all.filter_map(|one| self.subscription(&name, one)).collect())
            }
            _ => None,
        }
    }

    /// A node, as `<configure/>` says or as nodes of that name begin.
    fn configure(&mut self, name: &str, el: Option<El<'_>>) -> Option<Write> {
        let most = if self.account { NODES_MAX } else { SERVICE_NODES_MAX };
        let fits = !name.is_empty() && name.len() <= NODE_BYTES_MAX && self.known.len() < most;
        if !fits || !self.known.insert(name.to_owned()) {
            return None;
        }
        let default = if self.account { defaults::of_account(name) } else { defaults::of_service(name) };
        let mut config = default.clone();
        for field in el.and_then(|el| el.child("x", ns::FORMS)).iter().flat_map(|x| x.children()) {
            let (Some(var), true) = (field.attr("var"), field.is("field", ns::FORMS)) else { continue };
            let mut values: Vec<String> =
                field.children_named("value", ns::FORMS).map(|value| value.text().into_owned()).collect();
            if values.len() == 1 && values[0].is_empty() {
                values.clear();
            }
            if values.is_empty() {
                continue;
            }
            let one = Submitted(vec![(var.clone().into_owned(), values)]);
            match offer(self.account, name).apply(&config, &one) {
                Ok(changed) => config = changed,
                Err(_) if var == "pubsub#access_model" => config.access_model = STRICT,
                Err(_) => {}
            }
        }
        let own = |attr| el.and_then(|el| el.attr_ns(OWN, attr));
        let creator = own("creator").and_then(|jid| bare(&jid));
        let record = Record {
            config,
            creator: creator.map_or_else(|| self.owner.to_string(), |jid| jid.as_str().to_owned()),
            created_ms: own("created").and_then(|at| when::parse(&at)).unwrap_or(self.now_ms),
        };
        let value = serde_json::to_vec(&record).unwrap_or_default().into();
        Some(Write::MapPut { space: node::NODES, owner: self.owner.clone(), key: name.into(), value })
    }

    fn affiliation(&self, name: &str, el: El<'_>) -> Option<Write> {
        let who = bare(&el.attr("jid")?)?;
        let word = Affiliation::parse(&el.attr("affiliation")?)?.word();
        let (key, owner) = (key(name, who.as_str()).into(), self.owner.clone());
        Some(Write::MapPut { space: node::AFFILIATIONS, owner, key, value: word.into() })
    }

    fn subscription(&self, name: &str, el: El<'_>) -> Option<Write> {
        let who = Jid::parse(&el.attr("jid")?).ok()?;
        // Some servers write the state under another name.
        let state = el.attr("subscription").or_else(|| el.attr("subscribed"))?;
        let own = el.attr_ns(OWN, "options").and_then(|options| serde_json::from_str(&options).ok());
        let held: Subscription = own.unwrap_or_default();
        let held = Subscription { state: State::parse(&state)?, ..held };
        let value = serde_json::to_vec(&held).unwrap_or_default().into();
        let (key, owner) = (key(name, who.as_str()).into(), self.owner.clone());
        Some(Write::MapPut { space: node::SUBSCRIPTIONS, owner, key, value })
    }

    /// Takes over an `<item/>` of a node; they come the oldest first. `None`: it cannot be kept.
    pub fn item(&mut self, name: &str, el: El<'_>) -> Option<Vec<Write>> {
        if self.current != name {
            (self.current, self.ids) = (name.to_owned(), BTreeSet::new());
        }
        let id = el.attr("id").filter(|id| !id.is_empty() && id.len() <= ITEM_ID_BYTES_MAX)?;
        if self.ids.len() >= ITEMS_MAX as usize || !self.ids.insert(id.clone().into_owned()) {
            return None;
        }
        let mut writes: Vec<Write> = Vec::new();
        if !self.known.contains(name) {
            writes.push(self.configure(name, None)?);
        }
        let payload = el.children().next().map(|payload| payload.raw("").into_owned()).unwrap_or_default();
        self.seq += 1;
        let by = el.attr("publisher").and_then(|by| bare(&by));
        let entry = Entry {
            seq: self.seq,
            at_ms: el.attr_ns(OWN, "at").and_then(|at| when::parse(&at)).unwrap_or(self.now_ms),
            size: payload.len() as u32,
            id: id.into(),
            by: by.map_or_else(|| Arc::from(self.owner.as_str()), |by| by.as_str().into()),
        };
        writes.extend(stored(&self.owner, name, &entry, &payload));
        Some(writes)
    }
}

/// What is written for a visiting card (XEP-0054), which counts as the account's photo, too (XEP-0398).
pub fn photo(owner: &Owner, card: El<'_>) -> Vec<Write> {
    let value = card.raw(ns::CLIENT).into_owned().into();
    let put = Write::DocPut { space: VCARD, owner: owner.clone(), value };
    let hash = avatar::hash_of(card).map(|hash| Write::DocPut {
        space: avatar::PHOTO,
        owner: owner.clone(),
        value: hash.into_bytes().into(),
    });
    std::iter::once(put).chain(hash).collect()
}
