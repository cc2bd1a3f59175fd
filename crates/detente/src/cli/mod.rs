//! The command line as types.
//!
//! Not here: what the commands do.

mod care;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use care::*;

use crate::exit::TABLE;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

const OVERVIEW: &str = "\
Set it up:
  init         write a configuration and a certificate to start with
  check        say whether configuration, DNS and certificates are in order, and if not, why
  serve        run the server

Look after it (also while it runs):
  user         make, list, show, suspend and remove accounts; set passwords
  invite       make links with which people make accounts
  group        say who sees whom in their contacts
  room         list, make, configure and end rooms; say who is what there
  session      see who is connected, and end sessions
  component    see which components are connected
  domain       add and remove domains
  cert         see until when certificates hold, and renew them
  s2s          see how things stand with other servers; test, block and allow them
  reports      read reports of spam and abuse
  announce     send a message to everybody who is online
  status       say how the server is doing

Move (while it is stopped):
  export       write all accounts and rooms into a file
  import       read files of this or another server

For your system:
  completions  words for the Tab key of your shell
  man          manual pages

Examples:
  detente init /srv/chat --domain example.org
  detente serve --config /srv/chat/detente.toml
  detente user add alice@example.org --config /srv/chat/detente.toml

The configuration is the file that --config names, else the one in the variable DETENTE_CONFIG,
else ./detente.toml, else /etc/detente/detente.toml. `detente help COMMAND` tells more.";

/// Détente, an XMPP server: one program, one configuration file, one folder of data.
#[derive(Debug, Parser)]
#[command(
    name = "detente", version, about, styles = STYLES, after_help = format!("{OVERVIEW}\n\n{TABLE}"),
    help_template = "{about-with-newline}\n{usage-heading} {usage}{after-help}\n\nOptions:\n{options}",
    max_term_width = 100
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a configuration and a certificate to start with
    ///
    /// Makes DIR with an annotated detente.toml, and a self-made certificate for each domain unless you give one.
    /// Nothing that exists is overwritten.
    #[command(after_help = INIT_EXAMPLES)]
    Init(Init),
    /// Run the server
    ///
    /// Stops in order on SIGTERM or Ctrl-C: clients are told and come back by themselves. On SIGHUP it reads the
    /// configuration and the certificates again.
    Serve(Serve),
    /// Say whether a configuration is in order
    ///
    /// Shows all faults at once, each with its place and what to do. The exit code is 1 if there is an error;
    /// warnings alone are no error.
    ///
    /// With --data it looks at all that is stored, too: the database's structure and the checksum of every value. The
    /// server must be stopped for that.
    ///
    /// With a word behind it, it looks from outside: `dns`, `certs` and `connectivity` say what is there, what is missing
    /// and what to do; the exit code is 1 if something does not work.
    #[command(args_conflicts_with_subcommands = true, after_help = CHECK_EXAMPLES)]
    Check(Check),
    /// Make, list, show, suspend and remove accounts; set passwords
    ///
    /// Works while the server runs and while it does not.
    #[command(subcommand, after_help = USER_EXAMPLES)]
    User(User),
    /// Make links with which people make accounts
    ///
    /// Whoever has the link may make an account, once, until it ends. With --contact the new account and that one become
    /// contacts of each other.
    #[command(args_conflicts_with_subcommands = true)]
    Invite(Invite),
    /// List, make, configure and end rooms; say who is what there
    ///
    /// Rooms obey as they obey an owner, whether they are listed or not, and those who are in them hear of it. Works while
    /// the server runs and while it does not.
    #[command(subcommand, after_help = ROOM_EXAMPLES)]
    Room(Room),
    /// See who is connected, and end sessions
    #[command(subcommand)]
    Session(Session),
    /// See which components are connected
    #[command(subcommand)]
    Component(Component),
    /// Add, list and remove domains
    ///
    /// Works while the server runs, which takes it over at once, and while it does not. Domains in the configuration are
    /// changed there.
    #[command(subcommand)]
    Domain(Domain),
    /// See until when certificates hold, and renew them
    ///
    /// Certificates in files are listed, too; only those that the server gets itself ([acme]) are renewed.
    #[command(subcommand)]
    Cert(Cert),
    /// See how things stand with other servers; test, block and allow them
    #[command(subcommand, after_help = S2S_EXAMPLES)]
    S2s(S2s),
    /// Say who sees whom in their contacts
    ///
    /// Members of a group see one another without asking. Groups in the configuration are not listed here. Works while the
    /// server runs and while it does not.
    #[command(subcommand)]
    Group(Group),
    /// Read reports of spam and abuse
    ///
    /// Users make them when they block somebody. Works while the server runs and while it does not.
    #[command(subcommand)]
    Reports(Reports),
    /// Write all accounts and rooms into a file that other servers understand
    ///
    /// The form is XEP-0227. The file holds what lets people log in and what they wrote: keep it as safe as the data
    /// folder. The server must be stopped.
    Export(Export),
    /// Read accounts and rooms from files of this or another server
    ///
    /// The form is XEP-0227, which Prosody and ejabberd can write, too. Accounts and rooms that exist stay as they are, so
    /// an import can be repeated. The server must be stopped.
    Import(Import),
    /// Say how the server is doing
    ///
    /// Exit code 1: it runs, but cannot store anything or does not answer.
    Status(Common),
    /// Send a message to everybody who is online
    Announce {
        /// What to say
        text: String,
        /// Only to accounts of this domain
        #[arg(long)]
        domain: Option<String>,
        #[command(flatten)]
        common: Common,
    },
    /// Print words for the Tab key of a shell
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Write manual pages into a folder
    Man {
        /// The folder; it must exist
        dir: PathBuf,
    },
    /// List the specifications that this server implements
    #[command(hide = true)]
    Xeps {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

const INIT_EXAMPLES: &str = "\
Examples:
  Try it on this machine:
    detente init try --domain localhost
  A domain with a certificate of yours:
    detente init /srv/chat --domain example.org --cert full.pem --key key.pem
  A second server beside the first, with ports 5322, 5323, 5380 and 5381:
    detente init second --domain b.localhost --port-offset 100";

const CHECK_EXAMPLES: &str = "\
Examples:
  detente check
  detente check dns
  detente check certs example.org --json
  detente check connectivity";

const USER_EXAMPLES: &str = "\
Examples:
  detente user add alice@example.org
  detente user add root@example.org --admin
  echo \"$PASSWORD\" | detente user passwd alice@example.org --password-stdin
  detente user list --json
  detente user suspend spammer@example.org";

const S2S_EXAMPLES: &str = "\
Examples:
  detente s2s list
  detente s2s test example.net
  detente s2s block spam.example";
const ROOM_EXAMPLES: &str = "\
Examples:
  detente room list
  detente room create team@conference.example.org --owner alice@example.org roomname=Team membersonly=1
  detente room config team@conference.example.org
  detente room config team@conference.example.org roomdesc='What the team talks about' publicroom=0
  detente room affiliation team@conference.example.org bob@example.org member
  detente room affiliation team@conference.example.org spam.example outcast --reason spam
  detente room destroy team@conference.example.org --reason 'nobody came'";

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  detente completions bash > ~/.local/share/bash-completion/completions/detente
  detente completions zsh > \"${fpath[1]}/_detente\"
  detente completions fish > ~/.config/fish/completions/detente.fish";

/// `check`.
#[derive(Debug, Args)]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) config: ConfigFile,
    /// Look at all that is stored, too; the server must be stopped
    #[arg(long)]
    pub(crate) data: bool,
    #[command(subcommand)]
    pub(crate) what: Option<CheckWhat>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CheckWhat {
    /// Say whether DNS leads clients and other servers here, and which records to add
    Dns(Outside),
    /// Say which certificates there are, for which names and until when, and what is missing
    Certs(Outside),
    /// Say whether the listeners answer, here and where DNS says that they are
    Connectivity(Outside),
}

/// What is seen from outside.
#[derive(Debug, Args)]
pub(crate) struct Outside {
    /// Only this domain of the server, and what is below it
    pub(crate) domain: Option<String>,
    /// Ask this server of DNS, as in 192.0.2.53 or 127.0.0.1:5353; may be given several times
    #[arg(long, value_name = "ADDRESS", value_parser = crate::check::name_server)]
    pub(crate) dns: Vec<SocketAddr>,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// `invite`.
#[derive(Debug, Args)]
pub(crate) struct Invite {
    #[command(subcommand)]
    pub(crate) what: Option<InviteWhat>,
    /// At this domain [default: the first]
    #[arg(long, value_name = "NAME")]
    pub(crate) domain: Option<String>,
    /// Becomes a contact of the new account
    #[arg(long, value_name = "JID")]
    pub(crate) contact: Option<String>,
    /// The only name that the new account may have
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// How long it holds, as in 7d or 12h
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = crate::invite::hours)]
    pub(crate) expires: u64,
    /// How often it can be used
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) uses: u32,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Subcommand)]
pub(crate) enum InviteWhat {
    /// List the invitations that hold
    List {
        /// Only of this domain
        domain: Option<String>,
        #[command(flatten)]
        common: Common,
    },
    /// End an invitation
    Revoke {
        /// Its id, as it is listed
        id: String,
        #[command(flatten)]
        common: Common,
    },
}

/// `user recover`.
#[derive(Debug, Args)]
pub(crate) struct Recover {
    #[command(flatten)]
    pub(crate) one: One,
    /// How long it holds, as in 2d or 12h
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = crate::invite::hours)]
    pub(crate) expires: u64,
}

/// `export`.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// Only this account
    #[arg(conflicts_with = "domain")]
    pub(crate) jid: Option<String>,
    /// Only this domain
    #[arg(long, value_name = "NAME")]
    pub(crate) domain: Option<String>,
    /// Where to [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Say how much it was as JSON, on standard error
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) config: ConfigFile,
}

/// `import`.
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The files; those that they include are found beside them
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Read everything and say what is in it, but store nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct ConfigFile {
    /// The configuration
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Init {
    /// The folder to make
    pub(crate) dir: PathBuf,
    /// A domain, the part behind the @ of its addresses; may be given several times
    #[arg(long = "domain", value_name = "NAME", required = true)]
    pub(crate) domains: Vec<String>,
    /// Address to listen on [default: 127.0.0.1 for localhost and names below it, else all]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<IpAddr>,
    /// Added to the ports 5222, 5223, 5280 and 5281
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) port_offset: u16,
    /// An own certificate with its chain (PEM)
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) cert: Option<PathBuf>,
    /// The private key of the certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(crate) key: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) config: ConfigFile,
    /// How log lines look [default: as configured]
    #[arg(long, value_name = "FORMAT")]
    pub(crate) log_format: Option<LogFormat>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    Text,
    /// For programs
    Json,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
        // The overview is written by hand: nothing may be missing.
        for command in Cli::command().get_subcommands().filter(|command| !command.is_hide_set()) {
            assert!(OVERVIEW.contains(&format!("\n  {} ", command.get_name())), "{}", command.get_name());
        }
    }
}
