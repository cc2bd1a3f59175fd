//! Commands about certificates.
//!
//! Not here: certificates themselves.

use std::time::Duration;

use serde_json::{Value, json};
use store::BoxFuture;

use crate::args::Args;
use crate::{Failure, FailureKind, Port, sessions};

/// How long an answer waits for the authority; the attempt goes on after it.
const WAIT: Duration = Duration::from_secs(50);

/// Who keeps certificates.
pub trait Certificates: Send + Sync {
    /// How it stands with each, a list of objects.
    fn list(&self) -> Value;
    /// The domains whose certificates are got from an authority.
    fn renewable(&self) -> Vec<String>;
    /// Gets a new one for a domain now. Goes on when nobody waits any more.
    fn renew(&self, domain: String) -> BoxFuture<'static, Result<(), String>>;
}

pub(crate) async fn list(port: &dyn Port, _: Args) -> Result<Value, Failure> {
    let kept = port.certificates().ok_or_else(sessions::nobody)?;
    Ok(json!({ "certificates": kept.list() }))
}

pub(crate) async fn renew(port: &dyn Port, args: Args) -> Result<Value, Failure> {
    let kept = port.certificates().ok_or_else(sessions::nobody)?;
    let all = kept.renewable();
    let wanted = match args.text("domain") {
        Some(domain) if all.iter().any(|known| known == domain) => vec![domain.to_owned()],
        Some(domain) => {
            let text = format!(
                "the certificate of {domain} is not got from an authority: see [acme] in the configuration"
            );
            return Err(Failure::new(FailureKind::NotFound, text));
        }
        None if all.is_empty() => {
            let text = "no certificate is got from an authority: see [acme] in the configuration";
            return Err(Failure::new(FailureKind::NotFound, text));
        }
        None => all,
    };
    let (mut renewed, mut waiting, until) = (Vec::new(), Vec::new(), tokio::time::Instant::now() + WAIT);
    for domain in wanted {
        match tokio::time::timeout_at(until, kept.renew(domain.clone())).await {
            Ok(Ok(())) => renewed.push(domain),
            Ok(Err(why)) => return Err(Failure::new(FailureKind::Failed, format_args!("{domain}: {why}"))),
            Err(_) => waiting.push(domain),
        }
    }
    Ok(json!({ "renewed": renewed, "waiting": waiting }))
}
