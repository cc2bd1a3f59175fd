//! Stanzas: message, presence and iq, their errors, and the payload shapes that several features share.
//!
//! RFC 6120 section 8, RFC 6121 sections 4 and 5.
//!
//! Not here: what is done with a stanza (kernel, features), and how bytes become one (xml, stream).

mod condition;
mod error;
pub mod forms;
mod kind;
pub mod ns;
mod payload;
pub mod rsm;
mod stanza;
mod stream_error;
pub mod when;

pub use condition::{Condition, ErrorType};
pub use error::StanzaError;
pub use kind::{IqType, Kind, MessageType, PresenceType};
pub use payload::{Child, Payload};
pub use stanza::{Stanza, Unusable};
pub use stream_error::{StreamCondition, StreamError, is_supported_version};
