//! What viewers and readers got: video frames and messages on time.

use super::{Figure, Material};
use crate::chart::{Stack, Style, across};
use crate::draw::PALETTE;
use crate::error::ReportError;
use crate::format::{number, percent};
use bellini_scenarios::record::DestinationSummary;

/// Most destinations that are shown.
const ROWS_MAX: usize = 24;

/// Frames or messages of one destination.
struct Units {
    name: String,
    sent: u64,
    complete: u64,
    on_time: u64,
    stall_s: f64,
}

/// Makes the figure of video frames; none without video.
pub(super) fn figure(material: &Material<'_>) -> Result<Option<Figure>, ReportError> {
    let rows = units(material, |d| {
        Some((d.frames_sent?, d.frames_complete.unwrap_or(d.frames_on_time.unwrap_or(0)), d.frames_on_time?))
    });
    let Some((title, svg, caption)) = draw(material, rows, "frame", "at their playout time")? else {
        return Ok(None);
    };
    Ok(Some(Figure { name: "frames", heading: "Video frames on time", title, caption, svg }))
}

/// Makes the figure of messages; none without messages.
pub(super) fn messages(material: &Material<'_>) -> Result<Option<Figure>, ReportError> {
    let rows = units(material, |d| {
        Some((
            d.messages_sent?,
            d.messages_complete.unwrap_or(d.messages_on_time.unwrap_or(0)),
            d.messages_on_time?,
        ))
    });
    let Some((title, svg, caption)) = draw(material, rows, "message", "before their deadline")? else {
        return Ok(None);
    };
    Ok(Some(Figure { name: "messages", heading: "Messages on time", title, caption, svg }))
}

fn units(material: &Material<'_>, of: impl Fn(&DestinationSummary) -> Option<(u64, u64, u64)>) -> Vec<Units> {
    let rows = material.destinations().filter_map(|(session, d)| {
        let (sent, complete, on_time) = of(d)?;
        let name = material.destination(session, d.node);
        Some(Units {
            name,
            sent,
            complete: complete.min(sent),
            on_time: on_time.min(complete),
            stall_s: d.stall_s.unwrap_or(0.0),
        })
    });
    rows.filter(|row| row.sent > 0).collect()
}

type Drawn = (String, crate::draw::Svg, String);

fn draw(
    material: &Material<'_>,
    mut rows: Vec<Units>,
    noun: &str,
    deadline: &str,
) -> Result<Option<Drawn>, ReportError> {
    if rows.is_empty() {
        return Ok(None);
    }
    let (sent, on_time) = rows.iter().fold((0, 0), |(s, t), row| (s + row.sent, t + row.on_time));
    let share = |row: &Units| row.on_time as f64 / row.sent as f64;
    rows.sort_by(|a, b| share(a).total_cmp(&share(b)));
    let worst = &rows[0];
    let mut title = format!("{} of all {noun}s were complete {deadline}", percent(on_time, sent));
    if rows.len() > 1 && worst.on_time < worst.sent {
        title = format!("{title}; the worst: {} with {}", worst.name, percent(worst.on_time, worst.sent));
    }
    let stalls: f64 = rows.iter().map(|row| row.stall_s).sum();
    let total = rows.len();
    rows.truncate(ROWS_MAX);
    let part = |row: &Units, value: u64| (0.0, 100.0 * value as f64 / row.sent as f64);
    let stacks = [
        (
            "on time",
            Style { color: PALETTE[0], dash: &[] },
            rows.iter().map(|r| part(r, r.on_time)).collect(),
        ),
        (
            "late",
            Style { color: PALETTE[4], dash: &[] },
            rows.iter().map(|r| part(r, r.complete.saturating_sub(r.on_time))).collect(),
        ),
        (
            "incomplete",
            Style { color: PALETTE[1], dash: &[] },
            rows.iter().map(|r| part(r, r.sent.saturating_sub(r.complete))).collect(),
        ),
    ]
    .map(|(name, style, values): (&str, Style, Vec<_>)| Stack { name: name.to_owned(), style, values });
    let things: Vec<_> = rows.iter().map(|row| row.name.clone()).collect();
    let caption = format!(
        "{noun}s of each destination in the measuring window, in percent of those offered, the worst above{}.{}{}",
        if total > ROWS_MAX { format!(" ({ROWS_MAX} of {total})") } else { String::new() },
        if noun == "frame" {
            format!(" Playback stood still for {} s in all destinations together.", number(stalls))
        } else {
            String::new()
        },
        if material.runs.len() > 1 { " Means over all seeds." } else { "" }
    );
    let caption = caption.replacen(noun, &capital(noun), 1);
    let label = format!("{}s", capital(noun));
    let svg = across((&title, &caption), (&label, "%"), &things, &stacks)?;
    Ok(Some((title, svg, caption)))
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}
