//! A handshake with its time limit, counted and logged.
//!
//! Not here: the handshake itself (`handshake.rs`).

use std::net::IpAddr;
use std::time::Instant;

use super::{Purpose, handshake};
use crate::counters::HandshakeFault;
use crate::shared::Shared;
use crate::wire::Wire;

/// Runs a handshake within its time; counts and logs failures. `None`: there is nothing to serve.
pub(crate) async fn secure(
    shared: &Shared,
    wire: &mut Wire,
    purpose: Purpose,
    peer: IpAddr,
) -> Option<stream::Tls> {
    let handshake = handshake::accept(wire, &shared.config.tls, purpose);
    let tls = within(shared, peer, handshake).await?;
    shared.counters().handshakes.one();
    tls
}

/// Waits for any part of a handshake, within its time; counts and logs a failure.
pub(crate) async fn within<T>(
    shared: &Shared,
    peer: IpAddr,
    handshake: impl Future<Output = Result<T, HandshakeFault>>,
) -> Option<T> {
    let result = tokio::time::timeout(shared.limits.now().handshake, handshake).await;
    match result.unwrap_or(Err(HandshakeFault::Slow)) {
        Ok(outcome) => Some(outcome),
        Err(why) => {
            shared.counters().handshake_failed(why);
            if let Some(left_out) = shared.log.handshake.write(Instant::now()) {
                tracing::info!(%peer, left_out, why = why.name(), "TLS handshake failed");
            }
            None
        }
    }
}
