//! Arguments out of bytes.

/// Values at which code breaks: no numbers, the ends of the ranges, pixel edges,
/// and numbers beyond which neighbouring pixels cannot be told apart.
const SPECIAL: [f64; 24] = [
    f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
    0.0,
    -0.0,
    5e-324,
    -5e-324,
    f64::MIN_POSITIVE,
    f64::MAX,
    f64::MIN,
    f64::EPSILON,
    0.5,
    -0.5,
    1.0,
    -1.0,
    1e9,
    -1e9,
    9_007_199_254_740_992.0,
    9.3e18,
    -9.3e18,
    1e150,
    1e-150,
    -1e200,
    1e300,
];

/// Sizes at which products and sums of sizes overflow.
const LARGE: [usize; 6] = [
    65_537,
    (1 << 31) + 1,
    (1 << 53) + 1,
    usize::MAX / 2,
    usize::MAX - 1,
    usize::MAX,
];

/// Bytes that are used up one after another; after the last, zeros come.
pub(crate) struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    pub(crate) fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        first
    }

    fn word(&mut self) -> u64 {
        (0..8).fold(0, |word, _| word << 8 | u64::from(self.byte()))
    }

    /// 0 to `n` − 1; 0 for an `n` of 0.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        let pair = usize::from(self.byte()) << 8 | usize::from(self.byte());
        pair.checked_rem(n).unwrap_or(0)
    }

    /// True once in `n` times; false where the bytes are used up.
    pub(crate) fn one_in(&mut self, n: u8) -> bool {
        self.byte() % n == n - 1
    }

    /// A number of the range.
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        let unit = self.below(1 << 16) as f64 / 65_535.0;
        low + unit * (high - low)
    }

    /// Mostly a number of the range, often a whole one; now and then any other.
    pub(crate) fn number(&mut self, low: f64, high: f64) -> f64 {
        match self.byte() {
            0..=175 => self.between(low, high),
            176..=219 => self.between(low, high).round(),
            220..=249 => SPECIAL[self.below(SPECIAL.len())],
            250.. => f64::from_bits(self.word()),
        }
    }

    /// Mostly 0 to `most`; now and then a size that no array has.
    pub(crate) fn size(&mut self, most: usize) -> usize {
        match self.byte() {
            0..=240 => self.below(most + 1),
            241.. => LARGE[self.below(LARGE.len())],
        }
    }

    /// A pair of ordered ends, or of any numbers, or none.
    pub(crate) fn range(&mut self, low: f64, high: f64) -> Option<(f64, f64)> {
        match self.byte() % 4 {
            0 => None,
            1 => Some((self.number(low, high), self.number(low, high))),
            _ => {
                let (a, b) = (self.between(low, high), self.between(low, high));
                Some((a.min(b), a.max(b)))
            }
        }
    }

    /// Some or none of something.
    pub(crate) fn maybe<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        (self.byte() % 2 == 1).then(|| make(self))
    }

    /// `n` of something.
    pub(crate) fn list<T>(&mut self, n: usize, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..n).map(|_| make(self)).collect()
    }

    /// Random numbers that take no more bytes.
    pub(crate) fn noise(&mut self) -> Noise {
        Noise(self.word())
    }
}

/// Random numbers (Steele, Lea & Flood 2014, `splitmix64`).
pub(crate) struct Noise(u64);

impl Noise {
    fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform within (0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        ((self.word() >> 12) as f64 + 0.5) / 4_503_599_627_370_496.0
    }

    /// About normal, with a standard deviation of 1: a sum of uniform ones.
    pub(crate) fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }
}
