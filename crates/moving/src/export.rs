//! The way out: reads what is stored and writes a file.
//!
//! XEP-0227 1.1
//!
//! Not here: what single values look like outside (accounts, features, pubsub, `kept.rs`).

use std::io::Write as IoWrite;

use address::Jid;
use bytes::Bytes;
use features::portable;
use kernel::{Direction, Item, ROSTER};
use model::spaces::{ACCOUNT, ARCHIVE, PRIVATE, VCARD};
use model::storage::{Entry, Loaded, LogQuery, Owner, Paging, Read, Space};
use pubsub::portable::Leaving;
use serde::Serialize;
use stanza::{PresenceType, Stanza, ns, when};
use store::{Store, block_on};
use xml::Writer;

use crate::kept;
use crate::limits::{PAGE, PAGE_BYTES};
use crate::source::Fault;

/// What to export.
pub struct Export {
    /// Domains of accounts.
    pub domains: Vec<String>,
    /// Domains of rooms.
    pub rooms: Vec<String>,
    /// Domains of nodes.
    pub nodes: Vec<String>,
    /// Only this account, and no rooms.
    pub only: Option<Jid>,
}

/// How much was exported.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Accounts.
    pub accounts: u64,
    /// Rooms.
    pub rooms: u64,
    /// Messages of all archives.
    pub archived: u64,
}

/// Writes everything to `out`.
///
/// # Errors
/// Storage fails, or the file cannot be written.
pub fn export(store: &dyn Store, what: &Export, out: &mut dyn IoWrite) -> Result<Counts, Fault> {
    let mut run = Run { store, out, counts: Counts::default() };
    run.put(b"<?xml version='1.0' encoding='UTF-8'?>\n")?;
    run.put(format!("<server-data xmlns='{}'>\n", ns::PIE).as_bytes())?;
    for domain in &what.domains {
        run.host(domain, |run| match &what.only {
            Some(only) if only.domain() == domain => run.user(&Owner::from(only.bare_str())),
            Some(_) => Ok(()),
            None => run.owners(ACCOUNT, domain, Run::user),
        })?;
    }
    for domain in what.rooms.iter().filter(|_| what.only.is_none()) {
        run.host(domain, |run| run.owners(kept::ROOM, domain, Run::room))?;
    }
    for domain in what.nodes.iter().filter(|_| what.only.is_none()) {
        run.host(domain, |run| run.nodes(&Owner::from(domain.as_str()), false))?;
    }
    run.put(b"</server-data>\n")?;
    run.out.flush()?;
    Ok(run.counts)
}

struct Run<'a> {
    store: &'a dyn Store,
    out: &'a mut dyn IoWrite,
    counts: Counts,
}

impl Run<'_> {
    fn put(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        Ok(self.out.write_all(bytes)?)
    }

    /// One element on its own line.
    fn line(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.put(bytes)?;
        self.put(b"\n")
    }

    /// A start tag with one attribute.
    fn open(&mut self, name: &str, attr: &str, value: &str) -> Result<(), Fault> {
        let mut tag = format!("<{name} {attr}='").into_bytes();
        xml::escape_attr(&mut tag, value);
        tag.extend_from_slice(b"'>");
        self.line(&tag)
    }

    fn host(
        &mut self,
        domain: &str,
        inside: impl FnOnce(&mut Self) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        self.open("host", "jid", domain)?;
        inside(self)?;
        self.put(b"</host>\n")
    }

    fn read(&self, read: Read) -> Result<Loaded, Fault> {
        Ok(block_on(self.store.read(read))?)
    }

    fn doc(&self, space: Space, owner: &Owner) -> Result<Option<Bytes>, Fault> {
        Ok(self.read(Read::Doc { space, owner: owner.clone() })?.into_doc())
    }

    /// Everybody of a domain who has something in a space.
    fn owners(
        &mut self,
        space: Space,
        domain: &str,
        each: fn(&mut Self, &Owner) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let mut after = None;
        loop {
            let owners = self.read(Read::Owners { space, after, limit: PAGE })?.into_owners();
            for owner in &owners {
                if owner.as_str().split_once('@').is_some_and(|(_, of)| of == domain) {
                    each(self, owner)?;
                }
            }
            after = owners.last().cloned();
            if owners.len() < PAGE as usize {
                return Ok(());
            }
        }
    }

    /// The rows of a map, page by page.
    fn rows(
        &mut self,
        space: Space,
        owner: &Owner,
        mut each: impl FnMut(&mut Self, &str, &Bytes) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let mut after = None;
        loop {
            let read = Read::MapRange { space, owner: owner.clone(), prefix: "".into(), after, limit: PAGE };
            let rows = self.read(read)?.into_map();
            for (key, value) in &rows {
                each(self, key, value)?;
            }
            after = rows.last().map(|(key, _)| key.clone());
            if rows.len() < PAGE as usize {
                return Ok(());
            }
        }
    }

    fn user(&mut self, owner: &Owner) -> Result<(), Fault> {
        let Some(document) = self.doc(ACCOUNT, owner)? else { return Ok(()) };
        let local = owner.as_str().split_once('@').map_or("", |(local, _)| local);
        self.open("user", "name", local)?;
        let mut w = Writer::new(ns::PIE);
        accounts::portable::leave(&document, &mut w)?;
        self.line(&w.finish())?;
        self.roster(owner)?;
        if let Some(card) = self.doc(VCARD, owner)? {
            let mut w = Writer::new(ns::PIE);
            w.raw_from(&card, ns::CLIENT);
            self.line(&w.finish())?;
        }
        self.private(owner)?;
        self.blocked(owner)?;
        if let Some(prefs) = self.doc(portable::PREFS, owner)? {
            let mut w = Writer::new(ns::PIE);
            w.raw_from(&portable::prefs_write(prefs), ns::CLIENT);
            self.line(&w.finish())?;
        }
        self.kept(&kept::OF_USER, owner)?;
        self.nodes(owner, true)?;
        self.offline(owner)?;
        self.archive(owner)?;
        self.counts.accounts += 1;
        self.put(b"</user>\n")
    }

    fn roster(&mut self, owner: &Owner) -> Result<(), Fault> {
        self.put(format!("<query xmlns='{}'>\n", ns::ROSTER).as_bytes())?;
        let mut requests = Vec::new();
        self.rows(ROSTER, owner, |run, jid, value| {
            let Ok(item) = serde_json::from_slice::<Item>(value) else { return Ok(()) };
            if let Some(request) = item.request.clone().filter(|_| item.from == Direction::Pending) {
                requests.push((jid.to_owned(), request));
            }
            let mut w = Writer::new(ns::ROSTER);
            if item.listed || item.approved {
                item.write(jid, &mut w);
                run.line(&w.finish())?;
            }
            Ok(())
        })?;
        self.put(b"</query>\n")?;
        for (from, request) in requests {
            let (Ok(from), Ok(to)) = (Jid::parse(&from), Jid::parse(owner.as_str())) else { continue };
            let presence = Stanza::presence(PresenceType::Subscribe).from(&from).to(&to);
            self.line(&presence.with_inner(request.into_bytes().into()).to_stored())?;
        }
        Ok(())
    }

    fn private(&mut self, owner: &Owner) -> Result<(), Fault> {
        if self.read(Read::MapSize { space: PRIVATE, owner: owner.clone() })?.into_size().count == 0 {
            return Ok(());
        }
        self.put(format!("<query xmlns='{}'>\n", ns::PRIVATE).as_bytes())?;
        self.rows(PRIVATE, owner, |run, _, value| run.line(value))?;
        self.put(b"</query>\n")
    }

    fn blocked(&mut self, owner: &Owner) -> Result<(), Fault> {
        let read = Read::Map { space: portable::BLOCKLIST, owner: owner.clone() };
        let rows = self.read(read)?.into_map();
        if rows.is_empty() {
            return Ok(());
        }
        self.line(&portable::block_write(rows.iter().map(|(jid, _)| &**jid)))
    }

    /// Documents and maps as they are stored.
    fn kept(&mut self, spaces: &[Space], owner: &Owner) -> Result<(), Fault> {
        for space in spaces {
            if let Some(value) = self.doc(*space, owner)? {
                self.kept_value(*space, None, &value)?;
            }
        }
        Ok(())
    }

    fn kept_value(&mut self, space: Space, key: Option<&str>, value: &Bytes) -> Result<(), Fault> {
        let mut w = Writer::new(ns::PIE);
        kept::write(space, key, value, &mut w);
        self.line(&w.finish())
    }

    fn nodes(&mut self, owner: &Owner, account: bool) -> Result<(), Fault> {
        let mut maps = self.read(Read::Many(pubsub::portable::reads(owner)))?.into_many().into_iter();
        let mut map = || maps.next().map(Loaded::into_map).unwrap_or_default();
        let nodes = Leaving::new(owner.clone(), account, [map(), map(), map()]);
        if nodes.names().next().is_none() {
            return Ok(());
        }
        self.put(format!("<pubsub xmlns='{}'>\n", ns::PUBSUB_OWNER).as_bytes())?;
        let mut failed = None;
        nodes.configuration(|part| {
            if failed.is_none() {
                failed = self.line(&part).err();
            }
        });
        if let Some(fault) = failed {
            return Err(fault);
        }
        self.put(format!("</pubsub>\n<pubsub xmlns='{}'>\n", ns::PUBSUB).as_bytes())?;
        for name in nodes.names() {
            self.open("items", "node", name)?;
            let index = self.read(nodes.index(name))?;
            for read in nodes.items(name, index) {
                let stored = self.read(read)?.into_doc();
                if let Some(item) = stored.and_then(|stored| nodes.item(&stored)) {
                    self.line(&item)?;
                }
            }
            self.put(b"</items>\n")?;
        }
        self.put(b"</pubsub>\n")
    }

    /// The entries of a log, page by page.
    fn log(
        &mut self,
        space: Space,
        owner: &Owner,
        (open, close): (&str, &str),
        each: impl Fn(&Entry, &mut Writer),
    ) -> Result<u64, Fault> {
        let (mut after, mut count) = (None, 0);
        loop {
            let page = Paging::Forwards { after };
            let query =
                LogQuery { page, limit: PAGE, bytes: PAGE_BYTES, ..LogQuery::new(space, owner.clone()) };
            let page = self.read(query.into())?.into_page();
            for entry in &page.entries {
                if count == 0 {
                    self.put(open.as_bytes())?;
                }
                count += 1;
                let mut w = Writer::new(if space == ARCHIVE { ns::PIE_MAM } else { ns::PIE });
                each(entry, &mut w);
                self.line(&w.finish())?;
            }
            after = page.entries.last().map(|entry| entry.id);
            if page.complete || after.is_none() {
                break;
            }
        }
        if count > 0 {
            self.put(close.as_bytes())?;
        }
        Ok(count)
    }

    fn offline(&mut self, owner: &Owner) -> Result<(), Fault> {
        let domain = owner.as_str().split_once('@').map_or("", |(_, domain)| domain).to_owned();
        let tags = ("<offline-messages>\n", "</offline-messages>\n");
        self.log(portable::OFFLINE, owner, tags, |entry, w| {
            let Ok(mut stanza) = Stanza::from_stored(&entry.value) else { return };
            stanza.payload = stanza.payload.with(|w| when::write_delay(w, Some(&domain), entry.at_ms));
            w.raw_from(&stanza.to_stored(), "");
        })?;
        Ok(())
    }

    fn archive(&mut self, owner: &Owner) -> Result<(), Fault> {
        let open = format!("<archive xmlns='{}'>\n", ns::PIE_MAM);
        self.counts.archived += self.log(ARCHIVE, owner, (&open, "</archive>\n"), |entry, w| {
            result(entry, w, false);
        })?;
        Ok(())
    }

    fn room(&mut self, owner: &Owner) -> Result<(), Fault> {
        let Some((local, domain)) = owner.as_str().split_once('@') else { return Ok(()) };
        let mut tag = b"<room xmlns='".to_vec();
        tag.extend_from_slice(ns::MOVING.as_bytes());
        tag.extend_from_slice(b"' name='");
        xml::escape_attr(&mut tag, local);
        tag.extend_from_slice(b"'>");
        self.line(&tag)?;
        self.kept(&[kept::ROOM, kept::ROOM_CARD], owner)?;
        self.rows(kept::ROOM_AFFILIATIONS, owner, |run, key, value| {
            run.kept_value(kept::ROOM_AFFILIATIONS, Some(key), value)
        })?;
        let service = Owner::from(domain);
        let listed = Read::MapGet { space: kept::ROOM_LISTED, owner: service.clone(), key: local.into() };
        if let Some(value) = self.read(listed)?.into_doc() {
            self.kept_value(kept::ROOM_LISTED, Some(local), &value)?;
        }
        // The room's document names who made it.
        let creator = self.doc(kept::ROOM, owner)?.and_then(|room| {
            let room: serde_json::Value = serde_json::from_slice(&room).ok()?;
            room["creator"].as_str().map(|creator| format!("{creator}/{local}"))
        });
        if let Some(key) = creator {
            let owned = Read::MapGet { space: kept::ROOM_OWNED, owner: service, key: key.as_str().into() };
            if let Some(value) = self.read(owned)?.into_doc() {
                self.kept_value(kept::ROOM_OWNED, Some(&key), &value)?;
            }
        }
        let open = format!("<archive xmlns='{}'>\n", ns::PIE_MAM);
        self.counts.archived += self.log(ARCHIVE, owner, (&open, "</archive>\n"), |entry, w| {
            result(entry, w, true);
        })?;
        self.counts.rooms += 1;
        self.put(b"</room>\n")
    }
}

/// One message of an archive; with what a room knows of its author.
fn result(entry: &Entry, w: &mut Writer, room: bool) {
    w.open("result", ns::MAM).attr("id", entry.id.to_string());
    if room {
        for (name, value) in [("with", &entry.with), ("resource", &entry.resource)] {
            if let Some(value) = value {
                w.attr_ns(ns::MOVING, name, value);
            }
        }
        w.attr_ns(ns::MOVING, "tag", entry.tag.to_string());
    }
    w.open("forwarded", ns::FORWARD);
    when::write_delay(w, None, entry.at_ms);
    w.raw_from(&entry.value, "");
    w.close().close();
}
