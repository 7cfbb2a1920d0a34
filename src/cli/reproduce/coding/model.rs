//! What coding gives over hops in a row, by counting ranks: the rules of source and relays, without time, queues or bytes.
//!
//! Of a chain's nodes each knows what a later one knows, and more. A random combination of a node whose rank is r tells the
//! next one, whose rank is s < r, something new with probability 1 - 256^-(r - s): theory of random linear codes. So
//! ranks alone decide.

use bellini_core::rng::{Seed, Stream};

/// A chain of hops, and a generation that is sent over it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chain {
    /// Loss of each hop.
    pub(super) loss: f64,
    /// Hops.
    pub(super) hops: usize,
    /// Symbols of a generation.
    pub(super) size: u32,
    /// Combinations that the source adds to them.
    pub(super) repairs: u32,
    /// Whether relays combine anew.
    pub(super) recode: bool,
}

/// A node behind a hop.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    rank: u32,
    /// Packets lost on the hop to it, which it makes up for when combinations come or the generation has been sent.
    lost: u32,
    /// Packets owed to the next node.
    owed: u32,
    /// Symbols that came as they are.
    symbols: u32,
}

impl Chain {
    /// Returns symbols that reach the destination for each packet of the source, on the average of `trials` generations.
    pub(super) fn symbols_per_packet(self, trials: u32) -> f64 {
        let mut stream = Seed(1).stream("coding-model");
        let delivered: u64 = (0..trials).map(|_| u64::from(self.generation(&mut stream))).sum();
        delivered as f64 / (f64::from(trials) * f64::from(self.size + self.repairs))
    }

    /// Returns how many repairs give the most symbols for each packet. Fewer than the mean of what is lost are never best.
    pub(super) fn best_repairs(self, trials: u32) -> u32 {
        let arriving = if self.recode { 1.0 - self.loss } else { (1.0 - self.loss).powi(self.hops as i32) };
        let mean = f64::from(self.size) * (1.0 / arriving - 1.0);
        let margin = 6.0 * mean.max(1.0).sqrt();
        let all = (mean as u32..=(mean + margin) as u32).map(|repairs| {
            let chain = Chain { repairs, ..self };
            (repairs, chain.symbols_per_packet(trials))
        });
        all.max_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |(repairs, _)| repairs)
    }

    /// Sends one generation; returns symbols that the destination knows then.
    fn generation(self, stream: &mut Stream) -> u32 {
        let mut nodes = vec![Known::default(); self.hops + 1];
        for number in 0..self.size + self.repairs {
            let is_symbol = number < self.size;
            nodes[0].rank += u32::from(is_symbol);
            self.hop(1, is_symbol, &mut nodes, stream);
        }
        self.make_up(&mut nodes, stream);
        let last = nodes[self.hops];
        if last.rank >= self.size { self.size } else { last.symbols }
    }

    /// Returns symbols for each packet of a source that sends, round after round, as many combinations as the destination
    /// lacks then.
    pub(super) fn rateless(self, trials: u32) -> f64 {
        let mut stream = Seed(1).stream("coding-model-rateless");
        let mut packets = 0_u64;
        for _ in 0..trials {
            let mut nodes = vec![Known::default(); self.hops + 1];
            let mut is_symbol = true;
            while nodes[self.hops].rank < self.size {
                let round = self.size - nodes[self.hops].rank;
                for _ in 0..round {
                    nodes[0].rank += u32::from(is_symbol);
                    self.hop(1, is_symbol, &mut nodes, &mut stream);
                }
                self.make_up(&mut nodes, &mut stream);
                packets += u64::from(round);
                is_symbol = false;
            }
        }
        f64::from(trials) * f64::from(self.size) / packets as f64
    }

    /// Relays make up for what was lost, and pay what they owe: the generation has been sent.
    fn make_up(self, nodes: &mut [Known], stream: &mut Stream) {
        for node in 1..self.hops {
            let late = core::mem::take(&mut nodes[node].lost) + core::mem::take(&mut nodes[node].owed);
            if self.recode && nodes[node].rank > 0 {
                (0..late).for_each(|_| self.hop(node + 1, false, nodes, stream));
            }
        }
    }

    /// Sends a packet over the hop to `node`.
    fn hop(self, node: usize, is_symbol: bool, nodes: &mut [Known], stream: &mut Stream) {
        if stream.chance(self.loss) {
            nodes[node].lost += 1;
            return;
        }
        let before = if self.recode { nodes[node - 1].rank } else { nodes[0].rank };
        let ahead = before.saturating_sub(nodes[node].rank);
        let is_new = ahead > 0 && (is_symbol || !stream.chance(256_f64.powi(-(ahead.min(9) as i32))));
        nodes[node].rank += u32::from(is_new);
        nodes[node].symbols += u32::from(is_symbol);
        if node == self.hops {
            return;
        }
        if !self.recode {
            return self.hop(node + 1, is_symbol, nodes, stream);
        }
        nodes[node].owed += 1;
        if !is_symbol {
            nodes[node].owed += core::mem::take(&mut nodes[node].lost);
        }
        if is_new || nodes[node].rank >= self.size {
            for number in 0..core::mem::take(&mut nodes[node].owed) {
                self.hop(node + 1, is_symbol && number == 0, nodes, stream);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Aim: what is known in closed form: without repairs the product over the hops; with many packets and large
    /// generations end-to-end coding nears the product and recoding the least hop, neither above.
    #[test]
    fn the_model_has_the_limits_of_theory() {
        let chain = Chain { loss: 0.1, hops: 3, size: 64, repairs: 0, recode: false };
        let plain = chain.symbols_per_packet(4_000);
        assert!((plain / 0.9_f64.powi(3) - 1.0).abs() < 0.01, "{plain}");
        let best = |chain: Chain| {
            let repairs = chain.best_repairs(60);
            Chain { repairs, ..chain }.symbols_per_packet(400)
        };
        let large = Chain { size: 255, ..chain };
        let whole = best(large);
        assert!(whole > 0.88 * 0.9_f64.powi(3) && whole < 0.9_f64.powi(3) * 1.005, "{whole}");
        let each = best(Chain { recode: true, ..large });
        assert!(each > 0.9 * 0.9 && each < 0.9 * 1.001, "{each}");
    }
}
