//! Commands about rooms: what owners may do, for operators, and lists of all rooms.
//!
//! XEP-0045 1.35.5 sections 9 and 10
//!
//! Each is a request to the room in the name of its domain, so the rules and what occupants hear are those of requests of an
//! owner.
//!
//! Not here: those rules (muc).

use address::{Bare, Jid};
use serde_json::{Map, Value, json};
use stanza::{ErrorType, IqType, Kind, Stanza, StanzaError, ns};
use xml::{El, Writer};

use crate::args::Args;
use crate::room_form;
use crate::{Failure, FailureKind, Port};

/// What people can be to a room.
const AFFILIATIONS: [&str; 5] = ["owner", "admin", "member", "outcast", "none"];

fn usage(text: impl std::fmt::Display) -> Failure {
    Failure::new(FailureKind::Usage, text)
}

/// The room that a command is about, and whose service it is of.
struct Room {
    jid: Bare,
    host: Jid,
}

impl Room {
    fn of(port: &dyn Port, args: &Args) -> Result<Room, Failure> {
        let jid = args.account("room")?;
        let service = port.rooms().into_iter().find(|(domain, _)| domain == jid.domain());
        let host = service.and_then(|(_, host)| Jid::parse(&host).ok());
        match host {
            Some(host) => Ok(Room { jid, host }),
            None => {
                let known: Vec<String> = port.rooms().into_iter().map(|(domain, _)| domain).collect();
                let known = if known.is_empty() { "nowhere".to_owned() } else { known.join(", ") };
                let text = format!("{} has no rooms of this server; they are at: {known}", jid.domain());
                Err(Failure::new(FailureKind::NotFound, text))
            }
        }
    }

    async fn ask(
        &self,
        port: &dyn Port,
        ty: IqType,
        payload: impl FnOnce(&mut Writer),
    ) -> Result<Stanza, Failure> {
        ask(port, &self.host, self.jid.jid(), ty, payload).await
    }
}

/// Sends a request and waits for its answer.
async fn ask(
    port: &dyn Port,
    from: &Jid,
    to: &Jid,
    ty: IqType,
    payload: impl FnOnce(&mut Writer),
) -> Result<Stanza, Failure> {
    let mut w = Writer::new(ns::CLIENT);
    payload(&mut w);
    let request = Stanza::new(Kind::Iq(ty)).with_inner(w.finish()).from(from).to(to);
    match port.request(request).await? {
        Ok(answer) if answer.kind == Kind::Iq(IqType::Result) => Ok(answer),
        Ok(answer) => Err(refused(to, &answer)),
        Err(StanzaError { condition, ty, .. }) => {
            let kind = if ty == ErrorType::Wait { FailureKind::Failed } else { FailureKind::NotFound };
            Err(Failure::new(kind, format_args!("{to}: {}", condition.name())))
        }
    }
}

/// The error that a room answered with, in words.
fn refused(to: &Jid, answer: &Stanza) -> Failure {
    let error = answer.payload.child("error", ns::CLIENT).and_then(|error| {
        let tree = error.tree().ok()?;
        let error = tree.root()?;
        let condition = error.children().find(|child| child.ns() == ns::STANZAS && child.name() != "text");
        let text = error.child_text("text", ns::STANZAS).map(|text| text.into_owned());
        Some((condition?.name().to_owned(), text))
    });
    let (condition, text) = error.unwrap_or_else(|| ("undefined-condition".to_owned(), None));
    match condition.as_str() {
        "item-not-found" => missing(to),
        "conflict" if text.as_deref() == Some("there is one already") => {
            Failure::new(FailureKind::Exists, format_args!("{to} exists already"))
        }
        _ => Failure::new(FailureKind::Refused, format_args!("{to}: {}", text.unwrap_or(condition))),
    }
}

fn missing(room: &Jid) -> Failure {
    Failure::new(FailureKind::NotFound, format_args!("there is no room {room}"))
}

/// What stands in an answer.
fn read<T>(answer: &Stanza, take: impl FnOnce(El<'_>) -> T) -> Result<T, Failure> {
    let tree = answer.payload.tree().ok();
    let taken = tree.as_ref().and_then(|tree| tree.root()).map(take);
    taken.ok_or_else(|| Failure::new(FailureKind::Failed, "the room's answer cannot be read"))
}

/// The attributes that both the list and the description of a room have.
fn glance(room: El<'_>) -> Value {
    let text = |name| room.attr(name).map(|text| text.into_owned());
    let flag = |name| room.attr(name).as_deref() == Some("1");
    json!({
        "jid": text("jid"),
        "name": text("name"),
        "public": flag("public"),
        "lasting": flag("lasting"),
        "creator": text("creator"),
    })
}

/// A page: `rooms`, and `more` with what `after` has to say for the next one.
pub(crate) async fn list(port: &dyn Port, args: Args) -> Result<Value, Failure> {
    let of = args.place("of")?;
    let wanted = |(domain, host): &(String, String)| {
        of.as_ref().is_none_or(|of| of.as_str() == domain || of.as_str() == host)
    };
    let services: Vec<(String, String)> = port.rooms().into_iter().filter(wanted).collect();
    if let Some(of) = of.filter(|_| services.is_empty()) {
        return Err(Failure::new(FailureKind::NotFound, format_args!("{of} has no rooms of this server")));
    }
    let mut rooms: Vec<Value> = Vec::new();
    for (domain, host) in services {
        let (Ok(to), Ok(from)) = (Jid::parse(&domain), Jid::parse(&host)) else { continue };
        let mut after: Option<String> = None;
        loop {
            let answer = ask(port, &from, &to, IqType::Get, |w| {
                w.open("rooms", ns::ROOMS).attr_opt("after", after.as_deref()).close();
            });
            let answer = answer.await?;
            let (found, more) = read(&answer, |page| {
                let found: Vec<Value> = page.children_named("room", ns::ROOMS).map(glance).collect();
                (found, page.attr("more").map(|more| more.into_owned()))
            })?;
            rooms.extend(found);
            after = more;
            if after.is_none() {
                break;
            }
        }
    }
    Ok(json!({ "rooms": rooms }))
}

pub(crate) async fn show(port: &dyn Port, args: Args) -> Result<Value, Failure> {
    let room = Room::of(port, &args)?;
    let answer = room.ask(port, IqType::Get, |w| _ = w.open("room", ns::ROOMS).close()).await?;
    read(&answer, |el| {
        let mut shown = glance(el);
        shown["locked"] = (el.attr("locked").as_deref() == Some("1")).into();
        for count in el.children_named("count", ns::ROOMS) {
            let people = count.attr("people").and_then(|people| people.parse::<u64>().ok());
            shown[format!("{}s", count.attr("affiliation").unwrap_or_default())] = people.into();
        }
        let text = |el: El<'_>, name| el.attr(name).map(|text| text.into_owned());
        let occupant = |one: El<'_>| {
            json!({
                "nick": text(one, "nick"), "jid": text(one, "jid"),
                "role": text(one, "role"), "affiliation": text(one, "affiliation"),
            })
        };
        let occupants: Vec<Value> = el.children_named("occupant", ns::ROOMS).map(occupant).collect();
        shown["occupants"] = occupants.into();
        shown
    })
}

/// Nothing is made unless all that is said of it can be.
pub(crate) async fn create(port: &dyn Port, args: Args) -> Result<Value, Failure> {
    let (room, owner) = (Room::of(port, &args)?, args.account("owner")?);
    let mut fields = room_form::fields(&args)?;
    // A room that nobody is in would be gone with the next start.
    fields.entry("muc#roomconfig_persistentroom").or_insert_with(|| vec!["1".to_owned()]);
    let owners = fields.entry("muc#roomconfig_roomowners").or_default();
    if !owners.iter().any(|known| known == owner.as_str()) {
        owners.insert(0, owner.to_string());
    }
    let made = |w: &mut Writer| {
        w.open("create", ns::ROOMS);
        room_form::write(w, &fields);
        w.close();
    };
    room.ask(port, IqType::Set, made).await?;
    Ok(json!({ "jid": room.jid.as_str() }))
}

pub(crate) async fn destroy(port: &dyn Port, args: Args) -> Result<Value, Failure> {
    let room = Room::of(port, &args)?;
    let instead = args.place("instead")?.map(|instead| instead.to_string());
    let reason = args.written("reason")?;
    let end = |w: &mut Writer| {
        w.open("query", ns::MUC_OWNER).open("destroy", ns::MUC_OWNER).attr_opt("jid", instead);
        if let Some(reason) = reason {
            w.leaf("reason", ns::MUC_OWNER, reason);
        }
        w.close().close();
    };
    room.ask(port, IqType::Set, end).await?;
    Ok(json!({ "jid": room.jid.as_str() }))
}

pub(crate) async fn config(port: &dyn Port, args: Args) -> Result<Value, Failure> {
    let room = Room::of(port, &args)?;
    let answer = room.ask(port, IqType::Get, |w| _ = w.open("query", ns::MUC_OWNER).close()).await?;
    let fields: Map<String, Value> = read(&answer, room_form::read)?;
    Ok(json!({ "jid": room.jid.as_str(), "config": fields }))
}

/// Either all settings are taken over or none.
pub(crate) async fn configure(port: &dyn Port, args: Args) -> Result<Value, Failure> {
    let (room, fields) = (Room::of(port, &args)?, room_form::fields(&args)?);
    if fields.is_empty() {
        return Err(usage("say what shall change, as in persistentroom=1"));
    }
    let form = |w: &mut Writer| {
        w.open("query", ns::MUC_OWNER);
        room_form::write(w, &fields);
        w.close();
    };
    room.ask(port, IqType::Set, form).await?;
    Ok(json!({ "jid": room.jid.as_str() }))
}

pub(crate) async fn affiliations(port: &dyn Port, args: Args) -> Result<Value, Failure> {
    let room = Room::of(port, &args)?;
    let mut rows: Vec<Value> = Vec::new();
    for affiliation in &AFFILIATIONS[..4] {
        let list = |w: &mut Writer| {
            w.open("query", ns::MUC_ADMIN).open("item", ns::MUC_ADMIN).attr("affiliation", *affiliation);
            w.close().close();
        };
        let answer = room.ask(port, IqType::Get, list).await?;
        rows.extend(read(&answer, |query| {
            let row = |item: El<'_>| {
                json!({
                    "jid": item.attr("jid").map(|jid| jid.into_owned()),
                    "affiliation": affiliation,
                    "nick": item.attr("nick").map(|nick| nick.into_owned()),
                    "reason": item.child_text("reason", ns::MUC_ADMIN).map(|reason| reason.into_owned()),
                })
            };
            query.children_named("item", ns::MUC_ADMIN).map(row).collect::<Vec<Value>>()
        })?);
    }
    Ok(json!({ "jid": room.jid.as_str(), "affiliations": rows }))
}

pub(crate) async fn affiliation(port: &dyn Port, args: Args) -> Result<Value, Failure> {
    let room = Room::of(port, &args)?;
    let who = args.place("jid")?.ok_or_else(|| usage("say whose"))?;
    let affiliation = args.text("affiliation").unwrap_or_default();
    if !AFFILIATIONS.contains(&affiliation) {
        let text = format!("\"{affiliation}\" is none of: {}", AFFILIATIONS.join(", "));
        return Err(usage(text));
    }
    let reason = args.written("reason")?;
    let change = |w: &mut Writer| {
        w.open("query", ns::MUC_ADMIN).open("item", ns::MUC_ADMIN).attr("affiliation", affiliation);
        w.attr("jid", who.as_str());
        if let Some(reason) = reason {
            w.leaf("reason", ns::MUC_ADMIN, reason);
        }
        w.close().close();
    };
    room.ask(port, IqType::Set, change).await?;
    Ok(json!({ "jid": who.as_str(), "room": room.jid.as_str(), "affiliation": affiliation }))
}
