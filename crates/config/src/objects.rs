//! Object storage for uploaded files: as a type, and what its settings mean together.
//!
//! Not here: what each setting means and may be (`settings.rs`), how it is spoken with (crate `store-s3`).

use serde::{Deserialize, Serialize};

use crate::Config;
use crate::source::Source;

/// `[s3]`, named as in the file.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)] // described in the table of settings, once
pub struct Objects {
    pub bucket: Option<String>,
    pub endpoint: Option<String>,
    pub region: String,
    pub access_key: Option<String>,
    pub secret_key: Option<String>,
    pub prefix: String,
    pub path_style: bool,
}

impl Default for Objects {
    fn default() -> Objects {
        Objects {
            bucket: None,
            endpoint: None,
            region: "us-east-1".into(),
            access_key: None,
            secret_key: None,
            prefix: String::new(),
            path_style: true,
        }
    }
}

/// Never with the secret.
impl std::fmt::Debug for Objects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Objects")
            .field("bucket", &self.bucket)
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

impl Objects {
    /// Where it is: the endpoint, or AWS's for the region.
    pub fn address(&self) -> String {
        self.endpoint.clone().unwrap_or_else(|| format!("https://s3.{}.amazonaws.com", self.region))
    }
}

/// What the settings mean together. Their form is looked at by whoever speaks with the storage, see `forms`.
pub(crate) fn check(source: &mut Source, config: &Config) {
    let objects = &config.s3;
    if objects.bucket.is_none() {
        let set = objects.access_key.is_some() || objects.secret_key.is_some() || objects.endpoint.is_some();
        if set {
            let fix = "set `bucket`, or remove the others";
            source.warning("s3", "without `bucket` files stay in the data folder", fix);
        }
        return;
    }
    for (name, value) in [("access_key", &objects.access_key), ("secret_key", &objects.secret_key)] {
        if value.as_ref().is_none_or(String::is_empty) {
            let upper = name.to_uppercase();
            let fix = format!("set it here or as DETENTE_S3__{upper} in the environment");
            source.error("s3.bucket", format!("`{name}` is missing"), fix);
        }
    }
    let plain = objects.endpoint.as_deref().is_some_and(|endpoint| endpoint.starts_with("http://"));
    let near = ["http://127.", "http://[::1]", "http://localhost"];
    if plain && !near.iter().any(|near| objects.address().starts_with(near)) {
        let fix = "use https, unless the network between is your own";
        source.warning("s3.endpoint", "files go to the object storage without encryption", fix);
    }
    let text = |value: &str, fits: fn(u8) -> bool| !value.is_empty() && value.bytes().all(fits);
    let word = |c: u8| c.is_ascii_alphanumeric() || b"-_".contains(&c);
    if !text(&objects.region, word) {
        source.error("s3.region", "that is no region", "a region is a word, as in \"eu-central-1\"");
    }
}
