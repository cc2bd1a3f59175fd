//! Target 7: see crates/fuzzing/src/sm.rs.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| detente_fuzz::in_time(data, fuzzing::sm::sm));
