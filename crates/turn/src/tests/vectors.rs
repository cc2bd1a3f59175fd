//! RFC 5769: messages that all implementations read alike.
//!
//! Not here: what is done with them.

use super::*;

fn bytes(hex: &str) -> Vec<u8> {
    let digits: String = hex.split_whitespace().collect();
    (0..digits.len() / 2).map(|at| u8::from_str_radix(&digits[2 * at..2 * at + 2], 16).unwrap()).collect()
}

const REQUEST: &str = "000100582112a442b7e7a701bc34d686fa87dfae 802200105354554e207465737420636c69656e74
    002400046e0001ff 80290008932ff9b151263b36 000600096576746a3a68367659202020
    000800149aeaa70cbfd8cb56781ef2b5b2d3f249c1b571a2 80280004e57a3bcf";
const RESPONSE_V4: &str = "0101003c2112a442b7e7a701bc34d686fa87dfae 8022000b7465737420766563746f7220
    002000080001a147e112a643 000800142b91f599fd9e90c38c7489f92af9ba53f06be7d7 80280004c07d4c96";
const RESPONSE_V6: &str = "010100482112a442b7e7a701bc34d686fa87dfae 8022000b7465737420766563746f7220
    002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9
    00080014a382954e4be67bf11784c97c8292c275bfe3ed41 80280004c8fb0b4c";
const LONG_TERM: &str = "000100602112a44278ad3433c6ad72c029da412e
    00060012e3839ee38388e383aae38383e382afe382b90000
    0015001c662f2f3439396b39353464364f4c33346f4c39465354767936347341
    0014000b6578616d706c652e6f726700 00080014f67024656dd64a3e02b8e0712e85c9a28ca89666";

#[test]
fn short_term_messages() {
    let key = Key(b"VOkJxbRl1RmTxUk/WvJxBt".to_vec());
    for (text, class, mapped) in [
        (REQUEST, Class::Request, None),
        (RESPONSE_V4, Class::Success, Some("192.0.2.1:32853")),
        (RESPONSE_V6, Class::Success, Some("[2001:db8:1234:5678:11:2233:4455:6677]:32853")),
    ] {
        let bytes = bytes(text);
        let message = Message::parse(&bytes).unwrap();
        assert_eq!((message.method, message.class), (a::BINDING, class));
        assert!(message.has_fingerprint && message.is_signed_with(&key));
        assert!(!message.is_signed_with(&Key(b"other".to_vec())));
        assert_eq!(message.address(a::XOR_MAPPED_ADDRESS), mapped.map(ip));
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            // Without its fingerprint nothing but the integrity is left to tell.
            let whole = Message::parse(&changed).is_some_and(|message| message.has_fingerprint);
            assert!(!whole, "byte {at}");
            assert!(Message::parse(&bytes[..at]).is_none(), "cut at {at}");
        }
    }
    let bytes = bytes(REQUEST);
    let request = Message::parse(&bytes).unwrap();
    assert_eq!(request.text(a::USERNAME), Some("evtj:h6vY"));
    assert_eq!(request.unknown().collect::<Vec<_>>(), [0x0024]);
}

#[test]
fn a_long_term_message() {
    let bytes = bytes(LONG_TERM);
    let message = Message::parse(&bytes).unwrap();
    let username = message.text(a::USERNAME).unwrap();
    assert_eq!((username, message.text(a::REALM)), ("マトリックス", Some("example.org")));
    assert!(message.is_signed_with(&long_term_key(username, "example.org", "TheMatrIX")));
}

#[test]
fn what_is_written_is_what_the_vectors_say() {
    let transaction = bytes("b7e7a701bc34d686fa87dfae").try_into().unwrap();
    let key = Key(b"VOkJxbRl1RmTxUk/WvJxBt".to_vec());
    let written = Builder::new(a::BINDING, Class::Success, transaction)
        .put(0x8022, b"test vector")
        .address(a::XOR_MAPPED_ADDRESS, ip("192.0.2.1:32853"));
    let written = written.sign(&key).fingerprint().finish();
    // The vectors pad with spaces, we with zeros: what is hashed differs, so the form is compared.
    let message = Message::parse(&written).unwrap();
    assert!(message.is_signed_with(&key) && message.has_fingerprint);
    assert_eq!(written.len(), bytes(RESPONSE_V4).len());
    assert_eq!(written[..35], bytes(RESPONSE_V4)[..35]);
    assert_eq!(written[36..52], bytes(RESPONSE_V4)[36..52]);
}

#[test]
fn what_follows_the_integrity_says_nothing() {
    let key = Key(b"k".to_vec());
    let builder = Builder::new(a::ALLOCATE, Class::Request, [1; 12]).sign(&key).put(a::USERNAME, b"eve");
    let bytes = builder.finish();
    let message = Message::parse(&bytes).unwrap();
    assert!(message.is_signed_with(&key));
    assert_eq!(message.find(a::USERNAME), None);
}
