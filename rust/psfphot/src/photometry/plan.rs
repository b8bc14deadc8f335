//! What is fitted to which pixels.

use std::borrow::Cow;

use crate::fit::exposure::{Count, Exposure};
use crate::fit::source::Source;
use crate::fit::weighting::Weighting;
use crate::fit::{Covariance, FLUX, Fitter, X, Y};
use crate::image::{Frame, Pixel, PixelBox};
use crate::psf::Psf;
use crate::{Error, Run, flags};

use super::Photometry;
use super::backgrounds::known_backgrounds;
use super::starts::Starts;

/// Everything that the tasks share.
pub(super) struct Plan<'a> {
    pub(super) fitter: Fitter<'a>,
    pub(super) exposure: Exposure,
    pub(super) fit_shape: (usize, usize),
    pub(super) starts: &'a Starts<'a>,
    /// The level that is subtracted from each source; `None` for 0.
    backgrounds: Option<Cow<'a, [f64]>>,
    photometry: &'a Photometry,
}

/// Why a source cannot be fitted.
pub(super) struct Reason {
    pub(super) flags: u32,
    /// The pixels of its window.
    pub(super) pixels: Count,
}

impl Reason {
    /// One that is there before pixels are looked at.
    fn new(flags: u32) -> Self {
        Self {
            flags,
            pixels: Count::default(),
        }
    }
}

/// The sources of each label, in the order of the labels, and those of one label in the
/// `order` of all.
pub(super) fn members_of_groups(starts: &Starts<'_>, mut order: Vec<usize>) -> Vec<Vec<usize>> {
    let Some(groups) = starts.groups() else {
        return order.into_iter().map(|i| vec![i]).collect();
    };
    order.sort_by_key(|&i| groups[i]);
    let same = |&a: &usize, &b: &usize| groups[a] == groups[b];
    order.chunk_by(same).map(<[usize]>::to_vec).collect()
}

impl<'a> Plan<'a> {
    /// For those of the sources that `indices` name.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a covariance that needs errors, or has no use for
    /// them; [`Error::Cancelled`].
    pub(super) fn new<T: Pixel>(
        photometry: &'a Photometry,
        free: &'a [usize],
        psf: &'a dyn Psf,
        frame: &Frame<'a, T>,
        starts: &'a Starts<'a>,
        indices: impl Iterator<Item = usize>,
        run: Run<'a>,
    ) -> Result<Self, Error> {
        let (x, y) = starts.positions();
        let (fit_shape, image) = (photometry.fit_shape, frame.data().bounds());
        let windows: Vec<_> = indices
            .map(|i| PixelBox::around(x[i], y[i], fit_shape).intersection(&image))
            .collect();
        Ok(Self {
            fitter: Fitter {
                psf,
                settings: photometry.settings,
                free,
                has_error: frame.has_error(),
                weighting: Weighting {
                    noise: frame.noise(),
                    robust: photometry.robust,
                },
                covariance: Covariance::chosen(photometry.covariance, frame.has_error())?,
                fits_background: photometry.fits_background,
                run,
            },
            exposure: Exposure::new(frame, &windows, run)?,
            fit_shape,
            starts,
            backgrounds: starts
                .backgrounds()
                .map(|levels| known_backgrounds(levels, starts.groups())),
            photometry,
        })
    }

    /// The part of a source's fit box that is on the image.
    pub(super) fn window(&self, index: usize) -> PixelBox {
        let (x, y) = self.starts.positions();
        PixelBox::around(x[index], y[index], self.fit_shape).intersection(&self.exposure.image())
    }

    /// A source as it goes into a fit, or why it does not.
    pub(super) fn source(&self, index: usize) -> Result<Source, Reason> {
        let start = self.starts.parameters(index, self.fitter.psf);
        let own = self.starts.backgrounds().map_or(0.0, |all| all[index]);
        let background = self.backgrounds.as_ref().map_or(0.0, |all| all[index]);
        let mut flags = if own.is_finite() {
            0
        } else {
            flags::NON_FINITE_LOCAL_BKG
        };
        if !(start[X].is_finite() && start[Y].is_finite()) {
            return Err(Reason::new(flags | flags::NON_FINITE_POSITION));
        }
        let window = self.window(index);
        if window.is_empty() {
            return Err(Reason::new(flags | flags::NO_OVERLAP));
        }
        if !start[FLUX].is_finite() {
            return Err(Reason::new(flags | flags::NON_FINITE_FLUX));
        }
        let pixels = self.exposure.count(window);
        let too_few = match pixels.good {
            0 => flags::FULLY_MASKED,
            n if n < self.fitter.n_unknowns() => flags::TOO_FEW_PIXELS,
            _ => 0,
        };
        if too_few != 0 {
            let flags = flags | too_few;
            return Err(Reason { flags, pixels });
        }
        if self.exposure.image().is_outside(start[X], start[Y]) {
            flags |= flags::START_OUTSIDE_IMAGE;
        }
        let bounds = self.photometry.bounds(&start);
        let mut parameters = start;
        for &k in self.fitter.free {
            parameters[k] = bounds.clamp(k, start[k]);
        }
        // That of the starting position, the lower one where it lies on an edge.
        let centre = [X, Y].map(|k| (start[k] - 0.5).ceil() as i64);
        Ok(Source {
            index,
            parameters,
            bounds,
            background,
            window,
            centre: centre.into(),
            n_bad_errors: pixels.bad_errors,
            flags,
        })
    }
}
