//! Keys of what sessions carry: each kind of content, and its frames, messages and times.

use super::kind::{Kind, Object, RATE, SIZE, SPAN, TIME, optional, required};

pub(crate) const CONTENT: Kind = Kind::Tagged {
    tag: "kind",
    variants: &[
        ("constant", &CONSTANT),
        ("video", &VIDEO),
        ("adaptive", &ADAPTIVE),
        ("messages", &MESSAGES),
        ("file", &FILE),
        ("on-off", &ON_OFF),
    ],
};

pub(crate) static CONSTANT: Object = Object {
    name: "content: constant",
    doc: "Symbols of equal size at equal intervals.",
    keys: &[
        required("rate", RATE, "\"1 Mbit/s\"", "Payload rate."),
        optional("phase", TIME, "`0 s`", "When the first symbol is due, after the session's start."),
    ],
    one_of: &[],
};

pub(crate) static VIDEO: Object = Object {
    name: "content: video",
    doc: "Video frames with the sizes of a recorded trace.",
    keys: &[
        required("rate", RATE, "\"4 Mbit/s\"", "Mean payload rate to which the trace is scaled."),
        optional("trace", FRAME_TRACE, "`envivio-1080p`", "The trace: a name, or frames written out."),
        optional("playout", Kind::Object(&PLAYOUT), "as below", "How a destination plays it."),
    ],
    one_of: &[],
};

pub(crate) static ADAPTIVE: Object = Object {
    name: "content: adaptive",
    doc: "Video whose rate follows the network over a ladder of levels.",
    keys: &[
        optional(
            "ladder",
            Kind::Choice(&[Kind::Text, Kind::List(&RATE, 1)]),
            "`envivio`",
            "Mean payload rate of each level, ascending: a name, or rates.",
        ),
        optional("initial", Kind::Integer(0, 1_000), "`0`", "Level at the start, from 0."),
        optional("up_after", SPAN, "`5 s`", "How long no overflow must be heard of before one level up."),
        optional("trace", FRAME_TRACE, "`envivio-1080p`", "The trace that gives relative frame sizes."),
        optional("playout", Kind::Object(&PLAYOUT), "as below", "How a destination plays it."),
    ],
    one_of: &[],
};

pub(super) const FRAME_TRACE: Kind = Kind::Choice(&[Kind::Text, Kind::Object(&INLINE_TRACE)]);

pub(crate) static INLINE_TRACE: Object = Object {
    name: "frame trace",
    doc: "Frames written out.",
    keys: &[
        optional("name", Kind::Text, "`inline`", "Name for reports."),
        required("frame_interval", SPAN, "\"40 ms\"", "Time between frames."),
        required(
            "frame_bytes",
            Kind::List(&Kind::Integer(1, 0xFFFF_FFFF), 1),
            "[9000, 1200, 1100]",
            "Encoded sizes in bytes, in order of decoding.",
        ),
        optional(
            "key_frames",
            Kind::List(&Kind::Integer(0, 0xFFFF_FFFF), 0),
            "`[0]`",
            "Positions in `frame_bytes` at which decoding can start, ascending.",
        ),
    ],
    one_of: &[],
};

pub(crate) static PLAYOUT: Object = Object {
    name: "playout",
    doc: "How a destination plays frames.",
    keys: &[
        optional(
            "delay",
            TIME,
            "`200 ms`",
            "Time from a frame's creation (live), or from the first frame's arrival (stream), to its display.",
        ),
        optional(
            "mode",
            Kind::Words(&["live", "stream"]),
            "`live`",
            "A late frame is skipped (live), or the player waits (stream).",
        ),
    ],
    one_of: &[],
};

pub(crate) static MESSAGES: Object = Object {
    name: "content: messages",
    doc: "Messages that arrive as a Poisson process.",
    keys: &[
        required("mean_interval", SPAN, "\"2 s\"", "Mean time between messages."),
        required("size", Kind::Object(&MESSAGE_SIZE), "{\"fixed\": \"100 KB\"}", "Size of each message."),
        required(
            "deadline",
            SPAN,
            "\"1 s\"",
            "A message is on time when it is complete this long after its creation.",
        ),
    ],
    one_of: &[],
};

pub(crate) static MESSAGE_SIZE: Object = Object {
    name: "size",
    doc: "Distribution of message sizes.",
    keys: &[
        optional("fixed", SIZE, "-", "Always this size."),
        optional("uniform", Kind::Object(&SIZE_UNIFORM), "-", "Any size between two, equally likely."),
        optional("exponential", Kind::Object(&SIZE_EXPONENTIAL), "-", "Exponential, cut."),
        optional("log_normal", Kind::Object(&SIZE_LOG_NORMAL), "-", "Log-normal, cut."),
    ],
    one_of: &[&["fixed", "uniform", "exponential", "log_normal"]],
};

pub(crate) static SIZE_UNIFORM: Object = Object {
    name: "size: uniform",
    doc: "Both ends included.",
    keys: &[
        required("min", SIZE, "\"10 KB\"", "Smallest size."),
        required("max", SIZE, "\"1 MB\"", "Largest size."),
    ],
    one_of: &[],
};

pub(crate) static SIZE_EXPONENTIAL: Object = Object {
    name: "size: exponential",
    doc: "Exponential sizes.",
    keys: &[
        required("mean", SIZE, "\"100 KB\"", "Mean before the cut."),
        optional("max", SIZE, "20 x mean", "Largest size."),
    ],
    one_of: &[],
};

pub(crate) static SIZE_LOG_NORMAL: Object = Object {
    name: "size: log_normal",
    doc: "Log-normal sizes.",
    keys: &[
        required("median", SIZE, "\"100 KB\"", "Median."),
        required("sigma", Kind::Number(0.0, 10.0), "1.0", "Standard deviation of the logarithm."),
        optional("max", SIZE, "100 x median", "Largest size."),
    ],
    one_of: &[],
};

pub(crate) static FILE: Object = Object {
    name: "content: file",
    doc: "A file of real bytes, whose hash every destination checks.",
    keys: &[
        required("bytes", SIZE, "\"8 MiB\"", "Its length."),
        optional("rate", RATE, "the rate of the source's hops", "Rate at which the source offers symbols."),
    ],
    one_of: &[],
};

pub(crate) static ON_OFF: Object = Object {
    name: "content: on-off",
    doc: "Constant rate in alternating on and off periods.",
    keys: &[
        required("rate", RATE, "\"1 Mbit/s\"", "Payload rate while on."),
        required("on", Kind::Object(&PERIOD), "{\"exponential\": \"2 s\"}", "Length of on periods."),
        required("off", Kind::Object(&PERIOD), "{\"exponential\": \"2 s\"}", "Length of off periods."),
    ],
    one_of: &[],
};

pub(crate) static PERIOD: Object = Object {
    name: "period",
    doc: "A length of time, fixed or drawn.",
    keys: &[
        optional("fixed", SPAN, "-", "Always this long."),
        optional("exponential", SPAN, "-", "Exponential with this mean."),
    ],
    one_of: &[&["fixed", "exponential"]],
};
