//! `equal`: the same share for each flow.

use super::Parameters;
use crate::policy::{FlowAssignment, PolicyError, Request, RouteChoice};

/// Gives each flow the same share.
#[derive(Clone, Copy, Debug, Default)]
pub struct Equal;

impl FlowAssignment for Equal {
    fn shares(&mut self, request: &Request<'_>, routes: &[RouteChoice]) -> Result<Vec<f64>, PolicyError> {
        Parameters::of(request, &[])?;
        Ok(vec![1.0; routes.len()])
    }
}
