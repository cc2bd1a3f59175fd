//! A stage for tests: the service with its places, a store in memory, and what leaves as lines.
//!
//! Not here: clients and accounts (the scenes have them).

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use address::{Bare, Jid};
use kernel::{Effect, Effects, Now, Rest, Resume, Service, Spot, Turn};
use model::query::{Found, Query};
use model::storage::{Batch, Read};
use stanza::{Condition, Stanza};
use store::memory::Memory;
use store::{Store, block_on};

use crate::{Rooms, Settings};

/// The room that most tests are about.
pub(crate) const ROOM: &str = "coven@rooms.example";
/// Who makes it.
pub(crate) const CRONE: &str = "crone@a.example/desktop";
/// Who comes too.
pub(crate) const HAG: &str = "hag@a.example/pda";
/// Another one.
pub(crate) const WITCH: &str = "witch@a.example/laptop";

const BEGINNING_MS: u64 = 1_767_225_600_000;

/// The service, between turns.
pub(crate) struct Stage {
    rooms: Rooms,
    settings: Settings,
    store: Memory,
    spots: BTreeMap<Bare, Spot>,
    pub(crate) now_ms: u64,
    id: u64,
    alarm: Option<u64>,
    /// Whether questions fail: too many are open.
    pub(crate) busy: bool,
}

impl Stage {
    /// A service without rooms, long after its start.
    pub(crate) fn new() -> Stage {
        let domain = |text| Jid::parse(text).unwrap();
        let settings = Settings::new(domain("rooms.example"), domain("a.example"), BEGINNING_MS);
        Stage::with(settings)
    }

    pub(crate) fn with(settings: Settings) -> Stage {
        let now_ms = settings.started_ms + 1_000_000;
        Stage {
            rooms: rooms(&settings),
            settings,
            store: Memory::new(),
            spots: BTreeMap::new(),
            now_ms,
            id: 0,
            alarm: None,
            busy: false,
        }
    }

    /// With the room made and configured as it is by default, its creator in it; then these configured.
    pub(crate) fn room(fields: &[(&str, &str)]) -> Stage {
        let mut stage = Stage::new();
        stage.enter(CRONE, "crone");
        let seen = stage.configure(fields);
        assert!(seen.iter().any(|line| line.contains("type='result'")), "{seen:?}");
        stage
    }

    pub(crate) fn configure(&mut self, fields: &[(&str, &str)]) -> Vec<String> {
        let fields: String = fields
            .iter()
            .map(|(var, value)| format!("<field var='muc#{var}'><value>{value}</value></field>"))
            .collect();
        self.owner(CRONE, &format!("<x xmlns='jabber:x:data' type='submit'>{fields}</x>"))
    }

    /// Enters the room.
    pub(crate) fn enter(&mut self, jid: &str, nick: &str) -> Vec<String> {
        self.send(&format!(
            "<presence from='{jid}' to='{ROOM}/{nick}'><x xmlns='http://jabber.org/protocol/muc'/></presence>"
        ))
    }

    /// Says something to all.
    pub(crate) fn say(&mut self, jid: &str, text: &str) -> Vec<String> {
        self.send(&format!(
            "<message from='{jid}' to='{ROOM}' id='m' type='groupchat'><body>{text}</body></message>"
        ))
    }

    pub(crate) fn iq(&mut self, jid: &str, ty: &str, payload: &str) -> Vec<String> {
        self.send(&format!("<iq from='{jid}' to='{ROOM}' id='i' type='{ty}'>{payload}</iq>"))
    }

    /// A request to change roles or affiliations.
    pub(crate) fn admin(&mut self, jid: &str, items: &str) -> Vec<String> {
        self.iq(jid, "set", &format!("<query xmlns='http://jabber.org/protocol/muc#admin'>{items}</query>"))
    }

    pub(crate) fn owner(&mut self, jid: &str, inner: &str) -> Vec<String> {
        self.iq(jid, "set", &format!("<query xmlns='http://jabber.org/protocol/muc#owner'>{inner}</query>"))
    }

    /// Brings a stanza in canonical form; what is said then, in order, as XML.
    pub(crate) fn send(&mut self, xml: &str) -> Vec<String> {
        let stanza = Stanza::from_stored(xml.as_bytes()).unwrap_or_else(|error| panic!("{error:?}: {xml}"));
        let address = stanza.to.as_ref().unwrap().bare();
        self.turn(&address, |rooms, turn| rooms.arrive(turn, stanza))
    }

    /// Time passes; an alarm that is due rings.
    pub(crate) fn pass(&mut self, ms: u64) -> Vec<String> {
        self.now_ms += ms;
        match self.alarm.take_if(|at| *at <= self.now_ms) {
            Some(_) => self.turn(&Bare::parse(ROOM).unwrap(), |rooms, turn| rooms.woken(turn)),
            None => Vec::new(),
        }
    }

    /// The server dies and comes back.
    pub(crate) fn restart(&mut self) {
        self.spots.clear();
        self.settings.started_ms = self.now_ms;
        self.rooms = rooms(&self.settings);
        self.now_ms += 1_000_000;
    }

    /// Something is in the store that another put there.
    pub(crate) fn stored(&mut self, write: model::storage::Write) {
        block_on(self.store.commit(Batch::from(write))).unwrap();
    }

    /// Whether the room is in memory.
    pub(crate) fn rest(&self) -> Option<Rest> {
        self.spots.get(ROOM).map(|spot| self.rooms.rest(spot))
    }

    fn turn(&mut self, address: &Bare, act: impl FnOnce(&Rooms, &mut Turn<'_, Spot>)) -> Vec<String> {
        if !self.spots.contains_key(address) {
            let loaded = self.rooms.reads(address).into_iter().map(|read| self.read(read)).collect();
            let mut spot = Spot::new(address.clone());
            self.rooms.hydrate(&mut spot, loaded);
            self.spots.insert(address.clone(), spot);
        }
        let (mut lines, mut asked) = (Vec::new(), VecDeque::new());
        let (mut fx, now) = (Effects::default(), Now { unix_ms: self.now_ms });
        self.id += 1;
        let spot = self.spots.get_mut(address).unwrap();
        act(&self.rooms, &mut Turn::new(now, self.id, spot, None, &mut fx));
        self.take(fx, &mut lines, &mut asked);
        while let Some((address, read, resume)) = asked.pop_front() {
            let found = match self.busy {
                true => Err(Condition::ResourceConstraint.into()),
                false => Ok(Found::Loaded(self.read(read))),
            };
            let mut fx = Effects::default();
            self.id += 1;
            let spot = self.spots.get_mut(&address).unwrap();
            resume(&mut Turn::new(now, self.id, spot, None, &mut fx), found);
            self.take(fx, &mut lines, &mut asked);
        }
        if self.rooms.rest(&self.spots[address]) == Rest::Nothing {
            self.spots.remove(address);
        }
        lines
    }

    fn read(&self, read: Read) -> model::storage::Loaded {
        block_on(self.store.read(read)).unwrap()
    }

    fn take(
        &mut self,
        mut fx: Effects,
        lines: &mut Vec<String>,
        asked: &mut VecDeque<(Bare, Read, Resume<Spot>)>,
    ) {
        if let Some(after) = fx.take_wake() {
            self.alarm = Some(self.now_ms + after);
        }
        for effect in fx.take() {
            match effect {
                Effect::Route(stanza) => lines.push(format!("{stanza:?}")),
                Effect::Write(write) => block_on(self.store.commit(Batch::from(write))).unwrap(),
                Effect::AskSpot(address, Query::Read(read), resume) => {
                    asked.push_back((address, read, resume))
                }
                other => panic!("a room does not do that: {other:?}"),
            }
        }
    }
}

fn rooms(settings: &Settings) -> Rooms {
    Rooms::new(settings.clone(), Arc::new(|bytes: &mut [u8]| bytes.fill(7)))
}

/// The error of a line: its condition.
fn error(line: &str) -> String {
    let tree = line.split_once("<error type='").map_or("", |(_, rest)| rest);
    let condition = tree.split_once("'><").map_or("", |(_, rest)| rest);
    condition.split([' ', '/', '>']).next().unwrap_or_default().to_owned()
}

/// The only error among what is said, or `ok`.
pub(crate) fn outcome(seen: &[String]) -> String {
    match seen.iter().find(|line| line.contains("<error ")) {
        Some(line) => error(line),
        None => "ok".to_owned(),
    }
}

/// Those lines that are for somebody.
pub(crate) fn to<'l>(seen: &'l [String], jid: &str) -> Vec<&'l str> {
    let wanted = format!(" to='{jid}'");
    seen.iter().map(String::as_str).filter(|line| line.contains(&wanted)).collect()
}
