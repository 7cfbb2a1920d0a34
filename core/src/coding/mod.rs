//! Random linear network coding over GF(2^8): packets that carry combinations of symbols instead of symbols.
//!
//! A session whose [`CodingSpec`] asks for it sends, beside or instead of its symbols, linear combinations of the
//! symbols of a generation, or of a sliding window. Any as many independent ones as there are symbols give all of
//! them back, so that no particular packet matters; and a relay can combine what it holds anew, without decoding.

pub mod gf256;
pub mod spec;

pub use spec::{CodingConfig, CodingSpec, Repair, Scheme};
