//! Commands about invitations.
//!
//! Not here: tokens and what becomes of them (accounts).

use model::invite::{Invitation, Invite, Made, Purpose};
use model::query::{AccountFound, AccountQuery};
use serde_json::{Value, json};
use stanza::when;

use crate::args::Args;
use crate::users::{no_such, of_ours, strange};
use crate::{Failure, FailureKind, Port};

fn number(args: &Args, name: &str) -> u64 {
    args.number(name).unwrap_or(0)
}

async fn make(port: &dyn Port, wanted: Invite) -> Result<Value, Failure> {
    let whose = wanted.account.clone();
    match port.account(AccountQuery::Invite(Box::new(wanted))).await? {
        AccountFound::Invited(made) => Ok(told(&made.0, &made.1)),
        AccountFound::Refused(why) => Err(Failure::new(FailureKind::Refused, why)),
        AccountFound::Exists => {
            Err(Failure::new(FailureKind::Exists, "there is an account of that name already"))
        }
        AccountFound::No => Err(whose.map_or_else(strange, |whose| no_such(&whose))),
        _ => Err(strange()),
    }
}

/// With the token, which is told only now.
fn told(made: &Made, invitation: &Invitation) -> Value {
    let mut value = info(invitation);
    value["token"] = made.token.as_str().into();
    if invitation.purpose != Purpose::Recovery {
        value["uri"] = invitation.uri(&made.token).into();
    }
    value
}

fn info(invitation: &Invitation) -> Value {
    json!({
        "id": invitation.id,
        "domain": invitation.domain,
        "purpose": match invitation.purpose {
            Purpose::Contact => "contact",
            Purpose::Account => "account",
            Purpose::Recovery => "recovery",
        },
        "jid": invitation.account.as_ref().map(|account| account.as_str()),
        "name": invitation.name,
        "until": when::seconds(invitation.until),
        "left": invitation.left,
    })
}

pub(crate) async fn invite(port: &dyn Port, args: Args) -> Result<Value, Failure> {
    let contact = match args.text("contact") {
        Some(_) => Some(args.account("contact")?),
        None => None,
    };
    let asked = args.text("domain").is_some();
    let domain = match (&contact, asked) {
        (Some(contact), false) => contact.domain().to_owned(),
        _ => of_ours(port, &args)?.into_iter().next().unwrap_or_default(),
    };
    let wanted = Invite {
        domain,
        purpose: if contact.is_some() { Purpose::Contact } else { Purpose::Account },
        account: contact,
        name: args.text("name").map(str::to_owned),
        seconds: number(&args, "hours").saturating_mul(3_600),
        uses: u32::try_from(number(&args, "uses")).unwrap_or(u32::MAX),
        by: None,
    };
    make(port, wanted).await
}

pub(crate) async fn recover(port: &dyn Port, args: Args) -> Result<Value, Failure> {
    let account = args.account("jid")?;
    let wanted = Invite {
        domain: account.domain().to_owned(),
        purpose: Purpose::Recovery,
        account: Some(account),
        name: None,
        seconds: number(&args, "hours").saturating_mul(3_600),
        uses: 1,
        by: None,
    };
    make(port, wanted).await
}

pub(crate) async fn list(port: &dyn Port, args: Args) -> Result<Value, Failure> {
    let mut all: Vec<Value> = Vec::new();
    for domain in of_ours(port, &args)? {
        match port.account(AccountQuery::Invitations { domain, by: None }).await? {
            AccountFound::Invitations(found) => all.extend(found.iter().map(info)),
            _ => return Err(strange()),
        }
    }
    Ok(json!({ "invitations": all }))
}

pub(crate) async fn revoke(port: &dyn Port, args: Args) -> Result<Value, Failure> {
    let id = args.text("id").unwrap_or_default().to_owned();
    for domain in port.domains() {
        let revoke = AccountQuery::Revoke { domain, id: id.clone() };
        if let AccountFound::Done = port.account(revoke).await? {
            return Ok(json!({ "id": id }));
        }
    }
    Err(Failure::new(FailureKind::NotFound, format_args!("there is no invitation {id}")))
}
