//! Group D, second part: sessions that are resumed, guessed, fought over and flooded.
//!
//! XEP-0198, XEP-0352.
//!
//! Not here: single words (`binding.rs`).

use std::collections::HashSet;
use std::time::{Duration, Instant};

use super::binding::{resumable, resume};
use crate::Outcome;
use crate::client::{Client, PATIENCE};
use crate::row::{On, Row};
use crate::verdict::stream_error;

pub(super) fn rows() -> Vec<Row> {
    let mut rows = resumption();
    rows.extend(returns());
    rows.extend(losses());
    rows.extend(floods());
    rows
}

fn message(to: &str, id: impl std::fmt::Display) -> String {
    format!("<message xmlns='jabber:client' to='{to}' id='{id}' type='chat'><body>{id}</body></message>")
}

fn resumption() -> Vec<Row> {
    vec![
        Row::new(
            "D-11",
            "resuming the session of another account",
            "<failed/> with item-not-found, as for one that is not there",
        )
        .script(On::All, |stage| {
            let (user, other) = (stage.server.user()?, stage.server.user()?);
            let (mut owner, _, id) = resumable(stage, &user, "")?;
            let answers = [id.as_str(), "00000000000000000000000000000000", "x"]
                .map(|id| resume(stage, &other, id, 0).map(|(_, answer)| answer));
            if !(answers[0] == answers[1]
                && answers[1] == answers[2]
                && answers[0].as_ref().is_ok_and(|answer| answer.contains("<item-not-found")))
            {
                return Err(format!("{answers:?}"));
            }
            owner.probe("undisturbed").map(drop)
        }),
        Row::new("D-12", "secrets of sessions", "128 random bits and more, no two alike").script(
            On::All,
            |stage| {
                let user = stage.server.user()?;
                let mut seen = HashSet::new();
                for _ in 0..20 {
                    let (mut client, _, id) = resumable(stage, &user, "")?;
                    let many = id.chars().collect::<HashSet<_>>().len();
                    if id.len() < 22 || many < 6 || id.contains(&user) || !seen.insert(id.clone()) {
                        return Err(id);
                    }
                    client.close()?;
                }
                Ok(())
            },
        ),
        Row::new(
            "D-13",
            "resuming while the old connection lives",
            "the new one has it, the old one SE conflict; every stanza once",
        )
        .script(On::All, |stage| {
            let (user, other) = (stage.server.user()?, stage.server.user()?);
            let (mut old, jid, id) = resumable(stage, &user, "")?;
            let (mut friend, _) = stage.bound(&other)?;
            (0..5).try_for_each(|n| friend.say(message(&jid, format_args!("m{n}"))))?;
            old.until("id='m4'")?;
            let (mut new, answer) = resume(stage, &user, &id, 0)?;
            friend.say(message(&jid, "m5"))?;
            let seen = old.rest(PATIENCE)?;
            if !(answer.contains("<resumed") && stream_error(&seen) == Some("conflict")) {
                return Err(format!("{answer}, then {seen}"));
            }
            once(&mut new, 6)
        }),
    ]
}

fn returns() -> Vec<Row> {
    vec![
        Row::new(
            "D-14",
            "two who resume one session at once",
            "one has it in the end, the other an error; it can be used",
        )
        .script(On::All, |stage| {
            let user = stage.server.user()?;
            let (old, _, id) = resumable(stage, &user, "")?;
            let two = std::thread::scope(|scope| {
                let all = [0, 1].map(|_| scope.spawn(|| resume(stage, &user, &id, 0)));
                all.map(|one| one.join().unwrap_or_else(|_| Err("it panicked".into())))
            });
            drop(old);
            let mut alive = 0;
            for one in two {
                let Ok((mut client, answer)) = one else { continue };
                alive += u32::from(answer.contains("<resumed") && client.probe("mine").is_ok());
            }
            if alive == 1 { Ok(()) } else { Err(format!("{alive} have it")) }
        }),
        Row::new("D-16", "resuming too late", "<failed/> with the right count").script(On::All, |stage| {
            let user = stage.server.user()?;
            let (mut old, jid, id) = resumable(stage, &user, "max='1'")?;
            (0..3).try_for_each(|n| old.say(message(&jid, format_args!("m{n}"))))?;
            old.until("id='m2'")?;
            match old.transport.is_framed() {
                // The session of BOSH would be missed only after a minute.
                true => return Ok(()),
                false => old.vanish(),
            }
            let start = Instant::now();
            std::thread::sleep(Duration::from_millis(2_200));
            let (_, answer) = resume(stage, &user, &id, 3)?;
            if answer.contains("<failed") && answer.contains("h='3'") {
                Ok(())
            } else {
                Err(format!("after {:?}: {answer}", start.elapsed()))
            }
        }),
        Row::new(
            "D-17",
            "resuming after a proper end",
            "<failed/>; whom presence was sent hears once that it is over",
        )
        .script(On::All, |stage| {
            let (user, other) = (stage.server.user()?, stage.server.user()?);
            let (mut friend, to) = stage.online(&other)?;
            let (mut client, jid, id) = resumable(stage, &user, "")?;
            client.say(format!("<presence xmlns='jabber:client' to='{to}'/>"))?;
            friend.until(&format!("from='{jid}'"))?;
            client.close()?;
            client.rest(PATIENCE)?;
            friend.until("type='unavailable'")?;
            let (_, answer) = resume(stage, &user, &id, 0)?;
            let more = friend.probe("more")?;
            if answer.contains("<failed") && !more.contains("<presence") {
                Ok(())
            } else {
                Err(format!("{answer}, {more}"))
            }
        }),
    ]
}

fn losses() -> Vec<Row> {
    vec![
        Row::new(
            "D-19",
            "a connection that dies while messages are written to it",
            "they come with the session, once, in order",
        )
        .script(On::All, |stage| {
            let (user, other) = (stage.server.user()?, stage.server.user()?);
            let (old, jid, id) = resumable(stage, &user, "")?;
            let (mut friend, _) = stage.bound(&other)?;
            (0..10).try_for_each(|n| friend.say(message(&jid, format_args!("m{n}"))))?;
            old.vanish();
            (10..20).try_for_each(|n| friend.say(message(&jid, format_args!("m{n}"))))?;
            friend.probe("sent")?;
            let (mut new, answer) = resume(stage, &user, &id, 0)?;
            if answer.contains("<resumed") { once(&mut new, 20) } else { Err(answer) }
        }),
    ]
}

/// Messages m0 to that number come, each once, in order.
fn once(client: &mut Client, count: usize) -> Outcome {
    let mut seen = String::new();
    for n in 0..count {
        seen += &client.until(&format!("id='m{n}'"))?;
    }
    seen += &client.until("</message>")?;
    seen += &client.probe("no-more")?;
    if seen.matches("<message ").count() == count { Ok(()) } else { Err(seen) }
}

fn floods() -> Vec<Row> {
    vec![
        Row::new("D-20", "8,000 requests for an acknowledgement at once", "answered together, at little cost")
            .budget(60, 2 * 1024)
            .script(On::All, |stage| {
                let user = stage.server.borrow_user()?;
                let (mut client, _) = stage.bound_with(&user.name, "<enable xmlns='urn:xmpp:sm:3'/>")?;
                let r = "<r xmlns='urn:xmpp:sm:3'/>";
                match client.transport {
                    crate::client::Transport::WebSocket => (0..8_000).try_for_each(|_| client.say(r))?,
                    _ => client.say(r.repeat(8_000))?,
                }
                let answers = client.probe("after")?.matches("<a xmlns").count();
                if (1..=8_000).contains(&answers) { Ok(()) } else { Err(format!("{answers} answers")) }
            }),
        Row::new("D-15", "a client that acknowledges nothing: 12,000 messages, 12 MB", "memory is bounded; it is cut off, and everything is in the archive")
            .whole()
            .budget(3_000, 48 * 1024)
            .script(On::Only(crate::client::Transport::Direct), |stage| {
                let (user, other) = (stage.server.user()?, stage.server.user()?);
                let (mut deaf, jid, _) = resumable(stage, &user, "")?;
                let (mut friend, _) = stage.bound(&other)?;
                let body = "b".repeat(1_000);
                for n in 0..12_000 {
                    friend.say(format!("<message xmlns='jabber:client' to='{jid}' id='m{n}' type='chat'><body>{body}</body></message>"))?;
                    if n % 500 == 0 {
                        friend.probe("pace")?;
                    }
                }
                friend.probe("sent")?;
                let until = Instant::now() + Duration::from_secs(30);
                while deaf.more(until)? {
                    deaf.seen.clear();
                }
                if deaf.end.is_none() {
                    return Err("it was not cut off".into());
                }
                let (mut again, _) = stage.bound(&user)?;
                let answer = again.ask("n", "<iq xmlns='jabber:client' type='set' id='n'><query xmlns='urn:xmpp:mam:2'><set xmlns='http://jabber.org/protocol/rsm'><max>0</max></set></query></iq>")?;
                if answer.contains("<count>12000</count>") { Ok(()) } else { Err(answer) }
            }),
        Row::new("D-21", "3,000 presences for an inactive client", "the last of each sender is kept, little is sent").script(On::All, |stage| {
            let (user, other) = (stage.server.user()?, stage.server.user()?);
            let (mut idle, to) = stage.online(&user)?;
            idle.say("<inactive xmlns='urn:xmpp:csi:0'/>")?;
            idle.probe("inactive")?;
            let (mut friend, _) = stage.bound(&other)?;
            for n in 0..3_000 {
                friend.say(format!("<presence xmlns='jabber:client' to='{to}'><status>s{n}</status></presence>"))?;
                if n % 500 == 499 {
                    friend.probe("pace")?;
                }
            }
            friend.probe("sent")?;
            idle.say("<active xmlns='urn:xmpp:csi:0'/>")?;
            let seen = idle.until("<status>s2999</status>")?;
            let came = seen.matches("<presence ").count();
            if came < 10 { Ok(()) } else { Err(format!("{came} came")) }
        })
        .budget(400, 2 * 1024),
    ]
}
