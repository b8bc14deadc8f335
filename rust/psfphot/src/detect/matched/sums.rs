//! The least-squares fit of a kernel and a constant, from its five sums.

/// The weighted sums over a window with the pixels D, their weights w and the
/// kernel P.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Sums {
    /// Σ w
    pub(crate) w: f64,
    /// Σ w P
    pub(crate) wp: f64,
    /// Σ w P²
    pub(crate) wpp: f64,
    /// Σ w D
    pub(crate) wd: f64,
    /// Σ w D P
    pub(crate) wdp: f64,
}

/// Of A·P + constant: A = `numerator`/`precision`, and `precision` is 1/σ_A².
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Amplitude {
    pub(crate) numerator: f64,
    pub(crate) precision: f64,
}

/// Where less than this of Σ w P² is left once the sky is fitted, too, the
/// window is so empty, or the kernel so flat in what is left of it, that it
/// tells no amplitude: what remains may be the truncation of low-rank kernels.
const LEAST_PRECISION: f64 = 1e-3;

impl Sums {
    /// One more pixel.
    #[inline]
    pub(crate) fn add(&mut self, weight: f64, kernel: f64, value: f64) {
        let (wp, wd) = (weight * kernel, weight * value);
        self.w += weight;
        self.wp += wp;
        self.wpp += wp * kernel;
        self.wd += wd;
        self.wdp += wd * kernel;
    }

    /// With all weights multiplied by `factor`.
    pub(crate) fn scaled(&self, factor: f64) -> Self {
        Self {
            w: self.w * factor,
            wp: self.wp * factor,
            wpp: self.wpp * factor,
            wd: self.wd * factor,
            wdp: self.wdp * factor,
        }
    }

    /// The amplitude, with a free constant (`sky`) or none.
    #[inline]
    pub(crate) fn amplitude(&self, sky: bool) -> Amplitude {
        let mean = if sky { self.wp / self.w } else { 0.0 };
        Amplitude {
            numerator: self.wdp - mean * self.wd,
            precision: self.wpp - mean * self.wp,
        }
        .unless_vain(self.wpp)
    }

    /// The constant that goes with an amplitude.
    pub(crate) fn sky(&self, amplitude: f64) -> f64 {
        (self.wd - amplitude * self.wp) / self.w
    }
}

impl Amplitude {
    /// NaN where the precision is nothing beside `whole`.
    #[inline]
    fn unless_vain(self, whole: f64) -> Self {
        let precision = if self.precision > LEAST_PRECISION * whole {
            self.precision
        } else {
            f64::NAN
        };
        Self { precision, ..self }
    }

    /// A.
    #[inline]
    pub(crate) fn value(&self) -> f64 {
        self.numerator / self.precision
    }

    /// σ_A.
    #[inline]
    pub(crate) fn error(&self) -> f64 {
        1.0 / self.precision.sqrt()
    }

    /// A/σ_A.
    #[inline]
    pub(crate) fn snr(&self) -> f64 {
        self.numerator * (1.0 / self.precision.sqrt())
    }
}
