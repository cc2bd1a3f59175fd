//! Who knows how the server is doing, for those who watch it over HTTP.
//!
//! Not here: what is measured (admin), the routes (`http/watch.rs`).

use std::future::Future;
use std::pin::Pin;

/// An answer that may take a moment.
pub type Watching<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Tells how the server is doing. Every answer comes within ten seconds, also when nothing else works.
pub trait Monitor: Send + Sync {
    /// All measures, as OpenMetrics text.
    fn metrics(&self) -> Watching<'_, String>;
    /// Whether it can serve.
    ///
    /// # Errors
    /// Why not, in words for operators.
    fn ready(&self) -> Watching<'_, Result<(), String>>;
}
