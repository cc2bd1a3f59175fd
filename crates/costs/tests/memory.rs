//! No operation asks for memory more often than it may.
//!
//! Not here: instructions, which need valgrind (`scripts/costs`).

use costs::{Meter, WORKS};

#[test]
fn no_operation_asks_for_memory_more_often_than_it_may() {
    let mut dearer = Vec::new();
    for work in WORKS {
        let mut worker = work.begin();
        (0..10).for_each(|_| worker.round());
        let meter = Meter::default();
        (0..50).for_each(|_| worker.round());
        let each = meter.requests() as f64 / (50 * work.each) as f64;
        if each > work.requests {
            dearer
                .push(format!("{}: {each:.2} requests for memory, {:.2} allowed", work.name, work.requests));
        }
    }
    assert!(dearer.is_empty(), "{}", dearer.join("\n"));
}
