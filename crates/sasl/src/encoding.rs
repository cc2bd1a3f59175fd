//! Base64 as the two SASL profiles use it (RFC 4648 4, RFC 6120 6.4.2, XEP-0388 2.2).
//!
//! Not here: reading the element text (crate `stream`).

use crate::Condition;
use base64::{Engine, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

/// Decodes strictly: padding is required, no white space, no stray bits, standard alphabet. An empty text is the empty
/// message. The result may hold a password, so it is wiped when dropped.
///
/// Errors: [`Condition::IncorrectEncoding`].
pub fn decode_base64(text: &str) -> Result<Zeroizing<Vec<u8>>, Condition> {
    STANDARD.decode(text).map(Zeroizing::new).map_err(|_| Condition::IncorrectEncoding)
}

/// As [`decode_base64`], and `=` alone is the empty message (RFC 6120 6.4.2). In `<auth/>` an empty text means that there
/// is no initial response; the caller must look at that first.
pub fn decode_sasl1(text: &str) -> Result<Zeroizing<Vec<u8>>, Condition> {
    if text == "=" { Ok(Zeroizing::new(Vec::new())) } else { decode_base64(text) }
}

/// Encodes with padding, without line breaks. The empty message gives an empty text, as XEP-0388 2.2 wants it.
pub fn encode_base64(data: &[u8]) -> String {
    STANDARD.encode(data)
}

/// As [`encode_base64`], but the empty message is `=` (RFC 6120 6.4.2).
pub fn encode_sasl1(data: &[u8]) -> String {
    if data.is_empty() { "=".to_owned() } else { encode_base64(data) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c03_only_strict_base64_is_read() {
        let bad = [
            "A", "AA", "AAA", "AA=", "AB==", "AAB=", "AA==\n", " AA==", "AA ==", "A-_=", "====", "AA==AA==",
            "ä",
        ];
        for text in bad {
            assert_eq!(decode_base64(text).err(), Some(Condition::IncorrectEncoding), "{text}");
            assert_eq!(decode_sasl1(text).err(), Some(Condition::IncorrectEncoding), "{text}");
        }
        assert_eq!(decode_base64("=").err(), Some(Condition::IncorrectEncoding));
        assert_eq!(*decode_sasl1("=").unwrap(), b"");
        assert_eq!(*decode_base64("").unwrap(), b"");
        assert_eq!(*decode_base64("AGFiYw==").unwrap(), b"\0abc");
        assert_eq!((encode_base64(b""), encode_sasl1(b"")), (String::new(), "=".to_owned()));
        assert_eq!(encode_sasl1(b"\0abc"), "AGFiYw==");
    }
}
