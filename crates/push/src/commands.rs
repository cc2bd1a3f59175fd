//! Commands with which a client registers a browser's subscription, sees what it has registered, and ends it.
//!
//! XEP-0050 1.3.0 (one form each), XEP-0004 2.13.2
//!
//! Not here: what is done with a subscription (`publish.rs`).

use address::Jid;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use kernel::{Answer, Iq, Spot};
use model::push::{PushFound, PushQuery, Subscription};
use model::query::{Found, Query};
use stanza::forms::{self, Field, Submitted};
use stanza::{Condition, StanzaError, ns};
use xml::Writer;

use crate::service::Pushes;
use crate::{limits, nodes};

/// What the names of its nodes begin with; their commands follow.
const COMMANDS: [(&str, &str, &[Field]); 3] = [
    (
        "register-web-push",
        "Register a browser for push",
        &[
            Field::optional("vapid", "hidden", "The key of this server, for the browser"),
            Field::required("endpoint", "text-single", "Address of the browser's push service"),
            Field::required("p256dh", "text-single", "The browser's public key"),
            Field::required("auth", "text-single", "The browser's secret"),
        ],
    ),
    ("unregister-web-push", "End push to a browser", &[Field::required("node", "text-single", "Node")]),
    ("list-web-push", "Browsers that are registered for push", &[]),
];

/// The name of a command for people.
pub(crate) fn title(node: &str) -> Option<&'static str> {
    COMMANDS.iter().find(|(name, ..)| *name == node).map(|(_, title, _)| *title)
}

/// The commands, for discovery.
pub(crate) fn items(w: &mut Writer, service: &Jid) {
    for (name, title, _) in COMMANDS {
        w.open("item", ns::DISCO_ITEMS).attr("jid", service.as_str()).attr("node", name).attr("name", title);
        w.close();
    }
}

/// A command.
pub(crate) fn answer(service: &Pushes, iq: &Iq<'_>) -> Answer<Spot> {
    run(service, iq).unwrap_or_else(Answer::Refuse)
}

fn run(service: &Pushes, iq: &Iq<'_>) -> Result<Answer<Spot>, StanzaError> {
    let node = iq.payload.attr("node").unwrap_or_default();
    let command = COMMANDS.iter().find(|(name, ..)| *name == node);
    let &(name, title, fields) = command.ok_or(Condition::ItemNotFound)?;
    match iq.payload.attr("action").as_deref() {
        None | Some("execute" | "complete" | "next") => {}
        Some("cancel") => return Ok(Answer::Reply(write(name, "canceled", |_| ()))),
        Some(_) => return Err(bad("no such action")),
    }
    let form = match iq.payload.child("x", ns::FORMS) {
        Some(x) => Some(Submitted::read(x, ns::PUSH_WEB).ok_or_else(|| bad("the form is another one"))?),
        None => None,
    };
    match form {
        None if !fields.is_empty() => Ok(show(name, title, fields)),
        Some(form) if !form.fills(fields) => Err(bad("the form is not filled in")),
        form => {
            let form = form.unwrap_or_default();
            match name {
                "register-web-push" => register(service, iq, &form),
                "unregister-web-push" => unregister(iq, &form),
                _ => Ok(list(iq)),
            }
        }
    }
}

/// The form, with the key that the browser wants to know before it subscribes.
fn show(name: &'static str, title: &'static str, fields: &'static [Field]) -> Answer<Spot> {
    Answer::ask(Query::Push(PushQuery::Key), move |_, found| {
        let Found::Push(PushFound::Key(key)) = found else { return Condition::ServiceUnavailable.into() };
        Answer::Reply(write(name, "executing", |w| {
            w.open("actions", ns::COMMANDS)
                .attr("execute", "complete")
                .open("complete", ns::COMMANDS)
                .close()
                .close();
            // The first field, if it is a hidden one.
            let known = (name == "register-web-push").then_some(key);
            forms::ask(w, title, ns::PUSH_WEB, fields, known.as_slice());
        }))
    })
}

fn register(service: &Pushes, iq: &Iq<'_>, form: &Submitted) -> Result<Answer<Spot>, StanzaError> {
    let endpoint = form.value("endpoint").unwrap_or_default();
    // Browsers write base64url without padding; some programs pad.
    let decode =
        |var| BASE64_URL_SAFE_NO_PAD.decode(form.value(var).unwrap_or_default().trim_end_matches('=')).ok();
    let (key, auth) = (decode("p256dh"), decode("auth"));
    let (Some(key), Some(auth)) = (key.filter(|key| key.len() == 65), auth.filter(|auth| auth.len() == 16))
    else {
        return Err(bad("the keys are not those of a browser"));
    };
    if endpoint.len() > limits::ENDPOINT_BYTES_MAX {
        return Err(bad("the endpoint is too long"));
    }
    let to = Subscription { endpoint: endpoint.to_owned(), key, auth };
    let account = iq.from().bare();
    let mut name = [0; 16];
    (service.random)(&mut name);
    let fresh: String = name.iter().map(|byte| format!("{byte:02x}")).collect();
    let domain = kernel::Service::domain(service).clone();
    Ok(Answer::ask(Query::Push(PushQuery::Check(to.clone())), move |_, found| match found {
        Found::Push(PushFound::Done) => Answer::read(nodes::all(&account), move |turn, loaded| {
            let node = nodes::add(turn, &account, nodes::list(loaded), fresh, &to);
            Answer::Reply(write("register-web-push", "completed", |w| {
                let fields = [("jid", vec![domain.to_string()]), ("node", vec![node.to_string()])];
                forms::result(w, ns::PUSH_WEB, &fields, |_| ());
            }))
        }),
        Found::Push(PushFound::Refused(why)) => StanzaError::from(Condition::NotAcceptable).text(why).into(),
        _ => Condition::ServiceUnavailable.into(),
    }))
}

fn unregister(iq: &Iq<'_>, form: &Submitted) -> Result<Answer<Spot>, StanzaError> {
    let node = form.value("node").filter(|node| node.len() <= limits::NODE_BYTES_MAX);
    let node = node.ok_or(Condition::ItemNotFound)?.to_owned();
    let account = iq.from().bare();
    Ok(Answer::read(nodes::one(&account, &node), move |turn, loaded| {
        if loaded.into_doc().is_none() {
            return Condition::ItemNotFound.into();
        }
        nodes::remove(turn, &account, node.into());
        Answer::Reply(write("unregister-web-push", "completed", |_| ()))
    }))
}

fn list(iq: &Iq<'_>) -> Answer<Spot> {
    Answer::read(nodes::all(&iq.from().bare()), |_, loaded| {
        let nodes = nodes::list(loaded);
        // What stands behind the host is a secret of the browser's.
        let host = |endpoint: &str| endpoint.split('/').nth(2).unwrap_or_default().to_owned();
        let lines = nodes.iter().map(|node| format!("{} {}", node.name, host(&node.to.endpoint))).collect();
        Answer::Reply(write("list-web-push", "completed", |w| {
            forms::result(w, ns::PUSH_WEB, &[("nodes", lines)], |_| ());
        }))
    })
}

fn write(node: &str, status: &str, inner: impl FnOnce(&mut Writer)) -> bytes::Bytes {
    let mut w = Writer::new(ns::CLIENT);
    w.open("command", ns::COMMANDS).attr("node", node).attr("sessionid", node).attr("status", status);
    inner(&mut w);
    w.close();
    w.finish()
}

fn bad(text: &'static str) -> StanzaError {
    StanzaError::from(Condition::BadRequest).text(text)
}
