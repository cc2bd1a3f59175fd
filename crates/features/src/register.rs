//! In-Band Registration for those who are logged in: change the password, remove the account.
//!
//! XEP-0077 2.4 (complete together with signing up before login)
//!
//! Not here: signing up (stream), what a good password is (accounts).

use address::{Bare, Jid};
use kernel::{Account, Answer, Card, Feature, Host, Iq, IqRoute, Spec, Turn};
use model::query::{AccountFound, AccountQuery, Found, Password, Query};
use stanza::forms::Submitted;
use stanza::{Condition, StanzaError, ns};
use xml::{El, Writer};

/// Most bytes of a password (C-12: refused before any hash is made).
pub const PASSWORD_BYTES_MAX: usize = 1_023;

static CARD: Card = Card {
    specs: &[Spec::complete("XEP-0077", "2.4").note("old passwords are not asked for")],
    host_vars: &[ns::REGISTER],
    iqs: &[IqRoute::own(ns::REGISTER), IqRoute::host(ns::REGISTER).and_set()],
    ..Card::named("register")
};

/// XEP-0077.
pub struct Register;

impl Feature for Register {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn iq(&self, turn: &mut Turn<'_, Account>, iq: &Iq<'_>) -> Answer<Account> {
        answer(&turn.place.jid, iq)
    }

    fn host_iq(&self, turn: &mut Turn<'_, Host>, iq: &Iq<'_>) -> Answer<Host> {
        let from = iq.from();
        // Section 3.2: whoever has no account here cannot change one.
        match from.domain() == turn.place.domain.as_str() && from.local().is_some() {
            true => answer(&from.bare(), iq),
            false => Condition::RegistrationRequired.into(),
        }
    }
}

fn answer<P>(who: &Bare, iq: &Iq<'_>) -> Answer<P> {
    let query = iq.payload;
    match iq.is_set() {
        false => Answer::Reply(fields(who)),
        true if query.child("remove", ns::REGISTER).is_some() => match query.children().count() {
            1 => change(AccountQuery::Remove { account: who.clone() }),
            _ => Condition::BadRequest.into(),
        },
        true => match new_password(who, query) {
            Ok(password) => change(AccountQuery::SetPassword { account: who.clone(), password }),
            Err(error) => error.into(),
        },
    }
}

fn new_password(who: &Bare, query: El<'_>) -> Result<Password, StanzaError> {
    let form = match query.child("x", ns::FORMS) {
        Some(x) => Some(Submitted::read(x, ns::REGISTER).ok_or(Condition::BadRequest)?),
        None => None,
    };
    // Section 6: a form goes before the fields of old.
    let text = |name| match &form {
        Some(form) => form.value(name).map(str::to_owned),
        None => query.child_text(name, ns::REGISTER).map(|text| text.into_owned()),
    };
    let (Some(username), Some(password)) = (text("username"), text("password")) else {
        return Err(Condition::BadRequest.into());
    };
    let named = Jid::from_parts(Some(&username), who.domain(), None);
    if !named.is_ok_and(|named| named == **who) {
        return Err(Condition::NotAllowed.into());
    }
    acceptable(&password)
}

/// A password of acceptable length.
pub(crate) fn acceptable(password: &str) -> Result<Password, StanzaError> {
    match password.len() {
        0 => Err(StanzaError::from(Condition::NotAcceptable).text("The password is empty")),
        1..=PASSWORD_BYTES_MAX => Ok(Password::new(password)),
        _ => Err(StanzaError::from(Condition::NotAcceptable).text("The password is too long")),
    }
}

/// The fields as for somebody who is registered (section 3.1); the password is never shown.
fn fields(who: &Bare) -> bytes::Bytes {
    let mut w = Writer::new(ns::CLIENT);
    w.open("query", ns::REGISTER).leaf("registered", ns::REGISTER, "");
    w.leaf("username", ns::REGISTER, who.local().unwrap_or_default())
        .leaf("password", ns::REGISTER, "")
        .close();
    w.finish()
}

fn change<P>(order: AccountQuery) -> Answer<P> {
    Answer::ask(Query::Account(order), |_, found| match found {
        Found::Account(AccountFound::Done) => Answer::done(),
        Found::Account(AccountFound::Refused(why)) => {
            StanzaError::from(Condition::NotAcceptable).text(why).into()
        }
        Found::Account(_) => Condition::RegistrationRequired.into(),
        _ => Condition::InternalServerError.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::{OWN, Scene};

    fn both(scene: &mut Scene, ty: &str, inner: &str) -> [Vec<String>; 2] {
        let query = format!("<query xmlns='jabber:iq:register'>{inner}</query></iq>");
        let own = scene.send("phone", &format!("<iq type='{ty}' id='1'>{query}"));
        let head = format!("<iq from='alice@example.org/phone' to='example.org' type='{ty}' id='1'>");
        [own, scene.host(&(head + &query))]
    }

    #[test]
    fn changes_the_password() {
        let mut scene = Scene::one(Register);
        let long = "x".repeat(PASSWORD_BYTES_MAX + 1);
        let pair = |user: &str, word: &str| format!("<username>{user}</username><password>{word}</password>");
        let form = |user: &str, word: &str| {
            let field = |var, value: &str| format!("<field var='{var}'><value>{value}</value></field>");
            let fields = field("FORM_TYPE", "jabber:iq:register")
                + &field("username", user)
                + &field("password", word);
            format!("<x xmlns='jabber:x:data' type='submit'>{fields}</x>")
        };
        for (inner, condition) in [
            (pair("bob", "new"), "not-allowed"),
            (form("bob", "new"), "not-allowed"),
            (form("alice", ""), "bad-request"),
            (
                form("alice", "new").replace("alice</value>", "alice</value></field><field var='username'>"),
                "bad-request",
            ),
            (form("alice", "new").replace("iq:register", "iq:other"), "bad-request"),
            (pair("a@b", "new"), "not-allowed"),
            (pair("alice", ""), "not-acceptable"),
            (pair("alice", &long), "not-acceptable"),
            ("<password>new</password>".into(), "bad-request"),
            ("<username>alice</username>".into(), "bad-request"),
            (String::new(), "bad-request"),
            ("<remove/><username>alice</username>".into(), "bad-request"),
        ] {
            for seen in both(&mut scene, "set", &inner) {
                assert!(seen.len() == 1 && seen[0].contains(condition), "{inner}: {seen:?}");
            }
        }
        for seen in both(&mut scene, "set", &pair("Alice", "new &amp; good")) {
            assert_eq!(seen[0], "ask password alice@example.org");
            assert!(seen[1].ends_with("id='1' type='result'/>"), "{seen:?}");
        }
        assert_eq!(scene.book[OWN].password, "new & good");
        for seen in both(&mut scene, "set", &form("alice", "by form")) {
            assert_eq!(seen[0], "ask password alice@example.org");
        }
    }

    #[test]
    fn shows_fields_but_no_password() {
        let mut scene = Scene::one(Register);
        for seen in both(&mut scene, "get", "") {
            assert!(
                seen[0].contains("<registered/><username>alice</username><password/></query>"),
                "{seen:?}"
            );
        }
    }

    #[test]
    fn removes_the_account() {
        let mut scene = Scene::one(Register);
        let [own, host] = both(&mut scene, "set", "<remove/>");
        assert_eq!(own[0], "ask remove alice@example.org");
        assert!(own[1].ends_with("type='result'/>"), "{own:?}");
        assert!(host[1].contains("registration-required"), "{host:?}");
        scene.register(OWN, "secret", false);
        scene.broken = true;
        assert!(both(&mut scene, "set", "<remove/>")[0][1].contains("internal-server-error"));
    }

    #[test]
    fn is_only_for_accounts_of_the_host() {
        let mut scene = Scene::one(Register);
        for from in ["alice@a.example/x", "a.example", "example.org"] {
            let seen = scene.host(&format!(
                "<iq from='{from}' to='example.org' type='set' id='1'><query xmlns='jabber:iq:register'><remove/></query></iq>"
            ));
            assert!(seen.len() == 1 && seen[0].contains("registration-required"), "{seen:?}");
        }
    }
}
