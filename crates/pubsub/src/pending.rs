//! The command by which owners have requests shown again that wait for their word.
//!
//! XEP-0060 1.30.0 (section 8.7), XEP-0050 1.3.0 (one form)
//!
//! Not here: the word itself (`subscribe.rs`).

use std::collections::HashMap;

use address::{Bare, Jid};
use bytes::Bytes;
use kernel::{Answer, Spot, Turn};
use stanza::{Condition, Stanza, StanzaError, ns};
use xml::{El, Writer};

use crate::access::{affiliation, owned};
use crate::error::MALFORMED;
use crate::form::{self, Answered, Field};
use crate::home::Home;
use crate::limits::{PENDING_ASKED_MAX, PENDING_PAUSE_MS, PENDING_PAUSES_MAX};
use crate::node::{Affiliation, Node, State};
use crate::subscribe::ask;

/// Its name for people.
pub(crate) const TITLE: &str = "Requests that wait for you";

/// A command for the service; the requests that it asks for follow its answer.
pub(crate) fn answer(turn: &mut Turn<'_, Spot>, stanza: Stanza) {
    let said =
        stanza.payload.tree().ok().and_then(|tree| Some(run(turn, stanza.from.as_ref()?, tree.root()?)));
    let (reply, asked) = match said.unwrap_or(Err(MALFORMED)) {
        Ok((reply, asked)) => (Answer::Reply(reply), asked),
        Err(error) => (error.into(), None),
    };
    let owner = stanza.from.clone();
    kernel::answer(turn, stanza, reply);
    if let (Some((name, waiting)), Some(owner)) = (asked, owner) {
        for (count, jid) in waiting.iter().enumerate() {
            ask(turn, &name, jid, &owner, count);
        }
    }
}

/// Who was shown the requests at which node, and when, in Unix milliseconds: they are many stanzas for one.
#[derive(Default)]
struct Shown(HashMap<(String, Bare), u64>);

impl Shown {
    /// Whether they may be shown now; if so that is noted.
    fn may(&mut self, node: &str, owner: Bare, now_ms: u64) -> bool {
        // A clock that was set back ends a pause.
        self.0.retain(|_, at| now_ms.checked_sub(*at).is_some_and(|passed| passed < PENDING_PAUSE_MS));
        let key = (node.to_owned(), owner);
        let may = self.0.len() < PENDING_PAUSES_MAX && !self.0.contains_key(&key);
        if may {
            self.0.insert(key, now_ms);
        }
        may
    }
}

/// A node, and who waits there.
type Asked = (String, Vec<Jid>);

fn run(
    turn: &mut Turn<'_, Spot>,
    from: &Jid,
    command: El<'_>,
) -> Result<(Bytes, Option<Asked>), StanzaError> {
    let refusal = |app| StanzaError::from(Condition::BadRequest).app(app, ns::COMMANDS);
    if command.name() != "command" {
        return Err(MALFORMED);
    }
    match command.attr("node").as_deref() {
        Some(ns::PUBSUB_GET_PENDING) => {}
        Some(_) => return Err(Condition::ItemNotFound.into()),
        None => return Err(MALFORMED),
    }
    match command.attr("action").as_deref() {
        None | Some("execute" | "complete") => {}
        Some("cancel") => return Ok((write("canceled", |_| ()), None)),
        Some("prev" | "next") => return Err(refusal("bad-action")),
        Some(_) => return Err(refusal("malformed-action")),
    }
    if command.child("x", ns::FORMS).is_none() {
        return Ok((choice(turn, from)?, None));
    }
    let form = match form::read(command, ns::PUBSUB_SUBSCRIBE_AUTHORIZATION) {
        Ok(Answered::Submitted(form)) => form,
        Ok(Answered::Cancelled) => return Ok((write("canceled", |_| ()), None)),
        Err(_) => return Err(refusal("bad-payload")),
    };
    let name = form.value("pubsub#node").ok_or_else(|| refusal("bad-payload"))?;
    let node = owned(turn.place, name, from)?;
    let waiting: Vec<Jid> = waiting(node, turn.now.unix_ms).take(PENDING_ASKED_MAX).cloned().collect();
    let shown = turn.place.slots.of::<Shown>();
    if !waiting.is_empty() && !shown.may(name, from.bare(), turn.now.unix_ms) {
        return Err(StanzaError::from(Condition::ResourceConstraint)
            .text("they have just been shown; try again in a moment"));
    }
    Ok((write("completed", |_| ()), Some((name.to_owned(), waiting))))
}

fn waiting(node: &Node, now_ms: u64) -> impl Iterator<Item = &Jid> {
    let waits = node.subscriptions.iter();
    waits.filter(move |(_, held)| held.state == State::Pending && !held.is_over(now_ms)).map(|(jid, _)| jid)
}

/// The form: the asker's nodes at which somebody waits. Who owns none has nothing to allow.
fn choice(turn: &Turn<'_, Spot>, from: &Jid) -> Result<Bytes, StanzaError> {
    let nodes = turn.place.peek().into_iter().flat_map(|nodes| nodes.iter());
    let mut own =
        nodes.filter(|(_, node)| affiliation(turn.place, node, from) == Some(Affiliation::Owner)).peekable();
    if own.peek().is_none() {
        return Err(Condition::Forbidden.into());
    }
    let waits = own.filter(|(_, node)| waiting(node, turn.now.unix_ms).next().is_some());
    let choices: Vec<String> = waits.map(|(name, _)| name.to_string()).collect();
    if choices.is_empty() {
        return Ok(write("completed", |w| {
            w.open("note", ns::COMMANDS).attr("type", "info").text("nobody waits").close();
        }));
    }
    Ok(write("executing", |w| {
        w.open("actions", ns::COMMANDS)
            .attr("execute", "complete")
            .open("complete", ns::COMMANDS)
            .close()
            .close();
        let node =
            Field { var: "pubsub#node", label: "The node", ty: "list-single", values: Vec::new(), choices };
        form::write(w, "form", ns::PUBSUB_SUBSCRIBE_AUTHORIZATION, &[node]);
    }))
}

/// There is nothing to remember between the stages: the session says nothing.
fn write(status: &str, inner: impl FnOnce(&mut Writer)) -> Bytes {
    let mut w = Writer::new(ns::CLIENT);
    w.open("command", ns::COMMANDS).attr("node", ns::PUBSUB_GET_PENDING).attr("sessionid", "pending");
    w.attr("status", status);
    inner(&mut w);
    w.close();
    w.finish()
}

/// Discovery of the list of commands and of the command: its answer, if `node` is one of them.
pub(crate) fn info(node: &str) -> Option<Bytes> {
    let (ty, name, features) = match node {
        ns::COMMANDS => ("command-list", "Commands", &[ns::COMMANDS][..]),
        ns::PUBSUB_GET_PENDING => ("command-node", TITLE, &[ns::COMMANDS, ns::FORMS][..]),
        _ => return None,
    };
    let mut w = Writer::new(ns::CLIENT);
    w.open("query", ns::DISCO_INFO).attr("node", node).open("identity", ns::DISCO_INFO);
    w.attr("category", "automation").attr("type", ty).attr("name", name).close();
    for feature in features {
        w.open("feature", ns::DISCO_INFO).attr("var", feature).close();
    }
    w.close();
    Some(w.finish())
}

/// The list of commands.
pub(crate) fn items(place: &Spot) -> Bytes {
    let mut w = Writer::new(ns::CLIENT);
    w.open("query", ns::DISCO_ITEMS).attr("node", ns::COMMANDS).open("item", ns::DISCO_ITEMS);
    w.attr("jid", place.address().as_str()).attr("node", ns::PUBSUB_GET_PENDING).attr("name", TITLE);
    w.close().close();
    w.finish()
}
