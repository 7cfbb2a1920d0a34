//! Keys of a link: its rate, queue, jitter and loss.

use super::kind::{
    Kind, Object, PROBABILITY, QUEUE_SIZE, RATE, RATE_OR_ZERO, SIZE, SPAN, TIME, optional, required,
};
use super::network::{MTU, NODE_PAIR, PRICE};

pub(crate) static LINK: Object = Object {
    name: "link",
    doc: "A link; with `between` the same link in both directions.",
    keys: &[
        optional("between", NODE_PAIR, "use `from` and `to`", "Its two ends; makes two links of equal kind."),
        optional("from", Kind::Node, "use `between`", "Sending end of a link in one direction."),
        optional("to", Kind::Node, "use `between`", "Receiving end of a link in one direction."),
        required("delay", TIME, "\"40 ms\"", "Propagation delay, one way."),
        optional("rate", RATE_CHOICE, "`unlimited`", "Serialisation rate."),
        optional("queue", QUEUE_CHOICE, "rate x 100 ms, at least 64 KiB", "The queue before serialisation."),
        optional("jitter", Kind::Object(&JITTER), "none", "Additional delay that varies."),
        optional(
            "loss",
            LOSS_CHOICE,
            "`0`",
            "Loss after propagation; a number is the probability of losing each packet.",
        ),
        optional("mtu", MTU, "`1500`", "Largest IP packet in bytes; larger ones are dropped."),
        optional("usd_per_gb", PRICE, "unknown", "Price of traffic in USD per 10^9 bytes."),
        optional(
            "bottleneck",
            Kind::Name,
            "none",
            "Name of a bottleneck that queues and serialises its packets, in place of `rate` and `queue`.",
        ),
        optional("source", Kind::Text, "none", "Who measured its figures, and where they are published."),
        optional("date", Kind::Text, "none", "When they were measured."),
        optional(
            "provenance",
            Kind::List(&Kind::Integer(0, 1_000_000), 0),
            "none",
            "Positions in the top-level `provenance`; written by `bellini check --resolved`.",
        ),
    ],
    one_of: &[&["between", "from"]],
};

pub(crate) const RATE_CHOICE: Kind =
    Kind::Choice(&[Kind::Words(&["unlimited"]), RATE, Kind::Object(&RATE_TRACE)]);

pub(crate) static RATE_TRACE: Object = Object {
    name: "rate trace",
    doc: "A rate that changes in time and starts again when it ends.",
    keys: &[
        optional("trace", Kind::Text, "use `steps`", "Name of an embedded trace."),
        optional(
            "steps",
            Kind::List(&Kind::Tuple(&[SPAN, RATE_OR_ZERO]), 1),
            "use `trace`",
            "Steps: how long, and the rate.",
        ),
        optional("name", Kind::Text, "`steps`", "Name of written-out steps, for reports."),
    ],
    one_of: &[&["trace", "steps"]],
};

pub(super) const QUEUE_CHOICE: Kind = Kind::Choice(&[QUEUE_SIZE, Kind::Object(&QUEUE)]);

pub(crate) static QUEUE: Object = Object {
    name: "queue",
    doc: "A queue limited in bytes.",
    keys: &[
        optional("bytes", QUEUE_SIZE, "rate x 100 ms, at least 64 KiB", "Bytes that may wait."),
        optional(
            "discipline",
            Kind::Choice(&[Kind::Words(&["drop-tail"]), Kind::Object(&DISCIPLINE)]),
            "`drop-tail`",
            "Which packet is dropped, and when.",
        ),
    ],
    one_of: &[],
};

pub(crate) static DISCIPLINE: Object = Object {
    name: "discipline",
    doc: "An active queue discipline.",
    keys: &[
        optional("red", Kind::Object(&RED), "use `codel`", "Random Early Detection, gentle variant."),
        optional("codel", Kind::Object(&CODEL), "use `red`", "Controlled delay (RFC 8289)."),
    ],
    one_of: &[&["red", "codel"]],
};

pub(crate) static RED: Object = Object {
    name: "red",
    doc: "Thresholds of Random Early Detection.",
    keys: &[
        required("min", SIZE, "\"30 KB\"", "Below this average occupancy nothing is dropped."),
        required(
            "max",
            SIZE,
            "\"90 KB\"",
            "At this average occupancy the drop probability is `max_probability`; at twice it, 1.",
        ),
        optional("max_probability", PROBABILITY, "`0.1`", "Drop probability at `max`."),
        optional("weight", PROBABILITY, "`0.002`", "Weight of the moving average."),
        optional(
            "wait",
            Kind::Bool,
            "`false`",
            "Drops are 1/p to 2/p packets apart, as in ns-2, instead of up to 1/p (p: drop probability).",
        ),
    ],
    one_of: &[],
};

pub(crate) static CODEL: Object = Object {
    name: "codel",
    doc: "Parameters of CoDel.",
    keys: &[
        optional("target", SPAN, "`5 ms`", "Acceptable standing delay."),
        optional("interval", SPAN, "`100 ms`", "Sliding minimum window."),
    ],
    one_of: &[],
};

pub(crate) static JITTER: Object = Object {
    name: "jitter",
    doc: "Varying additional delay.",
    keys: &[
        optional("uniform", SPAN, "-", "Uniform between zero and this."),
        optional("exponential", SPAN, "-", "Exponential with this mean."),
        optional("half_normal", SPAN, "-", "Normal with this standard deviation, folded to positive."),
        optional("reorder", Kind::Bool, "`false`", "Whether packets may overtake each other."),
    ],
    one_of: &[&["uniform", "exponential", "half_normal"]],
};

pub(super) const LOSS_CHOICE: Kind = Kind::Choice(&[PROBABILITY, Kind::Object(&LOSS)]);

pub(crate) static LOSS: Object = Object {
    name: "loss",
    doc: "A loss model.",
    keys: &[
        optional("bernoulli", PROBABILITY, "-", "Each packet is lost with this probability, independently."),
        optional(
            "gilbert_elliott",
            Kind::Object(&GILBERT_ELLIOTT),
            "-",
            "Two states that change with each packet.",
        ),
        optional(
            "gilbert_elliott_time",
            Kind::Object(&GILBERT_ELLIOTT_TIME),
            "-",
            "Two states with exponential stays.",
        ),
        optional("trace", Kind::Text, "-", "Packet by packet, `0` passes and `1` is lost, repeated."),
    ],
    one_of: &[&["bernoulli", "gilbert_elliott", "gilbert_elliott_time", "trace"]],
};

pub(crate) static GILBERT_ELLIOTT: Object = Object {
    name: "gilbert_elliott",
    doc: "Gilbert-Elliott loss, stepped by packets.",
    keys: &[
        required("good_to_bad", PROBABILITY, "0.01", "Probability of going from good to bad at a packet."),
        required("bad_to_good", PROBABILITY, "0.3", "Probability of going from bad to good at a packet."),
        optional("loss_good", PROBABILITY, "`0`", "Loss probability in the good state."),
        optional("loss_bad", PROBABILITY, "`1`", "Loss probability in the bad state."),
    ],
    one_of: &[],
};

pub(crate) static GILBERT_ELLIOTT_TIME: Object = Object {
    name: "gilbert_elliott_time",
    doc: "Gilbert-Elliott loss in time.",
    keys: &[
        required("mean_good", SPAN, "\"10 s\"", "Mean stay in the good state."),
        required("mean_bad", SPAN, "\"200 ms\"", "Mean stay in the bad state."),
        optional("loss_good", PROBABILITY, "`0`", "Loss probability in the good state."),
        optional("loss_bad", PROBABILITY, "`1`", "Loss probability in the bad state."),
    ],
    one_of: &[],
};
