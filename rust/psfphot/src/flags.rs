//! The flags of a fitted source: one table for code, decoder and docs.

/// A flag of a fitted source.
///
/// Bits up to 2¹² are photutils'; the package's own start at 2¹⁶, so that later
/// ones of photutils' find room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flag {
    /// Its bit, a power of two.
    pub bit: u32,
    /// Its name; up to 4096 as photutils 3.1 has it.
    pub name: &'static str,
    /// What it says of the source.
    pub description: &'static str,
}

macro_rules! flags {
    ($($bit:literal $constant:ident $name:literal $description:literal;)*) => {
        $(
            #[doc = $description]
            pub const $constant: u32 = $bit;
        )*
        /// All flags, by bit.
        pub const FLAGS: &[Flag] = &[$(
            Flag { bit: $constant, name: $name, description: $description },
        )*];
    };
}

flags! {
    1 N_PIXELS_FIT_PARTIAL "n_pixels_fit_partial"
        "`n_pixels_fit` is smaller than full `fit_shape`";
    2 POSITION_OUTSIDE_IMAGE "position_outside_image"
        "the fitted position is off the image";
    4 NON_POSITIVE_FLUX "non_positive_flux"
        "the fitted flux is not positive";
    8 NO_CONVERGENCE "no_convergence"
        "the fit may not have converged";
    16 NO_COVARIANCE "no_covariance"
        "there is no covariance: the errors are NaN, or those of equal noise";
    32 PARAMETER_NEAR_BOUND "parameter_near_bound"
        "a fitted parameter is close to one of its bounds";
    64 NO_OVERLAP "no_overlap"
        "the fit box does not overlap the image: not fitted";
    128 FULLY_MASKED "fully_masked"
        "no pixel of the fit box can be used: not fitted";
    256 TOO_FEW_PIXELS "too_few_pixels"
        "fewer usable pixels than free parameters: not fitted";
    512 NON_FINITE_POSITION "non_finite_position"
        "the position is not finite";
    1024 NON_FINITE_FLUX "non_finite_flux"
        "the flux is not finite";
    2048 NON_FINITE_LOCAL_BKG "non_finite_local_bkg"
        "the local background is not finite: that of its group, or the median of all, was taken";
    4096 POSITION_OUTSIDE_FIT_REGION "position_outside_fit_region"
        "the fitted position is outside the box of fitted pixels";
    0x1_0000 DUPLICATE_SOURCE "duplicate_source"
        "at the fitted position of a source of another group: the same light, fitted twice";
    0x2_0000 SATURATED "saturated"
        "pixels of the star's core are full or lost: it was fitted to its wings";
    0x4_0000 NEAR_SATURATED "near_saturated"
        "within reach of what is left of a saturated star";
    0x8_0000 NEIGHBOUR_IN_BOX "neighbour_in_box"
        "sources of other groups, in the fit box or within one FWHM, add more than its error to the flux";
    0x10_0000 UNRESOLVED_PAIR "unresolved_pair"
        "hardly told apart from its neighbours: its errors are large, and several times those of the star alone";
    0x20_0000 UNMODELLED_COMPANION "unmodelled_companion"
        "what the fit left there is better explained by another star beside it";
    0x40_0000 LOW_SNR "low_snr"
        "less significant than the detection threshold allows";
    0x80_0000 ON_TRAIL "on_trail"
        "on the trail of a satellite or a bleeding column, whose light was subtracted";
    0x100_0000 START_OUTSIDE_IMAGE "start_outside_image"
        "the starting position is off the image: of most of the star there are no pixels, and its errors may be too small";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_distinct_powers_of_two_in_order() {
        assert!(FLAGS.iter().all(|flag| flag.bit.is_power_of_two()));
        assert!(FLAGS.windows(2).all(|pair| pair[0].bit < pair[1].bit));
        let photutils = FLAGS.iter().take_while(|flag| flag.bit < 1 << 13);
        assert_eq!(photutils.map(|flag| flag.bit).sum::<u32>(), (1 << 13) - 1);
        assert!(FLAGS[13..].iter().all(|flag| flag.bit >= 1 << 16));
    }
}
