//! Push over the web: notifications are encrypted and posted, and addresses for programs that post to us are made.
//!
//! RFC 8030, RFC 8188 (one record), RFC 8291, RFC 8292
//!
//! Not here: who is told of what, and which stanza says so (crate `push`, features).

mod encrypt;
mod endpoint;
pub mod limits;
mod post;
mod sealed;
mod secret;
mod sender;
mod shares;
mod vapid;
mod ways;

pub use endpoint::Endpoint;
pub use sealed::seal_summary;
pub use secret::Secret;
pub use sender::{Gone, Sender, Settings};
pub use vapid::Vapid;
pub use ways::{Way, Ways};

/// For tests elsewhere: what a browser does.
pub mod browser {
    pub use crate::encrypt::browser::{Browser, Unreadable};
}
