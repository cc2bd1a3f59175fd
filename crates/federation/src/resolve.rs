//! What is asked of DNS, as a small trait, and the real resolver behind it.
//!
//! RFC 2782 (SRV), RFC 6120 section 3.2
//!
//! Not here: what follows from the answers (`targets.rs`), connecting (`connect.rs`).

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::time::Duration;

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::{ResolverBuilder, TokioResolver};

use crate::limits;

/// A service record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Srv {
    /// Lower comes first.
    pub priority: u16,
    /// How often, among equals.
    pub weight: u16,
    /// TCP port.
    pub port: u16,
    /// A host without the final dot; empty: the service is decidedly not there.
    pub target: String,
}

/// No answer: DNS is down, slow, or talks nonsense. That nothing is there is an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unanswered;

/// What [`Resolve`] gives.
pub type Resolving<'a, T> = Pin<Box<dyn Future<Output = Result<T, Unanswered>> + Send + 'a>>;

/// Who asks DNS. Names are in ASCII (A-labels), without the final dot. Answers are bounded by the caller.
pub trait Resolve: Send + Sync {
    /// Service records of a name; none if there are none.
    fn srv<'a>(&'a self, name: &'a str) -> Resolving<'a, Vec<Srv>>;
    /// Addresses of a host; none if there are none.
    fn addresses<'a>(&'a self, host: &'a str) -> Resolving<'a, Vec<IpAddr>>;
}

/// Nobody to ask: every question stays without an answer.
pub struct NoDns;

impl Resolve for NoDns {
    fn srv<'a>(&'a self, _: &'a str) -> Resolving<'a, Vec<Srv>> {
        Box::pin(std::future::ready(Err(Unanswered)))
    }

    fn addresses<'a>(&'a self, _: &'a str) -> Resolving<'a, Vec<IpAddr>> {
        Box::pin(std::future::ready(Err(Unanswered)))
    }
}

/// Records that are only shown to operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// Text.
    Txt,
    /// Who may issue certificates (RFC 8659).
    Caa,
    /// Which certificate is to be expected (RFC 6698).
    Tlsa,
}

/// The resolver of this machine: the servers of `/etc/resolv.conf`, with a cache.
pub struct Dns(TokioResolver);

impl Dns {
    /// Reads the system's configuration.
    ///
    /// # Errors
    /// If there is none, or it cannot be understood.
    pub fn of_system() -> Result<Dns, String> {
        Dns::of(TokioResolver::builder_tokio().map_err(|error| error.to_string())?)
    }

    /// Asks these servers instead.
    ///
    /// # Errors
    /// If there can be no resolver.
    pub fn of_servers(servers: &[SocketAddr]) -> Result<Dns, String> {
        let server = |address: &SocketAddr| {
            let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
                connection.port = address.port();
                connection
            });
            NameServerConfig::new(address.ip(), true, connections.into())
        };
        let config = ResolverConfig::from_name_servers(servers.iter().map(server).collect());
        Dns::of(TokioResolver::builder_with_config(config, TokioRuntimeProvider::default()))
    }

    fn of(mut builder: ResolverBuilder<TokioRuntimeProvider>) -> Result<Dns, String> {
        let options = builder.options_mut();
        options.timeout = limits::DNS_TIMEOUT;
        options.attempts = 1;
        options.cache_size = limits::DNS_CACHE;
        options.negative_max_ttl = Some(limits::DNS_NEGATIVE);
        options.positive_max_ttl = Some(Duration::from_secs(3600));
        builder.build().map(Dns).map_err(|error| error.to_string())
    }

    /// Other records of a name, as text; none if there are none.
    ///
    /// # Errors
    /// DNS says nothing.
    pub async fn notes(&self, name: &str, kind: Note) -> Result<Vec<String>, Unanswered> {
        let kind = match kind {
            Note::Txt => RecordType::TXT,
            Note::Caa => RecordType::CAA,
            Note::Tlsa => RecordType::TLSA,
        };
        let found = self.lookup(name, kind).await?;
        Ok(found.iter().filter(|data| data.record_type() == kind).map(ToString::to_string).collect())
    }

    async fn lookup(&self, name: &str, ty: RecordType) -> Result<Vec<RData>, Unanswered> {
        let Ok(mut name) = Name::from_ascii(name) else { return Ok(Vec::new()) };
        name.set_fqdn(true); // nothing of the local search list is added
        let found = tokio::time::timeout(limits::DNS_TOTAL, self.0.lookup(name, ty)).await;
        match found.map_err(|_| Unanswered)? {
            Ok(lookup) => {
                let records = lookup.answers().iter().map(|record| record.data.clone());
                Ok(records.take(limits::RECORDS_MAX).collect())
            }
            Err(error) if is_nothing(&error) => Ok(Vec::new()),
            Err(error) => {
                tracing::debug!("DNS: {error}");
                Err(Unanswered)
            }
        }
    }
}

fn is_nothing(error: &NetError) -> bool {
    use hickory_resolver::net::{DnsError, NoRecords};
    use hickory_resolver::proto::op::ResponseCode::{NXDomain, NoError};
    match error {
        NetError::Dns(DnsError::NoRecordsFound(NoRecords { response_code, .. })) => {
            matches!(response_code, NXDomain | NoError)
        }
        _ => false,
    }
}

impl Resolve for Dns {
    fn srv<'a>(&'a self, name: &'a str) -> Resolving<'a, Vec<Srv>> {
        Box::pin(async move {
            let records = self.lookup(name, RecordType::SRV).await?;
            let found = records.into_iter().filter_map(|data| match data {
                RData::SRV(srv) => Some(Srv {
                    priority: srv.priority,
                    weight: srv.weight,
                    port: srv.port,
                    target: srv.target.to_ascii().trim_end_matches('.').to_ascii_lowercase(),
                }),
                _ => None,
            });
            Ok(found.collect())
        })
    }

    fn addresses<'a>(&'a self, host: &'a str) -> Resolving<'a, Vec<IpAddr>> {
        Box::pin(async move {
            let (v6, v4) =
                tokio::join!(self.lookup(host, RecordType::AAAA), self.lookup(host, RecordType::A));
            // One family that is not answered is no reason to leave the other one out.
            let records = match (v6, v4) {
                (Err(_), Err(_)) => return Err(Unanswered),
                (Err(_), Ok(some)) | (Ok(some), Err(_)) if some.is_empty() => return Err(Unanswered),
                (v6, v4) => v6.unwrap_or_default().into_iter().chain(v4.unwrap_or_default()),
            };
            let found = records.filter_map(|data| match data {
                RData::A(a) => Some(IpAddr::V4(a.0)),
                RData::AAAA(aaaa) => Some(IpAddr::V6(aaaa.0)),
                _ => None,
            });
            Ok(found.collect())
        })
    }
}
