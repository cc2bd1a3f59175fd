//! Ad-Hoc Commands of a hosted domain: listing, running, sessions.
//!
//! XEP-0050 1.3.0 (complete for commands of one form), XEP-0004 2.13.2 (forms), XEP-0133 1.3.1 (commands),
//! XEP-0401 0.6.0 (invitations)
//!
//! Every stage checks anew who asks.
//!
//! Not here: the commands (`admin/`, `user.rs`), their stages (`stages.rs`).

mod admin;
mod directory;
mod files;
mod invite;
mod listing;
mod running;
mod stages;
mod strangers;
#[cfg(test)]
mod tests;
mod user;

use address::Jid;
use kernel::{Answer, Card, Feature, Host, Iq, IqRoute, Spec, Turn};
use model::query::{AccountFound, AccountQuery, Found, Query};
use stanza::{Condition, StanzaError, ns};
use xml::Writer;

use crate::forms::{self, Field, Submitted};

pub(crate) use listing::{info, items};

static CARD: Card = Card {
    specs: &[
        Spec::complete("XEP-0050", "1.3.0"),
        Spec::complete("XEP-0004", "2.13.2").note("the forms that the server shows and reads"),
        Spec::complete("XEP-0401", "0.6.0"),
        Spec::partial(
            "XEP-0133",
            "1.3.1",
            "no lists of who is blocked or allowed for all (nobody outside can be reached yet); no restart and shutdown (one domain's operators must not stop the others')",
        ),
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
    /// What the first field says before anybody has filled it in; it answers with [`Call::form`] or a note.
    pub(crate) known: Option<Run>,
    /// Does it.
    pub(crate) run: Run,
}

/// What a command does when it is called.
pub(crate) type Run = fn(&mut Turn<'_, Host>, Call) -> Answer<Host>;

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
    pub(crate) filled: Submitted,
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
        self.found_with(fields, |_| ())
    }

    /// The same as a form of another type.
    pub(crate) fn found_as(&self, form_type: &str, fields: &[(&str, Vec<String>)]) -> Answer<Host> {
        self.answer("completed", |w| forms::result(w, form_type, fields, |_| ()))
    }

    /// The same with something behind the fields.
    pub(crate) fn found_with(
        &self,
        fields: &[(&str, Vec<String>)],
        more: impl FnOnce(&mut Writer),
    ) -> Answer<Host> {
        self.answer("completed", |w| forms::result(w, self.command.form_type(), fields, more))
    }

    /// The form to fill in, with what its first field says already.
    pub(crate) fn form(&self, known: &[String]) -> Answer<Host> {
        self.answer("executing", |w| {
            w.open("actions", ns::COMMANDS).attr("execute", "complete");
            w.open("complete", ns::COMMANDS).close().close();
            let command = self.command;
            forms::ask(w, command.name, command.form_type(), command.fields, known);
        })
    }

    /// The form to fill in, with what may be chosen in its first field: label and value.
    pub(crate) fn choice(&self, options: &[(String, String)]) -> Answer<Host> {
        self.answer("executing", |w| {
            w.open("actions", ns::COMMANDS).attr("execute", "complete");
            w.open("complete", ns::COMMANDS).close().close();
            let command = self.command;
            forms::choose(w, command.name, command.form_type(), command.fields, options);
        })
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
    admin::COMMANDS
        .iter()
        .chain(user::COMMANDS)
        .chain(files::COMMANDS)
        .chain(invite::COMMANDS)
        .chain(strangers::COMMANDS)
        .chain(directory::COMMANDS)
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

impl Feature for AdHoc {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn host_iq(&self, turn: &mut Turn<'_, Host>, iq: &Iq<'_>) -> Answer<Host> {
        let request = match stages::read(iq) {
            Ok(request) => request,
            Err(error) => return error.into(),
        };
        authorised(turn, iq.from(), move |turn, admin| match request.command.admin && !admin {
            true => Condition::Forbidden.into(),
            false => stages::proceed(turn, request).unwrap_or_else(Answer::Refuse),
        })
    }
}
