//! Errors of nodes: the general condition, and the one that says what exactly.
//!
//! XEP-0060 1.30.0 (section 11 and the error cases of each request), XEP-0248 0.5.0
//!
//! Not here: when they are given.

use stanza::{Condition, ErrorType, StanzaError, ns};
use xml::Writer;

/// `condition` of its usual type, with the pubsub-specific `name`.
pub(crate) const fn with(condition: Condition, ty: ErrorType, name: &'static str) -> StanzaError {
    StanzaError::new(condition, ty).app(name, ns::PUBSUB_ERRORS)
}

const fn bad(name: &'static str) -> StanzaError {
    with(Condition::BadRequest, ErrorType::Modify, name)
}

const fn unacceptable(name: &'static str) -> StanzaError {
    with(Condition::NotAcceptable, ErrorType::Modify, name)
}

const fn unauthorized(name: &'static str) -> StanzaError {
    with(Condition::NotAuthorized, ErrorType::Auth, name)
}

/// The node or the service does not support a feature (the part of its name after `#`).
pub(crate) fn unsupported(feature: &str) -> StanzaError {
    let mut w = Writer::new(ns::CLIENT);
    w.open("unsupported", ns::PUBSUB_ERRORS).attr("feature", feature).close();
    StanzaError::from(Condition::FeatureNotImplemented).ty(ErrorType::Cancel).details(w.finish())
}

pub(crate) const CLOSED_NODE: StanzaError = with(Condition::NotAllowed, ErrorType::Cancel, "closed-node");
pub(crate) const INVALID_JID: StanzaError = bad("invalid-jid");
pub(crate) const INVALID_OPTIONS: StanzaError = bad("invalid-options");
pub(crate) const INVALID_PAYLOAD: StanzaError = bad("invalid-payload");
pub(crate) const ITEM_FORBIDDEN: StanzaError = bad("item-forbidden");
pub(crate) const ITEM_REQUIRED: StanzaError = bad("item-required");
pub(crate) const JID_REQUIRED: StanzaError = bad("jid-required");
pub(crate) const NODEID_REQUIRED: StanzaError = bad("nodeid-required");
pub(crate) const PAYLOAD_REQUIRED: StanzaError = bad("payload-required");
pub(crate) const PAYLOAD_TOO_BIG: StanzaError = unacceptable("payload-too-big");
pub(crate) const UNSUPPORTED_ACCESS_MODEL: StanzaError = unacceptable("unsupported-access-model");
pub(crate) const NOT_IN_ROSTER_GROUP: StanzaError = unauthorized("not-in-roster-group");
pub(crate) const NOT_SUBSCRIBED: StanzaError = unauthorized("not-subscribed");
pub(crate) const PENDING_SUBSCRIPTION: StanzaError = unauthorized("pending-subscription");
pub(crate) const PRESENCE_REQUIRED: StanzaError = unauthorized("presence-subscription-required");
/// Of unsubscribing (section 6.2.3.2) and of options (6.3.4.2).
pub(crate) const NO_SUBSCRIBER: StanzaError =
    with(Condition::UnexpectedRequest, ErrorType::Cancel, "not-subscribed");
pub(crate) const PRECONDITION: StanzaError =
    with(Condition::Conflict, ErrorType::Cancel, "precondition-not-met");
pub(crate) const TOO_MANY_SUBSCRIPTIONS: StanzaError =
    with(Condition::PolicyViolation, ErrorType::Wait, "too-many-subscriptions");
pub(crate) const MAX_NODES: StanzaError =
    with(Condition::ResourceConstraint, ErrorType::Wait, "max-nodes-exceeded");
/// XEP-0248 sections 7.2.3.1, 7.2.3.4 and 7.2.3.5.
pub(crate) const INVALID_GRAPH: StanzaError =
    with(Condition::NotAllowed, ErrorType::Cancel, "invalid-options");
/// A request whose parts are not where they must be.
pub(crate) const MALFORMED: StanzaError = StanzaError::new(Condition::BadRequest, ErrorType::Modify);
/// With its number: profanity (up to 0.15 at least) takes a missing list of OMEMO devices for an empty one, and so adds
/// itself, only if it sees 404.
pub(crate) const NOT_FOUND: StanzaError =
    StanzaError::new(Condition::ItemNotFound, ErrorType::Cancel).code("404");
pub(crate) const FORBIDDEN: StanzaError = StanzaError::new(Condition::Forbidden, ErrorType::Auth);
pub(crate) const NOT_ACCEPTABLE: StanzaError = StanzaError::new(Condition::NotAcceptable, ErrorType::Modify);
pub(crate) const CONFLICT: StanzaError = StanzaError::new(Condition::Conflict, ErrorType::Cancel);
