//! Keys of the traffic: conferences, sessions and their flows, populations.

use super::content::{CONTENT, PERIOD};
use super::kind::{Kind, Object, PROBABILITY, RATE, SPAN, TIME, Zero, optional, required};
use crate::units::Quantity;

const ID: Kind = Kind::Integer(0, 0xFFFF_FFFF);
const SYMBOL: Kind = Kind::Quantity {
    of: Quantity::Size,
    zero: Zero::Refused("a symbol carries at least one byte"),
    max: 65_000,
};
const WEIGHT: Kind = Kind::Integer(1, 1_000_000);
const PRIORITY: Kind = Kind::Integer(0, 255);
pub(crate) const POLICY: Kind = Kind::Choice(&[Kind::Text, Kind::Open("policy")]);
const TRANSPORT_DOC: &str = "How hops carry it: `udp`, UDP under congestion control (`congestion` of nodes says which); `udp-unpaced`, UDP without; or `tcp`, length-prefixed frames over TCP (the \
    kernel's in the lab and live, a model of it in the simulator).";

pub(crate) static CONFERENCE: Object = Object {
    name: "conference",
    doc: "Nodes that take part in one event.",
    keys: &[
        required("id", ID, "1", "Its id."),
        optional("name", Kind::Name, "`c<ID>`", "Its name in reports."),
        optional("weight", WEIGHT, "`1`", "Share under the deficit-weighted scheduler."),
        optional("priority", PRIORITY, "`0`", "Rank under the strict-priority scheduler; higher goes first."),
        optional("start", TIME, "`0 s`", "When it is created."),
        optional("end", TIME, "the end of the run", "When it ends; its queues are then removed everywhere."),
        optional(
            "churn",
            Kind::List(&Kind::Object(&CHURN), 0),
            "`[]`",
            "Joins and leaves of destinations during the run.",
        ),
        required("sessions", Kind::List(&Kind::Object(&SESSION), 0), "[{\"id\": 1, ...}]", "Its sessions."),
    ],
    one_of: &[],
};

pub(crate) static CHURN: Object = Object {
    name: "churn",
    doc: "A node becomes a destination of a session, or stops being one.",
    keys: &[
        required("at", TIME, "\"5 s\"", "When."),
        required("node", Kind::Node, "3", "Who."),
        required("session", Kind::Reference, "1", "Id or name of a session of this conference."),
        required("change", Kind::Words(&["join", "leave"]), "\"join\"", "Joins or leaves."),
    ],
    one_of: &[],
};

pub(crate) static SESSION: Object = Object {
    name: "session",
    doc: "One source, a set of destinations, one kind of content.",
    keys: &[
        required("id", ID, "1", "Its id within the conference."),
        optional("name", Kind::Name, "`s<ID>`", "Its name in reports."),
        required("source", Kind::Node, "1", "The node that offers the content."),
        required("destinations", Kind::List(&Kind::Node, 0), "[2, 4]", "The nodes that want it."),
        optional("transport", Kind::Text, "`udp-unpaced`", TRANSPORT_DOC),
        optional(
            "delivery",
            Kind::Text,
            "`best-effort`",
            "What is promised: `best-effort`, symbols may be lost; `reliable`, every destination gets every symbol (transports.md).",
        ),
        optional(
            "coding",
            CODING_CHOICE,
            "`none`",
            "How its packets are coded (coding.md): a word, with everything else as usual, or an object.",
        ),
        optional(
            "sealed",
            Kind::Bool,
            "`false`",
            "Whether its source seals every symbol, so that only destinations can read it (sealing.md): 16 B more each.",
        ),
        required("content", CONTENT, "{\"kind\": \"constant\", \"rate\": \"1 Mbit/s\"}", "What it carries."),
        optional("symbol_bytes", SYMBOL, "`1200 B`", "Largest payload of one symbol."),
        optional("start", TIME, "the conference's", "When its source starts."),
        optional("stop", TIME, "the conference's end, or `duration`", "When its source stops."),
        required(
            "routing",
            POLICY,
            "\"shortest-delay\"",
            "How its routes are chosen: a policy's name, or `{\"policy\": name, ...}` with its parameters.",
        ),
        optional(
            "assignment",
            POLICY,
            "`static` if flows have shares or rates, or routing is `airlift`, `jetway`, a program or your own; else `equal`",
            "How its packets are spread over the routes.",
        ),
        optional(
            "draw",
            Kind::Words(&["random", "stride"]),
            "`random`",
            "Draws each packet's flow at random by the shares, or in a fixed pattern that follows them.",
        ),
    ],
    one_of: &[],
};

const CODING_CHOICE: Kind = Kind::Choice(&[Kind::Words(&["none", "rlnc", "window"]), Kind::Object(&CODING)]);

pub(crate) static CODING: Object = Object {
    name: "coding",
    doc: "Random linear network coding of a session's packets.",
    keys: &[
        optional(
            "scheme",
            Kind::Words(&["generation", "window"]),
            "`generation`",
            "`generation`: consecutive symbols are combined, relays may combine anew. `window`: the newest symbols are, for live content; best effort only.",
        ),
        optional("generation", Kind::Integer(8, 255), "`32`", "Symbols of a full generation."),
        optional(
            "systematic",
            Kind::Bool,
            "`true`",
            "Whether the symbols themselves go first. Those of reliable sessions always do.",
        ),
        optional("window", Kind::Integer(8, 255), "`64`", "Symbols of a window, at most."),
        optional(
            "latency",
            SPAN,
            "none; of a window `100 ms`",
            "A best-effort generation is closed so long after its first symbol; symbols of a window are given up when they are older.",
        ),
        optional(
            "repair",
            Kind::Choice(&[Kind::Number(0.0, 4.0), Kind::Words(&["adaptive"])]),
            "`adaptive`; of reliable sessions `0`",
            "Combinations that the source adds, for each symbol; `adaptive`: as the loss that destinations report needs. Reliable sessions add none: they send what is missing.",
        ),
        optional(
            "repair_max",
            Kind::Number(0.0, 4.0),
            "`0.5`",
            "Most that `adaptive` adds, for each symbol.",
        ),
        optional("recode", Kind::Bool, "`true`", "Whether relays may combine anew."),
        optional(
            "real_bytes",
            Kind::Bool,
            "`false`",
            "Whether the simulator computes the bytes of described payload, too. Results are the same; files and the lab always do.",
        ),
    ],
    one_of: &[],
};

/// The flows of `"routing": {"policy": "static", ...}`, which is otherwise open.
pub(crate) static STATIC_ROUTING: Object = Object {
    name: "static routing",
    doc: "Routes written out.",
    keys: &[
        required("policy", Kind::Words(&["static"]), "\"static\"", "The policy's name."),
        required(
            "flows",
            Kind::List(&Kind::Object(&FLOW), 1),
            "[{\"route\": \"1>2\"}]",
            "The session's flows.",
        ),
    ],
    one_of: &[],
};

pub(crate) static FLOW: Object = Object {
    name: "flow",
    doc: "One flow. Either all flows of a session give shares, which add up to 1, or all give rates, or none gives either.",
    keys: &[
        required(
            "route",
            Kind::Text,
            "\"1>3>{2,4}\"",
            "Its route, from the source on: `>` goes one hop on, braces branch.",
        ),
        optional(
            "share",
            Kind::Choice(&[PROBABILITY, Kind::Words(&["rest"])]),
            "none",
            "Its share of the session's packets; `rest` once.",
        ),
        optional("rate", RATE, "none", "Its rate, in place of a share."),
    ],
    one_of: &[],
};

pub(crate) static POPULATION: Object = Object {
    name: "population",
    doc: "Generates conferences and sessions from the seed (random stream `population:<position>`).",
    keys: &[
        required("conferences", Kind::Integer(1, 1_000_000), "100", "How many conferences."),
        required("sessions", Kind::Integer(1, 1_000_000), "10", "How many sessions in each."),
        optional(
            "first_conference_id",
            ID,
            "above all ids so far",
            "Id of the first one; the others follow.",
        ),
        optional(
            "nodes",
            Kind::List(&Kind::Node, 2),
            "all nodes",
            "Candidates for sources and destinations.",
        ),
        required("destinations", Kind::Integer(1, 1_000_000), "3", "How many destinations each session has."),
        optional(
            "start",
            Kind::Choice(&[TIME, Kind::Object(&POPULATION_START)]),
            "`0 s`",
            "When conferences start.",
        ),
        optional(
            "lifetime",
            Kind::Object(&PERIOD),
            "to the end of the run",
            "How long each conference lasts.",
        ),
        required(
            "content",
            CONTENT,
            "{\"kind\": \"constant\", \"rate\": \"100 kbit/s\"}",
            "What each session carries.",
        ),
        required("routing", POLICY, "\"shortest-delay\"", "How routes are chosen; any policy but `static`."),
        optional(
            "assignment",
            POLICY,
            "`static` if routing is `airlift`, `jetway`, a program or your own, else `equal`",
            "How packets are spread over the routes.",
        ),
        optional("transport", Kind::Text, "`udp-unpaced`", TRANSPORT_DOC),
        optional("delivery", Kind::Text, "`best-effort`", "What is promised: `best-effort` or `reliable`."),
        optional("coding", CODING_CHOICE, "`none`", "How packets are coded."),
        optional("sealed", Kind::Bool, "`false`", "Whether sources seal every symbol."),
        optional(
            "draw",
            Kind::Words(&["random", "stride"]),
            "`random`",
            "How the flow of each packet is drawn.",
        ),
        optional("symbol_bytes", SYMBOL, "`1200 B`", "Largest payload of one symbol."),
        optional("weight", WEIGHT, "`1`", "Weight of each conference."),
        optional("priority", PRIORITY, "`0`", "Priority of each conference."),
    ],
    one_of: &[],
};

pub(crate) static POPULATION_START: Object = Object {
    name: "population start",
    doc: "When generated conferences start.",
    keys: &[
        optional("uniform", Kind::Tuple(&[TIME, TIME]), "-", "Uniform between two times."),
        optional("every", SPAN, "-", "One after the other, this far apart."),
    ],
    one_of: &[&["uniform", "every"]],
};
