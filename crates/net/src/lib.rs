//! Sockets, TLS and HTTP: everything between the network and the machines of crate `stream`.
//!
//! RFC 6120 (TCP), RFC 7590 and RFC 9325 (TLS), RFC 7395 (WebSocket), XEP-0124 and XEP-0206 (BOSH), XEP-0156
//! (host-meta), XEP-0368 (direct TLS).
//!
//! Not here: the meaning of any byte of XMPP (stream), accounts (whoever implements [`Authority`]), sessions (engine).

mod accept;
mod alarm;
mod authority;
mod bosh;
mod carrier;
mod challenges;
mod config;
mod counters;
mod files;
mod framing;
mod http;
mod link;
mod monitor;
mod outbox;
mod parts;
mod peers;
mod pushes;
mod quiet;
mod relay;
mod roll;
mod servers;
mod shared;
mod shared_port;
mod tls;
mod websocket;
mod wire;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use mailbox::Mailbox;
use model::link::Down;
use stanza::{StreamCondition, StreamError};
use tokio::net::TcpListener;
use tokio::sync::watch;

pub use accept::prepare;
pub use authority::{Answering, Authority};
pub use challenges::Challenges;
pub use config::{
    Adjustable, BoshLimits, Current, HttpSettings, Kind, Limits, Listener, NetConfig, Origins, Unnamed,
};
pub use counters::{Count, Counters, HandshakeFault, MISBEHAVIOURS, misbehaviour_name};
pub use files::{Download, FILES_PATH, Files, Pending, Status, Taking, Upload};
pub use http::invite::INVITE_PATH;
pub use monitor::{Monitor, Watching};
pub use outbox::{Moved, Outbox};
pub use parts::PARTS;
pub use peers::Permit;
pub use pushes::{PUSH_BYTES_MAX, PUSH_PATH, Pushes};
pub use quiet::Quiet;
pub use relay::{Duplex, Relay};
pub use servers::{Guest, Servers};
pub use tls::{Fields as CertificateFields, TlsError, TlsNote, TlsStore, fields as certificate_fields};

use shared::Shared;

/// Where a server is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It serves.
    Running,
    /// No new connection and no new stream is taken; those that are open go on.
    Draining,
    /// All streams are told to close, with `<system-shutdown/>`.
    Closing,
}

/// A server whose sockets are open.
pub struct Net {
    sockets: Vec<(TcpListener, config::Listener)>,
    addresses: Vec<SocketAddr>,
    shared: Arc<Shared>,
}

impl Net {
    /// Opens all listening sockets. What streams say goes to `engine`: while it is full they wait, which slows their
    /// peers down. `phase` starts as [`Phase::Running`].
    ///
    /// # Errors
    /// If one of the sockets cannot be opened.
    pub fn bind(
        config: NetConfig,
        engine: Mailbox,
        authority: Arc<dyn Authority>,
        phase: watch::Receiver<Phase>,
    ) -> io::Result<Net> {
        let mut sockets = Vec::new();
        for listener in &config.listeners {
            let socket = accept::bind(listener.address)
                .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", listener.address)))?;
            sockets.push((socket, *listener));
        }
        let addresses = sockets.iter().map(|(socket, _)| socket.local_addr()).collect::<io::Result<_>>()?;
        Ok(Net { sockets, addresses, shared: Arc::new(Shared::new(config, engine, authority, phase)) })
    }

    /// Where it listens, in the order of [`NetConfig::listeners`], with the ports that the system chose.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// What can be changed while it serves.
    pub fn adjustable(&self) -> Adjustable {
        let shared = &self.shared;
        Adjustable {
            stream: shared.config.stream.clone(),
            http: shared.http.clone(),
            limits: shared.limits.clone(),
        }
    }

    /// Serves until the phase is [`Phase::Closing`] (or its sender is gone), and all streams are closed or
    /// [`Limits::shutdown`] is over.
    pub async fn run(self) {
        let shared = self.shared;
        let loops: Vec<_> = self
            .sockets
            .into_iter()
            .map(|(socket, listener)| tokio::spawn(accept::run(socket, listener, shared.clone())))
            .collect();
        let mut phase = shared.phase.clone();
        let _ = phase.wait_for(|phase| *phase == Phase::Closing).await;
        for accepting in loops {
            accepting.abort();
        }
        shared.roll.tell_all(&Down::Close(Some(StreamError::from(StreamCondition::SystemShutdown))));
        shared.bosh.close();
        if tokio::time::timeout(shared.limits.now().shutdown, shared.roll.emptied()).await.is_err() {
            tracing::warn!("some streams did not close in time");
        }
    }
}

/// Opens all sockets and serves; see [`Net::bind`] and [`Net::run`].
///
/// # Errors
/// If one of the sockets cannot be opened.
pub async fn serve(
    config: NetConfig,
    engine: Mailbox,
    authority: Arc<dyn Authority>,
    phase: watch::Receiver<Phase>,
) -> io::Result<()> {
    Net::bind(config, engine, authority, phase)?.run().await;
    Ok(())
}
