//! `detente reports ...`.
//!
//! Not here: what is done (admin).

use admin::Failure;
use serde_json::Value;

use crate::cli::{Numbered, Reports};
use crate::reach::{Reach, args};
use crate::show;

pub(crate) fn run(command: Reports) -> Result<(), Failure> {
    match command {
        Reports::List { domain, common } => {
            let domain = domain.map_or(Value::Null, Value::from);
            let found = Reach::new(&common.config)?.run("reports list", args([("domain", domain)]))?;
            if common.json {
                return show::json(&found["reports"]);
            }
            let rows = found["reports"].as_array().map_or(&[][..], Vec::as_slice);
            show::table(rows, &["id", "at", "reason", "jid", "by"]);
            Ok(())
        }
        Reports::Show(Numbered { id, common }) => {
            let report = Reach::new(&common.config)?.run("reports show", args([("id", id.into())]))?;
            if common.json {
                return show::json(&report);
            }
            let names = ["id", "at", "domain", "reason", "jid", "by", "text", "report_origin", "third_party"];
            show::facts(&report, &names);
            for message in report["messages"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                let clean = |line: &str| line.chars().filter(|c| !c.is_control()).collect::<String>();
                message.lines().for_each(|line| println!("> {}", clean(line)));
            }
            Ok(())
        }
        Reports::Done(Numbered { id, common }) => {
            let done = Reach::new(&common.config)?.run("reports done", args([("id", id.as_str().into())]))?;
            if common.json {
                return show::json(&done);
            }
            println!("{id} is done");
            Ok(())
        }
    }
}
