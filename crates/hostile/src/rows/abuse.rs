//! Group J: registration, invitations, abuse.
//!
//! XEP-0077, XEP-0445, XEP-0205.
//!
//! Not here: operators' commands themselves (crate `admin`).

use super::rooms::{Guest, room};
use crate::Outcome;
use crate::client::{Client, Transport};
use crate::row::{At, On, Row};
use crate::stage::Stage;
use crate::verdict::lives;

pub(super) fn rows() -> Vec<Row> {
    let stranger = "<iq xmlns='jabber:client' type='set' id='r'><query xmlns='jabber:iq:register'><username>eve</username><password>p</password></query></iq>";
    vec![
        Row::new(
            "J-01",
            "registering where it is off; after the login for another name, for another domain",
            "ST not-allowed, bad-request, forbidden",
        )
        .say(At::Offered, stranger, lives("<not-allowed"))
        .say(At::Active, stranger, lives("type='error'"))
        .script(On::All, others_password),
        Row::new(
            "J-04",
            "the token of an invitation: used twice, of another domain, none, 28 others",
            "once; ST item-not-found, resource-constraint",
        )
        .budget(120, 1_024)
        .script(On::All, tokens),
        Row::new(
            "J-05",
            "a name that is taken, without and with an invitation",
            "the same as any name; ST conflict",
        )
        .budget(120, 1_024)
        .script(On::All, taken),
        Row::new(
            "J-06",
            "the name of an account that was removed, asked for with an invitation",
            "ST conflict: nobody becomes what the other was in rooms",
        )
        .budget(120, 1_024)
        .script(On::All, gone),
        Row::new("J-07", "a stranger's 600 subscription requests", "ST unexpected-request after 500")
            .whole()
            .budget(600, 2_048)
            .script(On::Only(Transport::Direct), |stage| {
                flood(stage, |to| format!("<presence xmlns='jabber:client' to='{to}' type='subscribe'/>"))
            }),
        Row::new(
            "J-11",
            "messages to 600 people in a minute",
            "ST unexpected-request after 500, and a line in the log",
        )
        .whole()
        .budget(600, 2_048)
        .script(On::Only(Transport::Direct), |stage| {
            flood(stage, |to| {
                format!("<message xmlns='jabber:client' to='{to}' id='{to}'><body>buy</body></message>")
            })
        }),
        Row::new(
            "J-12",
            "a name that is taken in capitals, in full width, with an invitation",
            "ST conflict",
        )
        .budget(120, 1_024)
        .script(On::All, capitals),
    ]
}

/// A new password for somebody else.
fn others_password(stage: &Stage<'_>) -> Outcome {
    let (juliet, mut eve) = (Guest::new(stage)?, Guest::new(stage)?);
    let set = format!(
        "<query xmlns='jabber:iq:register'><username>{}</username><password>stolen</password></query>",
        juliet.name
    );
    for to in ["", "a.example", "b.example", &juliet.bare()] {
        let answer = eve.ask("set", to, &set)?;
        if !answer.contains("type='error'") {
            return Err(format!("{to}: {answer}"));
        }
    }
    // The own one is still good for the other.
    stage.bound(&juliet.name).map(drop)
}

/// An operator's invitation to `a.example`.
fn invitation(stage: &Stage<'_>, domain: &str) -> Outcome<String> {
    let answer = stage.server.order("invite", serde_json::json!({ "domain": domain }))?;
    let (_, rest) = answer.split_once("\"token\":\"").ok_or_else(|| format!("no token: {answer}"))?;
    Ok(rest.split([';', '"', '&', '\\']).next().unwrap_or_default().to_owned())
}

fn show(client: &mut Client, token: &str) -> Outcome<String> {
    client.ask("pre", &format!("<iq xmlns='jabber:client' type='set' id='pre' to='a.example'><preauth xmlns='urn:xmpp:pars:0' token='{token}'/></iq>"))
}

fn register(client: &mut Client, name: &str) -> Outcome<String> {
    client.ask("reg", &format!("<iq xmlns='jabber:client' type='set' id='reg'><query xmlns='jabber:iq:register'><username>{name}</username><password>a-new-secret</password></query></iq>"))
}

fn is(answer: &str, what: &str) -> Outcome {
    if answer.contains(what) { Ok(()) } else { Err(format!("not {what}: {answer}")) }
}

/// A stream that has shown a good token.
fn invited(stage: &Stage<'_>, token: &str) -> Outcome<Client> {
    let mut client = stage.offered()?;
    is(&show(&mut client, token)?, "type='result'")?;
    Ok(client)
}

/// A name that nobody has had yet.
fn name(stage: &Stage<'_>) -> String {
    format!("new-{}", stage.from).replace('.', "-")
}

fn tokens(stage: &Stage<'_>) -> Outcome {
    let token = invitation(stage, "a.example")?;
    let elsewhere = invitation(stage, "b.example")?;
    let mut client = stage.offered()?;
    for wrong in [elsewhere.as_str(), "", "x", "&apos;--"] {
        is(&show(&mut client, wrong)?, "type='error'")?;
    }
    is(&register(&mut client, &name(stage))?, "type='error'")?;
    // Another address: tries of one are counted.
    let second = Stage::new(stage.server, stage.transport);
    let (mut one, mut two) =
        (invited(&second, &token)?, invited(&Stage::new(stage.server, stage.transport), &token)?);
    is(&register(&mut one, &name(stage))?, "type='result'")?;
    is(&register(&mut two, &format!("{}-b", name(stage)))?, "type='error'")?;
    // Guessing is counted.
    let third = Stage::new(stage.server, stage.transport);
    let mut client = third.offered()?;
    let mut last = String::new();
    for n in 0..28 {
        last = show(&mut client, &format!("guess-{n}"))?;
    }
    is(&last, "<resource-constraint")
}

fn taken(stage: &Stage<'_>) -> Outcome {
    let user = stage.server.user()?;
    let mut client = stage.offered()?;
    for name in [&user, &name(stage)] {
        is(&register(&mut client, name)?, "<not-allowed")?;
    }
    let token = invitation(stage, "a.example")?;
    is(&register(&mut invited(stage, &token)?, &user)?, "<conflict")
}

fn gone(stage: &Stage<'_>) -> Outcome {
    let (mut owner, room) = room(stage, &[("membersonly", "1"), ("persistentroom", "1")])?;
    let mut friend = Guest::new(stage)?;
    let jid = friend.bare();
    owner.set(&room, &format!("<query xmlns='http://jabber.org/protocol/muc#admin'><item jid='{jid}' affiliation='owner'/></query>"))?;
    friend.enter(&room, "friend")?;
    stage.server.administer("user remove", &jid, None)?;
    let token = invitation(stage, "a.example")?;
    is(&register(&mut invited(stage, &token)?, &friend.name)?, "<conflict")?;
    // The token is as good as before, for another name.
    let second = Stage::new(stage.server, stage.transport);
    is(&register(&mut invited(&second, &token)?, &name(stage))?, "type='result'")
}

fn capitals(stage: &Stage<'_>) -> Outcome {
    let user = stage.server.user()?;
    let wide: String =
        user.chars().map(|c| char::from_u32(u32::from(c) - 0x21 + 0xff01).unwrap_or(c)).collect();
    let token = invitation(stage, "a.example")?;
    let mut client = invited(stage, &token)?;
    for name in [user.to_uppercase(), wide] {
        is(&register(&mut client, &name)?, "<conflict")?;
    }
    Ok(())
}

fn flood(stage: &Stage<'_>, what: impl Fn(&str) -> String) -> Outcome {
    let mut guest = Guest::new(stage)?;
    for n in 0..600 {
        guest.client.say(what(&format!("person{n}@a.example")))?;
        if n % 100 == 99 {
            let seen = guest.client.probe("pace")?;
            let limited = seen.contains("<too-many-stanzas");
            if limited != (n >= 500) {
                return Err(format!("after {n}: {seen:.300}"));
            }
        }
    }
    Ok(())
}
