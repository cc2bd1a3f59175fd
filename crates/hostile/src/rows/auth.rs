//! Group C, first part: logins by PLAIN and what is around them.
//!
//! RFC 6120 section 6, RFC 4616, XEP-0388.
//!
//! Not here: SCRAM and tokens (`auth_scram.rs`), time (`timing.rs`).

use crate::Outcome;
use crate::client::{Client, PATIENCE, Transport};
use crate::login::{auth, authenticate, base64, bind, plain, response};
use crate::row::{At, On, Row};
use crate::server::PASSWORD;
use crate::stage::Stage;
use crate::verdict::{Verdict, dies, lives, stream_error};

/// An account that is there from the start.
const USER: &str = "juliet";

pub(super) fn rows() -> Vec<Row> {
    let mut rows = messages();
    rows.extend(passwords());
    rows.extend(mechanisms());
    rows.extend(order());
    rows.extend(accounts());
    rows
}

fn fails(row: Row, mechanism: &str, data: impl AsRef<str>, condition: &'static str) -> Row {
    row.say(At::Offered, auth(mechanism, data.as_ref()), Verdict::Fails(condition))
}

fn messages() -> Vec<Row> {
    let mut foreign = Row::new("C-01", "a right password with the authorization identity of somebody else, of another domain, with a resource, of no form", "SASL invalid-authzid").logs("InvalidAuthzid");
    for authzid in [
        "romeo@a.example",
        "juliet@b.example",
        "juliet@a.example/x",
        "juliet",
        "a.example",
        "juliet@a.example@a.example",
        "JULIET@b.example",
    ] {
        foreign = fails(foreign, "PLAIN", plain(authzid, USER, PASSWORD), "invalid-authzid");
    }
    let mut shape = Row::new(
        "C-02",
        "PLAIN with none, one, three or four zero bytes, with empty fields",
        "SASL malformed-request",
    )
    .logs("MalformedRequest");
    for message in [
        "juliet",
        "\0juliet",
        "\0juliet\0a\0b",
        "a\0juliet\0b\0c\0d",
        "\0\0a",
        "\0juliet\0",
        "\0\0",
        "",
        "\0juliet\0a\0",
    ] {
        let data = if message.is_empty() { "=".to_owned() } else { base64(message) };
        shape = fails(shape, "PLAIN", data, "malformed-request");
    }
    shape = fails(shape, "PLAIN", base64(b"\0juliet\xff\0a"), "malformed-request");
    let right = plain("", USER, PASSWORD);
    let mut encoding = Row::new(
        "C-03",
        "wrong base64: other letters, white space, missing or too much padding",
        "SASL incorrect-encoding",
    )
    .logs("IncorrectEncoding");
    for data in [
        format!("{right}!"),
        format!(" {right}"),
        format!("{right}\n"),
        "AA".into(),
        "==".into(),
        "A===".into(),
        "AB==".into(),
        "-_-_".into(),
        format!("{right}===="),
        "A\u{e9}==".into(),
    ] {
        encoding = fails(encoding, "PLAIN", data, "incorrect-encoding");
    }
    vec![foreign, shape, encoding]
}

fn passwords() -> Vec<Row> {
    let long = |bytes: usize| plain("", USER, &"x".repeat(bytes));
    vec![
        Row::new("C-12", "a password of 1,024 bytes, of 1 MiB; the same as a new one", "refused before any work is done for it")
            .say(At::Offered, auth("PLAIN", &long(1_024)), Verdict::Fails("malformed-request"))
            .says(On::All, At::Offered, vec![crate::row::Say::Raw(auth("PLAIN", &long(1 << 20)).into_bytes())], Verdict::Ends)
            .script(On::All, |stage| {
                let user = stage.server.borrow_user()?;
                let (mut client, _) = stage.bound(&user.name)?;
                let (name, word) = (&user.name, "x".repeat(1_024));
                let answer = client.ask("p", &format!("<iq xmlns='jabber:client' type='set' id='p'><query xmlns='jabber:iq:register'><username>{name}</username><password>{word}</password></query></iq>"))?;
                if answer.contains("<not-acceptable") { Ok(()) } else { Err(answer) }
            }),
        Row::new("C-13", "an empty password; one that is equal after preparation (RFC 8265, SASLprep)", "malformed-request; success")
            .say(At::Offered, auth("PLAIN", &plain("", USER, "")), Verdict::Fails("malformed-request"))
            .script(On::All, |stage| {
                let user = stage.server.user()?;
                stage.server.administer("user passwd", &format!("{user}@a.example"), Some("\u{2168}-pass\u{a0}word"))?;
                for word in ["IX-pass word", "\u{2168}-pass\u{a0}word", "I\u{ad}X-pass word"] {
                    let mut client = stage.offered()?;
                    client.say(auth("PLAIN", &plain("", &user, word)))?;
                    client.until("<success").map_err(|fault| format!("{word:?}: {fault}"))?;
                }
                Ok(())
            }),
    ]
}

fn mechanisms() -> Vec<Row> {
    let mut unknown = Row::new(
        "C-15",
        "a mechanism that is not offered, not offered here, or none",
        "SASL invalid-mechanism",
    )
    .logs("InvalidMechanism");
    for mechanism in [
        "ANONYMOUS",
        "OAUTHBEARER",
        "X-OAUTH2",
        "GSSAPI",
        "plain",
        "PLAIN ",
        "",
        "HT-SHA-256-NONE",
        "SCRAM-SHA-999",
        "PLAIN&#10;",
    ] {
        unknown = fails(unknown, mechanism, plain("", USER, PASSWORD), "invalid-mechanism");
    }
    unknown = unknown
        .say_on(
            On::Only(Transport::Bosh),
            At::Offered,
            auth("SCRAM-SHA-256-PLUS", &base64("p=tls-exporter,,n=juliet,r=abcdefgh")),
            Verdict::Fails("invalid-mechanism"),
        )
        .say(
            At::Offered,
            "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>",
            Verdict::Fails("invalid-mechanism"),
        )
        .say(At::Offered, "<authenticate xmlns='urn:xmpp:sasl:2'/>", Verdict::Fails("invalid-mechanism"));
    let mut external = Row::new(
        "C-20",
        "EXTERNAL without a certificate: with =, nothing, one's own or another name",
        "SASL invalid-mechanism",
    );
    for data in ["=".to_owned(), String::new(), base64("juliet@a.example"), base64("a.example")] {
        external = fails(external, "EXTERNAL", data, "invalid-mechanism");
    }
    let mut old = Row::new("C-21", "DIGEST-MD5, CRAM-MD5, LOGIN, jabber:iq:auth", "never offered; refused")
        .script(On::All, |stage| {
            let seen = stage.connect()?.offered()?;
            let found = ["MD5", "LOGIN", "iq-auth", "ANONYMOUS", "EXTERNAL"]
                .into_iter()
                .find(|name| seen.contains(name));
            found.map_or(Ok(()), |name| Err(format!("{name} in {seen}")))
        });
    for mechanism in ["DIGEST-MD5", "CRAM-MD5", "LOGIN", "NTLM"] {
        old = fails(old, mechanism, "=", "invalid-mechanism");
    }
    vec![unknown, external, old]
}

fn order() -> Vec<Row> {
    let respond = response("AA==");
    vec![
        Row::new("C-16", "an abort; an answer without a question; a second login amid or after the first; the other profile's words", "SASL aborted; SE not-authorized")
            .logs("misbehaviour")
            .say(At::Exchange, "<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>", Verdict::Fails("aborted"))
            .say(At::Offered, "<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>", dies(&["not-authorized"]))
            .say(At::Offered, &respond, dies(&["not-authorized"]))
            .say(At::Offered, "<response xmlns='urn:xmpp:sasl:2'>AA==</response>", dies(&["not-authorized"]))
            .say(At::Exchange, "<response xmlns='urn:xmpp:sasl:2'>AA==</response>", dies(&["not-authorized"]))
            .say(At::Exchange, "<abort xmlns='urn:xmpp:sasl:2'/>", dies(&["not-authorized"]))
            .say(At::Exchange, auth("PLAIN", &plain("", USER, PASSWORD)), dies(&["not-authorized"]))
            .say(At::Exchange, authenticate(USER, PASSWORD, ""), dies(&["not-authorized"]))
            .say(At::Unbound, auth("PLAIN", &plain("", USER, PASSWORD)), dies(&["not-authorized", "policy-violation"]))
            .say(At::Offered, "<next xmlns='urn:xmpp:sasl:2' task='x'/>", dies(&["not-authorized"]))
            .say(At::Offered, "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>", dies(&["not-authorized"])),
        Row::new("C-25", "resuming, enabling stream management or asking for a resource before the login", "SE not-authorized, <failed/>")
            .logs("misbehaviour")
            .say(At::Offered, "<resume xmlns='urn:xmpp:sm:3' previd='x' h='0'/>", lives("<unexpected-request"))
            .say(At::Offered, "<enable xmlns='urn:xmpp:sm:3'/>", lives("<unexpected-request"))
            .say(At::Offered, bind("x"), dies(&["not-authorized"]))
            .say(At::Clear, "<resume xmlns='urn:xmpp:sm:3' previd='x' h='0'/>", Verdict::Lives("<unexpected-request".into()))
            .say(At::Clear, bind("x"), dies(&["not-authorized"])),
    ]
}

fn accounts() -> Vec<Row> {
    vec![
        Row::new("C-04", "more failed logins in a stream than are allowed", "each is answered later than the one before; SE policy-violation after the fifth")
            .whole()
            .logs("TooManyFailures")
            .script(On::All, |stage| {
                let mut client = stage.offered()?;
                for _ in 0..5 {
                    client.say(auth("PLAIN", &plain("", USER, "wrong")))?;
                    client.until("<not-authorized")?;
                }
                let seen = client.rest(PATIENCE)?;
                if stream_error(&seen) == Some("policy-violation") { Ok(()) } else { Err(seen) }
            }),
        Row::new("C-05b", "a wrong password for an unknown account, one that exists, one that is suspended; one for an impossible name", "answers alike to the byte")
            .script(On::All, alike),
        Row::new("C-17", "an account suspended or removed during an exchange and during a session", "SASL failure; the session ends within 5 s")
            .script(On::All, |stage| ended(stage, "user suspend"))
            .script(On::All, |stage| ended(stage, "user remove")),
        Row::new("C-26", "resuming, binding and stream management within a login, with a session that is not there", "the login succeeds, resuming fails, a resource is bound in the same answer")
            .script(On::All, |stage| {
                let user = stage.server.borrow_user()?;
                for previd in ["nonsense", "", &"x".repeat(300), "00000000000000000000000000000000"] {
                    let mut client = stage.offered()?;
                    let inside = format!("<resume xmlns='urn:xmpp:sm:3' previd='{previd}' h='0'/><bind xmlns='urn:xmpp:bind:0'><tag>t</tag><enable xmlns='urn:xmpp:sm:3' resume='true'/></bind>");
                    client.say(authenticate(&user.name, PASSWORD, &inside))?;
                    let seen = client.until("</success>")?;
                    if !(seen.contains("<failed") && seen.contains("<bound") && seen.contains("<enabled")) {
                        return Err(seen);
                    }
                    client.until("</stream:features>")?;
                    client.probe("bound")?;
                }
                Ok(())
            }),
        Row::new("C-27", "many wrong logins from one address", "held back there; its owner gets in from elsewhere").script(On::All, held_back),
        Row::new("C-28", "a password that is changed", "other sessions end within 5 s, the one that changed it stays; the old password is none")
            .script(On::All, changed),
    ]
}

fn alike(stage: &Stage<'_>) -> Outcome {
    let (known, suspended) = (stage.server.user()?, stage.server.user()?);
    stage.server.administer("user suspend", &format!("{suspended}@a.example"), None)?;
    let mut seen = Vec::new();
    for user in ["nobody-at-all", &known, &suspended, "a@b", "a b", "\u{202e}"] {
        for attempt in [
            auth("PLAIN", &plain("", user, "wrong")),
            authenticate(user, "wrong", "<bind xmlns='urn:xmpp:bind:0'/>"),
        ] {
            let mut client = stage.offered()?;
            client.say(attempt)?;
            seen.push(client.until("</failure>")?);
        }
    }
    let same = seen.iter().step_by(2).all(|one| *one == seen[0])
        && seen.iter().skip(1).step_by(2).all(|one| *one == seen[1]);
    if same { Ok(()) } else { Err(format!("{seen:?}")) }
}

fn ended(stage: &Stage<'_>, command: &str) -> Outcome {
    let user = stage.server.user()?;
    let (mut session, _) = stage.bound(&user)?;
    let mut login = stage.offered()?;
    login.say("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'/>")?;
    login.until("<challenge")?;
    stage.server.administer(command, &format!("{user}@a.example"), None)?;
    session.rest(PATIENCE)?;
    login.say(response(&plain("", &user, PASSWORD)))?;
    login.until("</failure>").map(drop)
}

fn held_back(stage: &Stage<'_>) -> Outcome {
    let user = stage.server.user()?;
    let from = stage.server.address();
    let connect = |from| {
        let mut client = Client::connect(&stage.server.target, stage.transport, from)?;
        client.offered()?;
        Ok::<_, String>(client)
    };
    let mut clients = Vec::new();
    for _ in 0..24 {
        let mut client = connect(from)?;
        client.say(auth("PLAIN", &plain("", &user, "wrong")))?;
        clients.push(client);
    }
    let mut refused = 0;
    for client in &mut clients {
        refused += u32::from(client.until("</failure>")?.contains("<temporary-auth-failure"));
    }
    if refused == 0 {
        return Err("24 logins failed and nothing was held back".into());
    }
    for (from, answer) in [(from, "<temporary-auth-failure"), (stage.from, "<success")] {
        let mut client = connect(from)?;
        client.say(auth("PLAIN", &plain("", &user, PASSWORD)))?;
        client.until(answer)?;
    }
    Ok(())
}

fn changed(stage: &Stage<'_>) -> Outcome {
    let user = stage.server.user()?;
    let (mut one, _) = stage.bound(&user)?;
    let (mut other, _) = stage.bound_with(&user, "<enable xmlns='urn:xmpp:sm:3' resume='true'/>")?;
    let answer = one.ask("p", &format!("<iq xmlns='jabber:client' type='set' id='p'><query xmlns='jabber:iq:register'><username>{user}</username><password>new-{PASSWORD}-new</password></query></iq>"))?;
    if !answer.contains("type='result'") {
        return Err(answer);
    }
    other.rest(PATIENCE)?;
    one.probe("still")?;
    let mut login = stage.offered()?;
    login.say(auth("PLAIN", &plain("", &user, PASSWORD)))?;
    login.until("<not-authorized").map(drop)
}
