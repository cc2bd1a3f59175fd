//! Telling everybody who is there something.
//!
//! XEP-0133 1.3.1 (section 4.22)
//!
//! Not here: the message of the day, which operators set from their client (features).

use address::Jid;
use model::query::SessionFilter;
use serde_json::{Value, json};
use stanza::{MessageType, Stanza, ns};
use xml::Writer;

use crate::args::{Args, is_writable};
use crate::limits::ANNOUNCEMENT_BYTES_MAX;
use crate::{Failure, FailureKind, Port, sessions, users};

pub(crate) async fn announce(port: &dyn Port, args: Args) -> Result<Value, Failure> {
    let text = args.text("text").unwrap_or_default();
    // What XML cannot carry would only be noticed by those who get it.
    if text.trim().is_empty() || text.len() > ANNOUNCEMENT_BYTES_MAX || !is_writable(text) {
        let what =
            format!("write some text, at most {ANNOUNCEMENT_BYTES_MAX} bytes without control characters");
        return Err(Failure::new(FailureKind::Usage, what));
    }
    let mut w = Writer::new(ns::CLIENT);
    w.leaf("body", ns::CLIENT, text);
    let inner = w.finish();
    let mut devices = 0;
    for domain in users::of_ours(port, &args)? {
        let from = Jid::parse(&domain).map_err(|error| Failure::new(FailureKind::Failed, error))?;
        let found = port.sessions(SessionFilter::Domain(domain)).await?.ok_or_else(sessions::nobody)?;
        for session in found.iter().filter(|session| session.priority.is_some()) {
            // A headline is neither kept nor bounced if the device has just gone.
            let message = Stanza::message(MessageType::Headline).from(&from).to(&session.jid);
            port.bring(message.with_inner(inner.clone())).await?;
            devices += 1;
        }
    }
    Ok(json!({ "devices": devices }))
}
