//! `exec`: a policy that is another program, in any language, which speaks JSON lines.
//!
//! The program is started when it is first asked, once for each session, and ends with it (its standard input closes).
//! Each question is one line, each answer one line; what it writes to standard error goes to the user. `docs/policies.md` has the
//! keys, `examples/policy.py` a whole program. One that dies, says something else, or does not answer in time is an error for
//! that question, with its name; it is started anew for the next.

use crate::policy::{
    FlowAssignment, MeasuredBy, NetworkView, PolicyError, Request, RouteChoice, Routing, ViewSession,
};
use bellini_core::ids::NodeId;
use bellini_core::route::Route;
use bellini_core::time::Duration;
use bellini_core::units::BitRate;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration as Span, Instant};

/// How long an answer may take where the scenario says nothing.
const TIME_LIMIT: Duration = Duration::from_secs(5);
/// Longest answer.
const ANSWER_BYTES_MAX: u64 = 8 << 20;
/// Parameters that are this policy's own; all others go to the program.
const OWN: [&str; 2] = ["exec", "time_limit"];

/// A program that decides routes, or shares.
#[derive(Debug, Default)]
pub struct Exec {
    running: Option<Running>,
    asked: u64,
    /// What its last answer said of other sessions.
    minds_others: bool,
}

#[derive(Debug)]
struct Running {
    child: Child,
    /// To the thread that writes to its input, which may not read for as long as it likes.
    questions: Option<SyncSender<String>>,
    answers: Receiver<Result<String, String>>,
}

/// A question, as it is written.
#[derive(Serialize)]
struct Question<'a> {
    /// `routes` or `shares`.
    ask: &'static str,
    /// Counts the questions; the answer may repeat it.
    id: u64,
    session: String,
    source: NodeId,
    destinations: &'a [NodeId],
    rate_bps: Option<u64>,
    reason: &'static str,
    parameters: BTreeMap<&'a str, &'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    routes: Option<Vec<Asked>>,
    view: View<'a>,
}

#[derive(Serialize)]
struct Asked {
    route: String,
    share: Option<f64>,
    rate_bps: Option<u64>,
}

#[derive(Serialize)]
struct View<'a> {
    nodes: Vec<ViewNode<'a>>,
    links: Vec<ViewLink>,
    sessions: Vec<Demand<'a>>,
}

#[derive(Serialize)]
struct ViewNode<'a> {
    id: NodeId,
    name: &'a str,
    region: Option<&'a str>,
    egress_bps: Option<u64>,
    ingress_bps: Option<u64>,
}

/// A session as every policy sees it: what it wants, not the routes that it has.
#[derive(Serialize)]
struct Demand<'a> {
    session: String,
    source: NodeId,
    destinations: &'a [NodeId],
    rate_bps: Option<u64>,
    start_s: f64,
    stop_s: f64,
    delay_bound_ms: Option<f64>,
    coded: bool,
    symbol_bytes: u32,
    header_bytes: u32,
    policy: &'a str,
    parameters: BTreeMap<&'a str, &'a Value>,
}

#[derive(Serialize)]
struct ViewLink {
    from: NodeId,
    to: NodeId,
    delay_ms: f64,
    rate_bps: Option<u64>,
    loss: f64,
    usd_per_gb: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    measured: Option<Measured>,
}

#[derive(Serialize)]
struct Measured {
    rtt_ms: Option<Figure>,
    loss: Option<Figure>,
    rate_bps: Option<Figure>,
}

#[derive(Serialize)]
struct Figure {
    value: f64,
    error: Option<f64>,
    age_s: f64,
    by: &'static str,
}

/// An answer, as it is read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    id: Option<u64>,
    error: Option<String>,
    routes: Option<Vec<Given>>,
    shares: Option<Vec<f64>>,
    #[serde(default)]
    minds_others: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    route: String,
    share: Option<f64>,
    rate_bps: Option<u64>,
}

impl Routing for Exec {
    fn routes(&mut self, request: &Request<'_>) -> Result<Vec<RouteChoice>, PolicyError> {
        let answer = self.ask(request, None)?;
        let given = answer.routes.ok_or_else(|| other(request, "it answers without `routes`"))?;
        let read = |given: Given| {
            let route = Route::parse(&given.route)
                .map_err(|error| other(request, format!("route \"{}\": {error}", given.route)))?;
            let rate = given.rate_bps.map(|bps| {
                BitRate::from_bps(bps).ok_or_else(|| other(request, "a `rate_bps` of 0: leave it out"))
            });
            Ok(RouteChoice { route, share: given.share, rate: rate.transpose()? })
        };
        given.into_iter().map(read).collect()
    }

    fn minds_others(&self) -> bool {
        self.minds_others
    }
}

impl FlowAssignment for Exec {
    fn shares(&mut self, request: &Request<'_>, routes: &[RouteChoice]) -> Result<Vec<f64>, PolicyError> {
        let answer = self.ask(request, Some(routes))?;
        answer.shares.ok_or_else(|| other(request, "it answers without `shares`"))
    }
}

impl Exec {
    fn ask(&mut self, request: &Request<'_>, routes: Option<&[RouteChoice]>) -> Result<Answer, PolicyError> {
        let command = command(request.parameters)?;
        let limit = time_limit(request.parameters)?;
        self.asked += 1;
        let line = question(self.asked, request, routes);
        let answer = self.exchange(&command, line, limit).map_err(|silence| {
            // Whatever state it is in, the next question goes to a new one.
            self.running = None;
            match silence {
                Silence::Late(problem) => PolicyError::Late(other(request, problem).to_string()),
                Silence::Broken(problem) => other(request, problem),
            }
        })?;
        let answer: Answer = serde_json::from_str(&answer).map_err(|error| {
            self.running = None;
            other(request, format!("its answer cannot be read: {error}: {}", shortened(&answer)))
        })?;
        if let Some(problem) = answer.error {
            return Err(other(request, problem));
        }
        if answer.id.is_some_and(|id| id != self.asked) {
            self.running = None;
            return Err(other(request, "its answer is to another question"));
        }
        self.minds_others = answer.minds_others;
        Ok(answer)
    }

    /// Asks and waits for the answer, no longer than `limit` in all.
    fn exchange(&mut self, command: &[String], line: String, limit: Duration) -> Result<String, Silence> {
        let until = Instant::now() + Span::from_nanos(limit.as_nanos());
        if self.running.is_none() {
            self.running = Some(Running::start(command).map_err(Silence::Broken)?);
        }
        let Some(running) = &mut self.running else {
            return Err(Silence::Broken("it does not run".to_owned()));
        };
        // If it takes none any more it has ended, or closed its input: its output tells which.
        if let Some(questions) = &running.questions {
            let _ = questions.send(line);
        }
        match running.answers.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(answer) => answer.map_err(Silence::Broken),
            Err(RecvTimeoutError::Timeout) => {
                Err(Silence::Late(format!("it does not answer within {limit}")))
            }
            Err(RecvTimeoutError::Disconnected) => Err(Silence::Broken(running.end(until))),
        }
    }
}

/// Why a program does not answer.
enum Silence {
    /// It takes too long.
    Late(String),
    /// It cannot.
    Broken(String),
}

impl Running {
    fn start(command: &[String]) -> Result<Self, String> {
        let [program, arguments @ ..] = command else { return Err("`exec` is empty".to_owned()) };
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("it cannot be started: {error}"))?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let (questions, asked) = sync_channel::<String>(1);
        if let Some(mut input) = input {
            std::thread::spawn(move || {
                // Ends with the sender, or with the reader.
                while let Ok(line) = asked.recv() {
                    if input.write_all(line.as_bytes()).and_then(|()| input.flush()).is_err() {
                        return;
                    }
                }
            });
        }
        let (sender, answers) = sync_channel(16);
        if let Some(output) = output {
            std::thread::spawn(move || {
                let mut output = BufReader::new(output);
                loop {
                    let mut line = String::new();
                    let read = (&mut output).take(ANSWER_BYTES_MAX).read_line(&mut line);
                    let said = match read {
                        Ok(0) => return,
                        Ok(_) if line.ends_with('\n') => Ok(line),
                        Ok(_) => {
                            Err(format!("an answer of more than {ANSWER_BYTES_MAX} bytes, or cut short"))
                        }
                        Err(error) => Err(format!("its answer cannot be read: {error}")),
                    };
                    let is_over = said.is_err();
                    if sender.send(said).is_err() || is_over {
                        return;
                    }
                }
            });
        }
        Ok(Self { child, questions: Some(questions), answers })
    }

    /// Says how it ended, whose output has ended; waits for that, since its output ends first, until `until`.
    fn end(&mut self, until: Instant) -> String {
        self.questions = None;
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return format!("it ended ({status})"),
                Ok(None) if Instant::now() < until => std::thread::sleep(Span::from_millis(1)),
                _ => return "it closed its output".to_owned(),
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.questions = None;
        // A program that does not end with its input is ended: nothing is left behind.
        for _ in 0..20 {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Span::from_millis(5));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the program and its arguments.
///
/// # Errors
/// When `exec` is no array of strings with a program in front.
pub(crate) fn command(parameters: &BTreeMap<String, Value>) -> Result<Vec<String>, PolicyError> {
    let wrong = || PolicyError::Parameter {
        name: "exec".to_owned(),
        problem: "expected a program and its arguments, like [\"python3\", \"mine.py\"]".to_owned(),
    };
    let words = parameters.get("exec").and_then(Value::as_array).ok_or_else(wrong)?;
    let words: Option<Vec<String>> = words.iter().map(|word| word.as_str().map(str::to_owned)).collect();
    words.filter(|words| words.first().is_some_and(|program| !program.is_empty())).ok_or_else(wrong)
}

/// Returns how long an answer may take.
///
/// # Errors
/// When `time_limit` is no time above zero.
pub(crate) fn time_limit(parameters: &BTreeMap<String, Value>) -> Result<Duration, PolicyError> {
    let Some(value) = parameters.get("time_limit") else { return Ok(TIME_LIMIT) };
    let time = value.as_str().and_then(|text| crate::units::parse_time(text).ok());
    time.filter(|time| !time.is_zero()).ok_or_else(|| PolicyError::Parameter {
        name: "time_limit".to_owned(),
        problem: format!("expected a time above zero like \"1 s\", found {value}"),
    })
}

fn question(id: u64, request: &Request<'_>, routes: Option<&[RouteChoice]>) -> String {
    let bps = |rate: BitRate| rate.as_bps();
    let asked = |choice: &RouteChoice| Asked {
        route: choice.route.to_string(),
        share: choice.share,
        rate_bps: choice.rate.map(bps),
    };
    let question = Question {
        ask: if routes.is_some() { "shares" } else { "routes" },
        id,
        session: request.session.to_string(),
        source: request.source,
        destinations: request.destinations,
        rate_bps: request.rate.map(bps),
        reason: request.reason.word(),
        parameters: parameters(request.parameters),
        routes: routes.map(|routes| routes.iter().map(asked).collect()),
        view: view(request.view),
    };
    // Names, numbers and strings: nothing that could not be written.
    let mut line = serde_json::to_string(&question).unwrap_or_default();
    line.push('\n');
    line
}

fn view(view: &NetworkView) -> View<'_> {
    let nodes = view.nodes.iter().map(|node| ViewNode {
        id: node.id,
        name: &node.name,
        region: node.region.as_deref(),
        egress_bps: node.egress.map(BitRate::as_bps),
        ingress_bps: node.ingress.map(BitRate::as_bps),
    });
    let links = view.links.iter().map(|link| ViewLink {
        from: link.from,
        to: link.to,
        delay_ms: link.delay.as_millis_f64(),
        rate_bps: link.rate.map(|rate| rate.as_bps()),
        loss: link.loss,
        usd_per_gb: link.usd_per_gb,
        measured: link.measured.map(|measured| Measured {
            rtt_ms: figure(measured.rtt, 1e3),
            loss: figure(measured.loss, 1.0),
            rate_bps: figure(measured.rate, 1.0),
        }),
    });
    let sessions = view.sessions.iter().map(demand);
    View { nodes: nodes.collect(), links: links.collect(), sessions: sessions.collect() }
}

fn demand(session: &ViewSession) -> Demand<'_> {
    Demand {
        session: session.key.to_string(),
        source: session.source,
        destinations: &session.destinations,
        rate_bps: session.rate.map(BitRate::as_bps),
        start_s: session.start.as_secs_f64(),
        stop_s: session.stop.as_secs_f64(),
        delay_bound_ms: session.delay_bound.map(|bound| bound.as_millis_f64()),
        coded: session.coding.is_some(),
        symbol_bytes: session.symbol_bytes,
        header_bytes: session.header_bytes,
        policy: &session.policy,
        parameters: parameters(&session.parameters),
    }
}

/// Returns the parameters that are the program's.
fn parameters(all: &BTreeMap<String, Value>) -> BTreeMap<&str, &Value> {
    let theirs = all.iter().filter(|(name, _)| !OWN.contains(&name.as_str()));
    theirs.map(|(name, value)| (name.as_str(), value)).collect()
}

fn figure(figure: Option<crate::policy::Figure>, scale: f64) -> Option<Figure> {
    figure.map(|figure| Figure {
        value: figure.value * scale,
        error: figure.error.map(|error| error * scale),
        age_s: figure.age.as_secs_f64(),
        by: match figure.by {
            MeasuredBy::Hello => "hello",
            MeasuredBy::CongestionControl => "congestion-control",
            MeasuredBy::FrameNumbers => "frame-numbers",
            MeasuredBy::Probe => "probe",
            MeasuredBy::Train => "train",
        },
    })
}

fn shortened(text: &str) -> String {
    let text = text.trim_end();
    if text.chars().count() <= 120 {
        text.to_owned()
    } else {
        text.chars().take(120).collect::<String>() + ".."
    }
}

/// An error that names the program.
fn other(request: &Request<'_>, problem: impl Into<String>) -> PolicyError {
    let words = command(request.parameters).unwrap_or_default();
    PolicyError::Other(format!("policy program `{}`: {}", words.join(" "), problem.into()))
}

#[cfg(test)]
mod tests;
