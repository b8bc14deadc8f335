//! Making stars of cutouts, and working on all of them.

use std::collections::BTreeMap;

use crate::{Error, Run};

use super::cutout::Cutout;
use super::model::Scratch;
use super::star::{Exposure, Star};

/// What is kept of the stars' pixels besides their data, in two pieces of memory, which are
/// given back when it is dropped; thousands of small ones leave the heap in holes, which
/// the next PSF of thousands of stars does not fit into (5,000 stars: 120 MB).
#[derive(Debug, Default)]
pub(crate) struct Room {
    /// The PSF and its slopes.
    psf: Vec<f32>,
    weight: Vec<f64>,
}

/// The stars of the cutouts: those that are linked are one, in the order in
/// which they first come. What they keep of their pixels is in `room`.
///
/// # Errors
/// [`Error`] naming what of a cutout cannot be used; none at all.
pub(crate) fn stars_of<'a>(
    cutouts: &'a [Cutout<'a>],
    room: &'a mut Room,
) -> Result<Vec<Star<'a>>, Error> {
    if cutouts.is_empty() {
        return Err(Error::invalid("cutouts", "hold at least one star", "none"));
    }
    let mut members: Vec<Vec<usize>> = Vec::new();
    let mut linked: BTreeMap<usize, usize> = BTreeMap::new();
    for (index, cutout) in cutouts.iter().enumerate() {
        cutout.check()?;
        let new = members.len();
        let star = cutout
            .link
            .map_or(new, |link| *linked.entry(link).or_insert(new));
        if star == new {
            members.push(Vec::new());
        }
        members[star].push(index);
    }
    let n_pixels = cutouts.iter().map(|cutout| cutout.data.as_slice().len());
    let n_pixels = n_pixels.sum::<usize>();
    room.psf = vec![0.0; 3 * n_pixels];
    room.weight = vec![0.0; n_pixels];
    let mut rest = Rest {
        psf: &mut room.psf,
        weight: &mut room.weight,
    };
    Ok(members
        .into_iter()
        .map(|of| star_of(cutouts, &of, &mut rest))
        .collect())
}

/// What is left of the room.
struct Rest<'a> {
    psf: &'a mut [f32],
    weight: &'a mut [f64],
}

/// The PSF, its slopes and the weights on the pixels of a cutout.
type Pixels<'a> = (&'a mut [f32], &'a mut [f32], &'a mut [f64]);

impl<'a> Rest<'a> {
    /// Takes those of so many pixels off the front.
    fn take(&mut self, n: usize) -> Pixels<'a> {
        let (psf, left) = std::mem::take(&mut self.psf).split_at_mut(3 * n);
        self.psf = left;
        let (psi, slopes) = psf.split_at_mut(n);
        let (weight, left) = std::mem::take(&mut self.weight).split_at_mut(n);
        self.weight = left;
        (psi, slopes, weight)
    }
}

fn star_of<'a>(cutouts: &'a [Cutout<'a>], members: &[usize], rest: &mut Rest<'a>) -> Star<'a> {
    let mut fluxes = Vec::with_capacity(members.len());
    let mut exposures = Vec::with_capacity(members.len());
    for (number, &index) in members.iter().enumerate() {
        let cutout = &cutouts[index];
        let valid = cutout.valid();
        let data = cutout.data.as_slice();
        let used = data.iter().zip(&valid).filter(|(_, valid)| **valid);
        let sum = || used.map(|(d, _)| d).sum::<f64>();
        let flux = cutout.flux.unwrap_or_else(sum) / cutout.scale;
        if flux > 0.0 && flux.is_finite() {
            fluxes.push(flux);
        }
        let (psi, slopes, weight) = rest.take(data.len());
        exposures.push(Exposure {
            index,
            number,
            cutout,
            valid,
            terms: vec![(0, 1.0)],
            x: cutout.x,
            y: cutout.y,
            background: 0.0,
            psi,
            slopes,
            weight,
        });
    }
    let n = fluxes.len();
    let mut star = Star::new(exposures, fluxes.iter().sum::<f64>() / n.max(1) as f64);
    star.is_active = n > 0;
    star
}

/// Some stars, by their numbers in order.
pub(crate) fn some_of<'s, 'a>(stars: &'s mut [Star<'a>], which: &[usize]) -> Vec<&'s mut Star<'a>> {
    let all = stars.iter_mut().enumerate();
    let chosen = all.filter(|(number, _)| which.binary_search(number).is_ok());
    chosen.map(|(_, star)| star).collect()
}

/// Works on every star that takes part, in parallel.
///
/// # Errors
/// [`Error::Cancelled`].
pub(crate) fn for_each(
    stars: &mut [Star<'_>],
    run: Run<'_>,
    work: impl Fn(&mut Star<'_>, &mut Scratch) + Sync + Send,
) -> Result<(), Error> {
    const TOGETHER: usize = 8;
    run.map(
        stars.chunks_mut(TOGETHER).collect(),
        Scratch::default,
        |scratch, stars| {
            for star in stars.iter_mut().filter(|star| star.is_active) {
                work(star, scratch);
            }
            Ok(())
        },
    )
    .map(|_: Vec<()>| ())
}
