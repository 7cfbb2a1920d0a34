//! Rates as a fluid: what of each session's payload crosses each hop, when everybody sends at the mean rate.

use super::limits::{Limit, Sharing};
use std::collections::BTreeMap;

/// A session in the fluid.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    /// Its conference, by index; queues of feeders belong to conferences.
    pub(super) conference: usize,
    pub(super) weight: f64,
    pub(super) priority: u8,
    /// Payload bits a second that it offers; `None`: as many as go.
    pub(super) offered_bps: Option<f64>,
    /// Whether its source slows down to what arrives.
    pub(super) is_elastic: bool,
    pub(super) pipes: Vec<Pipe>,
}

/// A hop of a stream.
#[derive(Clone, Debug)]
pub(super) struct Pipe {
    pub(super) parent: Option<usize>,
    /// Of a first hop: its route's share.
    pub(super) share: f64,
    /// Wire bits for each payload bit.
    pub(super) wire: f64,
    /// What the link lets through of what was sent.
    pub(super) survival: f64,
    /// Limits before and behind the link's loss.
    pub(super) limits: (Vec<usize>, Vec<usize>),
}

/// What crosses a hop.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Carried {
    /// Payload bits a second that left the sending end.
    pub(super) sent_bps: f64,
    /// Payload bits a second that arrived.
    pub(super) out_bps: f64,
    /// The tightest limit on the way from the source to here that lets less than everything through, with the part
    /// that it lets through.
    pub(super) tightest: Option<(usize, f64)>,
}

/// The rates of all streams.
#[derive(Clone, Debug)]
pub(super) struct Rates {
    /// Payload bits a second that each source sends; `None`: nothing limits it.
    pub(super) sources: Vec<Option<f64>>,
    /// What keeps an elastic source from sending more.
    pub(super) held_by: Vec<Option<usize>>,
    /// By stream and hop.
    pub(super) pipes: Vec<Vec<Carried>>,
}

/// Most rounds of the search for a state in which every limit passes what it can.
const ROUNDS_MAX: usize = 300;
/// Parts let through that differ by less are the same.
const SAME: f64 = 1e-9;

/// Works out all rates. `active`: which streams send; `others_bps`: wire rate of others' traffic at each limit.
pub(super) fn solve(streams: &[Stream], active: &[bool], limits: &[Limit], others_bps: &[f64]) -> Rates {
    let (sources, held_by) = sources(streams, active, limits, others_bps);
    let mut passes: Vec<BTreeMap<usize, f64>> = vec![BTreeMap::new(); limits.len()];
    for round in 0..ROUNDS_MAX {
        let (loads, _) = spread(streams, &sources, &passes, limits);
        let mut change: f64 = 0.0;
        for (index, limit) in limits.iter().enumerate() {
            let wanted = share_out(limit, &loads[index], others_bps[index], streams);
            for (group, pass) in wanted {
                let old = passes[index].insert(group, pass).unwrap_or(1.0);
                // Limits that feed each other in a ring may swing: half steps end that.
                let new = if round > 30 { (old + pass) / 2.0 } else { pass };
                passes[index].insert(group, new);
                change = change.max((new - old).abs());
            }
        }
        if change < SAME {
            break;
        }
    }
    let (_, pipes) = spread(streams, &sources, &passes, limits);
    Rates { held_by, pipes, sources }
}

/// Returns which queue of a limit a stream waits in.
fn group(limit: &Limit, stream: &Stream) -> usize {
    if limit.sharing == Sharing::Proportional { 0 } else { stream.conference }
}

/// Sends everything down the routes; returns loads in wire bits by limit and group, and what crosses each hop.
fn spread(
    streams: &[Stream],
    sources: &[Option<f64>],
    passes: &[BTreeMap<usize, f64>],
    limits: &[Limit],
) -> (Vec<BTreeMap<usize, f64>>, Vec<Vec<Carried>>) {
    let mut loads: Vec<BTreeMap<usize, f64>> = vec![BTreeMap::new(); limits.len()];
    let mut all = Vec::with_capacity(streams.len());
    for (stream, source) in streams.iter().zip(sources) {
        let mut carried: Vec<Carried> = Vec::with_capacity(stream.pipes.len());
        for pipe in &stream.pipes {
            let (mut rate, mut tightest) = match pipe.parent {
                Some(parent) => (carried[parent].out_bps, carried[parent].tightest),
                None => (source.unwrap_or(0.0) * pipe.share, None),
            };
            let mut cross = |rate: &mut f64, crossed: &[usize]| {
                for &limit in crossed {
                    let group = group(&limits[limit], stream);
                    *loads[limit].entry(group).or_insert(0.0) += *rate * pipe.wire;
                    let pass = passes[limit].get(&group).copied().unwrap_or(1.0);
                    *rate *= pass;
                    if pass < 1.0 - 1e-6 && tightest.is_none_or(|(_, least)| pass < least) {
                        tightest = Some((limit, pass));
                    }
                }
            };
            cross(&mut rate, &pipe.limits.0);
            let sent_bps = rate;
            rate *= pipe.survival;
            cross(&mut rate, &pipe.limits.1);
            carried.push(Carried { sent_bps, out_bps: rate, tightest });
        }
        all.push(carried);
    }
    (loads, all)
}

/// Returns the part that a limit lets through, by group.
fn share_out(
    limit: &Limit,
    loads: &BTreeMap<usize, f64>,
    others_bps: f64,
    streams: &[Stream],
) -> BTreeMap<usize, f64> {
    let total: f64 = loads.values().sum::<f64>() + others_bps;
    if total <= limit.capacity_bps {
        return loads.keys().map(|group| (*group, 1.0)).collect();
    }
    if limit.sharing == Sharing::Proportional {
        return loads.keys().map(|group| (*group, limit.capacity_bps / total)).collect();
    }
    let of = |group: usize| streams.iter().find(|stream| stream.conference == group);
    let weight = |group: usize| of(group).map_or(1.0, |stream| stream.weight);
    let rank = |group: usize| match limit.sharing {
        Sharing::Priority => of(group).map_or(0, |stream| stream.priority),
        _ => 0,
    };
    let mut passes = BTreeMap::new();
    let mut left = (limit.capacity_bps - others_bps).max(0.0);
    let mut ranks: Vec<u8> = loads.keys().map(|group| rank(*group)).collect();
    ranks.sort_unstable_by(|a, b| b.cmp(a));
    ranks.dedup();
    for level in ranks {
        // Max-min by weight: who wants least for its weight is served first, and fully if its part allows.
        let mut waiting: Vec<(usize, f64)> = loads
            .iter()
            .filter(|(group, _)| rank(**group) == level)
            .map(|(group, load)| (*group, *load))
            .collect();
        waiting.sort_by(|a, b| (a.1 / weight(a.0)).total_cmp(&(b.1 / weight(b.0))));
        let mut weights: f64 = waiting.iter().map(|(group, _)| weight(*group)).sum();
        for (group, load) in waiting {
            let part = left * weight(group) / weights.max(f64::MIN_POSITIVE);
            let given = load.min(part);
            passes.insert(group, if load > 0.0 { given / load } else { 1.0 });
            left -= given;
            weights -= weight(group);
        }
    }
    passes
}

/// Returns what each source sends, and what holds it: a source that does not listen sends what its content offers, the
/// others max-min fair rates beside them.
fn sources(
    streams: &[Stream],
    active: &[bool],
    limits: &[Limit],
    others_bps: &[f64],
) -> (Vec<Option<f64>>, Vec<Option<usize>>) {
    let mut rates = vec![Some(0.0); streams.len()];
    let mut held_by = vec![None; streams.len()];
    let is_plain = |stream: &Stream| !stream.is_elastic && stream.offered_bps.is_some();
    for (index, stream) in streams.iter().enumerate() {
        if active[index] && is_plain(stream) {
            rates[index] = stream.offered_bps;
        }
    }
    let open: Vec<usize> =
        (0..streams.len()).filter(|&index| active[index] && !is_plain(&streams[index])).collect();
    if open.is_empty() {
        return (rates, held_by);
    }
    // Wire bits at each limit for each payload bit of a stream, when nothing is dropped.
    let usage: Vec<BTreeMap<usize, f64>> = streams.iter().map(usage).collect();
    // Everybody grows at the same pace, plain sources up to what they offer: fair shares, not leftovers.
    let mut growing: Vec<usize> = (0..streams.len()).filter(|&index| active[index]).collect();
    let mut grown = vec![0.0_f64; streams.len()];
    let mut left: Vec<f64> =
        limits.iter().zip(others_bps).map(|(limit, others)| (limit.capacity_bps - others).max(0.0)).collect();
    while !growing.is_empty() {
        let mut needs: BTreeMap<usize, f64> = BTreeMap::new();
        for &index in &growing {
            for (&limit, &part) in &usage[index] {
                *needs.entry(limit).or_insert(0.0) += part;
            }
        }
        let by_limit = needs.iter().map(|(&limit, &need)| (left[limit].max(0.0) / need, Some(limit)));
        let by_offer = growing.iter().filter_map(|&index| {
            streams[index].offered_bps.map(|offered| ((offered - grown[index]).max(0.0), None))
        });
        let step = by_limit.chain(by_offer).min_by(|a, b| a.0.total_cmp(&b.0));
        let Some((step, limit)) = step else {
            // Nothing limits those that are left.
            growing.iter().for_each(|&index| grown[index] = f64::INFINITY);
            break;
        };
        for &index in &growing {
            grown[index] += step;
            for (&limit, &part) in &usage[index] {
                left[limit] -= step * part;
            }
        }
        growing.retain(|&index| {
            let is_held = limit.is_some_and(|limit| usage[index].contains_key(&limit));
            if is_held {
                held_by[index] = limit;
            }
            let is_done =
                streams[index].offered_bps.is_some_and(|offered| grown[index] >= offered * (1.0 - 1e-12));
            !is_held && !is_done
        });
    }
    for index in open {
        rates[index] = grown[index].is_finite().then_some(grown[index]);
    }
    (rates, held_by)
}

fn usage(stream: &Stream) -> BTreeMap<usize, f64> {
    let mut shares = Vec::with_capacity(stream.pipes.len());
    let mut usage = BTreeMap::new();
    for pipe in &stream.pipes {
        let share = pipe.parent.map_or(pipe.share, |parent: usize| shares[parent]);
        shares.push(share);
        for &limit in pipe.limits.0.iter().chain(&pipe.limits.1) {
            *usage.entry(limit).or_insert(0.0) += share * pipe.wire;
        }
    }
    usage.retain(|_, part: &mut f64| *part > 0.0);
    usage
}
