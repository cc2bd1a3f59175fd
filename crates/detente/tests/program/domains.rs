//! Domains that come and go while the server runs: by commands, and by a reload.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use base64::Engine as _;

use crate::server::Server;
use crate::world::World;

/// A client without TLS, which the server allows here.
struct Client(TcpStream, String);

impl Client {
    fn connect(server: &Server, domain: &str) -> Client {
        let stream = TcpStream::connect(server.address("c2s")).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut client = Client(stream, String::new());
        client.open(domain);
        client
    }

    fn open(&mut self, domain: &str) {
        self.say(&format!(
            "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' \
             to='{domain}' version='1.0'>"
        ));
    }

    fn log_in(server: &Server, user: &str, domain: &str) -> Client {
        let mut client = Client::connect(server, domain);
        client.hear("</stream:features>");
        let token = base64::engine::general_purpose::STANDARD.encode(format!("\0{user}\0pencil"));
        client
            .say(&format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{token}</auth>"));
        client.hear("<success");
        client.hear(">");
        client.open(domain);
        client.hear("</stream:features>");
        client.say("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
        client.hear("</jid>");
        client.say("<presence/>");
        client
    }

    fn say(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).unwrap();
    }

    /// Reads until this has come.
    fn hear(&mut self, text: &str) {
        let mut buffer = [0; 4096];
        loop {
            if let Some(at) = self.1.find(text) {
                self.1.drain(..at + text.len());
                return;
            }
            let n = self.0.read(&mut buffer).unwrap();
            assert!(n > 0, "no {text} in {}", self.1);
            self.1.push_str(std::str::from_utf8(&buffer[..n]).unwrap());
        }
    }
}

const IN_THE_CLEAR: (&str, &str) = ("DETENTE_AUTH__INSECURE_LOOPBACK", "true");

fn done(world: &World, args: &[&str], input: &str) -> String {
    let said = world.run_with(args, input);
    assert_eq!(said.code, 0, "{args:?}: {said:?}");
    said.out
}

fn refused(world: &World, args: &[&str], why: &str) {
    let said = world.run(args);
    assert!(said.code != 0 && said.err.contains(why), "{args:?}: {said:?}");
}

#[test]
fn a_domain_comes_and_goes_and_everybody_hears_of_it() {
    let world = World::new();
    done(&world, &["user", "add", "juliet@localhost", "--password-stdin"], "pencil\n");
    let server = Server::start_with(&world, &[IN_THE_CLEAR]);
    Client::connect(&server, "b.example").hear("host-unknown");
    refused(&world, &["user", "list", "b.example"], "is not one of");
    assert!(done(&world, &["domain", "add", "b.example"], "").contains("is a domain of this server now"));
    refused(&world, &["domain", "add", "b.example"], "already");
    refused(&world, &["domain", "add", "conference.b.example"], "log");
    refused(&world, &["domain", "add", "no domain"], "is no domain");
    assert_eq!(done(&world, &["domain", "list"], "").lines().count(), 3);
    done(&world, &["user", "add", "romeo@b.example", "--password-stdin"], "pencil\n");
    let (mut romeo, mut juliet) =
        (Client::log_in(&server, "romeo", "b.example"), Client::log_in(&server, "juliet", "localhost"));
    // Its services have come with it.
    for (client, nick) in [(&mut romeo, "romeo"), (&mut juliet, "juliet")] {
        let join = "<x xmlns='http://jabber.org/protocol/muc'/>";
        client.say(&format!("<presence to='room@conference.b.example/{nick}'>{join}</presence>"));
        client.hear("code='110'");
        client.hear("<subject");
        client.say("<iq type='set' id='u' to='room@conference.b.example'><query \
                    xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'/></query></iq>");
        client.hear("id='u'");
    }
    juliet.say("<message to='romeo@b.example' type='chat'><body>stay</body></message>");
    romeo.hear("<body>stay</body>");
    // It goes.
    refused(&world, &["domain", "remove", "localhost"], "stands in the configuration");
    refused(&world, &["domain", "remove", "c.example"], "is not one of");
    done(&world, &["domain", "remove", "b.example"], "");
    romeo.hear("<host-gone");
    juliet.hear("from='room@conference.b.example/juliet'");
    juliet.say("<message to='romeo@b.example' type='chat' id='m'><body>gone?</body></message>");
    juliet.hear("type='error'");
    Client::connect(&server, "b.example").hear("host-unknown");
    assert_eq!(done(&world, &["domain", "list"], "").lines().count(), 2);
    // What was stored is there again with it, unless it is removed, too.
    done(&world, &["domain", "add", "b.example"], "");
    Client::log_in(&server, "romeo", "b.example");
    refused(&world, &["domain", "remove", "b.example", "--purge"], "--yes");
    done(&world, &["domain", "remove", "b.example", "--purge", "--yes"], "");
    done(&world, &["domain", "add", "b.example"], "");
    assert!(!done(&world, &["user", "list", "b.example"], "").contains("romeo"));
    assert_eq!(server.stop().code, 0);
    // Without a server, too; and the next one has it from its start.
    done(&world, &["user", "add", "romeo@b.example", "--password-stdin"], "pencil\n");
    done(&world, &["domain", "add", "c.example"], "");
    assert_eq!(done(&world, &["domain", "list"], "").lines().count(), 4);
    let server = Server::start_with(&world, &[IN_THE_CLEAR]);
    Client::log_in(&server, "romeo", "b.example");
    Client::connect(&server, "c.example").hear("</stream:features>");
    assert_eq!(server.stop().code, 0);
}

#[test]
fn a_reload_takes_domains_of_the_configuration_over() {
    let world = World::new();
    let other = world.path().join("other");
    done(&world, &["init", other.to_str().unwrap(), "--domain", "c.example"], "");
    let before = std::fs::read_to_string(world.config()).unwrap();
    let certs = other.join("certs/c.example");
    let more = before.replace("domains = [\"localhost\"]", "domains = [\"localhost\", \"c.example\"]")
        + &format!(
            "\n[domain.\"c.example\"]\ncertificate = \"{0}.crt\"\nkey = \"{0}.key\"\n",
            certs.display()
        );
    assert_ne!(more, before);
    let server = Server::start_with(&world, &[IN_THE_CLEAR]);
    std::fs::write(world.config(), &more).unwrap();
    server.reload();
    served(&world, 3);
    done(&world, &["user", "add", "romeo@c.example", "--password-stdin"], "pencil\n");
    let mut romeo = Client::log_in(&server, "romeo", "c.example");
    let listed = done(&world, &["cert", "list"], "");
    assert!(listed.lines().any(|line| line.starts_with("c.example") && line.contains("file")), "{listed}");
    std::fs::write(world.config(), &before).unwrap();
    server.reload();
    romeo.hear("<host-gone");
    served(&world, 2);
    Client::connect(&server, "c.example").hear("host-unknown");
    assert_eq!(server.stop().code, 0);
}

/// Waits until so many lines list the domains: a reload says nothing to who asks for it.
fn served(world: &World, lines: usize) {
    let begin = std::time::Instant::now();
    while done(world, &["domain", "list"], "").lines().count() != lines {
        assert!(begin.elapsed() < Duration::from_secs(20));
        std::thread::sleep(Duration::from_millis(20));
    }
}
