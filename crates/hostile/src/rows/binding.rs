//! Group D, first part: resources, `from`, and the words of stream management.
//!
//! RFC 6120 sections 7 and 8.1, XEP-0198.
//!
//! Not here: resuming and flooding (`managed.rs`).

use crate::Outcome;
use crate::client::{Client, PATIENCE};
use crate::login::bind;
use crate::row::{At, On, Row};
use crate::stage::Stage;
use crate::verdict::{dies, lives, stream_error};

const FAILED: &str = "<failed xmlns='urn:xmpp:sm:3'><unexpected-request";

pub(super) fn rows() -> Vec<Row> {
    let mut rows = resources();
    rows.extend(words());
    rows.extend(counts());
    rows
}

fn resources() -> Vec<Row> {
    let mut odd = Row::new(
        "D-03",
        "a resource of 1,023 and 1,024 bytes, with two-byte characters, with characters that are not allowed",
        "bound whole, or ST bad-request; never cut",
    )
    .script(On::All, |stage| bound_whole(stage, &"a".repeat(1_023)))
    .script(On::All, |stage| bound_whole(stage, &format!("{}a", "ä".repeat(511))))
    .script(On::All, |stage| bound_whole(stage, "&lt;&apos;&quot;&amp;&gt; \u{20ac}\u{1d11e}"));
    for resource in [
        "a".repeat(1_024),
        "ä".repeat(512),
        "a\u{202e}b".into(),
        "a&#10;b".into(),
        "\u{ad}".into(),
        "a\u{e000}".into(),
    ] {
        odd = odd.say(At::Unbound, bind(&resource), lives("<bad-request"));
    }
    vec![
        odd,
        Row::new("D-01", "a seventeenth resource", "ST resource-constraint with resource-limit-exceeded")
            .script(On::All, |stage| {
                let user = stage.server.user()?;
                let mut clients = Vec::new();
                for _ in 0..16 {
                    clients.push(stage.bound(&user)?.0);
                }
                let mut last = stage.connect()?;
                let answer = last.log_in_for(&user, "last")?;
                if !(answer.contains("<resource-constraint") && answer.contains("<resource-limit-exceeded")) {
                    return Err(answer);
                }
                // One leaves, and there is room.
                clients.pop().map_or(Ok(()), |mut client| {
                    client.close().and_then(|()| client.rest(PATIENCE).map(drop))
                })?;
                last.say(bind("last"))?;
                last.until("<jid>").map(drop)
            }),
        Row::new("D-02", "the same resource twice", "the new one wins, the old one ends with SE conflict")
            .script(On::All, |stage| {
                let user = stage.server.borrow_user()?;
                let (mut old, mut new) = (stage.connect()?, stage.connect()?);
                old.log_in_for(&user.name, "same")?;
                let answer = new.log_in_for(&user.name, "same")?;
                let seen = old.rest(PATIENCE)?;
                match answer.contains("/same</jid>") && stream_error(&seen) == Some("conflict") {
                    true => new.probe("new").map(drop),
                    false => Err(format!("{answer}, then {seen}")),
                }
            }),
        Row::new("D-04", "a second request for a resource", "ST not-allowed")
            .logs("misbehaviour")
            .say(At::Active, bind("second"), lives("<not-allowed"))
            .say(At::Managed, bind("second"), lives("<not-allowed")),
        Row::new(
            "D-05",
            "`from` of somebody else, of another resource, of a domain, of no form; none at all",
            "SE invalid-from; written by the server",
        )
        .script(On::All, forged),
    ]
}

fn bound_whole(stage: &Stage<'_>, resource: &str) -> Outcome {
    let user = stage.server.borrow_user()?;
    let answer = stage.connect()?.log_in_for(&user.name, resource)?;
    let whole = answer
        .replace("&apos;", "'")
        .replace("&quot;", "\"")
        .contains(&format!("/{}</jid>", resource.replace("&apos;", "'").replace("&quot;", "\"")));
    if whole { Ok(()) } else { Err(answer) }
}

fn forged(stage: &Stage<'_>) -> Outcome {
    let (user, other) = (stage.server.borrow_user()?, stage.server.borrow_user()?);
    let (mut friend, to) = stage.online(&other.name)?;
    for from in [
        to.as_str(),
        "somebody@a.example",
        "a.example",
        "b.example",
        "@",
        &format!("{}@a.example/other", user.name),
        &format!("{}@b.example", user.name),
        "",
    ] {
        let (mut client, _) = stage.bound(&user.name)?;
        client.say(format!("<message xmlns='jabber:client' from='{from}' to='{to}' id='forged'/>"))?;
        let seen = client.rest(PATIENCE)?;
        if stream_error(&seen) != Some("invalid-from") {
            return Err(format!("from {from:?}: {seen}"));
        }
    }
    let (mut client, jid) = stage.bound(&user.name)?;
    for from in [String::new(), format!("from='{jid}'"), format!("from='{}@a.example'", user.name)] {
        client.say(format!("<message xmlns='jabber:client' {from} to='{to}' id='true'/>"))?;
        let seen = friend.until("id='true'")?;
        if seen.contains("forged") || !seen.contains(&format!("from='{jid}'")) {
            return Err(format!("{from}: {seen}"));
        }
        friend.until(">")?;
    }
    Ok(())
}

fn words() -> Vec<Row> {
    let a = |h: &str| format!("<a xmlns='urn:xmpp:sm:3' {h}/>");
    let mut numbers = Row::new(
        "D-07",
        "`h` that is negative, no number, missing, 2^32; one that goes backwards",
        "SE bad-format; backwards changes nothing",
    )
    .logs("");
    for h in [
        "",
        "h=''",
        "h='-1'",
        "h='+1'",
        "h='x'",
        "h='4294967296'",
        "h='1.0'",
        "h=' 0'",
        "h='99999999999999999999'",
    ] {
        numbers = numbers.say(At::Managed, a(h), dies(&["bad-format"]));
    }
    numbers = numbers.script(On::All, |stage| {
        let user = stage.server.borrow_user()?;
        let (mut client, jid) =
            stage.bound_with(&user.name, "<enable xmlns='urn:xmpp:sm:3' resume='true'/>")?;
        for n in 0..3 {
            client.say(format!("<message xmlns='jabber:client' to='{jid}' id='n{n}' type='headline'/>"))?;
        }
        client.say("<presence xmlns='jabber:client'/>")?;
        client.probe("one")?;
        for h in ["h='2'", "h='1'", "h='0'"] {
            client.say(format!("<a xmlns='urn:xmpp:sm:3' {h}/>"))?;
        }
        client.probe("two").map(drop)
    });
    vec![numbers]
}

fn counts() -> Vec<Row> {
    vec![
        Row::new(
            "D-06",
            "`h` higher than what was sent",
            "SE undefined-condition with handled-count-too-high",
        )
        .script(On::All, |stage| {
            for h in ["1", "1000", "2147483647"] {
                let user = stage.server.borrow_user()?;
                let (mut client, _) = stage.bound_with(&user.name, "<enable xmlns='urn:xmpp:sm:3'/>")?;
                client.say(format!("<a xmlns='urn:xmpp:sm:3' h='{h}'/>"))?;
                let seen = client.rest(PATIENCE)?;
                if !(stream_error(&seen) == Some("undefined-condition")
                    && seen.contains("<handled-count-too-high"))
                {
                    return Err(format!("h={h}: {seen}"));
                }
            }
            let (user, h) = (stage.server.borrow_user()?, u32::MAX / 2);
            let (_old, _, id) = resumable(stage, &user.name, "")?;
            let (mut client, answer) = resume(stage, &user.name, &id, h)?;
            if !answer.contains("<failed") {
                return Err(answer);
            }
            client.say(bind("after-that"))?;
            client.until("<jid>").map(drop)
        }),
        Row::new(
            "D-09",
            "stream management switched on twice, also at once",
            "<failed/> with unexpected-request",
        )
        .say(At::Managed, "<enable xmlns='urn:xmpp:sm:3'/>", lives(FAILED))
        .say(At::Managed, "<enable xmlns='urn:xmpp:sm:3' resume='true'/>", lives(FAILED))
        .script(On::Streams, |stage| {
            let user = stage.server.borrow_user()?;
            let (mut client, _) = stage.bound(&user.name)?;
            client.say("<enable xmlns='urn:xmpp:sm:3'/><enable xmlns='urn:xmpp:sm:3' resume='true'/>")?;
            // The second may come before the first is answered; either may be told first.
            let seen = client.probe("both")?;
            if seen.matches("<enabled").count() == 1 && seen.matches("<failed").count() == 1 {
                Ok(())
            } else {
                Err(seen)
            }
        }),
        Row::new(
            "D-10",
            "the words of stream management before there is a resource, or without switching it on",
            "<failed/> with unexpected-request",
        )
        .logs("misbehaviour")
        .say(At::Unbound, "<enable xmlns='urn:xmpp:sm:3'/>", lives(FAILED))
        .say(At::Unbound, "<a xmlns='urn:xmpp:sm:3' h='0'/>", lives(FAILED))
        .say(At::Active, "<a xmlns='urn:xmpp:sm:3' h='0'/>", lives(FAILED))
        .say(At::Active, "<r xmlns='urn:xmpp:sm:3'/>", lives(FAILED))
        .say(At::Active, "<resume xmlns='urn:xmpp:sm:3' previd='x' h='0'/>", lives(FAILED))
        .say(At::Active, "<nonsense xmlns='urn:xmpp:sm:3'/>", lives(FAILED))
        .say(At::Exchange, "<enable xmlns='urn:xmpp:sm:3'/>", dies(&["not-authorized"])),
    ]
}

/// Bound with a session that can be resumed; gives its address and secret.
pub(super) fn resumable(stage: &Stage<'_>, user: &str, max: &str) -> Outcome<(Client, String, String)> {
    let mut client = stage.connect()?;
    let jid = client.log_in_for(user, "r")?;
    let jid =
        jid.split_once("<jid>").and_then(|(_, rest)| rest.split('<').next()).unwrap_or_default().to_owned();
    client.say(format!("<enable xmlns='urn:xmpp:sm:3' resume='true' {max}/>"))?;
    client.until("<enabled")?;
    let tag = client.until(">")?;
    let id = tag
        .split_once(" id='")
        .and_then(|(_, rest)| rest.split('\'').next())
        .ok_or_else(|| format!("no id in {tag}"))?;
    Ok((client, jid, id.to_owned()))
}

/// Asks for a session back; gives the client and the answer.
pub(super) fn resume(stage: &Stage<'_>, user: &str, id: &str, h: u32) -> Outcome<(Client, String)> {
    let mut client = stage.connect()?;
    client.log_in(user)?;
    client.say(format!("<resume xmlns='urn:xmpp:sm:3' previd='{id}' h='{h}'/>"))?;
    let mut answer = client.until(">")?;
    if answer.contains("<failed") {
        answer += &client.until("</failed>")?;
    }
    Ok((client, answer))
}
