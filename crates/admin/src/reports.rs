//! Commands about reports of spam and abuse.
//!
//! XEP-0377 0.4.1
//!
//! Not here: how a report comes in (features).

use features::reports::Report;
use model::spaces::REPORTS;
use model::storage::{Batch, Cull, Entry, LogQuery, Owner, Paging, Write};
use serde_json::{Value, json};
use stanza::{ns, when};

use crate::args::Args;
use crate::limits::REPORTS_LISTED_MAX;
use crate::users::of_ours;
use crate::{Failure, FailureKind, Port};

/// What is stored, as a tree. One that is unreadable is shown as far as that.
fn tree(domain: &str, entry: &Entry) -> Value {
    let report: Report = serde_json::from_slice(&entry.value).unwrap_or_default();
    json!({
        "id": entry.id.to_string(),
        "at": when::seconds(entry.at_ms / 1_000),
        "domain": domain,
        "by": report.by,
        "jid": report.jid,
        "reason": match &*report.reason {
            ns::REPORTING_SPAM => "spam",
            ns::REPORTING_ABUSE => "abuse",
            other => other,
        },
        "text": report.text,
        "messages": report.messages,
        "report_origin": report.report_origin,
        "third_party": report.third_party,
    })
}

pub(crate) async fn list(port: &dyn Port, args: Args) -> Result<Value, Failure> {
    let mut all: Vec<Value> = Vec::new();
    for domain in of_ours(port, &args)? {
        let query = LogQuery {
            limit: REPORTS_LISTED_MAX,
            page: Paging::Backwards { before: None },
            ..LogQuery::new(REPORTS, Owner::from(&*domain))
        };
        let page = port.read(query.into()).await?.into_page();
        all.extend(page.entries.iter().map(|entry| tree(&domain, entry)));
    }
    Ok(json!({ "reports": all }))
}

/// The report of that id, and whose it is.
async fn find(port: &dyn Port, args: &Args) -> Result<(String, Entry), Failure> {
    let text = args.text("id").unwrap_or_default();
    let missing = || Failure::new(FailureKind::NotFound, format_args!("there is no report {text}"));
    let id: u64 = text.parse().map_err(|_| missing())?;
    for domain in port.domains() {
        let query = LogQuery { ids: Some(vec![id]), ..LogQuery::new(REPORTS, Owner::from(&*domain)) };
        let page = port.read(query.into()).await?.into_page();
        if let Some(entry) = page.entries.into_iter().next() {
            return Ok((domain, entry));
        }
    }
    Err(missing())
}

pub(crate) async fn show(port: &dyn Port, args: Args) -> Result<Value, Failure> {
    let (domain, entry) = find(port, &args).await?;
    Ok(tree(&domain, &entry))
}

pub(crate) async fn done(port: &dyn Port, args: Args) -> Result<Value, Failure> {
    let (domain, entry) = find(port, &args).await?;
    let what = Cull::Ids(vec![entry.id]);
    let write = Write::LogDelete { space: REPORTS, owner: Owner::from(&*domain), what };
    port.write(Batch::from(write)).await?;
    Ok(json!({ "id": entry.id.to_string() }))
}
