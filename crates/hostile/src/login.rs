//! Honest parts: logging in and binding, so that a row can be bad at the right moment.
//!
//! RFC 4616 (PLAIN), RFC 5802 (SCRAM), XEP-0388, XEP-0386.
//!
//! Not here: bad logins (`rows/auth.rs`).

use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::num::NonZeroU32;

use crate::client::Client;
use crate::server::PASSWORD;
use crate::{Outcome, words};

/// The message of PLAIN, in base64.
pub(crate) fn plain(authzid: &str, user: &str, password: &str) -> String {
    BASE64.encode(format!("{authzid}\0{user}\0{password}"))
}

/// `<auth/>` (RFC 6120).
pub(crate) fn auth(mechanism: &str, data: &str) -> String {
    format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='{mechanism}'>{data}</auth>")
}

/// `<response/>` (RFC 6120).
pub(crate) fn response(data: &str) -> String {
    format!("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{data}</response>")
}

/// `<authenticate/>` (XEP-0388) by PLAIN, with more inside.
pub(crate) fn authenticate(user: &str, password: &str, inside: &str) -> String {
    format!(
        "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'><initial-response>{}</initial-response>{inside}\
         </authenticate>",
        plain("", user, password)
    )
}

/// The request for a resource of RFC 6120.
pub(crate) fn bind(resource: &str) -> String {
    format!(
        "<iq xmlns='jabber:client' type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
         <resource>{resource}</resource></bind></iq>"
    )
}

impl Client {
    /// Opens the stream; features are read.
    pub(crate) fn offered(&mut self) -> Outcome<String> {
        self.open_here()?;
        self.until("</stream:features>")
    }

    /// Authenticates as this user, without a resource.
    pub(crate) fn log_in(&mut self, user: &str) -> Outcome {
        self.offered()?;
        self.say(authenticate(user, PASSWORD, ""))?;
        self.until("</success>")?;
        self.until("</stream:features>").map(drop)
    }

    /// Authenticates and binds; gives the full address. `inside` is inside of Bind 2.
    pub(crate) fn log_in_and_bind(&mut self, user: &str, inside: &str) -> Outcome<String> {
        self.offered()?;
        let bind = format!("<bind xmlns='urn:xmpp:bind:0'>{inside}</bind>");
        self.say(authenticate(user, PASSWORD, &bind))?;
        let success = self.until("</success>")?;
        self.until("</stream:features>")?;
        let (_, rest) = success.split_once("<authorization-identifier>").ok_or("no address")?;
        let jid = rest.split('<').next().filter(|jid| jid.contains('/'));
        jid.map(str::to_owned).ok_or_else(|| format!("no resource was bound: {success}"))
    }

    /// Authenticates and binds this resource as RFC 6120 says; gives the answer to the request for a resource.
    pub(crate) fn log_in_for(&mut self, user: &str, resource: &str) -> Outcome<String> {
        self.log_in(user)?;
        self.say(bind(resource))?;
        self.until("id='bind'")?;
        self.until("</iq>")
    }

    /// Sends a request and gives its answer up to the end of its element.
    pub(crate) fn ask(&mut self, id: &str, request: &str) -> Outcome<String> {
        self.say(request)?;
        let before = self.until(&format!("id='{id}'"))?;
        let start = before.rfind('<').map(|at| before[at..].to_owned()).unwrap_or_default();
        let rest = self.until(">")?;
        if rest.ends_with("/>") {
            return Ok(start + &rest);
        }
        let name = start[1..].split([' ', '>']).next().unwrap_or_default().to_owned();
        Ok(start + &rest + &self.until(&format!("</{name}>"))?)
    }

    /// Whether the server still answers; gives what it said before.
    pub(crate) fn probe(&mut self, id: &str) -> Outcome<String> {
        let domain = self.target.domain.clone();
        self.probe_of(&domain, id)
    }

    /// The same by way of another address.
    pub(crate) fn probe_of(&mut self, to: &str, id: &str) -> Outcome<String> {
        let ping = format!(
            "<iq xmlns='jabber:client' type='get' to='{to}' id='{id}'><ping xmlns='urn:xmpp:ping'/></iq>"
        );
        self.say(ping)?;
        let seen = self.until(&format!("id='{id}'"))?;
        // A result has nothing inside, an error has.
        if !self.until(">")?.ends_with("/>") {
            self.until("</iq>")?;
        }
        Ok(seen[..seen.rfind('<').unwrap_or(0)].to_owned())
    }
}

/// One exchange of SCRAM-SHA-256 from the client's side, each message of which can be bent.
pub(crate) struct Scram {
    pub(crate) header: String,
    pub(crate) first: String,
    pub(crate) server_first: String,
    pub(crate) nonce: String,
    pub(crate) salt: String,
    pub(crate) iterations: u32,
}

impl Scram {
    /// Begins: gives the client-first-message, not encoded. `header` is that of GS2.
    pub(crate) fn begin(header: &str, user: &str) -> (Scram, String) {
        let first = format!("n={user},r=fyko+d2lbbFgONRv9qkxdawL");
        let message = format!("{header}{first}");
        let header = header.to_owned();
        let scram = Scram {
            header,
            first,
            server_first: String::new(),
            nonce: String::new(),
            salt: String::new(),
            iterations: 0,
        };
        (scram, message)
    }

    /// Takes the challenge.
    pub(crate) fn challenge(&mut self, data: &str) -> Outcome {
        self.server_first = String::from_utf8(BASE64.decode(data).map_err(words)?).map_err(words)?;
        let part = |name: &str| {
            let found = self.server_first.split(',').find_map(|part| part.strip_prefix(name));
            found.map(str::to_owned).ok_or_else(|| format!("no {name} in {:?}", self.server_first))
        };
        (self.nonce, self.salt) = (part("r=")?, part("s=")?);
        self.iterations = part("i=")?.parse().map_err(words)?;
        Ok(())
    }

    /// The client-final-message for this password, not encoded. `binding` is the channel's data; `bend` changes what
    /// stands before the proof, which is over what it makes.
    pub(crate) fn finish(
        &self,
        password: &str,
        binding: &[u8],
        bend: impl FnOnce(String) -> String,
    ) -> Outcome<String> {
        let bound = BASE64.encode([self.header.as_bytes(), binding].concat());
        let without_proof = bend(format!("c={bound},r={}", self.nonce));
        let mut salted = [0; 32];
        let salt = BASE64.decode(&self.salt).map_err(words)?;
        let rounds = NonZeroU32::new(self.iterations).ok_or("no iterations")?;
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, &salt, password.as_bytes(), &mut salted);
        let sign = |key: &[u8], text: &[u8]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text);
        let client = sign(&salted, b"Client Key");
        let stored = digest::digest(&digest::SHA256, client.as_ref());
        let text = format!("{},{},{without_proof}", self.first, self.server_first);
        let signature = sign(stored.as_ref(), text.as_bytes());
        let proof: Vec<u8> = client.as_ref().iter().zip(signature.as_ref()).map(|(a, b)| a ^ b).collect();
        Ok(format!("{without_proof},p={}", BASE64.encode(proof)))
    }
}

/// Any text in base64.
pub(crate) fn base64(text: impl AsRef<[u8]>) -> String {
    BASE64.encode(text)
}
