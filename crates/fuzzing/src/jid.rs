//! Target 4, `jid`: preparing addresses.
//!
//! Oracles: preparation is a fixed point and its parts make the same address; equal, ordered and hashed as their texts;
//! the short way for plain ASCII gives what the long way gives; lengths hold; what another preparation (given by the
//! fuzzer: GNU libidn for RFC 6122, libidn2 for domains) makes of the same parts is the same.
//!
//! Not here: those other libraries (fuzz/).

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

use address::{Bare, Jid, PART_BYTES_MAX};

/// Another preparation of each part; `None` where it refuses.
pub struct Preparation {
    /// The localpart.
    pub local: fn(&str) -> Option<String>,
    /// The domain, in Unicode.
    pub domain: fn(&str) -> Option<String>,
    /// The resource.
    pub resource: fn(&str) -> Option<String>,
}

/// The target without another preparation.
///
/// # Panics
/// If an oracle finds a difference.
pub fn jid(data: &[u8]) {
    jid_against(data, None);
}

/// The target.
///
/// # Panics
/// If an oracle finds a difference.
pub fn jid_against(data: &[u8], other: Option<&Preparation>) {
    let text = String::from_utf8_lossy(data);
    let (a, b) = text.split_once('\n').unwrap_or((&text, &text));
    let [first, second] = [a, b].map(|text| checked(text, other));
    if let (Some(first), Some(second)) = (first, second) {
        let hash = |jid: &Jid| {
            let mut hasher = DefaultHasher::new();
            jid.hash(&mut hasher);
            hasher.finish()
        };
        assert_eq!(first == second, first.as_str() == second.as_str());
        assert_eq!(first.cmp(&second), first.as_str().cmp(second.as_str()));
        assert!(first != second || hash(&first) == hash(&second));
        assert_eq!(first.bare() == second.bare(), first.bare_str() == second.bare_str());
    }
}

/// What separates labels besides the dot (RFC 3490 section 3.1).
const DOTS: [char; 3] = ['\u{3002}', '\u{ff0e}', '\u{ff61}'];

fn checked(text: &str, other: Option<&Preparation>) -> Option<Jid> {
    let bare_text = text.split('/').next().unwrap_or_default();
    let dots = bare_text.ends_with('.') || bare_text.contains(DOTS);
    let long_way = jid_prep::BareJid::new(bare_text);
    let Ok(jid) = Jid::parse(text) else {
        // What only we refuse: what the library would prepare further the next time, odd domains, newer characters.
        if let (Ok(theirs), Err(_)) = (long_way, Jid::parse(bare_text)) {
            let again = jid_prep::BareJid::new(theirs.as_str());
            let stable = again.is_ok_and(|again| again.as_str() == theirs.as_str());
            let domain = theirs.domain().as_str();
            let odd = dots
                || bare_text.chars().any(stringprep::tables::unassigned_code_point)
                || domain.starts_with('[')
                || domain
                    .contains(|c: char| c.is_ascii() && !c.is_ascii_alphanumeric() && !"-._".contains(c));
            assert!(!stable || odd || text.len() > 6 * PART_BYTES_MAX, "refused, but stable: {text:?}");
        }
        return None;
    };
    // The library leaves the dot of the root in addresses of several parts, and dots that are not ASCII.
    if !dots {
        let theirs = long_way.ok();
        assert_eq!(theirs.as_ref().map(|jid| jid.as_str()), Some(jid.bare_str()), "{text:?}");
    }
    assert!(!jid.domain().ends_with('.') && !jid.domain().contains(['。', '．', '｡']), "{text:?}");
    assert_eq!(Jid::parse(jid.as_str()).ok().as_ref(), Some(&jid), "a fixed point: {text:?}");
    let (local, domain, resource) = (jid.local(), jid.domain(), jid.resource());
    assert_eq!(Jid::from_parts(local, domain, resource).ok().as_ref(), Some(&jid), "{text:?}");
    for part in [local, Some(domain), resource].into_iter().flatten() {
        assert!((1..=PART_BYTES_MAX).contains(&part.len()), "{text:?}");
        assert!(!part.contains('\0'), "{text:?}");
    }
    assert!(
        !local.is_some_and(|local| local.contains(['"', '&', '\'', '/', ':', '<', '>', '@', ' '])),
        "{text:?}"
    );
    assert!(!domain.contains(['@', '/', ' ', '<', '&']), "{text:?}");
    let bare = jid.bare();
    assert_eq!(bare.as_str(), jid.bare_str());
    assert_eq!(Bare::parse(bare.as_str()).ok(), Some(bare.clone()));
    assert_eq!((bare.local(), bare.domain(), bare.resource()), (local, domain, None));
    if let Some(resource) = resource {
        assert_eq!(bare.with_resource(resource).ok().as_ref(), Some(&jid), "{text:?}");
    }
    if let Some(other) = other {
        compare(text, &jid, other);
    }
    Some(jid)
}

/// What we accept, the other accepts, and makes the same of it.
fn compare(text: &str, jid: &Jid, other: &Preparation) {
    let (rest, resource) = match text.split_once('/') {
        Some((rest, resource)) => (rest, Some(resource)),
        None => (text, None),
    };
    let (local, domain) = match rest.split_once('@') {
        Some((local, domain)) => (Some(local), domain),
        None => (None, rest),
    };
    let domain = domain.replace(DOTS, ".");
    let by_them = (local.map(other.local), (other.domain)(&domain), resource.map(other.resource));
    let by_us = (
        jid.local().map(|part| Some(part.to_owned())),
        Some(jid.domain().to_owned()),
        jid.resource().map(|part| Some(part.to_owned())),
    );
    assert_eq!((&by_us.0, &by_us.1), (&by_them.0, &by_them.1), "{text:?}");
    // Resources have a profile of our own, which is alike for ASCII.
    if resource.is_some_and(str::is_ascii) {
        assert_eq!(by_us.2, by_them.2, "{text:?}");
    }
}
