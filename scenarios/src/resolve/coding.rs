//! The coding of a session.

use super::values::{flag_or, integer_or, text, time};
use crate::model::Delivery;
use crate::parse::sink::Sink;
use crate::parse::tree::{Json, Tree};
use bellini_core::coding::spec::SIZE_MIN;
use bellini_core::coding::{CodingSpec, META_BYTES, Repair, Scheme};
use bellini_core::seal::TAG_BYTES;
use bellini_core::time::Duration;
use bellini_core::wire::coding::CODING_HEADER_BYTES;

const GENERATION_DEFAULT: u64 = 32;
const WINDOW_DEFAULT: u64 = 64;
const LATENCY_DEFAULT: Duration = Duration::from_millis(100);
const REPAIR_MAX_DEFAULT: f64 = 0.5;

/// Reads `coding` of a session or population. The outer `None`: it is wrong, and was noted.
pub(crate) fn coding(tree: &Tree, delivery: Option<Delivery>, sink: &mut Sink) -> Option<Option<CodingSpec>> {
    let Some(written) = tree.get("coding") else { return Some(None) };
    let is_object = written.text().is_none();
    let scheme = match written.text() {
        Some("none") => return Some(None),
        Some("rlnc") => "generation",
        Some("window") => "window",
        Some(_) => return None,
        None => text(written, "scheme").unwrap_or("generation"),
    };
    let is_window = scheme == "window";
    let is_reliable = delivery == Some(Delivery::Reliable);
    let mut is_right = true;
    if is_window && is_reliable {
        sink.error("E0607", written.span, "a reliable session cannot be coded by a sliding window", "")
            .help("a window gives up what is late; reliable sessions send until everything is there")
            .help("use \"rlnc\", or \"delivery\": \"best-effort\"");
        is_right = false;
    }
    let stray = if is_window { &["generation", "systematic"][..] } else { &["window"] };
    for key in stray {
        if let Some(value) = written.get(key).filter(|_| is_object) {
            let text = format!("`{key}` means nothing under the scheme \"{scheme}\"");
            sink.error("E0608", value.span, text, "").help("remove the key, or change `scheme`");
            is_right = false;
        }
    }
    if is_reliable && !is_window {
        for (key, why) in [
            ("latency", "generations of a reliable session are never closed early"),
            ("systematic", "symbols of a reliable session always go first"),
        ] {
            if let Some(value) = written.get(key).filter(|value| !matches!(value.value, Json::Bool(true))) {
                let text = format!("`{key}` means nothing in a reliable session");
                sink.error("E0608", value.span, text, "").help(why).help("remove the key");
                is_right = false;
            }
        }
    }
    if let (Some(most), Some(number)) =
        (written.get("repair_max"), written.get("repair").filter(|repair| repair.number().is_some()))
    {
        sink.error("E0608", most.span, "`repair_max` means nothing beside a number of repairs", "")
            .also(number.span, "given here")
            .help("remove the key, or use \"repair\": \"adaptive\"");
        is_right = false;
    }
    let latency = match written.get("latency") {
        Some(_) => Some(time(written, "latency")?),
        None => None,
    };
    let size = |key: &str, usual: u64| {
        let size = if is_object { integer_or(written, key, usual) } else { usual };
        u8::try_from(size).ok().filter(|size| *size >= SIZE_MIN)
    };
    let scheme = if is_window {
        Scheme::Window { latency: latency.unwrap_or(LATENCY_DEFAULT), size: size("window", WINDOW_DEFAULT)? }
    } else {
        Scheme::Generation {
            size: size("generation", GENERATION_DEFAULT)?,
            systematic: flag_or(written, "systematic", true),
            latency,
        }
    };
    let max = written.get("repair_max").and_then(Tree::number).unwrap_or(REPAIR_MAX_DEFAULT);
    let repair = match written.get("repair") {
        Some(value) if value.text().is_some() => Repair::Adaptive { max },
        Some(value) => Repair::Fixed(value.number()?),
        None if is_reliable => Repair::Fixed(0.0),
        None => Repair::Adaptive { max },
    };
    // Silence about what would have no effect would mislead.
    if is_reliable && repair != Repair::Fixed(0.0) {
        let place = written.get("repair").map_or(written.span, |tree| tree.span);
        sink.error("E0608", place, "a reliable session adds no repairs of its own accord", "")
            .help("it sends combinations until every destination has everything; remove the key");
        is_right = false;
    }
    let recode = flag_or(written, "recode", true) && !is_window;
    let real_bytes = flag_or(written, "real_bytes", false);
    is_right.then_some(Some(CodingSpec { scheme, repair, recode, real_bytes }))
}

/// Returns how many bytes coding and sealing add to the largest packet of a session, at most.
pub(crate) fn added_bytes(coding: Option<&CodingSpec>, sealed: bool) -> usize {
    let tag = if sealed { TAG_BYTES as usize } else { 0 };
    let Some(coding) = coding else { return tag };
    let vector = match coding.scheme {
        Scheme::Generation { size, .. } if coding.recode => usize::from(size),
        _ => 0,
    };
    CODING_HEADER_BYTES + META_BYTES + vector + tag
}
