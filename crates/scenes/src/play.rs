//! Playing a scene.
//!
//! Not here: the language (`script.rs`), comparing XML (`pattern.rs`).

use std::collections::VecDeque;
use std::fmt;

use crate::pattern::{self, Names, Tree};
use crate::script::{Expected, Scene, Start, Step};
use crate::world::{Act, Heard, World};

/// Why a scene failed.
#[derive(Debug)]
pub struct Failure {
    /// In which line.
    pub line: usize,
    /// Why.
    pub why: String,
    /// All that happened until then.
    pub transcript: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "line {}: {}", self.line, self.why)?;
        writeln!(f, "what happened:")?;
        self.transcript.iter().try_for_each(|line| writeln!(f, "  {line}"))
    }
}

/// A client, as the play knows it.
#[derive(Default)]
struct Role {
    name: String,
    account: Option<address::Bare>,
    stanzas: VecDeque<String>,
    acks: VecDeque<u32>,
    asked: bool,
    bound: Option<Result<String, String>>,
    resumed: Option<Result<u32, Option<u32>>>,
    closed: Option<Option<String>>,
    sm_id: Option<String>,
    /// Stanzas received since stream management was enabled.
    counted: Option<u32>,
}

struct Play<'a> {
    world: &'a mut dyn World,
    roles: Vec<Role>,
    names: Names,
    transcript: Vec<String>,
}

/// Plays a scene.
///
/// # Errors
/// At the first step that goes differently.
pub fn play(scene: &Scene, world: &mut dyn World) -> Result<(), Failure> {
    let role = |(name, jid, _): &(String, address::Jid, _)| Role {
        name: name.clone(),
        account: Some(jid.bare()),
        ..Role::default()
    };
    let roles = scene.clients.iter().map(role).collect();
    let mut play = Play { world, roles, names: Names::new(), transcript: Vec::new() };
    for (line, step) in &scene.steps {
        if let Err(why) = play.step(step) {
            play.listen();
            return Err(Failure { line: *line, why, transcript: play.transcript });
        }
    }
    play.listen();
    let rest = play.roles.iter().find(|role| !role.stanzas.is_empty() || role.closed.is_some());
    let why = rest.map(|role| match role.stanzas.front() {
        Some(stanza) => format!("{} also received {stanza}", role.name),
        None => format!("{} was closed", role.name),
    });
    let line = scene.steps.last().map_or(0, |(line, _)| *line);
    why.map_or(Ok(()), |why| Err(Failure { line, why: format!("at the end: {why}"), transcript: play.transcript }))
}

impl Play<'_> {
    fn step(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Do(act) => self.act(act.clone()),
            Step::Start(client, jid, wish, start) => {
                self.connect(*client, jid, wish)?;
                match self.roles[*client].bound.take() {
                    Some(Ok(jid)) => {
                        self.names.insert(self.roles[*client].name.clone(), jid);
                        self.start(*client, *start)
                    }
                    other => Err(format!("it did not get an address: {other:?}")),
                }
            }
            Step::CannotStart(client, jid, wish, why) => {
                self.connect(*client, jid, wish)?;
                match self.roles[*client].bound.take() {
                    Some(Err(condition)) if condition == *why => Ok(()),
                    other => Err(format!("{why} expected, {other:?} found")),
                }
            }
            Step::Befriend(one, other) => self.befriend(one, other),
            Step::Send(client, text) => {
                let text = pattern::fill(text, &self.names)?;
                self.note(*client, "->", &text);
                self.act(Act::Send(*client, text))
            }
            Step::Receive(client, expected, ordered) => self.receive(*client, expected, *ordered),
            Step::Nothing(client) => {
                self.listen();
                let role = &self.roles[*client];
                match (role.stanzas.front(), &role.closed) {
                    (None, None) => Ok(()),
                    (Some(stanza), _) => Err(format!("nothing expected, but {stanza}")),
                    (None, Some(error)) => Err(format!("it was closed: {error:?}")),
                }
            }
            Step::Forget(client) => {
                self.listen();
                self.roles[*client].stanzas.clear();
                Ok(())
            }
            Step::Closed(client, error) => {
                self.listen();
                match self.roles[*client].closed.take() {
                    Some(found) if found == *error => Ok(()),
                    found => Err(format!("closed with {error:?} expected, {found:?} found")),
                }
            }
            _ => self.manage(step),
        }
    }

    /// Steps of stream management.
    fn manage(&mut self, step: &Step) -> Result<(), String> {
        self.listen();
        match step {
            Step::AckAll(client) => {
                let h = self.roles[*client].counted.ok_or("stream management is off")?;
                self.act(Act::Ack(*client, h))
            }
            Step::GetAck(client, wanted) => match self.roles[*client].acks.pop_front() {
                found if found == *wanted => Ok(()),
                found => Err(format!("ack {wanted:?} expected, {found:?} found")),
            },
            Step::Asked(client, wanted) => {
                match std::mem::take(&mut self.roles[*client].asked) == *wanted {
                    true => Ok(()),
                    false => Err("it is the other way round".to_owned()),
                }
            }
            Step::Resume(client, whose, from, server) => match self.resume(*client, *whose, *from)? {
                Ok(h) if server.is_none_or(|wanted| wanted == h) => Ok(()),
                other => Err(format!("resumed with {server:?} expected, {other:?} found")),
            },
            Step::CannotResume(client, whose, from, server) => match self.resume(*client, *whose, *from)? {
                Err(h) if h == *server => Ok(()),
                other => Err(format!("refused with {server:?} expected, {other:?} found")),
            },
            _ => Ok(()),
        }
    }

    fn act(&mut self, act: Act) -> Result<(), String> {
        if !matches!(act, Act::Send(..)) {
            self.transcript.push(format!("-- {act:?}"));
        }
        self.world.act(act)
    }

    fn connect(&mut self, client: usize, jid: &address::Jid, wish: &crate::Wish) -> Result<(), String> {
        self.listen();
        let role = &mut self.roles[client];
        (role.counted, role.sm_id) = (None, None);
        self.act(Act::Connect(client, jid.clone(), wish.clone()))?;
        self.listen();
        Ok(())
    }

    fn start(&mut self, client: usize, start: Start) -> Result<(), String> {
        for (wanted, text) in [
            (start.roster, "<iq id='start' type='get'><query xmlns='jabber:iq:roster'/></iq>"),
            (start.presence, "<presence/>"),
        ] {
            if wanted {
                self.note(client, "->", text);
                self.act(Act::Send(client, text.to_owned()))?;
            }
        }
        self.listen();
        if start.roster || start.presence {
            self.roles[client].stanzas.clear();
        }
        Ok(())
    }

    fn resume(
        &mut self,
        client: usize,
        whose: usize,
        from: Option<u32>,
    ) -> Result<Result<u32, Option<u32>>, String> {
        let role = &self.roles[whose];
        let (id, counted) = (role.sm_id.clone().unwrap_or("nonsense".to_owned()), role.counted.unwrap_or(0));
        let account = self.roles[client].account.clone().ok_or("it has no account")?;
        self.act(Act::Resume { client, account, id, h: from.unwrap_or(counted) })?;
        if client != whose {
            self.roles[client].counted = Some(from.unwrap_or(counted));
            self.roles[client].sm_id = self.roles[whose].sm_id.clone();
        } else if let Some(from) = from {
            self.roles[client].counted = Some(from);
        }
        self.listen();
        self.roles[client].resumed.take().ok_or("no answer".to_owned())
    }

    /// The whole handshake in both directions, by clients that nobody sees.
    fn befriend(&mut self, one: &address::Bare, other: &address::Bare) -> Result<(), String> {
        const STAGE: usize = 1_000_000;
        for (client, account) in [(STAGE, one), (STAGE + 1, other)] {
            let jid = account.with_resource("stage").map_err(|error| format!("{error:?}"))?;
            self.world.act(Act::Connect(client, jid, crate::Wish::default()))?;
        }
        for (client, to, ty) in [
            (STAGE, other, "subscribe"),
            (STAGE + 1, one, "subscribed"),
            (STAGE + 1, one, "subscribe"),
            (STAGE, other, "subscribed"),
        ] {
            self.world.act(Act::Send(client, format!("<presence to='{to}' type='{ty}'/>")))?;
            self.world.hear(client);
        }
        for client in [STAGE, STAGE + 1] {
            self.world.act(Act::Disconnect(client))?;
            self.world.hear(client);
        }
        self.transcript.push(format!("-- {one} and {other} are contacts"));
        Ok(())
    }

    fn receive(&mut self, client: usize, expected: &Expected, ordered: bool) -> Result<(), String> {
        self.listen();
        let count = expected.0.len();
        let mut came: Vec<(Tree, String)> = Vec::new();
        let waiting = &mut self.roles[client].stanzas;
        for text in waiting.drain(..count.min(waiting.len())) {
            let tree = pattern::read(&text)?.pop().ok_or("no element")?;
            came.push((tree, text));
        }
        for (at, tree) in expected.0.iter().enumerate() {
            let place = if count == 1 { String::new() } else { format!(" (number {} of {count})", at + 1) };
            let context = |why: &str, got: &str| format!("{why}{place}\nexpected:\n  {tree}\ngot:\n  {got}");
            if came.is_empty() {
                return Err(context("nothing came", ""));
            }
            if ordered {
                let (found, got) = came.remove(0);
                tree.matches(&found, &mut self.names).map_err(|why| context(&why, &got))?;
                continue;
            }
            let names = &mut self.names;
            let like = came.iter().position(|(found, _)| tree.matches(found, names).is_ok());
            match like {
                Some(at) => drop(came.remove(at)),
                None => {
                    let all: Vec<&str> = came.iter().map(|(_, text)| text.as_str()).collect();
                    return Err(context("none is like it", &all.join("\n  ")));
                }
            }
        }
        Ok(())
    }

    /// Takes what everybody has heard.
    fn listen(&mut self) {
        for client in 0..self.roles.len() {
            for heard in self.world.hear(client) {
                let text = match &heard {
                    Heard::Stanza(text) => text.clone(),
                    other => format!("({other:?})"),
                };
                self.note(client, "<-", &text);
                self.roles[client].hear(heard);
            }
        }
    }

    fn note(&mut self, client: usize, arrow: &str, text: &str) {
        let text: String = text.lines().map(str::trim).collect::<Vec<_>>().join(" ");
        self.transcript.push(format!("{} {arrow} {text}", self.roles[client].name));
    }
}

impl Role {
    fn hear(&mut self, heard: Heard) {
        match heard {
            Heard::Bound(jid) => self.bound = Some(Ok(jid)),
            Heard::NotBound(condition) => self.bound = Some(Err(condition)),
            Heard::Enabled(id) => (self.sm_id, self.counted) = (id, Some(0)),
            Heard::NotEnabled(condition) => self.closed = Some(Some(condition)),
            Heard::Resumed(h) => self.resumed = Some(Ok(h)),
            Heard::NotResumed(h) => self.resumed = Some(Err(h)),
            Heard::Stanza(text) => {
                self.counted = self.counted.map(|counted| counted + 1);
                self.stanzas.push_back(text);
            }
            Heard::Ack(h) => self.acks.push_back(h),
            Heard::AckRequest => self.asked = true,
            Heard::Closed(error) => self.closed = Some(error),
        }
    }
}
