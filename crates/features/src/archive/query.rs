//! Reading the archive.
//!
//! XEP-0313 1.1.3 sections 4 and 5, XEP-0059 1.0
//!
//! Not here: what gets into it (`mod.rs`), the syntax of requests and results (kernel, `mam.rs`).

use kernel::mam::{self, Asked};
use kernel::{Account, Answer, Iq, Turn};
use model::link::SessionId;
use model::spaces::ARCHIVE;
use model::storage::{Owner, Page, Read};

/// `<query/>`: the messages first, then the answer to the iq.
pub(super) fn answer(turn: &mut Turn<'_, Account>, iq: &Iq<'_>) -> Answer<Account> {
    let owner = Owner::from(turn.place.jid.text());
    let query = match mam::read_query(iq.payload, ARCHIVE, owner) {
        Ok(query) => query,
        Err(error) => return error.into(),
    };
    let (session, mut asked) = (turn.session, Asked::read(iq.payload, iq.from()));
    let backwards = matches!(query.page, model::storage::Paging::Backwards { .. });
    asked.flip ^= backwards && zoo::is(zoo::Fault::PageReversed);
    Answer::read(query, move |turn, loaded| give(turn, session, &asked, loaded.into_page()))
}

fn give(
    turn: &mut Turn<'_, Account>,
    session: Option<SessionId>,
    asked: &Asked,
    mut page: Page,
) -> Answer<Account> {
    let fin = match mam::fin(&page) {
        Ok(fin) => fin,
        Err(error) => return error.into(),
    };
    if zoo::is(zoo::Fault::OrderByTime) {
        page.entries.sort_by_key(|entry| entry.at_ms);
    }
    if asked.flip {
        page.entries.reverse();
    }
    for entry in &page.entries {
        // Stored in canonical form with its own xmlns, so it stands anywhere.
        let result = asked.result(turn.place.jid.jid(), entry.id, entry.at_ms, &entry.value);
        match session {
            Some(session) => turn.fx.send(session, result.into()),
            None => turn.fx.route(result),
        }
    }
    Answer::Reply(fin)
}

/// `<metadata/>` (section 5).
pub(super) fn metadata(turn: &mut Turn<'_, Account>) -> Answer<Account> {
    let owner = Owner::from(turn.place.jid.text());
    Answer::read(Read::LogBounds { space: ARCHIVE, owner, count: false }, |_, loaded| {
        Answer::Reply(mam::metadata(&loaded.into_bounds()))
    })
}
