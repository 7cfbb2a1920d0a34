//! `bellini listing`: the server where conferences are registered and found.

use super::args::ListingOptions;
use super::exit::{self, Failure};
use bellini_core::listing::ListingLimits;
use bellini_core::time::Duration;
use bellini_live::listing::{ServeError, serve};

pub(super) fn run(options: &ListingOptions) -> Result<u8, Failure> {
    if !options.listen.ip().is_loopback() {
        exit::say(format_args!(
            "warning: listening on {}: whoever can connect can change what is listed. Use it in closed networks only.",
            options.listen
        ));
    }
    let limits = ListingLimits { lease: options.lease, ..ListingLimits::default() };
    let ready = |address| exit::print(&format!("listening on http://{address}\n"));
    match serve(options.listen, &options.store, limits, ready) {
        Ok(()) => Ok(exit::DONE),
        Err(error @ ServeError::Store(_)) => {
            let hint = "`--store` names a file that this server made, or none yet, in a directory that it may write to; \
                        one server at a time";
            Err(Failure::new(exit::ENVIRONMENT, format!("{error}\nhelp: {hint}")))
        }
        Err(error) => Err(Failure::new(exit::ENVIRONMENT, error)),
    }
}

/// Reads a lease: 1 s to 1 h.
pub(super) fn lease(nanos: i64) -> Result<Duration, String> {
    let bounds = 1_000_000_000..=3_600_000_000_000;
    let nanos = u64::try_from(nanos).ok().filter(|nanos| bounds.contains(nanos));
    nanos.map(Duration::from_nanos).ok_or_else(|| "a lease lasts 1 s to 1 h".to_owned())
}
