//! `bellini schema`: the JSON Schema of scenario files, for editors.

use super::exit::{self, Failure};
use bellini_scenarios::schema;

pub(super) fn run() -> Result<u8, Failure> {
    exit::print(&format!("{:#}\n", schema::schema()));
    Ok(exit::DONE)
}
