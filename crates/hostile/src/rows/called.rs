//! Group G: what another server may do that we call: lies in DNS, no TLS, wrong certificates, keys that are used again.
//!
//! RFC 2782, RFC 6120 section 3.2, RFC 7590, XEP-0220 1.1.1, XEP-0478 0.2.0
//!
//! Not here: servers that call us (`servers.rs`).

use std::net::{IpAddr, Ipv4Addr, TcpListener};

use crate::client::{Client, Transport, shown};
use crate::dns::Record;
use crate::peer::{Peer, Shows, header, self_made};
use crate::row::{On, Row};
use crate::stage::Stage;
use crate::{Outcome, words};

const OURS: &str = "a.example";
/// It does not matter by which way the client is connected.
const ONCE: On = On::Only(Transport::Direct);
const LOCAL: Record = Record::Address(IpAddr::V4(Ipv4Addr::LOCALHOST));

/// What a client hears who sends a request to that domain: the whole error.
fn asks(stage: &Stage<'_>, domain: &str) -> Outcome<String> {
    let user = stage.server.borrow_user()?;
    let mut client = stage.bound(&user.name)?.0;
    ask(&mut client, domain)?;
    client.until("</iq>")
}

fn ask(client: &mut Client, domain: &str) -> Outcome {
    client.say(format!(
        "<iq xmlns='jabber:client' type='get' to='{domain}' id='far'><ping xmlns='urn:xmpp:ping'/></iq>"
    ))
}

fn says(heard: &str, words: &[&str]) -> Outcome {
    match words.iter().all(|word| heard.contains(word)) {
        true => Ok(()),
        false => Err(format!("not {words:?} but {:?}", shown(heard))),
    }
}

/// A listener that DNS names for the domain.
fn listener(stage: &Stage<'_>, domain: &str) -> Outcome<TcpListener> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(words)?;
    stage.server.world()?.dns.put_server(domain, listener.local_addr().map_err(words)?.port(), false);
    Ok(listener)
}

/// Somebody asks for something of `domain`; whoever listens there does that.
fn called(
    stage: &Stage<'_>,
    domain: &str,
    peer: impl FnOnce(&mut Peer) -> Outcome + Send,
) -> Outcome<String> {
    let listener = listener(stage, domain)?;
    std::thread::scope(|scope| {
        let peer = scope.spawn(move || {
            let mut called = Peer::accept(&listener)?;
            drop(listener);
            called.until("<stream:stream ")?;
            called.until(">")?;
            peer(&mut called)
        });
        let heard = asks(stage, domain);
        peer.join().map_err(|_| "the peer has failed".to_owned())??;
        heard
    })
}

/// The beginning of the peer's half.
fn greet(domain: &str, features: &str) -> String {
    let header = header(&format!("from='{domain}' to='{OURS}' id='{domain}' version='1.0'"));
    format!("{header}<stream:features>{features}</stream:features>")
}

const STARTTLS: &str = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
const EXTERNAL: &str =
    "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>EXTERNAL</mechanism></mechanisms>";

/// Up to our header inside TLS.
fn secured(peer: &mut Peer, domain: &str, shows: &Shows) -> Outcome {
    peer.say(greet(domain, STARTTLS));
    peer.until("<starttls")?;
    peer.until("/>")?;
    peer.say("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    peer.secure_from(shows)
}

pub(super) fn rows() -> Vec<Row> {
    let mut rows = keys();
    rows.extend(encryption());
    rows.push(lies());
    rows.push(
        Row::new(
            "G-15",
            "DNS that never answers about a domain",
            "ST remote-server-timeout; other domains are not delayed",
        )
        .federating()
        // It takes six seconds, in which the witnesses go on.
        .whole()
        .budget(500, 1024)
        .script(ONCE, |stage| {
            let world = stage.server.world()?;
            let domain = world.domain();
            for name in ["_xmpp-server._tcp.", "_xmpps-server._tcp.", ""] {
                world.dns.put(&format!("{name}{domain}"), vec![Record::Silence]);
            }
            says(&asks(stage, &domain)?, &["<remote-server-timeout"])
        }),
    );
    rows.push(limits());
    rows
}

fn keys() -> Vec<Row> {
    vec![
        Row::new(
            "G-02",
            "our own dialback key again: for another stream, other domains, in the wrong direction",
            "valid for what it was made for, else invalid",
        )
        .federating()
        .script(ONCE, |stage| {
            let world = stage.server.world()?;
            let (me, other) = (world.lax_domain(), world.lax_domain());
            let shows = world.authority.proper(&[&me])?;
            let key = std::sync::Mutex::new(String::new());
            let heard = called(stage, &me, |peer| {
                secured(peer, &me, &shows)?;
                peer.say(greet(&me, "<dialback xmlns='urn:xmpp:features:dialback'/>"));
                peer.until("<db:result")?;
                peer.until(">")?;
                let found = peer.until("<")?.trim_end_matches('<').to_owned();
                verified(stage, &me, &other, &found)?;
                *key.lock().map_err(words)? = found;
                Ok(())
            })?;
            if key.lock().map_err(words)?.len() < 32 {
                return Err("a key that could be guessed".to_owned());
            }
            says(&heard, &["type='error'"])
        }),
    ]
}

/// Asks about a key that was made for a stream with `me`, which has that name as its id.
fn verified(stage: &Stage<'_>, me: &str, other: &str, key: &str) -> Outcome {
    let world = stage.server.world()?;
    let mut peer =
        Peer::opened(stage.from, world.s2s, false, me, OURS, Some(&world.authority.proper(&[me])?))?;
    peer.until("</stream:features>")?;
    for (from, to, id, verdict) in [
        (me, OURS, me, "valid"),
        (me, OURS, other, "invalid"),
        (other, OURS, me, "invalid"),
        (me, "b.example", me, "invalid"),
        (me, OURS, me, "valid"),
    ] {
        peer.say(format!("<db:verify from='{from}' to='{to}' id='{id}'>{key}</db:verify>"));
        let seen = peer.until("/>")?;
        says(&seen, &[&format!("type='{verdict}'")]).map_err(|fault| format!("{from} {to} {id}: {fault}"))?;
    }
    Ok(())
}

type Made = fn(&Stage<'_>, &str) -> Outcome<Shows>;

fn encryption() -> Vec<Row> {
    let open = Row::new(
        "G-11",
        "a server that offers no TLS, refuses it, or adds something in the clear",
        "ST remote-server-timeout; nothing is delivered in the clear",
    )
    .federating();
    let open =
        ["", EXTERNAL, "<dialback xmlns='urn:xmpp:features:dialback'/>"].iter().fold(open, |row, offer| {
            row.script(ONCE, |stage| {
                let me = stage.server.world()?.domain();
                let heard = called(stage, &me, |peer| {
                    peer.say(greet(&me, offer));
                    in_the_clear(peer)
                })?;
                says(&heard, &["<remote-server-timeout", "encryption"])
            })
        });
    let open = [
        "<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:stream>",
        "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/><message from='x@c.example' to='juliet@a.example'/>",
        "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>\x15\x03\x01\x00\x02\x02\x28",
    ]
    .into_iter()
    .fold(open, |row, after| {
        row.script(ONCE, move |stage| {
            let me = stage.server.world()?.domain();
            let heard = called(stage, &me, |peer| {
                peer.say(greet(&me, STARTTLS));
                peer.until("<starttls")?;
                peer.until("/>")?;
                peer.say(after);
                in_the_clear(peer)
            })?;
            says(&heard, &["<remote-server-timeout"])
        })
    });
    let doubted: [Made; 3] = [
        |_, me| self_made(me),
        |stage, _| stage.server.world()?.authority.proper(&["c.example", "*.example"]),
        |stage, me| {
            stage.server.world()?.authority.issue(|params| {
                crate::peer::named(&[me])(params);
                params.not_before = rcgen::date_time_ymd(2001, 1, 1);
                params.not_after = rcgen::date_time_ymd(2002, 1, 1);
            })
        },
    ];
    let row = Row::new(
        "G-09b",
        "a server whose certificate is self-made, for another name, expired",
        "ST remote-server-timeout with the reason; nothing is said to it",
    )
    .federating();
    let doubted = doubted.into_iter().fold(row, |row, made| {
        row.script(ONCE, move |stage| {
            let me = stage.server.world()?.domain();
            let shows = made(stage, &me)?;
            let heard = called(stage, &me, |peer| {
                secured(peer, &me, &shows)?;
                in_the_clear(peer)
            })?;
            says(&heard, &["<remote-server-timeout", "certificate"])
        })
    });
    vec![open, doubted]
}

/// The rest of what it says to us: no stanza, no key, no name of a user.
fn in_the_clear(peer: &mut Peer) -> Outcome {
    let seen = peer.rest()?;
    match ["<iq", "<db:", "<auth", "urn:xmpp:ping"].iter().find(|word| seen.contains(**word)) {
        Some(_) => Err(format!("it goes on: {:?}", shown(&seen))),
        None => Ok(()),
    }
}

fn lies() -> Row {
    let host = |domain: &str| format!("host.{domain}");
    let srv = |port, host: String| Record::Srv(0, 0, port, host);
    type Lie = Box<dyn Fn(&str) -> Vec<(String, Vec<Record>)> + Send + Sync>;
    let service = |domain: &str| format!("_xmpp-server._tcp.{domain}");
    let lies: Vec<(Lie, &str)> = vec![
        (Box::new(move |me| vec![(service(me), vec![srv(0, String::new())])]), "remote-server-not-found"),
        (
            Box::new(move |me| vec![(service(me), vec![srv(0, host(me))]), (host(me), vec![LOCAL])]),
            "remote-server-not-found",
        ),
        (
            Box::new(move |me| vec![(service(me), vec![srv(1, host(me))]), (host(me), vec![LOCAL])]),
            "remote-server-timeout",
        ),
        (Box::new(move |me| vec![(service(me), vec![srv(5269, host(me))])]), "remote-server-not-found"),
        // More than one may look at, all for a port at which nobody listens.
        (
            Box::new(move |me| {
                vec![
                    (service(me), (0..40).map(|n| Record::Srv(n, 0, 1, host(me))).collect()),
                    (host(me), vec![LOCAL]),
                ]
            }),
            "remote-server-timeout",
        ),
        // A name that is an alias of itself, and an answer that cannot be read.
        (Box::new(move |me| vec![(service(me), vec![Record::Alias(service(me))])]), "remote-server-"),
        (
            Box::new(move |me| {
                vec![(service(me), vec![Record::Garbage]), (me.to_owned(), vec![Record::Garbage])]
            }),
            "remote-server-",
        ),
        // A name that is no name.
        (Box::new(move |me| vec![(service(me), vec![srv(5269, "-".repeat(63))])]), "remote-server-"),
    ];
    let row = Row::new(
        "G-14",
        "DNS that lies: \".\", port 0, a port where nobody listens, hosts without addresses, 40 records, aliases of themselves, garbage",
        "ST remote-server-not-found or -timeout; the server goes on",
    )
    .federating();
    lies.into_iter().fold(row, |row, (lie, condition)| {
        row.script(ONCE, move |stage| {
            let world = stage.server.world()?;
            let me = world.domain();
            for (name, records) in lie(&me) {
                world.dns.put(&name, records);
            }
            says(&asks(stage, &me)?, &["type='error'", condition])
        })
    })
}

fn limits() -> Row {
    Row::new("G-19", "a stanza larger than the other server says it takes", "ST policy-violation; the stream goes on")
        .federating()
        .script(ONCE, |stage| {
            let world = stage.server.world()?;
            let me = world.domain();
            let shows = world.authority.proper(&[&me])?;
            let listener = listener(stage, &me)?;
            let user = stage.server.borrow_user()?;
            let mut client = stage.bound(&user.name)?.0;
            std::thread::scope(|scope| {
                let domain = me.clone();
                let peer = scope.spawn(move || -> Outcome {
                    let mut peer = Peer::accept(&listener)?;
                    peer.until("<stream:stream ")?;
                    peer.until(">")?;
                    secured(&mut peer, &domain, &shows)?;
                    peer.say(greet(&domain, EXTERNAL));
                    peer.until("</auth>")?;
                    peer.say("<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>");
                    peer.until("<stream:stream ")?;
                    let limits =
                        "<limits xmlns='urn:xmpp:stream-limits:0'><max-bytes>10000</max-bytes></limits>";
                    peer.say(greet(&domain, limits));
                    let seen = peer.until("id='small'")?;
                    match seen.contains("id='large'") {
                        true => Err("the large one came".to_owned()),
                        false => Ok(()),
                    }
                });
                let message = |id: &str, size: usize| {
                    let body = "x".repeat(size);
                    format!("<message xmlns='jabber:client' to='x@{me}' id='{id}' type='chat'><body>{body}</body></message>")
                };
                client.say(message("large", 20_000))?;
                client.until("<policy-violation")?;
                client.say(message("small", 10))?;
                peer.join().map_err(|_| "the peer has failed".to_owned())?
            })
        })
}
