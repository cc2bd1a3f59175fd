//! The accounts that the clients use: number in, name and password out.
//!
//! Not here: creating them (`session.rs`, and scripts).

use crate::cli::Cli;

/// One account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Localpart.
    pub name: String,
    /// Password.
    pub password: String,
}

impl Account {
    /// Account number `n` of this run (counted from `--first-account`).
    pub(crate) fn numbered(cli: &Cli, n: usize) -> Self {
        let number = (cli.first_account + n).to_string();
        Self {
            name: cli.account_pattern.replace("{n}", &number),
            password: cli.password.replace("{n}", &number),
        }
    }
}
