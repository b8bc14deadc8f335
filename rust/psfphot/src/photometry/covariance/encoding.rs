//! Kept covariances as bytes, and back.

use crate::Error;
use crate::fit::MAX_PARAMETERS;
use crate::fit::covariance::Joint;
use crate::fit::system::kept::{Kept, Numbers};

use super::{Covariances, Held};

/// The first number of all: what follows is as this version writes it.
const VERSION: u64 = 1;

/// Where a source without a covariance is.
const NOWHERE: u64 = u64::MAX;

const DENSE: u64 = 0;
const SPARSE: u64 = 1;

/// Numbers one after the other, of eight bytes each.
#[derive(Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn integer(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    fn floats(&mut self, values: &[f64]) {
        self.integer(values.len() as u64);
        for value in values {
            self.0.extend_from_slice(&value.to_le_bytes());
        }
    }

    fn integers(&mut self, values: impl ExactSizeIterator<Item = u64>) {
        self.integer(values.len() as u64);
        values.for_each(|value| self.integer(value));
    }
}

struct Reader<'a>(std::slice::Iter<'a, [u8; 8]>);

impl Reader<'_> {
    fn integer(&mut self) -> Option<u64> {
        self.0.next().map(|bytes| u64::from_le_bytes(*bytes))
    }

    /// How many numbers follow.
    fn length(&mut self) -> Option<usize> {
        let length = usize::try_from(self.integer()?).ok()?;
        (length <= self.0.len()).then_some(length)
    }

    fn floats(&mut self) -> Option<Vec<f64>> {
        let length = self.length()?;
        let bytes = self.0.by_ref().take(length);
        Some(bytes.map(|bytes| f64::from_le_bytes(*bytes)).collect())
    }

    fn integers(&mut self) -> Option<Vec<u64>> {
        let length = self.length()?;
        let bytes = self.0.by_ref().take(length);
        Some(bytes.map(|bytes| u64::from_le_bytes(*bytes)).collect())
    }
}

impl Covariances {
    /// As bytes, for [`Covariances::from_bytes`] of the same version.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut to = Writer::default();
        to.integer(VERSION);
        to.integer(self.width as u64);
        let place = |place: &Option<(u32, u32)>| {
            place.map_or(NOWHERE, |(part, member)| {
                u64::from(part) << 32 | u64::from(member)
            })
        };
        to.integers(self.places.iter().map(place));
        to.integer(self.parts.len() as u64);
        for part in &self.parts {
            match part {
                Held::Dense(range) => {
                    to.integer(DENSE);
                    to.floats(&self.lower[range.clone()]);
                }
                Held::Sparse(kept) => {
                    let numbers = kept.numbers();
                    to.integer(SPARSE);
                    to.integers(numbers.places.iter().map(|&p| u64::from(p)));
                    let pair = |&(a, b): &(u32, u32)| u64::from(a) << 32 | u64::from(b);
                    to.integers(numbers.pairs.iter().map(pair));
                    to.integers(numbers.is_determined.iter().map(|&is| u64::from(is)));
                    to.floats(&numbers.normal);
                    to.floats(&numbers.meat);
                    to.floats(&[numbers.scale]);
                }
            }
        }
        to.0
    }

    /// From the bytes of [`Covariances::to_bytes`].
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for other bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let (numbers, rest) = bytes.as_chunks::<8>();
        let mut from = Reader(numbers.iter());
        let read = if rest.is_empty() {
            read(&mut from).filter(|_| from.0.len() == 0)
        } else {
            None
        };
        read.ok_or_else(|| {
            let expected = "be covariances written by this version";
            Error::invalid("bytes", expected, format!("{} others", bytes.len()))
        })
    }
}

fn read(from: &mut Reader<'_>) -> Option<Covariances> {
    if from.integer()? != VERSION {
        return None;
    }
    let width = usize::try_from(from.integer()?).ok()?;
    if !(1..=MAX_PARAMETERS).contains(&width) {
        return None;
    }
    let place = |place: u64| {
        (place != NOWHERE).then_some(((place >> 32) as u32, (place & 0xFFFF_FFFF) as u32))
    };
    let places: Vec<_> = from.integers()?.into_iter().map(place).collect();
    let (mut covariances, mut sizes) = (Covariances::new(0, width), Vec::new());
    for _ in 0..from.length()? {
        let (joint, size) = read_part(from, width)?;
        covariances.hold(joint);
        sizes.push(size);
    }
    let is_place = |&(part, member): &(u32, u32)| {
        sizes
            .get(part as usize)
            .is_some_and(|&size| (member as usize) < size)
    };
    places
        .iter()
        .flatten()
        .all(is_place)
        .then_some(Covariances {
            places,
            ..covariances
        })
}

/// What is kept of some sources, and how many they are.
fn read_part(from: &mut Reader<'_>, width: usize) -> Option<(Joint, usize)> {
    if from.integer()? == DENSE {
        let lower = from.floats()?;
        // n (n + 1) / 2 numbers.
        let order = (2 * lower.len()).isqrt();
        let is_triangle = order * (order + 1) / 2 == lower.len();
        return (is_triangle && order.is_multiple_of(width))
            .then_some((Joint::Dense(lower), order / width));
    }
    let places: Vec<u32> = from.integers()?.into_iter().map(|p| p as u32).collect();
    let n = places.len();
    let pair = |pair: u64| ((pair >> 32) as u32, (pair & 0xFFFF_FFFF) as u32);
    let pairs = from.integers()?.into_iter().map(pair).collect();
    let is_determined = from.integers()?.into_iter().map(|is| is != 0).collect();
    let numbers = Numbers {
        places,
        pairs,
        is_determined,
        normal: from.floats()?,
        meat: from.floats()?,
        scale: *from.floats()?.first()?,
    };
    let kept = Kept::of_numbers(width, numbers)?;
    Some((Joint::Sparse(Box::new(kept)), n))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::photometry::covariance::Part;
    use crate::solve::blocks::Blocks;

    fn some() -> Covariances {
        let mut covariances = Covariances::new(6, 2);
        let dense = Joint::Dense(vec![2.0, 0.5, 3.0]);
        covariances.push(Part::new([4], dense));
        let mut matrix = Blocks::<2>::new(3, vec![(1, 0), (2, 1)]);
        for (k, value) in matrix.diagonal.as_flattened_mut().iter_mut().enumerate() {
            value[k % 2] = 4.0 + k as f64;
        }
        matrix.values[1] = [[0.5, 0.1], [-0.2, 0.3]];
        let kept = Kept::new(&[2, 0, 1], &matrix, None, 1.5, vec![true; 3]);
        covariances.push(Part::new([0, 1, 5], Joint::Sparse(Box::new(kept))));
        covariances
    }

    #[test]
    fn bytes_come_back_as_what_they_were() -> Result<(), Error> {
        let before = some();
        let after = Covariances::from_bytes(&before.to_bytes())?;
        assert_eq!(after, before);
        Ok(())
    }

    #[test]
    fn no_other_bytes_are_taken() {
        let bytes = some().to_bytes();
        for n in 0..bytes.len() {
            assert!(Covariances::from_bytes(&bytes[..n]).is_err());
        }
        // Any number changed: refused, or something that can be asked.
        for k in 0..bytes.len() {
            for value in [0, 1, 7, 255] {
                let mut changed = bytes.clone();
                changed[k] = value;
                if let Ok(read) = Covariances::from_bytes(&changed) {
                    let all: Vec<usize> = (0..read.places.len()).collect();
                    assert!(read.of(&all, crate::Run::new()).is_ok());
                }
            }
        }
    }
}
