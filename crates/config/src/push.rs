//! The settings of push as types.
//!
//! Not here: what each setting means and may be (`settings.rs`).

use serde::{Deserialize, Serialize};

use crate::Config;
use crate::source::Source;

/// `[push]`, named as in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs)] // described in the table of settings, once
pub struct Push {
    pub content: PushContent,
    pub service: bool,
    pub contact: Option<String>,
    pub allowed_addresses: Vec<String>,
}

/// What push services learn of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum PushContent {
    #[default]
    Nothing,
    Sender,
    Body,
}

impl Default for Push {
    fn default() -> Push {
        Push { content: PushContent::Nothing, service: true, contact: None, allowed_addresses: Vec::new() }
    }
}

impl Push {
    /// The push service of a domain.
    pub fn domain_of(&self, domain: &str) -> String {
        format!("push.{domain}")
    }
}

/// Checks what stands under `[push]`.
pub(crate) fn check(source: &mut Source, config: &Config) {
    let contact = config.push.contact.as_deref().filter(|contact| !contact.is_empty());
    if contact.is_some_and(|contact| !contact.starts_with("mailto:") && !contact.starts_with("https://")) {
        let fix = "write an address with its scheme, as in \"mailto:admin@example.org\"";
        source.error("push.contact", "it is neither `mailto:` nor `https://`", fix);
    }
    let allowed = config.push.allowed_addresses.iter().enumerate();
    for (at, text) in allowed.filter(|(_, text)| text.parse::<turn::peers::Range>().is_err()) {
        let fix = "write an address or a range, as in \"192.0.2.0/24\" or \"2001:db8::/32\"";
        let what = format!("\"{text}\" is no range of addresses");
        source.error(&format!("push.allowed_addresses[{at}]"), what, fix);
    }
}
