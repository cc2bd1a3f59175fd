//! External Service Discovery: where clients find what they need for calls, and with which credentials.
//!
//! XEP-0215 1.0.0
//!
//! Not here: the services (crate `relay`, or other servers), how credentials are made (`turn::credentials`).

use bytes::Bytes;
use kernel::{Access, Answer, Card, ExternalService, Feature, Host, HostFacts, Iq, IqRoute, Spec, Turn};
use stanza::{Condition, ns};
use turn::credentials::{Credentials, issue, pseudonym};
use xml::{El, Writer};

use crate::disco::Info;
use crate::when;

static CARD: Card = Card {
    specs: &[Spec::partial("XEP-0215", "1.0.0", "changes are not pushed: clients ask before each call")],
    iqs: &[IqRoute::host(ns::EXTERNAL_SERVICES)],
    ..Card::named("external")
};

/// XEP-0215.
pub(crate) struct External;

/// Section 5, for domains that have such services.
pub(crate) fn advertise(facts: &HostFacts, info: &mut Info) {
    info.vars.extend((!facts.external.is_empty()).then_some(ns::EXTERNAL_SERVICES));
}

impl Feature for External {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn host_iq(&self, turn: &mut Turn<'_, Host>, iq: &Iq<'_>) -> Answer<Host> {
        let (from, facts) = (iq.from(), &turn.place.facts);
        if facts.external.is_empty() {
            return Condition::ServiceUnavailable.into();
        }
        // Section 7: credentials are for people of this domain, and for nobody else.
        if from.domain() != turn.place.domain.as_str() || from.local().is_none() {
            return Condition::Forbidden.into();
        }
        let asked = match Asked::read(iq.payload) {
            Ok(asked) => asked,
            Err(condition) => return condition.into(),
        };
        let services: Vec<_> = facts.external.iter().filter(|service| asked.means(service)).collect();
        if asked.name == "credentials" && services.is_empty() {
            return Condition::ItemNotFound.into();
        }
        let now = turn.now.unix_ms / 1_000;
        Answer::Reply(write(&asked, &services, from.bare_str(), now))
    }
}

/// What a client wants.
struct Asked {
    /// `services` (section 3.1) or `credentials` (section 3.3).
    name: &'static str,
    /// The type that the request names, which the answer repeats.
    of: Option<String>,
    ty: Option<String>,
    host: Option<String>,
    port: Option<u16>,
}

impl Asked {
    fn read(request: El<'_>) -> Result<Asked, Condition> {
        let attr = |el: El<'_>, name| el.attr(name).map(|value| value.into_owned());
        match request.name() {
            "services" => {
                let ty = attr(request, "type");
                Ok(Asked { name: "services", of: ty.clone(), ty, host: None, port: None })
            }
            "credentials" => {
                let service = request.child("service", ns::EXTERNAL_SERVICES);
                let service = service.ok_or(Condition::BadRequest)?;
                let (ty, host) = (attr(service, "type"), attr(service, "host"));
                if ty.is_none() || host.is_none() {
                    return Err(Condition::BadRequest);
                }
                let port = service.attr("port").map(|port| port.parse());
                let port = port.transpose().map_err(|_| Condition::BadRequest)?;
                Ok(Asked { name: "credentials", of: None, ty, host, port })
            }
            _ => Err(Condition::BadRequest),
        }
    }

    fn means(&self, service: &ExternalService) -> bool {
        self.ty.as_ref().is_none_or(|ty| *ty == service.ty)
            && self.host.as_ref().is_none_or(|host| *host == service.host)
            && self.port.is_none_or(|port| service.port == Some(port))
    }
}

fn write(asked: &Asked, services: &[&ExternalService], account: &str, now: u64) -> Bytes {
    let mut w = Writer::new(ns::CLIENT);
    w.open(asked.name, ns::EXTERNAL_SERVICES).attr_opt("type", asked.of.as_deref());
    for service in services {
        w.open("service", ns::EXTERNAL_SERVICES).attr("type", &service.ty).attr("host", &service.host);
        if let Some(port) = service.port {
            w.attr("port", port.to_string());
        }
        w.attr_opt("transport", service.transport.as_deref());
        match &service.access {
            Access::Open => {}
            Access::Fixed { username, password } => {
                w.attr("restricted", "true").attr("username", username).attr("password", password);
            }
            Access::Expiring { secret, seconds } => {
                let until = now + seconds;
                let Credentials { username, password } = issue(secret, &pseudonym(secret, account), until);
                w.attr("restricted", "true").attr("username", &username).attr("password", &password);
                w.attr("expires", when::seconds(until));
            }
        }
        w.close();
    }
    w.close();
    w.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::{Scene, error};
    use std::sync::Arc;

    fn service(ty: &str, host: &str, port: u16, access: Access) -> ExternalService {
        ExternalService {
            ty: ty.into(),
            host: host.into(),
            port: Some(port),
            transport: Some("udp".into()),
            access,
        }
    }

    fn scene() -> Scene {
        let mut scene = Scene::one(External);
        let expiring = || Access::Expiring { secret: Arc::from(&b"secret"[..]), seconds: 3_600 };
        let fixed = Access::Fixed { username: "guest".into(), password: "it's open".into() };
        let external = vec![
            service("stun", "192.0.2.1", 3478, Access::Open),
            service("turn", "192.0.2.1", 3478, expiring()),
            service("turn", "192.0.2.1", 3479, expiring()),
            service("ftp", "ftp.example", 20, fixed),
        ];
        scene.facts(HostFacts { external, ..HostFacts::default() });
        scene
    }

    fn ask(scene: &mut Scene, from: &str, payload: &str) -> String {
        scene.host(&format!("<iq from='{from}' to='example.org' type='get' id='1'>{payload}</iq>")).remove(0)
    }

    const OWN: &str = "alice@example.org/phone";

    #[test]
    fn tells_services_with_credentials_that_expire() {
        let mut scene = scene();
        let seen = ask(&mut scene, OWN, "<services xmlns='urn:xmpp:extdisco:2'/>");
        let until = scene.now_ms / 1_000 + 3_600;
        let made = issue(b"secret", &pseudonym(b"secret", "alice@example.org"), until);
        let turn = |port: &str| {
            format!(
                "<service type='turn' host='192.0.2.1' port='{port}' transport='udp' restricted='true' \
                 username='{}' password='{}' expires='{}'/>",
                made.username,
                made.password,
                when::seconds(until)
            )
        };
        let want = format!(
            "<services xmlns='urn:xmpp:extdisco:2'>\
             <service type='stun' host='192.0.2.1' port='3478' transport='udp'/>{}{}\
             <service type='ftp' host='ftp.example' port='20' transport='udp' restricted='true' username='guest' \
             password='it&apos;s open'/></services>",
            turn("3478"),
            turn("3479")
        );
        assert!(seen.contains(&want), "{seen}\n{want}");
        assert!(!seen.contains("alice@example.org:") && !made.username.contains("alice"));
        let only = ask(&mut scene, OWN, "<services xmlns='urn:xmpp:extdisco:2' type='stun'/>");
        assert!(
            only.contains("<services xmlns='urn:xmpp:extdisco:2' type='stun'><service type='stun' "),
            "{only}"
        );
        assert_eq!(only.matches("<service ").count(), 1);
        let none = ask(&mut scene, OWN, "<services xmlns='urn:xmpp:extdisco:2' type='x'/>");
        assert!(none.contains("<services xmlns='urn:xmpp:extdisco:2' type='x'/>"), "{none}");
    }

    #[test]
    fn gives_credentials_for_one_service() {
        let mut scene = scene();
        let credentials =
            |inner: &str| format!("<credentials xmlns='urn:xmpp:extdisco:2'>{inner}</credentials>");
        for (inner, count, want) in [
            ("<service type='turn' host='192.0.2.1'/>", 2, "<credentials "),
            ("<service type='turn' host='192.0.2.1' port='3479'/>", 1, "port='3479'"),
            ("<service type='turn' host='192.0.2.1' port='1'/>", 0, "<item-not-found "),
            ("<service type='turn' host='192.0.2.1' port='x'/>", 0, "<bad-request "),
            ("<service type='turn' host='192.0.2.2'/>", 0, "<item-not-found "),
            ("<service host='192.0.2.1'/>", 0, "<bad-request "),
            ("<service type='turn'/>", 0, "<bad-request "),
            ("", 0, "<bad-request "),
        ] {
            let seen = ask(&mut scene, OWN, &credentials(inner));
            assert!(seen.contains(want) && seen.matches("username=").count() == count, "{inner}: {seen}");
        }
    }

    #[test]
    fn is_for_people_of_this_domain() {
        let mut scene = scene();
        let request = "<services xmlns='urn:xmpp:extdisco:2'/>";
        for stranger in ["eve@a.example/x", "a.example", "example.org"] {
            assert!(ask(&mut scene, stranger, request).contains("<forbidden "));
        }
        assert!(ask(&mut scene, OWN, "<other xmlns='urn:xmpp:extdisco:2'/>").contains("<bad-request "));
        scene.host.facts = Arc::new(HostFacts::default());
        assert!(ask(&mut scene, OWN, request).contains(&error("cancel", "service-unavailable")));
    }

    #[test]
    fn no_secret_stands_in_a_log() {
        let facts = scene().host.facts.clone();
        let text = format!("{facts:?}");
        assert!(!text.contains("guest") && !text.contains("115, 101"), "{text}");
    }
}
