//! `static`: the shares or rates that came with the routes; equal ones where no route has any.

use super::Parameters;
use crate::policy::{FlowAssignment, PolicyError, Request, RouteChoice};

/// Gives each flow the share that came with its route, or one in proportion to its rate; where no route has either, the
/// same to all.
#[derive(Clone, Copy, Debug, Default)]
pub struct StaticShares;

impl FlowAssignment for StaticShares {
    fn shares(&mut self, request: &Request<'_>, routes: &[RouteChoice]) -> Result<Vec<f64>, PolicyError> {
        Parameters::of(request, &[])?;
        if routes.iter().all(|choice| choice.share.is_none() && choice.rate.is_none()) {
            return Ok(vec![1.0; routes.len()]);
        }
        let shares: Option<Vec<_>> = routes.iter().map(|choice| choice.share).collect();
        let rates = || routes.iter().map(|choice| choice.rate.map(|rate| rate.as_bps() as f64)).collect();
        shares.or_else(rates).ok_or_else(|| {
            let problem = "assignment `static` needs a share with every route, or a rate with every route";
            PolicyError::Other(problem.to_owned())
        })
    }
}
