//! The few fields of a certificate that we need and that no TLS library hands out.
//!
//! RFC 5280 section 4.1 (structure), RFC 5929 section 4.1 (which hash), X.690 (DER).
//!
//! A certificate may be a stranger's: nothing here can panic or loop.
//!
//! Not here: whether a certificate is valid or fits its key (rustls, `identity.rs`).

use aws_lc_rs::digest::{self, Algorithm};

/// What a certificate says of itself.
pub struct Fields<'a> {
    /// Distinguished name of the issuer, as DER.
    pub issuer: &'a [u8],
    /// Distinguished name of the subject, as DER.
    pub subject: &'a [u8],
    /// First second of validity, Unix time.
    pub not_before: i64,
    /// Last second of validity, Unix time.
    pub not_after: i64,
    /// OID of the algorithm with which the issuer signed, and its parameters.
    signature: (&'a [u8], &'a [u8]),
}

const SEQUENCE: u8 = 0x30;
const OID: u8 = 0x06;
const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// Reads a certificate; `None` if it is none.
pub fn fields(der: &[u8]) -> Option<Fields<'_>> {
    let (mut certificate, _) = expect(der, SEQUENCE)?;
    let mut tbs = take(&mut certificate, SEQUENCE)?;
    let mut algorithm = take(&mut certificate, SEQUENCE)?;
    let oid = take(&mut algorithm, OID)?;
    if tbs.first() == Some(&0xa0) {
        take(&mut tbs, 0xa0)?; // version
    }
    take(&mut tbs, INTEGER)?; // serial number
    take(&mut tbs, SEQUENCE)?; // signature algorithm, once more
    let issuer = take(&mut tbs, SEQUENCE)?;
    let mut validity = take(&mut tbs, SEQUENCE)?;
    let subject = take(&mut tbs, SEQUENCE)?;
    let (not_before, not_after) = (time(&mut validity)?, time(&mut validity)?);
    Some(Fields { issuer, subject, not_before, not_after, signature: (oid, algorithm) })
}

impl Fields<'_> {
    /// The hash for `tls-server-end-point` (RFC 5929 section 4.1); `None` where that is undefined, as for Ed25519.
    pub(crate) fn end_point_hash(&self) -> Option<&'static Algorithm> {
        const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];
        const ECDSA_SHA2: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03];
        const ECDSA_SHA1: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01];
        let (oid, parameters) = self.signature;
        if oid == ECDSA_SHA1 {
            return Some(&digest::SHA256);
        }
        let (last, family) = oid.split_last()?;
        match (family, last) {
            // MD5 and SHA-1 are to be replaced by SHA-256.
            (RSA, 4 | 5 | 11) | (ECDSA_SHA2, 2) => Some(&digest::SHA256),
            (RSA, 12) | (ECDSA_SHA2, 3) => Some(&digest::SHA384),
            (RSA, 13) | (ECDSA_SHA2, 4) => Some(&digest::SHA512),
            (RSA, 10) => pss_hash(parameters),
            _ => None,
        }
    }
}

/// RFC 4055 section 3.1: `hashAlgorithm [0]` of RSASSA-PSS-params; SHA-1 when absent.
fn pss_hash(parameters: &[u8]) -> Option<&'static Algorithm> {
    const SHA2: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02];
    let (mut inside, _) = expect(parameters, SEQUENCE)?;
    if inside.first() != Some(&0xa0) {
        return Some(&digest::SHA256);
    }
    let mut tagged = take(&mut inside, 0xa0)?;
    let mut algorithm = take(&mut tagged, SEQUENCE)?;
    match take(&mut algorithm, OID)?.split_last()? {
        (1, SHA2) => Some(&digest::SHA256),
        (2, SHA2) => Some(&digest::SHA384),
        (3, SHA2) => Some(&digest::SHA512),
        _ => None,
    }
}

/// Takes one element off the front and gives its content.
fn take<'a>(from: &mut &'a [u8], tag: u8) -> Option<&'a [u8]> {
    let (content, rest) = expect(from, tag)?;
    *from = rest;
    Some(content)
}

/// Splits into the content of the first element and what follows it.
fn expect(from: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = from.split_first()?;
    let (&first, rest) = rest.split_first()?;
    if found != tag {
        return None;
    }
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x83 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (digits.iter().fold(0, |sum, digit| (sum << 8) | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

/// RFC 5280 section 4.1.2.5: `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ`.
fn time(from: &mut &[u8]) -> Option<i64> {
    let (year, rest) = match *from.first()? {
        UTC_TIME => {
            let text = take(from, UTC_TIME)?;
            let (year, rest) = text.split_at_checked(2)?;
            let year = number(year)?;
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        _ => {
            let text = take(from, GENERALIZED_TIME)?;
            let (year, rest) = text.split_at_checked(4)?;
            (number(year)?, rest)
        }
    };
    let rest = rest.strip_suffix(b"Z").filter(|digits| digits.len() == 10)?;
    let mut parts = rest.chunks(2).map(number);
    let mut next = || parts.next().flatten();
    let (month, day, hour, minute, second) = (next()?, next()?, next()?, next()?, next()?);
    Some(days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second)
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + i64::from(digit - b'0')))
}

/// Days from 1970-01-01 in the Gregorian calendar, counted in years that begin in March.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        for (date, want) in
            [((1970, 1, 1), 0), ((2000, 2, 29), 11_016), ((2000, 3, 1), 11_017), ((2038, 1, 19), 24_855)]
        {
            assert_eq!(days(date.0, date.1, date.2), want, "{date:?}");
        }
    }

    #[test]
    fn times_of_both_forms_are_read() {
        for (bytes, want) in [
            (&b"\x17\x0d700101000001Z"[..], Some(1)),
            (b"\x18\x0f20380119031407Z", Some(i64::from(i32::MAX))),
            (b"\x17\x0c70010100000Z", None),
            (b"\x17\x0d70010100000xZ", None),
            (b"\x04\x00", None),
        ] {
            assert_eq!(time(&mut &*bytes), want, "{bytes:?}");
        }
    }

    #[test]
    fn a_certificate_gives_its_fields_and_no_piece_of_it_panics() {
        let pair = rcgen::generate_simple_self_signed(["a.example".to_owned()]).unwrap();
        let der = pair.cert.der();
        let found = fields(der).unwrap();
        assert_eq!(found.issuer, found.subject);
        assert!(found.not_before < found.not_after);
        assert_eq!(found.end_point_hash(), Some(&digest::SHA256));
        for cut in 0..der.len() {
            let _ = fields(&der[..cut]);
            let mut changed = der.to_vec();
            changed[cut] ^= 0x80;
            let _ = fields(&changed);
        }
    }
}
