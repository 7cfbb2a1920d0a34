//! `bellini replay`: does the core, fed the inputs of a log, give what it gave when they were recorded?

use super::args::ReplayOptions;
use super::exit::{self, Failure};
use bellini_core::time::{Duration, Instant};
use bellini_live::record::{
    Ending, LogError, LogHeader, LogReader, Progress, ReplayError, Replayed, Trace, replay,
};
use serde_json::{Value, json};
use std::io::{BufWriter, Write};
use std::time::Instant as Clock;

pub(super) fn run(options: &ReplayOptions) -> Result<u8, Failure> {
    let log = LogReader::open(&options.log).map_err(|error| unreadable(options, &error))?;
    let header = log.header().clone();
    let started = Clock::now();
    let result = if let Some(records) = options.dump {
        // With --json stdout holds one document.
        let out: Box<dyn Write> =
            if options.json { Box::new(std::io::stderr()) } else { Box::new(std::io::stdout()) };
        let from = Duration::from_secs_f64(options.from.unwrap_or(0.0));
        replay(log, &mut Trace::new(BufWriter::new(out), Instant::ZERO + from, records))
    } else {
        replay(log, &mut ())
    };
    let wall_s = started.elapsed().as_secs_f64();
    match result {
        Ok(replayed) => {
            tell(options, &replayed, wall_s);
            Ok(exit::DONE)
        }
        Err(error) => {
            if options.json {
                exit::print(&format!("{:#}\n", failed(options, &header, &error, wall_s)));
            }
            Err(match error {
                ReplayError::Log(error) => unreadable(options, &error),
                ReplayError::Config(_) => {
                    Failure::new(exit::SCENARIO, format_args!("{}: {error}", place(options)))
                }
                ReplayError::Difference(_) => {
                    Failure::new(exit::CHECK, format_args!("{}: replay differs at {error}", place(options)))
                }
                ReplayError::Panicked { .. } => {
                    Failure::new(exit::FAILED, format_args!("{}: {error}", place(options)))
                }
            })
        }
    }
}

fn place(options: &ReplayOptions) -> std::path::Display<'_> {
    options.log.display()
}

fn unreadable(options: &ReplayOptions, error: &LogError) -> Failure {
    let code = match error {
        LogError::Io(_) => exit::ENVIRONMENT,
        LogError::Malformed { .. } => exit::SCENARIO,
    };
    Failure::new(code, format_args!("{}: {error}", place(options)))
}

fn tell(options: &ReplayOptions, replayed: &Replayed, wall_s: f64) {
    let Replayed { header, progress, bytes, ending } = replayed;
    if options.json {
        let mut value = facts(options, header, progress, wall_s);
        value["log_bytes"] = json!(bytes);
        value["verdict"] = json!("byte-exact");
        value["ending"] = match ending {
            Ending::Complete => json!("complete"),
            Ending::Stopped(_) => json!("stopped"),
            Ending::Cut(_) => json!("cut"),
        };
        value["stopped_reason"] = match ending {
            Ending::Stopped(reason) => json!(reason),
            _ => Value::Null,
        };
        exit::print(&format!("{value:#}\n"));
        return;
    }
    let span_s = span_s(header, progress);
    let speed = if wall_s > 0.0 { span_s / wall_s } else { 0.0 };
    let Progress { records, inputs, transmits, events, refused, .. } = progress;
    exit::print(&format!(
        "node {}, start {}: {inputs} inputs ({refused} refused) in {records} records over {span_s:.3} s\n\
         {transmits} frames and {events} events came out, in {wall_s:.3} s ({speed:.1} times real time)\n\
         byte-exact up to {}\n",
        header.config.id, header.config.incarnation, progress.compared_until,
    ));
    match ending {
        Ending::Complete => {}
        Ending::Stopped(reason) => {
            exit::say(format_args!("note: recording stopped before the node did: {reason}"))
        }
        Ending::Cut(rest) => exit::say(format_args!(
            "note: the end of the log is missing ({rest} bytes of an unfinished block): the node did not end in order"
        )),
    }
}

fn failed(options: &ReplayOptions, header: &LogHeader, error: &ReplayError, wall_s: f64) -> Value {
    let (verdict, progress) = match error {
        ReplayError::Log(_) | ReplayError::Config(_) => ("malformed", Progress::default()),
        ReplayError::Difference(difference) => ("differs", difference.progress),
        ReplayError::Panicked { progress, .. } => ("panicked", *progress),
    };
    let mut value = facts(options, header, &progress, wall_s);
    value["verdict"] = json!(verdict);
    value["problem"] = json!(error.to_string());
    value
}

fn facts(options: &ReplayOptions, header: &LogHeader, progress: &Progress, wall_s: f64) -> Value {
    json!({
        "log": options.log.display().to_string(),
        "bellini": header.bellini,
        "node": header.config.id,
        "incarnation": header.config.incarnation,
        "seed": header.seed,
        "records": progress.records,
        "inputs": progress.inputs,
        "refused_inputs": progress.refused,
        "frames": progress.transmits,
        "events": progress.events,
        "start_s": header.start.as_secs_f64(),
        "at_s": progress.at.as_secs_f64(),
        "compared_until_s": progress.compared_until.as_secs_f64(),
        "wall_s": wall_s,
    })
}

fn span_s(header: &LogHeader, progress: &Progress) -> f64 {
    progress.at.saturating_since(header.start).as_secs_f64()
}
