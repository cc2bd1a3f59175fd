//! The two messages a SCRAM client sends (grammar: RFC 5802 7).
//!
//! Not here: whether they are true (`server.rs`).

use super::nonce::is_nonce;
use crate::encoding::decode_base64;
use crate::limits::{AUTHZID_BYTES_MAX, CLIENT_NONCE_BYTES_MAX, USERNAME_BYTES_MAX};
use crate::{Condition, Hash, secret::Key};
use zeroize::Zeroizing;

const MALFORMED: Condition = Condition::MalformedRequest;

/// The first field of the GS2 header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flag<'a> {
    /// `n`: the client cannot bind.
    Unsupported,
    /// `y`: the client could bind and believes that we cannot.
    NotOffered,
    /// `p=`: the client binds in this way.
    Bound(&'a str),
}

/// `gs2-header n=..,r=..[,extensions]`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ClientFirst<'a> {
    pub(super) flag: Flag<'a>,
    pub(super) authzid: Option<String>,
    /// The GS2 header with its last comma, as sent.
    pub(super) header: &'a str,
    /// All behind the GS2 header, as sent.
    pub(super) bare: &'a str,
    pub(super) username: String,
    pub(super) nonce: &'a str,
}

/// `c=..,r=..[,extensions],p=..`.
pub(super) struct ClientFinal<'a> {
    /// The decoded `c=`.
    pub(super) bound: Zeroizing<Vec<u8>>,
    pub(super) nonce: &'a str,
    /// All before `,p=`, as sent.
    pub(super) without_proof: &'a str,
    pub(super) proof: Key,
}

impl<'a> ClientFirst<'a> {
    pub(super) fn parse(message: &'a [u8]) -> Result<ClientFirst<'a>, Condition> {
        let text = text(message)?;
        let mut fields = text.splitn(3, ',');
        let (Some(flag), Some(authzid), Some(bare)) = (fields.next(), fields.next(), fields.next()) else {
            return Err(MALFORMED);
        };
        let mut fields = bare.split(',');
        // `m=` before the name fails here, as it must: it is an extension that we do not know (RFC 5802 5.1).
        let username = name(value(fields.next(), "n=")?, USERNAME_BYTES_MAX)?;
        let nonce = value(fields.next(), "r=")?;
        if !is_nonce(nonce) || nonce.len() > CLIENT_NONCE_BYTES_MAX {
            return Err(MALFORMED);
        }
        check_extensions(fields)?;
        Ok(ClientFirst {
            flag: self::flag(flag)?,
            authzid: self::authzid(authzid)?,
            header: &text[..text.len() - bare.len()],
            bare,
            username,
            nonce,
        })
    }
}

impl<'a> ClientFinal<'a> {
    pub(super) fn parse(message: &'a [u8], hash: Hash) -> Result<ClientFinal<'a>, Condition> {
        let text = text(message)?;
        let (without_proof, proof) = text.rsplit_once(",p=").ok_or(MALFORMED)?;
        let mut fields = without_proof.split(',');
        let bound = base64(value(fields.next(), "c=")?)?;
        let nonce = value(fields.next(), "r=")?;
        check_extensions(fields)?;
        let proof = base64(proof)?;
        if proof.len() != hash.output_len() {
            return Err(MALFORMED);
        }
        Ok(ClientFinal { bound, nonce, without_proof, proof: Key::new(&proof).ok_or(MALFORMED)? })
    }
}

fn text(message: &[u8]) -> Result<&str, Condition> {
    std::str::from_utf8(message).ok().filter(|text| !text.contains('\0')).ok_or(MALFORMED)
}

fn value<'a>(field: Option<&'a str>, key: &str) -> Result<&'a str, Condition> {
    field.and_then(|field| field.strip_prefix(key)).ok_or(MALFORMED)
}

/// Inside a message, bad base64 is bad syntax of the mechanism, not of the profile.
fn base64(text: &str) -> Result<Zeroizing<Vec<u8>>, Condition> {
    decode_base64(text).map_err(|_| MALFORMED)
}

fn flag(field: &str) -> Result<Flag<'_>, Condition> {
    match field {
        "n" => Ok(Flag::Unsupported),
        "y" => Ok(Flag::NotOffered),
        _ => field.strip_prefix("p=").map(Flag::Bound).ok_or(MALFORMED),
    }
}

fn authzid(field: &str) -> Result<Option<String>, Condition> {
    if field.is_empty() {
        return Ok(None);
    }
    name(value(Some(field), "a=")?, AUTHZID_BYTES_MAX).map(Some)
}

/// Undoes the escapes `=2C` and `=3D`; a `=` before anything else is an error (RFC 5802 5.1).
fn name(escaped: &str, bytes_max: usize) -> Result<String, Condition> {
    let mut pieces = escaped.split('=');
    let mut name = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        if let Some(rest) = piece.strip_prefix("2C") {
            name.push(',');
            name.push_str(rest);
        } else if let Some(rest) = piece.strip_prefix("3D") {
            name.push('=');
            name.push_str(rest);
        } else {
            return Err(MALFORMED);
        }
    }
    (1..=bytes_max).contains(&name.len()).then_some(name).ok_or(MALFORMED)
}

/// Unknown extensions are ignored when they are well-formed; `m` asks for failure, and known letters have their own place.
fn check_extensions<'a>(mut fields: impl Iterator<Item = &'a str>) -> Result<(), Condition> {
    let well_formed = |field: &str| match field.as_bytes() {
        [letter, b'=', _, ..] => letter.is_ascii_alphabetic() && !b"acimnprsv".contains(letter),
        _ => false,
    };
    fields.all(well_formed).then_some(()).ok_or(MALFORMED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_first_is_taken_apart() {
        let first = ClientFirst::parse(b"p=tls-exporter,a=x=2Cy,n=a=3Db,r=abc,z=1,y=2").unwrap();
        let expected = ClientFirst {
            flag: Flag::Bound("tls-exporter"),
            authzid: Some("x,y".to_owned()),
            header: "p=tls-exporter,a=x=2Cy,",
            bare: "n=a=3Db,r=abc,z=1,y=2",
            username: "a=b".to_owned(),
            nonce: "abc",
        };
        assert_eq!(first, expected);
    }

    #[test]
    fn bad_client_first_messages() {
        let long_name = format!("n,,n={},r=abc", "x".repeat(1_024));
        let long_nonce = format!("n,,n=a,r={}", "x".repeat(257));
        let long_authzid = format!("n,a={},n=a,r=abc", "x".repeat(3_072));
        for (row, message) in [
            ("C-11", "n,,n==2c,r=abc"),
            ("C-11", "n,,n=a=,r=abc"),
            ("C-11", "n,,n==41,r=abc"),
            ("C-11", "n,,n=,r=abc"),
            ("C-11", &long_name),
            ("C-01", &long_authzid),
            ("C-01", "n,a=,n=a,r=abc"),
            ("C-01", "n,b=x,n=a,r=abc"),
            ("C-08", &long_nonce),
            ("C-08", "n,,n=a,r="),
            ("C-08", "n,,n=a,r=a b"),
            ("C-08", "n,,n=a,r=a,b"),
            ("C-08", "n,,n=a,r=\u{e4}"),
            ("C-10", "n,,m=x,n=a,r=abc"),
            ("C-10", "n,,n=a,r=abc,m=x"),
            ("C-10", "n,,n=a,r=abc,z"),
            ("C-10", "n,,n=a,r=abc,z="),
            ("C-10", "n,,n=a,r=abc,1=x"),
            ("C-10", "n,,n=a,r=abc,r=def"),
            ("C-10", "n,,n=a,r=abc,"),
            ("syntax", "x,,n=a,r=abc"),
            ("syntax", "p,,n=a,r=abc"),
            ("syntax", ",,n=a,r=abc"),
            ("syntax", "n,n=a,r=abc"),
            ("syntax", "n,,r=abc,n=a"),
            ("syntax", "n,,n=a\0b,r=abc"),
            ("syntax", "n,,"),
            ("syntax", ""),
        ] {
            assert_eq!(ClientFirst::parse(message.as_bytes()), Err(MALFORMED), "{row} {message:?}");
        }
        assert_eq!(ClientFirst::parse(b"n,,n=\xff,r=abc"), Err(MALFORMED));
    }

    #[test]
    fn bad_client_final_messages() {
        let proof = "AAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        let parse = |message: &str| ClientFinal::parse(message.as_bytes(), Hash::Sha1).map(|_| ());
        assert_eq!(parse(&format!("c=biws,r=abc,z=1,p={proof}")), Ok(()));
        for (row, message) in [
            ("C-10", format!("c=biws,r=abc,m=1,p={proof}")),
            ("C-10", format!("m=1,c=biws,r=abc,p={proof}")),
            ("C-09", format!("c=biw,r=abc,p={proof}")),
            ("C-09", format!("r=abc,c=biws,p={proof}")),
            ("C-09", format!("r=abc,p={proof}")),
            ("syntax", format!("c=biws,r=abc,p={proof},z=1")),
            ("syntax", format!("c=biws,r=abc,p={proof},p={proof}")),
            ("syntax", "c=biws,r=abc,p=AAAA".to_owned()),
            ("syntax", "c=biws,r=abc,p=".to_owned()),
            ("syntax", "c=biws,r=abc".to_owned()),
            ("syntax", String::new()),
        ] {
            assert_eq!(parse(&message), Err(MALFORMED), "{row} {message}");
        }
    }
}
