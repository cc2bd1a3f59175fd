//! The first start: makes the first account and says how to go on.
//!
//! Not here: the configuration (`init.rs`).

use std::path::Path;

use accounts::Accounts;
use address::Jid;
use admin::{Failure, FailureKind};
use config::Config;
use model::query::{AccountFound, AccountQuery, Password};

use crate::secret;

/// Makes an operator of the first domain, if there is no account at all. Gives what to tell the person at the terminal:
/// it holds the password, so it is for standard output and never for the log.
///
/// # Errors
/// Storage or random numbers fail.
pub(crate) async fn welcome(
    accounts: &Accounts,
    config: &Config,
    file: &Path,
) -> Result<Option<String>, Failure> {
    if !accounts.is_empty().await? {
        return Ok(None);
    }
    let strange = || Failure::new(FailureKind::Failed, "the first account could not be made");
    let domain = config.server.domains.first().ok_or_else(strange)?;
    let account = Jid::from_parts(Some("admin"), domain, None).map_err(|_| strange())?.bare();
    let password = secret::password()?;
    let create =
        AccountQuery::Create { account: account.clone(), password: Password::new(password.as_str()) };
    match accounts.answer(create).await? {
        AccountFound::Done => {}
        _ => return Err(strange()),
    }
    accounts.answer(AccountQuery::SetAdmin { account: account.clone(), admin: true }).await?;
    let file = file.display();
    let listen = &config.listen;
    let mut text = format!(
        "\nThis is the first start. An account to administer {domain} was made:\n\n    address   {account}\n    \
         password  {}\n\nThe password is shown only now. Change it: detente user passwd {account} --config {file}\n\
         More accounts: detente user add alice@{domain} --config {file}\n\nClients connect to:\n",
        password.as_str()
    );
    for (addresses, how) in [
        (&listen.c2s, "STARTTLS"),
        (&listen.c2s_tls, "direct TLS"),
        (&listen.shared, "direct TLS and HTTPS by ALPN"),
        (&listen.https, "WebSocket at wss://.../xmpp-websocket, BOSH at https://.../http-bind"),
        (&listen.http, "the same without TLS, for a proxy on this machine"),
    ] {
        if !addresses.is_empty() {
            text.push_str(&format!("    {:<32} {how}\n", addresses.join(", ")));
        }
    }
    Ok(Some(text))
}
