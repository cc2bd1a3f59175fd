//! Commands on the stage: who may run them, and what comes of it.
//!
//! XEP-0050 1.3.0, XEP-0133 1.3.1
//!
//! Not here: commands in a running server (scenes).

use super::admin;
use super::running::RUNNING_MS_MAX;
use model::query::{SessionFound, UploadFound, UploadQuery, UploadedFile};

use super::*;
use crate::disco::Disco;
use crate::register::PASSWORD_BYTES_MAX;
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
    let form =
        if fields.is_empty() { form } else { format!("<x xmlns='jabber:x:data' type='submit'>{form}</x>") };
    let command = format!("<command xmlns='http://jabber.org/protocol/commands' {attrs}>{form}</command>");
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
        for command in admin::COMMANDS {
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
    for node in [
        "delete-user",
        "disable-user",
        "reenable-user",
        "end-user-session",
        "get-user-lastlogin",
        "get-user-roster",
    ] {
        for bad in ["root@b.example", "alice@example.org root@b.example", "example.org"] {
            let seen = admin(&mut scene, node, &[("accountjids", bad)]);
            assert!(seen.contains(&forbidden) && !seen.contains("ask"), "{node}: {seen}");
        }
    }
    let password = [("accountjid", "root@b.example"), ("password", "x"), ("password-verify", "x")];
    for node in ["add-user", "change-user-password", "user-stats"] {
        assert!(admin(&mut scene, node, &password).contains(&forbidden));
    }
}

#[test]
fn lists_what_may_be_run() {
    let mut scene = scene();
    let mut items = |from: &str, node: &str| {
        let query = format!("<query xmlns='http://jabber.org/protocol/disco#items' node='{node}'/>");
        scene.host(&format!("<iq from='{from}' to='example.org' type='get' id='1'>{query}</iq>")).remove(0)
    };
    let count = |seen: String| seen.matches("<item jid='example.org' node='").count();
    assert_eq!(count(items(ADMIN, ns::COMMANDS)), commands().count());
    assert_eq!(
        count(items("alice@example.org/a", ns::COMMANDS)),
        commands().filter(|command| !command.admin).count()
    );
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
    let seen = admin(&mut scene, "disable-user", &[("accountjids", "alice@example.org gone@example.org")]);
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
    let many: Vec<String> = (0..=admin::ACCOUNTS_MAX).map(|n| format!("u{n}@example.org")).collect();
    for bad in [many.join(" "), "@".into()] {
        let seen = admin(&mut scene, "delete-user", &[("accountjids", &bad)]);
        assert!(seen.contains(&app("bad-request", "bad-payload")), "{seen}");
    }
    let word = [("accountjid", "alice@example.org"), ("password", "n")];
    assert!(admin(&mut scene, "change-user-password", &word).starts_with("ask password alice@example.org"));
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
        admin(&mut scene, "get-registered-users-list", &after).contains("<value>root@example.org</value>")
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

#[test]
fn counts_and_lists_by_standing_and_by_presence() {
    let mut scene = scene();
    scene.register("bob@example.org", "x", false);
    scene.register("carl@example.org", "x", false);
    scene.book.get_mut("carl@example.org").unwrap().suspended = true;
    scene.open("phone");
    scene.open("laptop");
    scene.available("phone", 0);
    let other =
        |jid: &str, idle| SessionFound { jid: crate::scene::jid(jid), priority: Some(0), about: None, idle };
    scene.elsewhere = vec![other("bob@example.org/x", true), other("root@b.example/x", false)];
    let once = |scene: &mut Scene, node: &str| {
        run(scene, ADMIN, &format!("node='http://jabber.org/protocol/admin#{node}'"), &[])
    };
    for (node, var, count) in [
        ("get-registered-users-num", "registeredusersnum", 4),
        ("get-disabled-users-num", "disabledusersnum", 1),
        ("get-online-users-num", "onlineusersnum", 2),
        ("get-active-users-num", "activeusersnum", 1),
        ("get-idle-users-num", "idleusersnum", 1),
    ] {
        let field = format!("<field var='{var}' type='text-single'><value>{count}</value></field></x>");
        let seen = once(&mut scene, node);
        assert!(seen.contains(&field), "{node}: {seen}");
    }
    let page = [("max_items", "25")];
    for (node, var, jids) in [
        ("get-disabled-users-list", "disableduserjids", &["carl"][..]),
        ("get-online-users-list", "onlineuserjids", &["alice", "bob"]),
        ("get-active-users", "activeuserjids", &["alice"]),
        ("get-idle-users", "idleuserjids", &["bob"]),
    ] {
        let values: String = jids.iter().map(|name| format!("<value>{name}@example.org</value>")).collect();
        let seen = admin(&mut scene, node, &page);
        assert!(
            seen.contains(&format!("<field var='{var}'")) && seen.contains(&format!(">{values}</field></x>")),
            "{seen}"
        );
    }
    let seen = admin(&mut scene, "get-registered-users-list", &[("max_items", "none")]);
    assert_eq!(seen.matches("@example.org</value>").count(), 4);
}

#[test]
fn a_users_contacts_and_connections_are_shown() {
    use kernel::Direction::{Active, None as Not};
    let mut scene = scene();
    scene.open("phone");
    scene.contact("bob@a.example", Active, Active);
    scene.contact("carl@a.example", Not, Active);
    let item = |name: &str, subscription: &str| {
        format!("<item jid='{name}@a.example' subscription='{subscription}'/>")
    };
    let both = item("bob", "both") + &item("carl", "from");
    for (fields, items) in [
        (&[("accountjids", "alice@example.org")][..], both.as_str()),
        (&[("accountjids", "alice@example.org"), ("max_items", "1")], &item("bob", "both")),
        (&[("accountjids", "alice@example.org"), ("after", "bob@a.example")], &item("carl", "from")),
    ] {
        let seen = admin(&mut scene, "get-user-roster", fields);
        let query = format!("<query xmlns='jabber:iq:roster'>{items}</query></x>");
        assert!(seen.contains(&query) && seen.contains("<value>alice@example.org</value>"), "{seen}");
    }
    for (fields, refusal) in [
        (&[("accountjids", "alice@example.org root@example.org")][..], "<note type='error'>Only one roster"),
        (&[("accountjids", "nobody@example.org")], "<note type='error'>nobody@example.org: no such account"),
        (&[("accountjids", "alice@example.org"), ("after", "@")], "bad-payload"),
        (&[("accountjids", "alice@example.org"), ("max_items", "many")], "bad-payload"),
    ] {
        let seen = admin(&mut scene, "get-user-roster", fields);
        assert!(seen.contains(refusal), "{seen}");
    }
    let seen = admin(&mut scene, "user-stats", &[("accountjid", "alice@example.org")]);
    for field in [
        "var='ipaddresses' type='text-single'><value>127.0.0.1</value>",
        "var='rostersize' type='text-single'><value>2</value>",
        "var='onlineresources' type='text-single'><value>phone</value>",
    ] {
        assert!(seen.contains(field), "{seen}");
    }
    assert!(admin(&mut scene, "user-stats", &[("accountjid", "x@example.org")]).contains("no such account"));
}

#[test]
fn the_list_of_operators_is_edited_as_a_whole() {
    let mut scene = scene();
    scene.register("bob@example.org", "x", true);
    scene.register("carl@example.org", "x", false);
    let node = "http://jabber.org/protocol/admin#edit-admin";
    let form = run(&mut scene, ADMIN, &format!("node='{node}'"), &[]);
    let now = "<value>bob@example.org</value><value>root@example.org</value>";
    assert!(form.contains(&format!("<required/>{now}</field>")), "{form}");
    let mut edit = |jids: &str| admin(&mut scene, "edit-admin", &[("adminjids", jids)]);
    for (jids, refusal) in [
        ("bob@example.org", "You cannot take your own rights away"),
        ("root@example.org nobody@example.org", "nobody@example.org: no such account"),
        ("root@example.org root@b.example", "<forbidden "),
        ("root@example.org @", "<bad-payload "),
    ] {
        let seen = edit(jids);
        assert!(seen.contains(refusal) && !seen.contains("ask"), "{seen}");
    }
    let seen = edit("carl@example.org root@example.org");
    assert!(seen.starts_with("ask admin carl@example.org true\nask admin bob@example.org false\n"), "{seen}");
    assert!(edit("carl@example.org root@example.org").starts_with("-> "), "nothing changes");
    assert!(scene.book["root@b.example"].admin);
    for n in 0..=admin::ACCOUNTS_MAX {
        scene.register(&format!("u{n}@example.org"), "x", true);
    }
    let seen = run(&mut scene, ADMIN, &format!("node='{node}'"), &[]);
    assert!(seen.contains("<note type='error'>There are too many operators"), "{seen}");
}

/// XEP-0133 section 4.22 to 4.26.
#[test]
fn what_all_shall_read_reaches_each_once() {
    let mut scene = Scene::new(vec![Box::new(AdHoc), Box::new(crate::notices::Notices)]);
    scene.register("root@example.org", "toor", true);
    scene.open("phone");
    scene.available("phone", 0);
    let told = |to: &str, text: &str| {
        format!("<message from='example.org' to='alice@example.org/{to}' type='headline'><body>{text}</body>")
    };
    assert!(admin(&mut scene, "announce", &[("announcement", &"x".repeat(8_193))]).contains("bad-payload"));
    let once = |scene: &mut Scene, node: &str| {
        run(scene, ADMIN, &format!("node='http://jabber.org/protocol/admin#{node}'"), &[])
    };
    assert!(once(&mut scene, "edit-motd").contains("<note type='error'>No message of the day"));
    // Those who are there get it at once, with a mark for their account.
    let seen = admin(&mut scene, "set-motd", &[("motd", "good")]);
    let lines: Vec<&str> = seen.lines().collect();
    assert!(lines[0].starts_with("put motd of example.org = {"), "{seen}");
    let routed = lines[1].strip_prefix("-> ").unwrap_or_else(|| panic!("{seen}"));
    assert!(routed.starts_with(&told("phone", "good")) && routed.contains("<motd xmlns"), "{seen}");
    let got = scene.get(routed);
    assert!(got.contains(&format!("phone: {}</message>", told("phone", "good"))), "{got:?}");
    assert!(got.iter().any(|line| line.starts_with("put notices = ")), "{got:?}");
    scene.open("laptop");
    assert!(!scene.available("laptop", 0).iter().any(|line| line.contains("good")));
    scene.reload();
    scene.open("phone");
    assert!(!scene.available("phone", 0).iter().any(|line| line.contains("good")));
    // A mark that somebody else made is only text.
    let forged = routed.replace("from='example.org'", "from='bob@example.org/x'");
    assert!(!scene.get(&forged).iter().any(|line| line.starts_with("put ")));
    // A corrected one is for those who have not read it; a new one for all.
    let form = once(&mut scene, "edit-motd");
    assert!(form.contains("<required/><value>good</value></field>"), "{form}");
    admin(&mut scene, "edit-motd", &[("motd", "evening")]);
    scene.open("tablet");
    assert!(!scene.available("tablet", 0).iter().any(|line| line.contains("evening")));
    admin(&mut scene, "set-motd", &[("motd", "night")]);
    scene.open("watch");
    let seen = scene.available("watch", 0);
    assert!(seen.contains(&format!("watch: {}</message>", told("watch", "night"))), "{seen:?}");
    assert!(!scene.available("watch", 1).iter().any(|line| line.contains("night")), "once");
    assert!(once(&mut scene, "delete-motd").starts_with("del motd of example.org\n"));
    // The book's accounts were made in 1970-01-12: this welcome is too late for them.
    admin(&mut scene, "set-welcome", &[("welcome", "hello")]);
    scene.open("fridge");
    let seen = scene.available("fridge", 0);
    assert!(!seen.iter().any(|line| line.contains("hello")), "{seen:?}");
}

#[test]
fn who_is_new_is_welcomed_once() {
    let mut scene = Scene::new(vec![Box::new(AdHoc), Box::new(crate::notices::Notices)]);
    scene.register("root@example.org", "toor", true);
    scene.now_ms = 5_000;
    let seen = admin(&mut scene, "set-welcome", &[("welcome", "hello")]);
    assert!(seen.starts_with("put welcome of example.org = {"), "{seen}");
    scene.now_ms = 2_000_000_000;
    scene.open("phone");
    let hello = "phone: <message from='example.org' to='alice@example.org/phone' type='headline'><body>hello</body></message>";
    assert!(scene.available("phone", 0).contains(&hello.to_owned()));
    scene.reload();
    scene.open("phone");
    assert!(!scene.available("phone", 0).contains(&hello.to_owned()));
    let seen = run(&mut scene, ADMIN, "node='http://jabber.org/protocol/admin#delete-welcome'", &[]);
    assert!(seen.starts_with("del welcome of example.org\n"), "{seen}");
}

#[test]
fn users_see_and_delete_their_files() {
    let mut scene = scene();
    let alice = "alice@example.org/phone";
    let file = |id: &str, until_ms| UploadedFile {
        id: id.into(),
        name: "<cat>.jpg".into(),
        bytes: 20_500,
        at_ms: 86_400_000,
        until_ms,
        url: "https://e/1".into(),
    };
    assert!(
        run(&mut scene, alice, "node='files'", &[]).contains("type='error'>Files cannot be uploaded here")
    );
    scene.files.0 = UploadFound::Files(Vec::new());
    for node in ["files", "delete-files"] {
        let seen = run(&mut scene, alice, &format!("node='{node}'"), &[]);
        assert!(seen.contains("type='info'>You have no uploaded files here"), "{seen}");
    }
    scene.files.0 = UploadFound::Files(vec![file("f1", Some(2 * 86_400_000)), file("f2", None)]);
    let seen = run(&mut scene, alice, "node='files'", &[]);
    let lines = "<value>1970-01-02: &lt;cat&gt;.jpg, 20 kB, goes 1970-01-03 https://e/1</value>\
        <value>1970-01-02: &lt;cat&gt;.jpg, 20 kB, stays https://e/1</value>";
    assert!(seen.contains(lines), "{seen}");
    let seen = run(&mut scene, alice, "node='delete-files'", &[]);
    let option = "<option label='1970-01-02: &lt;cat&gt;.jpg, 20 kB, stays'><value>f2</value></option>";
    assert!(seen.contains(option) && seen.contains("type='list-multi'"), "{seen}");
    for (filled, found, want) in [
        ("f1 f2", UploadFound::Deleted(2), "type='info'>2 files are deleted"),
        ("f1", UploadFound::Deleted(1), "type='info'>1 file is deleted"),
        ("f1", UploadFound::Deleted(0), "type='error'>No such files"),
        ("f1", UploadFound::Off, "type='error'>Files cannot"),
        (&"x ".repeat(201), UploadFound::Deleted(1), "<bad-payload "),
        (&"x".repeat(129), UploadFound::Deleted(1), "<bad-payload "),
        (" ", UploadFound::Deleted(1), "<bad-payload "),
    ] {
        scene.files = (UploadFound::Files(vec![file("f1", None)]), Vec::new());
        let id = open(&mut scene, alice, "delete-files");
        (scene.files.0, scene.files.1) = (found, Vec::new());
        let attrs = format!("node='delete-files' sessionid='{id}' action='complete'");
        let seen = run(&mut scene, alice, &attrs, &[("files", filled)]);
        assert!(seen.contains(want), "{seen}");
        let ids: Vec<String> = filled.split(' ').map(str::to_owned).collect();
        let account = address::Bare::parse("alice@example.org").unwrap();
        let asked = (!want.contains("bad")).then_some(UploadQuery::Delete { account, ids });
        assert_eq!(scene.files.1, Vec::from_iter(asked));
    }
    scene.broken = true;
    assert!(run(&mut scene, alice, "node='files'", &[]).contains("type='error'"));
}
