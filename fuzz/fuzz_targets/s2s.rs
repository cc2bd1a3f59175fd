//! Streams between servers and of components: see crates/s2s/src/fuzzing.rs.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| detente_fuzz::in_time(data, fuzzing::s2s));
