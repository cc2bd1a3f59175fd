use kernel::Direction::{Active, None as Not};
use kernel::{BlockList, HostFacts, SafetyFacts, StrangerPolicy};

use super::*;
use crate::scene::{Scene, error, jid};

const EVE: &str = "eve@spam.example";

fn scene(policy: StrangerPolicy) -> Scene {
    let mut scene = Scene::one(Strangers::default());
    let safety = SafetyFacts { strangers: policy, ..SafetyFacts::default() };
    let services = vec![(jid("rooms.example.org"), "Rooms".to_owned())];
    scene.facts(HostFacts { safety, services, ..HostFacts::default() });
    scene.available("phone", 1);
    scene
}

fn says(from: &str, inner: &str) -> String {
    format!("<message from='{from}' to='alice@example.org' type='chat'>{inner}</message>")
}

fn order_of(scene: &mut Scene, wanted: &Order) -> Vec<String> {
    let stanza = order(&jid("example.org"), &scene.account.jid.clone(), wanted);
    scene.play(None, |kernel, turn| kernel.arrive(turn, stanza))
}

fn bare(text: &str) -> Bare {
    Bare::parse(text).unwrap()
}

/// What was routed to the account itself comes in, as the engine would bring it.
fn come_again(scene: &mut Scene, seen: &[String]) -> Vec<String> {
    let own = seen
        .iter()
        .filter_map(|line| line.strip_prefix("-> "))
        .filter(|xml| xml.contains("to='alice@example.org'"));
    own.flat_map(|xml| scene.get(xml)).collect()
}

fn shown(seen: &[String]) -> usize {
    seen.iter().filter(|line| line.starts_with("phone: ")).count()
}

/// Who is known is heard under every policy.
#[test]
fn those_who_are_known_are_no_strangers() {
    for (from, known) in [
        ("bob@a.example/x", true),
        ("alice@example.org/laptop", true),
        ("carl@example.org/x", true),
        ("example.org", true),
        ("pub@rooms.example.org", true),
        ("pub@rooms.example.org/thirdwitch", true),
        ("cafe@rooms.elsewhere.example/dora", true),
        ("asked@a.example/x", false),
        ("eve@spam.example/x", false),
        ("spam.example", false),
        ("other@rooms.elsewhere.example/dora", false),
    ] {
        let mut scene = scene(StrangerPolicy::Refuse);
        scene.contact("bob@a.example", Not, Active);
        scene.send("phone", "<presence to='cafe@rooms.elsewhere.example/alice'/>");
        let item = kernel::Item { from: kernel::Direction::Pending, ..Default::default() };
        let mut fx = kernel::Effects::default();
        scene.account.roster.set(&Owner::from("alice@example.org"), &jid("asked@a.example"), item, &mut fx);
        let seen = scene.get(&says(from, "<body>a</body>"));
        assert_eq!(shown(&seen) == 1, known, "{from}: {seen:?}");
        assert!(known || seen[0].contains(&error("cancel", "service-unavailable")), "{from}: {seen:?}");
    }
}

#[test]
fn each_policy_does_what_it_says() {
    use StrangerPolicy::{Allow, Hold, Refuse};
    let event = "<event xmlns='http://jabber.org/protocol/pubsub#event'/>";
    for (policy, xml, delivered) in [
        (Allow, says(EVE, "<body>a</body>"), true),
        (Hold, says(EVE, "<body>a</body>"), false),
        (Refuse, says(EVE, "<body>a</body>"), false),
        (Allow, says(EVE, "<composing xmlns='http://jabber.org/protocol/chatstates'/>"), true),
        (Hold, says(EVE, "<composing xmlns='http://jabber.org/protocol/chatstates'/>"), false),
        (Hold, says(EVE, event), true),
        (Refuse, says(EVE, event), true),
        (Hold, says(EVE, "<x xmlns='jabber:x:conference' jid='a@b.example'/>"), false),
        (Hold, format!("<presence from='{EVE}' to='alice@example.org' type='subscribe'/>"), true),
        (Refuse, format!("<presence from='{EVE}' to='alice@example.org' type='subscribe'/>"), false),
        (Refuse, format!("<message from='{EVE}/x' to='alice@example.org/phone' type='error'/>"), true),
        (
            Hold,
            format!(
                "<message from='{EVE}/x' to='alice@example.org/phone' type='headline'><body>a</body></message>"
            ),
            false,
        ),
    ] {
        let mut scene = scene(policy);
        let seen = scene.get(&xml);
        assert_eq!(shown(&seen) == 1, delivered, "{policy:?} {xml}: {seen:?}");
        let kept = seen.iter().any(|line| line.starts_with("log held "));
        assert_eq!(
            kept,
            policy == Hold && !delivered && !xml.contains("composing") && !xml.contains("headline")
        );
    }
}

/// Held, told once a day, shown again in order when the user lets it in.
#[test]
fn what_is_held_comes_in_when_the_user_wants_it() {
    let accept = "answers the host's order";
    for how in [
        accept,
        "<message to='eve@spam.example' type='chat'><body>who are you?</body></message>",
        "<presence to='eve@spam.example' type='subscribe'/>",
        "<iq type='set' id='1'><query xmlns='jabber:iq:roster'><item jid='eve@spam.example'/></query></iq>",
    ] {
        let mut scene = Scene::new(crate::all("1", "plan9", Vec::new()));
        scene.open("phone");
        let safety = SafetyFacts { strangers: StrangerPolicy::Hold, ..SafetyFacts::default() };
        scene.facts(HostFacts { safety, ..HostFacts::default() });
        scene.available("phone", 1);
        let first = scene.get(&says(EVE, "<body>one</body>"));
        let notice = first.iter().filter(|line| line.contains("Somebody whom you do not know")).count();
        assert_eq!((notice, shown(&first)), (1, 0), "{first:?}");
        assert!(
            first.iter().all(|line| !line.starts_with("log archive")),
            "not kept before it is wanted: {first:?}"
        );
        let second = scene.get(&says("eve@spam.example/x", "<body>two</body>"));
        assert!(second.len() == 1 && second[0].starts_with("log held "), "{second:?}");
        let other = scene.get(&says("mallory@spam.example", "<body>other</body>"));
        assert_eq!(other.len(), 1, "one notice a day: {other:?}");
        scene.reload();
        scene.open("phone");
        scene.available("phone", 1);
        let seen = match how {
            how if how == accept => order_of(&mut scene, &Order::Accept(bare(EVE))),
            how => scene.send("phone", how),
        };
        assert!(seen.iter().any(|line| line.starts_with("del held Ids([")), "{how}: {seen:?}");
        let seen = come_again(&mut scene, &seen);
        let bodies: Vec<&String> = seen.iter().filter(|line| line.starts_with("phone: ")).collect();
        assert_eq!(bodies.len(), 2, "{how}: {seen:?}");
        assert!(
            bodies[0].contains("<body>one</body>")
                && bodies[0].contains("<delay xmlns='urn:xmpp:delay' stamp=")
        );
        assert!(bodies[1].contains("<body>two</body>"), "{bodies:?}");
        let seen = scene.get(&says("eve@spam.example/x", "<body>three</body>"));
        let known = shown(&seen) == 1 || how.contains("roster") && seen.iter().any(|l| l.contains("three"));
        assert!(known, "{how}: {seen:?}");
        let seen = scene.get(&says("mallory@spam.example/x", "<body>three</body>"));
        assert!(seen.iter().any(|line| line.starts_with("log held ")), "the other still waits: {seen:?}");
    }
}

#[test]
fn what_is_not_wanted_is_forgotten() {
    let mut scene = scene(StrangerPolicy::Hold);
    scene.get(&says(EVE, "<body>one</body>"));
    let seen = order_of(&mut scene, &Order::Discard(bare(EVE)));
    assert!(seen.len() == 1 && seen[0].starts_with("del held Ids(["), "{seen:?}");
    let seen = order_of(&mut scene, &Order::Accept(bare(EVE)));
    assert_eq!(seen.len(), 1, "noted, and nothing to let in: {seen:?}");
}

#[test]
fn the_user_has_the_last_word() {
    let mut scene = scene(StrangerPolicy::Allow);
    assert_eq!(
        order_of(&mut scene, &Order::Policy(Some(StrangerPolicy::Refuse))),
        ["put strangers =policy = refuse"]
    );
    scene.reload();
    scene.open("phone");
    scene.available("phone", 1);
    assert_eq!(shown(&scene.get(&says(EVE, "<body>a</body>"))), 0);
    assert_eq!(order_of(&mut scene, &Order::Policy(None)), ["del strangers =policy"]);
    assert_eq!(shown(&scene.get(&says(EVE, "<body>a</body>"))), 1);
    // Only the host gives orders.
    for from in ["example.org/x", "alice@example.org/phone", "spam.example", "eve@example.org"] {
        let forged = format!(
            "<message from='{from}' to='alice@example.org' type='headline'><policy xmlns='urn:x-detente:strangers:0' value='refuse'/></message>"
        );
        assert!(scene.get(&forged).iter().all(|line| !line.starts_with("put")), "{from}");
    }
}

#[test]
fn everything_has_an_end() {
    let mut scene = scene(StrangerPolicy::Hold);
    let wait = "resource-constraint";
    let mut refused = 0;
    for n in 0..=held::HELD_PER_STRANGER_MAX {
        let seen = scene.get(&says(EVE, &format!("<body>{n}</body>")));
        refused += usize::from(seen.iter().any(|line| line.contains(wait)));
    }
    assert_eq!(refused, 1, "one stranger");
    // Others, each slow enough.
    for n in 0..held::HELD_MAX {
        scene.now_ms += 60_000;
        scene.get(&says(&format!("eve{n}@a{n}.example"), "<body>a</body>"));
    }
    let seen = scene.get(&says("last@b.example", "<body>a</body>"));
    assert!(seen.len() == 1 && seen[0].contains(wait), "all of them: {seen:?}");
    let mut scene = self::scene(StrangerPolicy::Hold);
    let large = "x".repeat(250_000);
    let seen: Vec<Vec<String>> = (0..5)
        .map(|n| scene.get(&says(&format!("e{n}@c.example"), &format!("<body>{large}</body>"))))
        .collect();
    assert!(seen[3].iter().any(|l| l.starts_with("log held")) && seen[4][0].contains(wait), "bytes");
}

#[test]
fn rates_of_one_account_and_of_a_domain() {
    let mut scene = scene(StrangerPolicy::Allow);
    let mut passed = 0;
    for n in 0..=pace::STRANGER_MESSAGES_PER_MINUTE {
        passed += shown(&scene.get(&says(&format!("e{n}@a{n}.example"), "<body>a</body>")));
    }
    assert_eq!(passed as u32, pace::STRANGER_MESSAGES_PER_MINUTE, "however many domains they have");
    scene.now_ms += 60_000;
    assert_eq!(shown(&scene.get(&says(EVE, "<body>a</body>"))), 1, "the next minute");
    let mut passed = 0;
    for n in 0..=pace::STRANGER_REQUESTS_PER_HOUR {
        passed +=
            shown(&scene.get(&format!(
                "<presence from='e{n}@a{n}.example' to='alice@example.org' type='subscribe'/>"
            )));
    }
    assert_eq!(passed as u32, pace::STRANGER_REQUESTS_PER_HOUR);
    // One domain cannot use up what all others may send to an account.
    let domains = pace::Domains::default();
    let mut turns = kernel::Account::new(bare("alice@example.org"), true);
    let mut admitted = 0;
    for n in 0..pace::DOMAIN_MESSAGES_PER_MINUTE + 1 {
        turns.slots = kernel::Slots::default();
        let mut fx = kernel::Effects::default();
        let now = kernel::Now { unix_ms: 1_000_000 };
        let mut turn = Turn::new(now, 1, &mut turns, None, &mut fx);
        admitted +=
            u32::from(domains.admit(&mut turn, &bare(&format!("u{n}@spam.example")), Sort::Message).is_ok());
    }
    assert_eq!(admitted, pace::DOMAIN_MESSAGES_PER_MINUTE);
}

#[test]
fn the_banned_are_refused_and_others_keep_their_order() {
    let mut scene = scene(StrangerPolicy::Allow);
    let list = BlockList { service: jid("lists.example"), node: "bans".into() };
    let safety = SafetyFacts { lists: vec![list.clone()], ..SafetyFacts::default() };
    scene.facts(HostFacts { safety, ..HostFacts::default() });
    let mut fx = kernel::Effects::default();
    for who in [EVE, "worse.example"] {
        let key = format!("{}{}", kernel::banned::prefix(&list), kernel::banned::hash(who));
        fx.put_map(kernel::banned::BANNED, Owner::from("example.org"), &key, Vec::new());
    }
    scene.carry_out(fx);
    for (xml, passes) in [
        (says("eve@spam.example/x", "<body>a</body>"), false),
        (says("bob@spam.example/x", "<body>a</body>"), true),
        (says("bob@worse.example/x", "<body>a</body>"), false),
        ("<presence from='eve@spam.example' to='alice@example.org' type='subscribe'/>".to_owned(), false),
        ("<presence from='bob@spam.example' to='alice@example.org' type='subscribe'/>".to_owned(), true),
    ] {
        let seen = scene.get(&xml);
        assert_eq!(seen.iter().any(|line| line.contains("policy-violation")), !passes, "{xml}: {seen:?}");
        assert_eq!(shown(&come_again(&mut scene, &seen)), usize::from(passes), "{xml}: {seen:?}");
    }
    // Contacts are not looked up.
    scene.contact(EVE, Active, Active);
    assert_eq!(shown(&scene.get(&says("eve@spam.example/x", "<body>a</body>"))), 1);
    // Nobody passes because nobody can look.
    scene.broken = true;
    let seen = scene.get(&says("bob@worse.example/x", "<body>a</body>"));
    assert!(seen.len() == 1 && seen[0].contains("type='error'"), "{seen:?}");
}

/// Plays with questions that wait: what is refused, what is routed, and the questions.
struct Slow(Scene);

impl Slow {
    fn new() -> Slow {
        let mut scene = scene(StrangerPolicy::Allow);
        let lists = vec![BlockList { service: jid("lists.example"), node: "bans".into() }];
        let safety = SafetyFacts { lists, ..SafetyFacts::default() };
        scene.facts(HostFacts { safety, ..HostFacts::default() });
        Slow(scene)
    }

    fn play(
        &mut self,
        act: impl FnOnce(&kernel::Kernel, &mut Turn<'_, kernel::Account>),
    ) -> (Vec<String>, Vec<kernel::Resume<kernel::Account>>) {
        let mut fx = kernel::Effects::default();
        let now = kernel::Now { unix_ms: self.0.now_ms };
        act(&self.0.kernel, &mut Turn::new(now, 1, &mut self.0.account, None, &mut fx));
        let (mut routed, mut asked) = (Vec::new(), Vec::new());
        for effect in fx.take() {
            match effect {
                kernel::Effect::Ask(_, _, resume) => asked.push(resume),
                kernel::Effect::Route(stanza) => routed.push(format!("{stanza:?}")),
                other => panic!("{other:?}"),
            }
        }
        (routed, asked)
    }

    fn come(&mut self, from: &str) -> kernel::Resume<kernel::Account> {
        let stanza = Stanza::from_stored(says(from, "<body>a</body>").as_bytes()).unwrap();
        let (routed, mut asked) = self.play(|kernel, turn| kernel.arrive(turn, stanza));
        assert!(routed.is_empty() && asked.len() == 1, "{routed:?}");
        asked.remove(0)
    }

    fn clean(
        &mut self,
        resume: kernel::Resume<kernel::Account>,
    ) -> (Vec<String>, Vec<kernel::Resume<kernel::Account>>) {
        let none = Loaded::Many(vec![Loaded::Doc(None), Loaded::Doc(None)]);
        self.play(|_, turn| resume(turn, Ok(model::query::Found::Loaded(none))))
    }
}

/// As long as a question waits for its answer its stanza does not count as handled; what waits otherwise would be lost
/// with the process.
#[test]
fn who_is_looked_up_faster_than_others_is_asked_about_again() {
    let mut slow = Slow::new();
    let (first, second) = (slow.come("bob@a.example/x"), slow.come("carl@b.example/x"));
    let (routed, mut asked) = slow.clean(second);
    assert!(routed.is_empty() && asked.len() == 1, "{routed:?}");
    let (routed, none) = slow.clean(first);
    assert!(routed.len() == 1 && routed[0].contains("from='bob@") && none.is_empty(), "{routed:?}");
    let (routed, none) = slow.clean(asked.remove(0));
    assert!(routed.len() == 1 && routed[0].contains("from='carl@") && none.is_empty(), "{routed:?}");
}

#[test]
fn too_many_at_once_pass_no_list() {
    let mut slow = Slow::new();
    let (first, second) = (slow.come("bob@a.example/x"), slow.come("carl@b.example/x"));
    let many = StanzaError::from(stanza::Condition::ResourceConstraint);
    let (routed, _) = slow.play(|_, turn| first(turn, Err(many)));
    assert!(routed.len() == 1 && routed[0].contains(&error("wait", "resource-constraint")), "{routed:?}");
    // Nobody waits for who was refused.
    let (routed, asked) = slow.clean(second);
    assert!(routed.len() == 1 && routed[0].contains("from='carl@") && asked.is_empty(), "{routed:?}");
}

/// A room of ours hands on what a stranger says.
#[test]
fn an_invitation_is_the_inviters() {
    let invite = |from: &str| {
        format!(
            "<message from='pub@rooms.example.org' to='alice@example.org'><x xmlns='http://jabber.org/protocol/muc#user'><invite from='{from}'/></x></message>"
        )
    };
    for (xml, passes) in [
        (invite("bob@a.example/x"), true),
        (invite("carl@example.org"), true),
        (invite("eve@spam.example"), false),
        (invite("a b"), true),
        (invite("bob@a.example").replace("pub@rooms.example.org", "pub@rooms.elsewhere.example"), false),
    ] {
        let mut scene = scene(StrangerPolicy::Hold);
        scene.contact("bob@a.example", Active, Active);
        let seen = scene.get(&xml);
        assert_eq!(shown(&seen) == 1, passes, "{xml}: {seen:?}");
    }
}

#[test]
fn those_written_to_may_answer_as_fast_as_they_like_also_where_all_are_let_in() {
    let mut scene = scene(StrangerPolicy::Allow);
    let seen = scene.send("phone", "<message to='bob@a.example' type='chat'><body>a</body></message>");
    assert!(!seen.iter().any(|line| line.starts_with("put strangers")), "without a write: {seen:?}");
    for n in 0..=pace::STRANGER_MESSAGES_PER_MINUTE {
        let seen = scene.get(&says("bob@a.example/x", &format!("<body>{n}</body>")));
        assert_eq!(shown(&seen), 1, "{n}: {seen:?}");
    }
}

#[test]
fn those_written_to_are_remembered_but_not_for_ever() {
    let mut scene = scene(StrangerPolicy::Refuse);
    let write = |to: &str| format!("<message to='{to}' type='chat'><body>a</body></message>");
    let noted = |seen: Vec<String>| seen.iter().filter(|line| line.starts_with("put strangers")).count();
    assert_eq!(noted(scene.send("phone", &write("bob@a.example/x"))), 1);
    assert_eq!(noted(scene.send("phone", &write("bob@a.example"))), 0, "once a week");
    assert_eq!(noted(scene.send("phone", &write("carl@example.org"))), 0, "of this house");
    scene.reload();
    scene.open("phone");
    scene.available("phone", 1);
    assert_eq!(shown(&scene.get(&says("bob@a.example/y", "<body>a</body>"))), 1);
    for n in 0..known::SPOKEN_MAX {
        scene.now_ms += 1;
        scene.send("phone", &write(&format!("u{n}@a.example")));
    }
    assert_eq!(shown(&scene.get(&says("bob@a.example/y", "<body>a</body>"))), 0, "the oldest is forgotten");
}
