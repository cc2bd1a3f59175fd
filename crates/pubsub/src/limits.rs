//! The limits of nodes, each with its unit. The manual lists them (docs/manual/limits.md).
//!
//! Not here: limits on stanzas (xml, stream), on questions that wait (engine).

/// Most nodes of one account; most that one account may create at a service.
pub const NODES_MAX: usize = 1_000;
/// Most nodes of one service.
pub const SERVICE_NODES_MAX: usize = 10_000;
/// Most bytes of a node's name.
pub const NODE_BYTES_MAX: usize = 1_023;
/// Most items that a node keeps; what `max` means.
pub const ITEMS_MAX: u32 = 256;
/// Most bytes of an item's id: an address has room.
pub const ITEM_ID_BYTES_MAX: usize = 3_071;
/// Most bytes of one payload in canonical form.
pub const PAYLOAD_BYTES_MAX: usize = 262_144;
/// Bytes of payloads after which an answer is cut off; it has at least one item.
pub const RESULT_BYTES_MAX: usize = 262_144;
/// Most ids in one request for items.
pub const IDS_MAX: usize = 256;
/// Most affiliations at all nodes of one account.
pub const AFFILIATIONS_MAX: usize = 1_000;
/// Most affiliations at all nodes of a service.
pub const SERVICE_AFFILIATIONS_MAX: usize = 50_000;
/// Most subscriptions to all nodes of one account.
pub const SUBSCRIPTIONS_MAX: usize = 1_000;
/// Most subscriptions to all nodes of a service.
pub const SERVICE_SUBSCRIPTIONS_MAX: usize = 100_000;
/// Most subscriptions to one node: all are told in one turn.
pub const SUBSCRIBERS_MAX: usize = 10_000;
/// Most subscriptions of one bare address at one account or service.
pub const SUBSCRIPTIONS_EACH_MAX: usize = 1_000;
/// Most entries in one request that changes affiliations or subscriptions.
pub const CHANGES_MAX: usize = 256;
/// Most fields in a form, and most values of one field.
pub const FIELDS_MAX: usize = 64;
/// Most bytes of one value in a form.
pub const VALUE_BYTES_MAX: usize = 3_071;
/// Most nodes of one account of which it is remembered which items they have.
pub const INDEXES_MAX: usize = 8;
/// Most nodes of a service of which it is remembered which items they have.
pub const SERVICE_INDEXES_MAX: usize = 256;
/// Most nodes in one answer of service discovery.
pub const DISCO_MAX: usize = 1_000;
/// Most resources of others whose wishes for notifications an account knows.
pub const PEERS_MAX: usize = 2_000;
/// Most resources of one bare address among them.
pub const PEERS_EACH_MAX: usize = 16;
/// Most resources among them that are not contacts.
pub const STRANGERS_MAX: usize = 32;
/// Most capabilities that an account looks up, or asks a client for, at once.
pub const CAPS_ASKED_MAX: usize = 64;
/// Most resources that are asked at once what the same hash stands for.
pub const CAPS_ASKED_SAME_MAX: usize = 2;
/// How many capabilities of clients are remembered in a domain; more take the places of others.
pub const CAPS_KEPT: u32 = 16_384;
/// Most nodes that one client can wish to hear of, and most bytes of all their names.
pub const WISHES_MAX: usize = 64;
/// See [`WISHES_MAX`].
pub const WISHES_BYTES_MAX: usize = 4_096;
/// Most features, identities and values in a client's answer that is looked at.
pub const CAPS_PARTS_MAX: usize = 1_024;
/// Most pending requests that are shown again to an owner at once.
pub const PENDING_ASKED_MAX: usize = 100;
/// Most things that a visiting card says which are taken over into its other form.
pub const CARD_FIELDS_MAX: usize = 256;
/// After so many milliseconds one owner is shown the requests at one node again.
pub const PENDING_PAUSE_MS: u64 = 10_000;
/// Most owners and nodes of a service in that time.
pub const PENDING_PAUSES_MAX: usize = 1_000;
