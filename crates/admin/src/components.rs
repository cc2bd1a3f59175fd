//! Commands about components.
//!
//! Not here: components themselves.

use serde_json::{Value, json};

use crate::args::Args;
use crate::{Failure, Port, sessions};

pub(crate) async fn list(port: &dyn Port, _: Args) -> Result<Value, Failure> {
    let found = port.components().ok_or_else(sessions::nobody)?;
    Ok(json!({ "components": found }))
}
