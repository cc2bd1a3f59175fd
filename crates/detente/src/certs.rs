//! Certificates: what of the configuration their keeper gets, opening it, `detente cert ...`.
//!
//! Not here: getting them (crate `acme`), those in files (`reload.rs`).

use std::net::Ipv6Addr;
use std::sync::Arc;
use std::time::Duration;

use acme::{Keeper, Plan, Settings, Update, Way};
use admin::{Failure, FailureKind};
use config::{Challenge, Config};
use net::{Challenges, TlsStore};
use serde_json::{Value, json};
use store::BoxFuture;

use crate::reach::{Reach, args};
use crate::{cli, services, show};

/// Where account and certificates are kept, in the data folder.
const FOLDER: &str = "acme";
/// Columns of the list.
const COLUMNS: &[&str] = &["domain", "from", "until", "days_left", "next", "problem"];

/// The settings.
///
/// # Errors
/// The operator's file of authorities cannot be used.
fn settings(config: &Config) -> Result<Settings, Failure> {
    let own = &config.acme;
    // Where nothing is asked for it may be anything.
    let file = own.ca_file.as_ref().filter(|_| own.enabled).map(|path| config.path(path));
    let roots = acme::roots(file.as_deref()).map_err(|error| {
        let path = file.unwrap_or_default();
        Failure::new(FailureKind::Failed, format_args!("`ca_file` in [acme]: {}: {error}", path.display()))
    })?;
    let wait = Duration::from_secs(own.dns_wait_seconds);
    let way = match (own.challenge, &own.dns_program) {
        (Challenge::Tls, _) => Way::Tls,
        (Challenge::Http, _) => Way::Http,
        (Challenge::Dns, Some(program)) => Way::Hook(config.path(program), wait),
        (Challenge::Dns, None) => {
            let server = with_port(own.dns_server.as_deref().unwrap_or_default());
            let zone = own.dns_zone.clone().unwrap_or_default();
            Way::Update(Update { server, zone, key: own.dns_key() }, wait)
        }
    };
    Ok(Settings {
        directory: own.directory.clone(),
        contact: own.contact.clone(),
        way,
        external: own.external(),
        roots,
        folder: config.data_dir().join(FOLDER),
    })
}

/// A server of DNS, with the usual port where it has none.
fn with_port(server: &str) -> String {
    if server.parse::<Ipv6Addr>().is_ok() {
        return format!("[{server}]:53");
    }
    match server.rsplit_once(':') {
        Some((_, port)) if port.parse::<u16>().is_ok() => server.to_owned(),
        _ => format!("{server}:53"),
    }
}

/// One for each domain without a certificate in a file, with the addresses of its services.
fn plans(config: &Config) -> Vec<Plan> {
    let plan = |domain: String| {
        let (rooms, nodes) = services::addresses(config, std::slice::from_ref(&domain));
        let pushes = services::push_domain(config, &domain).map(|jid| jid.as_str().to_owned());
        let below = format!(".{domain}");
        let components = config.component.keys().filter(|name| name.ends_with(&below)).cloned();
        let all = rooms.into_iter().chain(nodes).chain(pushes).chain(components);
        Plan { more: all.filter(|_| config.acme.subdomains).collect(), domain }
    };
    config.acme_domains().into_iter().map(plan).collect()
}

/// Puts what is there into service.
///
/// # Errors
/// The settings cannot be used.
pub(crate) fn open(
    config: &Config,
    tls: Arc<TlsStore>,
    challenges: Arc<Challenges>,
) -> Result<Keeper, Failure> {
    Ok(Keeper::new(settings(config)?, plans(config), tls, challenges))
}

/// From now on as this configuration says.
///
/// # Errors
/// The settings cannot be used; the old ones stay.
pub(crate) fn replace(config: &Config, keeper: &Keeper) -> Result<(), Failure> {
    keeper.replace(settings(config)?, plans(config));
    Ok(())
}

/// What commands see: all certificates, wherever they come from.
pub(crate) struct Kept {
    pub(crate) keeper: Keeper,
    pub(crate) tls: Arc<TlsStore>,
    /// The domains of this server.
    pub(crate) domains: admin::Domains,
}

impl admin::Certificates for Kept {
    fn list(&self) -> Value {
        let standing = self.keeper.standing();
        let now = engine::start_time().now.unix_ms / 1000;
        let of = |domain: &String| {
            let own = standing.iter().find(|one| one.domain == *domain);
            let validity = self.tls.validity(domain);
            let left =
                validity.map(|(_, until)| until.saturating_sub(now.try_into().unwrap_or(i64::MAX)) / 86_400);
            let lacks = own.map(|own| &own.left_out[..]).unwrap_or_default().iter();
            let lacks: Vec<Value> = lacks.map(|(name, why)| json!({ "name": name, "why": why })).collect();
            let problem = match (own.and_then(|own| own.trouble.clone()), lacks.first()) {
                (Some(trouble), _) => Value::from(trouble),
                (None, Some(lack)) => {
                    format!("{} is not in it: {}", word(&lack["name"]), word(&lack["why"])).into()
                }
                (None, None) => Value::Null,
            };
            json!({
                "domain": domain,
                "from": if own.is_some() { "authority" } else if validity.is_some() { "file" } else { "nowhere" },
                "until": validity.map(|(_, until)| day(until)),
                "days_left": left,
                "next": own.map(|own| day(own.next.max(now.try_into().unwrap_or(i64::MAX)))),
                "failures": own.map(|own| own.failures),
                "problem": problem,
                "lacks": lacks,
            })
        };
        self.domains.names().iter().map(of).collect()
    }

    fn renewable(&self) -> Vec<String> {
        self.keeper.standing().into_iter().map(|own| own.domain).collect()
    }

    fn renew(&self, domain: String) -> BoxFuture<'static, Result<(), String>> {
        let keeper = self.keeper.clone();
        // On its own: who asked may stop waiting.
        let task = tokio::spawn(async move { keeper.renew(&domain, true).await });
        Box::pin(
            async move { task.await.unwrap_or_else(|_| Err("it has failed; the log says why".to_owned())) },
        )
    }
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A moment as people write it.
fn day(unix: i64) -> Option<String> {
    let millis = u64::try_from(unix).ok()?.checked_mul(1000)?;
    Some(stanza::when::milliseconds(millis))
}

/// `detente cert ...`
pub(crate) fn run(command: cli::Cert) -> Result<(), Failure> {
    match command {
        cli::Cert::List(common) => {
            let found = Reach::new(&common.config)?.run("cert list", args([]))?;
            if common.json {
                return show::json(&found["certificates"]);
            }
            show::table(found["certificates"].as_array().map_or(&[], Vec::as_slice), COLUMNS);
            Ok(())
        }
        cli::Cert::Renew { domain, common } => {
            let domain = domain.map_or(Value::Null, Value::from);
            let done = Reach::new(&common.config)?.run("cert renew", args([("domain", domain)]))?;
            if common.json {
                return show::json(&done);
            }
            for name in done["renewed"].as_array().into_iter().flatten() {
                println!("{}: a new certificate is in service", word(name));
            }
            for name in done["waiting"].as_array().into_iter().flatten() {
                println!(
                    "{}: the authority takes its time; `detente cert list` tells what becomes of it",
                    word(name)
                );
            }
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_of_dns_have_the_usual_port_or_their_own() {
        for (server, want) in [
            ("ns1.example.org", "ns1.example.org:53"),
            ("ns1.example.org:5353", "ns1.example.org:5353"),
            ("192.0.2.1", "192.0.2.1:53"),
            ("2001:db8::53", "[2001:db8::53]:53"),
            ("[2001:db8::53]", "[2001:db8::53]:53"),
            ("[2001:db8::53]:5353", "[2001:db8::53]:5353"),
        ] {
            assert_eq!(with_port(server), want, "{server}");
        }
    }

    #[test]
    fn a_file_of_authorities_is_of_no_matter_where_nothing_is_asked_for() {
        let mut config = Config::default();
        config.acme.ca_file = Some("/nowhere/authorities.pem".to_owned());
        assert!(settings(&config).is_ok());
        config.acme.enabled = true;
        assert!(settings(&config).is_err());
    }
}
