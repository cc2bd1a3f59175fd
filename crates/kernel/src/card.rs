//! A feature's card: what it is, as data, for disco, routing, docs and checks.
//!
//! XEP-0030 (the variables it advertises).
//!
//! Not here: what the feature does.

use model::spec::Spec;
use model::storage::Space;

use crate::{Step, Way};

/// Everything that others must know about a feature. A version is typed here and nowhere else.
#[derive(Debug)]
pub struct Card {
    /// The feature's common name, as in its file's name.
    pub name: &'static str,
    /// The specifications it implements.
    pub specs: &'static [Spec],
    /// Variables for `disco#info` of an account.
    pub account_vars: &'static [&'static str],
    /// Identities for `disco#info` of an account, besides that of an account: category and type.
    pub account_identities: &'static [(&'static str, &'static str)],
    /// Variables for `disco#info` of a hosted domain.
    pub host_vars: &'static [&'static str],
    /// On which steps it stands.
    pub steps: &'static [(Way, Step)],
    /// Which iq requests it answers.
    pub iqs: &'static [IqRoute],
    /// What must be in memory before an account can be used.
    pub kept: &'static [Kept],
}

impl Card {
    /// A card with nothing but a name, to be filled by struct update.
    pub const fn named(name: &'static str) -> Card {
        Card {
            name,
            specs: &[],
            account_vars: &[],
            account_identities: &[],
            host_vars: &[],
            steps: &[],
            iqs: &[],
            kept: &[],
        }
    }
}

/// An iq request that a feature answers.
#[derive(Clone, Copy, Debug)]
pub struct IqRoute {
    /// Who is asked.
    pub target: Target,
    /// The payload's namespace.
    pub ns: &'static str,
    /// Whether `get` is answered.
    pub get: bool,
    /// Whether `set` is answered.
    pub set: bool,
    /// Who may ask.
    pub who: Who,
}

impl IqRoute {
    /// `get` and `set` to one's own account: the commonest case.
    pub const fn own(ns: &'static str) -> IqRoute {
        IqRoute { target: Target::Account, ns, get: true, set: true, who: Who::Owner }
    }

    /// `get` to an account by anybody; the feature judges what to tell.
    pub const fn open(ns: &'static str) -> IqRoute {
        IqRoute { target: Target::Account, ns, get: true, set: false, who: Who::Anyone }
    }

    /// `get` to a hosted domain.
    pub const fn host(ns: &'static str) -> IqRoute {
        IqRoute { target: Target::Host, ns, get: true, set: false, who: Who::Anyone }
    }

    /// The same, `set` too.
    #[must_use]
    pub const fn and_set(mut self) -> IqRoute {
        self.set = true;
        self
    }

    /// The same, `set` only.
    #[must_use]
    pub const fn only_set(mut self) -> IqRoute {
        self.get = false;
        self.set = true;
        self
    }
}

/// Who is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// An account: no `to`, or a bare JID.
    Account,
    /// A hosted domain.
    Host,
}

/// Who may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Only the account itself; others hear `service-unavailable`, as from an account that does not exist.
    Owner,
    /// Everybody.
    Anyone,
}

/// What of a feature's data is loaded with the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Where it is.
    pub space: Space,
    /// In which shape.
    pub form: Form,
}

/// Shapes that are small enough to be loaded with the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One document.
    Doc,
    /// A whole map.
    Map,
    /// The ends of a log and the number of its entries.
    LogEnds,
    /// The ends of a log that may be long: not counted.
    Last,
}
