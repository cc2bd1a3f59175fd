//! What may be read, and what comes back.
//!
//! Not here: writing (`write`); XML of result sets (`stanza`).

use std::sync::Arc;

use bytes::Bytes;

use super::{Entry, Owner, Space};

/// A question to storage. Each variant names the [`Loaded`] variant that answers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// The document of an owner. Answer: [`Loaded::Doc`].
    Doc {
        /// In which space.
        space: Space,
        /// Whose.
        owner: Owner,
    },
    /// The whole map of an owner. Answer: [`Loaded::Map`].
    Map {
        /// In which space.
        space: Space,
        /// Whose.
        owner: Owner,
    },
    /// A part of an owner's map, in the order of its keys. Answer: [`Loaded::Map`].
    MapRange {
        /// In which space.
        space: Space,
        /// Whose.
        owner: Owner,
        /// Only keys that start with this; nothing means all keys.
        prefix: Arc<str>,
        /// Only keys greater than this one: the last key of the page before.
        after: Option<Arc<str>>,
        /// At most so many.
        limit: u32,
    },
    /// One value of an owner's map. Answer: [`Loaded::Doc`].
    MapGet {
        /// In which space.
        space: Space,
        /// Whose.
        owner: Owner,
        /// Which key.
        key: Arc<str>,
    },
    /// How much an owner's map holds, without reading it. Answer: [`Loaded::Size`].
    MapSize {
        /// In which space.
        space: Space,
        /// Whose.
        owner: Owner,
    },
    /// Several questions in one round trip, answered from one moment in time, such as all that an account
    /// needs when it is loaded. A `Many` inside is refused. Answer: [`Loaded::Many`], in the same order.
    Many(Vec<Read>),
    /// Who has something in a space, sorted by text. Answer: [`Loaded::Owners`].
    Owners {
        /// In which space.
        space: Space,
        /// Only owners greater than this one: the last of the page before.
        after: Option<Owner>,
        /// At most so many.
        limit: u32,
    },
    /// A page of a log. Answer: [`Loaded::Page`].
    Log(LogQuery),
    /// The two ends of a log (XEP-0313 section 5). Answer: [`Loaded::Bounds`].
    LogBounds {
        /// In which space.
        space: Space,
        /// Whose.
        owner: Owner,
        /// Whether to count the entries and their bytes too, which takes time that grows with the log.
        count: bool,
    },
    /// The highest id that any log ever held, deleted ones included; 0 if none. It is where a source of ids
    /// goes on after a restart. Answer: [`Loaded::HighestId`].
    HighestId,
}

/// Which entries of a log are wanted (filters), and which page of them.
///
/// Build it with [`LogQuery::new`] and set what differs:
/// `LogQuery { limit: 20, from_ms: Some(t), ..LogQuery::new(ARCHIVE, owner) }`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogQuery {
    /// In which space.
    pub space: Space,
    /// Whose.
    pub owner: Owner,
    /// Filter: only entries with this other side.
    pub with: Option<With>,
    /// Filter: only entries of this time or later, in Unix milliseconds.
    pub from_ms: Option<u64>,
    /// Filter: only entries of this time or earlier, in Unix milliseconds.
    pub to_ms: Option<u64>,
    /// Filter: only entries after this id (XEP-0313 `after-id`).
    pub after_id: Option<u64>,
    /// Filter: only entries before this id (XEP-0313 `before-id`).
    pub before_id: Option<u64>,
    /// Filter: only these entries (XEP-0313 `ids`).
    pub ids: Option<Vec<u64>>,
    /// Filter: only entries with `tag & tag_mask == tag_want`. With both 0, all.
    pub tag_mask: u32,
    /// See `tag_mask`.
    pub tag_want: u32,
    /// Which page of what the filters let through.
    pub page: Paging,
    /// At most so many entries. 0 asks for nothing but the count.
    pub limit: u32,
    /// At most so many bytes of values, besides the value that passes this mark. A page that ends for this is not
    /// complete.
    pub bytes: u64,
    /// Whether to count all that the filters let through, which takes time that grows with the log.
    pub count: bool,
}

impl LogQuery {
    /// The first 50 entries of a log, unfiltered, not counted.
    pub fn new(space: Space, owner: Owner) -> Self {
        Self {
            space,
            owner,
            with: None,
            from_ms: None,
            to_ms: None,
            after_id: None,
            before_id: None,
            ids: None,
            tag_mask: 0,
            tag_want: 0,
            page: Paging::Forwards { after: None },
            limit: 50,
            bytes: u64::MAX,
            count: false,
        }
    }
}

/// A filter by the other side of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum With {
    /// Any resource of this bare JID, and none.
    Bare(Arc<str>),
    /// This resource of this bare JID only.
    Full {
        /// The bare JID.
        bare: Arc<str>,
        /// The resource.
        resource: Arc<str>,
    },
}

/// Which page (XEP-0059 section 2). Whichever it is, its entries come in the order of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Paging {
    /// The oldest entries, or the oldest after an id (`<after/>`).
    Forwards {
        /// The last id of the page before.
        after: Option<u64>,
    },
    /// The newest entries (`<before/>` without text), or the newest before an id.
    Backwards {
        /// The first id of the page after.
        before: Option<u64>,
    },
}

/// A page of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// In the order of the log, at most `limit`, and less if they are large.
    pub entries: Vec<Entry>,
    /// Nothing that the filters let through lies beyond this page in its direction.
    pub complete: bool,
    /// How many the filters let through, on all pages; only if it was asked for.
    pub count: Option<u64>,
    /// An id that the query names (`after`, `before`, `after_id`, `before_id`, `ids`) is not in this log.
    /// XEP-0313 wants `item-not-found` then. The page is nevertheless the right one by the order of ids: one
    /// whose anchor was deleted between two pages has no hole and no repeat.
    pub missing_anchor: bool,
}

/// The two ends of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Id and time (Unix milliseconds) of the oldest entry; `None` in an empty log.
    pub first: Option<(u64, u64)>,
    /// Id and time (Unix milliseconds) of the newest entry; `None` in an empty log.
    pub last: Option<(u64, u64)>,
    /// How many entries; only if it was asked for.
    pub count: Option<u64>,
    /// How many bytes their values have; only if it was asked for.
    pub bytes: Option<u64>,
}

/// How much a map holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Keys.
    pub count: u64,
    /// Bytes of all keys and values.
    pub bytes: u64,
}

/// The answer to a [`Read`].
///
/// Every engine answers each question with the one variant that its docs name, so the `into_` functions
/// return the empty value for any other, after complaining in debug builds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Loaded {
    /// A document or a value of a map, or `None` if there is none.
    Doc(Option<Bytes>),
    /// Keys and values, sorted by key (byte by byte).
    Map(Vec<(Arc<str>, Bytes)>),
    /// How much a map holds.
    Size(Size),
    /// One answer for each question.
    Many(Vec<Loaded>),
    /// Owners, sorted.
    Owners(Vec<Owner>),
    /// A page of a log.
    Page(Page),
    /// The ends of a log.
    Bounds(Bounds),
    /// The highest id ever used.
    HighestId(u64),
}

macro_rules! accessor {
    ($(#[$doc:meta])* $name:ident, $variant:ident, $type:ty) => {
        $(#[$doc])*
        pub fn $name(self) -> $type {
            match self {
                Self::$variant(value) => value,
                other => {
                    debug_assert!(false, "the engine answered with {other:?}");
                    Default::default()
                }
            }
        }
    };
}

impl Loaded {
    accessor!(
        /// The answer to [`Read::Doc`] and [`Read::MapGet`].
        into_doc, Doc, Option<Bytes>);
    accessor!(
        /// The answer to [`Read::Map`] and [`Read::MapRange`].
        into_map, Map, Vec<(Arc<str>, Bytes)>);
    accessor!(
        /// The answer to [`Read::MapSize`].
        into_size, Size, Size);
    accessor!(
        /// The answers to [`Read::Many`].
        into_many, Many, Vec<Loaded>);
    accessor!(
        /// The answer to [`Read::Owners`].
        into_owners, Owners, Vec<Owner>);
    accessor!(
        /// The answer to [`Read::Log`].
        into_page, Page, Page);
    accessor!(
        /// The answer to [`Read::LogBounds`].
        into_bounds, Bounds, Bounds);
    accessor!(
        /// The answer to [`Read::HighestId`].
        into_highest_id, HighestId, u64);
}

impl From<LogQuery> for Read {
    fn from(query: LogQuery) -> Self {
        Self::Log(query)
    }
}
