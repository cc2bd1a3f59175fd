use kernel::{HostFacts, SafetyFacts};

use super::*;
use crate::scene::{Scene, error};

fn scene(policy: Policy) -> Scene {
    let mut scene = Scene::new(crate::all("1", "plan9", Vec::new()));
    let safety = SafetyFacts { directory: policy, ..SafetyFacts::default() };
    scene.facts(HostFacts { safety, ..HostFacts::default() });
    scene.register("bob@example.org", "x", false);
    scene.register("carol@other.example", "x", false);
    scene.open("phone");
    scene.send(
        "phone",
        "<iq type='set' id='v'><vCard xmlns='vcard-temp'><N><FAMILY>Capulet</FAMILY><GIVEN>Alicia</GIVEN></N><NICKNAME>Ännchen</NICKNAME></vCard></iq>",
    );
    scene
}

fn search(scene: &mut Scene, inner: &str) -> String {
    let seen = scene.host(&format!(
        "<iq from='bob@example.org/x' to='example.org' type='set' id='s'><query xmlns='jabber:iq:search'>{inner}</query></iq>"
    ));
    assert_eq!(seen.len(), 1, "{seen:?}");
    seen[0].clone()
}

fn wish(scene: &mut Scene, listed: &str) {
    let command = |more: &str, inner: &str| {
        format!(
            "<iq from='alice@example.org/phone' to='example.org' type='set' id='c'><command xmlns='http://jabber.org/protocol/commands' node='directory'{more}>{inner}</command></iq>"
        )
    };
    let seen = scene.host(&command("", ""));
    let id = seen[0].split("sessionid='").nth(1).unwrap().split('\'').next().unwrap();
    let form = format!(
        "<x xmlns='jabber:x:data' type='submit'><field var='listed'><value>{listed}</value></field></x>"
    );
    let seen = scene.host(&command(&format!(" sessionid='{id}'"), &form));
    assert!(seen.iter().any(|line| line.contains("status='completed'")), "{seen:?}");
}

#[test]
fn who_wants_to_be_found_is_found() {
    for (policy, wishes, found) in [
        (Policy::OptIn, &[][..], false),
        (Policy::OptIn, &["1"], true),
        (Policy::OptIn, &["1", "0"], false),
        (Policy::All, &[], true),
        (Policy::All, &["0"], false),
    ] {
        let mut scene = scene(policy);
        wishes.iter().for_each(|listed| wish(&mut scene, listed));
        let answer = search(&mut scene, "<last>capu</last>");
        let item = "<item jid='alice@example.org'><first>Alicia</first><last>Capulet</last><nick>Ännchen</nick><email/></item>";
        assert_eq!(answer.contains(item), found, "{policy:?} {wishes:?}: {answer}");
        assert!(found || answer.contains("<query xmlns='jabber:iq:search'/>"), "{answer}");
    }
}

#[test]
fn patterns_and_what_is_no_pattern() {
    let mut scene = scene(Policy::OptIn);
    wish(&mut scene, "1");
    let long = "x".repeat(10_000);
    let bad = Some("not-acceptable");
    for (inner, found, condition) in [
        ("<nick>ÄNN</nick>", true, None),
        ("<first>al*ia</first>", true, None),
        ("<first>*li*</first><last>Capulet</last>", true, None),
        ("<first>alicia</first><last>Montague</last>", false, None),
        ("<first>%</first><last>__</last>", false, None),
        ("<first>%%</first>", false, None),
        ("<first>' OR '1'='1</first>", false, None),
        ("<first>ia*al</first>", false, None),
        ("", false, bad),
        ("<first/>", false, bad),
        ("<first>*</first>", false, bad),
        ("<first>a</first>", false, bad),
        ("<first>*a*b*c*d*e*f*</first>", false, bad),
        ("<nonsense>alicia</nonsense>", false, bad),
        (&format!("<first>{long}</first>"), false, bad),
    ] {
        let answer = search(&mut scene, inner);
        assert_eq!(answer.contains("alice@example.org"), found, "{inner}: {answer}");
        assert_eq!(
            condition.is_some_and(|condition| answer.contains(condition)),
            condition.is_some(),
            "{inner}: {answer}"
        );
        scene.now_ms += 10_000;
    }
}

#[test]
fn forms_are_answered_with_forms() {
    let mut scene = scene(Policy::OptIn);
    wish(&mut scene, "1");
    let form = |fields: &str| format!("<x xmlns='jabber:x:data' type='submit'>{fields}</x>");
    let user = "<field var='user'><value>ali</value></field>";
    let answer = search(&mut scene, &form(user));
    let value = "<item><field var='jid'><value>alice@example.org</value></field>";
    assert!(answer.contains("<reported>") && answer.contains(value), "{answer}");
    for (fields, condition) in [
        ("<field var='FORM_TYPE'><value>urn:other</value></field>", "bad-request"),
        (&format!("{user}{user}"), "bad-request"),
        ("<field var='unknown'><value>ali</value></field>", "not-acceptable"),
    ] {
        let answer = search(&mut scene, &form(fields));
        assert!(answer.contains(condition), "{fields}: {answer}");
    }
    let seen = scene.host("<iq from='bob@example.org/x' to='example.org' type='get' id='1'><query xmlns='jabber:iq:search'/></iq>");
    assert!(seen[0].contains("<nick/>") && seen[0].contains("var='user'"), "{seen:?}");
}

#[test]
fn is_for_people_of_the_domain_and_not_for_harvesters() {
    let mut scene = scene(Policy::OptIn);
    let ask = |from: &str| {
        format!(
            "<iq from='{from}' to='example.org' type='set' id='1'><query xmlns='jabber:iq:search'><nick>ann</nick></query></iq>"
        )
    };
    for from in ["carol@other.example/x", "other.example", "example.org"] {
        let seen = scene.host(&ask(from));
        assert!(seen[0].contains("<forbidden"), "{from}: {seen:?}");
    }
    let refused = (0..=SEARCHES_PER_MINUTE)
        .filter(|_| scene.host(&ask("bob@example.org/x"))[0].contains("resource-constraint"));
    assert_eq!(refused.count(), 1);
    scene.now_ms += 60_000;
    assert!(scene.host(&ask("bob@example.org/x"))[0].contains("type='result'"), "the next minute");
    let mut off = self::scene(Policy::Off);
    assert!(off.host(&ask("bob@example.org/x"))[0].contains(&error("cancel", "service-unavailable")));
    let info = "<iq from='bob@example.org/x' to='example.org' type='get' id='1'><query xmlns='http://jabber.org/protocol/disco#info'/></iq>";
    assert!(!off.host(info)[0].contains("jabber:iq:search"));
    assert!(
        scene.host(info)[0].contains("<identity category='directory' type='user' name='User directory'/>")
    );
}

/// Many people: the first are shown, all are searched.
#[test]
fn results_have_an_end() {
    let mut scene = scene(Policy::All);
    for n in 0..1_200 {
        scene.register(&format!("user{n:04}@example.org"), "x", false);
    }
    let answer = search(
        &mut scene,
        "<x xmlns='jabber:x:data' type='submit'><field var='user'><value>user</value></field></x>",
    );
    assert_eq!(answer.matches("<item>").count(), RESULTS_MAX);
    let answer = search(
        &mut scene,
        "<x xmlns='jabber:x:data' type='submit'><field var='user'><value>user1199</value></field></x>",
    );
    assert_eq!(answer.matches("<item>").count(), 1, "{answer}");
}

/// Plays with questions that wait: what was answered, and the questions.
struct Slow {
    scene: Scene,
    asked: std::collections::VecDeque<(model::query::Query, kernel::Resume<Host>)>,
    scans: usize,
    answered: Vec<String>,
}

impl Slow {
    fn new(policy: Policy) -> Slow {
        let mut scene = scene(policy);
        wish(&mut scene, "1");
        Slow { scene, asked: Default::default(), scans: 0, answered: Vec::new() }
    }

    fn play(&mut self, act: impl FnOnce(&kernel::Kernel, &mut Turn<'_, Host>)) {
        use model::query::{AccountQuery, Query};
        let mut fx = kernel::Effects::default();
        let now = kernel::Now { unix_ms: self.scene.now_ms };
        self.scene.next_id += 1;
        act(&self.scene.kernel, &mut Turn::new(now, self.scene.next_id, &mut self.scene.host, None, &mut fx));
        for effect in fx.take() {
            match effect {
                kernel::Effect::AskHost(_, query, resume) => {
                    self.scans += usize::from(matches!(
                        query,
                        Query::Read(model::storage::Read::Owners { .. })
                            | Query::Account(AccountQuery::List { .. })
                    ));
                    self.asked.push_back((query, resume));
                }
                kernel::Effect::Route(stanza) => self.answered.push(format!("{stanza:?}")),
                other => panic!("{other:?}"),
            }
        }
    }

    fn search(&mut self, who: &str) {
        let request = format!(
            "<iq from='{who}@example.org/x' to='example.org' type='set' id='s'><query xmlns='jabber:iq:search'><last>capu</last></query></iq>"
        );
        let stanza = crate::scene::stanza(&request);
        self.play(|kernel, turn| kernel.host(turn, stanza));
    }

    /// So many questions are answered; and those who found nobody, and somebody, then.
    fn answer(&mut self, count: usize) -> (usize, usize) {
        for _ in 0..count {
            let Some((query, resume)) = self.asked.pop_front() else { break };
            let found = self.scene.answer(query);
            self.play(|_, turn| resume(turn, found));
        }
        let found = |line: &&String| line.contains("<item ");
        let some = self.answered.iter().filter(found).count();
        (std::mem::take(&mut self.answered).len() - some, some)
    }
}

#[test]
fn those_who_search_at_once_wait_for_one_scan() {
    for policy in [Policy::OptIn, Policy::All] {
        let mut slow = Slow::new(policy);
        ["bob", "carl", "dora"].iter().for_each(|who| slow.search(who));
        assert_eq!((slow.answer(99), slow.scans), ((0, 3), 1));
        slow.search("bob");
        assert_eq!((slow.answer(99), slow.scans), ((0, 1), 1), "it is known");
    }
}

/// Whoever does not want to be found any more is not shown, however far the reading has come.
#[test]
fn who_leaves_while_the_directory_is_read_is_not_in_it() {
    for policy in [Policy::OptIn, Policy::All] {
        for step in 0..3 {
            let mut slow = Slow::new(policy);
            slow.search("bob");
            let answered = slow.answer(step);
            wish(&mut slow.scene, "0");
            let after = slow.answer(99);
            match step {
                // It was read before he said so.
                2 => assert_eq!((answered, after), ((0, 1), (0, 0))),
                _ => assert_eq!((answered, after), ((0, 0), (1, 0)), "{step}"),
            }
            slow.search("bob");
            assert_eq!((slow.answer(99), slow.scans), ((1, 0), 2), "{step}: what was read is not kept");
            wish(&mut slow.scene, "1");
            slow.search("bob");
            assert_eq!(slow.answer(99), (0, 1));
        }
    }
}

#[test]
fn what_was_read_for_all_is_not_shown_where_only_some_want_it() {
    let mut slow = Slow::new(Policy::All);
    wish(&mut slow.scene, "0");
    slow.search("bob");
    slow.answer(1);
    let safety = SafetyFacts { directory: Policy::OptIn, ..SafetyFacts::default() };
    slow.scene.facts(HostFacts { safety, ..HostFacts::default() });
    assert_eq!((slow.answer(99), slow.scans), ((1, 0), 2));
}

#[test]
fn who_waits_hears_of_a_fault_and_not_too_many_wait() {
    let mut slow = Slow::new(Policy::All);
    (0..130).for_each(|n| slow.search(&format!("user{n}")));
    assert_eq!(slow.answered.len(), 2, "they are told at once");
    slow.scene.broken = true;
    slow.answered.clear();
    assert_eq!(slow.answer(99), (128, 0));
    slow.scene.broken = false;
    slow.search("bob");
    assert_eq!(slow.answer(99), (0, 1));
}
