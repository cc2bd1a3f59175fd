//! Drawers for features' own state, keyed by a type that only the feature's file knows.
//!
//! Not here: anything that is stored; a slot lives as long as the place that holds it.

use std::any::{Any, TypeId};
use std::fmt;

/// A handful of values, one per type.
#[derive(Default)]
pub struct Slots(Vec<(TypeId, Box<dyn Any + Send>)>);

impl Slots {
    /// The value of type `T`, made by `Default` when it is asked for the first time.
    pub fn of<T: Any + Send + Default>(&mut self) -> &mut T {
        let id = TypeId::of::<T>();
        let at = match self.0.iter().position(|(held, _)| *held == id) {
            Some(at) => at,
            None => {
                self.0.push((id, Box::<T>::default()));
                self.0.len() - 1
            }
        };
        // The key is the type of the value, so the cast cannot fail.
        #[allow(clippy::unwrap_used)]
        self.0[at].1.downcast_mut().unwrap()
    }

    /// The value of type `T`, if anybody ever put one here.
    pub fn peek<T: Any + Send>(&self) -> Option<&T> {
        let id = TypeId::of::<T>();
        self.0.iter().find(|(held, _)| *held == id).and_then(|(_, value)| value.downcast_ref())
    }
}

impl fmt::Debug for Slots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Slots({})", self.0.len())
    }
}
