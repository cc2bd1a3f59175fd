//! Target 3: see crates/fuzzing/src/payloads.rs.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| detente_fuzz::in_time(data, fuzzing::payloads::payloads));
