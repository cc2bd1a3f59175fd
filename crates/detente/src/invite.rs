//! `detente invite` and `detente user recover`.
//!
//! Not here: tokens (accounts), the pages (net).

use admin::{Failure, FailureKind};
use serde_json::Value;

use crate::cli::{Common, Invite, InviteWhat, Recover};
use crate::reach::{Reach, args};
use crate::show;

/// `7d`, `12h`, or a number of hours.
///
/// # Errors
/// It is nothing of that kind.
pub(crate) fn hours(text: &str) -> Result<u64, String> {
    let (number, factor) = match text.strip_suffix('d') {
        Some(days) => (days, 24),
        None => (text.strip_suffix('h').unwrap_or(text), 1),
    };
    let hours = number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
    hours.filter(|hours| *hours > 0).ok_or_else(|| "write it as in 7d or 12h".to_owned())
}

fn opt(value: Option<&str>) -> Value {
    value.map_or(Value::Null, Value::from)
}

pub(crate) fn run(given: Invite) -> Result<(), Failure> {
    match given.what {
        Some(InviteWhat::List { domain, common }) => return list(domain.as_deref(), &common),
        Some(InviteWhat::Revoke { id, common }) => return revoke(&id, &common),
        None => {}
    }
    let mut reach = Reach::new(&given.common.config)?;
    let wanted = args([
        ("domain", opt(given.domain.as_deref())),
        ("contact", opt(given.contact.as_deref())),
        ("name", opt(given.name.as_deref())),
        ("hours", given.expires.into()),
        ("uses", given.uses.into()),
    ]);
    let made = reach.run("invite", wanted)?;
    told(&reach, &given.common, made)
}

pub(crate) fn recover(given: &Recover) -> Result<(), Failure> {
    let mut reach = Reach::new(&given.one.common.config)?;
    let wanted = args([("jid", given.one.jid.as_str().into()), ("hours", given.expires.into())]);
    let made = reach.run("user recover", wanted)?;
    told(&reach, &given.one.common, made)
}

/// Says it, with the address of its page.
fn told(reach: &Reach, common: &Common, mut made: Value) -> Result<(), Failure> {
    let domain = made["domain"].as_str().unwrap_or_default();
    let page =
        reach.config().invite_page(domain).map(|page| page + made["token"].as_str().unwrap_or_default());
    if page.is_none() && made["uri"].is_null() {
        let text = "there is no page to choose a new password: it needs a listener `https` or a `public_url`, and \
                    enabled = true in [invitations]";
        return Err(Failure::new(FailureKind::Failed, text));
    }
    made["page"] = opt(page.as_deref());
    if common.json {
        return show::json(&made);
    }
    for (name, key) in [("page", "page"), ("for apps", "uri"), ("until", "until"), ("id", "id")] {
        if let Some(text) = made[key].as_str() {
            println!("{name:<9} {text}");
        }
    }
    Ok(())
}

fn list(domain: Option<&str>, common: &Common) -> Result<(), Failure> {
    let found = Reach::new(&common.config)?.run("invite list", args([("domain", opt(domain))]))?;
    if common.json {
        return show::json(&found["invitations"]);
    }
    let rows = found["invitations"].as_array().cloned().unwrap_or_default();
    show::table(&rows, &["id", "domain", "purpose", "jid", "name", "until", "left"]);
    Ok(())
}

fn revoke(id: &str, common: &Common) -> Result<(), Failure> {
    let done = Reach::new(&common.config)?.run("invite revoke", args([("id", id.into())]))?;
    if common.json {
        return show::json(&done);
    }
    println!("{id} does not hold any more");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit() {
        for (text, expected) in
            [("7d", Some(168)), ("12h", Some(12)), ("5", Some(5)), ("0", None), ("d", None), ("-1", None)]
        {
            assert_eq!(hours(text).ok(), expected, "{text}");
        }
    }
}
