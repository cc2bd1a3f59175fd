//! Names in a certificate that are made for XMPP and that the TLS library does not read.
//!
//! RFC 6120 section 13.7.1.4 (XmppAddr), RFC 4985 (SRVName), RFC 5280 section 4.2.1.6, X.690 (DER)
//!
//! The certificate is a stranger's: nothing here panics, recurses or loops without end.
//!
//! Not here: names of the DNS kind, and whether the certificate is trusted (`certificate.rs`).

use crate::targets::ascii;

const SEQUENCE: u8 = 0x30;
const OID: u8 = 0x06;
const OCTETS: u8 = 0x04;
const BOOLEAN: u8 = 0x01;
const UTF8: u8 = 0x0c;
const IA5: u8 = 0x16;
/// A context tag that is constructed: `[0]` and `[3]`.
const TAG_0: u8 = 0xa0;
const TAG_3: u8 = 0xa3;
/// A context tag that is not: `[2]`, a name of DNS.
const DNS_NAME: u8 = 0x82;

/// 2.5.29.17, subjectAltName.
const SAN: &[u8] = &[0x55, 0x1d, 0x11];
/// 1.3.6.1.5.5.7.8.5, id-on-xmppAddr.
const XMPP_ADDR: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 8, 5];
/// 1.3.6.1.5.5.7.8.7, id-on-dnsSRV.
const SRV_NAME: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 8, 7];

/// Names that are looked at in one certificate.
const NAMES_MAX: usize = 512;

/// Whether the certificate has an XmppAddr or an SRVName for servers that is this domain (in ASCII).
pub(crate) fn names(certificate: &[u8], domain: &str) -> bool {
    let Some(mut names) = alternative_names(certificate) else { return false };
    for _ in 0..NAMES_MAX {
        let Some((tag, name)) = next(&mut names) else { return false };
        if tag == TAG_0 && other_name(name).is_some_and(|name| name == domain) {
            return true;
        }
    }
    false
}

/// The names of servers in it, at most so many: of DNS, and those that are made for XMPP.
pub(crate) fn list(certificate: &[u8], most: usize) -> Vec<String> {
    let mut names = alternative_names(certificate).unwrap_or_default();
    let mut found = Vec::new();
    for _ in 0..NAMES_MAX {
        let Some((tag, name)) = next(&mut names).filter(|_| found.len() < most) else { break };
        let name = match tag {
            DNS_NAME => std::str::from_utf8(name).ok().map(str::to_owned),
            TAG_0 => other_name(name),
            _ => None,
        };
        found.extend(name.filter(|name| !found.contains(name)));
    }
    found
}

/// The domain that an otherName is for.
fn other_name(mut name: &[u8]) -> Option<String> {
    let kind = take(&mut name, OID)?;
    let mut value = take(&mut name, TAG_0)?;
    let (tag, text) = next(&mut value)?;
    let text = std::str::from_utf8(text).ok().filter(|_| tag == UTF8 || tag == IA5)?;
    let domain = match kind {
        XMPP_ADDR => text,
        SRV_NAME => text.strip_prefix("_xmpp-server.")?,
        _ => return None,
    };
    ascii(domain)
}

/// What is in the extension subjectAltName.
fn alternative_names(certificate: &[u8]) -> Option<&[u8]> {
    let mut certificate = certificate;
    let mut whole = take(&mut certificate, SEQUENCE)?;
    let mut tbs = take(&mut whole, SEQUENCE)?;
    let mut extensions = loop {
        let (tag, content) = next(&mut tbs)?;
        if tag == TAG_3 {
            break content;
        }
    };
    let mut list = take(&mut extensions, SEQUENCE)?;
    loop {
        let mut extension = take(&mut list, SEQUENCE)?;
        if take(&mut extension, OID)? != SAN {
            continue;
        }
        if extension.first() == Some(&BOOLEAN) {
            next(&mut extension)?; // critical
        }
        let mut value = take(&mut extension, OCTETS)?;
        return take(&mut value, SEQUENCE);
    }
}

/// Takes an element of that tag off the front.
pub(crate) fn take<'a>(from: &mut &'a [u8], tag: u8) -> Option<&'a [u8]> {
    next(from).and_then(|(found, content)| (found == tag).then_some(content))
}

/// Takes the next element off the front: tag and content. Each is at least two bytes long, so this comes to an end.
pub(crate) fn next<'a>(from: &mut &'a [u8]) -> Option<(u8, &'a [u8])> {
    let (&tag, rest) = from.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x83 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (digits.iter().fold(0, |sum, digit| (sum << 8) | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    *from = rest;
    Some((tag, content))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_piece_of_a_certificate_panics() {
        let made = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap();
        let der = made.cert.der();
        assert_eq!(list(der, 9), ["a.example"]);
        for cut in 0..der.len() {
            let _ = (names(&der[..cut], "a.example"), list(&der[..cut], 9));
            let mut changed = der.to_vec();
            changed[cut] ^= 0x80;
            let _ = (names(&changed, "a.example"), list(&changed, 9));
        }
    }
}
