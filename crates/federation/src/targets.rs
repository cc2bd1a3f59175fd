//! Where a domain's servers are, in the order in which they are to be tried.
//!
//! RFC 6120 section 3.2, RFC 2782, XEP-0368 1.1.0 (both services mixed into one order)
//!
//! Not here: DNS itself (`resolve.rs`), connecting (`connect.rs`).

use std::net::IpAddr;

use crate::limits;
use crate::resolve::{Resolve, Srv, Unanswered};

/// RFC 6120 section 3.2.2.
pub(crate) const PORT: u16 = 5269;

/// A host and port, and how to speak there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// A host name in ASCII.
    pub(crate) host: String,
    /// TCP port.
    pub(crate) port: u16,
    /// Whether TLS comes first (XEP-0368).
    pub(crate) direct_tls: bool,
}

/// Why there is nowhere to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoTarget {
    /// The domain is an address or otherwise nothing that DNS knows.
    NoDomain,
    /// DNS says that there is no such service.
    NoService,
    /// DNS says nothing.
    Unanswered,
}

/// Gives numbers from 0 up to and including the one given; RFC 2782 draws lots with them.
pub(crate) type Lots<'a> = &'a mut (dyn FnMut(u32) -> u32 + Send);

/// The form of a domain that DNS and certificates have (RFC 5890 A-labels). `None`: it can have no servers, as an
/// address of IPv4 or IPv6.
pub fn ascii(domain: &str) -> Option<String> {
    let is_address = domain.starts_with('[') || domain.parse::<IpAddr>().is_ok();
    let ascii = idna::domain_to_ascii_strict(domain).ok().filter(|_| !is_address)?;
    let last = ascii.rsplit('.').next().unwrap_or_default();
    // A last label of digits would be read as an address of IPv4 by some (WHATWG URL section 3.5).
    let numeric = !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit());
    (!numeric && !ascii.is_empty()).then_some(ascii)
}

/// Asks DNS where the servers of a domain are.
///
/// # Errors
/// See [`NoTarget`].
pub(crate) async fn find(
    resolver: &dyn Resolve,
    domain: &str,
    lots: Lots<'_>,
) -> Result<Vec<Target>, NoTarget> {
    let domain = ascii(domain).ok_or(NoTarget::NoDomain)?;
    let names = [format!("_xmpps-server._tcp.{domain}"), format!("_xmpp-server._tcp.{domain}")];
    let (direct, starttls) = tokio::join!(resolver.srv(&names[0]), resolver.srv(&names[1]));
    match (direct, starttls) {
        // Not to know of the one is no reason not to use the other.
        (Err(Unanswered), Ok(some)) | (Ok(some), Err(Unanswered)) if some.is_empty() => {
            Err(NoTarget::Unanswered)
        }
        (Err(Unanswered), Err(Unanswered)) => Err(NoTarget::Unanswered),
        (direct, starttls) => {
            let (direct, starttls) = (direct.unwrap_or_default(), starttls.unwrap_or_default());
            if direct.is_empty() && starttls.is_empty() {
                return Ok(vec![Target { host: domain, port: PORT, direct_tls: false }]);
            }
            let found = mix(direct, starttls, lots);
            if found.is_empty() { Err(NoTarget::NoService) } else { Ok(found) }
        }
    }
}

/// One order of both kinds by priority and weight. A target of "." says that a kind is not there.
fn mix(direct: Vec<Srv>, starttls: Vec<Srv>, lots: Lots<'_>) -> Vec<Target> {
    let kinds = [(true, direct), (false, starttls)].into_iter();
    let mut left: Vec<(Srv, bool)> = kinds
        .flat_map(|(direct_tls, records)| {
            let decidedly_not = records.iter().any(|srv| srv.target.is_empty());
            records.into_iter().filter(move |_| !decidedly_not).map(move |srv| (srv, direct_tls))
        })
        .filter(|(srv, _)| srv.port != 0)
        .collect();
    let mut order = Vec::new();
    // RFC 2782: the lowest priority first; those without weight stand first, so that they have a small chance.
    left.sort_by_key(|(srv, _)| (srv.priority, srv.weight));
    while let Some((first, _)) = left.first() {
        if order.len() == limits::TARGETS_MAX {
            break;
        }
        let priority = first.priority;
        let equals = left.iter().take_while(|(srv, _)| srv.priority == priority);
        let sum: u32 = equals.clone().map(|(srv, _)| u32::from(srv.weight)).sum();
        let lot = lots(sum);
        let mut running = 0;
        let at = equals
            .map(|(srv, _)| {
                running += u32::from(srv.weight);
                running
            })
            .position(|running| running >= lot);
        let (srv, direct_tls) = left.remove(at.unwrap_or(0));
        let host = srv.target.to_ascii_lowercase();
        order.push(Target { host, port: srv.port, direct_tls });
    }
    order
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::resolve::Resolving;

    fn srv(priority: u16, weight: u16, port: u16, target: &str) -> Srv {
        Srv { priority, weight, port, target: target.to_owned() }
    }

    fn said(targets: &[Target]) -> Vec<String> {
        let kind = |target: &Target| if target.direct_tls { "direct" } else { "starttls" };
        targets.iter().map(|target| format!("{}:{} {}", target.host, target.port, kind(target))).collect()
    }

    #[test]
    fn both_kinds_are_one_order() {
        let direct = vec![srv(10, 0, 5270, "d1.example"), srv(20, 5, 5270, "d2.example")];
        let starttls =
            vec![srv(5, 0, 5269, "s1.example"), srv(10, 9, 5269, "s2.example"), srv(30, 0, 0, "x")];
        // A lot of 0 takes who has no weight; the largest takes who has.
        let low = mix(direct.clone(), starttls.clone(), &mut |_| 0);
        let high = mix(direct, starttls, &mut |sum| sum);
        let (d1, s2) = ("d1.example:5270 direct", "s2.example:5269 starttls");
        let around = |a, b| vec!["s1.example:5269 starttls", a, b, "d2.example:5270 direct"];
        assert_eq!(said(&low), around(d1, s2));
        assert_eq!(said(&high), around(s2, d1));
    }

    #[test]
    fn a_dot_closes_its_kind_only_and_many_records_are_cut() {
        let dot = || vec![srv(0, 0, 0, "")];
        assert!(mix(dot(), dot(), &mut |_| 0).is_empty());
        assert_eq!(said(&mix(dot(), vec![srv(0, 0, 1, "a")], &mut |_| 0)), ["a:1 starttls"]);
        let many = (0..1_000).map(|n| srv(n, 0, 1, "a")).collect();
        assert_eq!(mix(many, Vec::new(), &mut |_| 0).len(), limits::TARGETS_MAX);
    }

    #[test]
    fn weights_share_out() {
        let mut seed = 1_u32;
        let mut first = HashMap::new();
        for _ in 0..4_000 {
            let mut lots = |sum: u32| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (seed >> 8) % (sum + 1)
            };
            let records = vec![srv(1, 30, 1, "a"), srv(1, 10, 1, "b")];
            *first.entry(mix(records, Vec::new(), &mut lots)[0].host.clone()).or_insert(0) += 1;
        }
        assert!((2_800..3_200).contains(&first["a"]), "{first:?}");
    }

    #[test]
    fn only_names_have_servers() {
        for (domain, want) in [
            ("example.org", Some("example.org")),
            ("bücher.example", Some("xn--bcher-kva.example")),
            ("localhost", Some("localhost")),
            ("127.0.0.1", None),
            ("[::1]", None),
            ("10.1", None),
            ("a_b.example", None),
            ("", None),
        ] {
            assert_eq!(ascii(domain).as_deref(), want, "{domain}");
        }
    }

    struct Table(Result<Vec<Srv>, Unanswered>, Result<Vec<Srv>, Unanswered>);

    impl Resolve for Table {
        fn srv<'a>(&'a self, name: &'a str) -> Resolving<'a, Vec<Srv>> {
            let found = if name.starts_with("_xmpps") { &self.0 } else { &self.1 };
            Box::pin(std::future::ready(found.clone()))
        }

        fn addresses<'a>(&'a self, _: &'a str) -> Resolving<'a, Vec<IpAddr>> {
            Box::pin(std::future::ready(Ok(Vec::new())))
        }
    }

    #[tokio::test]
    async fn nothing_known_is_not_nothing_there() {
        let some = || Ok(vec![srv(0, 0, 1, "a")]);
        for (direct, starttls, want) in [
            (Ok(vec![]), Ok(vec![]), Ok(vec!["x.example:5269 starttls".to_owned()])),
            (Err(Unanswered), Ok(vec![]), Err(NoTarget::Unanswered)),
            (Err(Unanswered), Err(Unanswered), Err(NoTarget::Unanswered)),
            (Err(Unanswered), some(), Ok(vec!["a:1 starttls".to_owned()])),
            (Ok(vec![srv(0, 0, 0, "")]), Ok(vec![]), Err(NoTarget::NoService)),
        ] {
            let found = find(&Table(direct, starttls), "x.example", &mut |_| 0).await;
            assert_eq!(found.map(|found| said(&found)), want);
        }
    }
}
