//! `Jid`, any address, and `Bare`, one without a resource.
//!
//! RFC 7622 section 3; RFC 6122 appendix A and B (nodeprep, resourceprep).
//!
//! Not here: who owns an address, or whether its domain is ours.

use core::net::Ipv6Addr;
use std::borrow::{Borrow, Cow};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use stringprep::tables::unassigned_code_point;

use crate::resource;

/// Most bytes in each of the three parts of an address after preparation (RFC 7622 section 3.1).
pub const PART_BYTES_MAX: usize = 1023;
/// Most bytes accepted before preparation is even tried: three parts, `@`, `/`, and room for shrinking.
const INPUT_BYTES_MAX: usize = 3 * 2 * PART_BYTES_MAX;

/// Why a text is not an address. A peer sees `jid-malformed` (RFC 6120 section 8.3.3.8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JidError(pub(crate) &'static str);

impl fmt::Display for JidError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not an XMPP address: {}", self.0)
    }
}

impl std::error::Error for JidError {}

/// A prepared address: `[local@]domain[/resource]`. A clone costs one reference count.
///
/// Equality, order and hash are those of the prepared text.
#[derive(Clone)]
pub struct Jid {
    text: Arc<str>,
    /// Byte position of `@`, or 0 (no local part: a position of 0 would be an empty local part).
    at: u16,
    /// Byte position of `/`, or the length of the text.
    slash: u16,
}

impl Jid {
    /// Parses and prepares an address that came from outside.
    ///
    /// # Errors
    /// A part is empty, longer than [`PART_BYTES_MAX`] or has characters that its profile forbids.
    pub fn parse(text: &str) -> Result<Jid, JidError> {
        if text.len() > INPUT_BYTES_MAX {
            return Err(JidError("too long"));
        }
        if is_plain(text) {
            return Ok(Jid::from_prepared(text.into()));
        }
        let (bare, resource) = match text.split_once('/') {
            Some((bare, resource)) => (bare, Some(resource)),
            None => (text, None),
        };
        let mut prepared = prepare_bare(bare)?;
        if let Some(resource) = resource {
            prepared.push('/');
            prepared.push_str(&resource::prepare(resource)?);
        }
        Ok(Jid::from_prepared(prepared.into()))
    }

    /// Builds an address from parts that came from outside; each is prepared.
    ///
    /// # Errors
    /// As [`Jid::parse`]; also when a part holds a separator that would move it into another part.
    pub fn from_parts(local: Option<&str>, domain: &str, resource: Option<&str>) -> Result<Jid, JidError> {
        let local_bad = local.is_some_and(|l| l.is_empty() || l.contains(['@', '/']));
        if local_bad || domain.contains(['@', '/']) || resource.is_some_and(str::is_empty) {
            return Err(JidError("a separator inside a part, or an empty part"));
        }
        let mut text = String::with_capacity(64);
        if let Some(local) = local {
            text.push_str(local);
            text.push('@');
        }
        text.push_str(domain);
        if let Some(resource) = resource {
            text.push('/');
            text.push_str(resource);
        }
        Jid::parse(&text)
    }

    /// `text` is already prepared: only the separators are looked for.
    fn from_prepared(text: Arc<str>) -> Jid {
        let slash = memchr(b'/', text.as_bytes()).unwrap_or(text.len());
        let at = memchr(b'@', &text.as_bytes()[..slash]).unwrap_or(0);
        // INPUT_BYTES_MAX keeps both far below u16::MAX.
        Jid { at: at as u16, slash: slash as u16, text }
    }

    /// The whole prepared address.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The part before `@`, if any.
    pub fn local(&self) -> Option<&str> {
        (self.at > 0).then(|| &self.text[..self.at as usize])
    }

    /// The domain part; never empty.
    pub fn domain(&self) -> &str {
        let from = if self.at > 0 { self.at as usize + 1 } else { 0 };
        &self.text[from..self.slash as usize]
    }

    /// The part after the first `/`, if any.
    pub fn resource(&self) -> Option<&str> {
        self.text.get(self.slash as usize + 1..)
    }

    /// Whether there is no resource.
    pub fn is_bare(&self) -> bool {
        self.slash as usize == self.text.len()
    }

    /// Whether there is neither local part nor resource.
    pub fn is_domain(&self) -> bool {
        self.at == 0 && self.is_bare()
    }

    /// The text without the resource, borrowed: what maps keyed by [`Bare`] are asked with.
    pub fn bare_str(&self) -> &str {
        &self.text[..self.slash as usize]
    }

    /// The address without its resource. Costs an allocation only when there is one to cut off.
    pub fn bare(&self) -> Bare {
        if self.is_bare() { Bare(self.clone()) } else { Bare(Jid { text: self.bare_str().into(), ..*self }) }
    }

    /// The same bare address with `resource` (prepared here).
    ///
    /// # Errors
    /// The resource is empty, too long or has forbidden characters.
    pub fn with_resource(&self, resource: &str) -> Result<Jid, JidError> {
        Jid::from_parts(self.local(), self.domain(), Some(resource))
    }
}

/// The address without its resource: nodeprep and IDNA.
fn prepare_bare(text: &str) -> Result<String, JidError> {
    // Preparation by `stringprep` 0.1 looks at its outcome only, and what newer tables of Unicode make of a character
    // changes with their version (RFC 3454 section 7).
    if text.chars().any(unassigned_code_point) {
        return Err(JidError("a character that Unicode 3.2 did not know"));
    }
    let text = with_ascii_dots(text);
    let text = without_root_dot(&text).ok_or(JidError("an empty label in the domain"))?;
    let prepared =
        jid_prep::BareJid::new(&text).map_err(|_| JidError("a part is empty, too long or forbidden"))?;
    // Preparation must be a fixpoint, else two spellings of one account would differ (E-25).
    let again =
        jid_prep::BareJid::new(prepared.as_str()).map_err(|_| JidError("unstable under preparation"))?;
    if again.as_str() != prepared.as_str() {
        return Err(JidError("unstable under preparation"));
    }
    let prepared = prepared.as_str().to_owned();
    let domain = prepared.split_once('@').map_or(&*prepared, |(_, domain)| domain);
    match is_possible_domain(domain) {
        true => Ok(prepared),
        false => Err(JidError("a character that no domain has")),
    }
}

/// RFC 3490 section 3.1: these separate labels too, and preparation leaves two of them as they are. A domain that looks
/// like ours would be another one.
fn with_ascii_dots(bare: &str) -> Cow<'_, str> {
    const DOTS: [char; 3] = ['\u{3002}', '\u{ff0e}', '\u{ff61}'];
    let domain = bare.find('@').map_or(0, |at| at + 1);
    match bare[domain..].contains(DOTS) {
        true => Cow::Owned([&bare[..domain], &bare[domain..].replace(DOTS, ".")].concat()),
        false => Cow::Borrowed(bare),
    }
}

/// Whether preparation would leave `text` as it is: lower-case ASCII of harmless characters, one of each separator.
fn is_plain(text: &str) -> bool {
    let (bare, resource) = match text.split_once('/') {
        Some((bare, resource)) => (bare, Some(resource)),
        None => (text, None),
    };
    let (local, domain) = match bare.split_once('@') {
        Some((local, domain)) => (Some(local), domain),
        None => (None, bare),
    };
    let fits = |part: &str| !part.is_empty() && part.len() <= PART_BYTES_MAX;
    local.is_none_or(|l| {
        fits(l) && l.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-' | b'+'))
    }) && is_plain_domain(domain)
        && resource.is_none_or(|r| fits(r) && r.bytes().all(|b| matches!(b, b'!'..=b'~')))
}

/// The address without the dot of the root at the end of its domain (RFC 7622 section 3.2). Preparation by `jid` 0.12
/// leaves it in addresses of several parts, and `a@example.com.` would be another account than `a@example.com`. `None` if
/// there is more than one.
fn without_root_dot(text: &str) -> Option<Cow<'_, str>> {
    match text.strip_suffix('.') {
        Some(bare) if bare.ends_with('.') => None,
        Some(bare) => Some(Cow::Borrowed(bare)),
        None => Some(Cow::Borrowed(text)),
    }
}

/// Whether a prepared domain has of ASCII only what a domain can have (RFC 7622 section 3.2), or is an IPv6 address in
/// brackets. The underscore stands in no host name, but in names that are in use. The ideographic full stop, which
/// preparation leaves, separates labels like a dot when the name is looked up.
fn is_possible_domain(domain: &str) -> bool {
    let possible = |c: char| match c {
        '\u{3002}' => false,
        c if c.is_ascii() => c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_'),
        _ => true,
    };
    match domain.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        // One spelling of each address: that of RFC 5952.
        Some(literal) => literal.parse::<Ipv6Addr>().is_ok_and(|address| address.to_string() == literal),
        None => !domain.ends_with('.') && domain.chars().all(possible),
    }
}

fn is_plain_domain(domain: &str) -> bool {
    domain.len() <= 253
        && domain.split('.').all(|label| {
            let bytes = label.as_bytes();
            !bytes.is_empty()
                && bytes.len() <= 63
                && bytes.iter().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
                && bytes[0] != b'-'
                && bytes[bytes.len() - 1] != b'-'
                // `xn--` must be decoded, and nothing else may have hyphens there (RFC 5891 section 4.2.3.1).
                && bytes.get(2..4) != Some(b"--")
        })
}

fn memchr(needle: u8, haystack: &[u8]) -> Option<usize> {
    haystack.iter().position(|b| *b == needle)
}

impl PartialEq for Jid {
    fn eq(&self, other: &Jid) -> bool {
        self.text == other.text
    }
}

impl Eq for Jid {}

impl Hash for Jid {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl Borrow<str> for Jid {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl PartialOrd for Jid {
    fn partial_cmp(&self, other: &Jid) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Jid {
    fn cmp(&self, other: &Jid) -> std::cmp::Ordering {
        self.text.cmp(&other.text)
    }
}

impl fmt::Display for Jid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Jid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", self.text)
    }
}

impl std::str::FromStr for Jid {
    type Err = JidError;
    fn from_str(text: &str) -> Result<Jid, JidError> {
        Jid::parse(text)
    }
}

impl From<Bare> for Jid {
    fn from(bare: Bare) -> Jid {
        bare.0
    }
}

/// An address without a resource: the unit that owns rosters, archives and sessions.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bare(Jid);

// By text, so that a map keyed by `Bare` can be asked with `&str`.
impl Hash for Bare {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.as_str().hash(state);
    }
}

impl Bare {
    /// Parses an address and insists that it has no resource.
    ///
    /// # Errors
    /// As [`Jid::parse`], or there is a resource.
    pub fn parse(text: &str) -> Result<Bare, JidError> {
        let jid = Jid::parse(text)?;
        if jid.is_bare() { Ok(Bare(jid)) } else { Err(JidError("a resource where none belongs")) }
    }

    /// The same address as a [`Jid`].
    pub fn jid(&self) -> &Jid {
        &self.0
    }

    /// The shared text, for owners of stored data.
    pub fn text(&self) -> Arc<str> {
        self.0.text.clone()
    }
}

impl std::ops::Deref for Bare {
    type Target = Jid;
    fn deref(&self) -> &Jid {
        &self.0
    }
}

impl Borrow<str> for Bare {
    fn borrow(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Display for Bare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Bare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_and_prepares() {
        let part = "a".repeat(1023);
        let full = format!("{part}@{}/{part}", "b.".repeat(100) + "cc");
        for (input, expected) in [
            ("juliet@example.com", Some("juliet@example.com")),
            ("Juliet@Example.COM/Balcony", Some("juliet@example.com/Balcony")),
            ("example.com", Some("example.com")),
            ("example.com.", Some("example.com")),
            ("juliet@example.com.", Some("juliet@example.com")),
            ("juliet@example.com./a.", Some("juliet@example.com/a.")),
            ("example.com./a", Some("example.com/a")),
            ("a@example.com..", None),
            ("A@example.com../b", None),
            ("a@example.com\u{ff0e}", Some("a@example.com")),
            // E-24: every separator of labels is a dot.
            ("a@example\u{3002}com", Some("a@example.com")),
            ("example\u{ff61}com\u{ff0e}", Some("example.com")),
            ("a\u{3002}b@example.com/c\u{3002}d", Some("a\u{3002}b@example.com/c\u{3002}d")),
            ("a@example\u{3002}\u{3002}com", None),
            ("a@.", None),
            ("a@example.com/r/with@signs", Some("a@example.com/r/with@signs")),
            ("jürgen@müller.example/Küche", Some("jürgen@müller.example/Küche")),
            ("A\u{30a}ngstrom@example.com", Some("ångstrom@example.com")),
            ("\u{fb01}sh@example.com", Some("fish@example.com")),
            ("\u{212a}@example.com", Some("k@example.com")),
            ("localhost", Some("localhost")),
            ("a_b.example", Some("a_b.example")),
            ("a@[::1]/b", Some("a@[::1]/b")),
            ("a@[0::1]/b", None),
            ("a@[2001:DB8::1]", None),
            ("nx--a.example", None),
            ("a@b.ab--c.example", None),
            ("\u{558}@example.com", None),
            ("\u{1f638}@example.com", None),
            ("a@example.com/\u{1f638}", Some("a@example.com/\u{1f638}")),
            ("a@example.com/\u{1f100}", Some("a@example.com/0.")),
            ("a--b.example", Some("a--b.example")),
            ("a,b.example", None),
            ("ü&amp;.example", None),
            ("a\"'.example", None),
            ("a*.example", None),
            (full.as_str(), Some(full.as_str())),
            ("", None),
            ("@example.com", None),
            ("a@", None),
            ("a@example.com/", None),
            ("a b@example.com", None),
            ("a\"b@example.com", None),
            ("a<b@example.com", None),
            ("a@b@example.com", None),
            ("a\u{0}@example.com", None),
            (&("a".repeat(1024) + "@example.com"), None),
            (&("a@example.com/".to_owned() + &"a".repeat(1024)), None),
        ] {
            assert_eq!(Jid::parse(input).ok().as_ref().map(Jid::as_str), expected, "{input:?}");
        }
    }

    #[test]
    fn splits_into_parts() {
        let jid = Jid::parse("juliet@example.com/balcony").unwrap();
        assert_eq!(
            (jid.local(), jid.domain(), jid.resource()),
            (Some("juliet"), "example.com", Some("balcony"))
        );
        assert_eq!(jid.bare().as_str(), "juliet@example.com");
        assert_eq!(jid.bare_str(), "juliet@example.com");
        let domain = Jid::parse("example.com").unwrap();
        assert!(domain.is_domain() && domain.is_bare() && domain.local().is_none());
        assert!(Bare::parse("a@b/c").is_err());
        assert!(Jid::from_parts(Some("a/b"), "c", None).is_err());
        assert_eq!(Jid::from_parts(Some("a"), "c", Some("d")).unwrap().as_str(), "a@c/d");
    }
}
