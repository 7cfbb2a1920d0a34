//! The figures: what is shown, its title as a statement and a sentence that says what one sees.

mod delay;
mod drops;
mod feeders;
mod hops;
mod levels;
mod links;
mod playback;
mod throughput;
pub(crate) mod topology;

pub(crate) use delay::{distributions, over_runs};

use crate::chart::{Line, Style};
use crate::curves::Curves;
use crate::draw::Svg;
use crate::error::ReportError;
use crate::faults::{Mark, marks};
use crate::pool::pooled;
use bellini_scenarios::record::{DestinationSummary, Run, SessionSummary, Summary};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Most lines of a chart that are shown by name; the rest is gathered in one.
pub(crate) const NAMED_MAX: usize = 10;

/// A figure of the report.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Figure {
    /// Name of its files.
    pub(crate) name: &'static str,
    /// Heading in the page's contents.
    pub(crate) heading: &'static str,
    /// What it shows, as a statement.
    pub(crate) title: String,
    /// How to read it.
    pub(crate) caption: String,
    /// The drawing.
    pub(crate) svg: Svg,
}

/// What figures are made from.
pub(crate) struct Material<'a> {
    /// All runs; the first one gives names and order.
    pub(crate) runs: &'a [Run],
    /// Figures of the run, or means over all runs.
    pub(crate) first: Cow<'a, Summary>,
    /// Faults of the first run.
    pub(crate) marks: Vec<Mark>,
    /// Names of nodes by id.
    names: BTreeMap<u32, &'a str>,
}

impl<'a> Material<'a> {
    /// Checks that the runs belong together.
    ///
    /// # Errors
    /// [`ReportError::NoRuns`], [`ReportError::Mixed`].
    pub(crate) fn new(runs: &'a [Run]) -> Result<Material<'a>, ReportError> {
        let first = &runs.first().ok_or(ReportError::NoRuns)?.summary;
        let kind = |s: &Summary| format!("{} in {}, version {}", s.scenario, s.mode.as_str(), s.version);
        if let Some(other) = runs.iter().find(|run| kind(&run.summary) != kind(first)) {
            let (found, expected) = (kind(&other.summary), kind(first));
            return Err(ReportError::Mixed { path: other.path.clone(), found, expected });
        }
        let names = runs[0].summary.nodes.iter().map(|node| (node.id, node.name.as_str())).collect();
        let first = if runs.len() > 1 { Cow::Owned(pooled(runs)?) } else { Cow::Borrowed(first) };
        Ok(Material { runs, first, marks: marks(&runs[0].events), names })
    }

    /// Returns a node's name.
    pub(crate) fn node(&self, id: u32) -> String {
        self.names.get(&id).map_or_else(|| id.to_string(), |name| (*name).to_owned())
    }

    /// Returns `from → to` with names for an id `1>3` of a link or feeder.
    pub(crate) fn pair(&self, id: &str) -> String {
        let name = |part: &str| part.parse().map_or_else(|_| part.to_owned(), |id| self.node(id));
        match id.split_once('>') {
            Some((from, to)) => format!("{} \u{2192} {}", name(from), name(to)),
            None => id.to_owned(),
        }
    }

    /// Returns `1/1 talk → Tokyo`.
    pub(crate) fn destination(&self, session: &SessionSummary, node: u32) -> String {
        let own = if session.name.is_empty() || session.name == session.id() {
            session.id()
        } else {
            format!("{} {}", session.id(), session.name)
        };
        format!("{own} \u{2192} {}", self.node(node))
    }

    /// Returns every destination of every session.
    pub(crate) fn destinations(&self) -> impl Iterator<Item = (&SessionSummary, &DestinationSummary)> {
        self.first.sessions.iter().flat_map(|session| session.destinations.iter().map(move |d| (session, d)))
    }

    /// Returns the time that plots span.
    pub(crate) fn span(&self) -> (f64, f64) {
        (0.0, self.first.duration_s.max(1e-3))
    }

    /// Returns the sentence about bands, empty for one run.
    pub(crate) fn bands(&self) -> String {
        match self.runs.len() {
            1 => String::new(),
            n => format!(
                " Lines are means over {n} seeds; the dark band is the 95 % interval of the mean, the light band \
                 spans all seeds."
            ),
        }
    }
}

/// Makes all figures that the records allow, in the order of the page.
///
/// # Errors
/// [`ReportError::Draw`].
pub(crate) fn all(material: &Material<'_>) -> Result<Vec<Figure>, ReportError> {
    let makers = [
        topology::figure,
        throughput::figure,
        delay::distribution,
        delay::in_time,
        playback::figure,
        playback::messages,
        levels::figure,
        hops::figure,
        links::figure,
        feeders::figure,
        drops::in_time,
        drops::by_place,
    ];
    let mut figures = Vec::new();
    for make in makers {
        figures.extend(make(material)?);
    }
    Ok(figures)
}

/// Makes a line of curves.
pub(crate) fn line(name: String, style: Style, curves: Curves) -> Line {
    Line {
        name,
        style,
        points: curves.mean,
        interval: curves.interval,
        range: curves.range,
        steps: false,
        reference: None,
    }
}

/// Splits things ranked by importance (greatest first) into those shown by name and the rest; one more than the limit
/// is shown, too: a rest of one would help nobody.
pub(crate) fn split_rest<T>(mut ranked: Vec<T>) -> (Vec<T>, Vec<T>) {
    if ranked.len() <= NAMED_MAX + 1 {
        return (ranked, Vec::new());
    }
    let rest = ranked.split_off(NAMED_MAX);
    (ranked, rest)
}
