//! The grammar of scenario files: what a table of keys is made of.
//!
//! The tables (see the sibling modules) are the one place where keys are declared. The structural check, the
//! JSON Schema and the key reference in `docs/scenarios.md` all read them, so that they cannot drift apart.

use crate::units::Quantity;

/// What a value may be.
pub(crate) enum Kind {
    /// Any string.
    Text,
    /// A name: letters, digits, `-`, `_`, `.`; not only digits.
    Name,
    /// `true` or `false`.
    Bool,
    /// A whole number, both ends included.
    Integer(u64, u64),
    /// A number, both ends included.
    Number(f64, f64),
    /// A quantity with its unit in a string.
    Quantity { of: Quantity, zero: Zero, max: u64 },
    /// A quantity that may have a sign.
    Signed(Quantity),
    /// A node: its id or its name.
    Node,
    /// A reference by number or name to something else.
    Reference,
    /// One of these strings.
    Words(&'static [&'static str]),
    /// An array with at least that many items.
    List(&'static Kind, usize),
    /// An array of exactly these items.
    Tuple(&'static [Kind]),
    /// An object whose keys are names of the text's kind.
    Map(&'static str, &'static Kind),
    /// An object of known keys.
    Object(&'static Object),
    /// An object of known keys in which the word at `tag` chooses further keys.
    Tagged { tag: &'static str, variants: &'static [(&'static str, &'static Object)] },
    /// An object that keeps keys of the user's own; it must have this one, a string.
    Open(&'static str),
    /// One of these, told apart by their JSON type.
    Choice(&'static [Kind]),
}

/// Whether a quantity may be zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Zero {
    /// It may.
    Allowed,
    /// It may not, and why.
    Refused(&'static str),
}

/// Whether a key must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presence {
    /// It must; the text is an example of its value, in JSON.
    Required(&'static str),
    /// It may; the text says what happens without it.
    Default(&'static str),
}

/// A key of an object.
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) presence: Presence,
    pub(crate) doc: &'static str,
}

/// An object of known keys.
pub(crate) struct Object {
    /// Title of its section in the reference, and its name in the schema.
    pub(crate) name: &'static str,
    pub(crate) doc: &'static str,
    pub(crate) keys: &'static [Key],
    /// Of each group exactly one key must be there.
    pub(crate) one_of: &'static [&'static [&'static str]],
}

impl Object {
    /// Returns the key of that name.
    pub(crate) fn key(&self, name: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.name == name)
    }
}

/// A key that must be there; `example` is a value in JSON.
pub(crate) const fn required(
    name: &'static str,
    kind: Kind,
    example: &'static str,
    doc: &'static str,
) -> Key {
    Key { name, kind, presence: Presence::Required(example), doc }
}

/// A key that may be there; `default` says what happens without it.
pub(crate) const fn optional(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    doc: &'static str,
) -> Key {
    Key { name, kind, presence: Presence::Default(default), doc }
}

/// A time, zero included.
pub(crate) const TIME: Kind = Kind::Quantity { of: Quantity::Time, zero: Zero::Allowed, max: u64::MAX };
/// A time above zero.
pub(crate) const SPAN: Kind = Kind::Quantity {
    of: Quantity::Time,
    zero: Zero::Refused("it must be longer than nothing"),
    max: u64::MAX,
};
/// A rate above zero.
pub(crate) const RATE: Kind = Kind::Quantity {
    of: Quantity::Rate,
    zero: Zero::Refused("nothing would ever be sent; to stop traffic use a fault or a rate trace"),
    max: u64::MAX,
};
/// A rate, zero included.
pub(crate) const RATE_OR_ZERO: Kind =
    Kind::Quantity { of: Quantity::Rate, zero: Zero::Allowed, max: u64::MAX };
/// A size above zero.
pub(crate) const SIZE: Kind = Kind::Quantity {
    of: Quantity::Size,
    zero: Zero::Refused("it must hold at least one byte"),
    max: u64::MAX,
};
/// The size of a queue.
pub(crate) const QUEUE_SIZE: Kind = Kind::Quantity {
    of: Quantity::Size,
    zero: Zero::Refused("a queue of zero bytes drops every packet"),
    max: u64::MAX,
};
/// A probability.
pub(crate) const PROBABILITY: Kind = Kind::Number(0.0, 1.0);
