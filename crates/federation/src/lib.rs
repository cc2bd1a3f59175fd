//! Other servers: finding them, connecting, and one queue for each.
