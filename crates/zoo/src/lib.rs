//! The bug zoo: faults that other servers had, kept behind bars, to prove that our tests would find them.
//!
//! Without the feature `zoo`, which only the simulation switches on, every question here is answered at compile time: no
//! fault, the usual limit. With it a fault is chosen at run time, for one thread.
//!
//! Not here: the faults themselves; each is one line where it would happen.

/// Whether the zoo is in this build. The program refuses to compile with it.
pub const OPEN: bool = cfg!(feature = "zoo");

macro_rules! faults {
    ($($name:ident, $text:literal, $why:literal;)*) => {
        /// A known fault.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Fault {
            $(#[doc = $why] $name,)*
        }

        impl Fault {
            /// All there are.
            pub const ALL: &[Fault] = &[$(Fault::$name,)*];

            /// Its name on the command line.
            pub fn name(self) -> &'static str {
                match self { $(Fault::$name => $text,)* }
            }

            /// What goes wrong.
            pub fn why(self) -> &'static str {
                match self { $(Fault::$name => $why,)* }
            }
        }
    };
}

faults! {
    AckBeforeCommit, "ack-before-commit", "What a client sent is acknowledged before it is stored.";
    CountBeforeCommit, "count-before-commit", "A resumed client is told a count that is ahead of storage.";
    NewIdOnRedelivery, "new-id-on-redelivery", "What a session never got enters the archive again under a new id.";
    FlushTwice, "flush-twice", "A resumed session is given its queue twice.";
    InvalidNotCounted, "invalid-not-counted", "An unusable stanza does not advance the counter.";
    OrderByTime, "order-by-time", "Pages of the archive are sorted by time.";
    DropOnDetach, "drop-on-detach", "The queue of a session is dropped when its connection breaks.";
    ArchivePerResource, "archive-per-resource", "A message is archived once for each device that gets it.";
    OfflineDeletedEarly, "offline-deleted-early", "Messages that waited are deleted when they are sent.";
    OldStreamHeard, "old-stream-heard", "What an old stream still says after its session was resumed is taken.";
    CopyOfBlocked, "copy-of-blocked", "Copies of what a blocked sender writes go out.";
    ArchiveAssumed, "archive-assumed", "Nothing waits for an account, because the archive will have it.";
    LostWhileResuming, "lost-while-resuming", "What comes while a session is handed over is dropped.";
    GhostSession, "ghost-session", "Nobody is told that a session has ended.";
    NewBeforeKept, "new-before-kept", "Messages that come overtake those that wait for an account.";
    RerouteToAll, "reroute-to-all", "What one session never got goes to all others, who have it.";
    LeftTwice, "left-twice", "What several devices were to get is left once for each when an error of storage ends all of them.";
    LateAsNew, "late-as-new", "What one session never got comes to another without a mark.";
    CountWraps, "count-wraps", "Counters are compared as if they never passed 2^32.";
    PageReversed, "page-reversed", "Pages that are read backwards are turned round.";
    InactiveDropped, "inactive-dropped", "Presence for an inactive client is dropped instead of held.";
    PasswordKeepsSessions, "password-keeps-sessions", "Sessions go on after the password was changed.";
    IdsByClock, "ids-by-clock", "Ids are the time, whatever the clock does.";
}

/// A limit that the simulation makes short, or a count that it lets begin elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Unacknowledged stanzas of a session without a connection.
    Unacked,
    /// Offline messages in a page.
    OfflinePage,
    /// Offline messages of an account.
    Offline,
    /// Where the counters of stream management begin.
    FirstCount,
}

#[cfg(feature = "zoo")]
mod open {
    use std::cell::Cell;

    use super::{Fault, Limit};

    thread_local! {
        static FAULT: Cell<Option<Fault>> = const { Cell::new(None) };
        static LIMITS: [Cell<Option<u64>>; 4] = const { [const { Cell::new(None) }; 4] };
    }

    /// Lets a fault out, or none, in this thread.
    pub fn let_out(fault: Option<Fault>) {
        FAULT.set(fault);
    }

    /// Sets a limit, or the usual one, in this thread.
    pub fn set(limit: Limit, value: Option<u64>) {
        LIMITS.with(|limits| limits[limit as usize].set(value));
    }

    pub(super) fn is(fault: Fault) -> bool {
        FAULT.get() == Some(fault)
    }

    pub(super) fn limit(limit: Limit) -> Option<u64> {
        LIMITS.with(|limits| limits[limit as usize].get())
    }
}

#[cfg(feature = "zoo")]
pub use open::{let_out, set};

/// Whether that fault is out. Never without the feature.
#[inline]
pub fn is(fault: Fault) -> bool {
    #[cfg(feature = "zoo")]
    return open::is(fault);
    #[cfg(not(feature = "zoo"))]
    {
        let _ = fault;
        false
    }
}

/// That limit: `usual` without the feature.
#[inline]
pub fn limit(limit: Limit, usual: u64) -> u64 {
    #[cfg(feature = "zoo")]
    return open::limit(limit).unwrap_or(usual);
    #[cfg(not(feature = "zoo"))]
    {
        let _ = limit;
        usual
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_nothing_is_out() {
        for (at, fault) in Fault::ALL.iter().enumerate() {
            assert!(Fault::ALL[..at].iter().all(|other| other.name() != fault.name()), "{fault:?}");
            assert!(!is(*fault) && !fault.why().is_empty());
        }
        assert_eq!(limit(Limit::Offline, 7), 7);
    }
}
