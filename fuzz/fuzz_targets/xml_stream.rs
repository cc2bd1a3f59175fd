//! Target 1: see crates/fuzzing/src/xml_stream.rs.
#![no_main]

use detente_fuzz::{EXPAT, LIBXML2};
use fuzzing::xml_flat::RXML;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    detente_fuzz::in_time(data, |data| fuzzing::xml_stream::xml_stream_against(data, &[RXML, EXPAT, LIBXML2]));
});
