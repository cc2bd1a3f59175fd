//! Defined conditions and types of stanza errors.
//!
//! RFC 6120 section 8.3.2 and 8.3.3.
//!
//! Not here: how an error is written into a reply (`error.rs`).

/// What the sender may do about an error (RFC 6120 section 8.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // the RFC's own words
pub enum ErrorType {
    Auth,
    Cancel,
    Continue,
    Modify,
    Wait,
}

impl ErrorType {
    /// The `type` attribute.
    pub fn name(self) -> &'static str {
        match self {
            ErrorType::Auth => "auth",
            ErrorType::Cancel => "cancel",
            ErrorType::Continue => "continue",
            ErrorType::Modify => "modify",
            ErrorType::Wait => "wait",
        }
    }
}

macro_rules! conditions {
    ($($variant:ident $name:literal $ty:ident,)*) => {
        /// RFC 6120 section 8.3.3.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs)] // the RFC's own words
        pub enum Condition { $($variant,)* }

        impl Condition {
            /// The element's name in `urn:ietf:params:xml:ns:xmpp-stanzas`.
            pub fn name(self) -> &'static str {
                match self { $(Condition::$variant => $name,)* }
            }

            /// The type that the RFC recommends for the condition.
            pub fn default_type(self) -> ErrorType {
                match self { $(Condition::$variant => ErrorType::$ty,)* }
            }

            /// The condition with that element name.
            pub fn parse(name: &str) -> Option<Condition> {
                match name { $($name => Some(Condition::$variant),)* _ => None }
            }
        }
    };
}

conditions! {
    BadRequest "bad-request" Modify,
    Conflict "conflict" Cancel,
    FeatureNotImplemented "feature-not-implemented" Cancel,
    Forbidden "forbidden" Auth,
    Gone "gone" Cancel,
    InternalServerError "internal-server-error" Wait,
    ItemNotFound "item-not-found" Cancel,
    JidMalformed "jid-malformed" Modify,
    NotAcceptable "not-acceptable" Modify,
    NotAllowed "not-allowed" Cancel,
    NotAuthorized "not-authorized" Auth,
    PolicyViolation "policy-violation" Modify,
    RecipientUnavailable "recipient-unavailable" Wait,
    Redirect "redirect" Modify,
    RegistrationRequired "registration-required" Auth,
    RemoteServerNotFound "remote-server-not-found" Cancel,
    RemoteServerTimeout "remote-server-timeout" Wait,
    ResourceConstraint "resource-constraint" Wait,
    ServiceUnavailable "service-unavailable" Cancel,
    SubscriptionRequired "subscription-required" Auth,
    UndefinedCondition "undefined-condition" Cancel,
    UnexpectedRequest "unexpected-request" Wait,
}
