//! Target 2: see crates/fuzzing/src/xml_tree.rs.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| detente_fuzz::in_time(data, fuzzing::xml_tree::xml_tree));
