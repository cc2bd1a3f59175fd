//! The clock that the shell lends to whoever keeps data with a time.
//!
//! Not here: clocks that never go back, for timers.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// A clock: Unix milliseconds.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// The system's clock.
pub fn system_clock() -> Clock {
    Arc::new(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}
