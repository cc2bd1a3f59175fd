//! What was advertised on one stream, by one of the two SASL profiles.
//!
//! RFC 6120 6.3.3, XEP-0388 1.0, XEP-0440 1.0, XEP-0484 0.2. The exchange needs it later: for the `y` flag of SCRAM, for
//! the downgrade hash of XEP-0474, and to refuse what was not offered.
//!
//! Not here: the XML of the stream feature (crate `stream`); which mechanisms the operator allows (crate `config`).

use crate::{Binding, Channel, Condition, Mechanism};

/// The mechanisms and channel bindings advertised on one stream by one profile (SASL1 or SASL2).
///
/// Both profiles may be advertised at once; keep one offer for each and start the exchange with the one the client used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    mechanisms: Vec<Mechanism>,
    fast: Vec<Mechanism>,
    bindings: Vec<Binding>,
    secure: bool,
    downgrade_attributes: bool,
}

impl Offer {
    /// What the RFC 6120 profile may advertise on this channel out of what is allowed. Never FAST mechanisms, which need
    /// SASL2.
    pub fn sasl1(allowed: &[Mechanism], channel: &Channel) -> Offer {
        let mechanisms = possible(allowed, channel).filter(|m| !m.is_fast()).collect();
        Offer::new(mechanisms, Vec::new(), channel)
    }

    /// What the XEP-0388 profile may advertise on this channel out of what is allowed. Empty without TLS (XEP-0388 6).
    pub fn sasl2(allowed: &[Mechanism], channel: &Channel) -> Offer {
        let (fast, mechanisms) =
            possible(allowed, channel).filter(|_| channel.is_secure()).partition(|m| m.is_fast());
        Offer::new(mechanisms, fast, channel)
    }

    fn new(mechanisms: Vec<Mechanism>, fast: Vec<Mechanism>, channel: &Channel) -> Offer {
        // Bindings without a -PLUS mechanism would make clients abort (XEP-0440 3, rule 5).
        let plus = mechanisms.iter().any(|m| m.is_plus());
        let bindings = channel.bindings().filter(|_| plus).collect();
        Offer { mechanisms, fast, bindings, secure: channel.is_secure(), downgrade_attributes: true }
    }

    /// The same without the attributes `h` and `t` in SCRAM (XEP-0474, XEP-0515). For clients that break RFC 5802 5.1 and do
    /// not sign server-first as it was sent: they cannot log in otherwise.
    #[must_use]
    pub fn without_downgrade_attributes(self) -> Offer {
        Offer { downgrade_attributes: false, ..self }
    }

    pub(crate) fn downgrade_attributes(&self) -> bool {
        self.downgrade_attributes
    }

    /// For `<mechanism/>`, strongest first. May be empty: then do not advertise the profile (XEP-0388 2.1).
    pub fn mechanisms(&self) -> &[Mechanism] {
        &self.mechanisms
    }

    /// For the `<mechanism/>` elements in `<fast/>`, strongest first (XEP-0484 3.1). Empty in SASL1.
    pub fn fast(&self) -> &[Mechanism] {
        &self.fast
    }

    /// For `<sasl-channel-binding/>` (XEP-0440), strongest first; leave the element out when empty. The XEP has one element
    /// for both profiles: take it from either offer, they agree when both were made from the same list.
    pub fn bindings(&self) -> &[Binding] {
        &self.bindings
    }

    /// The mechanism the client asked for by name.
    ///
    /// Errors: [`Condition::EncryptionRequired`] for one that only TLS would make possible, else
    /// [`Condition::InvalidMechanism`].
    pub fn select(&self, name: &str) -> Result<Mechanism, Condition> {
        let mechanism = Mechanism::parse(name).ok_or(Condition::InvalidMechanism)?;
        if self.contains(mechanism) {
            Ok(mechanism)
        } else if mechanism.needs_encryption() && !self.secure {
            Err(Condition::EncryptionRequired)
        } else {
            Err(Condition::InvalidMechanism)
        }
    }

    /// Whether the mechanism was advertised, as a common one or for FAST.
    pub fn contains(&self, mechanism: Mechanism) -> bool {
        self.mechanisms.contains(&mechanism) || self.fast.contains(&mechanism)
    }

    pub(crate) fn has_plus(&self) -> bool {
        self.mechanisms.iter().any(|m| m.is_plus())
    }
}

/// The allowed mechanisms that can work on this channel, strongest first, each once.
fn possible<'a>(allowed: &'a [Mechanism], channel: &'a Channel) -> impl Iterator<Item = Mechanism> + 'a {
    Mechanism::ALL.into_iter().filter(|m| allowed.contains(m)).filter(|m| {
        let secure = channel.is_secure() || !m.needs_encryption();
        let plus = !m.is_plus() || channel.bindings().next().is_some();
        let fixed = m.fixed_binding().is_none_or(|binding| channel.data(binding).is_some());
        secure && plus && fixed
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TlsVersion;

    fn names(mechanisms: &[Mechanism]) -> Vec<&str> {
        mechanisms.iter().map(|m| m.name()).collect()
    }

    #[test]
    fn an_offer_holds_only_what_the_channel_can_do() {
        let wide = [
            Mechanism::Plain,
            Mechanism::ScramSha1,
            Mechanism::ScramSha1,
            Mechanism::ScramSha1Plus,
            Mechanism::HtSha256None,
            Mechanism::HtSha256Endp,
            Mechanism::HtSha256Expr,
        ];
        let tls13 = Channel::tls(TlsVersion::Tls13, Some([0; 32]), None);
        let offer = Offer::sasl2(&wide, &tls13);
        assert_eq!(names(offer.mechanisms()), ["SCRAM-SHA-1-PLUS", "SCRAM-SHA-1", "PLAIN"]);
        assert_eq!(names(offer.fast()), ["HT-SHA-256-EXPR", "HT-SHA-256-NONE"]);
        assert_eq!(offer.bindings(), [Binding::TlsExporter]);

        let offer = Offer::sasl1(&wide, &tls13);
        assert_eq!(names(offer.mechanisms()), ["SCRAM-SHA-1-PLUS", "SCRAM-SHA-1", "PLAIN"]);
        assert!(offer.fast().is_empty());

        let offer = Offer::sasl1(&wide, &Channel::plaintext());
        assert_eq!(names(offer.mechanisms()), ["SCRAM-SHA-1"]);
        assert!(offer.bindings().is_empty());
        assert!(Offer::sasl2(&wide, &Channel::plaintext()).mechanisms().is_empty());

        let offer = Offer::sasl2(&[Mechanism::ScramSha1], &tls13);
        assert!(offer.bindings().is_empty(), "no binding is advertised without a -PLUS mechanism");
    }

    #[test]
    fn c15_what_was_not_offered_cannot_be_selected() {
        let allowed = [Mechanism::ScramSha256, Mechanism::Plain];
        let clear = Offer::sasl1(&allowed, &Channel::plaintext());
        let secure = Offer::sasl1(&allowed, &Channel::proxied());
        for (offer, name, expected) in [
            (&secure, "PLAIN", Ok(Mechanism::Plain)),
            (&clear, "PLAIN", Err(Condition::EncryptionRequired)),
            (&secure, "SCRAM-SHA-1", Err(Condition::InvalidMechanism)),
            (&secure, "SCRAM-SHA-256-PLUS", Err(Condition::InvalidMechanism)),
            (&secure, "HT-SHA-256-NONE", Err(Condition::InvalidMechanism)),
            (&secure, "scram-sha-256", Err(Condition::InvalidMechanism)),
            (&secure, "", Err(Condition::InvalidMechanism)),
        ] {
            assert_eq!(offer.select(name), expected, "{name}");
        }
    }
}
