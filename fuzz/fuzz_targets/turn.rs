//! Target 23: see crates/fuzzing/src/turn.rs.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| detente_fuzz::in_time(data, fuzzing::turn::turn));
