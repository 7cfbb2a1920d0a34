//! Processes of a node that are gone: what they counted stays the node's.

use bellini_core::stats::NodeStats;
use bellini_scenarios::conduct::{NodeFigures, ProcessFigures};

/// What ended processes of a node counted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Past {
    stats: NodeStats,
    crashed_packets: u64,
    host_dropped_packets: u64,
    cpu_s: f64,
    peak_rss_mib: f64,
}

impl Past {
    /// Takes in what a process had counted when it ended; what waited in its feeders is lost.
    pub(crate) fn take(&mut self, ended: &ProcessFigures) {
        self.stats.add(&ended.node.stats);
        self.crashed_packets += ended.queued_packets;
        self.host_dropped_packets += ended.node.host_dropped_packets;
        self.cpu_s += ended.node.cpu_s.unwrap_or(0.0);
        self.peak_rss_mib = self.peak_rss_mib.max(ended.node.peak_rss_mib.unwrap_or(0.0));
    }

    /// Returns the figures of a node whose process of now has counted `running`.
    pub(crate) fn and(&self, running: &NodeFigures) -> NodeFigures {
        let mut figures = running.clone();
        figures.stats.add(&self.stats);
        figures.crashed_packets += self.crashed_packets;
        figures.host_dropped_packets += self.host_dropped_packets;
        figures.cpu_s = Some(figures.cpu_s.unwrap_or(0.0) + self.cpu_s);
        figures.peak_rss_mib = Some(figures.peak_rss_mib.unwrap_or(0.0).max(self.peak_rss_mib));
        figures
    }
}
