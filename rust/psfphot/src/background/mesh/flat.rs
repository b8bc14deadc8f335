//! Blocks of equal pixels: what a detector does not give, but a mosaic's empty
//! parts do.

use crate::image::{Image, Pixel};
use crate::{Error, Run};

/// Rows of pixels per task.
const BAND: usize = 32;

/// The pixels that belong to a square of `side` × `side` equal pixels whose
/// value is below `limit`.
///
/// # Errors
/// [`Error::InvalidArgument`] if `side` is 0; [`Error::Cancelled`].
pub fn flat_blocks<T: Pixel>(
    image: Image<'_, T>,
    side: usize,
    limit: f64,
    run: Run<'_>,
) -> Result<Vec<bool>, Error> {
    if side == 0 {
        return Err(Error::invalid("side", "be at least 1", side));
    }
    let (ny, nx) = image.shape();
    let mut flat = vec![false; ny * nx];
    if flat.is_empty() || side > ny || side > nx {
        return Ok(flat);
    }
    let tasks: Vec<_> = flat.chunks_mut(BAND * nx).enumerate().collect();
    run.map(
        tasks,
        || (),
        |(), (band, marks)| {
            let first = band * BAND;
            let end = first + marks.len() / nx;
            for top in (first + 1).saturating_sub(side)..end.min(ny - side + 1) {
                let rows = top.max(first)..end.min(top + side);
                for left in starts(image, top, side, limit) {
                    for y in rows.clone() {
                        marks[(y - first) * nx..][left..left + side].fill(true);
                    }
                }
            }
            Ok(())
        },
    )?;
    Ok(flat)
}

/// The left columns of the squares that have row `top` as their first.
fn starts<T: Pixel>(
    image: Image<'_, T>,
    top: usize,
    side: usize,
    limit: f64,
) -> impl Iterator<Item = usize> {
    let first = image.row(top);
    let second = image.row(top + side - 1);
    let is_flat = move |x: usize| {
        let value = first[x];
        // Nearly all pixels fail here.
        value == first[x + side - 1]
            && value == second[x]
            && value.into() < limit
            && (top..top + side).all(|y| image.row(y)[x..x + side].iter().all(|&v| v == value))
    };
    (0..=first.len() - side).filter(move |&x| is_flat(x))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_squares_of_equal_low_pixels_are_flat() -> Result<(), Error> {
        // 100 rows, so that squares lie across the bands of the tasks.
        let mut data: Vec<f32> = (0..2000_u16).map(|k| f32::from(k) + 0.5).collect();
        let mut set = |rows: std::ops::Range<usize>, columns: std::ops::Range<usize>, value| {
            for y in rows {
                data[y * 20..][columns.clone()].fill(value);
            }
        };
        set(30..34, 2..5, -1.0); // across the border of two bands
        set(0..9, 16..18, -2.0); // too narrow
        set(50..53, 0..20, 9e9); // not below
        set(97..100, 17..20, -1.0); // the last corner
        set(60..63, 4..7, f32::NAN);
        let flat = flat_blocks(Image::new(&data, (100, 20))?, 3, 1e6, Run::new())?;
        for (k, is_flat) in flat.iter().enumerate() {
            let (y, x) = (k / 20, k % 20);
            let expected = (30..34).contains(&y) && (2..5).contains(&x) || y >= 97 && x >= 17;
            assert_eq!(*is_flat, expected, "{y} {x}");
        }
        let all = flat_blocks(Image::new(&[0.0; 6], (2, 3))?, 3, 1.0, Run::new())?;
        assert_eq!(all, [false; 6]);
        Ok(())
    }
}
