//! `detente room ...`: what it does, and what it refuses.
//!
//! Not here: the rules of rooms (muc), rooms while the server runs (interop).

use crate::world::World;

const TEAM: &str = "team@conference.localhost";

fn json(world: &World, args: &[&str]) -> serde_json::Value {
    let said = world.run(&[args, &["--json"]].concat());
    assert_eq!((said.code, said.err.as_str()), (0, ""), "{args:?}");
    serde_json::from_str(&said.out).unwrap()
}

fn made() -> World {
    let world = World::new();
    let said = world.run(&[
        "room",
        "create",
        TEAM,
        "--owner",
        "alice@localhost",
        "roomname=The Team",
        "publicroom=0",
    ]);
    assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (0, &*format!("{TEAM} is made\n"), ""));
    world
}

#[test]
fn rooms_are_made_listed_configured_and_ended() {
    let world = made();
    let list = json(&world, &["room", "list"]);
    assert_eq!(
        list,
        serde_json::json!([{ "jid": TEAM, "name": "The Team", "public": false, "lasting": true, "creator": "alice@localhost" }])
    );
    assert_eq!(json(&world, &["room", "list", "localhost"]), list);
    let shown = json(&world, &["room", "show", TEAM]);
    assert_eq!((&shown["owners"], &shown["locked"]), (&1.into(), &false.into()));
    let said = world.run_with(
        &[
            "room",
            "config",
            TEAM,
            "maxusers=7",
            "membersonly=true",
            "roomadmins=bob@localhost, eve@localhost",
            "--password-stdin",
        ],
        "pencil\n",
    );
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    let config = json(&world, &["room", "config", TEAM]);
    for (name, value) in [
        ("roomname", "The Team".into()),
        ("maxusers", "7".into()),
        ("membersonly", true.into()),
        ("passwordprotectedroom", true.into()),
        ("roomadmins", serde_json::json!(["bob@localhost", "eve@localhost"])),
    ] {
        assert_eq!(config[name], value, "{name}");
    }
    assert!(!config.to_string().contains("pencil"));
    let said = world.run(&["room", "affiliation", TEAM, "spam.example", "outcast", "--reason", "spam"]);
    assert_eq!((said.code, said.out.as_str()), (0, "spam.example is banned\n"));
    assert_eq!(world.run(&["room", "affiliation", TEAM, "eve@localhost", "none"]).code, 0);
    let all = json(&world, &["room", "affiliation", TEAM]);
    let all: Vec<String> = all
        .as_array()
        .unwrap()
        .iter()
        .map(|row| format!("{} {} {}", row["jid"], row["affiliation"], row["reason"]))
        .collect();
    assert_eq!(
        all,
        [
            "\"alice@localhost\" \"owner\" null",
            "\"bob@localhost\" \"admin\" null",
            "\"spam.example\" \"outcast\" \"spam\""
        ]
    );
    let ended = world.run(&["room", "destroy", TEAM, "--yes", "--instead", "other@conference.localhost"]);
    assert_eq!((ended.code, ended.out.as_str()), (0, &*format!("{TEAM} is no more\n")));
    assert_eq!(json(&world, &["room", "list"]), serde_json::json!([]));
    let again = world.run(&["room", "create", TEAM, "--owner", "bob@localhost"]);
    assert_eq!(again.code, 0, "its address is closed for others only: {again:?}");
}

#[test]
fn what_is_refused_says_why_and_changes_nothing() {
    let world = made();
    let before = (json(&world, &["room", "config", TEAM]), json(&world, &["room", "affiliation", TEAM]));
    let none = "none@conference.localhost";
    for (args, code, expected) in [
        (&["room", "show", none][..], 3, "there is no room none@conference.localhost"),
        (&["room", "config", none], 3, "there is no room"),
        (&["room", "config", none, "maxusers=1"], 3, "there is no room"),
        (&["room", "destroy", none, "--yes"], 3, "there is no room"),
        (&["room", "affiliation", none, "a@localhost", "member"], 3, "there is no room"),
        (
            &["room", "show", "team@localhost"],
            3,
            "has no rooms of this server; they are at: conference.localhost",
        ),
        (&["room", "list", "b.example"], 3, "b.example has no rooms of this server"),
        (&["room", "show", "conference.localhost"], 2, "is a domain"),
        (&["room", "show", "a b@conference.localhost"], 2, "a b@"),
        (&["room", "create", TEAM, "--owner", "bob@localhost"], 4, "exists already"),
        (&["room", "create", none], 2, "--owner <JID>"),
        (&["room", "create", none, "--owner", "localhost"], 2, "is a domain"),
        (&["room", "create", none, "--owner", "a@localhost", "maxusers=0"], 1, "a number is out of range"),
        (
            &["room", "create", none, "--owner", "a@localhost", "colour=red"],
            2,
            "\"colour\" is no setting of a room; they are: allow",
        ),
        (&["room", "config", TEAM, "roomname=x", "maxusers=0"], 1, "a number is out of range"),
        (
            &["room", "config", TEAM, "roomname=x", "membersonly=perhaps"],
            1,
            "a flag is neither true nor false",
        ),
        (&["room", "config", TEAM, "roomname=x", "roomowners="], 1, "a room needs an owner"),
        (&["room", "config", TEAM, "roomname=x", "roomname=y"], 2, "is said twice"),
        (&["room", "config", TEAM, "roomname=\u{7}"], 2, "control characters"),
        (&["room", "config", TEAM, "roomname"], 2, "is not NAME=VALUE"),
        (&["room", "config", TEAM, "roomsecret=pencil"], 2, "passwords are no arguments"),
        (
            &["room", "affiliation", TEAM, "bob@localhost", "king"],
            2,
            "\"king\" is none of: owner, admin, member, outcast, none",
        ),
        (&["room", "affiliation", TEAM, "bob@localhost"], 2, "<JID> <AFFILIATION>"),
        (&["room", "affiliation", TEAM, "localhost", "member"], 1, "jid-malformed"),
        (&["room", "affiliation", TEAM, "alice@localhost", "none"], 1, "a room needs an owner"),
        (&["room", "affiliation", TEAM, "@", "member"], 2, "@"),
    ] {
        let said = world.run(args);
        assert!(said.code == code && said.err.contains(expected), "{args:?} {said:?}");
    }
    assert_eq!(
        (json(&world, &["room", "config", TEAM]), json(&world, &["room", "affiliation", TEAM])),
        before
    );
    assert_eq!(json(&world, &["room", "list"]).as_array().unwrap().len(), 1);
}
