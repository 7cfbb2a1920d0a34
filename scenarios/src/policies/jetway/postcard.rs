//! Postcard: datacenters may hold data and send them later.
//!
//! After Feng, Li and Li, "Postcard: Minimizing Costs on Inter-Datacenter Traffic with Store-and-Forward" (ICDCS
//! Workshops 2012). Time is cut into slots; a file that crosses a link in one slot can go on, or wait, in the next. Each
//! slot's new files are routed by one linear program over the time-expanded graph, where the maximum is charged.

use super::market::{Demand, Market};
use super::plan::tightest;
use crate::account::charged_volume;
use crate::lp::{Column, LpError, Problem, Relation};

/// What storing or waiting made of a workload.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// What is charged.
    pub cost: f64,
    /// Volumes by link and interval.
    pub volumes: Vec<Vec<f64>>,
    /// Files refused, or not there in time.
    pub missed: usize,
    /// Size of all that was carried.
    pub carried: f64,
    /// Volume that was held over a slot in datacenters other than its source, in parts of all that was sent.
    pub held: f64,
}

impl Stored {
    /// Works out the charge for a percentile.
    pub(super) fn of(
        market: &Market,
        percentile: f64,
        volumes: Vec<Vec<f64>>,
        missed: usize,
        carried: f64,
        held: f64,
    ) -> Self {
        let charged = |volumes: &Vec<f64>| charged_volume(volumes, volumes.len(), percentile);
        let cost =
            market.links.iter().zip(&volumes).map(|(link, volumes)| link.price * charged(volumes)).sum();
        Self { cost, volumes, missed, carried, held }
    }
}

/// Routes files slot by slot; `rate * count` of a demand is its file's size, `count` the slots until its deadline.
///
/// # Errors
/// When the solver fails.
pub fn run(market: &Market, slots: usize, demands: &[Demand]) -> Result<Stored, LpError> {
    let nodes = market.links.iter().map(|link| link.from.max(link.to) + 1).max().unwrap_or(0);
    let mut book = Book {
        nodes,
        sent: vec![vec![0.0; slots]; market.links.len()],
        paid: vec![0.0; market.links.len()],
        held: 0.0,
    };
    let (mut missed, mut total) = (0, 0.0);
    for batch in demands.chunk_by(|a, b| a.first == b.first) {
        let mut open: Vec<Demand> =
            batch.iter().map(|file| Demand { count: file.count.min(slots - file.first), ..*file }).collect();
        while !open.is_empty() {
            match book.slot(market, &open) {
                Ok(()) => break,
                Err(LpError::Infeasible { .. }) => {
                    tightest(&open).map(|at| open.remove(at));
                    missed += 1;
                }
                Err(error) => return Err(error),
            }
        }
        total += open.iter().map(|file| file.rate * file.count as f64).sum::<f64>();
    }
    let held = if total > 0.0 { book.held / total } else { 0.0 };
    Ok(Stored::of(market, 100.0, book.sent, missed, total, held))
}

struct Book {
    nodes: usize,
    /// By link and slot.
    sent: Vec<Vec<f64>>,
    paid: Vec<f64>,
    held: f64,
}

/// What a unit costs beside the charge, in parts of its price: see `plan`.
const TIE: f64 = 1e-4;

impl Book {
    /// Routes the files of one slot and books them.
    fn slot(&mut self, market: &Market, files: &[Demand]) -> Result<(), LpError> {
        let Some(first) = files.first().map(|file| file.first) else { return Ok(()) };
        let span = files.iter().map(|file| file.count).max().unwrap_or(0);
        let mut problem = Problem::minimize();
        let extra: Vec<Column> = market
            .links
            .iter()
            .zip(&self.paid)
            .map(|(link, paid)| problem.column("", link.price, 0.0, (link.capacity - paid).max(0.0)))
            .collect();
        // By file, slot and link; by file, slot and node.
        let mut moves: Vec<Vec<Vec<Column>>> = Vec::new();
        let mut holds: Vec<Vec<Vec<Column>>> = Vec::new();
        for file in files {
            let mut move_of = |_: usize| {
                let links = market.links.iter();
                links
                    .map(|link| problem.column("", TIE * link.price / span as f64, 0.0, f64::INFINITY))
                    .collect::<Vec<_>>()
            };
            moves.push((0..file.count).map(&mut move_of).collect());
            let mut hold_of = |_: usize| {
                (0..self.nodes).map(|_| problem.column("", 0.0, 0.0, f64::INFINITY)).collect::<Vec<_>>()
            };
            holds.push((0..file.count).map(&mut hold_of).collect());
        }
        for (file, (moves, holds)) in files.iter().zip(moves.iter().zip(&holds)) {
            let size = file.rate * file.count as f64;
            // What comes into a layer leaves it: at the first, the file at its source; at the last, at its destination.
            let balance = |layer: usize, node: usize| {
                let mut terms = Vec::new();
                if let (Some(moves), Some(holds)) = (moves.get(layer), holds.get(layer)) {
                    terms.push((holds[node], 1.0));
                    let out = market.links.iter().zip(moves).filter(|(link, _)| link.from == node);
                    terms.extend(out.map(|(_, column)| (*column, 1.0)));
                }
                if let Some(before) = layer.checked_sub(1) {
                    terms.push((holds[before][node], -1.0));
                    let into = market.links.iter().zip(&moves[before]).filter(|(link, _)| link.to == node);
                    terms.extend(into.map(|(_, column)| (*column, -1.0)));
                }
                let begins = if layer == 0 && node == file.from { size } else { 0.0 };
                let ends = if layer == file.count && node == file.to { size } else { 0.0 };
                (terms, begins - ends)
            };
            for layer in 0..=file.count {
                for node in 0..self.nodes {
                    let (terms, right) = balance(layer, node);
                    problem.row("layer", &terms, Relation::Equal, right);
                }
            }
        }
        for (at, link) in market.links.iter().enumerate() {
            for slot in 0..span {
                let mut terms: Vec<_> =
                    moves.iter().filter_map(|moves| moves.get(slot)).map(|moves| (moves[at], 1.0)).collect();
                terms.push((extra[at], -1.0));
                let room = self.paid[at].min(link.capacity) - self.sent[at][first + slot];
                problem.row("link", &terms, Relation::AtMost, room.max(0.0));
            }
        }
        let solution = problem.solve_unproved()?;
        for ((file, moves), holds) in files.iter().zip(&moves).zip(&holds) {
            for (slot, (moves, holds)) in moves.iter().zip(holds).enumerate() {
                for (at, column) in moves.iter().enumerate() {
                    self.sent[at][first + slot] += solution.value(*column);
                }
                let elsewhere = (0..self.nodes).filter(|node| *node != file.from && *node != file.to);
                self.held += elsewhere.map(|node| solution.value(holds[node])).sum::<f64>();
            }
        }
        for (paid, sent) in self.paid.iter_mut().zip(&self.sent) {
            *paid = sent[first..first + span].iter().copied().fold(*paid, f64::max);
        }
        Ok(())
    }
}
