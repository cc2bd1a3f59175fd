//! Group F, first part: rooms.
//!
//! XEP-0045, XEP-0313 (of rooms).
//!
//! Not here: nodes, archives of accounts, commands (`nodes.rs`).

use crate::Outcome;
use crate::client::Client;
use crate::row::{On, Row};
use crate::stage::Stage;

const ADMIN: &str = "http://jabber.org/protocol/muc#admin";
const OWNER: &str = "http://jabber.org/protocol/muc#owner";
pub(super) const MAM: &str = "<query xmlns='urn:xmpp:mam:2'/>";

pub(super) fn rows() -> Vec<Row> {
    vec![
        Row::new("F-01", "the archive of a room for members, asked for by a stranger, and by one who was never there", "ST forbidden")
            .script(On::All, strangers_archive),
        Row::new("F-02", "the same by who was banned, and by who is no member any more", "ST forbidden").script(On::All, former_members),
        Row::new("F-03", "lists of affiliations by who is none of them, the form of owners by who is none", "ST forbidden").script(On::All, lists),
        Row::new("F-04", "entering with `maxstanzas` of -1, `seconds` of 10^12, `since` in the future, no time at all", "entered, with no more than the room shows").budget(100, 1_024).script(On::All, history),
        Row::new("F-05", "in a semi-anonymous room: presence, messages, whispers, items, info, archive, vCard, as a participant sees them", "no real address").budget(100, 1_024).script(On::All, anonymous),
        Row::new("F-06", "the password of a room in its info, its items, its archive and the log", "nowhere").script(On::All, password),
        Row::new("F-07", "a nickname that is another's, empty, of 1,024 bytes, only space", "ST conflict, jid-malformed").script(On::All, nicknames),
        Row::new("F-08", "the last owner makes himself a member; an admin takes an owner's standing", "ST conflict, not-allowed").script(On::All, owners),
        Row::new("F-09", "whispers in the archive of a room", "absent").script(On::All, whispers),
        Row::new("F-10", "kick, ban and subject by a participant; speaking without voice", "ST forbidden, not-allowed").script(On::All, powerless),
        Row::new("F-12", "a flood of messages and of changes of the nickname to a room", "a limit for each: ST policy-violation, resource-constraint").budget(150, 1_024).script(On::All, floods),
        Row::new("F-13", "101 rooms of one user; a name of 10 KB; an address of 1,000 bytes", "ST not-acceptable; a room too many ends at once").whole().budget(1_500, 8_192).script(On::All, quantities),
        Row::new("F-14", "a room that was destroyed is entered again", "ST gone, with the other room").script(On::All, destroyed),
        Row::new("F-15", "30 invitations by way of a room, and more", "ST resource-constraint, policy-violation after some").budget(150, 1_024).script(On::All, invitations),
    ]
}

/// A client in a room.
pub(super) struct Guest {
    pub(super) client: Client,
    pub(super) jid: String,
    pub(super) name: String,
    asked: u32,
}

impl Guest {
    pub(super) fn new(stage: &Stage<'_>) -> Outcome<Guest> {
        let name = stage.server.user()?;
        let (client, jid) = stage.online(&name)?;
        Ok(Guest { client, jid, name, asked: 0 })
    }

    pub(super) fn bare(&self) -> String {
        format!("{}@a.example", self.name)
    }

    /// A request; its answer.
    pub(super) fn ask(&mut self, kind: &str, to: &str, payload: &str) -> Outcome<String> {
        self.asked += 1;
        let id = format!("q{}", self.asked);
        let to = if to.is_empty() { String::new() } else { format!(" to='{to}'") };
        self.client.ask(&id, &format!("<iq xmlns='jabber:client' type='{kind}' id='{id}'{to}>{payload}</iq>"))
    }

    /// A request that must be answered well.
    pub(super) fn set(&mut self, to: &str, payload: &str) -> Outcome {
        let answer = self.ask("set", to, payload)?;
        if answer.contains("type='result'") { Ok(()) } else { Err(format!("{payload}: {answer}")) }
    }

    /// A request that must fail with one of these conditions.
    pub(super) fn refused(&mut self, kind: &str, to: &str, payload: &str, conditions: &[&str]) -> Outcome {
        let answer = self.ask(kind, to, payload)?;
        let right = answer.contains("type='error'")
            && conditions.iter().any(|condition| answer.contains(&format!("<{condition}")));
        if right { Ok(()) } else { Err(format!("not {conditions:?} to {payload}: {answer}")) }
    }

    /// Asks an archive, which must answer; gives all that came.
    pub(super) fn history(&mut self, of: &str, query: &str) -> Outcome<String> {
        let to = if of.is_empty() { String::new() } else { format!(" to='{of}'") };
        self.client.say(format!("<iq xmlns='jabber:client' type='set' id='all'{to}>{query}</iq>"))?;
        self.client.until("</fin>")
    }

    /// Sends presence to a room; gives its answer to oneself, or the error.
    pub(super) fn enter_with(&mut self, at: &str, inside: &str) -> Outcome<String> {
        self.client.say(format!(
            "<presence xmlns='jabber:client' to='{at}'><x xmlns='http://jabber.org/protocol/muc'>{inside}</x></presence>"
        ))?;
        loop {
            let seen = self.client.until("</presence>")?;
            if seen.contains("code='110'") || seen.contains("type='error'") {
                return Ok(seen);
            }
        }
    }

    pub(super) fn enter(&mut self, room: &str, nick: &str) -> Outcome {
        let seen = self.enter_with(&format!("{room}/{nick}"), "")?;
        if seen.contains("code='110'") { Ok(()) } else { Err(seen) }
    }

    pub(super) fn say(&mut self, room: &str, text: &str) -> Outcome {
        self.client.say(format!(
            "<message xmlns='jabber:client' to='{room}' type='groupchat' id='{text}'><body>{text}</body></message>"
        ))
    }

    /// Speaks, and hears oneself.
    fn speak(&mut self, room: &str, text: &str) -> Outcome {
        self.say(room, text)?;
        self.client.until(&format!("<body>{text}</body>"))?;
        self.client.until("</message>").map(drop)
    }
}

/// An owner in a new room with these settings.
pub(super) fn room(stage: &Stage<'_>, settings: &[(&str, &str)]) -> Outcome<(Guest, String)> {
    let mut owner = Guest::new(stage)?;
    let room = format!("r-{}@conference.a.example", owner.name);
    owner.enter(&room, "owner")?;
    configure(&mut owner, &room, settings)?;
    Ok((owner, room))
}

fn configure(owner: &mut Guest, room: &str, settings: &[(&str, &str)]) -> Outcome {
    owner.set(room, &form(settings))
}

fn form(settings: &[(&str, &str)]) -> String {
    let fields: String = settings
        .iter()
        .map(|(name, value)| format!("<field var='muc#roomconfig_{name}'><value>{value}</value></field>"))
        .collect();
    format!(
        "<query xmlns='{OWNER}'><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'>\
         <value>http://jabber.org/protocol/muc#roomconfig</value></field>{fields}</x></query>"
    )
}

fn item(who: &str, what: &str) -> String {
    format!("<query xmlns='{ADMIN}'><item {who} {what}/></query>")
}

fn affiliate(owner: &mut Guest, room: &str, who: &str, affiliation: &str) -> Outcome {
    owner.set(room, &item(&format!("jid='{who}'"), &format!("affiliation='{affiliation}'")))
}

fn absent(text: &str, what: &str) -> Outcome {
    if text.contains(what) { Err(format!("{what:?} in {text}")) } else { Ok(()) }
}

fn strangers_archive(stage: &Stage<'_>) -> Outcome {
    let (mut owner, room) = room(stage, &[("membersonly", "1")])?;
    owner.speak(&room, "for-members")?;
    let mut stranger = Guest::new(stage)?;
    stranger.refused("set", &room, MAM, &["forbidden"])
}

fn former_members(stage: &Stage<'_>) -> Outcome {
    let (mut owner, room) = room(stage, &[("membersonly", "1")])?;
    let mut guest = Guest::new(stage)?;
    let who = guest.bare();
    affiliate(&mut owner, &room, &who, "member")?;
    guest.enter(&room, "guest")?;
    guest.set(&room, MAM)?;
    affiliate(&mut owner, &room, &who, "none")?;
    guest.refused("set", &room, MAM, &["forbidden"])?;
    configure(&mut owner, &room, &[("membersonly", "0")])?;
    affiliate(&mut owner, &room, &who, "outcast")?;
    guest.refused("set", &room, MAM, &["forbidden"])
}

fn lists(stage: &Stage<'_>) -> Outcome {
    let (_owner, room) = room(stage, &[])?;
    let mut guest = Guest::new(stage)?;
    guest.enter(&room, "guest")?;
    for affiliation in ["owner", "admin", "member", "outcast"] {
        guest.refused("get", &room, &item("", &format!("affiliation='{affiliation}'")), &["forbidden"])?;
    }
    guest.refused("get", &room, &format!("<query xmlns='{OWNER}'/>"), &["forbidden"])?;
    guest.refused("set", &room, &form(&[]), &["forbidden"])?;
    guest.refused("set", &room, &format!("<query xmlns='{OWNER}'><destroy/></query>"), &["forbidden"])
}

fn history(stage: &Stage<'_>) -> Outcome {
    let (mut owner, room) = room(stage, &[])?;
    owner.speak(&room, "earlier")?;
    for wish in [
        "maxstanzas='-1'",
        "maxstanzas='99999999999999999999'",
        "maxchars='-5'",
        "seconds='1000000000000'",
        "since='9999-12-31T23:59:59Z'",
        "since='yesterday'",
        "since=''",
    ] {
        let mut guest = Guest::new(stage)?;
        let at = format!("{room}/{}", guest.name);
        let seen = guest.enter_with(&at, &format!("<history {wish}/>"))?;
        if !seen.contains("code='110'") && !seen.contains("<bad-request") {
            return Err(format!("{wish}: {seen}"));
        }
        guest.client.probe("inside")?;
    }
    Ok(())
}

fn anonymous(stage: &Stage<'_>) -> Outcome {
    let (mut owner, room) = room(stage, &[("whois", "moderators")])?;
    let (mut other, mut guest) = (Guest::new(stage)?, Guest::new(stage)?);
    other.enter(&room, "other")?;
    let mut all = guest.enter_with(&format!("{room}/guest"), "")?;
    owner.speak(&room, "from-the-owner")?;
    other.client.say(format!(
        "<message xmlns='jabber:client' to='{room}/guest' type='chat' id='w'><body>psst</body></message>"
    ))?;
    all += &guest.client.until("<body>psst</body>")?;
    for (kind, to, payload) in [
        ("get", room.clone(), "<query xmlns='http://jabber.org/protocol/disco#info'/>"),
        ("get", room.clone(), "<query xmlns='http://jabber.org/protocol/disco#items'/>"),
        ("get", format!("{room}/other"), "<vCard xmlns='vcard-temp'/>"),
    ] {
        all += &guest.ask(kind, &to, payload)?;
    }
    all += &guest.history(&room, MAM)?;
    for one in [&owner, &other] {
        absent(&all, &one.bare())?;
        absent(&all, &one.jid)?;
    }
    Ok(())
}

fn password(stage: &Stage<'_>) -> Outcome {
    const SECRET: &str = "hostile-payload-sesame";
    let (mut owner, room) = room(stage, &[("passwordprotectedroom", "1"), ("roomsecret", SECRET)])?;
    owner.speak(&room, "inside")?;
    let mut stranger = Guest::new(stage)?;
    let mut all = stranger.enter_with(&format!("{room}/x"), "<password>wrong</password>")?;
    for payload in ["info", "items"] {
        all += &stranger.ask(
            "get",
            &room,
            &format!("<query xmlns='http://jabber.org/protocol/disco#{payload}'/>"),
        )?;
    }
    let seen = stranger.enter_with(&format!("{room}/x"), &format!("<password>{SECRET}</password>"))?;
    if !seen.contains("code='110'") {
        return Err(seen);
    }
    all += &seen;
    all += &stranger.history(&room, MAM)?;
    absent(&all, SECRET)
}

fn nicknames(stage: &Stage<'_>) -> Outcome {
    let (_owner, room) = room(stage, &[])?;
    let mut guest = Guest::new(stage)?;
    for (nick, condition) in [
        ("owner".to_owned(), "<conflict"),
        ("\u{ff4f}wner".to_owned(), "<conflict"),
        ("n".repeat(1_024), "<jid-malformed"),
        (" ".to_owned(), "<jid-malformed"),
    ] {
        let seen = guest.enter_with(&format!("{room}/{nick}"), "")?;
        if !seen.contains(condition) {
            // Full width may be another nickname, but must not look like the owner's (RFC 8266).
            return Err(format!("{nick:?}: {seen}"));
        }
    }
    let seen = guest.enter_with(&room, "")?;
    if seen.contains("<jid-malformed") { Ok(()) } else { Err(format!("no nickname: {seen}")) }
}

fn owners(stage: &Stage<'_>) -> Outcome {
    let (mut owner, room) = room(stage, &[])?;
    let mut admin = Guest::new(stage)?;
    let (first, second) = (owner.bare(), admin.bare());
    owner.refused("set", &room, &item(&format!("jid='{first}'"), "affiliation='member'"), &["conflict"])?;
    owner.refused("set", &room, &item(&format!("jid='{first}'"), "affiliation='none'"), &["conflict"])?;
    affiliate(&mut owner, &room, &second, "admin")?;
    admin.enter(&room, "admin")?;
    let not = ["not-allowed", "forbidden"];
    for affiliation in ["none", "outcast", "admin"] {
        let what = format!("affiliation='{affiliation}'");
        admin.refused("set", &room, &item(&format!("jid='{first}'"), &what), &not)?;
    }
    admin.refused("set", &room, &item(&format!("jid='{second}'"), "affiliation='owner'"), &not)?;
    admin.refused("set", &room, &item("nick='owner'", "role='none'"), &not)
}

fn whispers(stage: &Stage<'_>) -> Outcome {
    let (mut owner, room) = room(stage, &[])?;
    let mut guest = Guest::new(stage)?;
    guest.enter(&room, "guest")?;
    owner.client.say(format!(
        "<message xmlns='jabber:client' to='{room}/guest' type='chat' id='w'><body>psst</body></message>"
    ))?;
    guest.client.until("<body>psst</body>")?;
    owner.speak(&room, "aloud")?;
    guest.client.until("<body>aloud</body>")?;
    guest.client.probe("before")?;
    let seen = guest.history(&room, MAM)?;
    absent(&seen, "psst")?;
    if seen.contains("aloud") { Ok(()) } else { Err(format!("nothing in the archive: {seen}")) }
}

fn powerless(stage: &Stage<'_>) -> Outcome {
    let (mut owner, room) = room(stage, &[("moderatedroom", "1"), ("changesubject", "0")])?;
    let mut guest = Guest::new(stage)?;
    guest.enter(&room, "guest")?;
    let not = ["not-allowed", "forbidden"];
    guest.refused("set", &room, &item("nick='owner'", "role='none'"), &not)?;
    guest.refused("set", &room, &item("nick='guest'", "role='participant'"), &not)?;
    let victim = owner.bare();
    guest.refused("set", &room, &item(&format!("jid='{victim}'"), "affiliation='outcast'"), &not)?;
    for inside in ["<body>mute</body>", "<subject>mine</subject>"] {
        guest.client.say(format!(
            "<message xmlns='jabber:client' to='{room}' type='groupchat' id='m'>{inside}</message>"
        ))?;
        guest.client.until("<forbidden")?;
    }
    owner.client.probe("after")?;
    absent(&owner.client.seen, "mute")
}

fn floods(stage: &Stage<'_>) -> Outcome {
    let (_owner, room) = room(stage, &[])?;
    let mut guest = Guest::new(stage)?;
    guest.enter(&room, "guest")?;
    for n in 0..40 {
        guest.say(&room, &format!("flood{n}"))?;
    }
    let seen = guest.client.until("id='flood39'")? + &guest.client.until("</message>")?;
    if !seen.contains("<policy-violation") && !seen.contains("<resource-constraint") {
        return Err(format!("40 messages at once: {seen}"));
    }
    for n in 0..40 {
        guest.client.say(format!("<presence xmlns='jabber:client' to='{room}/nick{n}' id='nick{n}'/>"))?;
    }
    guest
        .client
        .until("<resource-constraint")
        .or_else(|_| guest.client.until("<policy-violation"))
        .map(drop)?;
    guest.client.probe("after").map(drop)
}

fn quantities(stage: &Stage<'_>) -> Outcome {
    let (mut owner, room) = room(stage, &[])?;
    owner.refused(
        "set",
        &room,
        &form(&[("roomname", &"n".repeat(10_000))]),
        &["not-acceptable", "bad-request"],
    )?;
    let long = owner.enter_with(&format!("{}@conference.a.example/x", "r".repeat(1_000)), "")?;
    if !long.contains("type='error'") {
        return Err(long);
    }
    for n in 0..120 {
        owner.client.say(format!(
            "<presence xmlns='jabber:client' to='{}-{n}@conference.a.example/x'><x xmlns='http://jabber.org/protocol/muc'/></presence>",
            owner.name
        ))?;
    }
    // A room is made at once, and ends again where it is one too many: the first of this kind is the 100th.
    let seen = owner.client.until("you have as many rooms")?;
    let made = seen.matches("code='201'").count();
    if made >= 99 { Ok(()) } else { Err(format!("{made} rooms")) }
}

fn destroyed(stage: &Stage<'_>) -> Outcome {
    let (mut owner, room) = room(stage, &[("persistentroom", "1")])?;
    owner.set(&room, &format!("<query xmlns='{OWNER}'><destroy jid='other@conference.a.example'><reason>moved</reason></destroy></query>"))?;
    let mut guest = Guest::new(stage)?;
    let seen = guest.enter_with(&format!("{room}/guest"), "")?;
    let right = seen.contains("<gone") && seen.contains("other@conference.a.example");
    if right { Ok(()) } else { Err(seen) }
}

fn invitations(stage: &Stage<'_>) -> Outcome {
    let (mut owner, room) = room(stage, &[])?;
    for n in 0..30 {
        owner.client.say(format!(
            "<message xmlns='jabber:client' to='{room}' id='i{n}'><x xmlns='http://jabber.org/protocol/muc#user'>\
             <invite to='someone{n}@a.example'/></x></message>"
        ))?;
    }
    let seen = owner.client.until("type='error'")? + &owner.client.until("</message>")?;
    let limited =
        ["<policy-violation", "<resource-constraint"].iter().any(|condition| seen.contains(condition));
    if limited { Ok(()) } else { Err(seen) }
}
