//! The address of a push service.
//!
//! RFC 8030 section 5, RFC 3986
//!
//! Not here: connecting to it (`post.rs`).

use hyper::Uri;

use crate::limits;

/// An address that may be posted to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// A name, or an address without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Host and port as they stand in the address.
    pub(crate) authority: String,
    /// Path and query.
    pub(crate) path: String,
}

impl Endpoint {
    /// Reads one.
    ///
    /// # Errors
    /// It is not one that may be posted to, and why.
    pub fn parse(text: &str) -> Result<Endpoint, &'static str> {
        if text.len() > limits::ENDPOINT_BYTES_MAX {
            return Err("the endpoint is too long");
        }
        let uri: Uri = text.parse().map_err(|_| "the endpoint is no address")?;
        if uri.scheme_str() != Some("https") {
            return Err("the endpoint is not reached with https");
        }
        let authority = uri.authority().ok_or("the endpoint has no host")?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        if authority.as_str().contains('@') || host.is_empty() {
            return Err("the endpoint has no plain host");
        }
        let port = match authority.as_str().strip_prefix(authority.host()) {
            Some("") => 443,
            // Not just "none if it is no number": what cannot be read is not to be guessed.
            _ => authority.port_u16().filter(|port| *port > 0).ok_or("the endpoint's port is none")?,
        };
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        Ok(Endpoint {
            host: host.to_ascii_lowercase(),
            port,
            authority: authority.as_str().to_owned(),
            path: path.to_owned(),
        })
    }

    /// For whom we say who we are (RFC 8292 section 2).
    pub(crate) fn audience(&self) -> String {
        format!("https://{}", self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_may_be_posted_to() {
        for (text, host, port, path) in [
            ("https://push.example/a?b=c", "push.example", 443, "/a?b=c"),
            ("https://Push.Example:8443", "push.example", 8443, "/"),
            ("https://[2001:db8::1]:1/x", "2001:db8::1", 1, "/x"),
        ] {
            let read = Endpoint::parse(text).unwrap();
            assert_eq!((&read.host[..], read.port, &read.path[..]), (host, port, path), "{text}");
        }
        let long = format!("https://push.example/{}", "a".repeat(2_048));
        for bad in [
            "",
            "/",
            "push.example/a",
            "http://push.example/a",
            "ftp://push.example/",
            "https://",
            "https:///a",
            "https://user@push.example/",
            "https://user:pass@push.example/",
            "https://push.example:0/",
            "https://push.example:x/",
            "https://push.example:/",
            "https://push.example:99999/",
            "https://push example/",
            "https://push.example/\r\nx: y",
            &long,
        ] {
            assert!(Endpoint::parse(bad).is_err(), "{bad}");
        }
    }
}
