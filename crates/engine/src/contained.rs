//! A mistake in a feature ends one turn, not the server.
//!
//! Not here: what becomes of the place (turns, places).

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs what features do. A panic there is a mistake in the program, and would otherwise end every session of the
/// server: it ends here, and whoever calls drops the place that it may have left half changed.
pub(crate) fn contained<T>(act: impl FnOnce() -> T) -> Option<T> {
    let outcome = catch_unwind(AssertUnwindSafe(act));
    outcome.inspect_err(|_| tracing::error!("a feature failed; its account or host starts anew")).ok()
}
