//! Typed reading of values that the structural check has already judged: what is wrong gives `None`, silently.

use crate::parse::tree::{Json, Tree};
use crate::units::{Quantity, parse_rate, parse_signed, parse_time};
use bellini_core::time::Duration;
use bellini_core::units::BitRate;

/// Returns the time at `key`.
pub(crate) fn time(tree: &Tree, key: &str) -> Option<Duration> {
    tree.get(key).and_then(as_time)
}

/// Returns the time at `key`, or `default` without the key; `None` when what stands there is wrong.
pub(crate) fn time_or(tree: &Tree, key: &str, default: Duration) -> Option<Duration> {
    tree.get(key).map_or(Some(default), as_time)
}

/// Returns the rate at `key`.
pub(crate) fn rate(tree: &Tree, key: &str) -> Option<BitRate> {
    tree.get(key).and_then(as_rate)
}

/// Returns the size in bytes at `key`.
pub(crate) fn size(tree: &Tree, key: &str) -> Option<u64> {
    tree.get(key).and_then(as_size)
}

/// Returns the size in bytes at `key`, or `default` without the key.
pub(crate) fn size_or(tree: &Tree, key: &str, default: u64) -> Option<u64> {
    tree.get(key).map_or(Some(default), as_size)
}

/// Returns the signed quantity at `key`, or zero.
pub(crate) fn signed(tree: &Tree, key: &str, of: Quantity) -> i64 {
    tree.get(key).and_then(Tree::text).and_then(|text| parse_signed(of, text).ok()).unwrap_or(0)
}

/// Returns the whole number at `key`, or `default`.
pub(crate) fn integer_or(tree: &Tree, key: &str, default: u64) -> u64 {
    tree.get(key).and_then(Tree::integer).unwrap_or(default)
}

/// Returns the number at `key`, or `default`.
pub(crate) fn number_or(tree: &Tree, key: &str, default: f64) -> f64 {
    tree.get(key).and_then(Tree::number).unwrap_or(default)
}

/// Returns the truth value at `key`, or `default`.
pub(crate) fn flag_or(tree: &Tree, key: &str, default: bool) -> bool {
    match tree.get(key).map(|tree| &tree.value) {
        Some(Json::Bool(value)) => *value,
        _ => default,
    }
}

/// Returns the string at `key`.
pub(crate) fn text<'a>(tree: &'a Tree, key: &str) -> Option<&'a str> {
    tree.get(key).and_then(Tree::text)
}

/// Returns a value as a time.
pub(crate) fn as_time(tree: &Tree) -> Option<Duration> {
    tree.text().and_then(|text| parse_time(text).ok())
}

/// Returns a value as a rate above zero.
pub(crate) fn as_rate(tree: &Tree) -> Option<BitRate> {
    tree.text().and_then(|text| parse_rate(text).ok()).flatten()
}

fn as_size(tree: &Tree) -> Option<u64> {
    tree.text().and_then(|text| Quantity::Size.parse(text).ok()).filter(|bytes| *bytes > 0)
}
