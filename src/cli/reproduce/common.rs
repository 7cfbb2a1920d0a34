//! What pages of simulated experiments have in common.

use bellini_reports::Interval;
use bellini_reports::reproduce::{Curve, Input, Row, Shape};
use serde_json::{Value, json};

/// Bytes of a packet on the wire, IP and UDP included, as in ns-2's runs.
pub(super) const PACKET_BYTES: u32 = 1_000;
/// Payload of a symbol whose packet has [`PACKET_BYTES`] on the last hop of its route: below it are 28 bytes of IP and UDP,
/// 24 of the frame, 3 of the chunk, 49 of the packet and 6 of the last Pathlet.
pub(super) const SYMBOL_BYTES: u32 = PACKET_BYTES - 28 - 24 - 3 - 49 - 6;

/// Returns content that always has something to send and is pulled by its hop: a source that offered more than fits
/// would have its feeder send notices of overflow.
pub(super) fn greedy() -> Value {
    json!({ "kind": "file", "bytes": "8 GB" })
}

/// Returns packets a second of a rate on the wire.
pub(super) fn wire_pps(mbps: f64) -> f64 {
    mbps * 1e6 / 8.0 / f64::from(PACKET_BYTES)
}

/// Returns a row with the mean of `values` and its interval.
pub(super) fn row(quantity: String, unit: &str, reference: Option<f64>, values: &[f64]) -> Row {
    let over = Interval::of(values);
    Row {
        quantity,
        unit: unit.to_owned(),
        reference,
        ours: over.map(|it| it.mean),
        interval: over.and_then(|it| it.half.map(|half| (it.mean - half, it.mean + half))),
        ..Row::default()
    }
}

/// Returns a curve.
pub(super) fn curve(name: impl Into<String>, shape: Shape, points: Vec<(f64, f64)>) -> Curve {
    Curve { name: name.into(), shape, points, beside: None }
}

/// Where numbers of seeds are from.
pub(super) const SEEDS: &str = "assumed: as many as --seeds asks for, or the experiment's own number";

/// Returns an input of the page; see [`Input::new`] for `origin`.
pub(super) fn input(name: &str, value: impl Into<String>, origin: &str) -> Input {
    Input::new(name, value, origin)
}

/// Returns an axis' name and unit.
pub(super) fn axis(name: &str, unit: &str) -> (String, String) {
    (name.to_owned(), unit.to_owned())
}
