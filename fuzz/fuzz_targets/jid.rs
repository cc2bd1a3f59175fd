//! Target 4: see crates/fuzzing/src/jid.rs.
#![no_main]

use detente_fuzz::LIBIDN;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    detente_fuzz::in_time(data, |data| fuzzing::jid::jid_against(data, Some(&LIBIDN)));
});
