//! Quantities as text: `40 ms`, `20 Mbit/s`, `1 MiB`, `20 ppm`. Exact both ways: no floating point.

use bellini_core::time::Duration;
use bellini_core::units::BitRate;
use thiserror::Error;

/// A kind of quantity with its units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// Spans of time, in nanoseconds.
    Time,
    /// Rates, in bits a second. Decimal prefixes.
    Rate,
    /// Sizes, in bytes. `KB` is 1,000 bytes, `KiB` 1,024.
    Size,
    /// Clock drift, in parts in 10^9.
    Drift,
}

/// Why a text is not a quantity.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum QuantityError {
    /// No number at its start.
    #[error("does not start with a number")]
    NoNumber,
    /// A number and nothing else.
    #[error("has no unit")]
    NoUnit {
        /// What was probably meant.
        fix: String,
    },
    /// A unit that is not one of this quantity's.
    #[error("`{unit}` is not a unit of this quantity")]
    WrongUnit {
        /// The unit as written.
        unit: String,
        /// What was probably meant.
        fix: Option<String>,
    },
    /// Finer than the base unit (nanosecond, bit a second, byte, 10^-9).
    #[error("is finer than {0} can hold")]
    TooFine(&'static str),
    /// Larger than 64 bits of the base unit, or than what makes sense.
    #[error("is too large")]
    TooLarge,
}

type Unit = (&'static str, u64);

const TIME: [Unit; 6] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("min", 60_000_000_000),
    ("h", 3_600_000_000_000),
];
const RATE: [Unit; 4] = [("bit/s", 1), ("kbit/s", 1_000), ("Mbit/s", 1_000_000), ("Gbit/s", 1_000_000_000)];
const SIZE: [Unit; 7] = [
    ("B", 1),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];
const DRIFT: [Unit; 2] = [("ppb", 1), ("ppm", 1_000)];

/// Spellings that people use for the units above; never accepted, always understood in the error.
const ALIASES: [(&str, &str); 31] = [
    ("µs", "us"),
    ("usec", "us"),
    ("msec", "ms"),
    ("msecs", "ms"),
    ("millis", "ms"),
    ("sec", "s"),
    ("secs", "s"),
    ("second", "s"),
    ("seconds", "s"),
    ("m", "min"),
    ("mins", "min"),
    ("minutes", "min"),
    ("hr", "h"),
    ("hours", "h"),
    ("bps", "bit/s"),
    ("b/s", "bit/s"),
    ("kbps", "kbit/s"),
    ("kb/s", "kbit/s"),
    ("kbit", "kbit/s"),
    ("mbps", "Mbit/s"),
    ("mb/s", "Mbit/s"),
    ("mbit", "Mbit/s"),
    ("gbps", "Gbit/s"),
    ("gb/s", "Gbit/s"),
    ("gbit", "Gbit/s"),
    ("byte", "B"),
    ("bytes", "B"),
    ("k", "KB"),
    ("kib", "KiB"),
    ("mib", "MiB"),
    ("gib", "GiB"),
];

impl Quantity {
    /// Returns the units that are accepted, as (name, factor to the base unit).
    #[must_use]
    pub const fn units(self) -> &'static [(&'static str, u64)] {
        match self {
            Self::Time => &TIME,
            Self::Rate => &RATE,
            Self::Size => &SIZE,
            Self::Drift => &DRIFT,
        }
    }

    /// Returns the units that are accepted, for messages.
    #[must_use]
    pub fn unit_names(self) -> String {
        self.units().iter().map(|unit| unit.0).collect::<Vec<_>>().join(", ")
    }

    /// Returns what it is, for messages: `a time`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Time => "a time",
            Self::Rate => "a rate",
            Self::Size => "a size",
            Self::Drift => "a clock drift",
        }
    }

    /// Returns an example of it.
    #[must_use]
    pub const fn example(self) -> &'static str {
        match self {
            Self::Time => "40 ms",
            Self::Rate => "20 Mbit/s",
            Self::Size => "256 KiB",
            Self::Drift => "20 ppm",
        }
    }

    /// Returns the unit that a bare number most likely means.
    const fn usual_unit(self) -> &'static str {
        match self {
            Self::Time => "ms",
            Self::Rate => "Mbit/s",
            Self::Size => "B",
            Self::Drift => "ppm",
        }
    }

    /// Largest accepted value in the base unit: a year, 1 Pbit/s, 1 PiB, 10 %.
    const fn max(self) -> u64 {
        match self {
            Self::Time => 366 * 24 * 3_600_000_000_000,
            Self::Rate => 1_000_000_000_000_000,
            Self::Size => 1 << 50,
            Self::Drift => 100_000_000,
        }
    }

    /// Parses a quantity without sign into its base unit (ns, bit/s, bytes, 10^-9).
    ///
    /// # Errors
    /// When it has no number or no unit of this quantity, or does not fit the base unit.
    pub fn parse(self, text: &str) -> Result<u64, QuantityError> {
        let text = text.trim();
        let digits = text.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
        let (number, unit) = (&text[..digits], text[digits..].trim());
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() || number.ends_with('.') || fraction.contains('.') {
            return Err(QuantityError::NoNumber);
        }
        if unit.is_empty() {
            return Err(QuantityError::NoUnit { fix: format!("{number} {}", self.usual_unit()) });
        }
        let Some(&(_, factor)) = self.units().iter().find(|known| known.0 == unit) else {
            let fix = self.unit_meant(unit).map(|meant| format!("{number} {meant}"));
            return Err(QuantityError::WrongUnit { unit: unit.to_owned(), fix });
        };
        let fraction = fraction.trim_end_matches('0');
        if whole.len() + fraction.len() > 30 {
            return Err(if fraction.len() > 18 { self.too_fine() } else { QuantityError::TooLarge });
        }
        let scale = 10_u128.pow(fraction.len() as u32);
        let mantissa: u128 =
            format!("{whole}{fraction}").parse().expect("at most 30 digits fit into 128 bits");
        let Some(scaled) = mantissa.checked_mul(u128::from(factor)) else {
            return Err(QuantityError::TooLarge);
        };
        if scaled % scale != 0 {
            return Err(self.too_fine());
        }
        u64::try_from(scaled / scale).ok().filter(|value| *value <= self.max()).ok_or(QuantityError::TooLarge)
    }

    const fn too_fine(self) -> QuantityError {
        QuantityError::TooFine(match self {
            Self::Time => "nanoseconds",
            Self::Rate => "bits a second",
            Self::Size => "bytes",
            Self::Drift => "parts in 10^9",
        })
    }

    fn unit_meant(self, unit: &str) -> Option<&'static str> {
        let lower = unit.to_lowercase();
        let known = |name: &str| self.units().iter().find(|known| known.0 == name).map(|known| known.0);
        let alias = ALIASES.iter().filter(|alias| alias.0 == lower).find_map(|alias| known(alias.1));
        let same = || self.units().iter().find(|known| known.0.to_lowercase() == lower).map(|known| known.0);
        alias.or_else(same)
    }

    /// Writes a value of the base unit so that [`Quantity::parse`] gives it back.
    #[must_use]
    pub fn format(self, value: u64) -> String {
        if self == Self::Size {
            return format_size(value);
        }
        let largest =
            self.units().iter().rev().find(|unit| value >= unit.1 && !matches!(unit.0, "min" | "h"));
        let &(unit, factor) = largest.unwrap_or(&self.units()[0]);
        let (whole, rest) = (value / factor, value % factor);
        if value == 0 {
            return format!("0 {}", if self == Self::Time { "s" } else { unit });
        }
        if rest == 0 {
            return format!("{whole} {unit}");
        }
        let width = factor.ilog10() as usize;
        let digits = format!("{rest:0width$}");
        format!("{whole}.{} {unit}", digits.trim_end_matches('0'))
    }
}

fn format_size(bytes: u64) -> String {
    let exact = |unit: &&Unit| bytes >= unit.1 && bytes.is_multiple_of(unit.1);
    let binary = SIZE[4..].iter().rev().find(exact);
    let &(unit, factor) = binary.or_else(|| SIZE[..4].iter().rev().find(exact)).unwrap_or(&SIZE[0]);
    format!("{} {unit}", bytes / factor)
}

/// Parses a span of time.
///
/// # Errors
/// As [`Quantity::parse`].
pub fn parse_time(text: &str) -> Result<Duration, QuantityError> {
    Quantity::Time.parse(text).map(Duration::from_nanos)
}

/// Parses a rate; zero gives `None`.
///
/// # Errors
/// As [`Quantity::parse`].
pub fn parse_rate(text: &str) -> Result<Option<BitRate>, QuantityError> {
    Quantity::Rate.parse(text).map(BitRate::from_bps)
}

/// Parses a quantity that may have a sign (clock offsets, drifts) into its base unit.
///
/// # Errors
/// As [`Quantity::parse`].
pub fn parse_signed(quantity: Quantity, text: &str) -> Result<i64, QuantityError> {
    let text = text.trim();
    let (sign, magnitude) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let value = quantity.parse(magnitude)?;
    i64::try_from(value).map(|value| sign * value).map_err(|_| QuantityError::TooLarge)
}

/// Writes a span of time: `81.235 ms`.
#[must_use]
pub fn format_time(span: Duration) -> String {
    Quantity::Time.format(span.as_nanos())
}

/// Writes a rate: `1.5 Mbit/s`.
#[must_use]
pub fn format_rate(rate: BitRate) -> String {
    Quantity::Rate.format(rate.as_bps())
}

/// Writes a quantity with its sign.
#[must_use]
pub fn format_signed(quantity: Quantity, value: i64) -> String {
    let sign = if value < 0 { "-" } else { "" };
    format!("{sign}{}", quantity.format(value.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn exact_in_every_unit() {
        assert_eq!(Quantity::Time.parse("40 ms"), Ok(40_000_000));
        assert_eq!(Quantity::Time.parse("0.1s"), Ok(100_000_000));
        assert_eq!(Quantity::Time.parse("1.5 h"), Ok(5_400_000_000_000));
        assert_eq!(Quantity::Rate.parse("1.5 Mbit/s"), Ok(1_500_000));
        assert_eq!(Quantity::Size.parse("1 MiB"), Ok(1 << 20));
        assert_eq!(Quantity::Size.parse("1 MB"), Ok(1_000_000));
        assert_eq!(parse_signed(Quantity::Drift, "-20 ppm"), Ok(-20_000));
        assert_eq!(parse_rate("0 bit/s"), Ok(None));
    }

    #[test]
    fn errors_know_what_was_meant() {
        let fix = |quantity: Quantity, text| match quantity.parse(text) {
            Err(QuantityError::NoUnit { fix }) => Some(fix),
            Err(QuantityError::WrongUnit { fix, .. }) => fix,
            other => panic!("{other:?}"),
        };
        assert_eq!(fix(Quantity::Rate, "100").as_deref(), Some("100 Mbit/s"));
        assert_eq!(fix(Quantity::Rate, "100Mbps").as_deref(), Some("100 Mbit/s"));
        assert_eq!(fix(Quantity::Time, "5 seconds").as_deref(), Some("5 s"));
        assert_eq!(fix(Quantity::Size, "256 kib").as_deref(), Some("256 KiB"));
        assert_eq!(fix(Quantity::Time, "5 apples"), None);
        assert_eq!(Quantity::Time.parse("0.5 ns"), Err(QuantityError::TooFine("nanoseconds")));
        assert_eq!(Quantity::Time.parse("-1 s"), Err(QuantityError::NoNumber));
        assert_eq!(
            Quantity::Size.parse("99999999999999999999999999999999999 B"),
            Err(QuantityError::TooLarge)
        );
        assert_eq!(Quantity::Size.parse("18446744073709551616 GiB"), Err(QuantityError::TooLarge));
    }

    #[test]
    fn written_in_the_unit_that_people_would_choose() {
        assert_eq!(Quantity::Time.format(81_235_000), "81.235 ms");
        assert_eq!(Quantity::Time.format(90_000_000_000), "90 s");
        assert_eq!(Quantity::Time.format(0), "0 s");
        assert_eq!(Quantity::Rate.format(1_500_000), "1.5 Mbit/s");
        assert_eq!(Quantity::Size.format(262_144), "256 KiB");
        assert_eq!(Quantity::Size.format(1_200), "1200 B");
        assert_eq!(format_signed(Quantity::Drift, -20_000), "-20 ppm");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(value in 0_u64..=100_000_000) {
            for quantity in [Quantity::Time, Quantity::Rate, Quantity::Size, Quantity::Drift] {
                prop_assert_eq!(quantity.parse(&quantity.format(value)), Ok(value));
            }
        }

        #[test]
        fn no_text_panics(text in ".{0,40}") {
            let _ = Quantity::Time.parse(&text);
            let _ = parse_signed(Quantity::Drift, &text);
        }
    }
}
