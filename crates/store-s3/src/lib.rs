//! Blobs in a bucket of an object storage that speaks S3: AWS, MinIO, Garage, Ceph and the like.
//!
//! Object's names are the hashes of their bytes, so a request's signature (AWS Signature Version 4) vouches for what is
//! stored. What comes in is kept in a file of this machine until it is whole.
//!
//! Not here: the other shapes of storage (`store-sqlite`), which file is whose (crate `files`).

mod blobs;
mod bucket;
mod chunks;
mod client;
mod endpoint;
pub mod limits;
mod sign;
mod spool;

pub use blobs::Objects;
pub use bucket::Settings;
pub use endpoint::{Endpoint, is_bucket, is_prefix};
pub use sign::Keys;
