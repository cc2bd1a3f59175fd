//! A handshake with its time limit, counted and logged.
//!
//! Not here: the handshake itself (`handshake.rs`).

use std::net::IpAddr;
use std::time::Instant;

use super::{Purpose, handshake};
use crate::counters::HandshakeFault;
use crate::shared::Shared;
use crate::wire::Wire;

/// Runs a handshake within its time; counts and logs failures.
pub(crate) async fn secure(
    shared: &Shared,
    wire: &mut Wire,
    purpose: Purpose,
    peer: IpAddr,
) -> Option<stream::Tls> {
    let handshake = handshake::accept(wire, &shared.config.tls, purpose);
    let result = tokio::time::timeout(shared.limits.now().handshake, handshake).await;
    match result.unwrap_or(Err(HandshakeFault::Slow)) {
        Ok(tls) => {
            shared.counters().handshakes.one();
            Some(tls)
        }
        Err(why) => {
            shared.counters().handshake_failed(why);
            if let Some(left_out) = shared.log.handshake.write(Instant::now()) {
                tracing::info!(%peer, left_out, why = why.name(), "TLS handshake failed");
            }
            None
        }
    }
}
