//! What an attempt to reach a domain means, and what an operator can do about it, in plain words.
//!
//! Not here: the attempt (`attempt.rs`), what senders are told (`failure.rs`).

use s2s::{End, Refusal};

use crate::attempt::{Attempt, Seen, Tried};
use crate::certificate::Doubt;
use crate::counters::Failure;
use crate::settings::Rules;

/// Why, in a sentence.
pub fn why(failure: Failure) -> &'static str {
    match failure {
        Failure::NotFound => "it has no XMPP server, as far as DNS knows",
        Failure::Unreachable => "it does not answer",
        Failure::Forbidden => "all its addresses are private ones, which are not connected to",
        Failure::Blocked => "it is blocked here",
        Failure::NoTls => "it does not offer encryption",
        Failure::Certificate => "its certificate does not prove who it is",
        Failure::NotAuthenticated => "it does not believe that we are who we say",
        Failure::Expired => "it did not answer in time",
        Failure::TooLarge => "the stanza is larger than it takes",
        Failure::Full => "too much is looked after already",
    }
}

/// What became of one address, in a few words.
pub fn step(tried: &Tried) -> String {
    if let Some(why) = &tried.unconnected {
        return format!("no connection: {why}");
    }
    if let Some(Err(why)) = &tried.seen.tls {
        return format!("TLS failed: {why}");
    }
    if tried.up {
        let how = if tried.seen.external { "by certificate (SASL EXTERNAL)" } else { "by dialback" };
        return format!("works; it believed us {how}");
    }
    match (&tried.why, tried.refusal) {
        (Some(End::Certificate), _) | (_, Some(Refusal::Certificate)) => {
            format!("its certificate is refused: {}", doubt(&tried.seen))
        }
        (Some(End::NoTls), _) => "it does not offer encryption".to_owned(),
        (_, Some(Refusal::Sasl(condition))) => {
            format!("it refuses our certificate (SASL EXTERNAL: {}) and offers no dialback", condition.name())
        }
        (_, Some(Refusal::Invalid)) => {
            "it asked DNS who we are, and says that our dialback key is invalid".to_owned()
        }
        (_, Some(Refusal::Failed(condition))) => {
            format!("it could not verify us by dialback: {}", condition.name())
        }
        (_, Some(Refusal::NothingOffered)) => "it offers no way to prove who we are".to_owned(),
        (_, Some(Refusal::Timeout)) => "it did not answer our dialback key in time".to_owned(),
        (Some(End::PeerError { condition, .. }), _) => {
            format!("it ended the stream: {}", condition.name())
        }
        (Some(End::TooSlow | End::Silent), _) => {
            "it accepted the connection and then said nothing".to_owned()
        }
        (Some(End::Error(condition)), _) => {
            format!("what it says is no XMPP that we understand: {}", condition.name())
        }
        _ => "the connection broke off".to_owned(),
    }
}

fn doubt(seen: &Seen) -> String {
    let shown = seen.certificate.as_ref();
    match seen.doubt {
        None => "no reason is known".to_owned(),
        Some(Doubt::None) => "it showed none".to_owned(),
        Some(Doubt::Unreadable) => "it cannot be read".to_owned(),
        Some(Doubt::OutsideValidity) => "it has expired, or is not valid yet".to_owned(),
        Some(Doubt::NotForServers) => "it is not one for servers".to_owned(),
        Some(Doubt::Untrusted) => match shown.is_some_and(|shown| shown.self_made) {
            true => "it is self-made, and so proves nothing".to_owned(),
            false => "nobody whom this server trusts has issued it, or a certificate in between is missing"
                .to_owned(),
        },
        Some(Doubt::OtherName) => {
            let names = shown.map(|shown| shown.names.join(", ")).unwrap_or_default();
            format!("it is for other names: {}", if names.is_empty() { "none" } else { &names })
        }
    }
}

/// What the operator can do, most likely first. Nothing, if all is well.
pub fn advice(domain: &str, attempt: &Attempt, rules: &Rules) -> Vec<String> {
    let mut said = match attempt.outcome {
        Ok(()) => Vec::new(),
        Err(Failure::Blocked) => blocked(domain, rules),
        Err(Failure::NotFound) if attempt.tried.is_empty() => vec![not_found(domain, attempt)],
        Err(Failure::Forbidden) => vec![
            "If that server is in your own network, set `private_addresses = true` in [federation]. Else its DNS is wrong."
                .to_owned(),
        ],
        Err(_) if attempt.srv.iter().any(|(_, answer)| answer.is_err()) && attempt.tried.is_empty() => vec![format!(
            "DNS did not answer about {domain}. If it answers about other domains, the name servers of {domain} are down; \
             else look at /etc/resolv.conf (or `dns_servers` in [federation]) and let UDP and TCP port 53 out."
        )],
        Err(_) => Vec::new(),
    };
    for tried in &attempt.tried {
        said.extend(of_one(domain, tried, attempt.outcome.is_ok()).filter(|text| !said.contains(text)));
    }
    said
}

fn blocked(domain: &str, rules: &Rules) -> Vec<String> {
    let by_command = rules.barred.of(domain).map(|of| format!("`detente s2s allow {of}` ends the block."));
    let by_file = (!rules.configured(domain)).then(|| {
        "The configuration forbids it: see `block` and `allow` in [federation], and reload after a change.".to_owned()
    });
    by_command.into_iter().chain(by_file).collect()
}

fn not_found(domain: &str, attempt: &Attempt) -> String {
    let dot = |(_, answer): &(String, Result<Vec<crate::Srv>, _>)| {
        answer.as_ref().is_ok_and(|records| records.iter().any(|srv| srv.target.is_empty()))
    };
    if attempt.srv.iter().any(dot) {
        return format!(
            "DNS says decidedly that {domain} has no XMPP server (an SRV record with the target \".\")."
        );
    }
    if attempt.srv.iter().any(|(_, answer)| answer.as_ref().is_ok_and(|records| !records.is_empty())) {
        return format!(
            "The SRV records of {domain} name hosts that have no addresses: its operator must mend that."
        );
    }
    format!(
        "DNS has neither an SRV record _xmpp-server._tcp.{domain} nor an address of {domain}. Is it spelled right? Else its \
         operator must add one."
    )
}

/// What to do about one address. `fine`: another one works.
fn of_one(domain: &str, tried: &Tried, fine: bool) -> Option<String> {
    let (address, seen) = (tried.address, &tried.seen);
    if let Some(why) = &tried.unconnected {
        let v6 =
            if address.is_ipv6() { " If this machine has no IPv6, that is no fault of theirs." } else { "" };
        return Some(match why.to_ascii_lowercase() {
            why if why.contains("refused") => format!(
                "Nobody listens at {address}: their server is down, or their DNS names a wrong port.{v6}"
            ),
            why if why.contains("timed out") => format!(
                "{address} does not answer at all: often a firewall. Does yours let TCP port {} out?{v6}",
                address.port()
            ),
            _ => format!("There is no way from here to {address}.{v6}"),
        });
    }
    if tried.up {
        return None;
    }
    let other = if fine { " Another address works, so this hurts only sometimes." } else { "" };
    let text = match (&seen.tls, &tried.why, tried.refusal) {
        (Some(Err(_)), _, _) if tried.direct_tls => format!(
            "{address} is announced for direct TLS and does not speak it (or only an old TLS): its operator must mend that."
        ),
        (Some(Err(_)), _, _) => format!("{address} speaks no TLS 1.2 or 1.3 that this server knows: its operator must mend that."),
        (_, Some(End::Certificate), _) | (_, _, Some(Refusal::Certificate)) => certificate(domain, seen),
        (_, Some(End::NoTls), _) => format!(
            "{domain} does not encrypt. Its operator should mend that. If you must: [federation.domain.\"{domain}\"] with \
             tls = \"optional\" and auth = \"dialback\", and everybody on the way can read along."
        ),
        (_, _, Some(_)) | (_, Some(End::NotAuthenticated(_)), _) => {
            "They do not believe us: `detente check certs` says whether our certificate is good, and `detente check dns` and \
             `detente check connectivity` whether they can find and reach us, which dialback needs."
                .to_owned()
        }
        (_, Some(End::PeerError { condition, .. }), _) => match condition.name() {
            "host-unknown" | "host-gone" => {
                format!("{address} says that it does not serve {domain}: their DNS leads to the wrong server.")
            }
            "policy-violation" | "not-authorized" => {
                "Their server does not want to talk with this one: perhaps it blocks us. Ask its operator.".to_owned()
            }
            _ => "Their server has ended the stream. Its log should say why: ask its operator.".to_owned(),
        },
        (_, Some(End::TooSlow | End::Silent), _) => {
            format!("Something accepts connections at {address} and does not speak XMPP, or is overloaded.")
        }
        _ => format!("{address} broke the connection off: it may be overloaded, or a firewall cuts in."),
    };
    Some(text + other)
}

fn certificate(domain: &str, seen: &Seen) -> String {
    let mend = match seen.doubt {
        Some(Doubt::OutsideValidity) => {
            "They must renew their certificate (if this machine's clock is right)."
        }
        Some(Doubt::OtherName) => "They need a certificate that names this domain.",
        Some(Doubt::Untrusted) => {
            "They need one of a public authority, with all certificates in between. If it is an authority of your own, name it \
             with `ca_file` in [federation]."
        }
        _ => "They need a certificate for servers.",
    };
    format!(
        "{mend} Until then you can let DNS prove them, which is weaker: [federation.domain.\"{domain}\"] with \
         auth = \"dialback\"."
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolve::{Srv, Unanswered};
    use crate::settings::Barred;

    fn attempt(outcome: Result<(), Failure>) -> Attempt {
        Attempt { at_ms: 0, srv: Vec::new(), hosts: Vec::new(), tried: Vec::new(), outcome }
    }

    fn tried(why: End, refusal: Option<Refusal>, doubt: Option<Doubt>) -> Tried {
        let seen = Seen { tls: Some(Ok("TLSv1.3".to_owned())), doubt, ..Seen::default() };
        let address = "127.0.0.1:5269".parse().unwrap();
        Tried { address, direct_tls: false, unconnected: None, seen, up: false, why: Some(why), refusal }
    }

    #[test]
    fn every_failure_is_explained_by_what_led_to_it() {
        let refused =
            Tried::unconnected("[::1]:5269".parse().unwrap(), false, "Connection refused".to_owned());
        let peer = |name: &str| End::PeerError {
            condition: stanza::StreamCondition::parse(name),
            see_other_host: None,
        };
        let no_tls = Tried {
            seen: Seen { tls: Some(Err("no".to_owned())), ..Seen::default() },
            ..tried(End::Broken, None, None)
        };
        let doubted = |doubt| tried(End::Certificate, Some(Refusal::Certificate), Some(doubt));
        for (one, step_says, advice_says) in [
            (refused, "no connection: Connection refused", "Nobody listens"),
            (no_tls, "TLS failed: no", "no TLS 1.2"),
            (doubted(Doubt::OutsideValidity), "expired", "renew"),
            (doubted(Doubt::OtherName), "other names: none", "names this domain"),
            (doubted(Doubt::Untrusted), "nobody whom this server trusts", "ca_file"),
            (doubted(Doubt::None), "showed none", "auth = \"dialback\""),
            (tried(End::NoTls, None, None), "encryption", "tls = \"optional\""),
            (tried(End::Clean, Some(Refusal::Invalid), None), "key is invalid", "check certs"),
            (tried(peer("host-unknown"), None, None), "host-unknown", "does not serve"),
            (tried(peer("policy-violation"), None, None), "policy-violation", "blocks us"),
            (tried(End::TooSlow, None, None), "said nothing", "does not speak XMPP"),
            (tried(End::Broken, None, None), "broke off", "overloaded"),
        ] {
            assert!(step(&one).contains(step_says), "{step_says}: {}", step(&one));
            let all = Attempt { tried: vec![one], ..attempt(Err(Failure::Unreachable)) };
            let said = advice("b.example", &all, &Rules::default());
            assert!(said.len() == 1 && said[0].contains(advice_says), "{advice_says}: {said:?}");
        }
    }

    #[test]
    fn dns_and_blocks_are_explained_and_what_works_needs_no_advice() {
        let name = || "_xmpp-server._tcp.b.example".to_owned();
        let dot = Srv { priority: 0, weight: 0, port: 0, target: String::new() };
        let some = Srv { target: "host.b.example".to_owned(), port: 1, ..dot.clone() };
        let rules = |barred: &[&str], blocked: &[&str]| Rules {
            barred: Barred::new(barred.iter().map(|name| (*name).to_owned())),
            blocked: blocked.iter().map(|name| (*name).to_owned()).collect(),
            ..Rules::default()
        };
        let none = || rules(&[], &[]);
        for (outcome, srv, rules, want) in [
            (Ok(()), Ok(vec![some.clone()]), none(), None),
            (Err(Failure::NotFound), Ok(Vec::new()), none(), Some("spelled right")),
            (Err(Failure::NotFound), Ok(vec![dot]), none(), Some("decidedly")),
            (Err(Failure::NotFound), Ok(vec![some]), none(), Some("no addresses")),
            (Err(Failure::Unreachable), Err(Unanswered), none(), Some("port 53")),
            (Err(Failure::Forbidden), Ok(Vec::new()), none(), Some("private_addresses")),
            (Err(Failure::Blocked), Ok(Vec::new()), rules(&["example"], &[]), Some("s2s allow example")),
            (Err(Failure::Blocked), Ok(Vec::new()), rules(&[], &["example"]), Some("configuration")),
        ] {
            let all = Attempt { srv: vec![(name(), srv)], ..attempt(outcome) };
            let said = advice("b.example", &all, &rules);
            assert_eq!(said.len(), usize::from(want.is_some()), "{said:?}");
            assert!(want.is_none_or(|want| said[0].contains(want)), "{want:?}: {said:?}");
        }
    }
}
