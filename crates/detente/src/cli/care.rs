//! What the command line knows of looking after a server that runs: people, rooms, other servers, reports.
//!
//! Not here: starting and moving it (mod.rs), and what the commands do.

use clap::{Args, Subcommand};

use super::{ConfigFile, Recover};

/// What every command about accounts takes.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// Print the answer as JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) config: ConfigFile,
}

#[derive(Debug, Args)]
pub(crate) struct One {
    /// Address of the account, as in alice@example.org
    pub(crate) jid: String,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Args)]
pub(crate) struct WithPassword {
    #[command(flatten)]
    pub(crate) one: One,
    /// Read the password from the first line of standard input
    #[arg(long)]
    pub(crate) password_stdin: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum User {
    /// Make an account
    ///
    /// The password is asked for twice, or read from standard input with --password-stdin. It is never an argument:
    /// those can be seen by everybody on the machine.
    Add {
        #[command(flatten)]
        with: WithPassword,
        /// The account may administer its domain
        #[arg(long)]
        admin: bool,
    },
    /// Set a password; sessions and tokens of the account end
    Passwd(WithPassword),
    /// List accounts
    List {
        /// Only those of this domain
        domain: Option<String>,
        #[command(flatten)]
        common: Common,
    },
    /// Show what is known of an account
    Show(One),
    /// Forbid an account to log in, and end its sessions
    Suspend(One),
    /// Allow a suspended account to log in again
    Resume(One),
    /// Make a link with which an account can choose a new password, once
    Recover(Recover),
    /// Let an account administer its domain
    Promote(One),
    /// Take the right to administer away from an account
    Demote(One),
    /// Remove an account and everything that it owns, for good
    Remove {
        #[command(flatten)]
        one: One,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Domain {
    /// List the domains of this server
    List(Common),
    /// Add a domain, which is served at once
    Add {
        /// The part behind the @ of its addresses
        name: String,
        #[command(flatten)]
        common: Common,
    },
    /// Serve a domain no longer that was added by a command
    ///
    /// Everybody who is connected there is told. What is stored stays, and is there again when the domain is added again,
    /// unless --purge says otherwise.
    Remove {
        /// The domain
        name: String,
        /// Remove its accounts, rooms and messages, too, for good
        #[arg(long)]
        purge: bool,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Cert {
    /// List the certificates: until when they hold, and what is wrong
    List(Common),
    /// Get new certificates from the authority now
    Renew {
        /// Only for this domain
        domain: Option<String>,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Component {
    /// List the components, and which are connected
    List(Common),
}

/// Another server.
#[derive(Debug, Args)]
pub(crate) struct Server {
    /// Its domain, the part behind the @ of its addresses
    pub(crate) domain: String,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Subcommand)]
pub(crate) enum S2s {
    /// List those that are connected, for which something waits, that failed or that are blocked by command
    List(Common),
    /// Show how things stand with one: streams, what waits, what failed last, and what to do
    Show(Server),
    /// Connect to one anew, at all its addresses, and say step by step what came of it, and what to do
    ///
    /// DNS, TCP, TLS, certificate, authentication. Nothing is sent, and what is connected stays so. Exit code 1: no
    /// stanza could go there.
    Test {
        #[command(flatten)]
        server: Server,
        /// On behalf of this domain of ours [default: the first]
        #[arg(long, value_name = "NAME")]
        from: Option<String>,
    },
    /// End all streams with a domain and those below it, and talk with them no more
    ///
    /// Holds until `allow`, also after a restart. What waits for it, and what people send to it, comes back to them
    /// with `not-allowed`. Works while the server runs and while it does not.
    Block(Server),
    /// End such a block
    ///
    /// What the configuration blocks stays blocked.
    Allow(Server),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Group {
    /// List the groups
    List(Common),
    /// Show who is in a group
    Show {
        /// Name of the group
        name: String,
        #[command(flatten)]
        common: Common,
    },
    /// Add an account to a group; a group that is not there is made
    Add {
        #[command(flatten)]
        member: Member,
        /// What the others read as its name
        #[arg(long, value_name = "NAME")]
        called: Option<String>,
    },
    /// Take an account out of a group; a group without members is gone
    Remove(Member),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Room {
    /// List all rooms, hidden ones too
    List {
        /// Only those of this domain
        domain: Option<String>,
        #[command(flatten)]
        common: Common,
    },
    /// Show what is known of a room, and who is in it
    Show(OneRoom),
    /// Make a room; it stays when nobody is in it
    Create {
        #[command(flatten)]
        room: OneRoom,
        /// Who owns it
        #[arg(long, value_name = "JID")]
        owner: String,
        #[command(flatten)]
        settings: RoomSettings,
    },
    /// Show how a room is configured, or configure it
    Config {
        #[command(flatten)]
        room: OneRoom,
        #[command(flatten)]
        settings: RoomSettings,
    },
    /// List who is what to a room, or make somebody something
    Affiliation {
        #[command(flatten)]
        room: OneRoom,
        /// Whom; also a whole domain
        #[arg(requires = "affiliation")]
        jid: Option<String>,
        /// What: owner, admin, member, outcast (banned) or none
        affiliation: Option<String>,
        /// What people read about it
        #[arg(long, value_name = "TEXT", requires = "jid")]
        reason: Option<String>,
    },
    /// End a room and everything that was said in it, for good
    Destroy {
        #[command(flatten)]
        room: OneRoom,
        /// What those who are in it read
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        /// The room where they shall go instead
        #[arg(long, value_name = "JID")]
        instead: Option<String>,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

/// A room.
#[derive(Debug, Args)]
pub(crate) struct OneRoom {
    /// Address of the room, as in team@conference.example.org
    pub(crate) room: String,
    #[command(flatten)]
    pub(crate) common: Common,
}

/// What to configure.
#[derive(Debug, Args)]
pub(crate) struct RoomSettings {
    /// Settings with the names of the room's form, as in membersonly=1
    #[arg(value_name = "NAME=VALUE")]
    pub(crate) settings: Vec<String>,
    /// Read a password to enter from the first line of standard input
    #[arg(long)]
    pub(crate) password_stdin: bool,
}

/// An account in a group.
#[derive(Debug, Args)]
pub(crate) struct Member {
    /// Name of the group
    pub(crate) name: String,
    /// Address of the account, as in alice@example.org
    pub(crate) jid: String,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Reports {
    /// List reports, the oldest first
    List {
        /// Only of this domain
        domain: Option<String>,
        #[command(flatten)]
        common: Common,
    },
    /// Show a report
    Show(Numbered),
    /// Take a report from the list
    Done(Numbered),
}

/// What has an id.
#[derive(Debug, Args)]
pub(crate) struct Numbered {
    /// Its id, as it is listed
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) common: Common,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Session {
    /// List who is connected
    List {
        /// Only this account or domain
        of: Option<String>,
        #[command(flatten)]
        common: Common,
    },
    /// End all sessions of an account; it may log in again
    End(One),
}
