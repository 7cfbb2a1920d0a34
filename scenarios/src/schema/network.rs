//! Keys of the network: nodes, bottlenecks, cross traffic, topology from data.

use super::kind::{Kind, Object, QUEUE_SIZE, RATE, SPAN, TIME, Zero, optional, required};
use super::link::{LOSS_CHOICE, QUEUE_CHOICE, RATE_CHOICE, RATE_TRACE};
use crate::units::Quantity;

const LAT_LON: Kind = Kind::Tuple(&[Kind::Number(-90.0, 90.0), Kind::Number(-180.0, 180.0)]);
pub(crate) const NODE_PAIR: Kind = Kind::Tuple(&[Kind::Node, Kind::Node]);
pub(super) const MTU: Kind = Kind::Integer(128, 65_535);
pub(super) const PRICE: Kind = Kind::Number(0.0, 1e6);

pub(crate) static NODE: Object = Object {
    name: "node",
    doc: "A relay in a datacenter, or an instance at a user.",
    keys: &[
        required(
            "id",
            Kind::Integer(1, 0x7FFF_FFFF),
            "1",
            "Its id on the wire; the top bit of the field marks destinations.",
        ),
        optional(
            "name",
            Kind::Name,
            "`n<ID>`",
            "Its name; other places may say the name in place of the id.",
        ),
        optional("region", Kind::Text, "none", "Cloud region it is in, such as `aws:us-east-1`."),
        optional("position", LAT_LON, "the region's", "Latitude and longitude in degrees, for the map."),
        optional("egress", Kind::Object(&SHAPER), "no limit", "Limit on all that it sends together."),
        optional("ingress", Kind::Object(&SHAPER), "no limit", "Limit on all that it receives together."),
        optional("processing", TIME, "`0 s`", "Processor time that each received packet costs."),
        optional(
            "receive_queue",
            Kind::Integer(1, 1_000_000_000),
            "`10000`",
            "Received packets that may wait for the processor.",
        ),
        optional("clock", Kind::Object(&CLOCK), "exact", "How its clock differs from true time."),
        optional("feeder", Kind::Object(&FEEDER), "as below", "Limits and scheduler of its feeders."),
        optional(
            "congestion",
            Kind::Object(&CONGESTION),
            "as below",
            "Congestion control of its `udp` hops.",
        ),
        optional(
            "recoding",
            Kind::Bool,
            "`true`",
            "Whether it combines packets of coded sessions anew; otherwise it passes them on as they are.",
        ),
        optional(
            "rates",
            Kind::Map("next hop (id or name), or `*` for all others", &RATE),
            "not limited",
            "Token buckets of its `udp-unpaced` hops.",
        ),
        optional(
            "vm_usd_per_hour",
            Kind::Number(0.0, 1e6),
            "`billing.vm_usd_per_hour`",
            "Price of its machine for one hour.",
        ),
    ],
    one_of: &[],
};

pub(crate) static SHAPER: Object = Object {
    name: "shaper",
    doc: "A rate limit with a drop-tail queue before it.",
    keys: &[
        required("rate", RATE, "\"5 Gbit/s\"", "Rate of wire bytes."),
        optional("queue", QUEUE_SIZE, "rate x 100 ms, at least 64 KiB", "Bytes that may wait."),
    ],
    one_of: &[],
};

pub(crate) static CLOCK: Object = Object {
    name: "clock",
    doc: "How a node's clock differs from true time.",
    keys: &[
        optional("offset", Kind::Signed(Quantity::Time), "`0 s`", "How far it is ahead at the start."),
        optional("drift", Kind::Signed(Quantity::Drift), "`0 ppb`", "How much it gains."),
    ],
    one_of: &[],
};

pub(crate) static CONGESTION: Object = Object {
    name: "congestion",
    doc: "How a node's `udp` hops find the rate that the network gives them.",
    keys: &[
        optional(
            "controller",
            Kind::Words(&["tfrc", "bbr"]),
            "`tfrc`",
            "`tfrc`: as fair as TCP (RFC 5348). `bbr`: by a model of the path, for long paths of high rate.",
        ),
        optional(
            "credit",
            TIME,
            "`10 ms`",
            "Time at the allowed rate that an idle sender saves up at most; never more than a round trip.",
        ),
        optional(
            "discounting",
            Kind::Bool,
            "`true`",
            "`tfrc` forgets old losses sooner when there have been few.",
        ),
        optional(
            "damping",
            Kind::Bool,
            "`true`",
            "`tfrc` slows down while the round trip is above its mean.",
        ),
        optional(
            "reports",
            Kind::Integer(1, 16),
            "`1` (`bbr`: `4`)",
            "Reports of the receiver in a round trip.",
        ),
    ],
    one_of: &[],
};

pub(crate) static FEEDER: Object = Object {
    name: "feeder",
    doc: "The queues before each hop of a node: one a conference, with a live and a bulk lane.",
    keys: &[
        optional(
            "live",
            QUEUE_SIZE,
            "`256 KiB`",
            "Most bytes in a conference's live lane; then the oldest go.",
        ),
        optional(
            "bulk",
            QUEUE_SIZE,
            "`1 MiB`",
            "Most bytes in a conference's bulk lane; then new ones are refused.",
        ),
        optional(
            "scheduler",
            Kind::Words(&["round-robin", "deficit-weighted", "strict-priority", "fifo"]),
            "`round-robin`",
            "Which conference's queue is served next; `fifo` isolates nothing and exists for comparison.",
        ),
        optional(
            "quantum",
            Kind::Quantity {
                of: Quantity::Size,
                zero: Zero::Refused("a turn sends at least one byte"),
                max: 1 << 30,
            },
            "`1500 B`",
            "Bytes that weight 1 may send in one turn of `deficit-weighted`.",
        ),
        optional("packets", Kind::Integer(1, 0xFFFF_FFFF), "`1048576`", "Most packets queued in one feeder."),
        optional(
            "conferences",
            Kind::Integer(1, 0xFFFF_FFFF),
            "`65536`",
            "Most conferences that one feeder keeps.",
        ),
    ],
    one_of: &[],
};

pub(crate) static TOPOLOGY: Object = Object {
    name: "topology",
    doc: "Fills links between nodes that name regions from measured data; delay = measured round trip / 2.",
    keys: &[
        required(
            "dataset",
            Kind::Text,
            "\"aws-2013\"",
            "The data set: `aws-2013`, `aws-2025`, `clouds-2022`.",
        ),
        optional(
            "mesh",
            Kind::Bool,
            "`true`",
            "A link for every ordered pair of nodes with regions that has none written out.",
        ),
        optional("rate", RATE_CHOICE, "`defaults.link.rate`", "Rate of the links where none is measured."),
        optional("queue", QUEUE_CHOICE, "`defaults.link.queue`", "Their queue."),
        optional("mtu", MTU, "`defaults.link.mtu`", "Their MTU."),
        optional("loss", LOSS_CHOICE, "`defaults.link.loss`", "Their loss."),
        optional("rates", Kind::Bool, "`false`", "Takes measured rates where the data set has them."),
        optional("prices", Kind::Bool, "`true`", "Takes prices where the data set has them."),
    ],
    one_of: &[],
};

pub(crate) static BOTTLENECK: Object = Object {
    name: "bottleneck",
    doc: "A serialiser with a queue that several links share.",
    keys: &[
        required("name", Kind::Name, "\"backbone\"", "Its name, as links say it."),
        required("rate", Kind::Choice(&[RATE, Kind::Object(&RATE_TRACE)]), "\"1 Gbit/s\"", "Its rate."),
        optional("queue", QUEUE_CHOICE, "rate x 100 ms, at least 64 KiB", "The queue before it."),
    ],
    one_of: &[],
};

pub(crate) static CROSS_TRAFFIC: Object = Object {
    name: "cross traffic",
    doc: "Traffic of others that takes up a link's queue and rate: packets by a pattern, or TCP connections that always have something to send (`tcp`).",
    keys: &[
        required("from", Kind::Node, "1", "Sending end of the link."),
        required("to", Kind::Node, "2", "Receiving end of the link."),
        required(
            "pattern",
            Kind::Choice(&[Kind::Words(&["constant", "poisson", "tcp"]), Kind::Object(&CROSS_PATTERN)]),
            "\"poisson\"",
            "When its packets come; `tcp`: when TCP sends them, with acknowledgements on the link of the other direction.",
        ),
        optional("rate", RATE, "must be given; not with `tcp`", "Mean rate of wire bytes."),
        optional(
            "packet",
            Kind::Quantity { of: Quantity::Size, zero: Zero::Refused("a packet has bytes"), max: 65_535 },
            "`1000 B`; not with `tcp`",
            "Size of each IP packet.",
        ),
        optional("flows", Kind::Integer(1, 64), "`1`; only with `tcp`", "Number of TCP connections."),
        optional(
            "controller",
            Kind::Words(&["cubic", "reno"]),
            "`\"cubic\"`; only with `tcp`",
            "Their congestion control.",
        ),
        optional(
            "delayed_acks",
            Kind::Bool,
            "`true`; only with `tcp`",
            "Whether their receivers acknowledge every second segment only, or each.",
        ),
        optional(
            "recovery",
            Kind::Words(&["rack", "dupack"]),
            "`\"rack\"`; only with `tcp`",
            "How senders find losses: by time, with probes (RACK-TLP, as Linux), or by three that came behind a hole (RFC 6675). A lab has the kernel's, `rack`, only.",
        ),
        optional("start", TIME, "`0 s`", "When it starts."),
        optional("stop", TIME, "the end of the run", "When it stops."),
    ],
    one_of: &[],
};

pub(crate) static CROSS_PATTERN: Object = Object {
    name: "cross pattern",
    doc: "Bursts: on and off in turn.",
    keys: &[required(
        "on_off",
        Kind::Object(&ON_OFF_MEANS),
        "{\"on\": \"1 s\", \"off\": \"1 s\"}",
        "Equal intervals within exponential on periods, silence in exponential off periods.",
    )],
    one_of: &[],
};

pub(crate) static ON_OFF_MEANS: Object = Object {
    name: "on_off",
    doc: "Mean periods.",
    keys: &[
        required("on", SPAN, "\"1 s\"", "Mean on period."),
        required("off", SPAN, "\"1 s\"", "Mean off period."),
    ],
    one_of: &[],
};
