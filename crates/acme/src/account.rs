//! Our account at the authority: made once for each, its key kept in the folder.
//!
//! RFC 8555 section 7.3
//!
//! Not here: what is asked for with it (`order.rs`).

use instant_acme::{Account, AccountCredentials, ExternalAccountKey, NewAccount};

use crate::folder::Folder;
use crate::http::Http;
use crate::settings::Settings;
use crate::trouble::Trouble;

/// Opens the account, or makes it. The operator has agreed to the terms, or there would be no settings.
pub(crate) async fn open(settings: &Settings, folder: &Folder) -> Result<Account, Trouble> {
    let http = || Http::new(&settings.roots).map_err(|error| Trouble::new(error.to_string()));
    let unreadable = |error: std::io::Error| {
        Trouble::new(format!(
            "the file accounts.json in {} cannot be used: {error}",
            settings.folder.display()
        ))
    };
    let mut all = folder.accounts().map_err(unreadable)?;
    let trouble = |error| Trouble::of(&error, &settings.way);
    if let Some(known) = all.get(&settings.directory) {
        let credentials: AccountCredentials =
            serde_json::from_value(known.clone()).map_err(|error| unreadable(error.into()))?;
        let builder = Account::builder_with_http(Box::new(http()?));
        return builder.from_credentials(credentials).await.map_err(trouble);
    }
    let contact: Vec<&str> = settings.contact.iter().map(String::as_str).collect();
    let new = NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
    let external = settings.external.as_ref().map(|(id, key)| ExternalAccountKey::new(id.clone(), key));
    let builder = Account::builder_with_http(Box::new(http()?));
    let (account, credentials) =
        builder.create(&new, settings.directory.clone(), external.as_ref()).await.map_err(trouble)?;
    let credentials = serde_json::to_value(credentials).map_err(|error| unreadable(error.into()))?;
    all.insert(settings.directory.clone(), credentials);
    folder.put_accounts(&all).map_err(unreadable)?;
    tracing::info!(directory = settings.directory, "an account was made at the authority");
    Ok(account)
}

/// The authority does not know it any more: the next time another is made.
pub(crate) fn forget(settings: &Settings, folder: &Folder) {
    let forgotten = folder.accounts().and_then(|mut all| {
        all.remove(&settings.directory);
        folder.put_accounts(&all)
    });
    if let Err(error) = forgotten {
        tracing::error!("accounts.json in {} cannot be written: {error}", settings.folder.display());
    }
}
