//! Commands that make invitations: to become a contact, and to make an account.
//!
//! XEP-0401 0.6.0
//!
//! Not here: what becomes of a token (accounts), pages (net).

use kernel::{Answer, Host, Turn};
use model::invite::{Invite, Purpose};
use model::query::{AccountFound, AccountInfo, AccountQuery, Found, Query};
use stanza::{Condition, StanzaError, ns, when};

use super::{Call, Command};
use crate::forms::Field;

/// All of them.
pub(crate) static COMMANDS: &[Command] = &[
    Command {
        node: ns::INVITE_CONTACT,
        name: "Invite somebody to chat with me",
        admin: false,
        fields: &[],
        known: None,
        run: invite,
    },
    Command {
        node: ns::INVITE_ACCOUNT,
        name: "Invite somebody to make an account",
        admin: false,
        fields: &[
            Field::optional("username", "text-single", "The name of the account; empty if it may be any"),
            Field::optional("roster-subscription", "boolean", "Whether it becomes a contact of yours"),
        ],
        known: None,
        run: create_account,
    },
];

fn invite(turn: &mut Turn<'_, Host>, call: Call) -> Answer<Host> {
    let wanted = Invite {
        domain: turn.place.domain.as_str().to_owned(),
        purpose: Purpose::Contact,
        account: Some(call.from.bare()),
        name: None,
        seconds: 0,
        uses: 1,
        by: Some(call.from.bare()),
    };
    make(call, wanted)
}

fn create_account(turn: &mut Turn<'_, Host>, call: Call) -> Answer<Host> {
    let friend = matches!(call.filled.value("roster-subscription"), Some("1" | "true"));
    let wanted = Invite {
        domain: turn.place.domain.as_str().to_owned(),
        purpose: if friend { Purpose::Contact } else { Purpose::Account },
        account: friend.then(|| call.from.bare()),
        name: call.filled.value("username").map(str::to_owned),
        seconds: 0,
        uses: 1,
        by: Some(call.from.bare()),
    };
    make(call, wanted)
}

fn is_admin(infos: &[AccountInfo]) -> bool {
    infos.first().is_some_and(|info| info.admin)
}

/// Asks whether it may, and then for the invitation.
fn make(call: Call, mut wanted: Invite) -> Answer<Host> {
    let show = AccountQuery::Show { account: call.from.bare() };
    Answer::ask(Query::Account(show), move |turn: &mut Turn<'_, Host>, found| {
        let Some(facts) = turn.place.facts.invites.clone() else {
            return Condition::ServiceUnavailable.into();
        };
        match found {
            Found::Account(AccountFound::Accounts(infos)) if facts.users || is_admin(&infos) => {}
            _ => return call.failed("Only operators may invite here"),
        }
        wanted.seconds = facts.seconds;
        Answer::ask(Query::Account(AccountQuery::Invite(Box::new(wanted))), move |_, found| match found {
            Found::Account(AccountFound::Invited(made)) => {
                let (made, invitation) = *made;
                let mut fields = vec![("uri", vec![invitation.uri(&made.token)])];
                if let Some(page) = &facts.page {
                    fields.push(("landing-url", vec![format!("{page}{}", made.token)]));
                }
                fields.push(("expire", vec![when::seconds(made.until)]));
                call.found_as(ns::INVITATION, &fields)
            }
            Found::Account(AccountFound::Refused(why)) => call.failed(why),
            Found::Account(AccountFound::Exists) => call.failed("There is an account of that name already"),
            _ => StanzaError::from(Condition::InternalServerError).into(),
        })
    })
}

#[cfg(test)]
mod tests {
    use kernel::{HostFacts, InviteFacts};

    use crate::adhoc::AdHoc;
    use crate::scene::Scene;

    #[test]
    fn who_may_invite_gets_a_link() {
        for (users, from, page, link) in
            [(true, "alice", true, true), (false, "alice", true, false), (false, "root", false, true)]
        {
            let mut scene = Scene::one(AdHoc);
            let page = page.then(|| "https://example.org/invite/".to_owned());
            let invites = Some(InviteFacts { users, seconds: 60, page: page.clone() });
            scene.facts(HostFacts { invites, ..HostFacts::default() });
            scene.register("alice@example.org", "x", false);
            scene.register("root@example.org", "x", true);
            let seen = scene.host(&format!(
                "<iq from='{from}@example.org/a' to='example.org' type='set' id='1'><command \
                 xmlns='http://jabber.org/protocol/commands' node='urn:xmpp:invite#invite' action='execute'/></iq>"
            ));
            let seen = seen.join("\n");
            let uri = format!("xmpp:{from}@example.org?roster;preauth=TOKEN;ibr=y");
            assert_eq!(seen.contains(&uri), link, "{seen}");
            let landing = "<value>https://example.org/invite/TOKEN</value>";
            assert_eq!(seen.contains(landing), link && page.is_some(), "{seen}");
            assert_eq!(seen.contains("urn:xmpp:invite#invitation"), link, "{seen}");
        }
    }
}
