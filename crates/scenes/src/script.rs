//! Reading scenes.
//!
//! Not here: playing them.

use address::{Bare, Jid};

use crate::pattern::{self, Tree};
use crate::world::{Act, Wish};

/// A scene.
#[derive(Debug)]
pub struct Scene {
    /// What it is about: the comment that it begins with.
    pub about: String,
    /// The clients' names and addresses.
    pub clients: Vec<(String, Jid, Wish)>,
    /// What happens, with line numbers.
    pub steps: Vec<(usize, Step)>,
}

/// One step.
#[derive(Clone, Debug)]
pub enum Step {
    /// Something happens.
    Do(Act),
    /// A client connects, and gets an address; with this much of a usual start after that.
    Start(usize, Jid, Wish, Start),
    /// A client cannot connect, for this condition.
    CannotStart(usize, Jid, Wish, String),
    /// These two accounts become contacts of each other, by way of clients that come and go before the play begins.
    Befriend(Bare, Bare),
    /// A client sends stanzas.
    Send(usize, String),
    /// A client receives these stanzas next; the flag says whether in order.
    Receive(usize, Expected, bool),
    /// A client has not received anything.
    Nothing(usize),
    /// What a client has received does not matter.
    Forget(usize),
    /// A client acknowledges all that it has received.
    AckAll(usize),
    /// A client hears `<a/>` with this number, or has not heard any.
    GetAck(usize, Option<u32>),
    /// A client has been asked for an acknowledgement, or not.
    Asked(usize, bool),
    /// A client resumes its session (or that of another), having handled so many stanzas, and hears how many the
    /// server has handled.
    Resume(usize, usize, Option<u32>, Option<u32>),
    /// The same, but it cannot.
    CannotResume(usize, usize, Option<u32>, Option<u32>),
    /// A client's stream has been closed, with this error if any.
    Closed(usize, Option<String>),
}

/// Elements that are expected.
#[derive(Clone, Debug)]
pub struct Expected(pub(crate) Vec<Tree>);

/// What a client does at once when it has connected; what it receives then does not matter.
#[derive(Clone, Copy, Debug, Default)]
pub struct Start {
    /// It asks for the roster.
    pub roster: bool,
    /// It sends presence.
    pub presence: bool,
}

/// Reads a scene.
///
/// # Errors
/// If a line is not of the language; the message names it.
pub fn parse(text: &str) -> Result<Scene, String> {
    let mut scene = Scene { about: String::new(), clients: Vec::new(), steps: Vec::new() };
    let lines: Vec<&str> = text.lines().collect();
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        let number = at + 1;
        at += 1;
        if line.trim().is_empty() {
            continue;
        }
        if let Some(comment) = line.strip_prefix('#') {
            if scene.steps.is_empty() && scene.clients.is_empty() && scene.about.is_empty() {
                scene.about = comment.trim().to_owned();
            }
            continue;
        }
        let start = at;
        while lines.get(at).is_some_and(|line| line.starts_with([' ', '\t']) || line.is_empty()) {
            at += 1;
        }
        let block = lines[start..at].join("\n");
        let step = line_step(&mut scene, line.trim(), block.trim()).map_err(|why| format!("line {number}: {why}"))?;
        scene.steps.extend(step.map(|step| (number, step)));
    }
    match scene.about.is_empty() {
        true => Err("a scene begins with a comment that says what it is about".to_owned()),
        false => Ok(scene),
    }
}

fn line_step(scene: &mut Scene, line: &str, block: &str) -> Result<Option<Step>, String> {
    let takes_block = line.ends_with(':');
    if takes_block == block.is_empty() {
        return Err(format!("'{line}' and a block do not fit"));
    }
    let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
    let act = |act| Ok(Some(Step::Do(act)));
    match first {
        "account" => act(Act::Account(bare(rest)?)),
        "domain" => act(Act::Domain(rest.to_owned())),
        "friends" => {
            let (one, other) = rest.split_once(' ').ok_or("friends ACCOUNT ACCOUNT")?;
            Ok(Some(Step::Befriend(bare(one)?, bare(other)?)))
        }
        "client" => {
            let (name, rest) = rest.split_once(" = ").ok_or("client NAME = ADDRESS")?;
            let (address, rest) = rest.split_once(" with ").unwrap_or((rest, ""));
            let (wish, start) = wishes(rest)?;
            if start.roster || start.presence {
                return Err("roster and presence are for 'connects'".to_owned());
            }
            scene.clients.push((name.to_owned(), jid(address)?, wish));
            Ok(None)
        }
        "network" if rest == "brings:" => act(Act::Network(block.to_owned())),
        "time" => act(Act::Pass(duration(rest.strip_prefix("passes ").ok_or("time passes 3s")?)?)),
        "storage" => act(match rest {
            "stalls" => Act::StorageStalls,
            "resumes" => Act::StorageResumes,
            "fails once" => Act::StorageFailsOnce,
            _ => return Err("storage stalls, resumes or fails once".to_owned()),
        }),
        "server" => act(match rest {
            "restarts" => Act::Restart,
            "stops" => Act::Shutdown,
            _ => return Err("server restarts or stops".to_owned()),
        }),
        "operator" => {
            let (order, account) = rest.rsplit_once(' ').ok_or("operator ORDER ACCOUNT")?;
            act(Act::Operator(order.to_owned(), bare(account)?))
        }
        name => {
            let client = client(scene, name)?;
            client_step(scene, client, rest, block).map(Some)
        }
    }
}

fn client_step(scene: &Scene, client: usize, words: &str, block: &str) -> Result<Step, String> {
    let (verb, rest) = words.split_once(' ').unwrap_or((words, ""));
    let number = |text: &str| text.parse::<u32>().map_err(|_| format!("'{text}' is no number"));
    Ok(match (verb, rest) {
        ("connects", rest) => connect(scene, client, rest)?,
        ("cannot", rest) if rest.starts_with("connect") => {
            let (how, why) = rest["connect".len()..].split_once(": ").ok_or("cannot connect: CONDITION")?;
            match connect(scene, client, how.trim())? {
                Step::Start(client, jid, wish, _) => Step::CannotStart(client, jid, wish, why.to_owned()),
                other => other,
            }
        }
        ("sends:", "") => {
            Step::Send(client, block.to_owned())
        }
        ("receives:", "") => Step::Receive(client, expected(block)?, true),
        ("receives", "in any order:") => Step::Receive(client, expected(block)?, false),
        ("receives", "nothing") => Step::Nothing(client),
        ("forgets", _) => Step::Forget(client),
        ("enables", how) => Step::Do(Act::Enable(client, wishes(how.trim_start_matches("with ").trim())?.0)),
        ("acks", "") => Step::AckAll(client),
        ("acks", h) => Step::Do(Act::Ack(client, number(h)?)),
        ("asks", "for ack") => Step::Do(Act::AskAck(client)),
        ("gets", "no ack") => Step::GetAck(client, None),
        ("gets", rest) => Step::GetAck(client, Some(number(rest.strip_prefix("ack ").ok_or("gets ack 3")?)?)),
        ("is", "asked for ack") => Step::Asked(client, true),
        ("is", "not asked for ack") => Step::Asked(client, false),
        ("is", "closed") => Step::Closed(client, None),
        ("is", rest) => Step::Closed(client, Some(rest.strip_prefix("closed: ").ok_or("is closed: CONDITION")?.to_owned())),
        ("goes", "active") => Step::Do(Act::Active(client, true)),
        ("goes", "inactive") => Step::Do(Act::Active(client, false)),
        ("goes", "deaf") => Step::Do(Act::GoDeaf(client)),
        ("breaks", "") => Step::Do(Act::Break(client)),
        ("disconnects", "") => Step::Do(Act::Disconnect(client)),
        ("resumes", rest) => {
            let (whose, from, server) = resumption(scene, client, rest)?;
            Step::Resume(client, whose, from, server)
        }
        ("cannot", rest) if rest.starts_with("resume") => {
            let (whose, from, server) = resumption(scene, client, rest["resume".len()..].trim())?;
            Step::CannotResume(client, whose, from, server)
        }
        _ => return Err(format!("'{words}' is not of the language")),
    })
}

fn connect(scene: &Scene, client: usize, words: &str) -> Result<Step, String> {
    let (_, jid, wish) = &scene.clients[client];
    let (place, how) = words.split_once("with ").unwrap_or((words, ""));
    let jid = match place.trim().strip_prefix("resource ") {
        Some(resource) => jid.with_resource(resource.trim()).map_err(|_| "no resource".to_owned())?,
        None if place.trim().is_empty() => jid.clone(),
        None => return Err(format!("'{place}' is not of the language")),
    };
    let (more, start) = wishes(how)?;
    let wish = Wish {
        sm: wish.sm || more.sm,
        counting: wish.counting || more.counting,
        max: more.max.or(wish.max),
        inline: wish.inline || more.inline,
        carbons: wish.carbons || more.carbons,
    };
    Ok(Step::Start(client, jid, wish, start))
}

/// `of NAME`, `from 3`, `server 7`, in this order, each only if wanted.
fn resumption(scene: &Scene, own: usize, words: &str) -> Result<(usize, Option<u32>, Option<u32>), String> {
    let (mut whose, mut from, mut server) = (own, None, None);
    let words: Vec<&str> = words.split_whitespace().collect();
    for pair in words.chunks(2) {
        let number = || pair.get(1).and_then(|text| text.parse().ok()).ok_or("a number is missing");
        match pair {
            ["of", name] => whose = client(scene, name)?,
            ["from", _] => from = Some(number()?),
            ["server", _] => server = Some(number()?),
            _ => return Err("resumes [of NAME] [from 3] [server 7]".to_owned()),
        }
    }
    Ok((whose, from, server))
}

fn wishes(words: &str) -> Result<(Wish, Start), String> {
    let (mut wish, mut start) = (Wish::default(), Start::default());
    for word in words.split(',').map(str::trim).filter(|word| !word.is_empty()) {
        match word {
            "sm" => wish.sm = true,
            "sm without resumption" => wish.counting = true,
            "inline" => wish.inline = true,
            "carbons" => wish.carbons = true,
            "roster" => start.roster = true,
            "presence" => start.presence = true,
            other => match other.strip_prefix("max ").and_then(|max| max.parse().ok()) {
                Some(max) => wish.max = Some(max),
                None => return Err(format!("'{other}' is no wish")),
            },
        }
    }
    Ok((wish, start))
}

fn client(scene: &Scene, name: &str) -> Result<usize, String> {
    let found = scene.clients.iter().position(|(known, ..)| known == name);
    found.ok_or_else(|| format!("'{name}' is no client"))
}

fn expected(block: &str) -> Result<Expected, String> {
    pattern::read(block).map(Expected)
}

fn bare(text: &str) -> Result<Bare, String> {
    Bare::parse(text.trim()).map_err(|error| format!("{text}: {error:?}"))
}

fn jid(text: &str) -> Result<Jid, String> {
    Jid::parse(text.trim()).map_err(|error| format!("{text}: {error:?}"))
}

fn duration(text: &str) -> Result<u64, String> {
    let units = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
    let found = units.iter().find_map(|(unit, ms)| {
        let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
        Some(number * ms)
    });
    found.ok_or_else(|| format!("'{text}' is no time"))
}
