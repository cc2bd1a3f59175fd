//! `detente session ...` and `detente announce`.
//!
//! Not here: what is done (admin).

use admin::Failure;
use serde_json::Value;

use crate::cli::{Common, One, Session};
use crate::reach::{Reach, args};
use crate::{show, user};

pub(crate) fn run(command: Session) -> Result<(), Failure> {
    match command {
        Session::List { of, common } => {
            let of = of.map_or(Value::Null, Value::from);
            let mut found = Reach::new(&common.config)?.run("session list", args([("of", of)]))?;
            let found = found["sessions"].take();
            if common.json {
                return show::json(&found);
            }
            show::table(found.as_array().map_or(&[], Vec::as_slice), show::SESSION);
            Ok(())
        }
        Session::End(One { jid, common }) => {
            let ended = Reach::new(&common.config)?.run("session end", args([("jid", jid.into())]))?;
            let done = match ended["ended"].as_u64() {
                Some(1) => "had 1 session, which ends".to_owned(),
                n => format!("had {} sessions, which end", n.unwrap_or(0)),
            };
            user::told(&common, &ended, &done)
        }
    }
}

pub(crate) fn announce(text: String, domain: Option<String>, common: &Common) -> Result<(), Failure> {
    let domain = domain.map_or(Value::Null, Value::from);
    let sent =
        Reach::new(&common.config)?.run("announce", args([("text", text.into()), ("domain", domain)]))?;
    if common.json {
        return show::json(&sent);
    }
    println!("sent to {} devices", sent["devices"]);
    Ok(())
}
