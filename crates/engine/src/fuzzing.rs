//! What fuzzing wants of the engine and nobody else: counters that are about to wrap.
//!
//! XEP-0198 1.6.3 section 4 (counters are modulo 2^32).
//!
//! Not here: the fuzz targets (crate `fuzzing`).

use crate::engine::Engine;

impl Engine {
    /// Both counters of all sessions with stream management go on from `h`, as if so many stanzas had passed. Only for
    /// sessions on which nothing has passed since they were enabled.
    pub fn count_from(&mut self, h: u32) {
        for device in self.devices.values_mut() {
            if let Some(sm) = &mut device.sm {
                sm.count_from(h);
                device.incoming.count_from(h);
            }
        }
    }
}
