//! EcoFlow, to compare with: sources may wait.
//!
//! After EcoFlow (ACM Multimedia 2015), from what its abstract says: videos go in order of the tightness of their
//! deadlines; loose ones are postponed so that the percentile of the intervals so far does not rise; those at risk
//! are split into subflows over links that are not used up. What then finds no room raises the charge of its own link.

use super::market::{Demand, Market};
use super::postcard::Stored;
use crate::account::charged_volume;

/// A video under way.
struct Video {
    from: usize,
    to: usize,
    /// Volume that is not sent yet.
    left: f64,
    /// The interval by which it is to be there.
    end: usize,
    /// Position of its own path among those of the pair.
    home: usize,
}

/// Sends videos interval by interval; `rate * count` of a demand is its size, `count` the intervals until its deadline. A
/// video's own path is the direct link, or with `is_cheapest` the path of the least price.
#[must_use]
pub fn run(
    market: &Market,
    intervals: usize,
    percentile: f64,
    is_cheapest: bool,
    demands: &[Demand],
) -> Stored {
    let links = market.links.len();
    let mut sent = vec![vec![0.0; intervals]; links];
    // The charge of the intervals so far.
    let mut level = vec![0.0_f64; links];
    let mut look = 0;
    let mut open: Vec<Video> = Vec::new();
    let mut coming = demands.iter().peekable();
    let (mut missed, mut carried) = (0, 0.0);
    for now in 0..intervals {
        while let Some(video) = coming.next_if(|video| video.first <= now) {
            let paths = market.paths(video.from, video.to);
            let home = paths.iter().position(|path| is_cheapest || path.len() == 1);
            let end = (video.first + video.count).min(intervals);
            let left = video.rate * (end - video.first) as f64;
            match home {
                Some(home) => open.push(Video { from: video.from, to: video.to, left, end, home }),
                None => missed += 1,
            }
        }
        open.sort_by(|a, b| a.end.cmp(&b.end).then(b.left.total_cmp(&a.left)));
        let mut claims = vec![0.0; links];
        let mut lacking = vec![0.0; open.len()];
        for (video, lacking) in open.iter_mut().zip(&mut lacking) {
            let home = &market.paths(video.from, video.to)[video.home];
            let room = |link: &usize| level[*link].min(market.links[*link].capacity) - sent[*link][now];
            let go = home.iter().map(room).fold(video.left, f64::min).max(0.0);
            send(&mut sent, home, now, go);
            video.left -= go;
            carried += go;
            // What its path can carry until the deadline under its charge, beside videos of tighter deadlines.
            let rest = (video.end - now - 1) as f64;
            let later = |link: &usize| level[*link] * rest - claims[*link];
            let later = home.iter().map(later).fold(f64::INFINITY, f64::min).max(0.0);
            *lacking = (video.left - later).max(0.0) / (rest + 1.0);
            home.iter().for_each(|link| claims[*link] += video.left);
        }
        for (video, lacking) in open.iter_mut().zip(lacking) {
            let paths = market.paths(video.from, video.to);
            let home = core::iter::once(&paths[video.home]);
            let mut lacking = lacking;
            // Subflows under the charge, then over its own path above it, then wherever there is capacity.
            let tries = paths.iter().map(|path| (path, true));
            let tries = tries.chain(home.chain(paths).map(|path| (path, false)));
            for (path, is_paid) in tries {
                let room = |link: &usize| {
                    let capacity = market.links[*link].capacity;
                    if is_paid {
                        level[*link].min(capacity) - sent[*link][now]
                    } else {
                        capacity - sent[*link][now]
                    }
                };
                let go = path.iter().map(room).fold(lacking, f64::min).max(0.0);
                if go > 0.0 {
                    send(&mut sent, path, now, go);
                    (video.left, lacking) = (video.left - go, lacking - go);
                    carried += go;
                }
            }
        }
        open.retain(|video| {
            let is_late = video.end == now + 1 && video.left > 1e-6;
            missed += usize::from(is_late);
            video.end > now + 1 && video.left > 1e-9
        });
        // A percentile of many intervals changes slowly.
        let is_due = now >= look;
        look = if is_due { now + 1 + now / 100 } else { look };
        for (level, sent) in level.iter_mut().zip(&sent) {
            if percentile >= 100.0 {
                *level = level.max(sent[now]);
            } else if is_due {
                *level = charged_volume(&sent[..=now], now + 1, percentile);
            }
        }
    }
    Stored::of(market, percentile, sent, missed, carried, 0.0)
}

fn send(sent: &mut [Vec<f64>], path: &[usize], now: usize, volume: f64) {
    path.iter().for_each(|link| sent[*link][now] += volume);
}
