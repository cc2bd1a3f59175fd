//! certificates are changed and the configuration is read again (SIGHUP), again and again, under load.
//!
//! Not here: getting certificates.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bench::Outcome;
use rustix::process::Signal;

use super::Stage;
use crate::crowd::{Crowd, Size, wait_for};
use crate::judge;
use crate::row::Row;
use crate::world::{DOMAIN, World};

const BOUND: Duration = Duration::from_secs(60);

pub(crate) fn run(stage: &Stage, mut row: Row) -> Outcome<Row> {
    let mut world = stage.world("certificate")?;
    let server = world.start()?;
    let crowd = Crowd::gather(&world, Size { seed: stage.seed, ..Size::default() })?;
    row.bound = "new handshakes use it in 60 s, no stream ends".into();
    let (certificate, key) = files(&world)?;
    let mut slowest = Duration::ZERO;
    for round in 0..stage.times(60, 10) {
        row.runs += 1;
        let kind =
            if round % 2 == 0 { &rcgen::PKCS_ECDSA_P384_SHA384 } else { &rcgen::PKCS_ECDSA_P256_SHA256 };
        let pair = rcgen::KeyPair::generate_for(kind)?;
        let made = rcgen::CertificateParams::new(vec![DOMAIN.to_owned()])?.self_signed(&pair)?;
        if round % 5 == 4 {
            // Only half of it is there: the old one stays in service.
            let before = shown(&crowd)?;
            fs::write(&key, pair.serialize_pem())?;
            server.signal(Signal::HUP)?;
            std::thread::sleep(Duration::from_millis(300));
            row.must(shown(&crowd)? == before, "a key without its certificate was taken");
        }
        replace(&certificate, &made.pem())?;
        replace(&key, &pair.serialize_pem())?;
        server.signal(Signal::HUP)?;
        let new = made.der().to_vec();
        slowest = slowest
            .max(wait_for("the new certificate", BOUND, || shown(&crowd).is_ok_and(|der| der == new))?);
        crowd.works(BOUND)?;
    }
    row.within("longest until it was shown", slowest, BOUND);
    let pages = crowd.shared.book.open();
    let ended = pages.resumed + pages.not_resumed;
    drop(pages);
    row.must(ended == 0, format_args!("{ended} streams ended"));
    row.calm("", &crowd);
    judge::finish(&mut world, crowd, &mut row, Duration::from_secs(10))?;
    Ok(row)
}

/// What a new connection is shown.
fn shown(crowd: &Crowd) -> Outcome<Vec<u8>> {
    let target = &crowd.shared.target;
    crowd.runtime.block_on(target.patiently("handshake", async {
        let mut wire = target.connect().await?;
        let shown = wire.certificate().ok_or("no certificate")?.to_vec();
        let _ = wire.close().await;
        Ok(shown)
    }))
}

fn replace(path: &Path, text: &str) -> Outcome<()> {
    let new = path.with_extension("new");
    fs::write(&new, text)?;
    fs::set_permissions(&new, fs::metadata(path)?.permissions())?;
    Ok(fs::rename(new, path)?)
}

fn files(world: &World) -> Outcome<(PathBuf, PathBuf)> {
    let text = fs::read_to_string(world.config())?;
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("{name} = ")));
        line.map(|value| world.root.join("run").join(value.trim_matches('"'))).ok_or(format!("no {name}"))
    };
    Ok((value("certificate")?, value("key")?))
}
