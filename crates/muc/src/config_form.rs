//! The form in which owners configure a room.
//!
//! XEP-0045 1.35.5 sections 10.2 and 15.5.3, XEP-0004 2.13.2, XEP-0122 1.0.2 (range of a number), XEP-0500 0.1.1
//!
//! What is not submitted stays as it is; fields that are not ours are passed over (XEP-0004 section 3.2); one value that
//! cannot be refuses all.
//!
//! Not here: what the settings do.

use std::collections::BTreeSet;

use address::{Bare, Jid};
use stanza::forms::Submitted;
use stanza::{Condition, StanzaError, ns};
use xml::{El, Writer};

use crate::admin::{Actor, Change};
use crate::affiliation::Affiliation;
use crate::config::{Config, Least};
use crate::here::Here;
use crate::room::Standing;
use crate::{affiliations, limits};

/// What was submitted, over what is.
pub(crate) struct Wanted {
    pub(crate) config: Config,
    admins: Option<BTreeSet<String>>,
    owners: Option<BTreeSet<String>>,
}

impl Wanted {
    /// Owners and admins that were named; who is both is an owner.
    pub(crate) fn people(&self) -> Result<(Vec<Jid>, Vec<Jid>), StanzaError> {
        let parse = |text: &String| Jid::parse(text).map_err(|_| Condition::JidMalformed);
        let all =
            |list: &Option<BTreeSet<String>>| list.iter().flatten().map(parse).collect::<Result<Vec<_>, _>>();
        let (owners, mut admins) = (all(&self.owners)?, all(&self.admins)?);
        admins.retain(|jid| !owners.contains(jid));
        Ok((owners, admins))
    }
}

const PRIVATE: [(&str, Least); 4] = [
    ("anyone", Least::Visitor),
    ("participants", Least::Participant),
    ("moderators", Least::Moderator),
    ("none", Least::Nobody),
];

/// A text: its field, its label, how long it may be, and where it stands.
type Text = (&'static str, &'static str, usize, fn(&mut Config) -> &mut String);
/// A flag: its field, its label, and where it stands.
type Flag = (&'static str, &'static str, fn(&mut Config) -> &mut bool);
/// A number: its field, its label, and where it stands.
type Number = (&'static str, &'static str, fn(&mut Config) -> &mut u32);

const TEXTS: [Text; 4] = [
    ("muc#roomconfig_roomname", "Name", limits::NAME_BYTES_MAX, |c| &mut c.name),
    ("muc#roomconfig_roomdesc", "Description", limits::DESCRIPTION_BYTES_MAX, |c| &mut c.description),
    ("muc#roomconfig_lang", "Language", 35, |c| &mut c.lang),
    ("muc#roomconfig_pubsub", "Address of a node that belongs to the room", 3_072, |c| &mut c.pubsub),
];

const FLAGS: [Flag; 10] = [
    ("muc#roomconfig_persistentroom", "The room stays when nobody is in it", |c| &mut c.persistent),
    ("muc#roomconfig_publicroom", "The room is listed", |c| &mut c.public),
    ("muc#roomconfig_membersonly", "Only members may enter", |c| &mut c.members_only),
    ("muc#roomconfig_moderatedroom", "Only those with voice may speak", |c| &mut c.moderated),
    ("muc#roomconfig_changesubject", "Occupants may change the subject", |c| &mut c.change_subject),
    ("muc#roomconfig_allowinvites", "Members may invite others", |c| &mut c.invites),
    ("muc#roomconfig_enablearchiving", "What is said is kept", |c| &mut c.archive),
    ("muc#roomconfig_allowregister", "People may register themselves", |c| &mut c.register),
    ("muc#roomconfig_allowvoicerequests", "Visitors may ask for voice", |c| &mut c.ask_voice),
    // The older name of the same: what is said is kept where others may read it.
    ("muc#roomconfig_enablelogging", "What is said is kept (the same as above)", |c| &mut c.archive),
];

const NUMBERS: [Number; 3] = [
    ("muc#maxhistoryfetch", "Messages that are shown to who enters", |c| &mut c.history),
    ("muc#roomconfig_maxusers", "Most occupants", |c| &mut c.occupants),
    ("muc#roomconfig_slow_mode_duration", "Seconds between two messages of the same person", |c| &mut c.slow),
];

/// The largest pause of slow mode, in seconds.
const SLOW_MAX: u32 = 86_400;

/// The names of all fields that a form may have, for programs that fill it in.
pub fn fields() -> impl Iterator<Item = &'static str> {
    let others = [
        "muc#roomconfig_passwordprotectedroom",
        "muc#roomconfig_roomsecret",
        "muc#roomconfig_whois",
        "muc#roomconfig_allowpm",
        "muc#roomconfig_presencebroadcast",
        "muc#roomconfig_roomadmins",
        "muc#roomconfig_roomowners",
    ];
    let texts = TEXTS.iter().map(|(var, ..)| *var);
    texts.chain(FLAGS.iter().map(|(var, ..)| *var)).chain(NUMBERS.iter().map(|(var, ..)| *var)).chain(others)
}

/// Writes the form as it stands.
pub(crate) fn write(w: &mut Writer, here: &Here<'_>) {
    let mut config = here.room.config.clone();
    w.open("x", ns::FORMS).attr("type", "form").leaf("title", ns::FORMS, "Configuration of the room");
    field(w, "FORM_TYPE", "hidden", None, [ns::MUC_CONFIG]);
    for (var, label, _, at) in TEXTS {
        field(w, var, "text-single", Some(label), [at(&mut config).as_str()]);
    }
    // The last flag is another name of one above.
    for (var, label, at) in &FLAGS[..FLAGS.len() - 1] {
        field(w, var, "boolean", Some(label), [if *at(&mut config) { "1" } else { "0" }]);
    }
    numbers(w, here, &mut config);
    let guarded = if config.password.is_some() { "1" } else { "0" };
    field(w, "muc#roomconfig_passwordprotectedroom", "boolean", Some("A password is needed"), [guarded]);
    let secret = config.password.clone().unwrap_or_default();
    field(w, "muc#roomconfig_roomsecret", "text-private", Some("The password"), [secret.as_str()]);
    choices(w, &config);
    for (var, label, affiliation) in [
        ("muc#roomconfig_roomadmins", "Admins (all of them)", Affiliation::Admin),
        ("muc#roomconfig_roomowners", "Owners (all of them)", Affiliation::Owner),
    ] {
        field(w, var, "jid-multi", Some(label), here.room.listed(affiliation).map(|(jid, _)| &**jid));
    }
    w.close();
}

fn field<'v>(
    w: &mut Writer,
    var: &str,
    ty: &str,
    label: Option<&str>,
    values: impl IntoIterator<Item = &'v str>,
) {
    w.open("field", ns::FORMS).attr("var", var).attr("type", ty).attr_opt("label", label);
    for value in values {
        w.leaf("value", ns::FORMS, value);
    }
    w.close();
}

fn numbers(w: &mut Writer, here: &Here<'_>, config: &mut Config) {
    for (var, label, at) in NUMBERS {
        w.open("field", ns::FORMS).attr("var", var).attr("type", "text-single").attr("label", label);
        // XEP-0500 section 5.1 wants the range of its field, and it does the others no harm.
        w.open("validate", ns::VALIDATE).attr("datatype", "xs:integer");
        let (low, high) = range(here, var);
        w.open("range", ns::VALIDATE).attr_of("min", low).attr_of("max", high).close().close();
        w.leaf("value", ns::FORMS, at(config).to_string()).close();
    }
}

fn range(here: &Here<'_>, var: &str) -> (u32, u32) {
    match var {
        "muc#roomconfig_maxusers" => (1, here.shared.settings.occupants_max),
        "muc#maxhistoryfetch" => (0, limits::HISTORY_MAX),
        _ => (0, SLOW_MAX),
    }
}

fn choices(w: &mut Writer, config: &Config) {
    let whois = if config.non_anonymous { "anyone" } else { "moderators" };
    let private =
        PRIVATE.iter().find(|(_, least)| *least == config.private).map_or("anyone", |(name, _)| name);
    for (var, label, value, options) in [
        ("muc#roomconfig_whois", "Who sees who is who", whois, &["moderators", "anyone"][..]),
        ("muc#roomconfig_allowpm", "Who may send private messages", private, &PRIVATE.map(|(name, _)| name)),
    ] {
        w.open("field", ns::FORMS).attr("var", var).attr("type", "list-single").attr("label", label);
        w.leaf("value", ns::FORMS, value);
        for option in options {
            w.open("option", ns::FORMS).attr("label", option).leaf("value", ns::FORMS, option).close();
        }
        w.close();
    }
    w.open("field", ns::FORMS).attr("var", "muc#roomconfig_presencebroadcast").attr("type", "list-multi");
    w.attr("label", "Whose presence is told to all");
    for role in broadcast(config.broadcast) {
        w.leaf("value", ns::FORMS, role);
    }
    for role in broadcast(Least::Visitor) {
        w.open("option", ns::FORMS).attr("label", role).leaf("value", ns::FORMS, role).close();
    }
    w.close();
}

/// The roles whose presence is told.
pub(crate) fn broadcast(least: Least) -> &'static [&'static str] {
    match least {
        Least::Visitor => &["moderator", "participant", "visitor"],
        Least::Participant => &["moderator", "participant"],
        Least::Moderator => &["moderator"],
        Least::Nobody => &[],
    }
}

/// Reads what was submitted.
pub(crate) fn read(here: &Here<'_>, x: El<'_>) -> Result<Wanted, StanzaError> {
    let form = Submitted::read(x, ns::MUC_CONFIG).ok_or(Condition::BadRequest)?;
    let mut config = here.room.config.clone();
    for (var, _, bytes_max, at) in TEXTS {
        if let Some(text) = one(&form, var) {
            match text.len() <= bytes_max {
                true => *at(&mut config) = text.to_owned(),
                false => return Err(bad("a text is too long")),
            }
        }
    }
    for (var, _, at) in FLAGS {
        if let Some(text) = one(&form, var) {
            *at(&mut config) = flag(text)?;
        }
    }
    for (var, _, at) in NUMBERS {
        if let Some(text) = one(&form, var) {
            *at(&mut config) = number(text, range(here, var))?;
        }
    }
    read_password(&form, &mut config)?;
    read_choices(&form, &mut config)?;
    let people = |var| form.field(var).map(addresses).transpose();
    let (admins, owners) = (people("muc#roomconfig_roomadmins")?, people("muc#roomconfig_roomowners")?);
    Ok(Wanted { config, admins, owners })
}

/// The value of a field that was submitted; without any value it is empty.
fn one<'f>(form: &'f Submitted, var: &str) -> Option<&'f str> {
    form.field(var).map(|values| values.first().map_or("", String::as_str))
}

fn bad(text: &'static str) -> StanzaError {
    StanzaError::from(Condition::NotAcceptable).text(text)
}

fn flag(text: &str) -> Result<bool, StanzaError> {
    match text.trim() {
        "1" | "true" => Ok(true),
        "0" | "false" | "" => Ok(false),
        _ => Err(bad("a flag is neither true nor false")),
    }
}

fn number(text: &str, (low, high): (u32, u32)) -> Result<u32, StanzaError> {
    // Some clients offer "none" for the number of occupants: as many as the service allows.
    let number = match text.trim() {
        "none" | "" => Some(high),
        text => text.parse().ok(),
    };
    number.filter(|number| (low..=high).contains(number)).ok_or_else(|| bad("a number is out of range"))
}

fn read_password(form: &Submitted, config: &mut Config) -> Result<(), StanzaError> {
    let guarded = one(form, "muc#roomconfig_passwordprotectedroom").map(flag).transpose()?;
    let secret = one(form, "muc#roomconfig_roomsecret");
    if secret.is_some_and(|secret| secret.len() > limits::PASSWORD_BYTES_MAX) {
        return Err(bad("the password is too long"));
    }
    let guarded = guarded.unwrap_or(config.password.is_some());
    let secret = secret.map(str::to_owned).or(config.password.take()).filter(|secret| !secret.is_empty());
    match (guarded, secret) {
        // Section 10.1.3: a room that needs a password must have one.
        (true, None) => Err(bad("a room that needs a password must have one")),
        (true, secret) => {
            config.password = secret;
            Ok(())
        }
        (false, _) => {
            config.password = None;
            Ok(())
        }
    }
}

fn read_choices(form: &Submitted, config: &mut Config) -> Result<(), StanzaError> {
    match one(form, "muc#roomconfig_whois") {
        None => {}
        Some("anyone") => config.non_anonymous = true,
        Some("moderators") => config.non_anonymous = false,
        Some(_) => return Err(bad("who may see who is who: anyone or moderators")),
    }
    if let Some(private) = one(form, "muc#roomconfig_allowpm") {
        let known = PRIVATE.iter().find(|(name, _)| *name == private);
        config.private = known.ok_or_else(|| bad("who may send private messages is unclear"))?.1;
    }
    if let Some(roles) = form.field("muc#roomconfig_presencebroadcast") {
        let mut roles: Vec<&str> = roles.iter().map(String::as_str).filter(|role| !role.is_empty()).collect();
        roles.sort_unstable();
        roles.dedup();
        let leasts = [Least::Visitor, Least::Participant, Least::Moderator, Least::Nobody];
        let known = leasts.into_iter().find(|least| broadcast(*least) == roles.as_slice());
        config.broadcast = known.ok_or_else(|| bad("presence of lower roles without that of higher ones"))?;
    }
    Ok(())
}

fn addresses(values: &[String]) -> Result<BTreeSet<String>, StanzaError> {
    let bare = |text: &String| {
        let jid = Jid::parse(text.trim()).map_err(|_| Condition::JidMalformed)?;
        Ok(jid.bare().as_str().to_owned())
    };
    values.iter().filter(|text| !text.trim().is_empty()).map(bare).collect()
}

/// Sections 10.2.1 to 10.8: the lists of owners and admins are complete where they are given.
pub(crate) fn changes(here: &Here<'_>, actor: &Actor, wanted: &Wanted) -> Result<Vec<Change>, StanzaError> {
    let mut changes: Vec<Change> = Vec::new();
    let lists = [(&wanted.owners, Affiliation::Owner), (&wanted.admins, Affiliation::Admin)];
    for (list, affiliation) in lists {
        let Some(list) = list else { continue };
        let owners = wanted.owners.as_ref();
        let others = |jid: &str| {
            affiliation == Affiliation::Admin && owners.is_some_and(|owners| owners.contains(jid))
        };
        for (jid, _) in here.room.listed(affiliation).filter(|(jid, _)| !list.contains(&***jid)) {
            let named = wanted.admins.as_ref().is_some_and(|admins| admins.contains(&**jid));
            if others(jid) || (affiliation == Affiliation::Owner && named) {
                continue;
            }
            changes.push(change(jid, Affiliation::None)?);
        }
        for jid in list.iter().filter(|jid| !others(jid)) {
            let has = here.room.affiliations.get(jid.as_str()).map(|entry| entry.affiliation);
            if has != Some(affiliation) {
                changes.push(change(jid, affiliation)?);
            }
        }
    }
    for one in &changes {
        if let Change::Affiliation { who, affiliation, nick, .. } = one {
            affiliations::judge(here, actor, who, *affiliation, nick.as_deref())?;
        }
    }
    if !matches!(here.room.standing, Standing::Absent) {
        affiliations::judge_all(here, &changes)?;
    }
    Ok(changes)
}

fn change(jid: &str, affiliation: Affiliation) -> Result<Change, StanzaError> {
    let who: Jid = Bare::parse(jid).map_err(|_| Condition::JidMalformed)?.into();
    Ok(Change::Affiliation { who, affiliation, nick: None, reason: None })
}

#[cfg(test)]
mod tests {
    use crate::stage::{CRONE, HAG, ROOM, Stage, WITCH, outcome, to};

    #[test]
    fn one_wrong_value_changes_nothing() {
        for (var, value, expected) in [
            ("roomconfig_roomname", "The Coven".to_owned(), "ok"),
            ("roomconfig_roomname", "x".repeat(257), "not-acceptable"),
            ("roomconfig_moderatedroom", "yes".to_owned(), "not-acceptable"),
            ("roomconfig_maxusers", "0".to_owned(), "not-acceptable"),
            ("roomconfig_maxusers", "1000000".to_owned(), "not-acceptable"),
            ("roomconfig_maxusers", "none".to_owned(), "ok"),
            ("maxhistoryfetch", "-1".to_owned(), "not-acceptable"),
            ("roomconfig_whois", "everybody".to_owned(), "not-acceptable"),
            ("roomconfig_allowpm", "friends".to_owned(), "not-acceptable"),
            ("roomconfig_presencebroadcast", "visitor".to_owned(), "not-acceptable"),
            ("roomconfig_passwordprotectedroom", "1".to_owned(), "not-acceptable"),
            ("roomconfig_roomowners", "no address@".to_owned(), "jid-malformed"),
            ("roomconfig_roomowners", "".to_owned(), "conflict"),
            ("roomconfig_nonsense", "whatever".to_owned(), "ok"),
        ] {
            let mut stage = Stage::room(&[]);
            let seen = stage.configure(&[("roomconfig_roomdesc", "changed"), (var, &value)]);
            assert_eq!(outcome(&seen), expected, "{var} {value}");
            let info = stage.iq(HAG, "get", "<query xmlns='http://jabber.org/protocol/disco#info'/>");
            assert_eq!(info[0].contains("changed"), expected == "ok", "{var} {value}");
        }
    }

    #[test]
    fn what_is_not_submitted_stays() {
        let mut stage =
            Stage::room(&[("roomconfig_roomname", "Coven"), ("roomconfig_moderatedroom", "true")]);
        stage.configure(&[("roomconfig_roomdesc", "dark")]);
        let form = stage.iq(CRONE, "get", "<query xmlns='http://jabber.org/protocol/muc#owner'/>").remove(0);
        let value = |var: &str| {
            let field = form.split(&format!("<field var='{var}'")).nth(1).unwrap();
            field.split("<value>").nth(1).unwrap().split("</value>").next().unwrap().to_owned()
        };
        for (var, expected) in [
            ("muc#roomconfig_roomname", "Coven"),
            ("muc#roomconfig_roomdesc", "dark"),
            ("muc#roomconfig_moderatedroom", "1"),
            ("muc#roomconfig_membersonly", "0"),
            ("muc#roomconfig_whois", "moderators"),
            ("muc#roomconfig_allowpm", "anyone"),
            ("muc#roomconfig_maxusers", "200"),
            ("muc#roomconfig_roomowners", "crone@a.example"),
        ] {
            assert_eq!(value(var), expected, "{var}");
        }
        assert_eq!(
            outcome(&stage.iq(HAG, "get", "<query xmlns='http://jabber.org/protocol/muc#owner'/>")),
            "forbidden"
        );
        assert_eq!(outcome(&stage.owner(HAG, "<x xmlns='jabber:x:data' type='submit'/>")), "forbidden");
        assert_eq!(outcome(&stage.owner(CRONE, "<x xmlns='jabber:x:data' type='cancel'/>")), "ok");
        assert_eq!(outcome(&stage.owner(CRONE, "<x xmlns='jabber:x:data' type='form'/>")), "bad-request");
        assert_eq!(outcome(&stage.owner(CRONE, "<y/>")), "bad-request");
    }

    #[test]
    fn occupants_hear_what_concerns_them() {
        let mut stage = Stage::room(&[]);
        stage.enter(HAG, "hag");
        for (var, value, codes) in [
            ("roomconfig_roomname", "Coven", vec![104]),
            ("roomconfig_roomname", "Coven", vec![]),
            ("roomconfig_whois", "anyone", vec![172]),
            ("roomconfig_whois", "moderators", vec![173]),
            ("roomconfig_enablearchiving", "0", vec![171]),
            ("roomconfig_enablelogging", "1", vec![170]),
        ] {
            let seen = stage.configure(&[(var, value)]);
            let told: Vec<String> = to(&seen, HAG).iter().map(|line| (*line).to_owned()).collect();
            let expected: Vec<String> = (codes.iter())
                .map(|code| {
                    format!(
                        "<message from='{ROOM}' to='{HAG}' type='groupchat'>\
                         <x xmlns='http://jabber.org/protocol/muc#user'><status code='{code}'/></x></message>"
                    )
                })
                .collect();
            assert_eq!(told, expected, "{var} {value}");
        }
    }

    #[test]
    fn a_new_kind_of_room_has_consequences() {
        let mut stage = Stage::room(&[]);
        stage.enter(HAG, "hag");
        stage.enter(WITCH, "witch");
        stage.admin(CRONE, "<item affiliation='member' jid='witch@a.example'/>");
        let seen = stage.configure(&[("roomconfig_moderatedroom", "1")]);
        assert!(
            to(&seen, WITCH)[0].contains("/hag' ") && to(&seen, WITCH)[0].contains("role='visitor'"),
            "{seen:?}"
        );
        assert_eq!(outcome(&stage.say(HAG, "a")), "forbidden");
        assert_eq!(outcome(&stage.say(WITCH, "a")), "ok");
        let seen = stage.configure(&[("roomconfig_membersonly", "1")]);
        assert!(to(&seen, HAG)[0].contains("code='322'"), "{seen:?}");
        assert!(to(&seen, WITCH)[0].contains("code='322'"), "{seen:?}");
        assert_eq!(outcome(&stage.enter(HAG, "hag")), "registration-required");
    }

    #[test]
    fn the_lists_of_owners_and_admins_are_whole() {
        let mut stage = Stage::room(&[]);
        let form = |owners: &str, admins: &str| {
            let field = |var: &str, jids: &str| {
                let values: String = jids.split(' ').map(|jid| format!("<value>{jid}</value>")).collect();
                format!("<field var='muc#roomconfig_{var}'>{values}</field>")
            };
            format!(
                "<x xmlns='jabber:x:data' type='submit'>{}{}</x>",
                field("roomowners", owners),
                field("roomadmins", admins)
            )
        };
        assert_eq!(
            outcome(&stage.owner(CRONE, &form("crone@a.example hag@a.example", "elder@a.example"))),
            "ok"
        );
        assert_eq!(outcome(&stage.owner(HAG, &form("hag@a.example", "crone@a.example"))), "ok");
        let list = |stage: &mut Stage, affiliation: &str| {
            let item = format!(
                "<query xmlns='http://jabber.org/protocol/muc#admin'><item affiliation='{affiliation}'/></query>"
            );
            let seen = stage.iq(HAG, "get", &item).remove(0);
            seen.split("jid='").skip(1).map(|s| s.split('\'').next().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(list(&mut stage, "owner"), ["hag@a.example"]);
        assert_eq!(list(&mut stage, "admin"), ["crone@a.example"]);
        assert_eq!(outcome(&stage.configure(&[("roomconfig_roomname", "mine")])), "forbidden");
    }
}
