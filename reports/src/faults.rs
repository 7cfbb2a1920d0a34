//! Faults as marks on plots that have time.

use bellini_scenarios::record::{EventRow, kind};

/// A fault on the timeline.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Mark {
    /// When, in seconds of scenario time.
    pub(crate) t_s: f64,
    /// `F1`, `F2`, .. in order of time: the number in the report's table.
    pub(crate) tag: String,
    /// A few words.
    pub(crate) short: String,
    /// The whole sentence.
    pub(crate) text: String,
}

/// Returns the faults among events, in order of time. Faults at the same instant share a mark.
pub(crate) fn marks(events: &[EventRow]) -> Vec<Mark> {
    let has_faults = events.iter().any(|event| event.kind == kind::FAULT);
    // Where the timeline itself is recorded, crashes and restarts are its effects and would be shown twice.
    let wanted = |event: &&EventRow| match event.kind.as_str() {
        kind::FAULT => true,
        kind::NODE_CRASHED | kind::NODE_RESTARTED => !has_faults,
        kind::NODE_FAILED => true,
        _ => false,
    };
    let mut marks: Vec<Mark> = Vec::new();
    for event in events.iter().filter(wanted) {
        if let Some(last) = marks.last_mut()
            && last.t_s == event.t_s
        {
            last.text = format!("{} {}", last.text, event.text);
            last.short = format!("{}, {}", last.short, short(event));
            continue;
        }
        let tag = format!("F{}", marks.len() + 1);
        marks.push(Mark { t_s: event.t_s, tag, short: short(event), text: event.text.clone() });
    }
    for mark in &mut marks {
        mark.short = crate::format::shorten(&mark.short, 26);
    }
    marks
}

/// Returns the kind of fault where the event tells it, else the start of its sentence.
fn short(event: &EventRow) -> String {
    match event.data.get("fault").and_then(serde_json::Value::as_str) {
        Some(fault) => fault.to_owned(),
        None => event.text.trim_end_matches('.').to_owned(),
    }
}
