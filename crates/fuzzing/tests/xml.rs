//! Our parser against `rxml`, and our oracles, on random and damaged streams.
//!
//! `PROPTEST_CASES=1000000 cargo test -p fuzzing --release --test xml` for a long run.
//!
//! Not here: coverage-guided fuzzing (fuzz/).
#![allow(clippy::unwrap_used, reason = "a test may")]

use fuzzing::xml_flat::{HEADER, RXML, compare, flatten};
use fuzzing::xml_grammar::{damage, generate};
use proptest::prelude::*;
use xml::fuzzing::{fuzz_stream, rewrite};
use xml::{Event, Framing, Limits, Parser, Tree};

fn streams(damages: std::ops::Range<usize>) -> impl Strategy<Value = Vec<u8>> {
    let choices = proptest::collection::vec(any::<u8>(), 0..60);
    let damages = proptest::collection::vec((any::<usize>(), any::<u8>(), any::<u8>()), damages);
    (choices, damages).prop_map(|(choices, damages)| {
        let mut input = generate(&choices);
        damages.into_iter().for_each(|(at, kind, what)| damage(&mut input, at % (1 << 20), kind, what));
        [HEADER, &input].concat()
    })
}

fn config() -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig {
        cases: usual.cases.max(1_500),
        max_global_rejects: u32::MAX,
        failure_persistence: None,
        ..usual
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn sound_streams_as_rxml_reads_them(input in streams(0..1)) {
        compare(&input, &RXML);
    }

    #[test]
    fn damaged_streams_as_rxml_reads_them(input in streams(1..5)) {
        prop_assume!(!(RXML.misreads)(&input));
        compare(&input, &RXML);
    }

    #[test]
    fn oracles_hold(input in streams(0..5), choice: u8) {
        fuzz_stream(&[&[choice][..], &input].concat());
        fuzz_stream(&[&[choice][..], &input[HEADER.len().min(input.len())..]].concat());
    }

    #[test]
    fn corrupt_trees_never_panic(input in streams(0..3), more in proptest::collection::vec((any::<usize>(), any::<u8>(), any::<u8>()), 1..4)) {
        let mut parser = Parser::new(Framing::Stream, Limits::CLIENT);
        parser.push(&input);
        while let Ok(Some(event)) = parser.next() {
            let Event::Element(element) = event else { continue };
            let mut bytes = element.bytes().to_vec();
            for (at, kind, what) in &more {
                damage(&mut bytes, at % (1 << 20), *kind, *what);
                if let Ok(tree) = Tree::parse(&bytes, "p") {
                    let again = rewrite(&tree, "p");
                    prop_assert!(Tree::parse(&again, "p").is_ok());
                    tree.roots().for_each(|root| _ = (flatten(root), root.raw("q"), root.raw("p"), root.text()));
                }
            }
        }
    }

    #[test]
    fn any_bytes(input in proptest::collection::vec(any::<u8>(), 0..64)) {
        fuzz_stream(&input);
        let _ = Tree::parse(&input, "p");
    }
}
