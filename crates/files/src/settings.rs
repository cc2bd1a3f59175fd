//! What the operator decides about uploads.
//!
//! Not here: where the values come from (config).

use std::collections::BTreeMap;

use store::{Clock, system_clock};

/// All of it.
#[derive(Clone)]
pub struct Settings {
    /// For each domain the beginning of its files' addresses, such as `https://example.org:5281/upload`. A domain that
    /// is not here has no uploads.
    pub urls: BTreeMap<String, String>,
    /// Largest file in bytes.
    pub file_bytes: u64,
    /// Bytes that one account may upload in 24 hours.
    pub day_bytes: u64,
    /// Bytes that one account may have here.
    pub account_bytes: u64,
    /// How long attachments stay, in days; 0: until they are removed.
    pub keep_days: u64,
    /// How long a slot waits for its file, in seconds.
    pub slot_seconds: u64,
    /// Whether files may be uploaded to stay for good.
    pub permanent: bool,
    /// Whether a file goes when the message that shared it is retracted (XEP-0424).
    pub retract: bool,
    /// Tells the time.
    pub clock: Clock,
}

impl Settings {
    /// Defaults with these addresses, and the system's clock.
    pub fn new(urls: BTreeMap<String, String>) -> Settings {
        Settings {
            urls,
            file_bytes: 50 * 1024 * 1024,
            day_bytes: 500 * 1024 * 1024,
            account_bytes: 2 * 1024 * 1024 * 1024,
            keep_days: 30,
            slot_seconds: 300,
            permanent: false,
            retract: true,
            clock: system_clock(),
        }
    }
}
