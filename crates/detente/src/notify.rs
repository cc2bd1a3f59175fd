//! Tells the service manager when the server is ready, reloads, stops, and that it lives (sd_notify(3)).
//!
//! Not here: what counts as living (`serve.rs`).

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// Says it, if a service manager listens. Nothing depends on whether it hears.
pub(crate) fn say(state: &str) {
    let Some(path) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let address = match path.as_encoded_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(&path),
    };
    let sent = address.and_then(|address| UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address));
    if let Err(error) = sent {
        tracing::warn!("the service manager was not told {state}: {error}");
    }
}

/// How often the service manager wants to hear `WATCHDOG=1`: twice in the time after which it would act
/// (sd_watchdog_enabled(3)). `None` if it does not want to.
pub(crate) fn pulse() -> Option<Duration> {
    let number = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    let ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
    let micros = number("WATCHDOG_USEC").filter(|_| ours)?;
    Some(Duration::from_micros(micros / 2)).filter(|pulse| !pulse.is_zero())
}
