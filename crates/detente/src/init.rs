//! `detente init`.
//!
//! Not here: what is written (config).

use admin::{Failure, FailureKind};
use config::InitError;

use crate::cli::Init;

pub(crate) fn run(args: Init) -> Result<(), Failure> {
    let init = config::Init {
        dir: args.dir,
        domains: args.domains,
        listen: args.listen,
        port_offset: args.port_offset,
        identity: args.cert.zip(args.key),
    };
    let made = init.run().map_err(|error| {
        let kind = match error {
            InitError::Exists(_) => FailureKind::Exists,
            InitError::Domain(_) | InitError::Port => FailureKind::Usage,
            InitError::Io(..) | InitError::Certificate(..) => FailureKind::Failed,
        };
        Failure::new(kind, error)
    })?;
    let (config, domain) = (made.config.display(), &made.domains[0]);
    println!("Written: {config}\n");
    println!("Next:");
    println!("  detente check --config {config}");
    println!("  detente serve --config {config}");
    println!("  detente user add alice@{domain} --config {config}");
    if made.self_made {
        println!(
            "\nThe certificate is self-made: clients will ask whether they may trust it. For a server that others"
        );
        println!("use, get one from a certificate authority and set `certificate` and `key` in {config}.");
    }
    if !made.local {
        println!("\nIn DNS, {domain} must lead here; open the ports of [listen] in your firewall.");
    }
    Ok(())
}
