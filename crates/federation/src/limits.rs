//! The limits of federation, each with its unit. The manual lists them (docs/manual/limits.md).
//!
//! Not here: how much may be on its way (engine), limits of one stream (s2s), of listeners (net).

use std::time::Duration;

/// How long one server of DNS may take.
pub const DNS_TIMEOUT: Duration = Duration::from_secs(3);
/// How long one question to DNS may take, with all servers.
pub const DNS_TOTAL: Duration = Duration::from_secs(8);
/// Answers of DNS that are remembered.
pub const DNS_CACHE: u64 = 4_096;
/// How long it is remembered that something is not in DNS.
pub const DNS_NEGATIVE: Duration = Duration::from_secs(60);
/// Records of one answer that are looked at.
pub const RECORDS_MAX: usize = 64;
/// Hosts of one domain that are tried.
pub const TARGETS_MAX: usize = 8;
/// Addresses of one domain that are tried.
pub const ADDRESSES_MAX: usize = 16;
/// Head start of one address before the next is tried beside it (RFC 8305 section 5).
pub const STAGGER: Duration = Duration::from_millis(250);
/// How long one address may take to accept a connection.
pub const CONNECT: Duration = Duration::from_secs(10);
/// How long all of a domain's addresses together may take.
pub const DIAL: Duration = Duration::from_secs(30);
/// How long a TLS handshake may take.
pub const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long a peer may take nothing of what we write.
pub const WRITE: Duration = Duration::from_secs(30);
/// Bytes that may wait to be written to a peer that has proven nothing; with more, nothing is read from it.
pub const UNPROVEN_BYTES_MAX: usize = 64 << 10;
/// The same of one that has. More than may be unacknowledged, or two that only write would wait for each other.
pub const UNSENT_BYTES_MAX: usize = 8 << 20;
/// How long a request or presence waits for a domain that cannot be reached.
pub const BRIEF: Duration = Duration::from_secs(30);
/// First wait after a domain could not be reached; it doubles.
pub const BACK_OFF_MIN: Duration = Duration::from_secs(2);
/// Longest such wait.
pub const BACK_OFF_MAX: Duration = Duration::from_secs(60);
/// A stream that was up for less counts as a failed attempt.
pub const LASTING: Duration = Duration::from_secs(60);
/// How long a stream must have lived after something was written to it, for that to count as delivered, where the peer
/// acknowledges nothing. Messages also wait for an answer to what it is asked after them.
pub const CONFIRM: Duration = Duration::from_secs(5);
/// How long a peer that acknowledges nothing may take to say that it has got something.
pub const ANSWER: Duration = Duration::from_secs(30);
/// How long it is remembered that a domain has no servers.
pub const NOWHERE: Duration = Duration::from_secs(30);
/// Attempts to reach a domain again whose stream broke, when nothing waits for it.
pub const RECONNECTS_MAX: u32 = 5;
/// Pairs of a domain of ours and another that are looked after at once.
pub const LANES_MAX: usize = 8_192;
/// Streams from other servers that are open at once.
pub const INCOMING_MAX: usize = 4_096;
/// The same of one remote domain.
pub const INCOMING_PER_DOMAIN_MAX: usize = 32;
/// Connections that are being opened at once.
pub const DIALS_MAX: usize = 512;
/// Broken streams of others that may be resumed.
pub const RESUMPTIONS_MAX: usize = 1_024;
/// Domains whose last failure is remembered for operators.
pub const RECENT_MAX: usize = 256;
/// Names of a certificate that operators are shown.
pub const SHOWN_NAMES_MAX: usize = 16;
/// Bytes of one of them, and of an issuer's.
pub const SHOWN_BYTES_MAX: usize = 512;
/// Domains that operators may try at once.
pub const TRIALS_MAX: usize = 4;
/// Addresses of one of them that are tried at once.
pub const TRIAL_ADDRESSES_MAX: usize = 4;
/// How long that may take, with everything.
pub const TRIAL: Duration = Duration::from_secs(45);
/// How long a stream or a lane may take to tell how it stands.
pub const TELL: Duration = Duration::from_secs(2);
/// How long streams may take to close when the server stops.
pub const CLOSE: Duration = Duration::from_secs(5);
/// How often, and after what time each, a stream that is to be resumed is looked for after it was told to let go.
pub const DETACH_LOOKS: u32 = 10;
/// See [`DETACH_LOOKS`].
pub const DETACH_WAIT: Duration = Duration::from_millis(20);
