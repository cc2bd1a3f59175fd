//! Target 5: see crates/fuzzing/src/sasl.rs.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| detente_fuzz::in_time(data, fuzzing::sasl::sasl));
