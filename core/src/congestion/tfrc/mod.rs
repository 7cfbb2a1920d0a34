//! TFRC's sender (RFC 5348 section 4): the rate by equation and receive rate, timers, pacing.
//!
//! [`TfrcSender`] is the machine; the other modules are what it remembers.

mod credit;
mod limited;
mod path;
mod receive_set;
mod sender;

pub use sender::TfrcSender;
