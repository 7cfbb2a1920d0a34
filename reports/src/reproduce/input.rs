//! What went into an experiment, and where it is from.

/// Where the value of an input is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Somebody measured it; the source says who, or what of this machine.
    Measured,
    /// Nobody did; the source says why it was chosen.
    Assumed,
    /// It follows from others.
    Derived,
    /// It is the reference's: the paper's, or that of another program.
    Reference,
}

impl Origin {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Measured, Self::Assumed, Self::Derived, Self::Reference];

    /// Returns its word in pages and files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Measured => "measured",
            Self::Assumed => "assumed",
            Self::Derived => "derived",
            Self::Reference => "reference",
        }
    }
}

/// One input of an experiment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// What it is.
    pub name: String,
    /// Its value, with its unit.
    pub value: String,
    /// Where it is from.
    pub origin: Origin,
    /// By whom or with what it was measured, why it was assumed, what it follows from, where it is written.
    pub source: String,
}

impl Input {
    /// Returns an input. `origin`: a word of [`Origin`] and, after a colon, the source: `assumed: a round number`.
    /// Where it does not begin with such a word nobody vouches for the value, which counts as assumed, and all of it is
    /// the source.
    #[must_use]
    pub fn new(name: impl Into<String>, value: impl Into<String>, origin: &str) -> Self {
        let (word, source) = origin.split_once(':').unwrap_or((origin, ""));
        let known = Origin::ALL.into_iter().find(|it| it.as_str() == word.trim());
        let (origin, source) = known.map_or((Origin::Assumed, origin), |known| (known, source));
        Self { name: name.into(), value: value.into(), origin, source: source.trim().to_owned() }
    }
}

impl From<(String, String, String)> for Input {
    fn from((name, value, origin): (String, String, String)) -> Self {
        Self::new(name, value, &origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Aim: the word is told from the source at the first colon, and an unknown word never becomes a measurement.
    #[test]
    fn origins_are_read() {
        let read = |text| {
            let input = Input::new("rate", "1 Mbit/s", text);
            (input.origin, input.source)
        };
        assert_eq!(read("measured: iperf: 3 runs"), (Origin::Measured, "iperf: 3 runs".to_owned()));
        assert_eq!(read("derived"), (Origin::Derived, String::new()));
        assert_eq!(read(" reference : Table I"), (Origin::Reference, "Table I".to_owned()));
        assert_eq!(read("guessed: by us"), (Origin::Assumed, "guessed: by us".to_owned()));
        let from = Input::from(("a".to_owned(), "b".to_owned(), "assumed: c".to_owned()));
        assert_eq!(from, Input::new("a", "b", "assumed: c"));
    }
}
