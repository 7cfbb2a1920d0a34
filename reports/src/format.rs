//! Numbers and names as people read them.

/// Returns a number with about three significant digits: `0.00123`, `1.23`, `12.3`, `1,234`.
pub(crate) fn number(value: f64) -> String {
    let size = value.abs();
    if size >= 1000.0 || value == 0.0 {
        return grouped(value);
    }
    let decimals: usize = match size {
        s if s >= 100.0 => 0,
        s if s >= 10.0 => 1,
        s if s >= 1.0 => 2,
        s if s >= 0.1 => 3,
        s if s >= 0.01 => 4,
        _ => 6,
    };
    let text = format!("{value:.decimals$}");
    if !text.contains('.') {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Returns a number with a fixed count of decimals, or a dash when there is none.
pub(crate) fn fixed(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.decimals$}"))
}

/// Returns a count with commas between groups of three digits.
pub(crate) fn count(value: u64) -> String {
    grouped(value as f64)
}

/// Returns `part` of `whole` as a percentage, a dash when `whole` is zero. A part that is not all (or nothing) is
/// never rounded to 100 % (or 0 %).
pub(crate) fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "-".to_owned();
    }
    let share = 100.0 * part as f64 / whole as f64;
    if part > 0 && share < 0.005 {
        return "<0.01 %".to_owned();
    }
    if part < whole && share > 99.995 {
        return ">99.99 %".to_owned();
    }
    let text = format!("{share:.2}");
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

/// Returns bytes with a binary unit.
pub(crate) fn bytes(value: f64) -> String {
    for (unit, size) in [("GiB", 1_073_741_824.0), ("MiB", 1_048_576.0), ("KiB", 1024.0)] {
        if value >= size {
            return format!("{} {unit}", number(value / size));
        }
    }
    format!("{} B", number(value))
}

/// Returns `1 session`, `2 sessions`.
pub(crate) fn plural(n: usize, noun: &str) -> String {
    format!("{} {noun}{}", count(n as u64), if n == 1 { "" } else { "s" })
}

/// Shortens a text to `most` characters, the last one an ellipsis when something was cut.
pub(crate) fn shorten(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(most.saturating_sub(1)).collect();
    short.push('\u{2026}');
    short
}

/// Writes an axis tick: plain digits, thousands as k, millions as M, billions as G.
pub(crate) fn tick(value: f64) -> String {
    for (unit, size) in [("G", 1e9), ("M", 1e6), ("k", 1e4)] {
        if value.abs() >= size {
            let scale = if unit == "k" { 1e3 } else { size };
            return format!("{}{unit}", number(value / scale));
        }
    }
    // Ticks come from repeated addition: what is nearly zero is zero.
    if value.abs() < 1e-9 { "0".to_owned() } else { number(value).replace(',', "") }
}

fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value < 0.0 && digits != "0" { format!("-{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Figures keep their meaning when they are shortened for people.
    #[test]
    fn people_read_these() {
        assert_eq!(number(0.001_234_6), "0.001235");
        assert_eq!(number(12.0), "12");
        assert_eq!(number(1_234_567.8), "1,234,568");
        assert_eq!(number(-1500.0), "-1,500");
        assert_eq!(percent(0, 0), "-");
        assert_eq!(percent(999_999, 1_000_000), ">99.99 %");
        assert_eq!(percent(1, 1_000_000), "<0.01 %");
        assert_eq!(percent(1, 4), "25 %");
        assert_eq!(bytes(1536.0), "1.5 KiB");
        assert_eq!(shorten("abcdef", 4), "abc\u{2026}");
        assert_eq!(tick(20_000.0), "20k");
        assert_eq!(tick(0.30000000000000004), "0.3");
    }
}
