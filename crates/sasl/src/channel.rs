//! What the connection under the stream can vouch for: its security and its channel bindings.
//!
//! RFC 5929 (`tls-server-end-point`), RFC 9266 (`tls-exporter`), XEP-0515 0.1 (TLS version).
//!
//! Not here: computing the values from a TLS session (crate `net`).

use std::fmt;

/// A kind of channel binding. `tls-unique` is missing on purpose (see `mechanism.rs`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Binding {
    /// The hash of the certificate we served (RFC 5929 4). Blind to a stolen key.
    TlsServerEndPoint,
    /// Key material of this very connection (RFC 9266).
    TlsExporter,
}

impl Binding {
    /// All of them, strongest first.
    pub const ALL: [Binding; 2] = [Binding::TlsExporter, Binding::TlsServerEndPoint];

    /// The unique prefix registered with IANA, used in SCRAM's `p=` and in XEP-0440.
    pub const fn name(self) -> &'static str {
        match self {
            Binding::TlsServerEndPoint => "tls-server-end-point",
            Binding::TlsExporter => "tls-exporter",
        }
    }

    /// The binding with exactly that name.
    pub fn parse(name: &str) -> Option<Binding> {
        Binding::ALL.into_iter().find(|binding| binding.name() == name)
    }
}

/// The TLS version of the connection, for XEP-0515.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TlsVersion {
    /// TLS 1.2 (RFC 5246).
    Tls12,
    /// TLS 1.3 (RFC 8446).
    Tls13,
}

impl TlsVersion {
    /// The version number as four lower-case hexadecimal digits (XEP-0515 4.1).
    pub const fn code(self) -> &'static str {
        match self {
            TlsVersion::Tls12 => "0303",
            TlsVersion::Tls13 => "0304",
        }
    }
}

/// What one connection offers to the SASL layer.
#[derive(Clone, Default)]
pub struct Channel {
    secure: bool,
    version: Option<TlsVersion>,
    exporter: Option<[u8; 32]>,
    server_end_point: Option<Vec<u8>>,
}

impl Channel {
    /// A connection without TLS. Only SCRAM without binding and ANONYMOUS are possible on it, and only in SASL1.
    pub fn plaintext() -> Channel {
        Channel::default()
    }

    /// A connection whose TLS ends at a trusted proxy or that never leaves this host: secure, but nothing to bind to.
    pub fn proxied() -> Channel {
        Channel { secure: true, ..Channel::default() }
    }

    /// A TLS connection that ends here.
    ///
    /// * `exporter`: 32 bytes exported with label `EXPORTER-Channel-Binding` and an *empty* context (RFC 9266 2).
    ///   Ignored on TLS 1.2, where it is safe only with the extended master secret, which we cannot see.
    /// * `server_end_point`: the hash of the leaf certificate we served, by the hash of its signature algorithm,
    ///   SHA-256 where that is MD5 or SHA-1 (RFC 5929 4.1).
    pub fn tls(
        version: TlsVersion,
        exporter: Option<[u8; 32]>,
        server_end_point: Option<Vec<u8>>,
    ) -> Channel {
        let exporter = exporter.filter(|_| version >= TlsVersion::Tls13);
        let server_end_point = server_end_point.filter(|hash| !hash.is_empty());
        Channel { secure: true, version: Some(version), exporter, server_end_point }
    }

    /// Whether nobody between the client and us can read along.
    pub fn is_secure(&self) -> bool {
        self.secure
    }

    /// The TLS version, where TLS ends here.
    pub fn version(&self) -> Option<TlsVersion> {
        self.version
    }

    /// The bindings this connection has data for, strongest first.
    pub fn bindings(&self) -> impl Iterator<Item = Binding> + '_ {
        Binding::ALL.into_iter().filter(|binding| self.data(*binding).is_some())
    }

    /// The data of one binding.
    pub fn data(&self, binding: Binding) -> Option<&[u8]> {
        match binding {
            Binding::TlsExporter => self.exporter.as_ref().map(|data| &data[..]),
            Binding::TlsServerEndPoint => self.server_end_point.as_deref(),
        }
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The exporter value belongs in no log.
        f.debug_struct("Channel")
            .field("secure", &self.secure)
            .field("version", &self.version)
            .field("bindings", &self.bindings().collect::<Vec<_>>())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exporter_counts_on_tls_13_only() {
        let channel = Channel::tls(TlsVersion::Tls12, Some([1; 32]), Some(vec![2; 32]));
        assert_eq!(channel.bindings().collect::<Vec<_>>(), [Binding::TlsServerEndPoint]);
        let channel = Channel::tls(TlsVersion::Tls13, Some([1; 32]), Some(vec![2; 32]));
        assert_eq!(
            channel.bindings().collect::<Vec<_>>(),
            [Binding::TlsExporter, Binding::TlsServerEndPoint]
        );
        assert_eq!(channel.data(Binding::TlsExporter), Some(&[1u8; 32][..]));
        assert!(!format!("{channel:?}").contains("1, 1"));
        assert_eq!(Channel::proxied().bindings().count(), 0);
    }
}
