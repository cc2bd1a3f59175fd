//! The mechanisms this server can speak, their names and their order.
//!
//! DIGEST-MD5, CRAM-MD5 and LOGIN are left out for good (RFC 6331). `HT-*-UNIQ` is left out because `tls-unique` has no
//! meaning in TLS 1.3 and is unsafe without the extended master secret in TLS 1.2 (RFC 7627).
//!
//! Not here: `HT2-*` of draft-ietf-kitten-sasl-ht (XEP-0484 0.2 still names version 09 of the older draft).

use crate::{Binding, Hash};

/// A SASL mechanism. Greater means stronger: a proof of possession bound to the channel beats one that is not bound, which
/// beats a password sent in the clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mechanism {
    /// ANONYMOUS (RFC 4505): no identity at all.
    Anonymous,
    /// PLAIN (RFC 4616): the password itself.
    Plain,
    /// HT-SHA-256-NONE: a FAST token without channel binding.
    HtSha256None,
    /// HT-SHA-256-ENDP: a FAST token bound by `tls-server-end-point`.
    HtSha256Endp,
    /// HT-SHA-256-EXPR: a FAST token bound by `tls-exporter`.
    HtSha256Expr,
    /// SCRAM-SHA-1 (RFC 5802).
    ScramSha1,
    /// SCRAM-SHA-256 (RFC 7677).
    ScramSha256,
    /// SCRAM-SHA-512.
    ScramSha512,
    /// SCRAM-SHA-1-PLUS: with channel binding.
    ScramSha1Plus,
    /// SCRAM-SHA-256-PLUS: with channel binding.
    ScramSha256Plus,
    /// SCRAM-SHA-512-PLUS: with channel binding.
    ScramSha512Plus,
    /// EXTERNAL (RFC 4422 appendix A, XEP-0178): the TLS certificate.
    External,
}

impl Mechanism {
    /// All of them, strongest first: the order in which they are advertised.
    pub const ALL: [Mechanism; 12] = [
        Mechanism::External,
        Mechanism::ScramSha512Plus,
        Mechanism::ScramSha256Plus,
        Mechanism::ScramSha1Plus,
        Mechanism::ScramSha512,
        Mechanism::ScramSha256,
        Mechanism::ScramSha1,
        Mechanism::HtSha256Expr,
        Mechanism::HtSha256Endp,
        Mechanism::HtSha256None,
        Mechanism::Plain,
        Mechanism::Anonymous,
    ];

    /// The registered name.
    pub const fn name(self) -> &'static str {
        match self {
            Mechanism::Anonymous => "ANONYMOUS",
            Mechanism::Plain => "PLAIN",
            Mechanism::HtSha256None => "HT-SHA-256-NONE",
            Mechanism::HtSha256Endp => "HT-SHA-256-ENDP",
            Mechanism::HtSha256Expr => "HT-SHA-256-EXPR",
            Mechanism::ScramSha1 => "SCRAM-SHA-1",
            Mechanism::ScramSha256 => "SCRAM-SHA-256",
            Mechanism::ScramSha512 => "SCRAM-SHA-512",
            Mechanism::ScramSha1Plus => "SCRAM-SHA-1-PLUS",
            Mechanism::ScramSha256Plus => "SCRAM-SHA-256-PLUS",
            Mechanism::ScramSha512Plus => "SCRAM-SHA-512-PLUS",
            Mechanism::External => "EXTERNAL",
        }
    }

    /// The mechanism with exactly that name (names are case-sensitive, RFC 4422 3.1).
    pub fn parse(name: &str) -> Option<Mechanism> {
        Mechanism::ALL.into_iter().find(|mechanism| mechanism.name() == name)
    }

    /// The hash of a SCRAM mechanism; `None` for all others.
    pub const fn scram_hash(self) -> Option<Hash> {
        match self {
            Mechanism::ScramSha1 | Mechanism::ScramSha1Plus => Some(Hash::Sha1),
            Mechanism::ScramSha256 | Mechanism::ScramSha256Plus => Some(Hash::Sha256),
            Mechanism::ScramSha512 | Mechanism::ScramSha512Plus => Some(Hash::Sha512),
            _ => None,
        }
    }

    /// Whether it is `SCRAM-*-PLUS`, where the client picks the kind of channel binding.
    pub const fn is_plus(self) -> bool {
        matches!(self, Mechanism::ScramSha1Plus | Mechanism::ScramSha256Plus | Mechanism::ScramSha512Plus)
    }

    /// Whether it authenticates with a token in one round trip, and so belongs in `<fast/>` (XEP-0484 3.1).
    pub const fn is_fast(self) -> bool {
        matches!(self, Mechanism::HtSha256None | Mechanism::HtSha256Endp | Mechanism::HtSha256Expr)
    }

    /// The channel binding that is part of the name of an `HT-*` mechanism.
    pub const fn fixed_binding(self) -> Option<Binding> {
        match self {
            Mechanism::HtSha256Endp => Some(Binding::TlsServerEndPoint),
            Mechanism::HtSha256Expr => Some(Binding::TlsExporter),
            _ => None,
        }
    }

    /// Whether the exchange is bound to the TLS connection.
    pub const fn uses_channel_binding(self) -> bool {
        self.is_plus() || self.fixed_binding().is_some()
    }

    /// Whether an eavesdropper could use what goes over the wire, so that only a secure channel will do.
    pub const fn needs_encryption(self) -> bool {
        self.is_fast()
            || self.uses_channel_binding()
            || matches!(self, Mechanism::Plain | Mechanism::External)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_and_all_is_sorted_by_strength() {
        for mechanism in Mechanism::ALL {
            assert_eq!(Mechanism::parse(mechanism.name()), Some(mechanism));
            assert!(mechanism.name().len() <= 20);
        }
        assert!(Mechanism::ALL.windows(2).all(|pair| pair[0] > pair[1]));
    }

    #[test]
    fn c21_and_near_names_are_unknown() {
        for name in ["DIGEST-MD5", "CRAM-MD5", "LOGIN", "plain", "SCRAM-SHA-1 ", "", "HT-SHA-256-UNIQ"] {
            assert_eq!(Mechanism::parse(name), None, "{name}");
        }
    }
}
