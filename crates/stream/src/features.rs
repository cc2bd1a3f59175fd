//! `<stream:features/>`: what may be negotiated in each state.
//!
//! RFC 6120 sections 4.3.2, 5.3.1, 6.4.1, 7.4; RFC 6121 sections 2.6 and 3.4; RFC 7590 section 3.1; XEP-0077,
//! XEP-0115, XEP-0198, XEP-0352, XEP-0386, XEP-0388, XEP-0440, XEP-0478, XEP-0480, XEP-0484.
//!
//! Not here: what each feature does once it is asked for.

use stanza::ns;
use xml::Writer;

use crate::peer::Peer;
use crate::state::Io;
use crate::upgrading;

/// Before authentication. Without TLS, where TLS is required, there is nothing but `<starttls/>` (RFC 7590).
pub(crate) fn write_offered(io: &mut Io, peer: &Peer) {
    let mut w = io.wire.writer();
    let (sasl1, sasl2) = (peer.sasl1(&io.settings), peer.sasl2(&io.settings));
    if peer.may_start_tls(&io.settings, io.transport()) {
        w.open("starttls", ns::TLS);
        if sasl1.is_none() {
            w.open("required", ns::TLS).close();
        }
        w.close();
    }
    if let Some(offer) = &sasl2
        && !(offer.mechanisms().is_empty() && offer.fast().is_empty())
    {
        write_sasl2(&mut w, io, offer);
    }
    if let Some(offer) = &sasl1
        && !offer.mechanisms().is_empty()
    {
        w.open("mechanisms", ns::SASL);
        for mechanism in offer.mechanisms() {
            w.open("mechanism", ns::SASL).text(mechanism.name()).close();
        }
        w.close();
        write_bindings(&mut w, offer);
    }
    if peer.may_be_invited(&io.settings) {
        w.open("register", ns::IBR_TOKEN).close();
    }
    if peer.may_register(&io.settings) {
        w.open("register", ns::REGISTER_FEATURE).close();
    }
    if sasl1.is_some() {
        write_limits(&mut w, io.settings.limits_before_auth.element_bytes, None);
    }
    io.wire.put_stream("features", &w.finish());
}

fn write_sasl2(w: &mut Writer, io: &Io, offer: &sasl::Offer) {
    let managed = io.settings.stream_management;
    w.open("authentication", ns::SASL2);
    for mechanism in offer.mechanisms() {
        w.open("mechanism", ns::SASL2).text(mechanism.name()).close();
    }
    w.open("inline", ns::SASL2);
    w.open("bind", ns::BIND2).open("inline", ns::BIND2);
    for (var, offered) in [(ns::CARBONS, true), (ns::CSI, true), (ns::SM, managed)] {
        if offered {
            w.open("feature", ns::BIND2).attr("var", var).close();
        }
    }
    w.close().close();
    if managed {
        w.open("sm", ns::SM).close();
    }
    if !offer.fast().is_empty() {
        w.open("fast", ns::FAST);
        for mechanism in offer.fast() {
            w.open("mechanism", ns::FAST).text(mechanism.name()).close();
        }
        w.close();
    }
    w.close();
    upgrading::write_offer(w, offer);
    w.close();
}

fn write_bindings(w: &mut Writer, offer: &sasl::Offer) {
    if offer.bindings().is_empty() {
        return;
    }
    w.open("sasl-channel-binding", ns::CHANNEL_BINDING);
    for binding in offer.bindings() {
        w.open("channel-binding", ns::CHANNEL_BINDING).attr("type", binding.name()).close();
    }
    w.close();
}

fn write_limits(w: &mut Writer, bytes: u32, idle_seconds: Option<u64>) {
    w.open("limits", ns::STREAM_LIMITS);
    w.open("max-bytes", ns::STREAM_LIMITS).text(bytes.to_string()).close();
    if let Some(seconds) = idle_seconds {
        w.open("idle-seconds", ns::STREAM_LIMITS).text(seconds.to_string()).close();
    }
    w.close();
}

/// After authentication, before there is a resource.
pub(crate) fn write_unbound(io: &mut Io, peer: &Peer) {
    let mut w = io.wire.writer();
    w.open("bind", ns::BIND).open("required", ns::BIND).close().close();
    let domain = peer.login.as_ref().map_or("", |login| login.account.domain());
    write_session(&mut w, io, domain, true);
    io.wire.put_stream("features", &w.finish());
}

/// After Bind 2: what a bound session can still ask for.
pub(crate) fn write_bound(io: &mut Io, domain: &str, managed: bool) {
    let mut w = io.wire.writer();
    write_session(&mut w, io, domain, !managed);
    io.wire.put_stream("features", &w.finish());
}

fn write_session(w: &mut Writer, io: &Io, domain: &str, manageable: bool) {
    if io.settings.stream_management && manageable {
        w.open("sm", ns::SM).close();
    }
    w.open("csi", ns::CSI).close();
    w.open("ver", ns::ROSTER_VERSIONING).close();
    w.open("sub", ns::PRE_APPROVAL).close();
    write_limits(w, io.settings.limits.element_bytes, Some(io.settings.timeouts.idle.as_secs()));
    w.raw(&io.settings.domains.capabilities(domain));
}
