//! What the server does for an account or a host, one small file per feature.
//!
//! Not here: bytes on the wire and negotiation (stream), the order of things (kernel), rooms and nodes.

#[cfg(test)]
mod scene;
