//! Signing requests.
//!
//! AWS Signature Version 4 (the header `Authorization`, the payload's hash given).
//!
//! Not here: signed addresses; nobody but this server talks with the storage.

use std::fmt;

use aws_lc_rs::{digest, hmac};
use time::OffsetDateTime;
use zeroize::Zeroizing;

/// The hash of nothing (FIPS 180-4, SHA-256): what a request without a body has.
pub(crate) const NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Who we are to the storage.
#[derive(Clone)]
pub struct Keys {
    /// The access key: a name.
    pub access: String,
    /// The secret key. It is wiped when dropped.
    pub secret: Zeroizing<String>,
    /// The region of the bucket, such as `eu-central-1`; many storages take any.
    pub region: String,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(hidden)")
    }
}

/// What is signed of a request.
pub(crate) struct Signed<'a> {
    pub(crate) method: &'a str,
    /// In need of no escapes.
    pub(crate) path: &'a str,
    /// In lower case and sorted by name; `host` and all of `x-amz-` must be among them.
    pub(crate) headers: &'a [(&'a str, &'a str)],
    /// SHA-256 in hexadecimal digits.
    pub(crate) payload: &'a str,
    /// As [`stamp`] writes it.
    pub(crate) stamp: &'a str,
}

/// `20130524T000000Z`.
pub(crate) fn stamp(unix_ms: u64) -> String {
    let seconds = i64::try_from(unix_ms / 1_000).unwrap_or_default();
    let at = OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (year, month, day) = at.to_calendar_date();
    let (hour, minute, second) = at.to_hms();
    format!("{year:04}{:02}{day:02}T{hour:02}{minute:02}{second:02}Z", u8::from(month))
}

/// The value of the header `Authorization`.
pub(crate) fn authorization(keys: &Keys, request: &Signed<'_>) -> String {
    let names = request.headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    let lines: String = request.headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let Signed { method, path, payload, stamp, .. } = request;
    let canonical = format!("{method}\n{path}\n\n{lines}\n{names}\n{payload}");
    let date = stamp.split('T').next().unwrap_or_default();
    let scope = format!("{date}/{}/s3/aws4_request", keys.region);
    let hash = hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref());
    let text = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hash}");
    let first = Zeroizing::new(format!("AWS4{}", *keys.secret));
    let mut key = mac(first.as_bytes(), date);
    for part in [&keys.region[..], "s3", "aws4_request"] {
        key = mac(key.as_ref(), part);
    }
    let signature = hex(mac(key.as_ref(), &text).as_ref());
    format!("AWS4-HMAC-SHA256 Credential={}/{scope},SignedHeaders={names},Signature={signature}", keys.access)
}

fn mac(key: &[u8], text: &str) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of the documentation of Amazon S3, "Authenticating Requests: Using the Authorization Header".
    #[test]
    fn signs_as_the_examples_do() {
        let keys = Keys {
            access: "AKIAIOSFODNN7EXAMPLE".into(),
            secret: Zeroizing::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".into()),
            region: "us-east-1".into(),
        };
        let stamp = stamp(1_369_353_600_000);
        let host = ("host", "examplebucket.s3.amazonaws.com");
        let get = [host, ("range", "bytes=0-9"), ("x-amz-content-sha256", NOTHING), ("x-amz-date", &stamp)];
        let payload = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072";
        let put = [
            ("date", "Fri, 24 May 2013 00:00:00 GMT"),
            host,
            ("x-amz-content-sha256", payload),
            ("x-amz-date", &stamp),
            ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        ];
        for (method, path, headers, payload, want) in [
            (
                "GET",
                "/test.txt",
                &get[..],
                NOTHING,
                "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
            ),
            (
                "PUT",
                "/test%24file.text",
                &put,
                payload,
                "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
            ),
        ] {
            let seen = authorization(&keys, &Signed { method, path, headers, payload, stamp: &stamp });
            assert!(seen.ends_with(&format!("Signature={want}")), "{seen}");
            let scope =
                "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,";
            assert!(seen.starts_with(scope), "{seen}");
        }
        assert_eq!(format!("{keys:?}"), "Keys(hidden)");
    }
}
