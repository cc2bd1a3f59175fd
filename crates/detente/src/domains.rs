//! Domains that come and go while the server runs, and `detente domain ...`.
//!
//! Not here: what the parts make of it (the parts), commands (admin), other changes of the configuration (`reload.rs`).

use address::Jid;
use admin::Failure;
use config::Config;
use engine::Input;
use serde_json::Value;
use store::Store;

use crate::reach::{Reach, args};
use crate::reload::Parts;
use crate::serve::failed;
use crate::{cli, services, show, translate};

/// The configuration with the domains that commands have added. Those that cannot be there are left out, and named.
///
/// # Errors
/// The store cannot be read.
pub(crate) async fn with_added(config: Config, store: &dyn Store) -> Result<Config, Failure> {
    let (config, refused) = config.with_added(&admin::stored_domains(store).await?);
    for (domain, why) in refused {
        tracing::error!(domain, "a domain that was added is not served: {why}");
    }
    Ok(config)
}

/// What commands see of them.
pub(crate) fn of(config: &Config) -> admin::Domains {
    admin::Domains::new(&config.server.domains, &config.added, services::of_rooms(config))
}

impl Parts {
    /// The engine and everybody who looks domains up hear which came and which went. Certificates, accounts and streams
    /// have heard already, so that nobody new comes to one that goes.
    pub(crate) async fn rehost(&self, now: &Config, next: &Config) {
        let (old, new) = (&now.server.domains, &next.server.domains);
        for domain in old.iter().filter(|domain| !new.contains(domain)) {
            let Ok(jid) = Jid::parse(domain) else { continue };
            let of = services::listed(now, domain).into_iter().map(|(service, _)| service).collect();
            self.engine.send(Input::DomainGone(jid, of)).await;
            self.tls.remove(domain);
            tracing::info!(domain, "a domain is served no longer");
        }
        // A domain without its stored groups is better than half a domain; they come with the next change of them.
        let groups = match admin::stored_groups(&*self.store).await {
            Ok(groups) => groups,
            Err(fault) => {
                tracing::error!(%fault, "the groups of new domains cannot be read");
                Default::default()
            }
        };
        let facts = translate::hosts(next, self.started_ms, &self.secret, &groups);
        for (jid, facts) in facts.into_iter().filter(|(jid, _)| !old.iter().any(|old| old == jid.as_str())) {
            let of = services::of(next, &jid.as_str().to_owned(), self.started_ms);
            tracing::info!(domain = jid.as_str(), "a domain is served from now on");
            self.engine.send(Input::Domain(jid, facts, of)).await;
        }
        if let (Some(files), Some(settings)) = (&self.files, translate::files(next)) {
            files.replace_urls(settings.urls);
        }
        if let Some(pushes) = &self.pushes {
            pushes.replace(next);
        }
        if self.federation.is_none() && next.federates() {
            tracing::warn!("this server can talk with others only after a restart");
        }
    }

    /// Commands see these from now on.
    pub(crate) fn served(&self, config: &Config) {
        let (all, added) = (&config.server.domains, &config.added);
        self.notices.domains.replace(all, added, services::of_rooms(config));
    }

    /// A command has added or removed a domain. Gives back what holds now.
    pub(crate) async fn redomain(&self, now: Config) -> Config {
        match with_added(now.clone(), &*self.store).await {
            Ok(next) => {
                self.take_over(&now, &next).await;
                next
            }
            Err(failure) => {
                tracing::error!("{failure}");
                now
            }
        }
    }
}

/// `detente domain ...`
pub(crate) fn run(command: cli::Domain) -> Result<(), Failure> {
    match command {
        cli::Domain::List(common) => {
            let found = Reach::new(&common.config)?.run("domain list", args([]))?;
            if common.json {
                return show::json(&found["domains"]);
            }
            let rows = found["domains"].as_array().map_or(&[][..], Vec::as_slice);
            show::table(rows, &["domain", "from", "served"]);
            Ok(())
        }
        cli::Domain::Add { name, common } => {
            let done = Reach::new(&common.config)?.run("domain add", args([("name", name.into())]))?;
            told(&common, &done, "is a domain of this server now")
        }
        cli::Domain::Remove { name, purge, yes, common } => {
            if purge && !yes {
                return Err(failed(
                    "this removes all accounts, rooms and messages of the domain for good: say --yes, too",
                ));
            }
            let given = [("name", name.into()), ("purge", purge.into())];
            let done = Reach::new(&common.config)?.run("domain remove", args(given))?;
            let what = match purge {
                true => "is served no longer, and all that it had is removed",
                false => "is served no longer; what is stored of it stays",
            };
            told(&common, &done, what)
        }
    }
}

fn told(common: &cli::Common, done: &Value, what: &str) -> Result<(), Failure> {
    if common.json {
        return show::json(done);
    }
    println!("{} {what}", done["domain"].as_str().unwrap_or_default());
    Ok(())
}
