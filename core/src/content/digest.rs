//! What identifies a file whose symbols arrive in any order.

use core::fmt;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Identifies the bytes of a file: equal at source and destination if every symbol is there, unchanged and in
/// its place.
///
/// It is the SHA-256 of the sum, modulo 2^256, of the SHA-256 of each (index, length, bytes), so that it
/// needs 32 bytes of state whatever the order of arrival (the additive incremental hash of Bellare and
/// Micciancio, EUROCRYPT 1997). It detects faults; it is no defence against an attacker who may choose the
/// symbols.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FileDigest(pub [u8; 32]);

/// The sum over the symbols so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct DigestSum([u64; 4]);

impl DigestSum {
    /// Adds the symbol at `index` of the file.
    pub(super) fn add(&mut self, index: u32, bytes: &[u8]) {
        let mut hash = Sha256::new();
        hash.update(index.to_be_bytes());
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
        let hash = hash.finalize();
        let mut carry = false;
        for (sum, word) in self.0.iter_mut().zip(hash.chunks_exact(8)) {
            let word = u64::from_le_bytes(word.try_into().expect("chunks of eight bytes"));
            let (partial, first) = sum.overflowing_add(word);
            let (whole, second) = partial.overflowing_add(u64::from(carry));
            *sum = whole;
            carry = first || second;
        }
    }

    /// Returns what identifies the symbols added so far.
    pub(super) fn finish(&self) -> FileDigest {
        let mut hash = Sha256::new();
        for word in self.0 {
            hash.update(word.to_le_bytes());
        }
        FileDigest(hash.finalize().into())
    }
}

impl fmt::Display for FileDigest {
    /// Prints 64 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for FileDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(symbols: &[(u32, &[u8])]) -> FileDigest {
        let mut sum = DigestSum::default();
        for (index, bytes) in symbols {
            sum.add(*index, bytes);
        }
        sum.finish()
    }

    #[test]
    fn order_does_not_matter_and_everything_else_does() {
        let whole = digest(&[(0, b"abc"), (1, b"def"), (2, b"g")]);
        assert_eq!(whole, digest(&[(2, b"g"), (0, b"abc"), (1, b"def")]));
        for changed in [
            digest(&[(0, b"abc"), (1, b"def")]),
            digest(&[(1, b"abc"), (0, b"def"), (2, b"g")]),
            digest(&[(0, b"abd"), (1, b"def"), (2, b"g")]),
            digest(&[(0, b"abcd"), (1, b"ef"), (2, b"g")]),
            digest(&[(0, b"abc"), (1, b"def"), (2, b"g"), (2, b"g")]),
        ] {
            assert_ne!(whole, changed);
        }
    }

    #[test]
    fn carries_pass_from_word_to_word() {
        // A hash added to its two's complement is zero: the carry runs through every word, also where a word is
        // all ones only because of it.
        let mut plain = DigestSum::default();
        plain.add(3, b"x");
        let mut sum = DigestSum(plain.0.map(|word| !word));
        sum.0[0] += 1;
        sum.add(3, b"x");
        assert_eq!(sum.0, [0; 4]);
        // Added to 2^256 - 1 it is one less.
        let mut wrapped = DigestSum([u64::MAX; 4]);
        wrapped.add(3, b"x");
        assert_eq!(wrapped.0, [plain.0[0] - 1, plain.0[1], plain.0[2], plain.0[3]]);
    }

    #[test]
    fn prints_as_hexadecimal() {
        let text = digest(&[]).to_string();
        assert_eq!(text.len(), 64);
        // SHA-256 of 32 zero bytes.
        assert_eq!(text, "66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925");
    }
}
