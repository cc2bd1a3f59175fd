//! Target 6: see crates/fuzzing/src/stream/.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| detente_fuzz::in_time(data, fuzzing::stream::stream));
