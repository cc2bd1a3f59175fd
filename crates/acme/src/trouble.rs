//! What went wrong, in words that say what to do.
//!
//! RFC 8555 section 6.7 (the kinds of errors)
//!
//! Not here: when to try again (`due.rs`).

use instant_acme::{Error, Problem};

use crate::limits;
use crate::settings::Way;

/// Something failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// What, and what to do.
    pub(crate) words: String,
    /// The authority says that we ask too often.
    pub(crate) limited: bool,
    /// The authority does not know our account.
    pub(crate) stranger: bool,
}

impl Trouble {
    pub(crate) fn new(words: impl Into<String>) -> Trouble {
        Trouble { words: words.into(), limited: false, stranger: false }
    }

    /// What the library reports of the authority.
    pub(crate) fn of(error: &Error, way: &Way) -> Trouble {
        match error {
            Error::Api(problem) => Trouble::problem(problem, way),
            Error::Timeout(_) => {
                Trouble::new("the authority did not come to an end in time; it is tried again")
            }
            other => Trouble::new(format!(
                "the authority cannot be reached or is not understood ({other}); look at `directory` in [acme], and whether this machine may connect there"
            )),
        }
    }

    /// What the authority says itself.
    pub(crate) fn problem(problem: &Problem, way: &Way) -> Trouble {
        let kind = kind(problem.r#type.as_deref());
        let detail = problem.detail.as_deref().unwrap_or("it says no more");
        let detail: String = detail.chars().filter(|c| !c.is_control()).take(limits::WORDS).collect();
        Trouble {
            words: format!("{} (the authority: {detail})", advice(kind, way)),
            limited: kind == "rateLimited",
            stranger: kind == "accountDoesNotExist",
        }
    }
}

/// The last part of an error's name.
pub(crate) fn kind(name: Option<&str>) -> &str {
    name.unwrap_or_default().rsplit(':').next().unwrap_or_default()
}

fn advice(kind: &str, way: &Way) -> &'static str {
    let door = match way {
        Way::Http => "port 80 of this name must lead to `acme` in [listen]",
        Way::Tls => "port 443 of this name must lead to `shared` (or `https` or `c2s_tls`) in [listen]",
        Way::Hook(..) | Way::Update(..) => {
            "the record _acme-challenge must be seen by everybody: raise `dns_wait_seconds`"
        }
    };
    match kind {
        "dns" => match way {
            Way::Hook(..) | Way::Update(..) => {
                "the authority did not find the record in DNS; the record _acme-challenge must be seen by everybody: raise `dns_wait_seconds`"
            }
            _ => "the authority found no address of this name in DNS: add one, or leave the name out",
        },
        "connection" | "tls" => match way {
            Way::Http => {
                "the authority could not connect: port 80 of this name must lead to `acme` in [listen]"
            }
            _ => {
                "the authority could not connect: port 443 of this name must lead to `shared` (or `https` or `c2s_tls`) in [listen]"
            }
        },
        "unauthorized" | "incorrectResponse" => match way {
            Way::Http => {
                "the authority got no answer, or one from another server: port 80 of this name must lead to `acme` in [listen]"
            }
            Way::Tls => {
                "the authority got no answer, or one from another server: port 443 of this name must lead to `shared` (or `https` or `c2s_tls`) in [listen]"
            }
            _ => {
                "the record in DNS was not the right one, or is not seen by everybody yet: raise `dns_wait_seconds`"
            }
        },
        "caa" => "a CAA record in DNS forbids this authority to issue for this name: allow it there",
        "rateLimited" => "the authority has been asked too often: there is nothing to do but to wait",
        "rejectedIdentifier" | "unsupportedIdentifier" => "the authority does not issue for this name",
        "externalAccountRequired" => {
            "this authority wants an account made elsewhere: set `external_key_id` and `external_key` in [acme]"
        }
        "invalidContact" | "unsupportedContact" => {
            "the authority does not take `contact` in [acme]: write \"mailto:you@example.org\""
        }
        "userActionRequired" => "the authority has new terms: read them and agree on its site",
        "accountDoesNotExist" => "the authority does not know our account any more: a new one is made",
        "serverInternal" => "the authority has a problem of its own",
        _ => door,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_says_what_to_do_and_the_authoritys_words_are_bounded() {
        let problem = |kind: &str, detail: &str| -> Problem {
            serde_json::from_value(serde_json::json!({
                "type": format!("urn:ietf:params:acme:error:{kind}"), "detail": detail
            }))
            .unwrap()
        };
        for (kind, way, want) in [
            ("dns", Way::Tls, "no address"),
            ("connection", Way::Http, "port 80"),
            ("connection", Way::Tls, "port 443"),
            ("unauthorized", Way::Tls, "another server"),
            ("caa", Way::Http, "CAA"),
            ("rateLimited", Way::Http, "wait"),
            ("externalAccountRequired", Way::Http, "external_key_id"),
            ("something", Way::Http, "port 80"),
        ] {
            let trouble = Trouble::problem(&problem(kind, "detail"), &way);
            assert!(trouble.words.contains(want) && trouble.words.contains("detail"), "{trouble:?}");
            assert_eq!(trouble.limited, kind == "rateLimited");
        }
        let long =
            Trouble::problem(&problem("dns", &format!("\u{1b}[31m{}", "x".repeat(100_000))), &Way::Tls);
        assert!(long.words.len() < 1000 && !long.words.contains('\u{1b}'));
    }
}
