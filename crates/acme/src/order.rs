//! One certificate from the authority: order, proof of each name, the request with a key of its own, the chain.
//!
//! RFC 8555 section 7.4, RFC 9773 section 5 (what is replaced)
//!
//! Not here: when this is done, and what becomes of it (`keeper.rs`).

use instant_acme::{
    Account, AuthorizationState, AuthorizationStatus, CertificateIdentifier, Error, Identifier, NewOrder,
    Order, OrderStatus, Problem, RetryPolicy,
};
use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use rustls::pki_types::CertificateDer;
use tokio::time::Instant;

use crate::answer::{Doors, Shown, kind};
use crate::limits;
use crate::settings::{Plan, Way};
use crate::trouble::{Trouble, kind as kind_of};

/// What came of it.
pub(crate) struct Issued {
    /// The chain and the key, PEM.
    pub(crate) pem: String,
    /// Names that are not in it, and why.
    pub(crate) left_out: Vec<(String, String)>,
}

/// Why there is none.
enum Refused {
    /// These names were not proven, and why.
    Names(Vec<(String, Trouble)>),
    Whole(Trouble),
}

impl From<Trouble> for Refused {
    fn from(trouble: Trouble) -> Refused {
        Refused::Whole(trouble)
    }
}

/// Gets a certificate. The domain itself must be in it; what cannot be proven of the others is left out.
pub(crate) async fn obtain(
    account: &Account,
    way: &Way,
    doors: &Doors,
    plan: &Plan,
    old: Option<&CertificateDer<'_>>,
) -> Result<Issued, Trouble> {
    let mut names: Vec<String> = std::iter::once(&plan.domain).chain(&plan.more).cloned().collect();
    let mut left_out: Vec<(String, String)> = Vec::new();
    loop {
        match attempt(account, way, doors, &plan.domain, &names, old).await {
            Ok(pem) => return Ok(Issued { pem, left_out }),
            Err(Refused::Whole(trouble)) => return Err(trouble),
            Err(Refused::Names(bad)) => {
                if let Some((_, trouble)) = bad.iter().find(|(name, _)| *name == plan.domain) {
                    return Err(trouble.clone());
                }
                let before = names.len();
                names.retain(|name| !bad.iter().any(|(other, _)| other == name));
                if names.len() == before {
                    return Err(Trouble::new("the authority refuses names that were not asked for"));
                }
                left_out.extend(bad.into_iter().map(|(name, trouble)| (name, trouble.words)));
            }
        }
    }
}

async fn attempt(
    account: &Account,
    way: &Way,
    doors: &Doors,
    domain: &str,
    names: &[String],
    old: Option<&CertificateDer<'_>>,
) -> Result<String, Refused> {
    let mut order = open(account, way, names, old).await?;
    let mut shown = Shown::new(doors, way, domain);
    let proven = prove(&mut order, way, domain, &mut shown).await;
    shown.end().await;
    proven?;
    let key = KeyPair::generate().map_err(own)?;
    let mut params = CertificateParams::new(names.to_vec()).map_err(own)?;
    params.distinguished_name = DistinguishedName::new();
    let request = params.serialize_request(&key).map_err(own)?;
    let trouble = |error| Trouble::of(&error, way);
    order.finalize_csr(request.der()).await.map_err(trouble)?;
    let chain = order.poll_certificate(&patience()).await.map_err(trouble)?;
    Ok(format!("{}\n{}", chain.trim_end(), key.serialize_pem()))
}

fn own(error: rcgen::Error) -> Trouble {
    Trouble::new(format!("no request can be made: {error}"))
}

fn patience() -> RetryPolicy {
    // Not longer and longer pauses: with them the last would end long before the time is over.
    RetryPolicy::new().initial_delay(limits::POLL).backoff(1.0).timeout(limits::PATIENCE)
}

async fn open(
    account: &Account,
    way: &Way,
    names: &[String],
    old: Option<&CertificateDer<'_>>,
) -> Result<Order, Refused> {
    let identifiers: Vec<Identifier> = names.iter().cloned().map(Identifier::Dns).collect();
    let old =
        old.and_then(|old| CertificateIdentifier::try_from(old).ok().map(CertificateIdentifier::into_owned));
    let mut new = NewOrder::new(&identifiers);
    if let Some(old) = old {
        match account.new_order(&new.replaces(old)).await {
            Ok(order) => return Ok(order),
            // An authority that does not know the old one, or knows a newer one, still issues.
            Err(error) if about_the_old(&error) => {
                tracing::debug!("an order that replaces was refused: {error}");
            }
            Err(error) => return Err(refused(&error, way)),
        }
        new = NewOrder::new(&identifiers);
    }
    account.new_order(&new).await.map_err(|error| refused(&error, way))
}

/// Whether an order is refused for what it replaces (RFC 9773 section 5): the same without that is worth another one.
fn about_the_old(error: &Error) -> bool {
    match error {
        Error::Api(problem) => {
            let known = ["alreadyReplaced", "malformed", "conflict", "unauthorized"];
            known.contains(&kind_of(problem.r#type.as_deref())) || matches!(problem.status, Some(404 | 409))
        }
        Error::Unsupported(_) => true,
        // The library's words for an order that is there, but without what it replaces.
        Error::Other(error) => error.to_string().starts_with("replaces field mismatch"),
        _ => false,
    }
}

fn refused(error: &Error, way: &Way) -> Refused {
    match error {
        Error::Api(problem) => match named(problem, way) {
            bad if bad.is_empty() => Refused::Whole(Trouble::of(error, way)),
            bad => Refused::Names(bad),
        },
        _ => Refused::Whole(Trouble::of(error, way)),
    }
}

/// The names that a refusal is about (RFC 8555 section 6.7.1).
fn named(problem: &Problem, way: &Way) -> Vec<(String, Trouble)> {
    let of = |sub: &instant_acme::Subproblem| {
        let Some(Identifier::Dns(name)) = &sub.identifier else { return None };
        let mut whole = problem.clone();
        (whole.r#type, whole.detail) = (sub.r#type.clone(), sub.detail.clone());
        Some((name.to_ascii_lowercase(), Trouble::problem(&whole, way)))
    };
    problem.subproblems.iter().filter_map(of).collect()
}

/// Shows what is to be shown. Gives the names of which no proof can be shown, and why; the domain itself is not among them.
async fn begin(
    order: &mut Order,
    way: &Way,
    domain: &str,
    shown: &mut Shown<'_>,
) -> Result<Vec<(String, Trouble)>, Trouble> {
    let mut bad = Vec::new();
    let mut all = order.authorizations();
    while let Some(authorization) = all.next().await {
        let mut authorization = authorization.map_err(|error| Trouble::of(&error, way))?;
        if authorization.status != AuthorizationStatus::Pending {
            continue;
        }
        let name = authorization.identifier().to_string();
        let begun = match authorization.challenge(kind(way)) {
            Some(challenge) => shown.begin(&name, &challenge).await,
            None => Err(Trouble::new(format!(
                "the authority takes no proof of {name} of the kind that `challenge` in [acme] says"
            ))),
        };
        match begun {
            Ok(()) => {}
            Err(trouble) if name.eq_ignore_ascii_case(domain) => return Err(trouble),
            Err(trouble) => bad.push((name.to_ascii_lowercase(), trouble)),
        }
    }
    Ok(bad)
}

/// Shows what is to be shown, and waits until the authority has looked.
async fn prove(order: &mut Order, way: &Way, domain: &str, shown: &mut Shown<'_>) -> Result<(), Refused> {
    let trouble = |error| Trouble::of(&error, way);
    let bad = begin(order, way, domain, shown).await?;
    if !bad.is_empty() {
        return Err(Refused::Names(bad));
    }
    shown.settle().await;
    let mut all = order.authorizations();
    while let Some(authorization) = all.next().await {
        let mut authorization = authorization.map_err(trouble)?;
        if authorization.status == AuthorizationStatus::Pending
            && let Some(mut challenge) = authorization.challenge(kind(way))
        {
            challenge.set_ready().await.map_err(trouble)?;
        }
    }
    let until = Instant::now() + limits::PATIENCE;
    match order.poll_ready(&patience()).await {
        Ok(OrderStatus::Ready) => Ok(()),
        Err(Error::Timeout(_)) => Err(Refused::Whole(Trouble::new(
            "the authority did not look for proof in time; it is tried again",
        ))),
        outcome => {
            let bad = unproven(order, way, until).await?;
            match (bad.is_empty(), outcome) {
                (false, _) => Err(Refused::Names(bad)),
                (true, Err(error)) => Err(Refused::Whole(Trouble::of(&error, way))),
                (true, Ok(_)) => {
                    Err(Refused::Whole(Trouble::new("the authority refuses without saying why")))
                }
            }
        }
    }
}

/// The names that the authority does not believe, and why. It refuses the whole order at the first of them: the others may
/// still be looked at, for which their proof must stay.
async fn unproven(order: &mut Order, way: &Way, until: Instant) -> Result<Vec<(String, Trouble)>, Trouble> {
    let mut bad = Vec::new();
    let mut again = false;
    loop {
        let mut open = false;
        let mut all = order.authorizations();
        while let Some(authorization) = all.next().await {
            let mut authorization = authorization.map_err(|error| Trouble::of(&error, way))?;
            if again && authorization.status != AuthorizationStatus::Pending {
                continue;
            }
            // The order was asked for just now, with which the library forgets what it knew: the first time all are new.
            let state = match again {
                true => authorization.refresh().await.map_err(|error| Trouble::of(&error, way))?,
                false => &*authorization,
            };
            open |= state.status == AuthorizationStatus::Pending;
            if state.status == AuthorizationStatus::Invalid {
                bad.push(disbelieved(state, way));
            }
        }
        if !open || Instant::now() + limits::POLL > until {
            return Ok(bad);
        }
        again = true;
        tokio::time::sleep(limits::POLL).await;
    }
}

fn disbelieved(state: &AuthorizationState, way: &Way) -> (String, Trouble) {
    let why = state.challenges.iter().find_map(|challenge| challenge.error.as_ref());
    let why = why.map_or_else(
        || Trouble::new("the authority was not convinced, and does not say why"),
        |problem| Trouble::problem(problem, way),
    );
    (state.identifier().to_string().to_ascii_lowercase(), why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;
    use std::pin::Pin;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use crate::settings::Update;
    use bytes::Bytes;
    use hyper::{Request, Response};
    use instant_acme::{BodyWrapper, BytesResponse, HttpClient, NewAccount};
    use net::Challenges;
    use serde_json::{Value, json};
    use tokio::io::AsyncReadExt;

    /// An authority with one order of these names. What an authorization says the first, the second ... time; then the last
    /// again.
    struct Authority {
        names: &'static [(&'static str, &'static [&'static str])],
        asked: Mutex<HashMap<String, usize>>,
        http: Arc<Challenges>,
        /// Whether a token was still shown, each time that something pending was told.
        shown: Arc<Mutex<Vec<bool>>>,
    }

    const AT: &str = "https://authority.example";

    impl Authority {
        fn answer(&self, path: &str) -> Value {
            let mut asked = self.asked.lock().unwrap();
            let count = asked.entry(path.to_owned()).or_default();
            *count += 1;
            let at = |path: &str| format!("{AT}{path}");
            if let Some(name) = path.strip_prefix("/authorization/") {
                let states = self.names.iter().find(|(known, _)| *known == name).unwrap().1;
                let state = states[(*count - 1).min(states.len() - 1)];
                if state == "pending" {
                    self.shown.lock().unwrap().push(self.http.answer(name).is_some());
                }
                let error = json!({ "type": "urn:ietf:params:acme:error:connection", "detail": "no" });
                let challenge = |kind: &str| {
                    json!({ "type": kind, "url": at(&format!("/challenge/{name}")), "token": name, "status": "pending",
                        "error": if state == "invalid" { error.clone() } else { Value::Null } })
                };
                return json!({ "identifier": { "type": "dns", "value": name }, "status": state,
                    "challenges": [challenge("http-01"), challenge("tls-alpn-01"), challenge("dns-01")] });
            }
            if let Some(name) = path.strip_prefix("/challenge/") {
                return json!({ "type": "http-01", "url": at(path), "token": name, "status": "processing" });
            }
            let all: Vec<String> =
                self.names.iter().map(|(name, _)| at(&format!("/authorization/{name}"))).collect();
            match path {
                "/directory" => {
                    json!({ "newNonce": at("/nonce"), "newAccount": at("/account"), "newOrder": at("/order") })
                }
                "/order" => {
                    json!({ "status": "pending", "authorizations": all, "finalize": at("/finalize") })
                }
                "/order/1" => {
                    json!({ "status": "invalid", "authorizations": all, "finalize": at("/finalize") })
                }
                _ => json!({ "status": "valid" }),
            }
        }
    }

    impl HttpClient for Authority {
        fn request(
            &self,
            request: Request<BodyWrapper<Bytes>>,
        ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
            let body = self.answer(request.uri().path()).to_string();
            let response = Response::builder()
                .header("Replay-Nonce", "once")
                .header("Location", format!("{AT}/order/1"));
            let (parts, ()) = response.body(()).unwrap().into_parts();
            Box::pin(async move { Ok(BytesResponse { parts, body: Box::new(Bytes::from(body)) }) })
        }
    }

    /// The names that are refused, and whether proof was there whenever something was pending.
    async fn refused_of(
        way: &Way,
        names: &'static [(&'static str, &'static [&'static str])],
    ) -> (Vec<String>, Vec<bool>) {
        let doors = Doors { tls: Default::default(), http: Default::default() };
        let shown = Arc::<Mutex<Vec<bool>>>::default();
        let authority =
            Authority { names, asked: Default::default(), http: doors.http.clone(), shown: shown.clone() };
        let new = NewAccount { contact: &[], terms_of_service_agreed: true, only_return_existing: false };
        let builder = Account::builder_with_http(Box::new(authority));
        let (account, _) = builder.create(&new, format!("{AT}/directory"), None).await.unwrap();
        let all: Vec<String> = names.iter().map(|(name, _)| (*name).to_owned()).collect();
        let outcome = attempt(&account, way, &doors, &all[0], &all, None).await;
        let shown = shown.lock().unwrap().clone();
        match outcome {
            Err(Refused::Names(bad)) => (bad.into_iter().map(|(name, _)| name).collect(), shown),
            Err(Refused::Whole(trouble)) => panic!("{trouble:?}"),
            Ok(_) => panic!("it was issued"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn proof_stays_until_all_names_were_looked_at() {
        let (bad, shown) = refused_of(
            &Way::Http,
            &[
                ("a.example", &["pending", "pending", "pending", "valid"]),
                ("b.a.example", &["pending", "invalid"]),
                ("c.a.example", &["pending", "pending", "pending", "invalid"]),
            ],
        )
        .await;
        assert_eq!(bad, ["b.a.example", "c.a.example"]);
        // Nothing is shown yet when each is told for the first time.
        assert_eq!(shown, [false, false, false, true, true, true, true]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_that_is_never_looked_at_is_not_waited_for_without_end() {
        let names: &[(&str, &[&str])] =
            &[("a.example", &["pending"]), ("b.a.example", &["pending", "invalid"])];
        assert_eq!(refused_of(&Way::Http, names).await.0, ["b.a.example"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_of_which_no_proof_can_be_shown_is_left_out() {
        let names: &[(&str, &[&str])] = &[("a.example", &["pending"]), ("ä.a.example", &["pending"])];
        assert_eq!(refused_of(&Way::Tls, names).await.0, ["ä.a.example"]);
    }

    #[tokio::test]
    async fn the_zone_of_a_name_below_a_domain_is_the_domain() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = listener.local_addr().unwrap().to_string();
        let way = Way::Update(Update { server, zone: String::new(), key: None }, Duration::ZERO);
        let told = tokio::spawn(async move {
            let mut update = [0; 2 + 12 + 11];
            listener.accept().await.unwrap().0.read_exact(&mut update).await.unwrap();
            update[14..].to_vec()
        });
        // The name server says nothing: that costs the name only.
        let names: &[(&str, &[&str])] = &[("a.example", &["valid"]), ("b.a.example", &["pending"])];
        assert_eq!(refused_of(&way, names).await.0, ["b.a.example"]);
        assert_eq!(told.await.unwrap(), b"\x01a\x07example\0");
    }

    #[test]
    fn an_order_is_opened_again_only_where_what_it_replaces_is_refused() {
        let problem = |kind: &str| -> Error {
            let kind = format!("urn:ietf:params:acme:error:{kind}");
            Error::Api(serde_json::from_value(json!({ "type": kind })).unwrap())
        };
        for (error, want) in [
            (problem("alreadyReplaced"), true),
            (problem("malformed"), true),
            (problem("rateLimited"), false),
            (problem("serverInternal"), false),
            (Error::Other("replaces field mismatch: ...".into()), true),
            (Error::Other("no connection".into()), false),
            (Error::Timeout(None), false),
        ] {
            assert_eq!(about_the_old(&error), want, "{error}");
        }
    }

    #[test]
    fn patience_is_not_cut_short_by_pauses_that_grow() {
        assert!(format!("{:?}", patience()).contains("backoff: 1.0"));
    }
}
