//! Where uploaded files lie: in the data folder, or in a bucket of an object storage.
//!
//! Not here: the object storage (`store-s3`), the settings (config).

use std::path::Path;
use std::sync::Arc;

use admin::{Failure, FailureKind};
use config::Config;
use store::Blobs;
use store_s3::{Endpoint, Keys, Objects, Settings, is_bucket, is_prefix};

/// The folder of files that are on their way to the bucket.
const SPOOL: &str = "uploads-on-their-way";

/// The engine for files. What lies in the data folder already stays there.
pub(crate) fn open(config: &Config, data: &Path, local: Arc<dyn Blobs>) -> Result<Arc<dyn Blobs>, Failure> {
    let Some(settings) = settings(config, data)? else { return Ok(local) };
    let objects = Arc::new(Objects::open(settings, local)?);
    tokio::spawn({
        let objects = objects.clone();
        // A storage that starts later than we do is no reason not to start.
        async move {
            match objects.check().await {
                Ok(()) => tracing::info!("files are kept in the object storage"),
                Err(fault) => tracing::error!("{}; until then no files are taken", fault.cause()),
            }
        }
    });
    Ok(objects)
}

/// How the storage is spoken with; `None`: there is none.
pub(crate) fn settings(config: &Config, data: &Path) -> Result<Option<Settings>, Failure> {
    let s3 = &config.s3;
    let Some(bucket) = &s3.bucket else { return Ok(None) };
    let wrong =
        |name: &str, why: &str| Failure::new(FailureKind::Failed, format_args!("`{name}` in [s3] {why}"));
    if !is_bucket(bucket) {
        return Err(wrong(
            "bucket",
            "is no name of a bucket: 3 to 63 small letters, digits, dots and hyphens",
        ));
    }
    if !is_prefix(&s3.prefix) {
        return Err(wrong(
            "prefix",
            "may have letters, digits, and single slashes, dots, hyphens, underscores",
        ));
    }
    let endpoint = Endpoint::parse(&s3.address())
        .ok_or_else(|| wrong("endpoint", "is no address, as in \"https://s3.example.org:9000\""))?;
    // Checked when the configuration was read.
    let secret = s3.secret_key.clone().unwrap_or_default().into();
    let keys = Keys { access: s3.access_key.clone().unwrap_or_default(), secret, region: s3.region.clone() };
    let settings = Settings::new(endpoint, bucket.clone(), keys, data.join(SPOOL));
    Ok(Some(Settings { prefix: s3.prefix.clone(), path_style: s3.path_style, ..settings }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_bucket_is_told() {
        let told = |change: fn(&mut Config)| {
            let mut config = Config::default();
            config.s3.bucket = Some("files".into());
            change(&mut config);
            match settings(&config, Path::new("data")) {
                Ok(settings) => settings.map_or("none".to_owned(), |s| format!("{:?}", s.endpoint.host)),
                Err(failure) => failure.to_string(),
            }
        };
        for (change, want) in [
            ((|c| c.s3.bucket = None) as fn(&mut Config), "none"),
            (|_| (), "\"s3.us-east-1.amazonaws.com\""),
            (|c| c.s3.endpoint = Some("http://127.0.0.1:9000".into()), "\"127.0.0.1\""),
            (|c| c.s3.endpoint = Some("127.0.0.1:9000".into()), "`endpoint` in [s3] is no address"),
            (|c| c.s3.bucket = Some("My Files".into()), "`bucket` in [s3] is no name"),
            (|c| c.s3.prefix = "../".into(), "`prefix` in [s3] may have"),
        ] {
            assert!(told(change).starts_with(want), "{}", told(change));
        }
    }
}
