//! Setting and removing a record by an update of DNS, signed with a shared key.
//!
//! RFC 2136 (update), RFC 8945 (TSIG), RFC 1035 section 4.2.2 (TCP)
//!
//! Not here: which record (`answer.rs`), asking DNS (federation).

use std::io;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use hickory_resolver::proto::op::update_message::{append, delete_by_rdata};
use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::TSigner;
use hickory_resolver::proto::rr::rdata::TXT;
use hickory_resolver::proto::rr::rdata::tsig::TsigAlgorithm;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordSet};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::limits;
use crate::settings::Update;
use crate::trouble::Trouble;

/// How long others may remember the record, in seconds.
const TTL: u32 = 60;
/// How far clocks may differ, in seconds (RFC 8945 section 10).
const FUDGE: u16 = 300;

/// Sets or removes a record. `domain` is the zone where none is named.
pub(crate) async fn update(
    how: &Update,
    domain: &str,
    record: &str,
    value: &str,
    add: bool,
) -> Result<(), Trouble> {
    let failed = |why: String| Trouble::new(format!("the update of DNS at {} failed: {why}", how.server));
    let zone = if how.zone.is_empty() { domain } else { &how.zone };
    let message = message(zone, record, value, add).map_err(failed)?;
    let sent = tokio::time::timeout(limits::UPDATE, send(how, message));
    let answered = sent.await.map_err(|_| failed("it took too long".to_owned()))?;
    match answered.map_err(failed)? {
        ResponseCode::NoError => Ok(()),
        ResponseCode::NotAuth => Err(failed(format!(
            "the server does not know the key or its secret, or has no zone {zone}, and `dns_zone` must name another (NOTAUTH)"
        ))),
        ResponseCode::NotZone => Err(failed(format!("{record} is not in the zone {zone}: set `dns_zone`"))),
        ResponseCode::Refused => {
            Err(failed("the server does not let this key change that (REFUSED)".to_owned()))
        }
        other => Err(failed(other.to_string())),
    }
}

/// The update, not signed yet.
fn message(zone: &str, record: &str, value: &str, add: bool) -> Result<Message, String> {
    let name = |text: &str| {
        let mut name = Name::from_ascii(text).map_err(|error| error.to_string())?;
        name.set_fqdn(true);
        Ok::<Name, String>(name)
    };
    let (zone, record) = (name(zone)?, name(record)?);
    if !zone.zone_of(&record) {
        return Err(format!("{record} is not in the zone {zone}: set `dns_zone`"));
    }
    let data = RData::TXT(TXT::new(vec![value.to_owned()]));
    let set = RecordSet::from(Record::from_rdata(record, TTL, data));
    Ok(if add { append(set, zone, false, false) } else { delete_by_rdata(set, zone, false) })
}

async fn send(how: &Update, mut message: Message) -> Result<ResponseCode, String> {
    let mut verifier = None;
    if let Some((name, algorithm, secret)) = &how.key {
        let name = Name::from_ascii(name).map_err(|error| error.to_string())?;
        let algorithm = Name::from_str(algorithm).map_err(|error| error.to_string())?;
        let signer = TSigner::new(secret.clone(), TsigAlgorithm::from_name(algorithm), name, FUDGE);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let signed = message.finalize(&signer.map_err(|error| error.to_string())?, now);
        verifier = signed.map_err(|error| error.to_string())?;
    }
    let bytes = message.to_vec().map_err(|error| error.to_string())?;
    let answer = exchange(&how.server, &bytes).await.map_err(|error| error.to_string())?;
    let read = Message::from_vec(&answer).map_err(|error| error.to_string())?;
    if read.id != message.id {
        return Err("the answer is to another question".to_owned());
    }
    // An error may come without a signature: who does not know the key cannot make one.
    if let Some(verifier) = verifier.as_mut().filter(|_| read.response_code == ResponseCode::NoError) {
        verifier
            .verify(&answer)
            .map_err(|error| format!("the answer is not signed as it should be: {error}"))?;
    }
    Ok(read.response_code)
}

async fn exchange(server: &str, message: &[u8]) -> io::Result<Vec<u8>> {
    let mut tcp = TcpStream::connect(server).await?;
    let length = u16::try_from(message.len()).map_err(io::Error::other)?;
    let mut framed = length.to_be_bytes().to_vec();
    framed.extend_from_slice(message);
    tcp.write_all(&framed).await?;
    let length = usize::from(tcp.read_u16().await?);
    if length > limits::UPDATE_BYTES {
        return Err(io::Error::other("its answer is too long"));
    }
    let mut answer = vec![0; length];
    tcp.read_exact(&mut answer).await?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_resolver::proto::op::OpCode;
    use tokio::net::TcpListener;

    const SECRET: &[u8] = b"a secret of thirty-two bytes.....";

    fn signer(secret: &[u8]) -> TSigner {
        let name = Name::from_ascii("key.example").unwrap();
        TSigner::new(secret.to_vec(), TsigAlgorithm::HmacSha256, name, FUDGE).unwrap()
    }

    /// Answers one update as a server that knows the key; gives what it was told.
    async fn server(listener: TcpListener, signs: bool) -> Option<Message> {
        let (mut tcp, _) = listener.accept().await.unwrap();
        let mut bytes = vec![0; usize::from(tcp.read_u16().await.unwrap())];
        tcp.read_exact(&mut bytes).await.unwrap();
        let asked = Message::from_vec(&bytes).unwrap();
        let verified = signer(SECRET).verify_message_byte(&bytes, None, true);
        let mut answer = Message::response(asked.id, OpCode::Update);
        let out = match verified {
            Ok((mac, ..)) if signs => {
                let context = hickory_resolver::proto::rr::TSigResponseContext::new(
                    asked.id,
                    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs(),
                    signer(SECRET),
                    mac,
                    None,
                );
                let signature = context.sign(&answer.to_vec().unwrap()).unwrap();
                answer.set_signature(signature);
                answer.to_vec().unwrap()
            }
            Ok(_) => answer.to_vec().unwrap(),
            Err(_) => {
                answer.metadata.response_code = ResponseCode::NotAuth;
                answer.to_vec().unwrap()
            }
        };
        tcp.write_u16(u16::try_from(out.len()).unwrap()).await.unwrap();
        tcp.write_all(&out).await.unwrap();
        asked.signature().is_some().then_some(asked)
    }

    #[tokio::test]
    async fn updates_are_signed_and_so_must_be_the_answer() {
        for (secret, signs, want) in [
            (SECRET, true, None),
            (b"another secret of the same length", true, Some("NOTAUTH")),
            (SECRET, false, Some("not signed")),
        ] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let how = Update {
                server: listener.local_addr().unwrap().to_string(),
                zone: "example".to_owned(),
                key: Some(("key.example".to_owned(), "hmac-sha256".to_owned(), secret.to_vec())),
            };
            let serving = tokio::spawn(server(listener, signs));
            let done = update(&how, "a.example", "_acme-challenge.a.example", "value", true).await;
            let asked = serving.await.unwrap().expect("it is signed");
            assert_eq!(asked.queries[0].name().to_ascii(), "example.");
            let record = &asked.authorities[0];
            assert_eq!((record.name.to_ascii().as_str(), record.ttl), ("_acme-challenge.a.example.", TTL));
            assert_eq!(record.data.to_string(), "value");
            match want {
                None => done.unwrap(),
                Some(want) => {
                    let words = done.unwrap_err().words;
                    assert!(words.contains(want), "{words}");
                    assert!(want != "NOTAUTH" || words.contains("dns_zone"), "{words}");
                }
            }
        }
    }

    #[tokio::test]
    async fn a_record_outside_of_the_zone_is_not_asked_for() {
        let how = Update { server: "127.0.0.1:9".to_owned(), zone: "other.example".to_owned(), key: None };
        let refused =
            update(&how, "a.example", "_acme-challenge.a.example", "value", true).await.unwrap_err();
        assert!(refused.words.contains("dns_zone"), "{}", refused.words);
    }
}
