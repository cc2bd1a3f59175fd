//! What a certificate says of itself, for operators. It proves nothing.
//!
//! RFC 5280 sections 4.1.2.4 and 4.1.2.5
//!
//! Not here: whether it is to be believed (`certificate.rs`), names in it (`san.rs`).

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::limits::{SHOWN_BYTES_MAX, SHOWN_NAMES_MAX};
use crate::san::{self, next, take};

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OID: u8 = 0x06;
/// 2.5.4.3 and 2.5.4.10: commonName, organizationName.
const NAMED: [&[u8]; 2] = [&[0x55, 4, 10], &[0x55, 4, 3]];

/// The facts of one certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// Names of servers in it, the first few.
    pub names: Vec<String>,
    /// Who says that he has issued it: organization and common name.
    pub issuer: String,
    /// Whether it was issued by whom it is for.
    pub self_made: bool,
    /// First second of validity, Unix time.
    pub not_before: i64,
    /// Last second of validity, Unix time.
    pub not_after: i64,
}

impl Shown {
    /// The first certificate of a PEM file.
    pub fn of_pem(pem: &[u8]) -> Option<Shown> {
        let first = CertificateDer::pem_slice_iter(pem).next()?.ok()?;
        Shown::read(&first)
    }

    /// Reads a certificate (DER); `None` if it is none.
    pub fn read(der: &[u8]) -> Option<Shown> {
        let fields = net::certificate_fields(der)?;
        let names = san::list(der, SHOWN_NAMES_MAX).iter().map(|name| plain(name)).collect();
        Some(Shown {
            names,
            issuer: distinguished(fields.issuer),
            self_made: fields.issuer == fields.subject,
            not_before: fields.not_before,
            not_after: fields.not_after,
        })
    }
}

/// Nothing of a stranger's may move the cursor or fill the screen.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(SHOWN_BYTES_MAX / 4).collect()
}

fn distinguished(mut name: &[u8]) -> String {
    let mut words: Vec<String> = Vec::new();
    // Each is a set of one or more pairs; of several in one set the first is enough.
    while let Some(mut set) = take(&mut name, SET) {
        let Some(mut pair) = take(&mut set, SEQUENCE) else { break };
        let Some(kind) = take(&mut pair, OID) else { break };
        let text = next(&mut pair).map(|(_, text)| plain(&String::from_utf8_lossy(text)));
        words.extend(text.filter(|text| NAMED.contains(&kind) && !text.is_empty() && words.len() < 2));
    }
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair};

    use super::*;

    #[test]
    fn a_certificate_says_who_issued_it_for_whom_until_when() {
        let mut params = CertificateParams::new(["a.example".to_owned(), "b.example".to_owned()]).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CountryName, "XX");
        params.distinguished_name.push(DnType::OrganizationName, "Capulet\u{7}");
        params.distinguished_name.push(DnType::CommonName, "the house");
        params.not_after = rcgen::date_time_ymd(2031, 1, 1);
        let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let shown = Shown::read(made.der()).unwrap();
        assert_eq!(shown.names, ["a.example", "b.example"]);
        assert_eq!(shown.issuer, "Capulet, the house");
        assert!(shown.self_made);
        assert_eq!(shown.not_after, 1_924_992_000);
        for cut in 0..made.der().len() {
            let mut changed = made.der().to_vec();
            changed[cut] ^= 0x80;
            let _ = (Shown::read(&changed), Shown::read(&changed[..cut]));
        }
    }
}
