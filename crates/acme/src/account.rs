//! Our account at the authority: made once for each, its key kept in the folder.
//!
//! RFC 8555 section 7.3
//!
//! Not here: what is asked for with it (`order.rs`).

use instant_acme::{Account, AccountCredentials, ExternalAccountKey, NewAccount};
use serde_json::{Map, Value};
use tokio::sync::Mutex;

use crate::folder::Folder;
use crate::http::Http;
use crate::settings::Settings;
use crate::trouble::Trouble;

/// Accounts that were made and could not be written, by the address of the authority's directory.
#[derive(Default)]
pub(crate) struct Unsaved(Mutex<Map<String, Value>>);

/// Opens the account, or makes it. The operator has agreed to the terms, or there would be no settings.
pub(crate) async fn open(
    settings: &Settings,
    folder: &Folder,
    unsaved: &Unsaved,
) -> Result<Account, Trouble> {
    let mut unsaved = unsaved.0.lock().await; // to the end: nobody makes another one meanwhile
    let http = || Http::new(&settings.roots).map_err(|error| Trouble::new(error.to_string()));
    let unreadable = |error: std::io::Error| {
        Trouble::new(format!(
            "the file accounts.json in {} cannot be used: {error}",
            settings.folder.display()
        ))
    };
    let mut all = folder.accounts().map_err(unreadable)?;
    if !unsaved.is_empty() {
        all.extend(unsaved.clone());
        match folder.put_accounts(&all) {
            Ok(()) => unsaved.clear(),
            Err(error) => tracing::error!("an account at an authority is not saved yet: {error}"),
        }
    }
    let trouble = |error| Trouble::of(&error, &settings.way);
    if let Some(known) = all.get(&settings.directory) {
        let credentials: AccountCredentials =
            serde_json::from_value(known.clone()).map_err(|error| unreadable(error.into()))?;
        let builder = Account::builder_with_http(Box::new(http()?));
        return builder.from_credentials(credentials).await.map_err(trouble);
    }
    // What could not be kept is not asked for.
    folder.put_accounts(&all).map_err(unreadable)?;
    let contact: Vec<&str> = settings.contact.iter().map(String::as_str).collect();
    let new = NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
    let external = settings.external.as_ref().map(|(id, key)| ExternalAccountKey::new(id.clone(), key));
    let builder = Account::builder_with_http(Box::new(http()?));
    let (account, credentials) =
        builder.create(&new, settings.directory.clone(), external.as_ref()).await.map_err(trouble)?;
    let credentials = serde_json::to_value(credentials).map_err(|error| unreadable(error.into()))?;
    all.insert(settings.directory.clone(), credentials.clone());
    if let Err(error) = folder.put_accounts(&all) {
        unsaved.insert(settings.directory.clone(), credentials);
        tracing::error!("the account at the authority is used, but cannot be saved: {error}");
    }
    tracing::info!(directory = settings.directory, "an account was made at the authority");
    Ok(account)
}

/// The authority does not know it any more: the next time another is made.
pub(crate) async fn forget(settings: &Settings, folder: &Folder, unsaved: &Unsaved) {
    unsaved.0.lock().await.remove(&settings.directory);
    let forgotten = folder.accounts().and_then(|mut all| {
        all.remove(&settings.directory);
        folder.put_accounts(&all)
    });
    if let Err(error) = forgotten {
        tracing::error!("accounts.json in {} cannot be written: {error}", settings.folder.display());
    }
}
