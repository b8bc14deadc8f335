//! Fits of more sources at once than a dense matrix is made for.

use psfphot::Run;
use psfphot::image::Pixel;
use psfphot::photometry::Starts;
use psfphot::psf::Psf;
use psfphot::render::{RenderSource, render};

use crate::bytes::{Bytes, Noise};
use crate::calls::accepted;
use crate::field::Field;
use crate::fit::Settings;
use crate::psfs::{psf, shape};

/// Groups of more sources than this are systems; the others, dense.
const FEWEST: usize = 40;

/// A crowd of stars on an image of them, in one group or in a few, begun near to or
/// far from where they are: what holds of every fit holds of theirs.
///
/// # Panics
/// Where the core breaks a promise.
pub fn system(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    if bytes.one_in(3) {
        system_in::<f32>(&mut bytes);
    } else {
        system_in::<f64>(&mut bytes);
    }
}

fn system_in<T: Pixel>(bytes: &mut Bytes<'_>) {
    let Some(psf) = psf(bytes) else {
        return;
    };
    let Some(settings) = Settings::new(bytes, &*psf) else {
        return;
    };
    let mut field = Field::<T>::new(bytes);
    let crowd = Crowd::new(bytes, field.shape);
    crowd.draw(&mut field, &*psf);
    let n = crowd.x.len();
    let mut noise = bytes.noise();
    let off = bytes.between(0.0, 1.5);
    let mut begun = |at: &f64| at + off * noise.normal();
    let mut x: Vec<f64> = crowd.x.iter().map(&mut begun).collect();
    let mut y: Vec<f64> = crowd.y.iter().map(&mut begun).collect();
    let mut flux: Vec<f64> = crowd.flux.iter().map(|flux| flux * 0.8).collect();
    let mut level = vec![bytes.number(-5.0, 50.0); n];
    for values in [&mut x, &mut y, &mut flux, &mut level] {
        for _ in 0..bytes.below(3) {
            values[bytes.below(n)] = bytes.number(-10.0, 100.0);
        }
    }
    let n_groups = i64::from(1 + bytes.byte() % 3);
    let groups: Vec<i64> = (0..n as i64).map(|i| (i / 4) % n_groups).collect();
    let shapes = bytes.maybe(|bytes| shape(bytes, &*psf).repeat(n));
    let has_level = bytes.one_in(2);
    let starts = || {
        let mut starts = Starts::new(&x, &y, &flux)?.with_groups(&groups)?;
        if has_level {
            starts = starts.with_local_background(&level)?;
        }
        match &shapes {
            Some(shapes) => starts.with_shape(shapes, &*psf),
            None => Ok(starts),
        }
    };
    if let Some(starts) = accepted(starts()) {
        settings.check(bytes, &*psf, &field.frame(), &starts);
    }
}

/// Where stars are, and how bright.
struct Crowd {
    x: Vec<f64>,
    y: Vec<f64>,
    flux: Vec<f64>,
}

impl Crowd {
    /// Stars all over an image, along a line, or about one place; now and then two at
    /// the same one.
    fn new(bytes: &mut Bytes<'_>, (ny, nx): (usize, usize)) -> Self {
        let n = FEWEST + bytes.below(40);
        let (kind, spread) = (bytes.byte() % 4, bytes.between(0.1, 3.0));
        let (n_twins, decades) = (bytes.below(4), bytes.between(0.0, 4.0));
        let mut noise = bytes.noise();
        let (width, height) = (nx as f64, ny as f64);
        let place = |noise: &mut Noise| match kind {
            0 => {
                let t = noise.unit();
                (t * width, t * height)
            }
            1 => (
                0.5 * width + spread * noise.normal(),
                0.5 * height + spread * noise.normal(),
            ),
            _ => (noise.unit() * width, noise.unit() * height),
        };
        let (mut x, mut y): (Vec<_>, Vec<_>) = (0..n).map(|_| place(&mut noise)).unzip();
        for _ in 0..n_twins {
            let (i, j) = (bytes.below(n), bytes.below(n));
            (x[i], y[i]) = (x[j], y[j]);
        }
        let mut one = |_| 100.0 * 10f64.powf(decades * (noise.unit() - 0.5));
        let flux = (0..n).map(&mut one).collect();
        Self { x, y, flux }
    }

    /// Adds the stars to an image.
    fn draw<T: Pixel>(&self, field: &mut Field<T>, psf: &dyn Psf) {
        let places = self.x.iter().zip(&self.y).zip(&self.flux);
        let sources: Vec<_> = places
            .map(|((&x, &y), &flux)| RenderSource::new(flux, x, y))
            .collect();
        let mut light = vec![0.0; field.data.len()];
        let run = Run::new().serial();
        let drawn = render(&mut light, field.shape, psf, &sources, None, run);
        drawn.expect("an image of this shape");
        for (value, light) in field.data.iter_mut().zip(light) {
            *value = T::from_f64((*value).into() + light);
        }
    }
}
