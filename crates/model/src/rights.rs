//! What a component may do beyond speaking for its own domain.
//!
//! XEP-0356 0.4.1 (privileged entity)
//!
//! Not here: who has which rights (config), what follows from them (engine).

use stanza::IqType;

/// What a component may do. The default is nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// Our domains of accounts for which all of it holds.
    pub domains: Vec<String>,
    /// Reading and changing rosters of their users (section 3).
    pub roster: Reach,
    /// Whether it hears of changes of rosters (section 3.4).
    pub push: bool,
    /// Sending messages in the name of users or of the server (section 4).
    pub message: bool,
    /// Sending requests in the name of users (section 5): namespaces of their payloads.
    pub iq: Vec<(String, Reach)>,
    /// Whose presence it is told (section 6).
    pub presence: Sight,
}

/// Which requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// None.
    #[default]
    None,
    /// Those that read.
    Get,
    /// Those that change.
    Set,
    /// Both.
    Both,
}

/// Whose presence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sight {
    /// Nobody's.
    #[default]
    None,
    /// Our users'.
    Managed,
    /// That of their contacts, too.
    Roster,
}

impl Reach {
    /// Whether a request of that type is among them.
    pub fn allows(self, ty: IqType) -> bool {
        match ty {
            IqType::Get => matches!(self, Reach::Get | Reach::Both),
            IqType::Set => matches!(self, Reach::Set | Reach::Both),
            IqType::Result | IqType::Error => false,
        }
    }

    /// The word for it in the XEP.
    pub fn name(self) -> &'static str {
        match self {
            Reach::None => "none",
            Reach::Get => "get",
            Reach::Set => "set",
            Reach::Both => "both",
        }
    }
}

impl Sight {
    /// The word for it in the XEP.
    pub fn name(self) -> &'static str {
        match self {
            Sight::None => "none",
            Sight::Managed => "managed_entity",
            Sight::Roster => "roster",
        }
    }
}

impl Rights {
    /// Whether they hold for accounts of that domain.
    pub fn hold_for(&self, domain: &str) -> bool {
        self.domains.iter().any(|own| own == domain)
    }

    /// Whether requests of that namespace and type may be sent in the name of users.
    pub fn may_ask(&self, ns: &str, ty: IqType) -> bool {
        self.iq.iter().any(|(own, reach)| own == ns && reach.allows(ty))
    }

    /// Whether there is anything in them at all.
    pub fn is_privileged(&self) -> bool {
        let asks = self.iq.iter().any(|(_, reach)| *reach != Reach::None);
        self.roster != Reach::None || self.message || asks || self.presence != Sight::None
    }
}
