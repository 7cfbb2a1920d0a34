//! What a link is told to be, and where it draws its randomness from.

use bellini_core::ids::NodeId;
use bellini_core::rng::{Seed, Stream};
use bellini_core::time::Duration;
use bellini_scenarios::model::{Bottleneck, Jitter, Link, Loss, Queue, QueueDiscipline, Rate, Shaper};

/// Properties of one stage: a link in one direction, a shared bottleneck or a shaper.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkSpec {
    /// Propagation delay.
    pub delay: Duration,
    /// Serialisation rate; `Rate::Shared` counts as unlimited, since the bottleneck's own stage serialises.
    pub rate: Rate,
    /// The queue before serialisation.
    pub queue: Queue,
    /// Additional delay that varies.
    pub jitter: Option<Jitter>,
    /// Loss after serialisation.
    pub loss: Loss,
    /// Largest packet in wire bytes; larger ones are refused.
    pub mtu: u32,
}

impl LinkSpec {
    /// Returns the spec of a scenario's link; with `Rate::Shared`, of what follows its bottleneck.
    #[must_use]
    pub fn from_model(link: &Link) -> Self {
        let rate = match &link.rate {
            Rate::Shared(_) => Rate::Unlimited,
            own => own.clone(),
        };
        Self {
            delay: link.delay,
            rate,
            queue: link.queue,
            jitter: link.jitter,
            loss: link.loss.clone(),
            mtu: link.mtu,
        }
    }

    /// Returns the spec of a queue and serialiser that several links share.
    #[must_use]
    pub fn from_bottleneck(bottleneck: &Bottleneck) -> Self {
        Self::serialiser(bottleneck.rate.clone(), bottleneck.queue)
    }

    /// Returns the spec of a node's egress or ingress cap.
    #[must_use]
    pub fn from_shaper(shaper: &Shaper) -> Self {
        let queue = Queue { bytes: shaper.queue_bytes, discipline: QueueDiscipline::DropTail };
        Self::serialiser(Rate::Constant(shaper.rate), queue)
    }

    /// Returns the spec of a queue and serialiser without a wire: no delay, no loss, no MTU.
    #[must_use]
    pub const fn serialiser(rate: Rate, queue: Queue) -> Self {
        Self { delay: Duration::ZERO, rate, queue, jitter: None, loss: Loss::None, mtu: u32::MAX }
    }
}

/// Names a link's random streams; each is made only when a model asks for it.
#[derive(Clone, Debug)]
pub struct LinkStreams {
    seed: Seed,
    owner: Owner,
}

#[derive(Clone, Debug)]
enum Owner {
    Link { from: NodeId, to: NodeId },
    Named(Box<str>),
}

impl LinkStreams {
    /// Returns the streams of the link between two nodes: `link:1>2:loss` and so on.
    #[must_use]
    pub const fn new(seed: Seed, from: NodeId, to: NodeId) -> Self {
        Self { seed, owner: Owner::Link { from, to } }
    }

    /// Returns the streams of another stage, such as `bottleneck:sea-cable`; the name must be its own in the run.
    #[must_use]
    pub fn named(seed: Seed, name: &str) -> Self {
        Self { seed, owner: Owner::Named(name.into()) }
    }

    /// Makes the stream for one purpose.
    pub(super) fn stream(&self, purpose: &str) -> Stream {
        let name = match &self.owner {
            Owner::Link { from, to } => format!("link:{from}>{to}:{purpose}"),
            Owner::Named(name) => format!("{name}:{purpose}"),
        };
        self.seed.stream(&name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_named_after_the_link() {
        // The names are part of every recorded result.
        let one = NodeId::new(1).expect("1 is an id");
        let two = NodeId::new(2).expect("2 is an id");
        let mut ours = LinkStreams::new(Seed(1), one, two).stream("loss");
        assert_eq!(ours.next_u64(), Seed(1).stream("link:1>2:loss").next_u64());
        let mut shared = LinkStreams::named(Seed(1), "bottleneck:a").stream("red");
        assert_eq!(shared.next_u64(), Seed(1).stream("bottleneck:a:red").next_u64());
    }
}
