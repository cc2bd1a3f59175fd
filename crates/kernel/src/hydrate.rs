//! Loading an account: which data it needs, and taking it over.
//!
//! Not here: reading it (engine), and what features make of theirs.

use address::Bare;
use model::storage::{Loaded, Owner, Read};

use crate::roster::{ROSTER, VERSION};
use crate::{Account, Form, Kernel};

impl Kernel {
    /// What to read before an account can be used.
    pub fn reads(&self, account: &Bare) -> Vec<Read> {
        let owner = || Owner::from(account.text());
        let mut reads =
            vec![Read::Map { space: ROSTER, owner: owner() }, Read::Doc { space: VERSION, owner: owner() }];
        for kept in self.features.iter().flat_map(|feature| feature.card().kept) {
            reads.push(match kept.form {
                Form::Doc => Read::Doc { space: kept.space, owner: owner() },
                Form::Map => Read::Map { space: kept.space, owner: owner() },
                Form::LogEnds => Read::LogBounds { space: kept.space, owner: owner(), count: true },
                Form::Last => Read::LogBounds { space: kept.space, owner: owner(), count: false },
            });
        }
        reads
    }

    /// Makes the account of what [`Kernel::reads`] brought.
    pub fn hydrate(&self, jid: Bare, exists: bool, loaded: impl IntoIterator<Item = Loaded>) -> Account {
        let mut account = Account::new(jid, exists);
        let mut answers = loaded.into_iter();
        let mut next = |empty: Loaded| answers.next().unwrap_or(empty);
        let (items, version) = (next(Loaded::Map(Vec::new())), next(Loaded::Doc(None)));
        account.roster.hydrate(items, version);
        for feature in &self.features {
            for kept in feature.card().kept {
                let empty = match kept.form {
                    Form::Doc => Loaded::Doc(None),
                    Form::Map => Loaded::Map(Vec::new()),
                    Form::LogEnds | Form::Last => Loaded::Bounds(Default::default()),
                };
                feature.hydrate(&mut account, kept.space, next(empty));
            }
        }
        account
    }
}
