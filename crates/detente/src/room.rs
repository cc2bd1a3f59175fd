//! `detente room ...`.
//!
//! Not here: what is done (admin, muc).

use admin::{Failure, FailureKind};
use serde_json::{Map, Value};

use crate::cli::{OneRoom, Room, RoomSettings};
use crate::reach::{Reach, args};
use crate::{password, show, user};

pub(crate) fn run(command: Room) -> Result<(), Failure> {
    match command {
        Room::List { domain, common } => {
            let of = domain.map_or(Value::Null, Value::from);
            let found = Reach::new(&common.config)?.run("room list", args([("of", of)]))?;
            if common.json {
                return show::json(&found["rooms"]);
            }
            let columns = &["jid", "name", "public", "lasting", "creator"];
            show::table(found["rooms"].as_array().map_or(&[], Vec::as_slice), columns);
            Ok(())
        }
        Room::Show(one) => show_one(&one),
        Room::Create { room, owner, settings } => {
            let mut given = given(&room, &settings)?;
            given.insert("owner".to_owned(), owner.into());
            let made = Reach::new(&room.common.config)?.run("room create", given)?;
            user::told(&room.common, &made, "is made")
        }
        Room::Config { room, settings } if settings.settings.is_empty() && !settings.password_stdin => {
            config(&room)
        }
        Room::Config { room, settings } => {
            let done = Reach::new(&room.common.config)?.run("room configure", given(&room, &settings)?)?;
            user::told(&room.common, &done, "is configured")
        }
        Room::Affiliation { room, jid: None, .. } => affiliations(&room),
        Room::Affiliation { room, jid: Some(jid), affiliation, reason } => {
            let affiliation = affiliation.unwrap_or_default();
            let reason = reason.map_or(Value::Null, Value::from);
            let given = [
                ("room", room.room.as_str().into()),
                ("jid", jid.into()),
                ("affiliation", affiliation.as_str().into()),
                ("reason", reason),
            ];
            let done = Reach::new(&room.common.config)?.run("room affiliation", args(given))?;
            let what = match affiliation.as_str() {
                "none" => "has no affiliation any more".to_owned(),
                "outcast" => "is banned".to_owned(),
                other => format!("is {other}"),
            };
            user::told(&room.common, &done, &what)
        }
        Room::Destroy { room, reason, instead, yes } => destroy(&room, reason, instead, yes),
    }
}

fn given(room: &OneRoom, settings: &RoomSettings) -> Result<Map<String, Value>, Failure> {
    let password = match settings.password_stdin {
        true => Value::from(password::new(true)?.as_str()),
        false => Value::Null,
    };
    Ok(args([
        ("room", room.room.as_str().into()),
        ("settings", settings.settings.clone().into()),
        ("password", password),
    ]))
}

fn one(room: &OneRoom, command: &str) -> Result<Value, Failure> {
    Reach::new(&room.common.config)?.run(command, args([("room", room.room.as_str().into())]))
}

fn show_one(room: &OneRoom) -> Result<(), Failure> {
    let shown = one(room, "room show")?;
    if room.common.json {
        return show::json(&shown);
    }
    let names =
        ["jid", "name", "public", "lasting", "locked", "creator", "owners", "admins", "members", "outcasts"];
    show::facts(&shown, &names);
    if let Some(occupants) = shown["occupants"].as_array().filter(|occupants| !occupants.is_empty()) {
        println!("occupants:");
        show::table(occupants, &["nick", "jid", "role", "affiliation"]);
    }
    Ok(())
}

fn config(room: &OneRoom) -> Result<(), Failure> {
    let found = one(room, "room config")?;
    if room.common.json {
        return show::json(&found["config"]);
    }
    let names: Vec<&str> =
        found["config"].as_object().into_iter().flat_map(Map::keys).map(String::as_str).collect();
    show::facts(&found["config"], &names);
    Ok(())
}

fn affiliations(room: &OneRoom) -> Result<(), Failure> {
    let found = one(room, "room affiliations")?;
    if room.common.json {
        return show::json(&found["affiliations"]);
    }
    let rows = found["affiliations"].as_array().map_or(&[][..], Vec::as_slice);
    show::table(rows, &["jid", "affiliation", "nick", "reason"]);
    Ok(())
}

fn destroy(
    room: &OneRoom,
    reason: Option<String>,
    instead: Option<String>,
    yes: bool,
) -> Result<(), Failure> {
    let mut reach = Reach::new(&room.common.config)?;
    reach.run("room show", args([("room", room.room.as_str().into())]))?;
    if !yes && !password::confirm(&format!("End {} with everything that was said in it?", room.room))? {
        return Err(Failure::new(FailureKind::Failed, "nothing was ended"));
    }
    let text = |text: Option<String>| text.map_or(Value::Null, Value::from);
    let given = [("room", room.room.as_str().into()), ("reason", text(reason)), ("instead", text(instead))];
    let done = reach.run("room destroy", args(given))?;
    user::told(&room.common, &done, "is no more")
}
