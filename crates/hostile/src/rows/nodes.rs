//! Group F, second part: archives of accounts, nodes, commands.
//!
//! XEP-0313, XEP-0059, XEP-0060, XEP-0163, XEP-0050, XEP-0133.
//!
//! Not here: rooms (`rooms.rs`).

use super::rooms::{Guest, MAM};
use crate::Outcome;
use crate::row::{At, On, Row};
use crate::stage::Stage;
use crate::verdict::lives;

const PUBSUB: &str = "http://jabber.org/protocol/pubsub";
const SERVICE: &str = "pubsub.a.example";

pub(super) fn rows() -> Vec<Row> {
    let mut rows = vec![
        Row::new(
            "F-16",
            "the archive of another account; `with` of wildcards",
            "ST forbidden; taken literally",
        )
        .script(On::All, others_archive),
        Row::new(
            "F-18",
            "`before` and `after` with quotes, SQL, an id that nobody knows, 100 KB",
            "ST item-not-found, bad-request",
        )
        .script(On::All, odd_ids),
        Row::new("F-20", "200 questions to the archive at once", "each is answered")
            .budget(250, 2_048)
            .script(On::All, many_questions),
        Row::new(
            "F-23",
            "subscribing another; publishing without the right; retracting another's item",
            "ST invalid-jid, forbidden",
        )
        .script(On::All, foreign_nodes),
        Row::new(
            "F-28",
            "operators' commands by a user, of another domain, with another's or an unknown session",
            "ST forbidden, bad-sessionid, item-not-found",
        )
        .script(On::All, commands),
    ];
    rows.push(paging());
    rows.push(malformed());
    rows.push(sizes());
    rows
}

fn iq(kind: &str, to: &str, payload: &str) -> String {
    let to = if to.is_empty() { String::new() } else { format!(" to='{to}'") };
    format!("<iq xmlns='jabber:client' type='{kind}' id='x'{to}>{payload}</iq>")
}

fn mam(inside: &str) -> String {
    format!("<query xmlns='urn:xmpp:mam:2'>{inside}</query>")
}

fn with(jid: &str) -> String {
    mam(&format!(
        "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'><value>urn:xmpp:mam:2</value></field>\
         <field var='with'><value>{jid}</value></field></x>"
    ))
}

fn others_archive(stage: &Stage<'_>) -> Outcome {
    let (mut juliet, mut eve) = (Guest::new(stage)?, Guest::new(stage)?);
    juliet.client.say(format!(
        "<message xmlns='jabber:client' to='{}' type='chat' id='m'><body>secret</body></message>",
        juliet.bare()
    ))?;
    juliet.client.probe("sent")?;
    eve.refused("set", &juliet.bare(), MAM, &["forbidden", "service-unavailable", "not-allowed"])?;
    eve.refused(
        "get",
        &juliet.bare(),
        "<metadata xmlns='urn:xmpp:mam:2'/>",
        &["forbidden", "service-unavailable", "not-allowed"],
    )?;
    for jid in ["%", "%@a.example", "_@a.example", "*@a.example", "a' OR '1'='1"] {
        let answer = juliet.ask("set", "", &with(&jid.replace('\'', "&apos;")))?;
        // An address that is none is an error; else there is an end, and nothing before it.
        if answer.contains("type='error'") {
            continue;
        }
        if juliet.history("", &with(&jid.replace('\'', "&apos;")))?.contains("secret") {
            return Err(format!("{jid} matches"));
        }
    }
    Ok(())
}

fn paging() -> Row {
    let page = |inside: &str| {
        iq("set", "", &mam(&format!("<set xmlns='http://jabber.org/protocol/rsm'>{inside}</set>")))
    };
    Row::new(
        "F-17",
        "pages of 0, -1, 10^9, 10^30 and no number; by index",
        "0 only counts, the others are capped or ST bad-request",
    )
    .say(At::Active, page("<max>0</max>"), lives("type='result'"))
    .say(At::Active, page("<max>-1</max>"), lives("id='x'"))
    .say(At::Active, page("<max>1000000000</max>"), lives("id='x'"))
    .say(At::Active, page("<max>1000000000000000000000000000000</max>"), lives("id='x'"))
    .say(At::Active, page("<max>many</max>"), lives("id='x'"))
    .say(At::Active, page("<max>5</max><index>1000000</index>"), lives("id='x'"))
}

fn odd_ids(stage: &Stage<'_>) -> Outcome {
    let mut guest = Guest::new(stage)?;
    guest.client.say(format!(
        "<message xmlns='jabber:client' to='{}' type='chat' id='m'><body>b</body></message>",
        guest.bare()
    ))?;
    guest.client.probe("sent")?;
    let long = "x".repeat(100_000);
    for id in [
        "&apos; OR 1=1 --",
        "&quot;;DROP TABLE log;",
        "0",
        "18446744073709551616",
        "nobody-knows",
        "\u{1f600}",
        &long,
    ] {
        for side in ["before", "after"] {
            let query = mam(&format!(
                "<set xmlns='http://jabber.org/protocol/rsm'><max>5</max><{side}>{id}</{side}></set>"
            ));
            guest.refused("set", "", &query, &["item-not-found", "bad-request"])?;
        }
    }
    Ok(())
}

fn many_questions(stage: &Stage<'_>) -> Outcome {
    let mut guest = Guest::new(stage)?;
    for n in 0..200 {
        guest.client.say(format!("<iq xmlns='jabber:client' type='set' id='many{n}'>{MAM}</iq>"))?;
    }
    // Several threads read: the answers may overtake each other.
    let mut seen = String::new();
    for n in 0..200 {
        let answer = format!("id='many{n}'");
        while !seen.contains(&answer) {
            seen += &guest.client.until(">")?;
        }
    }
    guest.client.probe("after").map(drop)
}

fn foreign_nodes(stage: &Stage<'_>) -> Outcome {
    let (mut owner, mut eve) = (Guest::new(stage)?, Guest::new(stage)?);
    let node = format!("n-{}", owner.name);
    owner.set(SERVICE, &format!("<pubsub xmlns='{PUBSUB}'><create node='{node}'/></pubsub>"))?;
    owner.set(SERVICE, &format!("<pubsub xmlns='{PUBSUB}'><publish node='{node}'><item id='1'><x xmlns='urn:x'/></item></publish></pubsub>"))?;
    let victim = owner.bare();
    eve.refused(
        "set",
        SERVICE,
        &format!("<pubsub xmlns='{PUBSUB}'><subscribe node='{node}' jid='{victim}'/></pubsub>"),
        &["bad-request", "forbidden"],
    )?;
    for payload in [
        format!("<publish node='{node}'><item id='2'><x xmlns='urn:x'/></item></publish>"),
        format!("<retract node='{node}'><item id='1'/></retract>"),
    ] {
        eve.refused("set", SERVICE, &format!("<pubsub xmlns='{PUBSUB}'>{payload}</pubsub>"), &["forbidden"])?;
    }
    for payload in [
        format!("<delete node='{node}'/>"),
        format!("<purge node='{node}'/>"),
        format!("<configure node='{node}'/>"),
        format!("<affiliations node='{node}'/>"),
    ] {
        eve.refused(
            "set",
            SERVICE,
            &format!("<pubsub xmlns='{PUBSUB}#owner'>{payload}</pubsub>"),
            &["forbidden"],
        )?;
    }
    // A node of an account (PEP).
    eve.refused("set", &victim, &format!("<pubsub xmlns='{PUBSUB}'><publish node='urn:x'><item id='1'><x xmlns='urn:x'/></item></publish></pubsub>"), &["forbidden", "service-unavailable", "item-not-found"])
}

/// Each part missing or wrong (CVE-2011-4320 was one of them).
fn malformed() -> Row {
    let mut row = Row::new(
        "F-24",
        "requests to nodes, each without one of its parts or with a wrong one, at the service and at the own account",
        "a stanza error, and the service goes on",
    );
    for payload in [
        "<publish/>",
        "<publish node=''><item/></publish>",
        "<publish node='n'><item/><item/></publish>",
        "<publish node='n'/><publish-options/>",
        "<create/><create/>",
        "<create node='urn:n'/><configure><x xmlns='jabber:x:data' type='submit'><field/><field var='FORM_TYPE'/></x></configure>",
        "<subscribe/>",
        "<subscribe node='n'/>",
        "<subscribe node='n' jid='@'/>",
        "<subscribe node='n' jid='a@a.example'/><options><x xmlns='jabber:x:data'/></options>",
        "<unsubscribe/>",
        "<items/>",
        "<items node='n' max_items='-1'/>",
        "<retract/>",
        "<retract node='n'><item/></retract>",
        "<options/>",
        "<options node='n' jid='a@a.example'><x xmlns='jabber:x:data' type='submit'/></options>",
        "<nonsense/>",
        "",
    ] {
        for to in [SERVICE, ""] {
            let inside = format!("<pubsub xmlns='{PUBSUB}'>{payload}</pubsub>");
            row = row.say(At::Active, iq("set", to, &inside), lives("id='x'"));
        }
    }
    for payload in [
        "<configure/>",
        "<configure node='n'><x xmlns='jabber:x:data' type='submit'/></configure>",
        "<delete/>",
        "<purge/>",
        "<affiliations/>",
        "<affiliations node='n'><affiliation/></affiliations>",
        "<subscriptions/>",
        "<subscriptions node='n'><subscription jid='@' subscription='x'/></subscriptions>",
        "<default/>",
        "",
    ] {
        for kind in ["get", "set"] {
            let inside = format!("<pubsub xmlns='{PUBSUB}#owner'>{payload}</pubsub>");
            row = row.say_on(On::Streams, At::Active, iq(kind, SERVICE, &inside), lives("id='x'"));
        }
    }
    row
}

fn sizes() -> Row {
    let publish = |node: &str, id: &str, payload: &str| {
        iq(
            "set",
            "",
            &format!(
                "<pubsub xmlns='{PUBSUB}'><publish node='{node}'><item id='{id}'>{payload}</item></publish></pubsub>"
            ),
        )
    };
    let payload = "<x xmlns='urn:x'/>";
    Row::new("F-25", "the name of a node and the id of an item of 10 KB; two payloads in an item", "ST not-acceptable, bad-request")
        .say(At::Active, publish(&"n".repeat(10_000), "1", payload), lives("type='error'"))
        .say(At::Active, publish("urn:n", &"i".repeat(10_000), payload), lives("type='error'"))
        .say(At::Active, publish("urn:n", "1", "<x xmlns='urn:x'/><y xmlns='urn:x'/>"), lives("type='error'"))
        .script(On::All, |stage| {
            // The same id again: one item.
            let mut guest = Guest::new(stage)?;
            for n in 0..3 {
                guest.set("", &format!("<pubsub xmlns='{PUBSUB}'><publish node='urn:n'><item id='1'><x xmlns='urn:x' n='{n}'/></item></publish></pubsub>"))?;
            }
            let items = guest.ask("get", "", &format!("<pubsub xmlns='{PUBSUB}'><items node='urn:n'/></pubsub>"))?;
            let right = items.contains("n='2'") && !items.contains("n='1'");
            if right { Ok(()) } else { Err(items) }
        })
}

fn commands(stage: &Stage<'_>) -> Outcome {
    let (mut juliet, mut eve) = (Guest::new(stage)?, Guest::new(stage)?);
    let command = |node: &str, more: &str, inside: &str| {
        format!(
            "<command xmlns='http://jabber.org/protocol/commands' node='{node}' {more}>{inside}</command>"
        )
    };
    let not = ["forbidden", "not-allowed", "item-not-found", "service-unavailable"];
    for node in [
        "add-user",
        "delete-user",
        "end-user-session",
        "get-online-users-list",
        "announce",
        "change-user-password",
    ] {
        let node = format!("http://jabber.org/protocol/admin#{node}");
        eve.refused("set", "a.example", &command(&node, "action='execute'", ""), &not)?;
        eve.refused("set", "b.example", &command(&node, "action='execute'", ""), &not)?;
        let form = "<x xmlns='jabber:x:data' type='submit'><field var='accountjid'><value>juliet@a.example</value></field></x>";
        eve.refused("set", "a.example", &command(&node, "sessionid='1' action='complete'", form), &not)?;
    }
    // An operator's session is of no use to others: nor is one that never was.
    stage.server.administer("user promote", &juliet.bare(), None)?;
    let begun = juliet.ask(
        "set",
        "a.example",
        &command("http://jabber.org/protocol/admin#add-user", "action='execute'", ""),
    )?;
    let (_, rest) = begun.split_once("sessionid='").ok_or_else(|| format!("no session: {begun}"))?;
    let session = rest.split('\'').next().unwrap_or_default().to_owned();
    let stolen = command(
        "http://jabber.org/protocol/admin#add-user",
        &format!("sessionid='{session}' action='complete'"),
        "",
    );
    eve.refused("set", "a.example", &stolen, &not)?;
    // The other domain has other operators.
    let node = "http://jabber.org/protocol/admin#add-user";
    juliet.refused("set", "b.example", &command(node, "action='execute'", ""), &not)
}
