//! Where an object storage is, and what its buckets and objects may be called.
//!
//! Not here: requests (`client.rs`).

/// The address of an object storage: `https://host`, `http://host`, each with a port or without.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Whether it is TLS.
    pub tls: bool,
    /// A name or an address; of IPv6 without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Endpoint {
    /// Reads one; `None` if it is none. A path is none of S3's.
    pub fn parse(text: &str) -> Option<Endpoint> {
        let (tls, rest) = match text.strip_prefix("https://") {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix("http://")?),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match rest.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']')?;
                host.parse::<std::net::Ipv6Addr>().ok()?;
                (host, port)
            }
            None => {
                let (host, port) = rest.split_at(rest.find(':').unwrap_or(rest.len()));
                let fits = |c: u8| c.is_ascii_alphanumeric() || c == b'.' || c == b'-';
                (!host.is_empty() && host.bytes().all(fits)).then_some((host, port))?
            }
        };
        let port = match port.strip_prefix(':') {
            Some(port) => port.parse().ok().filter(|port| *port > 0)?,
            None if port.is_empty() => {
                if tls {
                    443
                } else {
                    80
                }
            }
            None => return None,
        };
        Some(Endpoint { tls, host: host.to_ascii_lowercase(), port })
    }

    /// As it stands in the header `Host`, with the bucket before it where that is the way.
    pub(crate) fn authority(&self, bucket: Option<&str>) -> String {
        let host = match (bucket, self.host.contains(':')) {
            (Some(bucket), _) => format!("{bucket}.{}", self.host),
            (None, true) => format!("[{}]", self.host),
            (None, false) => self.host.clone(),
        };
        match (self.tls, self.port) {
            (true, 443) | (false, 80) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }
}

/// Whether a bucket may be called that.
pub fn is_bucket(name: &str) -> bool {
    let fits = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'.' || c == b'-' || c == b'_';
    (3..=63).contains(&name.len())
        && name.bytes().all(fits)
        && !name.starts_with(['.', '-'])
        && !name.contains("..")
}

/// Whether the names of objects may begin with that: what needs no escaping in an address, and no folder's `.` or `..`.
pub fn is_prefix(text: &str) -> bool {
    let fits = |c: u8| c.is_ascii_alphanumeric() || b"-_./".contains(&c);
    text.len() <= 200
        && text.bytes().all(fits)
        && !text.starts_with('/')
        && !text.contains("//")
        && !text.split('/').any(|part| part == "." || part == "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        for (text, want) in [
            ("https://s3.example.org", Some("true s3.example.org 443 s3.example.org")),
            ("https://S3.example.org/", Some("true s3.example.org 443 s3.example.org")),
            ("http://127.0.0.1:9000", Some("false 127.0.0.1 9000 127.0.0.1:9000")),
            ("http://[::1]:3900", Some("false ::1 3900 [::1]:3900")),
            ("http://[::1]", Some("false ::1 80 [::1]")),
            ("https://a:443", Some("true a 443 a")),
            ("https://a:80", Some("true a 80 a:80")),
            ("s3.example.org", None),
            ("https://", None),
            ("https://a:0", None),
            ("https://a:65536", None),
            ("https://a:x", None),
            ("https://a/b", None),
            ("https://u:p@a", None),
            ("https://a?b", None),
            ("http://[::1", None),
            ("http://[::g]", None),
            ("http://[::1]x", None),
            ("ftp://a", None),
        ] {
            let read = Endpoint::parse(text);
            let seen = read.map(|e| format!("{} {} {} {}", e.tls, e.host, e.port, e.authority(None)));
            assert_eq!(seen.as_deref(), want, "{text}");
        }
        let endpoint = Endpoint::parse("https://s3.example.org:9000").unwrap();
        assert_eq!(endpoint.authority(Some("b")), "b.s3.example.org:9000");
    }

    #[test]
    fn names_need_no_escaping() {
        for (name, fits) in [
            ("files", true),
            ("a.b-c1", true),
            ("ab", false),
            ("Files", false),
            ("a/b", false),
            ("a..b", false),
            ("-ab", false),
            ("äöü", false),
            (&"a".repeat(64), false),
        ] {
            assert_eq!(is_bucket(name), fits, "{name}");
        }
        for (prefix, fits) in [
            ("", true),
            ("xmpp/", true),
            ("a-", true),
            ("/a", false),
            ("a//b", false),
            ("../", false),
            ("a/./", false),
            ("a b", false),
            ("a?", false),
            (&"a".repeat(201), false),
        ] {
            assert_eq!(is_prefix(prefix), fits, "{prefix}");
        }
    }
}
