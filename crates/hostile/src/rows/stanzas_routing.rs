//! Group E, second part: addresses, and more than there may be.
//!
//! RFC 7622, RFC 8265, XEP-0106, XEP-0205.
//!
//! Not here: what stands inside of stanzas (`stanzas.rs`).

use crate::Outcome;
use crate::login::{auth, plain};
use crate::row::{At, On, Row};
use crate::server::PASSWORD;
use crate::stage::Stage;
use crate::verdict::lives;

const MALFORMED: &str = "<jid-malformed";

pub(super) fn rows() -> Vec<Row> {
    let mut rows = addresses();
    rows.extend(routes());
    rows.extend(quantities());
    rows
}

fn to(address: &str) -> String {
    format!("<iq xmlns='jabber:client' type='get' id='t' to='{address}'><ping xmlns='urn:xmpp:ping'/></iq>")
}

fn addresses() -> Vec<Row> {
    let malformed = || lives(MALFORMED);
    let mut long = Row::new(
        "E-22",
        "parts of an address of 1,023 and 1,024 bytes",
        "1,023 are accepted; ST jid-malformed",
    )
    .say(At::Active, to(&format!("{}@a.example", "a".repeat(1_023))), lives("<service-unavailable"))
    .say(At::Active, to(&format!("a@a.example/{}", "a".repeat(1_023))), lives("<service-unavailable"))
    .say(
        At::Active,
        to(&format!("{}@a.example/{}", "a".repeat(1_023), "b".repeat(1_023))),
        lives("<service-unavailable"),
    );
    for address in [
        format!("{}@a.example", "a".repeat(1_024)),
        format!("a@a.example/{}", "a".repeat(1_024)),
        format!("a@{}.example", "a".repeat(1_024)),
        format!("{}@a.example", "ä".repeat(512)),
    ] {
        long = long.say(At::Active, to(&address), malformed());
    }
    let mut forbidden = Row::new(
        "E-23",
        "a local part with a character that is not allowed, unassigned, of mixed direction, joiners",
        "ST jid-malformed; joiners are left out",
    );
    for c in [
        "&quot;",
        "&amp;",
        "&apos;",
        "/",
        ":",
        "&lt;",
        "&gt;",
        "@",
        " ",
        "&#9;",
        "&#10;",
        "\u{7f}",
        "\u{378}",
        "\u{200b}",
        "\u{202e}",
        "\u{2028}",
        "\u{200d}",
        "\u{200c}",
        "\u{5d0}",
        "\u{ad}x\u{fff9}",
    ] {
        // "a/b@..." is the domain "a", which is another server's.
        let answer = match c {
            "/" => "<remote-server-not-found",
            // Mapped to nothing (RFC 3920 appendix A, decision 003).
            "\u{200b}" | "\u{200c}" | "\u{200d}" => "from='ab@a.example'",
            _ => MALFORMED,
        };
        forbidden = forbidden.say(At::Active, to(&format!("a{c}b@a.example")), lives(answer));
    }
    vec![long, forbidden, domains()]
}

fn domains() -> Row {
    let mut domains = Row::new(
        "E-24",
        "domains: upper case, a final dot, full width, wrong punycode, addresses of IP, empty labels",
        "one form, or ST jid-malformed",
    )
    .say(At::Active, to("A.EXAMPLE"), lives("type='result'"))
    .say(At::Active, to("a.example."), lives("type='result'"))
    .say(At::Active, to("\u{ff41}.example"), lives("type='result'"))
    .say(At::Active, to("a\u{3002}example"), lives("type='result'"));
    for address in [
        "xn--example-.org",
        "xn--a",
        "a..example",
        ".example",
        "",
        "-a.example",
        "a_b.example/",
        "a@",
        "@a.example",
        "a@/x",
        "[::1",
        "[:::1]",
    ] {
        domains = domains.script(On::All, move |stage| {
            let user = stage.server.borrow_user()?;
            let (mut client, _) = stage.bound(&user.name)?;
            let answer = client.ask("t", &to(address))?;
            let refused =
                [MALFORMED, "<remote-server-not-found"].iter().any(|condition| answer.contains(condition));
            if refused { Ok(()) } else { Err(format!("{address:?}: {answer}")) }
        });
    }
    domains
}

fn routes() -> Vec<Row> {
    let malformed = || lives(MALFORMED);
    vec![
        Row::new(
            "E-16",
            "an address of 10 KB, one of no form, another server's, another domain of this one",
            "ST jid-malformed, remote-server-not-found, service-unavailable",
        )
        .say(At::Active, to(&"a".repeat(10_000)), malformed())
        .say(At::Active, to(&format!("{}@a.example/{}", "a".repeat(5_000), "b".repeat(5_000))), malformed())
        .say(At::Active, to("@@@"), malformed())
        .say(At::Active, to("a@nobody.example"), lives("<remote-server-not-found"))
        .say(At::Active, to("nobody@b.example"), lives("<service-unavailable"))
        .say(At::Active, to("b.example"), lives("type='result'"))
        .say(At::Active, "<message xmlns='jabber:client' to='@' id='m'><body>b</body></message>", malformed())
        .say(At::Active, "<presence xmlns='jabber:client' to='@' id='p'/>", malformed()),
        Row::new(
            "E-25",
            "names that are equal after preparation: full width, Kelvin sign, ligature, A with a ring",
            "one account",
        )
        .script(On::All, equal_names),
        Row::new("E-28", "escapes of XEP-0106: \\20, \\5c20", "never undone by the server")
            .say(At::Active, to("a\\20b@a.example"), lives("from='a\\20b@a.example'"))
            .say(At::Active, to("a\\5c20b@a.example"), lives("from='a\\5c20b@a.example'"))
            .say(At::Active, to("a\\22\\26\\27\\2f@a.example"), lives("from='a\\22\\26\\27\\2f@a.example'")),
    ]
}

fn equal_names(stage: &Stage<'_>) -> Outcome {
    let user = stage.server.user()?;
    let fullwidth: String =
        user.chars().map(|c| char::from_u32(u32::from(c) - 0x21 + 0xff01).unwrap_or(c)).collect();
    for name in [user.to_uppercase(), fullwidth] {
        let mut client = stage.offered()?;
        let inside = "<bind xmlns='urn:xmpp:bind:0'/>";
        client.say(crate::login::authenticate(&name, PASSWORD, inside))?;
        let seen = client.until("</success>").map_err(|fault| format!("{name}: {fault}"))?;
        if !seen.contains(&format!("<authorization-identifier>{user}@a.example/")) {
            return Err(seen);
        }
    }
    // A name in composed and decomposed form is one account, and is made once.
    let plain_name = format!("\u{e5}-{user}");
    stage.server.make(&plain_name, "a.example")?;
    for other in [format!("a\u{30a}-{user}"), format!("\u{212b}-{user}"), format!("\u{c5}-{user}")] {
        if stage.server.make(&other, "a.example").is_ok() {
            return Err(format!("{other:?} was made beside {plain_name:?}"));
        }
        let mut client = stage.offered()?;
        client.say(auth("PLAIN", &plain("", &other, PASSWORD)))?;
        client.until("<success").map_err(|fault| format!("{other:?}: {fault}"))?;
    }
    Ok(())
}

/// What makes little sense and is no mistake of form.
const ODD: [&str; 17] = [
    "<presence to='a.example' type='subscribe'/>",
    "<presence to='a.example' type='subscribed'/>",
    "<presence to='{me}' type='subscribe'/>",
    "<presence to='{bare}' type='subscribe'/>",
    "<presence to='{bare}' type='subscribed'/>",
    "<presence to='{bare}' type='unsubscribed'/>",
    "<presence to='{bare}' type='probe'/>",
    "<presence to='{me}' type='probe'/>",
    "<presence to='a.example/x' type='unavailable'/>",
    "<presence><priority>128</priority><priority>-129</priority></presence>",
    "<presence><priority>x</priority><show>nonsense</show></presence>",
    "<message to='a.example'><body>b</body></message>",
    "<message to='a.example/x' type='groupchat'><body>b</body></message>",
    "<message to='{me}' type='nonsense'><body>b</body></message>",
    "<message to='{bare}' type='error'/>",
    "<iq to='{me}' type='result' id='x'/>",
    "<message to='{bare}'><forwarded xmlns='urn:xmpp:forward:0'/><x xmlns='jabber:x:data' type='form'/></message>",
];

fn odd(stage: &Stage<'_>) -> Outcome {
    let user = stage.server.user()?;
    let (mut client, me) = stage.online(&user)?;
    for say in ODD {
        let bare = me.split('/').next().unwrap_or_default();
        let say = say.replace("{me}", &me).replace("{bare}", bare);
        let at = say.find([' ', '>']).unwrap_or(0);
        client.say(format!("{} xmlns='jabber:client'{}", &say[..at], &say[at..]))?;
        client.probe("alive").map_err(|fault| format!("{say}: {fault}"))?;
    }
    let nobody = format!("nobody@{}", stage.server.target.domain);
    client.probe_of(&nobody, "nobody").map(drop)
}

fn quantities() -> Vec<Row> {
    let roster = |inside: &str| {
        format!(
            "<iq xmlns='jabber:client' type='set' id='r'><query xmlns='jabber:iq:roster'>{inside}</query></iq>"
        )
    };
    let long = "g".repeat(10_000);
    let groups: String = (0..200).map(|n| format!("<group>g{n}</group>")).collect();
    let private = |bytes: usize| {
        format!(
            "<iq xmlns='jabber:client' type='set' id='p'><query xmlns='jabber:iq:private'><x xmlns='urn:x'>{}</x></query></iq>",
            "x".repeat(bytes)
        )
    };
    vec![
        Row::new("E-16b", "presence, subscriptions and messages to the domain and to oneself, unknown types, priorities out of range", "answered or left alone; the stream goes on")
.script(On::All, odd),
Row::new("E-17", "1,000 messages to as many addresses", "each is answered or kept, at little cost; what one may send for long is bounded in bytes")
            .budget(200, 2 * 1024)
            .script(On::All, |stage| {
                let user = stage.server.user()?;
                let (mut client, _) = stage.bound(&user)?;
                for n in 0..1_000 {
                    client.say(format!("<message xmlns='jabber:client' to='nobody-{n}@a.example' id='m{n}'><body>b</body></message>"))?;
                    if n % 100 == 99 {
                        client.probe("pace")?;
                    }
                }
                client.probe("after").map(drop)
            }),
        Row::new("E-21", "a group, a name of a contact of 10 KB, 200 groups, two contacts at once, private XML of 100 KB and too many kinds of it", "ST not-acceptable, bad-request, resource-constraint, policy-violation")
            .say(At::Active, roster(&format!("<item jid='a@a.example'><group>{long}</group></item>")), lives("type='error'"))
            .say(At::Active, roster(&format!("<item jid='a@a.example' name='{long}'/>")), lives("type='error'"))
            .say(At::Active, roster(&format!("<item jid='a@a.example'>{groups}</item>")), lives("type='error'"))
            .say(At::Active, roster("<item jid='a@a.example'><group>a</group><group>a</group></item>"), lives("type='error'"))
            .say(At::Active, roster("<item jid='a@a.example'><group/></item>"), lives("type='error'"))
            .say(At::Active, roster("<item jid='a@a.example'/><item jid='b@a.example'/>"), lives("<bad-request"))
            .say(At::Active, roster("<item/>"), lives("type='error'"))
            .say(At::Active, private(100_000), lives("type='error'"))
            .script(On::All, |stage| {
                let user = stage.server.user()?;
                let (mut client, _) = stage.bound(&user)?;
                let mut last = String::new();
                for n in 0..70 {
                    let id = format!("p{n}");
                    last = client.ask(&id, &format!("<iq xmlns='jabber:client' type='set' id='{id}'><query xmlns='jabber:iq:private'><x xmlns='urn:{n}'>x</x></query></iq>"))?;
                }
                if last.contains("type='error'") { Ok(()) } else { Err(last) }
            }),
    ]
}
