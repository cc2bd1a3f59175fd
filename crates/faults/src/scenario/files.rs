//! the process may open no more files.
//!
//! Not here: limits of the server's own (crate `net`).

use std::net::TcpStream;
use std::thread::sleep;
use std::time::Duration;

use bench::Outcome;

use super::Stage;
use crate::crowd::{Crowd, Size};
use crate::judge;
use crate::row::Row;

const BOUND: Duration = Duration::from_secs(5);

pub(crate) fn run(stage: &Stage, mut row: Row) -> Outcome<Row> {
    let mut world = stage.world("files")?;
    world.wrap(&["sh", "-c", "ulimit -n 120; exec \"$@\"", "sh"]);
    // What holds the files shall not be cut off by another limit.
    world.set("LIMITS__HANDSHAKE_SECONDS", "120");
    let mut server = world.start()?;
    let crowd = Crowd::gather(&world, Size { seed: stage.seed, ..Size::default() })?;
    row.bound = "new clients 5 s later".into();
    let mut slowest = Duration::ZERO;
    for _ in 0..stage.times(5, 1) {
        row.runs += 1;
        crowd.works(BOUND)?;
        crowd.shared.book.fault("no files left");
        let held: Vec<TcpStream> = (0..300).filter_map(|_| TcpStream::connect(world.at).ok()).collect();
        sleep(Duration::from_secs(1));
        row.must(server.files() >= 118, format_args!("{} files are open: this is no test", server.files()));
        let busy = server.busy(Duration::from_secs(3), &crowd)?;
        row.must(busy < Duration::from_secs(1), format_args!("3 s with nothing to do cost {busy:?} of CPU"));
        crowd.works(BOUND)?;
        row.must(server.is_running(), "the server ended");
        drop(held);
        crowd.shared.book.fault("files again");
        let account = bench::account::Account { name: "user0".into(), password: "pw0".into() };
        let begin = std::time::Instant::now();
        crate::crowd::wait_for("a new client", 4 * BOUND, || {
            let target = &crowd.shared.target;
            let login = async {
                let session = target.authenticate(&account, "new").await?;
                session.leave().await;
                Ok(())
            };
            crowd.runtime.block_on(target.patiently("login", login)).is_ok()
        })?;
        slowest = slowest.max(begin.elapsed());
    }
    row.within("longest until a new client was in", slowest, BOUND);
    row.calm("", &crowd);
    judge::finish(&mut world, crowd, &mut row, Duration::from_secs(10))?;
    Ok(row)
}
