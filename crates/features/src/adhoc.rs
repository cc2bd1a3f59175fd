//! Ad-Hoc Commands of a hosted domain: listing, running, sessions.
//!
//! XEP-0050 1.3.0 (complete for commands of one form), XEP-0004 2.13.2 (forms), XEP-0133 1.3.1 (commands)
//!
//! Every stage checks anew who asks.
//!
//! Not here: the commands (`admin_commands.rs`, `user_commands.rs`).

use address::Jid;
use kernel::{Answer, Card, Feature, Host, Iq, IqRoute, Spec, Turn};
use model::query::{AccountFound, AccountQuery, Found, Query};
use stanza::{Condition, StanzaError, ns};
use xml::Writer;

use crate::disco::{Identity, Info};
use crate::forms::{self, Field, Submitted};
use crate::running::Running;
use crate::{admin_commands, user_commands};

static CARD: Card = Card {
    specs: &[
        Spec::complete("XEP-0050", "1.3.0"),
        Spec::complete("XEP-0004", "2.13.2").note("the forms that the server shows and reads"),
        Spec::partial("XEP-0133", "1.3.1", "accounts, sessions, counts, lists and announcements"),
    ],
    host_vars: &[ns::COMMANDS, ns::FORMS],
    iqs: &[IqRoute::host(ns::COMMANDS).only_set()],
    ..Card::named("adhoc")
};

/// XEP-0050.
pub struct AdHoc;

/// A command.
pub(crate) struct Command {
    /// The last part of its node; unique among all commands.
    pub(crate) node: &'static str,
    /// Its name for people.
    pub(crate) name: &'static str,
    /// Whether only the domain's operators may run it.
    pub(crate) admin: bool,
    /// What to fill in; with nothing to fill in it runs at once.
    pub(crate) fields: &'static [Field],
    /// Does it.
    pub(crate) run: fn(&mut Turn<'_, Host>, Call) -> Answer<Host>,
}

impl Command {
    fn node(&self) -> String {
        if self.admin { format!("{}#{}", ns::ADMIN, self.node) } else { self.node.to_owned() }
    }

    fn form_type(&self) -> &'static str {
        if self.admin { ns::ADMIN } else { ns::COMMANDS }
    }
}

/// A command that runs.
pub(crate) struct Call {
    pub(crate) from: Jid,
    pub(crate) form: Submitted,
    command: &'static Command,
    session: String,
}

impl Call {
    fn answer(&self, status: &str, write: impl FnOnce(&mut Writer)) -> Answer<Host> {
        let mut w = Writer::new(ns::CLIENT);
        w.open("command", ns::COMMANDS).attr("node", self.command.node()).attr("sessionid", &self.session);
        w.attr("status", status);
        write(&mut w);
        w.close();
        Answer::Reply(w.finish())
    }

    fn note(&self, ty: &str, text: &str) -> Answer<Host> {
        self.answer("completed", |w| {
            w.open("note", ns::COMMANDS).attr("type", ty).text(text).close();
        })
    }

    /// It is done.
    pub(crate) fn done(&self, text: &str) -> Answer<Host> {
        self.note("info", text)
    }

    /// It could not be done (section 3.5: completed, but with an error note).
    pub(crate) fn failed(&self, text: &str) -> Answer<Host> {
        self.note("error", text)
    }

    /// It is done and brought this.
    pub(crate) fn found(&self, fields: &[(&str, Vec<String>)]) -> Answer<Host> {
        self.answer("completed", |w| forms::result(w, self.command.form_type(), fields))
    }
}

/// An error of section 4.4.
pub(crate) fn refusal(condition: Condition, app: &'static str) -> StanzaError {
    StanzaError::from(condition).app(app, ns::COMMANDS)
}

/// What was submitted is of no use.
pub(crate) fn bad_payload() -> StanzaError {
    refusal(Condition::BadRequest, "bad-payload")
}

fn commands() -> impl Iterator<Item = &'static Command> {
    admin_commands::COMMANDS.iter().chain(user_commands::COMMANDS)
}

fn find(node: &str) -> Option<&'static Command> {
    commands().find(|command| command.node() == node)
}

/// Goes on if an account of this very host asks (L-10), and tells whether it is an operator's.
fn authorised(
    turn: &Turn<'_, Host>,
    from: &Jid,
    then: impl FnOnce(&mut Turn<'_, Host>, bool) -> Answer<Host> + Send + 'static,
) -> Answer<Host> {
    if from.domain() != turn.place.domain.as_str() || from.local().is_none() {
        return Condition::Forbidden.into();
    }
    let account = from.bare();
    Answer::ask(Query::Account(AccountQuery::Show { account: account.clone() }), move |turn, found| {
        match found {
            Found::Account(AccountFound::Accounts(infos)) => match infos.first() {
                Some(info) if info.account == account && !info.suspended => then(turn, info.admin),
                _ => Condition::Forbidden.into(),
            },
            _ => Condition::Forbidden.into(),
        }
    })
}

/// `disco#items` of a node of a host (section 2.2).
pub(crate) fn items(turn: &Turn<'_, Host>, iq: &Iq<'_>, node: &str) -> Answer<Host> {
    let (list, known) = (node == ns::COMMANDS, find(node).is_some());
    if !list && !known {
        return Condition::ItemNotFound.into();
    }
    let (domain, node) = (turn.place.domain.clone(), node.to_owned());
    authorised(turn, iq.from(), move |_, admin| {
        let mut w = Writer::new(ns::CLIENT);
        w.open("query", ns::DISCO_ITEMS).attr("node", node);
        for command in commands().filter(|command| list && (admin || !command.admin)) {
            w.open("item", ns::DISCO_ITEMS).attr("jid", domain.as_str());
            w.attr("node", command.node()).attr("name", command.name).close();
        }
        w.close();
        Answer::Reply(w.finish())
    })
}

/// `disco#info` of a node of a host (section 2.2).
pub(crate) fn info(turn: &Turn<'_, Host>, iq: &Iq<'_>, node: &str) -> Answer<Host> {
    let (ty, name, admin_only, vars) = match (node, find(node)) {
        (ns::COMMANDS, _) => ("command-list", "", false, vec![ns::COMMANDS]),
        (_, Some(command)) => ("command-node", command.name, command.admin, vec![ns::COMMANDS, ns::FORMS]),
        _ => return Condition::ItemNotFound.into(),
    };
    let node = node.to_owned();
    authorised(turn, iq.from(), move |_, admin| {
        if admin_only && !admin {
            return Condition::Forbidden.into();
        }
        let identity = Identity { category: "automation", ty, name };
        Answer::Reply(Info { identities: vec![identity], vars, forms: Vec::new() }.write(Some(&node)))
    })
}

/// A stage of a command, as asked for.
struct Request {
    from: Jid,
    command: &'static Command,
    action: Action,
    session: Option<String>,
    form: Option<Submitted>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Action {
    Execute,
    Complete,
    Cancel,
    /// `prev` and `next`: no command here has a second form.
    Turn,
}

impl Feature for AdHoc {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn host_iq(&self, turn: &mut Turn<'_, Host>, iq: &Iq<'_>) -> Answer<Host> {
        let request = match read(iq) {
            Ok(request) => request,
            Err(error) => return error.into(),
        };
        authorised(turn, iq.from(), move |turn, admin| match request.command.admin && !admin {
            true => Condition::Forbidden.into(),
            false => proceed(turn, request).unwrap_or_else(Answer::Refuse),
        })
    }
}

fn read(iq: &Iq<'_>) -> Result<Request, StanzaError> {
    let el = iq.payload;
    let node = el.attr("node").filter(|_| el.name() == "command").ok_or(Condition::BadRequest)?;
    let command = find(&node).ok_or(Condition::ItemNotFound)?;
    let action = match el.attr("action").as_deref() {
        None | Some("execute") => Action::Execute,
        Some("complete") => Action::Complete,
        Some("cancel") => Action::Cancel,
        Some("prev" | "next") => Action::Turn,
        Some(_) => return Err(refusal(Condition::BadRequest, "malformed-action")),
    };
    let form = match el.child("x", ns::FORMS) {
        Some(x) => Some(Submitted::read(x, command.form_type()).ok_or_else(bad_payload)?),
        None => None,
    };
    let session = el.attr("sessionid").map(|id| id.into_owned());
    Ok(Request { from: iq.from().clone(), command, action, session, form })
}

fn proceed(turn: &mut Turn<'_, Host>, request: Request) -> Result<Answer<Host>, StanzaError> {
    let Request { from, command, action, session, form } = request;
    let bad_action = || refusal(Condition::BadRequest, "bad-action");
    let Some(session) = session else {
        if action != Action::Execute {
            return Err(bad_action());
        }
        return begin(turn, from, command);
    };
    let now = turn.now.unix_ms;
    turn.place.slots.of::<Running>().check(now, &session, &from, command.node)?;
    let call = Call { from, form: form.unwrap_or_default(), command, session };
    match action {
        Action::Turn => return Err(bad_action()),
        // The session stays, so that the form can be filled in again.
        Action::Execute | Action::Complete if !call.form.fills(command.fields) => return Err(bad_payload()),
        _ => turn.place.slots.of::<Running>().end(&call.session),
    }
    match action {
        Action::Cancel => Ok(call.answer("canceled", |_| ())),
        _ => Ok((command.run)(turn, call)),
    }
}

fn begin(
    turn: &mut Turn<'_, Host>,
    from: Jid,
    command: &'static Command,
) -> Result<Answer<Host>, StanzaError> {
    // It need not be secret: it is of no use to anybody else.
    let call = Call { from, form: Submitted::default(), command, session: format!("{:x}", turn.id) };
    if command.fields.is_empty() {
        return Ok((command.run)(turn, call));
    }
    let now = turn.now.unix_ms;
    turn.place.slots.of::<Running>().begin(now, call.session.clone(), &call.from, command.node)?;
    Ok(call.answer("executing", |w| {
        w.open("actions", ns::COMMANDS).attr("execute", "complete");
        w.open("complete", ns::COMMANDS).close().close();
        forms::ask(w, command.name, command.form_type(), command.fields);
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disco::Disco;
    use crate::register::PASSWORD_BYTES_MAX;
    use crate::running::RUNNING_MS_MAX;
    use crate::scene::{Scene, error};

    const ADMIN: &str = "root@example.org/desk";
    const ADD: &str = "http://jabber.org/protocol/admin#add-user";

    fn scene() -> Scene {
        let mut scene = Scene::new(vec![Box::new(AdHoc), Box::new(Disco::new(&[&CARD]))]);
        scene.register("root@example.org", "toor", true);
        scene.register("root@b.example", "toor", true);
        scene
    }

    /// One stage: attributes of the command and fields of the form.
    fn run(scene: &mut Scene, from: &str, attrs: &str, fields: &[(&str, &str)]) -> String {
        let field = |(var, value): &(&str, &str)| {
            let values: String = value.split(' ').map(|value| format!("<value>{value}</value>")).collect();
            format!("<field var='{var}'>{values}</field>")
        };
        let form: String = fields.iter().map(field).collect();
        let form = if fields.is_empty() {
            form
        } else {
            format!("<x xmlns='jabber:x:data' type='submit'>{form}</x>")
        };
        let command =
            format!("<command xmlns='http://jabber.org/protocol/commands' {attrs}>{form}</command>");
        scene.host(&format!("<iq from='{from}' to='example.org' type='set' id='1'>{command}</iq>")).join("\n")
    }

    /// Opens a form and gives back its session.
    fn open(scene: &mut Scene, from: &str, node: &str) -> String {
        let seen = run(scene, from, &format!("node='{node}'"), &[]);
        assert!(
            seen.contains("status='executing'><actions execute='complete'><complete/></actions><x "),
            "{seen}"
        );
        seen.split("sessionid='").nth(1).unwrap().split('\'').next().unwrap().to_owned()
    }

    /// Runs a command to its end.
    fn whole(scene: &mut Scene, from: &str, node: &str, fields: &[(&str, &str)]) -> String {
        let id = open(scene, from, node);
        run(scene, from, &format!("node='{node}' sessionid='{id}' action='complete'"), fields)
    }

    fn admin(scene: &mut Scene, node: &str, fields: &[(&str, &str)]) -> String {
        whole(scene, ADMIN, &format!("http://jabber.org/protocol/admin#{node}"), fields)
    }

    fn app(condition: &str, app: &str) -> String {
        format!("<{condition} xmlns='{}'/><{app} xmlns='{}'/></error>", ns::STANZAS, ns::COMMANDS)
    }

    /// F-28, L-10, L-11: who may run an operator's command at all.
    #[test]
    fn operators_only_and_only_their_own_domain() {
        let mut scene = scene();
        scene.register("exroot@example.org", "x", true);
        scene.book.get_mut("exroot@example.org").unwrap().suspended = true;
        let forbidden = error("auth", "forbidden");
        for from in [
            "alice@example.org/phone",
            "root@b.example/desk",
            "eve@a.example/x",
            "example.org",
            "exroot@example.org/x",
            "gone@example.org/x",
        ] {
            for command in admin_commands::COMMANDS {
                let node = command.node();
                assert!(
                    run(&mut scene, from, &format!("node='{node}'"), &[]).contains(&forbidden),
                    "{from} {node}"
                );
                let query = format!("<query xmlns='http://jabber.org/protocol/disco#info' node='{node}'/>");
                let seen =
                    scene.host(&format!("<iq from='{from}' to='example.org' type='get' id='1'>{query}</iq>"));
                assert!(seen[0].contains(&forbidden), "{seen:?}");
            }
        }
        for node in ["delete-user", "disable-user", "reenable-user", "end-user-session", "get-user-lastlogin"]
        {
            for bad in ["root@b.example", "alice@example.org root@b.example", "example.org"] {
                let seen = admin(&mut scene, node, &[("accountjids", bad)]);
                assert!(seen.contains(&forbidden) && !seen.contains("ask"), "{node}: {seen}");
            }
        }
        let password = [("accountjid", "root@b.example"), ("password", "x"), ("password-verify", "x")];
        for node in ["add-user", "change-user-password"] {
            assert!(admin(&mut scene, node, &password).contains(&forbidden));
        }
    }

    #[test]
    fn lists_what_may_be_run() {
        let mut scene = scene();
        let mut items = |from: &str, node: &str| {
            let query = format!("<query xmlns='http://jabber.org/protocol/disco#items' node='{node}'/>");
            scene
                .host(&format!("<iq from='{from}' to='example.org' type='get' id='1'>{query}</iq>"))
                .remove(0)
        };
        let count = |seen: String| seen.matches("<item jid='example.org' node='").count();
        assert_eq!(count(items(ADMIN, ns::COMMANDS)), commands().count());
        assert_eq!(count(items("alice@example.org/a", ns::COMMANDS)), user_commands::COMMANDS.len());
        assert_eq!(count(items(ADMIN, ADD)), 0);
        assert!(items("eve@a.example", ns::COMMANDS).contains(&error("auth", "forbidden")));
        let query = format!("<query xmlns='http://jabber.org/protocol/disco#info' node='{ADD}'/>");
        let seen = scene.host(&format!("<iq from='{ADMIN}' to='example.org' type='get' id='1'>{query}</iq>"));
        assert!(
            seen[0].contains("<identity category='automation' type='command-node' name='Add a user'/>"),
            "{seen:?}"
        );
    }

    #[test]
    fn sessions_belong_to_one_device_and_end() {
        let mut scene = scene();
        let id = open(&mut scene, ADMIN, ADD);
        let mut stage =
            |from: &str, node: &str, rest: &str| run(&mut scene, from, &format!("node='{node}' {rest}"), &[]);
        let own = format!("sessionid='{id}'");
        for (from, node, rest, expected) in [
            (ADMIN, ADD, "action='fly'", app("bad-request", "malformed-action")),
            (ADMIN, ADD, "action='complete'", app("bad-request", "bad-action")),
            (ADMIN, "nonsense", "", error("cancel", "item-not-found")),
            (ADMIN, ADD, "sessionid='x'", app("bad-request", "bad-sessionid")),
            ("root@example.org/other", ADD, &own, app("bad-request", "bad-sessionid")),
            (ADMIN, "change-password", &own, app("bad-request", "bad-sessionid")),
            (ADMIN, ADD, &format!("{own} action='prev'"), app("bad-request", "bad-action")),
            (ADMIN, ADD, &own, app("bad-request", "bad-payload")),
            (ADMIN, ADD, &format!("{own} action='cancel'"), "status='canceled'/>".into()),
            (ADMIN, ADD, &format!("{own} action='cancel'"), app("bad-request", "bad-sessionid")),
        ] {
            let seen = stage(from, node, rest);
            assert!(seen.contains(&expected), "{from} {node} {rest}: {seen}");
        }
        let id = open(&mut scene, ADMIN, ADD);
        scene.now_ms += RUNNING_MS_MAX;
        let late = run(&mut scene, ADMIN, &format!("node='{ADD}' sessionid='{id}'"), &[]);
        assert!(late.contains(&app("not-allowed", "session-expired")), "{late}");
    }

    #[test]
    fn a_session_is_used_once_and_rights_are_checked_anew() {
        let mut scene = scene();
        let id = open(&mut scene, ADMIN, ADD);
        let go = format!("node='{ADD}' sessionid='{id}'");
        let fields = [("accountjid", "new@example.org"), ("password", "pw"), ("password-verify", "pw")];
        scene.book.get_mut("root@example.org").unwrap().admin = false;
        assert!(run(&mut scene, ADMIN, &go, &fields).contains(&error("auth", "forbidden")));
        scene.book.get_mut("root@example.org").unwrap().admin = true;
        let seen = run(&mut scene, ADMIN, &go, &fields);
        assert!(
            seen.starts_with("ask create new@example.org\n") && seen.contains("<note type='info'>"),
            "{seen}"
        );
        assert_eq!(scene.book["new@example.org"].password, "pw");
        assert!(run(&mut scene, ADMIN, &go, &fields).contains(&app("bad-request", "bad-sessionid")));
        assert!(
            admin(&mut scene, "add-user", &fields)
                .contains("<note type='error'>new@example.org: there is one already")
        );
    }

    #[test]
    fn several_accounts_are_changed_together_or_not_at_all() {
        let mut scene = scene();
        let seen =
            admin(&mut scene, "disable-user", &[("accountjids", "alice@example.org gone@example.org")]);
        assert!(seen.contains("<note type='error'>gone@example.org: no such account</note>"), "{seen}");
        assert!(!seen.contains("ask"), "{seen}");
        for (node, word) in [
            ("disable-user", "suspend"),
            ("reenable-user", "allow"),
            ("end-user-session", "end"),
            ("delete-user", "remove"),
        ] {
            scene.register("bob@example.org", "x", false);
            let seen = admin(&mut scene, node, &[("accountjids", "bob@example.org Bob@example.org")]);
            let lines: Vec<&str> = seen.lines().collect();
            assert!(lines.len() == 2 && lines[0] == format!("ask {word} bob@example.org"), "{seen}");
        }
        let many: Vec<String> =
            (0..=admin_commands::ACCOUNTS_MAX).map(|n| format!("u{n}@example.org")).collect();
        for bad in [many.join(" "), "@".into()] {
            let seen = admin(&mut scene, "delete-user", &[("accountjids", &bad)]);
            assert!(seen.contains(&app("bad-request", "bad-payload")), "{seen}");
        }
        let word = [("accountjid", "alice@example.org"), ("password", "n")];
        assert!(
            admin(&mut scene, "change-user-password", &word).starts_with("ask password alice@example.org")
        );
        scene.broken = true;
        assert!(run(&mut scene, ADMIN, &format!("node='{ADD}'"), &[]).contains("internal-server-error"));
    }

    #[test]
    fn counts_lists_and_announces() {
        let mut scene = scene();
        scene.open("phone");
        scene.open("laptop");
        scene.available("phone", 0);
        let once = |scene: &mut Scene, node: &str| {
            run(scene, ADMIN, &format!("node='http://jabber.org/protocol/admin#{node}'"), &[])
        };
        assert!(once(&mut scene, "get-registered-users-num").contains("<value>2</value>"));
        assert!(once(&mut scene, "get-online-users-num").contains("<value>1</value>"));
        let ty = [("FORM_TYPE", "http://jabber.org/protocol/admin")];
        let values = |seen: String| seen.matches("@example.org</value>").count();
        assert_eq!(values(admin(&mut scene, "get-registered-users-list", &ty)), 2);
        assert_eq!(values(admin(&mut scene, "get-registered-users-list", &[("max_items", "1")])), 1);
        let after = [("after", "alice@example.org")];
        assert!(
            admin(&mut scene, "get-registered-users-list", &after)
                .contains("<value>root@example.org</value>")
        );
        assert_eq!(values(admin(&mut scene, "get-online-users-list", &ty)), 1);
        assert_eq!(values(admin(&mut scene, "get-online-users-list", &after)), 0);
        assert!(admin(&mut scene, "get-online-users-list", &[("max_items", "x")]).contains("bad-payload"));
        let seen = admin(&mut scene, "announce", &[("announcement", "one two")]);
        let told = "-> <message from='example.org' to='alice@example.org/phone' type='headline'><body>one\ntwo</body></message>\n";
        assert!(seen.starts_with(told) && seen.contains("Sent to 1 devices"), "{seen}");
        scene.store = store::memory::Memory::new();
        let left = br#"{"at":86400}"#.to_vec();
        let write = model::storage::Write::DocPut {
            space: crate::last::LAST,
            owner: "root@example.org".into(),
            value: left.into(),
        };
        store::block_on(store::Store::commit(&scene.store, write.into())).unwrap();
        let seen = admin(
            &mut scene,
            "get-user-lastlogin",
            &[("accountjids", "root@example.org alice@example.org x@example.org")],
        );
        assert!(
            seen.contains(
                "<value>2001-09-09T01:46:40Z</value><value>1970-01-02T00:00:00Z</value><value>unknown</value>"
            ),
            "{seen}"
        );
    }

    #[test]
    fn users_help_themselves() {
        let mut scene = scene();
        scene.open("phone");
        let alice = "alice@example.org/phone";
        let long = "x".repeat(PASSWORD_BYTES_MAX + 1);
        let mut change = |old, new, again| {
            whole(
                &mut scene,
                alice,
                "change-password",
                &[("old", old), ("password", new), ("password-verify", again)],
            )
        };
        assert!(change("secret", "a", "b").contains("<note type='error'>The passwords differ"));
        assert!(change("wrong", "new", "new").contains("<note type='error'>That is not your password"));
        assert!(change("secret", &long, &long).contains("not-acceptable"));
        assert!(change("secret", "new", "new").contains("ask password alice@example.org"));
        assert_eq!(scene.book[crate::scene::OWN].password, "new");
        let seen = run(&mut scene, alice, "node='devices'", &[]);
        assert!(
            seen.contains("<value>phone, Tester, Bench, from 127.0.0.1, TLSv1.3, not available</value>"),
            "{seen}"
        );
    }
}
