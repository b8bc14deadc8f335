//! The sandwich covariance of a system: of each star and its neighbours.

use crate::bands::{Bands, RENDERED};
use crate::fit::leverage::{LARGEST_LEVERAGE, meat_weight, residual_unit};
use crate::fit::{FLUX, Fitter, Parameters};
use crate::image::PixelBox;
use crate::run::chunks;
use crate::solve::blocks::{Block, Blocks};
use crate::{Error, Run};

use super::System;
use super::neighbours::Neighbours;
use super::plane::{Plane, band_window};
use super::sweep::{Sums, Sweep};

/// Stars per task.
const CHUNK: usize = 256;

/// The blocks of an inverse for a star and another; `None` where they are 0.
pub(super) type Inverse<'a, const P: usize> = dyn Fn(usize, usize) -> Option<Block<P>> + Sync + 'a;

impl<const P: usize> System<'_, P> {
    /// Makes the sums of a system those of the middle of the sandwich, and tells the
    /// members in whose cores a pixel's residual says nothing.
    pub(super) fn sum_meat(
        &mut self,
        sweep: &Sweep,
        sums: &mut Sums<P>,
        inverse: &Inverse<'_, P>,
        scale: f64,
    ) -> Result<Vec<bool>, Error> {
        let per_unit = 1.0 / residual_unit(scale);
        let members = &sweep.members;
        let cores: Vec<_> = members.iter().map(|&m| self.cores[m as usize]).collect();
        let parameters: Vec<_> = members.iter().map(|&m| self.current[m as usize]).collect();
        let mut is_unit = vec![false; members.len()];
        let mut weights = Vec::with_capacity(self.planes.len());
        for plane in &mut self.planes {
            let stars = (&cores[..], &parameters[..]);
            let meat = plane.meat(self.fitter, stars, inverse, per_unit)?;
            weights.push(plane.replace_weight(meat.weight));
            for (x, y) in meat.lost {
                for (is_unit, core) in is_unit.iter_mut().zip(&cores) {
                    *is_unit |= core.contains(x, y);
                }
            }
        }
        self.sum(sweep, sums)?;
        for (plane, weight) in self.planes.iter_mut().zip(weights) {
            plane.replace_weight(weight);
        }
        Ok(is_unit)
    }
}

/// The variances of each member: those of its estimate as the sum, over the pixels of
/// it and its neighbours, of what each contributes.
pub(super) fn variances<const P: usize>(
    meat: &Blocks<P>,
    inverse: &Inverse<'_, P>,
    run: Run<'_>,
) -> Result<Vec<[f64; P]>, Error> {
    let neighbours = Neighbours::new(meat.n(), meat.pairs());
    let found = run.map(
        chunks(meat.n(), CHUNK),
        Vec::new,
        |own: &mut Vec<(usize, Block<P>)>, range| {
            let variances = range.map(|k| {
                own.clear();
                let others = neighbours.of(k).iter().map(|&(other, _)| other as usize);
                let members = others.chain([k]);
                own.extend(members.filter_map(|m| inverse(k, m).map(|block| (m, block))));
                own.sort_unstable_by_key(|(m, _)| *m);
                variances_of(meat, &neighbours, own)
            });
            Ok(variances.collect::<Vec<_>>())
        },
    )?;
    Ok(found.into_iter().flatten().collect())
}

/// The diagonal of Σ Bₖₐ Mₐₑ Bₑₖ over the members of a row `own` of the inverse B, which
/// are in order.
fn variances_of<const P: usize>(
    meat: &Blocks<P>,
    neighbours: &Neighbours,
    own: &[(usize, Block<P>)],
) -> [f64; P] {
    let mut variances = [0.0; P];
    for (a, left) in own {
        for i in 0..P {
            for k in 0..P {
                for l in 0..P {
                    variances[i] += left[i][k] * meat.diagonal[*a][k][l] * left[i][l];
                }
            }
        }
        for &(b, pair) in neighbours.of(*a) {
            let b = b as usize;
            // Each pair once: its block stands below the diagonal.
            let Ok(place) = own[..].binary_search_by_key(&b, |(m, _)| *m) else {
                continue;
            };
            if b > *a {
                continue;
            }
            let (block, right) = (&meat.values[pair as usize], &own[place].1);
            for i in 0..P {
                for k in 0..P {
                    for l in 0..P {
                        variances[i] += 2.0 * left[i][k] * block[k][l] * right[i][l];
                    }
                }
            }
        }
    }
    variances
}

/// The derivatives of a star on its part of a band: planes of its free parameters.
struct Derivatives {
    member: usize,
    part: PixelBox,
    values: Vec<f64>,
}

impl Derivatives {
    fn new(
        fitter: &Fitter<'_>,
        member: usize,
        part: PixelBox,
        parameters: &Parameters,
        profile: &mut Vec<f64>,
    ) -> Self {
        let n = part.len();
        let n_planes = 3 + fitter.psf.shape_names().len();
        profile.clear();
        profile.resize(n_planes * n, 0.0);
        let (values, gradient) = profile.split_at_mut(n);
        let at = fitter.placement(parameters);
        fitter.psf.fill_with_gradient(at, part, values, gradient);
        let mut planes = Vec::with_capacity(fitter.free.len() * n);
        for &parameter in fitter.free {
            if parameter == FLUX {
                planes.extend_from_slice(values);
            } else {
                let own = &gradient[(parameter - 1) * n..parameter * n];
                planes.extend(own.iter().map(|d| parameters[FLUX] * d));
            }
        }
        Self {
            member,
            part,
            values: planes,
        }
    }

    /// Row y of the columns of `shared`, of one of the planes.
    fn row(&self, plane: usize, y: i64, shared: PixelBox) -> &[f64] {
        let first = plane * self.part.len() + self.part.index_of(shared.x0, y);
        &self.values[first..first + shared.width()]
    }
}

/// Adds `factor` jᵀ B k to the pixels of a band that two stars share, where j and k are
/// their derivatives.
fn add_products<const P: usize>(
    sums: &mut [f64],
    window: PixelBox,
    (a, b): (&Derivatives, &Derivatives),
    block: &Block<P>,
    factor: f64,
) {
    let shared = a.part.intersection(&b.part);
    for y in shared.y0..shared.y1 {
        let first = window.index_of(shared.x0, y);
        let sums = &mut sums[first..first + shared.width()];
        for (i, row) in block.iter().enumerate() {
            let left = a.row(i, y, shared);
            for (j, element) in row.iter().enumerate() {
                let right = b.row(j, y, shared);
                for ((sum, l), r) in sums.iter_mut().zip(left).zip(right) {
                    *sum += factor * element * l * r;
                }
            }
        }
    }
}

/// The pixels of a plane in the middle of the sandwich.
struct Meat {
    /// The weight of each.
    weight: Vec<f64>,
    /// Those whose leverage is near 1: their residuals say nothing.
    lost: Vec<(i64, i64)>,
}

impl Plane {
    /// Its pixels in the middle of the sandwich. Members are told by their `cores` and
    /// `parameters`.
    fn meat<const P: usize>(
        &self,
        fitter: &Fitter<'_>,
        (cores, parameters): (&[PixelBox], &[Parameters]),
        inverse: &Inverse<'_, P>,
        per_unit: f64,
    ) -> Result<Meat, Error> {
        let grid = self.window();
        let boxes: Vec<_> = cores.iter().map(|&core| self.local(core)).collect();
        let bands = Bands::new(&boxes, grid.height(), RENDERED);
        let mut weight = vec![0.0; grid.len()];
        let size = (RENDERED * grid.width()).max(1);
        let rows = weight.chunks_mut(size).zip(self.chunks(size)).enumerate();
        let work = |profile: &mut Vec<f64>, (band, (meat, (residual, weight))): Task<'_>| {
            let window = band_window(&bands, band, grid);
            // Leverages at unit weight, until the weights are made of them.
            let mut members = bands.boxes(band).to_vec();
            members.sort_unstable_by_key(|&m| (cores[m].x0, m));
            // Those that later ones can still meet.
            let mut alive: Vec<Derivatives> = Vec::new();
            for member in members {
                let part = cores[member].intersection(&window);
                alive.retain(|other| other.part.x1 > part.x0);
                let own = Derivatives::new(fitter, member, part, &parameters[member], profile);
                if let Some(block) = inverse(member, member) {
                    add_products(meat, window, (&own, &own), &block, 1.0);
                }
                for other in &alive {
                    if !other.part.intersection(&part).is_empty()
                        && let Some(block) = inverse(member, other.member)
                    {
                        add_products(meat, window, (&own, other), &block, 2.0);
                    }
                }
                alive.push(own);
            }
            let mut lost = Vec::new();
            let pixels = meat.iter_mut().zip(residual).zip(weight);
            for (k, ((meat, residual), &weight)) in pixels.enumerate() {
                let leverage = weight * *meat;
                if leverage > LARGEST_LEVERAGE {
                    let (row, column) = (k / window.width(), k % window.width());
                    lost.push((window.x0 + column as i64, window.y0 + row as i64));
                }
                *meat = meat_weight(weight, *residual * per_unit, leverage);
            }
            Ok(lost)
        };
        let lost = fitter.run.map(rows.collect(), Vec::new, work)?.concat();
        Ok(Meat { weight, lost })
    }
}

/// A band of rows: its number, where its weights go, and its residuals and weights.
type Task<'a> = (usize, (&'a mut [f64], (&'a [f64], &'a [f64])));
