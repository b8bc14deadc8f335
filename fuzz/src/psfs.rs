//! PSFs of all kinds.

use psfphot::image::Image;
use psfphot::psf::{
    AiryPrf, AiryPsf, CircularGaussianPrf, CircularGaussianPsf, CircularGaussianSigmaPrf,
    GaussianPrf, GaussianPsf, GriddedPsf, MoffatPrf, MoffatPsf, Psf, SampledPsf, Sampling,
};
use psfphot::{Error, Run};

use crate::bytes::Bytes;
use crate::calls::accepted;

/// A PSF, unless its arguments are refused.
pub(crate) fn psf(bytes: &mut Bytes<'_>) -> Option<Box<dyn Psf>> {
    let width = |bytes: &mut Bytes<'_>| bytes.number(0.3, 6.0);
    match bytes.byte() % 11 {
        0 => boxed(CircularGaussianPrf::new(width(bytes))),
        1 => boxed(CircularGaussianSigmaPrf::new(width(bytes))),
        2 => boxed(CircularGaussianPsf::new(width(bytes))),
        3 => boxed(GaussianPsf::new(width(bytes), width(bytes), angle(bytes))),
        4 => boxed(GaussianPrf::new(width(bytes), width(bytes), angle(bytes))),
        5 => boxed(MoffatPsf::new(width(bytes), bytes.number(1.1, 8.0))),
        6 => boxed(
            MoffatPrf::new(width(bytes), bytes.number(1.1, 8.0))
                .and_then(|psf| psf.with_nodes(nodes(bytes))),
        ),
        7 => boxed(AiryPsf::new(width(bytes))),
        8 => boxed(AiryPrf::new(width(bytes)).and_then(|psf| psf.with_nodes(nodes(bytes)))),
        9 => sampled(bytes),
        _ => gridded(bytes),
    }
}

/// Shape parameters like those of a PSF, or any.
pub(crate) fn shape(bytes: &mut Bytes<'_>, psf: &dyn Psf) -> Vec<f64> {
    let mut one = |name: &&str| match *name {
        "theta" => angle(bytes),
        _ => bytes.number(1.1, 6.0),
    };
    psf.shape_names().iter().map(&mut one).collect()
}

fn boxed<P: Psf + 'static>(made: Result<P, Error>) -> Option<Box<dyn Psf>> {
    accepted(made).map(|psf| Box::new(psf) as Box<dyn Psf>)
}

fn angle(bytes: &mut Bytes<'_>) -> f64 {
    if bytes.one_in(4) {
        return 90.0 * bytes.below(8) as f64;
    }
    bytes.number(-400.0, 400.0)
}

fn nodes(bytes: &mut Bytes<'_>) -> usize {
    bytes.size(7)
}

/// The samples of a star of any width, and now and then a wild one.
fn samples(bytes: &mut Bytes<'_>, (ny, nx): (usize, usize)) -> Vec<f64> {
    let width = bytes.between(0.5, 6.0);
    let value = |k: usize| {
        let (x, y) = ((k % nx) as f64, (k / nx) as f64);
        let (dx, dy) = (x - (nx - 1) as f64 / 2.0, y - (ny - 1) as f64 / 2.0);
        (-(dx * dx + dy * dy) / (2.0 * width * width)).exp()
    };
    let mut values: Vec<f64> = (0..ny * nx).map(value).collect();
    if bytes.one_in(4) && !values.is_empty() {
        let k = bytes.below(values.len());
        values[k] = bytes.number(-1.0, 1.0);
    }
    values
}

fn sampling(bytes: &mut Bytes<'_>) -> Sampling {
    let sampling = Sampling::new((bytes.number(1.0, 5.0), bytes.number(1.0, 5.0)));
    match bytes.maybe(|bytes| (bytes.number(0.0, 20.0), bytes.number(0.0, 20.0))) {
        Some(origin) => sampling.with_origin(origin),
        None => sampling,
    }
}

fn sampled(bytes: &mut Bytes<'_>) -> Option<Box<dyn Psf>> {
    let shape = (3 + bytes.below(22), 3 + bytes.below(22));
    let samples = samples(bytes, shape);
    let image = Image::new(&samples, shape).expect("as many samples");
    boxed(SampledPsf::new(image, sampling(bytes)))
}

/// A grid of up to 3 x 3 PSFs, in any order, of which now and then one is off.
fn gridded(bytes: &mut Bytes<'_>) -> Option<Box<dyn Psf>> {
    let shape = (4 + bytes.below(12), 4 + bytes.below(12));
    let (n_y, n_x) = (1 + bytes.below(3), 1 + bytes.below(3));
    let xs = bytes.list(n_x, |bytes| bytes.number(0.0, 40.0));
    let ys = bytes.list(n_y, |bytes| bytes.number(0.0, 40.0));
    let mut positions: Vec<_> = xs
        .iter()
        .flat_map(|&x| ys.iter().map(move |&y| (x, y)))
        .collect();
    if bytes.one_in(8) {
        let k = bytes.below(positions.len());
        positions[k].0 = bytes.number(0.0, 40.0);
    }
    let planes: Vec<f64> = positions
        .iter()
        .flat_map(|_| samples(bytes, shape))
        .collect();
    let sampling = sampling(bytes);
    boxed(GriddedPsf::new(
        &planes,
        shape,
        &positions,
        sampling,
        Run::new().serial(),
    ))
}
