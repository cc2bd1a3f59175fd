//! thousands of connections that say nothing, or a byte now and then, and never log in.
//!
//! Not here: what a login may send (crate `net`, its tests).

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use bench::Outcome;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};

use super::Stage;
use crate::crowd::{Crowd, Size, wait_for};
use crate::judge;
use crate::row::Row;

/// The beginning of a TLS ClientHello that announces more than will come.
const HELLO: &[u8] = &[22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3];
/// From one address, below the server's limit for it.
const PER_ADDRESS: usize = 200;
const GROWTH_MAX: u64 = 256 << 20;

pub(crate) fn run(stage: &Stage, mut row: Row) -> Outcome<Row> {
    let mut world = stage.world("flood")?;
    // As it comes: 300 connections a minute and 500 at once from one address.
    world.unset("LIMITS__CONNECTIONS_PER_ADDRESS");
    world.unset("LIMITS__CONNECTS_PER_ADDRESS");
    let server = world.start()?;
    let crowd =
        Crowd::gather(&world, Size { seed: stage.seed, messages_per_second: 100.0, ..Size::default() })?;
    let wanted = stage.times(10_000, 3_000);
    row.bound = "cut off after 10 s (handshake), files as before 5 s later".into();
    crowd.works(Duration::from_secs(10))?;
    let (files, memory) = (server.files(), server.memory());
    crowd.shared.book.fault("a flood of connections");
    let begin = Instant::now();
    let opened = crowd.runtime.block_on(open(world.at, wanted))?;
    row.runs = opened.len();
    row.note(format_args!("{} connections opened in {:.1} s", opened.len(), begin.elapsed().as_secs_f64()));
    row.must(
        opened.len() >= wanted * 9 / 10,
        format_args!("only {} connections could be opened", opened.len()),
    );
    let most = server.files();
    let dripping = crowd.runtime.spawn(drip(opened));
    let mut peak = server.memory();
    let gone = wait_for("all of them cut off", Duration::from_secs(60), || {
        peak = peak.max(server.memory());
        server.files() <= files + 20
    })?;
    row.note(format_args!("{most} files at most, memory grew by {} MiB", peak.saturating_sub(memory) >> 20));
    row.must(peak - memory < GROWTH_MAX, format_args!("INV-9: memory grew by {} MiB", (peak - memory) >> 20));
    row.within("all cut off after", gone, Duration::from_secs(15));
    row.calm("", &crowd);
    dripping.abort();
    judge::finish(&mut world, crowd, &mut row, Duration::from_secs(10))?;
    Ok(row)
}

async fn open(at: SocketAddr, wanted: usize) -> Outcome<Vec<TcpStream>> {
    let mut opened = Vec::with_capacity(wanted);
    for n in 0..wanted {
        let address = n / PER_ADDRESS;
        let from = Ipv4Addr::new(127, 1, (address / 250) as u8, (address % 250) as u8 + 1);
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from((from, 0)))?;
        let connecting = tokio::time::timeout(Duration::from_secs(5), socket.connect(at));
        let Ok(Ok(mut stream)) = connecting.await else { continue };
        if n % 3 != 0 {
            let _ = stream.write_all(&HELLO[..1 + n % 10]).await;
        }
        opened.push(stream);
    }
    Ok(opened)
}

/// One byte of each now and then.
async fn drip(mut opened: Vec<TcpStream>) {
    loop {
        for (n, stream) in opened.iter_mut().enumerate() {
            if n % 3 == 2 {
                let _ = stream.try_write(&[0]);
            }
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
