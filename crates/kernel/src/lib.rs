//! The staircase: what happens to a stanza at its sender's account and at its recipient's.
//!
//! RFC 6120 section 10, RFC 6121 sections 3, 4 and 8.
//!
//! A stanza climbs [`Step`]s on its [`Way`] out of the sender's account and again into the recipient's; on each step
//! the [`Feature`]s that asked for it look, change, stop, or write down [`Effect`]s. Nothing here does I/O.
//!
//! Not here: what single features do (features), the order of commits and deliveries (engine), bytes (stream).

mod account;
mod answer;
mod arrive;
pub mod banned;
mod card;
mod choose;
mod effects;
mod feature;
mod groups;
mod host;
mod hydrate;
mod kernel;
mod leave;
pub mod limits;
pub mod mam;
mod presence;
mod roster;
mod safety;
mod service;
mod slots;
mod subscription;
mod subscriptions;
mod turn;

pub use account::{Account, Available, Session};
pub use answer::{Answer, Iq, Then, answer, answer_at_host};
pub use card::{Card, Form, IqRoute, Kept, Target, Who};
pub use effects::{Effect, Effects, Resume, Watched};
pub use feature::{Event, Feature, Flow, Step, Way};
pub use groups::{Group, Groups, Shared};
pub use host::{Access, ExternalService, Host, HostFacts, InviteFacts, UploadFacts};
pub use kernel::Kernel;
pub use model::spec::{Spec, Status};
pub use roster::{Direction, Item, ROSTER, Roster};
pub use safety::{BlockList, Directory, SafetyFacts, StrangerPolicy, Tally};
pub use service::{Rest, Service, Spot, departed, who_departed};
pub use slots::Slots;
pub use turn::{Now, Turn};
