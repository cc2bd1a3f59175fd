//! `<stream:features/>`: what we offer to incoming streams, and what a peer offers to outgoing ones.
//!
//! RFC 6120 sections 4.3.2, 5.3.1, 6.4.1; RFC 7590 section 3.1; XEP-0178 section 3; XEP-0198 section 3; XEP-0220
//! section 2.4; XEP-0288 section 2.1; XEP-0478 version 0.2.0.
//!
//! Not here: what each feature does once it is asked for.

use stanza::ns;
use xml::{Element, Tree, Writer};

use crate::io::Io;

/// What a peer offers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) starttls: bool,
    pub(crate) external: bool,
    pub(crate) dialback: bool,
    /// Failed dialback does not end the stream, so that several remote domains may share it.
    pub(crate) errors: bool,
    pub(crate) bidi: bool,
    pub(crate) managed: bool,
    /// The most bytes that it takes in one element.
    pub(crate) bytes_max: Option<u32>,
}

impl Offer {
    /// Reads `<stream:features/>`; what is not known is not offered.
    pub(crate) fn read(features: &Element) -> Offer {
        let mut offer = Offer::default();
        let Ok(tree) = Tree::parse(features.inner_bytes(), features.ns()) else { return offer };
        for feature in tree.roots() {
            match (feature.name(), feature.ns()) {
                ("starttls", ns::TLS) => offer.starttls = true,
                ("mechanisms", ns::SASL) => {
                    offer.external = feature
                        .children_named("mechanism", ns::SASL)
                        .any(|mechanism| mechanism.text().trim() == "EXTERNAL");
                }
                ("dialback", ns::DIALBACK_FEATURE) => {
                    offer.dialback = true;
                    offer.errors = feature.child("errors", ns::DIALBACK_FEATURE).is_some();
                }
                ("bidi", ns::BIDI_FEATURE) => offer.bidi = true,
                ("sm", ns::SM) => offer.managed = true,
                ("limits", ns::STREAM_LIMITS) => {
                    offer.bytes_max = read_bytes_max(feature.child_text("max-bytes", ns::STREAM_LIMITS));
                }
                _ => {}
            }
        }
        offer
    }
}

/// The limit within `<bidi/>` (XEP-0478 section 3.2).
pub(crate) fn read_bidi_limits(bidi: &Element) -> Option<u32> {
    let tree = Tree::parse(bidi.inner_bytes(), bidi.ns()).ok()?;
    let limits = tree.roots().find(|child| child.is("limits", ns::STREAM_LIMITS))?;
    read_bytes_max(limits.child_text("max-bytes", ns::STREAM_LIMITS))
}

fn read_bytes_max(text: Option<impl AsRef<str>>) -> Option<u32> {
    text?.as_ref().trim().parse().ok()
}

/// Offers what is possible now on an incoming stream. Without TLS, where it is required, that is nothing but
/// `<starttls/>` (RFC 7590).
pub(crate) fn write(io: &mut Io) {
    let mut w = io.wire.writer();
    let required = must_encrypt(io);
    if may_start_tls(io) {
        w.open("starttls", ns::TLS);
        if required {
            w.open("required", ns::TLS).close();
        }
        w.close();
    }
    if !required {
        write_authentication(&mut w, io);
        if io.settings.bidi && !io.bidi {
            w.open("bidi", ns::BIDI_FEATURE).close();
        }
        // After EXTERNAL there are features again, after dialback not.
        if io.settings.stream_management && (io.authenticated || (may_dialback(io) && !may_external(io))) {
            w.open("sm", ns::SM).close();
        }
        write_limits(&mut w, io);
    }
    io.wire.put_stream("features", &w.finish());
}

fn write_authentication(w: &mut Writer, io: &Io) {
    if may_external(io) {
        w.open("mechanisms", ns::SASL).leaf("mechanism", ns::SASL, "EXTERNAL").close();
    }
    if may_dialback(io) {
        w.open("dialback", ns::DIALBACK_FEATURE).open("errors", ns::DIALBACK_FEATURE).close().close();
    }
}

/// What we take, for features and for `<bidi/>`.
pub(crate) fn write_limits(w: &mut Writer, io: &Io) {
    let settings = &io.settings;
    w.open("limits", ns::STREAM_LIMITS);
    // A peer that authenticates by dialback sees no other features, and sends nothing large before that.
    w.leaf("max-bytes", ns::STREAM_LIMITS, settings.limits.element_bytes.to_string());
    w.leaf("idle-seconds", ns::STREAM_LIMITS, settings.timeouts.idle.as_secs().to_string());
    w.close();
}

/// Whether `<starttls/>` is possible.
pub(crate) fn may_start_tls(io: &Io) -> bool {
    io.settings.starttls && io.tls.is_none() && !io.trusted
}

/// Whether nothing may be done before TLS.
pub(crate) fn must_encrypt(io: &Io) -> bool {
    let required = match &io.book.main {
        Some(pair) => io.policy(pair).require_tls,
        None => true,
    };
    required && io.tls.is_none()
}

/// Whether EXTERNAL is offered: the certificate proves the domain of the header (XEP-0178 section 3).
pub(crate) fn may_external(io: &Io) -> bool {
    let proven = io.book.main.as_ref().is_some_and(|pair| io.trust(&pair.remote).is_some());
    proven && !io.authenticated
}

/// Whether dialback could succeed: by the certificate, or because it need not.
pub(crate) fn may_dialback(io: &Io) -> bool {
    match &io.book.main {
        Some(pair) => io.trust(&pair.remote).is_some() || !io.policy(pair).require_certificate,
        // Nothing is known of it; each pair will be judged by itself.
        None => true,
    }
}
