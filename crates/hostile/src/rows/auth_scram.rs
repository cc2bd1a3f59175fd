//! Group C, second part: SCRAM, channel binding, tokens.
//!
//! RFC 5802, RFC 7677, RFC 9266, XEP-0484.
//!
//! Not here: an honest exchange (`login.rs`).

use aws_lc_rs::hmac;

use crate::Outcome;
use crate::client::{Client, Transport};
use crate::login::{Scram, auth, base64, response};
use crate::row::{At, On, Row};
use crate::server::PASSWORD;
use crate::stage::Stage;
use crate::verdict::Verdict;

pub(super) fn rows() -> Vec<Row> {
    let mut rows = first();
    rows.extend(last());
    rows.extend(tokens());
    rows
}

/// Sends a first message and takes the challenge.
fn begin(client: &mut Client, mechanism: &str, header: &str, user: &str) -> Outcome<Scram> {
    let (mut scram, message) = Scram::begin(header, user);
    client.say(auth(mechanism, &base64(message)))?;
    let seen = client.until("</challenge>")?;
    let data = seen.trim_end_matches("</challenge>").rsplit('>').next().unwrap_or_default();
    scram.challenge(data)?;
    Ok(scram)
}

/// A whole exchange with a last message that is bent, and what comes of it.
fn exchange(
    stage: &Stage<'_>,
    user: &str,
    password: &str,
    bend: impl FnOnce(String) -> String,
) -> Outcome<String> {
    let mut client = stage.offered()?;
    let scram = begin(&mut client, "SCRAM-SHA-256", "n,,", user)?;
    client.say(response(&base64(scram.finish(password, b"", bend)?)))?;
    result(&mut client)
}

fn result(client: &mut Client) -> Outcome<String> {
    let seen = client.until("</")?;
    let name = client.until(">")?;
    Ok(seen + &name)
}

fn expect(seen: Outcome<String>, wanted: &str) -> Outcome {
    let seen = seen?;
    if seen.contains(wanted) { Ok(()) } else { Err(format!("not {wanted} but {seen}")) }
}

fn first() -> Vec<Row> {
    let scram = |text: &str| auth("SCRAM-SHA-256", &base64(text));
    let malformed = || Verdict::Fails("malformed-request");
    let mut names = Row::new(
        "C-11",
        "user names with =2C and =3D, a lone =, unassigned, bidirectional, too long",
        "decoded, or malformed-request",
    )
    .logs("misbehaviour");
    for name in ["a=", "a=2", "a=2c", "a=41", "=", "a=3", "", &"a".repeat(2_048)] {
        names = names.say(At::Offered, scram(&format!("n,,n={name},r=abcdefgh")), malformed());
    }
    for name in ["a\u{202e}b", "\u{378}", "a b"] {
        names = names.say(At::Offered, scram(&format!("n,,n={name},r=abcdefgh")), Verdict::Fails(""));
    }
    let mut nonces = Row::new("C-08", "a nonce of the client with a comma, empty, too long; a last message with another nonce, a part of it, more than it", "SASL failure")
        .say(At::Offered, scram("n,,n=juliet,r="), malformed())
        .say(At::Offered, scram("n,,n=juliet,r=a,b"), Verdict::Fails(""))
        .say(At::Offered, scram("n,,n=juliet,r=a\u{7f}b"), malformed())
        .say(At::Offered, scram(&format!("n,,n=juliet,r={}", "a".repeat(1_000))), malformed());
    for bend in [
        |text: String| text.replace(",r=f", ",r=g"),
        |text: String| text[..text.len() - 1].to_owned(),
        |text: String| text + "a",
    ] {
        nonces = nonces.script(On::All, move |stage| {
            let user = stage.server.borrow_user()?;
            expect(exchange(stage, &user.name, PASSWORD, bend), "<failure")
        });
    }
    vec![
        names,
        nonces,
        Row::new("C-10", "the extension m=, which must be understood; unknown ones", "SASL failure; ignored")
            .say(At::Offered, scram("n,,m=x,n=juliet,r=abcdefgh"), Verdict::Fails(""))
            .script(On::All, |stage| {
                let user = stage.server.borrow_user()?;
                expect(exchange(stage, &user.name, PASSWORD, |text| text + ",x=unknown"), "<success")
            })
            .script(On::All, |stage| {
                let user = stage.server.borrow_user()?;
                expect(exchange(stage, &user.name, PASSWORD, |text| text + ",m=must"), "<failure")
            }),
        Row::new(
            "C-05a",
            "a first message for an unknown account",
            "salt and iterations as for one that exists, the same each time",
        )
        .script(On::All, decoys),
    ]
}

fn decoys(stage: &Stage<'_>) -> Outcome {
    let known = stage.server.user()?;
    let users = ["nobody-one", "nobody-two", &known, "nobody-one", "nobody-two", &known];
    let mut seen = Vec::new();
    for user in users {
        let scram = begin(&mut stage.offered()?, "SCRAM-SHA-256", "n,,", user)?;
        let shape: String = scram.server_first.split(',').filter_map(|part| part.get(..2)).collect();
        seen.push((scram.salt.clone(), scram.iterations, shape, scram.server_first.len()));
    }
    let stable = seen[..3] == seen[3..];
    let distinct = seen[0].0 != seen[1].0 && seen[1].0 != seen[2].0;
    let like = seen.iter().all(|one| {
        one.1 == seen[0].1 && one.2 == seen[0].2 && one.3 == seen[0].3 && one.0.len() == seen[0].0.len()
    });
    if !(stable && distinct && like) {
        return Err(format!("{seen:?}"));
    }
    // And the end is alike too.
    let ends = ["nobody-one", &known].map(|user| exchange(stage, user, "wrong", |text| text));
    if ends[0] == ends[1] { Ok(()) } else { Err(format!("{ends:?}")) }
}

fn last() -> Vec<Row> {
    vec![
        Row::new(
            "C-06",
            "a client that could bind to the channel and says it was not offered, though it was",
            "SASL failure",
        )
        .script(On::Lasting, |stage| {
            let user = stage.server.borrow_user()?;
            let mut client = stage.offered()?;
            let (_, message) = Scram::begin("y,,", &user.name);
            client.say(auth("SCRAM-SHA-256", &base64(message)))?;
            expect(
                result(&mut client).and_then(|seen| {
                    // Told at once, or with the proof.
                    if seen.contains("<failure") { Ok(seen) } else { Err(seen) }
                }),
                "<failure",
            )
        }),
        Row::new(
            "C-07",
            "channel binding with wrong data, of another connection, of another type, of an unknown type",
            "SASL failure; with the right data success",
        )
        .script(On::Lasting, |stage| {
            bound(
                stage,
                "p=tls-exporter,,",
                |client, _| client.socket()?.exporter().map(Vec::from),
                "<success",
            )
        })
        .script(On::Lasting, |stage| {
            bound(stage, "p=tls-exporter,,", |_, other| other.socket()?.exporter().map(Vec::from), "<failure")
        })
        .script(On::Lasting, |stage| bound(stage, "p=tls-exporter,,", |_, _| Ok(vec![0; 32]), "<failure"))
        .script(On::Lasting, |stage| bound(stage, "p=tls-exporter,,", |_, _| Ok(Vec::new()), "<failure"))
        .script(On::Lasting, |stage| {
            bound(
                stage,
                "p=tls-server-end-point,,",
                |client, _| client.socket()?.exporter().map(Vec::from),
                "<failure",
            )
        })
        .script(On::Lasting, |stage| refused(stage, "SCRAM-SHA-256-PLUS", "p=tls-unique,,"))
        .script(On::Lasting, |stage| refused(stage, "SCRAM-SHA-256-PLUS", "p=nonsense,,"))
        .script(On::Lasting, |stage| refused(stage, "SCRAM-SHA-256-PLUS", "n,,"))
        .script(On::All, |stage| refused(stage, "SCRAM-SHA-256", "p=tls-exporter,,")),
        Row::new("C-09", "c= that is not the header that was sent, is empty, is no base64", "SASL failure")
            .script(On::All, |stage| bent(stage, |text| text.replace("c=biws", "c=eSws")))
            .script(On::All, |stage| bent(stage, |text| text.replace("c=biws", "c=")))
            .script(On::All, |stage| bent(stage, |text| text.replace("c=biws", "c=!")))
            .script(On::All, |stage| bent(stage, |text| text.replace("c=biws,", "")))
            .script(On::All, |stage| bent(stage, |text| format!("{text},c=biws"))),
    ]
}

fn bent(stage: &Stage<'_>, bend: fn(String) -> String) -> Outcome {
    let user = stage.server.borrow_user()?;
    match exchange(stage, &user.name, PASSWORD, bend) {
        Ok(seen) if seen.contains("<failure") => Ok(()),
        seen => Err(format!("{seen:?}")),
    }
}

fn bound(
    stage: &Stage<'_>,
    header: &str,
    data: fn(&mut Client, &mut Client) -> Outcome<Vec<u8>>,
    wanted: &str,
) -> Outcome {
    let user = stage.server.borrow_user()?;
    let (mut client, mut other) = (stage.offered()?, stage.offered()?);
    let scram = begin(&mut client, "SCRAM-SHA-256-PLUS", header, &user.name)?;
    let data = data(&mut client, &mut other)?;
    client.say(response(&base64(scram.finish(PASSWORD, &data, |text| text)?)))?;
    expect(result(&mut client), wanted)
}

/// A first message that must fail by itself.
fn refused(stage: &Stage<'_>, mechanism: &str, header: &str) -> Outcome {
    let mut client = stage.offered()?;
    let (_, message) = Scram::begin(header, "juliet");
    client.say(auth(mechanism, &base64(message)))?;
    expect(result(&mut client), "<failure")
}

/// The mechanism of tokens that works here: bound to the channel where there is one.
fn mechanism(stage: &Stage<'_>) -> &'static str {
    match stage.transport {
        Transport::Bosh => "HT-SHA-256-NONE",
        _ => "HT-SHA-256-EXPR",
    }
}

/// Logs in by password and asks for a token.
fn token(stage: &Stage<'_>, user: &str, agent: &str) -> Outcome<(Client, String)> {
    let mut client = stage.offered()?;
    let inside = format!(
        "<user-agent id='{agent}'/><request-token xmlns='urn:xmpp:fast:0' mechanism='{}'/><bind xmlns='urn:xmpp:bind:0'/>",
        mechanism(stage)
    );
    client.say(crate::login::authenticate(user, PASSWORD, &inside))?;
    let seen = client.until("</success>")?;
    client.until("</stream:features>")?;
    let token = seen.split_once(" token='").and_then(|(_, rest)| rest.split('\'').next());
    Ok((client, token.ok_or_else(|| format!("no token in {seen}"))?.to_owned()))
}

/// Logs in by token; gives what came of it.
fn by_token(
    stage: &Stage<'_>,
    user: &str,
    agent: &str,
    token: &str,
    mechanism: &str,
    count: &str,
) -> Outcome<String> {
    let mut client = stage.offered()?;
    let mut data = b"Initiator".to_vec();
    if mechanism.ends_with("EXPR") {
        data.extend(client.socket()?.exporter()?);
    }
    let key = hmac::Key::new(hmac::HMAC_SHA256, token.as_bytes());
    let message = [user.as_bytes(), b"\0", hmac::sign(&key, &data).as_ref()].concat();
    client.say(format!(
        "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='{mechanism}'><initial-response>{}</initial-response>\
         <user-agent id='{agent}'/><fast xmlns='urn:xmpp:fast:0' {count}/></authenticate>",
        base64(message)
    ))?;
    let seen = client.until("</")?;
    Ok(seen + &client.until(">")?)
}

fn tokens() -> Vec<Row> {
    vec![
        Row::new("C-05d", "a token for an unknown account, and for one that has none", "answers alike")
            .script(On::All, |stage| {
                let user = stage.server.user()?;
                let seen = ["nobody-at-all", &user]
                    .map(|user| by_token(stage, user, "agent-1", "guess", mechanism(stage), ""));
                if seen[0] == seen[1] && seen[0].as_ref().is_ok_and(|seen| seen.contains("<failure")) {
                    Ok(())
                } else {
                    Err(format!("{seen:?}"))
                }
            }),
        Row::new(
            "C-22",
            "a token's count that is equal or lower; two uses of one count at once",
            "refused; only one of them wins",
        )
        .script(On::All, counts),
        Row::new(
            "C-23",
            "a token with another mechanism, another user agent, another account, bent",
            "SASL not-authorized",
        )
        .script(On::All, |stage| {
            let (user, other) = (stage.server.user()?, stage.server.user()?);
            let (_client, token) = token(stage, &user, "agent-1")?;
            let own = mechanism(stage);
            expect(by_token(stage, &user, "agent-1", &token, own, ""), "<success")?;
            expect(by_token(stage, &user, "agent-2", &token, own, ""), "<not-authorized")?;
            expect(by_token(stage, &other, "agent-1", &token, own, ""), "<not-authorized")?;
            expect(by_token(stage, &user, "agent-1", &token[1..], own, ""), "<not-authorized")?;
            if stage.transport == Transport::StartTls {
                expect(by_token(stage, &user, "agent-1", &token, "HT-SHA-256-NONE", ""), "<failure")?;
            }
            expect(by_token(stage, &user, "", &token, own, ""), "<failure")
        }),
        Row::new(
            "C-24",
            "a token after the password was set, the account suspended, and after it was given back",
            "SASL failure",
        )
        .script(On::All, |stage| {
            for command in ["user passwd", "user suspend", "invalidate"] {
                let user = stage.server.user()?;
                let (client, token) = token(stage, &user, "agent-1")?;
                let own = mechanism(stage);
                if command == "invalidate" {
                    expect(by_token(stage, &user, "agent-1", &token, own, "invalidate='true'"), "<success")?;
                } else {
                    let password = (command == "user passwd").then_some("another-word-0816");
                    stage.server.administer(command, &format!("{user}@a.example"), password)?;
                }
                expect(by_token(stage, &user, "agent-1", &token, own, ""), "<failure")
                    .map_err(|fault| format!("{command}: {fault}"))?;
                drop(client);
            }
            Ok(())
        }),
    ]
}

fn counts(stage: &Stage<'_>) -> Outcome {
    let user = stage.server.user()?;
    let (_client, token) = token(stage, &user, "agent-1")?;
    let own = mechanism(stage);
    let with = |count: &str| by_token(stage, &user, "agent-1", &token, own, &format!("count='{count}'"));
    expect(with("5"), "<success")?;
    for count in ["5", "4", "0", "-1", "x", "99999999999999999999999"] {
        expect(with(count), "<failure").map_err(|fault| format!("count {count}: {fault}"))?;
    }
    let both = std::thread::scope(|scope| {
        let all = [0, 1, 2, 3].map(|_| scope.spawn(|| with("6")));
        all.map(|one| one.join().unwrap_or_else(|_| Err("it panicked".into())))
    });
    let won = both.iter().filter(|one| one.as_ref().is_ok_and(|seen| seen.contains("<success"))).count();
    if won == 1 { Ok(()) } else { Err(format!("{won} of four won: {both:?}")) }
}
