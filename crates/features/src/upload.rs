//! HTTP File Upload: a place for a file, for people of this domain.
//!
//! XEP-0363 1.2.0 (complete)
//!
//! Not here: the files (crate `files`), HTTP (net).

use bytes::Bytes;
use kernel::{Answer, Card, Feature, Host, HostFacts, Iq, IqRoute, Spec, Turn};
use model::query::{Found, Purpose, Query, Slot, UploadFound, UploadQuery};
use stanza::{Condition, ErrorType, StanzaError, ns};
use xml::{El, Writer};

use crate::disco::{Form, Identity, Info};
use crate::when;

/// Bytes of a file's name in a request.
const NAME_BYTES_MAX: usize = 1_024;

static CARD: Card = Card {
    specs: &[
        Spec::complete("XEP-0363", "1.2.0").note("offered by the domain itself; no headers are asked for")
    ],
    iqs: &[IqRoute::host(ns::UPLOAD)],
    ..Card::named("upload")
};

/// XEP-0363.
pub struct Upload;

/// Section 4 and section 5.2: what a domain with uploads says of them.
pub(crate) fn advertise(facts: &HostFacts, info: &mut Info) {
    let Some(upload) = facts.upload else { return };
    info.identities.push(Identity { category: "store", ty: "file", name: "HTTP File Upload" });
    info.vars.extend([ns::UPLOAD, ns::UPLOAD_MESSAGE, ns::UPLOAD_PROFILE, ns::UPLOAD_EPHEMERAL]);
    info.vars.extend(upload.permanent.then_some(ns::UPLOAD_PERMANENT));
    info.forms.push(Form {
        form_type: ns::UPLOAD,
        ty: "text-single",
        fields: vec![("max-file-size".into(), vec![upload.file_bytes.to_string()])],
    });
}

impl Feature for Upload {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn host_iq(&self, turn: &mut Turn<'_, Host>, iq: &Iq<'_>) -> Answer<Host> {
        let from = iq.from();
        if turn.place.facts.upload.is_none() {
            return Condition::ServiceUnavailable.into();
        }
        // Section 6: for people of this domain, and for nobody else.
        if from.domain() != turn.place.domain.as_str() || from.local().is_none() {
            return Condition::Forbidden.into();
        }
        let request = match Request::read(iq.payload) {
            Ok(request) => request,
            Err(error) => return error.into(),
        };
        let Request { name, bytes, media_type, purpose } = request;
        let query = UploadQuery::Slot { account: from.bare(), name, bytes, media_type, purpose };
        Answer::ask(Query::Upload(query), |_, found| match found {
            Found::Upload(found) => answer(found),
            _ => Condition::InternalServerError.into(),
        })
    }
}

fn answer(found: UploadFound) -> Answer<Host> {
    match found {
        UploadFound::Slot(slot) => Answer::Reply(write(&slot)),
        UploadFound::TooLarge(most) => too_large(most).into(),
        UploadFound::Quota(at) => quota(at).into(),
        UploadFound::Purpose => StanzaError::from(Condition::FeatureNotImplemented)
            .text("files for this purpose are not taken here")
            .into(),
        UploadFound::Malformed => bad("the media type or the time is none").into(),
        UploadFound::Off => Condition::ServiceUnavailable.into(),
        UploadFound::Files(_) | UploadFound::Deleted(_) => Condition::InternalServerError.into(),
    }
}

/// What a client wants to upload.
struct Request {
    name: String,
    bytes: u64,
    media_type: Option<String>,
    purpose: Purpose,
}

impl Request {
    /// Section 5.
    fn read(request: El<'_>) -> Result<Request, StanzaError> {
        if request.name() != "request" {
            return Err(Condition::BadRequest.into());
        }
        let name = request.attr("filename").unwrap_or_default();
        if name.trim().is_empty() || name.len() > NAME_BYTES_MAX {
            return Err(bad("`filename` is missing, empty or too long"));
        }
        let size = request.attr("size").and_then(|size| size.trim().parse().ok());
        let bytes = size.filter(|size| *size > 0).ok_or_else(|| bad("`size` is no number of bytes"))?;
        let media_type = request.attr("content-type").filter(|ty| !ty.is_empty());
        let purpose = purpose(request)?;
        Ok(Request { name: name.into_owned(), bytes, media_type: media_type.map(Into::into), purpose })
    }
}

/// Section 5.2. An unknown purpose is none: the default serves.
fn purpose(request: El<'_>) -> Result<Purpose, StanzaError> {
    let mut found = Purpose::default();
    for child in request.children().filter(|child| child.ns() == ns::UPLOAD_PURPOSE) {
        found = match child.name() {
            "profile" => Purpose::Profile,
            "permanent" => Purpose::Permanent,
            "ephemeral" => {
                let before = child.attr("expire-before");
                let until = before.and_then(|before| when::parse(&before));
                Purpose::Ephemeral(until.ok_or_else(|| bad("`expire-before` is no time"))?)
            }
            _ => found,
        };
    }
    Ok(found)
}

fn bad(text: &'static str) -> StanzaError {
    StanzaError::from(Condition::BadRequest).text(text)
}

fn write(slot: &Slot) -> Bytes {
    let mut w = Writer::new(ns::CLIENT);
    w.open("slot", ns::UPLOAD);
    w.open("put", ns::UPLOAD).attr("url", &slot.put).close();
    w.open("get", ns::UPLOAD).attr("url", &slot.get).close();
    w.close();
    w.finish()
}

/// Section 6: the client is told how large a file may be.
fn too_large(most: u64) -> StanzaError {
    let mut w = Writer::new(ns::CLIENT);
    w.open("file-too-large", ns::UPLOAD).leaf("max-file-size", ns::UPLOAD, most.to_string()).close();
    StanzaError::new(Condition::NotAcceptable, ErrorType::Modify)
        .text("the file is too large")
        .details(w.finish())
}

/// Section 6: the client is told when to try again.
fn quota(at_ms: u64) -> StanzaError {
    let mut w = Writer::new(ns::CLIENT);
    // Whole seconds, upwards: earlier it would fail again.
    w.open("retry", ns::UPLOAD).attr("stamp", when::stamp(at_ms.div_ceil(1_000) * 1_000)).close();
    StanzaError::from(Condition::ResourceConstraint).text("the quota is used up for now").details(w.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::{Scene, error};
    use kernel::UploadFacts;
    use std::sync::Arc;

    fn scene() -> Scene {
        let mut scene = Scene::one(Upload);
        let upload = Some(UploadFacts { file_bytes: 1_000, permanent: true });
        scene.facts(HostFacts { upload, ..HostFacts::default() });
        scene
    }

    fn ask(scene: &mut Scene, from: &str, attributes: &str, inner: &str) -> String {
        let request = format!("<request xmlns='urn:xmpp:http:upload:0' {attributes}>{inner}</request>");
        scene.host(&format!("<iq from='{from}' to='example.org' type='get' id='1'>{request}</iq>")).remove(0)
    }

    const OWN: &str = "alice@example.org/phone";
    const GOOD: &str = "filename='très cool.jpg' size='23456' content-type='image/jpeg'";

    #[test]
    fn gives_a_slot() {
        let mut scene = scene();
        scene.files.0 =
            UploadFound::Slot(Slot { put: "https://e/p?a=1&b=2".into(), get: "https://e/g".into() });
        let seen = ask(&mut scene, OWN, GOOD, "");
        let slot = "<slot xmlns='urn:xmpp:http:upload:0'><put url='https://e/p?a=1&amp;b=2'/>\
            <get url='https://e/g'/></slot>";
        assert!(seen.contains(slot), "{seen}");
        let purpose = |inner: &str| format!("<{inner} xmlns='urn:xmpp:http:upload:purpose:0'/>");
        let ephemeral = "ephemeral expire-before='1970-01-01T00:00:01Z'";
        for inner in ["message", "profile", "permanent", "other", ephemeral] {
            ask(&mut scene, OWN, GOOD, &purpose(inner));
        }
        let purposes = scene.files.1.iter().map(|query| match query {
            UploadQuery::Slot { account, name, bytes: 23456, media_type: Some(ty), purpose }
                if account.as_str() == "alice@example.org"
                    && name == "très cool.jpg"
                    && ty == "image/jpeg" =>
            {
                *purpose
            }
            other => panic!("{other:?}"),
        });
        let purposes: Vec<Purpose> = purposes.collect();
        let want =
            [Purpose::Message, Purpose::Message, Purpose::Profile, Purpose::Permanent, Purpose::Message];
        assert_eq!(purposes[..5], want);
        assert_eq!(purposes[5], Purpose::Ephemeral(1_000));
    }

    #[test]
    fn refuses_what_is_wrong() {
        let mut scene = scene();
        for attributes in ["", "filename='a'", "size='1'", "filename=' ' size='1'", "filename='a' size='0'"] {
            assert!(ask(&mut scene, OWN, attributes, "").contains(&error("modify", "bad-request")[..40]));
        }
        for size in ["-1", "1.5", "18446744073709551616", "x", ""] {
            let seen = ask(&mut scene, OWN, &format!("filename='a' size='{size}'"), "");
            assert!(seen.contains("<bad-request "), "{seen}");
        }
        let long = format!("filename='{}' size='1'", "a".repeat(1_025));
        assert!(ask(&mut scene, OWN, &long, "").contains("<bad-request "));
        let inner = "<ephemeral xmlns='urn:xmpp:http:upload:purpose:0' expire-before='soon'/>";
        assert!(ask(&mut scene, OWN, GOOD, inner).contains("<bad-request "));
        for stranger in ["eve@a.example/x", "a.example", "example.org"] {
            assert!(ask(&mut scene, stranger, GOOD, "").contains("<forbidden "));
        }
        assert!(scene.files.1.is_empty(), "nothing of this was asked of the files");
        scene.host.facts = Arc::new(HostFacts::default());
        assert!(ask(&mut scene, OWN, GOOD, "").contains(&error("cancel", "service-unavailable")));
    }

    #[test]
    fn says_what_is_too_much() {
        let mut scene = scene();
        for (found, want) in [
            (
                UploadFound::TooLarge(20_000),
                "<file-too-large xmlns='urn:xmpp:http:upload:0'><max-file-size>20000<",
            ),
            (
                UploadFound::Quota(1_001),
                "<retry xmlns='urn:xmpp:http:upload:0' stamp='1970-01-01T00:00:02Z'/>",
            ),
            (UploadFound::TooLarge(1), "type='modify'><not-acceptable "),
            (UploadFound::Quota(1), "type='wait'><resource-constraint "),
            (UploadFound::Purpose, "<feature-not-implemented "),
            (UploadFound::Malformed, "<bad-request "),
            (UploadFound::Off, "<service-unavailable "),
        ] {
            scene.files.0 = found;
            let seen = ask(&mut scene, OWN, GOOD, "");
            assert!(seen.contains(want), "{seen}");
        }
    }
}
