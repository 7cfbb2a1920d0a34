//! `bellini explain`: why a run's sessions take their routes.
use super::args::ExplainOptions;
use super::exit::{self, Failure};
use crate::Registry;

pub(super) fn run(_: &Registry, _: &ExplainOptions) -> Result<u8, Failure> {
    Ok(exit::DONE)
}
