//! Keys of the scenario itself, of its defaults, and of faults.

use super::kind::{Kind, Object, PROBABILITY, SPAN, TIME, optional, required};
use super::link::LINK;
use super::network::{BOTTLENECK, CROSS_TRAFFIC, NODE, NODE_PAIR, TOPOLOGY};
use super::traffic::{CONFERENCE, POPULATION, SESSION};

pub(crate) static SCENARIO: Object = Object {
    name: "scenario",
    doc: "The whole file.",
    keys: &[
        optional("$schema", Kind::Text, "none", "For editors; ignored."),
        required("bellini", Kind::Integer(0, u64::MAX), "1", "Version of this format; always 1."),
        optional("name", Kind::Name, "the file's name", "Short name; names the run directory."),
        optional("description", Kind::Text, "empty", "A paragraph for people."),
        optional("seed", Kind::Integer(0, u64::MAX), "`1`", "Root seed when the command line gives none."),
        required("duration", SPAN, "\"20 s\"", "How long content is offered."),
        optional(
            "settle",
            TIME,
            "`1 s`",
            "Time before scenario time zero in which nodes start and hops open.",
        ),
        optional(
            "drain",
            TIME,
            "`1 s`",
            "Time after `duration` in which packets in flight may still arrive.",
        ),
        optional(
            "measure",
            Kind::Object(&MEASURE),
            "the whole run",
            "Symbols offered in this window are the ones that are judged.",
        ),
        optional(
            "sample_interval",
            SPAN,
            "`duration` / 100 in whole ms, 10 ms to 10 s",
            "Distance of the samples in series.csv.",
        ),
        optional("report_interval", SPAN, "`30 s`", "Distance of the reports to conference hooks."),
        optional(
            "view",
            Kind::Words(&["oracle", "measured"]),
            "`oracle`",
            "What policies see: the scenario's own figures, or what the running protocol measured.",
        ),
        optional("planner", Kind::Object(&PLANNER), "as below", "Where and how fast policies decide."),
        optional(
            "listing",
            Kind::Object(&LISTING),
            "none",
            "Where members register; who is silent for a lease is a destination no more.",
        ),
        optional(
            "seal",
            Kind::Bool,
            "`false`",
            "Whether hops are sealed, in every mode (sealing.md): 24 B more a datagram. Hops between real hosts are sealed unless they are asked not to be.",
        ),
        optional(
            "failover",
            Kind::Object(&FAILOVER),
            "none",
            "Nodes watch each other, and sessions move to backup routes when something fails; `{}` for the values below.",
        ),
        optional(
            "probing",
            Kind::Object(&PROBING),
            "none",
            "Nodes measure the links to their neighbours, also those that carry no packets; `{}` for the values below.",
        ),
        optional(
            "billing",
            Kind::Object(&BILLING),
            "as below where a link has a price, else none",
            "How the accountant charges traffic and machines.",
        ),
        optional(
            "defaults",
            Kind::Object(&DEFAULTS),
            "none",
            "Keys that every node, link or session has unless it gives its own.",
        ),
        optional("topology", Kind::Object(&TOPOLOGY), "none", "Fills links from measured data."),
        required("nodes", Kind::List(&Kind::Object(&NODE), 1), "[{\"id\": 1}, {\"id\": 2}]", "The nodes."),
        optional("links", Kind::List(&Kind::Object(&LINK), 0), "`[]`", "The links."),
        optional(
            "bottlenecks",
            Kind::List(&Kind::Object(&BOTTLENECK), 0),
            "`[]`",
            "Bottlenecks that several links share.",
        ),
        optional("cross_traffic", Kind::List(&Kind::Object(&CROSS_TRAFFIC), 0), "`[]`", "Traffic of others."),
        optional("conferences", Kind::List(&Kind::Object(&CONFERENCE), 0), "`[]`", "The conferences."),
        optional(
            "populations",
            Kind::List(&Kind::Object(&POPULATION), 0),
            "`[]`",
            "Generators of further conferences.",
        ),
        optional(
            "faults",
            Kind::List(&Kind::Object(&FAULT), 0),
            "`[]`",
            "What breaks and is mended, and when.",
        ),
        optional(
            "provenance",
            Kind::List(&Kind::Object(&PROVENANCE), 0),
            "`[]`",
            "Where measured numbers come from; written by `bellini check --resolved`.",
        ),
    ],
    one_of: &[],
};

pub(crate) static MEASURE: Object = Object {
    name: "measure",
    doc: "A window of scenario time.",
    keys: &[
        optional("from", TIME, "`0 s`", "Its first instant."),
        optional("to", TIME, "`duration`", "Its end, excluded."),
    ],
    one_of: &[],
};

pub(crate) static PLANNER: Object = Object {
    name: "planner",
    doc: "Where and how fast policies decide.",
    keys: &[
        optional(
            "node",
            Kind::Node,
            "the listing's node, else each session's source",
            "The node that decides for all.",
        ),
        optional("time", TIME, "`0 s`", "Time that one decision takes."),
        optional("period", SPAN, "`30 s`", "Distance of the periodic decisions."),
    ],
    one_of: &[],
};

pub(crate) static LISTING: Object = Object {
    name: "listing",
    doc: "The node that holds the listing of conferences, and how long a member stays without a heartbeat.",
    keys: &[
        required("node", Kind::Node, "1", "The node that holds it."),
        optional("lease", SPAN, "`15 s`", "How long a member may be silent; 1 s to 1 h."),
    ],
    one_of: &[],
};

pub(crate) static FAILOVER: Object = Object {
    name: "failover",
    doc: "How nodes watch those that they exchange packets with.",
    keys: &[
        optional("keepalive", SPAN, "`75 ms`", "Distance of keepalives, each way; 5 ms to 10 s."),
        optional(
            "lost",
            Kind::Integer(1, 100),
            "`3`",
            "A hop is down once so many keepalives in a row have not come, and a quarter of their distance has passed.",
        ),
    ],
    one_of: &[],
};

pub(crate) static PROBING: Object = Object {
    name: "probing",
    doc: "How nodes measure the links to their neighbours.",
    keys: &[
        optional(
            "share",
            Kind::Number(0.0, 0.1),
            "`0.02`",
            "Part of the bytes of the packets that a node sends which its probes may cost; single ones go in any case.",
        ),
        optional(
            "train",
            Kind::Integer(0, 32),
            "`4`",
            "Frames of a train, which measures the rate; 0 for none.",
        ),
        optional(
            "setup",
            Kind::Integer(0, 20),
            "`3`",
            "Trains to each neighbour at the start, before any packet has paid for them; what they cost is taken off the share later.",
        ),
        optional("interval", SPAN, "`12 s`", "Distance of single probes; 10 ms or more."),
        optional("jitter", Kind::Number(0.0, 1.0), "`1/3`", "Part of it that is added at random, at most."),
        optional("timeout", SPAN, "`3 s`", "A probe is lost without an answer in this time; 10 ms or more."),
        optional("outage", Kind::Integer(1, 100), "`4`", "So many lost probes in a row are an outage."),
        optional(
            "loss",
            Kind::Number(0.0, 1.0),
            "`0.02`",
            "Policies are asked again when a hop loses more than this part of its packets, and when it loses less than half of it.",
        ),
    ],
    one_of: &[],
};

pub(crate) static BILLING: Object = Object {
    name: "billing",
    doc: "How the accountant charges traffic and machines. A run that is shorter than a period stands for all of it.",
    keys: &[
        optional(
            "percentile",
            Kind::Number(1.0, 100.0),
            "`95`",
            "The percentile of the intervals' mean rates that is charged; 100: the maximum.",
        ),
        optional("interval", SPAN, "`5 min`", "Length of an interval; at least `sample_interval`."),
        optional("period", SPAN, "`720 h`", "Length of a charging period; at least `interval`."),
        optional(
            "direction",
            Kind::Words(&["each", "larger"]),
            "`each`",
            "Both directions between two nodes are charged, or only the one with the larger charged rate.",
        ),
        optional(
            "usd_per_mbps",
            Kind::Number(0.0, 1e9),
            "by the links' `usd_per_gb`",
            "Price of one Mbit/s of charged rate for a period, for all links; else what a period at that rate costs at the link's `usd_per_gb`.",
        ),
        optional(
            "vm_usd_per_hour",
            Kind::Choice(&[
                Kind::Number(0.0, 1e6),
                Kind::Map("provider (`aws`) or region (`aws:us-east-1`)", &Kind::Number(0.0, 1e6)),
            ]),
            "none",
            "Price of a machine for one hour, one for all or by provider or region; nodes with a `region` are machines.",
        ),
        optional("vm_source", Kind::Text, "none", "Where these prices come from; shown beside them."),
    ],
    one_of: &[],
};

pub(crate) static DEFAULTS: Object = Object {
    name: "defaults",
    doc: "Keys merged under every node, link or session. A key that is given there replaces the default's whole value.",
    keys: &[
        optional("node", Kind::Object(&NODE), "none", "For every node."),
        optional("link", Kind::Object(&LINK), "none", "For every link, also those that `topology` fills in."),
        optional("session", Kind::Object(&SESSION), "none", "For every session and population."),
    ],
    one_of: &[],
};

pub(crate) static FAULT: Object = Object {
    name: "fault",
    doc: "Something that breaks, or is mended. A link is `[a, b]` (both directions) or `\"a>b\"` (that direction).",
    keys: &[
        required("at", TIME, "\"5 s\"", "When."),
        optional("cut", LINKS, "-", "These links carry nothing any more."),
        optional("heal", LINKS, "-", "These links work again as described."),
        optional("degrade", Kind::Object(&DEGRADE), "-", "These links get worse until healed."),
        optional("crash", Kind::Node, "-", "This node dies with all that it holds in memory."),
        optional("restart", Kind::Node, "-", "This crashed node starts again."),
        optional(
            "partition",
            Kind::Tuple(&[Kind::List(&Kind::Node, 1), Kind::List(&Kind::Node, 1)]),
            "-",
            "Nothing passes between the two groups until the links are healed.",
        ),
    ],
    one_of: &[&["cut", "heal", "degrade", "crash", "restart", "partition"]],
};

const LINKS: Kind = Kind::List(&Kind::Choice(&[Kind::Text, NODE_PAIR]), 1);

pub(crate) static DEGRADE: Object = Object {
    name: "degrade",
    doc: "Links that get worse. At least one of the last three keys.",
    keys: &[
        required("links", LINKS, "[[1, 2]]", "Which links."),
        optional("rate_factor", Kind::Number(1e-6, 1.0), "none", "Their rate is multiplied by this."),
        optional("extra_delay", TIME, "none", "This much delay is added."),
        optional("extra_loss", PROBABILITY, "none", "Packets are also lost with this probability."),
    ],
    one_of: &[],
};

pub(crate) static PROVENANCE: Object = Object {
    name: "provenance",
    doc: "Where measured numbers come from.",
    keys: &[
        required(
            "dataset",
            Kind::Text,
            "\"aws-2013\"",
            "Name of the data set; `scenario` for figures written into links.",
        ),
        required("gives", Kind::Text, "\"delays\"", "What it gives."),
        required("source", Kind::Text, "\"...\"", "Who measured it, and where it is published."),
        required("date", Kind::Text, "\"2013-05\"", "When it was measured."),
    ],
    one_of: &[],
};
