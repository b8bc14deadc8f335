//! How the samples of one direction lie on the pixels.

use std::ops::Range;

/// One direction of a sampled PSF.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SampleAxis {
    /// Number of samples.
    pub(crate) n: usize,
    /// Samples per detector pixel.
    pub(crate) oversampling: f64,
    /// Sample coordinate of the source's position.
    pub(crate) origin: f64,
}

/// Where a point lies between the samples of one direction.
#[derive(Debug, Clone, Copy)]
pub(super) struct Phase {
    /// Lower sample; may lie outside.
    pub(super) sample: i64,
    /// Offset from it, 0 to 1.
    pub(super) offset: f64,
}

impl SampleAxis {
    /// The detector pixels (first, last) whose centres fall on the samples of
    /// a source at `position`, give or take rounding.
    pub(crate) fn reach(&self, position: f64) -> (f64, f64) {
        let last = (self.n - 1) as f64;
        (
            position - self.origin / self.oversampling,
            position + (last - self.origin) / self.oversampling,
        )
    }

    /// The sample coordinate of the point `p`.
    pub(super) fn sample(&self, p: f64, position: f64) -> f64 {
        self.oversampling * (p - position) + self.origin
    }

    /// The phase of the point `p`, within the samples where it is on them.
    pub(super) fn phase(&self, p: f64, position: f64) -> Phase {
        let xi = self.sample(p, position);
        // The last sample belongs to the cell below it.
        let last = (self.n - 1) as f64;
        let sample = if xi > last {
            xi.floor()
        } else {
            xi.floor().min(last - 1.0)
        };
        Phase {
            sample: sample as i64,
            offset: xi - sample,
        }
    }

    /// The phase of the point nearest to `p` that is on the samples, and
    /// whether that is another one.
    pub(super) fn nearest(&self, p: f64, position: f64) -> (Phase, bool) {
        let phase = self.phase(p, position);
        if self.holds(phase) {
            return (phase, false);
        }
        let (sample, offset) = if phase.sample < 0 {
            (0, 0.0)
        } else {
            (self.n as i64 - 2, 1.0)
        };
        (Phase { sample, offset }, true)
    }

    /// Whether a phase is on the samples.
    pub(super) fn holds(&self, phase: Phase) -> bool {
        let last = self.n as i64 - 1;
        phase.sample >= 0 && (phase.sample < last || (phase.sample == last && phase.offset <= 0.0))
    }

    /// Samples per pixel where that is a whole number.
    pub(super) fn step(&self) -> Option<usize> {
        (self.oversampling.fract() == 0.0).then_some(self.oversampling as usize)
    }

    /// For the pixels `range`: those on the samples, and the phase of the
    /// first of them. It is computed from the pixel nearest to the source, so
    /// that it does not depend on the range.
    pub(super) fn walk(
        &self,
        step: usize,
        position: f64,
        range: Range<i64>,
    ) -> (Range<i64>, Phase) {
        let anchor = position.round();
        let xi = self.sample(anchor, position);
        let sample = xi.floor();
        let phase = Phase {
            sample: sample as i64,
            offset: xi - sample,
        };
        let (anchor, step) = (anchor as i64, step as i64);
        // sample(p) = sample(anchor) + step (p − anchor), 0 ≤ sample(p) ≤ last.
        let last = self.n as i64 - if phase.offset > 0.0 { 2 } else { 1 };
        let first = anchor - phase.sample.div_euclid(step);
        let end = anchor + (last - phase.sample).div_euclid(step) + 1;
        let start = range.start.max(first);
        let end = range.end.min(end).max(start);
        let at_start = Phase {
            sample: phase.sample + step * (start - anchor),
            offset: phase.offset,
        };
        (start..end, at_start)
    }
}
