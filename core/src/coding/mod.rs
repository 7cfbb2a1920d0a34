//! Random linear network coding over GF(2^8): packets that carry combinations of symbols instead of symbols.
//!
//! A session whose [`CodingSpec`] asks for it sends, beside or instead of its symbols, linear combinations of the
//! symbols of a generation, or of a sliding window. Any as many independent ones as there are symbols give all of
//! them back, so that no particular packet matters; and a relay can combine what it holds anew, without decoding.

pub mod coefficients;
mod decoder;
mod encoder;
pub mod gf256;
mod matrix;
mod meta;
mod recoder;
pub mod repair;
pub mod spec;
mod symbol;
pub mod window;
pub mod workers;

#[cfg(test)]
mod tests;

pub use decoder::Decoder;
pub use encoder::Encoder;
pub use matrix::Elimination;
pub use meta::{META_BYTES, Meta};
pub use recoder::{Pushed, Recoder};
pub use spec::{CodingConfig, CodingSpec, Repair, Scheme};
pub use symbol::{Body, Coded, combine_into};
pub use workers::Workers;
