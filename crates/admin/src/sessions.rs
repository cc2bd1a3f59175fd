//! Commands about who is connected.
//!
//! Not here: ending a single session of several.

use model::link::Transport;
use model::query::{AccountFound, AccountQuery, SessionFilter, SessionFound};
use serde_json::{Value, json};

use crate::args::Args;
use crate::{Failure, FailureKind, Port, users};

pub(crate) async fn list(port: &dyn Port, args: Args) -> Result<Value, Failure> {
    let filters = match args.place("of")? {
        Some(place) if place.is_domain() => vec![SessionFilter::Domain(place.to_string())],
        Some(account) => vec![SessionFilter::Of(account)],
        None => port.domains().into_iter().map(SessionFilter::Domain).collect(),
    };
    let mut rows: Vec<Value> = Vec::new();
    for filter in filters {
        let found = port.sessions(filter).await?.ok_or_else(nobody)?;
        rows.extend(found.iter().map(row));
    }
    Ok(json!({ "sessions": rows }))
}

pub(crate) async fn end(port: &dyn Port, args: Args) -> Result<Value, Failure> {
    let account = args.account("jid")?;
    let of = SessionFilter::Of(account.clone());
    let before = port.sessions(of).await?.ok_or_else(nobody)?;
    match port.account(AccountQuery::Show { account: account.clone() }).await? {
        AccountFound::Accounts(_) => {}
        _ => return Err(Failure::new(FailureKind::NotFound, format_args!("there is no account {account}"))),
    }
    let mut ended =
        users::order(port, &account, AccountQuery::EndSessions { account: account.clone() }).await?;
    ended["ended"] = before.len().into();
    Ok(ended)
}

pub(crate) fn nobody() -> Failure {
    Failure::new(FailureKind::Unreachable, "the server does not run, so nobody is connected")
}

pub(crate) fn row(found: &SessionFound) -> Value {
    let about = found.about.as_ref();
    json!({
        "jid": found.jid.as_str(),
        "priority": found.priority,
        "idle": found.idle,
        "connected": about.is_some(),
        "ip": about.map(|about| about.ip.to_string()),
        "transport": about.map(|about| transport(about.transport)),
        "tls": about.and_then(|about| about.tls.clone()),
        "mechanism": about.map(|about| about.mechanism),
        "software": about.and_then(|about| about.client.software.clone()),
        "device": about.and_then(|about| about.client.device.clone()),
    })
}

fn transport(transport: Transport) -> &'static str {
    match transport {
        Transport::Tcp => "tcp",
        Transport::DirectTls => "direct-tls",
        Transport::WebSocket => "websocket",
        Transport::Bosh => "bosh",
    }
}
