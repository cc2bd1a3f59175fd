//! SCRAM attributes that let the client notice a downgrade: XEP-0474 0.5 (`h=`) and XEP-0515 0.1 (`t=`).
//!
//! Not here: checking them, which is the client's part. FAST mechanisms stand in `<fast/>`, not in the mechanism list,
//! and do not count.

use crate::{Channel, Hash, Offer, encoding::encode_base64};

/// Between two names of one list (XEP-0474 4.1).
const ITEM: &str = "\u{1e}";
/// Between the mechanism list and the channel binding list.
const LIST: &str = "\u{1f}";

/// The string S of XEP-0474 4.1: both lists sorted by octets (the order of `str`).
pub fn downgrade_text(offer: &Offer) -> String {
    let mut names: Vec<&str> = offer.mechanisms().iter().map(|m| m.name()).collect();
    names.sort_unstable();
    let mut text = names.join(ITEM);
    if !offer.bindings().is_empty() {
        let mut names: Vec<&str> = offer.bindings().iter().map(|b| b.name()).collect();
        names.sort_unstable();
        text.push_str(LIST);
        text.push_str(&names.join(ITEM));
    }
    text
}

/// The value of the attribute `h`: base64 of the hash over [`downgrade_text`].
pub fn downgrade_hash(offer: &Offer, hash: Hash) -> String {
    encode_base64(hash.digest(downgrade_text(offer).as_bytes()).as_bytes())
}

/// The attributes to append to server-first, each with its comma.
pub(crate) fn attributes(offer: &Offer, channel: &Channel, hash: Hash) -> String {
    if !offer.downgrade_attributes() {
        return String::new();
    }
    let mut text = format!(",h={}", downgrade_hash(offer, hash));
    if let Some(version) = channel.version() {
        text.push_str(",t=");
        text.push_str(version.code());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Mechanism, TlsVersion};

    const ALLOWED: [Mechanism; 3] = [Mechanism::ScramSha1, Mechanism::ScramSha1Plus, Mechanism::HtSha256None];

    /// C-30, the example of XEP-0474 4.3 and XEP-0515 4.3.
    #[test]
    fn c30_the_examples_of_both_xeps() {
        let channel = Channel::tls(TlsVersion::Tls13, Some([0; 32]), Some(vec![0; 32]));
        let offer = Offer::sasl2(&ALLOWED, &channel);
        assert_eq!(
            downgrade_text(&offer),
            "SCRAM-SHA-1\u{1e}SCRAM-SHA-1-PLUS\u{1f}tls-exporter\u{1e}tls-server-end-point"
        );
        assert_eq!(attributes(&offer, &channel, Hash::Sha1), ",h=G6k/rBLDqgOhRRaCuuatSDFkJ08=,t=0304");
    }

    #[test]
    fn without_bindings_there_is_no_separator() {
        let offer = Offer::sasl2(&ALLOWED, &Channel::proxied());
        assert_eq!(downgrade_text(&offer), "SCRAM-SHA-1");
        assert!(!attributes(&offer, &Channel::proxied(), Hash::Sha256).contains("t="));
        let offer = offer.without_downgrade_attributes();
        assert_eq!(attributes(&offer, &Channel::proxied(), Hash::Sha256), "");
    }
}
