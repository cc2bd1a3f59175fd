//! One certificate from the authority: order, proof of each name, the request with a key of its own, the chain.
//!
//! RFC 8555 section 7.4, RFC 9773 section 5 (what is replaced)
//!
//! Not here: when this is done, and what becomes of it (`keeper.rs`).

use instant_acme::{
    Account, AuthorizationStatus, CertificateIdentifier, Error, Identifier, NewOrder, Order, OrderStatus,
    Problem, RetryPolicy,
};
use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use rustls::pki_types::CertificateDer;

use crate::answer::{Doors, Shown, kind};
use crate::limits;
use crate::settings::{Plan, Way};
use crate::trouble::Trouble;

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
        match attempt(account, way, doors, &names, old).await {
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
    names: &[String],
    old: Option<&CertificateDer<'_>>,
) -> Result<String, Refused> {
    let mut order = open(account, way, names, old).await?;
    let mut shown = Shown::new(doors, way);
    let proven = prove(&mut order, way, &mut shown).await;
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
    RetryPolicy::new().timeout(limits::PATIENCE)
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
            Err(error) => tracing::debug!("an order that replaces was refused: {error}"),
        }
        new = NewOrder::new(&identifiers);
    }
    account.new_order(&new).await.map_err(|error| match &error {
        Error::Api(problem) => match named(problem, way) {
            bad if bad.is_empty() => Refused::Whole(Trouble::of(&error, way)),
            bad => Refused::Names(bad),
        },
        _ => Refused::Whole(Trouble::of(&error, way)),
    })
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

/// Shows what is to be shown, and waits until the authority has looked.
async fn prove(order: &mut Order, way: &Way, shown: &mut Shown<'_>) -> Result<(), Refused> {
    let trouble = |error| Trouble::of(&error, way);
    let mut all = order.authorizations();
    while let Some(authorization) = all.next().await {
        let mut authorization = authorization.map_err(trouble)?;
        if authorization.status != AuthorizationStatus::Pending {
            continue;
        }
        let name = authorization.identifier().to_string();
        let challenge = authorization.challenge(kind(way)).ok_or_else(|| {
            Trouble::new(format!(
                "the authority takes no proof of {name} of the kind that `challenge` in [acme] says"
            ))
        })?;
        shown.begin(&name, &challenge).await?;
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
    match order.poll_ready(&patience()).await {
        Ok(OrderStatus::Ready) => Ok(()),
        Err(Error::Timeout(_)) => Err(Refused::Whole(Trouble::new(
            "the authority did not look for proof in time; it is tried again",
        ))),
        outcome => {
            let bad = unproven(order, way).await?;
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

/// The names that the authority does not believe, and why.
async fn unproven(order: &mut Order, way: &Way) -> Result<Vec<(String, Trouble)>, Trouble> {
    let mut bad = Vec::new();
    let mut all = order.authorizations();
    while let Some(authorization) = all.next().await {
        let mut authorization = authorization.map_err(|error| Trouble::of(&error, way))?;
        let state = authorization.refresh().await.map_err(|error| Trouble::of(&error, way))?;
        if state.status != AuthorizationStatus::Invalid {
            continue;
        }
        let why = state.challenges.iter().find_map(|challenge| challenge.error.as_ref());
        let why = why.map_or_else(
            || Trouble::new("the authority was not convinced, and does not say why"),
            |problem| Trouble::problem(problem, way),
        );
        bad.push((state.identifier().to_string().to_ascii_lowercase(), why));
    }
    Ok(bad)
}
