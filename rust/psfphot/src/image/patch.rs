//! The one place where the image of a star is added to pixels.

use super::PixelBox;

/// Adds nothing to a pixel, not even to the sign of a zero.
pub(crate) const NO_LEVEL: f64 = -0.0;

/// Pixels to which stars are added: those of a box, row by row.
#[derive(Debug)]
pub(crate) struct Patch<'a> {
    window: PixelBox,
    pixels: &'a mut [f64],
}

impl<'a> Patch<'a> {
    /// Of the pixels of `window`.
    pub(crate) fn new(window: PixelBox, pixels: &'a mut [f64]) -> Self {
        Self { window, pixels }
    }

    /// Adds a star to the pixels `part` of the patch: `flux` times its profile
    /// there, row by row in `profile`, and a level.
    pub(crate) fn add(&mut self, part: PixelBox, profile: &[f64], flux: f64, level: f64) {
        if part.is_empty() {
            return;
        }
        let (mut width, mut stride) = (part.width(), self.window.width());
        let first = (part.y0 - self.window.y0) as usize * stride;
        let column = (part.x0 - self.window.x0) as usize;
        if width == stride {
            // Whole rows, one after another, are one long row.
            (width, stride) = (part.len(), part.len());
        }
        let rows = self.pixels[first..].chunks_mut(stride);
        for (row, profile) in rows.zip(profile[..part.len()].chunks_exact(width)) {
            for (pixel, value) in row[column..column + width].iter_mut().zip(profile) {
                *pixel += flux * value + level;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_the_rows_and_whole_rows() {
        let window = PixelBox::new(2, 6, 10, 13);
        let mut pixels = [1.0; 12];
        let mut patch = Patch::new(window, &mut pixels);
        patch.add(
            PixelBox::new(3, 5, 11, 13),
            &[1.0, 2.0, 3.0, 4.0],
            10.0,
            0.5,
        );
        patch.add(PixelBox::new(2, 6, 10, 11), &[1.0; 4], -1.0, NO_LEVEL);
        patch.add(PixelBox::new(9, 9, 10, 13), &[], 1.0, 1.0);
        let expected = [
            [0.0, 0.0, 0.0, 0.0],
            [1.0, 11.5, 21.5, 1.0],
            [1.0, 31.5, 41.5, 1.0],
        ];
        assert_eq!(pixels.to_vec(), expected.concat());
    }

    #[test]
    fn no_level_keeps_the_sign_of_zero() {
        let mut pixels = [-0.0];
        let window = PixelBox::new(0, 1, 0, 1);
        Patch::new(window, &mut pixels).add(window, &[0.0], -1.0, NO_LEVEL);
        assert!(pixels[0].is_sign_negative());
    }
}
