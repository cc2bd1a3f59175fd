//! The table of commands, and how one is run.
//!
//! Not here: what they do (`users.rs`, `sessions.rs` and others).

use serde_json::{Map, Value};
use store::BoxFuture;

use crate::args::{Arg, ArgKind, Args};
use crate::{
    Failure, FailureKind, Port, certs, components, domains, groups, invites, notices, reports, rooms,
    servers, sessions, users,
};

/// What a command comes to.
pub(crate) type Outcome<'a> = BoxFuture<'a, Result<Value, Failure>>;

/// A command.
pub struct Command {
    /// One word or two: what it is about, and what is done.
    pub name: &'static str,
    /// What it does, in a sentence.
    pub about: &'static str,
    /// What it takes.
    pub args: &'static [Arg],
    /// Whether it changes something: then it is logged.
    pub changes: bool,
    run: for<'a> fn(&'a dyn Port, Args) -> Outcome<'a>,
}

const fn arg(name: &'static str, kind: ArgKind, required: bool, about: &'static str) -> Arg {
    Arg { name, kind, required, about }
}

const JID: Arg = arg("jid", ArgKind::Account, true, "Address of the account.");
const SERVER: Arg = arg("domain", ArgKind::Text, true, "Domain of the other server.");
const GROUP: Arg = arg("name", ArgKind::Text, true, "Name of the group.");
const REPORT: Arg = arg("id", ArgKind::Text, true, "As it is listed.");
const ROOM: Arg = arg("room", ArgKind::Account, true, "Address of the room.");
const SETTINGS: Arg = arg("settings", ArgKind::Texts, false, "What to configure: NAME=VALUE.");
const SECRET: Arg = arg("password", ArgKind::Password, false, "A password to enter.");
const REASON: Arg = arg("reason", ArgKind::Text, false, "What those whom it concerns read.");
const PASSWORD: Arg = arg("password", ArgKind::Password, true, "Its new password.");

macro_rules! command {
    ($name:literal, $changes:literal, $about:literal, [$($arg:expr),*], $run:path) => {
        Command { name: $name, about: $about, args: &[$($arg),*], changes: $changes, run: |port, args| Box::pin($run(port, args)) }
    };
}

/// All commands.
pub const COMMANDS: &[Command] = &[
    command!(
        "user add",
        true,
        "Makes an account.",
        [JID, PASSWORD, arg("admin", ArgKind::Flag, false, "Whether it may administer its domain.")],
        users::add
    ),
    command!(
        "user passwd",
        true,
        "Sets a password; sessions and tokens of the account end.",
        [JID, PASSWORD],
        users::passwd
    ),
    command!(
        "user list",
        false,
        "Lists the accounts of a domain, or of all.",
        [
            arg("domain", ArgKind::Domain, false, "Only this domain."),
            arg("after", ArgKind::Account, false, "Only those after this one."),
            arg("limit", ArgKind::Number, false, "At most so many.")
        ],
        users::list
    ),
    command!("user show", false, "Shows what is known of an account.", [JID], users::show),
    command!(
        "user suspend",
        true,
        "Forbids an account to log in and ends its sessions.",
        [JID],
        users::suspend
    ),
    command!("user resume", true, "Allows a suspended account to log in again.", [JID], users::resume),
    command!("user promote", true, "Lets an account administer its domain.", [JID], users::promote),
    command!(
        "user demote",
        true,
        "Takes the right to administer away from an account.",
        [JID],
        users::demote
    ),
    command!(
        "user remove",
        true,
        "Removes an account and everything that it owns, for good.",
        [JID],
        users::remove
    ),
    command!(
        "session list",
        false,
        "Lists who is connected.",
        [arg("of", ArgKind::Place, false, "Only of this account or domain.")],
        sessions::list
    ),
    command!(
        "session end",
        true,
        "Ends all sessions of an account; it may log in again.",
        [JID],
        sessions::end
    ),
    command!(
        "cert list",
        false,
        "Lists the certificates: until when they hold, and what is wrong.",
        [],
        certs::list
    ),
    command!(
        "cert renew",
        true,
        "Gets new certificates from the authority now.",
        [arg("domain", ArgKind::Domain, false, "Only for this domain.")],
        certs::renew
    ),
    command!("domain list", false, "Lists the domains of this server.", [], domains::list),
    command!(
        "domain add",
        true,
        "Adds a domain, which is served at once.",
        [arg("name", ArgKind::Text, true, "The domain.")],
        domains::add
    ),
    command!(
        "domain remove",
        true,
        "Serves a domain no longer that was added by a command.",
        [
            arg("name", ArgKind::Text, true, "The domain."),
            arg("purge", ArgKind::Flag, false, "Whether its accounts, rooms and all else are removed, too.")
        ],
        domains::remove
    ),
    command!("component list", false, "Lists the components, and which are connected.", [], components::list),
    command!(
        "s2s list",
        false,
        "Lists other servers: those that are connected, those for which something waits, those that failed.",
        [],
        servers::list
    ),
    command!("s2s show", false, "Shows how things stand with another server.", [SERVER], servers::show),
    command!(
        "s2s test",
        false,
        "Connects to another server anew and says what came of it.",
        [SERVER, arg("from", ArgKind::Domain, false, "On behalf of this domain; else of the first one.")],
        servers::test
    ),
    command!(
        "s2s block",
        true,
        "Ends all streams with a domain and those below it, and talks with them no more.",
        [SERVER],
        servers::block
    ),
    command!("s2s allow", true, "Ends such a block.", [SERVER], servers::allow),
    command!(
        "user recover",
        true,
        "Makes a token with which an account can choose a new password, once.",
        [JID, arg("hours", ArgKind::Number, false, "How long it holds.")],
        invites::recover
    ),
    command!(
        "invite",
        true,
        "Makes an invitation: whoever has it may make an account.",
        [
            arg("domain", ArgKind::Domain, false, "At this domain; else at the first one."),
            arg("contact", ArgKind::Account, false, "Becomes a contact of the new account."),
            arg("name", ArgKind::Text, false, "The only name that the new account may have."),
            arg("hours", ArgKind::Number, false, "How long it holds."),
            arg("uses", ArgKind::Number, false, "How often it can be used.")
        ],
        invites::invite
    ),
    command!(
        "invite list",
        false,
        "Lists the invitations that hold.",
        [arg("domain", ArgKind::Domain, false, "Only of this domain.")],
        invites::list
    ),
    command!(
        "invite revoke",
        true,
        "Ends an invitation.",
        [arg("id", ArgKind::Text, true, "As it is listed.")],
        invites::revoke
    ),
    command!(
        "reports list",
        false,
        "Lists reports of spam and abuse, the oldest first.",
        [arg("domain", ArgKind::Domain, false, "Only of this domain.")],
        reports::list
    ),
    command!("reports show", false, "Shows a report.", [REPORT], reports::show),
    command!("reports done", true, "Takes a report from the list.", [REPORT], reports::done),
    command!("group list", false, "Lists the groups that were made by commands.", [], groups::list),
    command!("group show", false, "Shows who is in a group.", [GROUP], groups::show),
    command!(
        "group add",
        true,
        "Adds an account to a group; all members see one another in their contacts.",
        [GROUP, JID, arg("called", ArgKind::Text, false, "What the others read as its name.")],
        groups::add
    ),
    command!("group remove", true, "Takes an account out of a group.", [GROUP, JID], groups::remove),
    command!(
        "room list",
        false,
        "Lists all rooms, hidden ones too.",
        [arg("of", ArgKind::Place, false, "Only of this domain.")],
        rooms::list
    ),
    command!("room show", false, "Shows what is known of a room, and who is in it.", [ROOM], rooms::show),
    command!(
        "room create",
        true,
        "Makes a room that stays.",
        [ROOM, arg("owner", ArgKind::Account, true, "Who owns it."), SETTINGS, SECRET],
        rooms::create
    ),
    command!(
        "room destroy",
        true,
        "Ends a room, and all that was said in it.",
        [ROOM, REASON, arg("instead", ArgKind::Place, false, "Where people shall go.")],
        rooms::destroy
    ),
    command!("room config", false, "Shows how a room is configured.", [ROOM], rooms::config),
    command!("room configure", true, "Configures a room.", [ROOM, SETTINGS, SECRET], rooms::configure),
    command!("room affiliations", false, "Lists who is what to a room.", [ROOM], rooms::affiliations),
    command!(
        "room affiliation",
        true,
        "Makes somebody owner, admin, member or outcast of a room, or none of these.",
        [
            ROOM,
            arg("jid", ArgKind::Place, true, "Whom; also a whole domain."),
            arg("affiliation", ArgKind::Text, true, "What."),
            REASON
        ],
        rooms::affiliation
    ),
    command!("status", false, "Tells how the server is doing.", [], status),
    command!(
        "announce",
        true,
        "Sends a message to everybody who is online.",
        [
            arg("text", ArgKind::Text, true, "What to say."),
            arg("domain", ArgKind::Domain, false, "Only to accounts of this domain.")
        ],
        notices::announce
    ),
];

async fn status(port: &dyn Port, _: Args) -> Result<Value, Failure> {
    port.status().await.ok_or_else(sessions::nobody)
}

/// The command of that name.
///
/// # Errors
/// There is none.
pub fn command(name: &str) -> Result<&'static Command, Failure> {
    let known = COMMANDS.iter().find(|command| command.name == name);
    known.ok_or_else(|| Failure::new(FailureKind::Usage, format_args!("there is no command \"{name}\"")))
}

/// Runs a command.
///
/// # Errors
/// It is unknown, its arguments do not fit, or it failed.
pub async fn run(port: &dyn Port, name: &str, args: Map<String, Value>) -> Result<Value, Failure> {
    let command = command(name)?;
    let args = Args::check(args, command.args)?;
    // Read before the arguments go: a log of what operators did.
    let concerned = ["room", "jid", "domain"].into_iter().find_map(|name| args.text(name));
    let about = command.changes.then(|| concerned.unwrap_or_default().to_owned());
    let outcome = (command.run)(port, args).await;
    if let Some(about) = about {
        let failed = outcome.as_ref().err().map(|failure| failure.text.as_str());
        tracing::info!(command = command.name, account = about, failed, "administration");
    }
    outcome
}
