//! TFRC's sender (RFC 5348 section 4): the rate by equation and receive rate, timers, pacing.

mod credit;
mod limited;
mod receive_set;
mod sender;

pub use sender::TfrcSender;
