//! A stage.
