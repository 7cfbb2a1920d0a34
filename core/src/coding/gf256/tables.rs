//! Tables of the field, worked out by the compiler.

use super::POLYNOMIAL;

/// The discrete logarithms to base 3, which generates the field's 255 nonzero elements (2 does not: under this
/// polynomial its order is 51), and the powers, twice over so that a sum of two logarithms needs no reduction.
struct Logarithms {
    log: [u8; 256],
    power: [u8; 510],
}

static LOGARITHMS: Logarithms = LOGARITHMS_CONST;

const LOGARITHMS_CONST: Logarithms = {
    let mut tables = Logarithms { log: [0; 256], power: [0; 510] };
    let mut element: u16 = 1;
    let mut exponent = 0;
    while exponent < 255 {
        tables.power[exponent] = element as u8;
        tables.power[exponent + 255] = element as u8;
        tables.log[element as usize] = exponent as u8;
        // Times 3 is times x, plus once itself.
        let doubled = element << 1;
        element ^= if doubled & 0x100 == 0 { doubled } else { doubled ^ POLYNOMIAL };
        exponent += 1;
    }
    tables
};

/// The product of two elements.
#[must_use]
pub const fn multiply(a: u8, b: u8) -> u8 {
    if a == 0 || b == 0 {
        return 0;
    }
    let tables = &LOGARITHMS_CONST;
    tables.power[tables.log[a as usize] as usize + tables.log[b as usize] as usize]
}

/// The element whose product with `a` is 1; 0 for 0, which has none.
#[must_use]
pub fn inverse(a: u8) -> u8 {
    if a == 0 {
        return 0;
    }
    LOGARITHMS.power[255 - usize::from(LOGARITHMS.log[usize::from(a)])]
}

/// Products of a coefficient with every low and every high half of a byte: a product is the sum of one of each.
/// This is what byte shuffles look up, 16 halves at a time.
#[derive(Clone, Copy)]
#[repr(align(32))]
pub(super) struct Halves {
    /// Products with 0, 1, .. 15.
    pub(super) low: [u8; 16],
    /// Products with 0, 16, .. 240.
    pub(super) high: [u8; 16],
}

/// [`Halves`] of every coefficient: 8 KiB.
pub(super) static HALVES: [Halves; 256] = {
    let mut all = [Halves { low: [0; 16], high: [0; 16] }; 256];
    let mut c = 0;
    while c < 256 {
        let mut half = 0;
        while half < 16 {
            all[c].low[half] = multiply(c as u8, half as u8);
            all[c].high[half] = multiply(c as u8, (half as u8) << 4);
            half += 1;
        }
        c += 1;
    }
    all
};
