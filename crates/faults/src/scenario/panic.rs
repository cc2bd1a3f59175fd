//! a handler panics: one session or account pays, the others go on.
//!
//! Not here: how the program is made to panic (feature `breakable` of the server's program).

use std::time::Duration;

use bench::Outcome;
use bench::account::Account;

use super::Stage;
use crate::crowd::{Crowd, Size};
use crate::judge;
use crate::row::Row;
use crate::world::{DOMAIN, World};

const BOUND: Duration = Duration::from_secs(10);

pub(crate) fn run(stage: &Stage, mut row: Row) -> Outcome<Row> {
    let Some(program) = &stage.breakable else {
        return Ok(row.skip("it needs the server built with --features breakable (--breakable PROGRAM)"));
    };
    let mut world = World::new(program, "panic", stage.keep)?;
    let mut server = world.start()?;
    let crowd = Crowd::gather(&world, Size { seed: stage.seed, ..Size::default() })?;
    row.bound = "no pause for others".into();
    world.add("victim", "pw")?;
    world.add("bystander", "pw")?;
    for round in 0..stage.times(30, 6) {
        row.runs += 1;
        crowd.shared.book.fault("a handler panics");
        // At its own account's handlers, at another account's, at the host's.
        let to =
            [format!("victim@{DOMAIN}"), format!("bystander@{DOMAIN}"), DOMAIN.to_owned()][round % 3].clone();
        let target = &crowd.shared.target;
        crowd.runtime.block_on(target.patiently("panic", breaks(&crowd, &to)))?;
        row.must(server.is_running(), format_args!("the process ended by a panic at {to}"));
        if !server.is_running() {
            return Ok(row);
        }
    }
    let pages = crowd.shared.book.open();
    let ended = pages.resumed + pages.not_resumed;
    drop(pages);
    row.must(ended == 0, format_args!("{ended} streams of others ended"));
    row.calm("", &crowd);
    judge::finish(&mut world, crowd, &mut row, BOUND)?;
    Ok(row)
}

/// Sends what makes a handler panic, then sees that the account still can be used.
async fn breaks(crowd: &Crowd, to: &str) -> Outcome<()> {
    let account = Account { name: "victim".into(), password: "pw".into() };
    let target = &crowd.shared.target;
    let mut session = target.authenticate(&account, "v").await?;
    let ask = format!("<iq type='get' id='p' to='{to}'><panic xmlns='urn:detente:breakable'/></iq>");
    // Either the stream ends or an error comes; silence is neither.
    match session.request("p", &ask).await {
        Err(fault) if fault.to_string().contains("internal-server-error") => {}
        other => return Err(format!("a panic at {to} was answered with {other:?}").into()),
    }
    let mut session = target.authenticate(&account, "v").await?;
    session.fence(DOMAIN).await?;
    session.leave().await;
    Ok(())
}
