//! The normal equations of many stars, strip by strip.
//!
//! The derivatives of a star are needed for its own block and for those of the
//! pairs that it is in. Strips of rows are swept from left to right, and only the
//! derivatives of the stars that can still share a pixel with those to come are
//! kept: some dozen at a time, in the cache, however many stars there are.

use crate::fit::pixels::LANES;
use crate::fit::{FLUX, Fitter, Parameters};
use crate::image::PixelBox;
use crate::simd::{Four, dispatch};
use crate::solve::blocks::{Block, Blocks};
use crate::{Error, Run};

use super::plane::Plane;

/// Rows of a strip. Derivatives of stars that reach into the next strip are
/// computed in both: at 32 rows and cores of 11 a third of them, at 128 a tenth.
/// Strips are the tasks of the threads: part of the result, whatever their number.
const STRIP: i64 = 96;

/// Members in the order of a sweep, and which of them share pixels.
#[derive(Debug)]
pub(super) struct Sweep {
    /// The stars, strip by strip, in each by column; member k is star `members[k]`.
    pub(super) members: Vec<u32>,
    strips: Vec<Strip>,
}

#[derive(Debug, Default)]
struct Strip {
    /// Its own members are `first..first + n_own`.
    first: usize,
    n_own: usize,
    visits: Vec<Visit>,
    links: Vec<Link>,
    n_slots: usize,
    n_pairs: usize,
}

/// A star that a sweep comes to.
#[derive(Debug, Clone, Copy)]
struct Visit {
    member: u32,
    is_own: bool,
    /// Where its derivatives are kept.
    slot: u32,
    /// How many of the links that follow are its.
    n_links: u32,
}

/// An earlier star with which a star shares pixels.
#[derive(Debug, Clone, Copy)]
struct Link {
    slot: u32,
    member: u32,
}

/// The derivatives of a star on the lanes that hold its core: for each row the
/// planes of its free parameters.
#[derive(Debug, Clone, Default)]
struct Planes {
    core: PixelBox,
    first: usize,
    stride: usize,
    values: Vec<f64>,
}

/// What the sums of a system come to.
#[derive(Debug)]
pub(super) struct Sums<const P: usize> {
    pub(super) matrix: Blocks<P>,
    /// −½ ∂chi²/∂p of each member.
    pub(super) gradient: Vec<[f64; P]>,
}

impl Sweep {
    /// Of some stars, each with its core; also the matrix that has their pairs.
    pub(super) fn new<const P: usize>(
        planes: &[Plane],
        cores: &[PixelBox],
        stars: &[u32],
        run: Run<'_>,
    ) -> Result<(Self, Sums<P>), Error> {
        let core = |star: u32| cores[star as usize];
        let top = stars.iter().map(|&s| core(s).y0).min().unwrap_or(0);
        let strip = |star: u32| ((core(star).y0 - top) / STRIP) as usize;
        let mut members = stars.to_vec();
        members.sort_unstable_by_key(|&star| (strip(star), core(star).x0, star));
        let n_strips = members.last().map_or(0, |&star| strip(star) + 1);
        // Of each strip: those of earlier ones that reach into it.
        let mut above = vec![Vec::new(); n_strips];
        let mut firsts = vec![members.len(); n_strips + 1];
        for (member, &star) in members.iter().enumerate().rev() {
            firsts[strip(star)] = member;
        }
        for s in (0..n_strips).rev() {
            firsts[s] = firsts[s].min(firsts[s + 1]);
        }
        for (member, &star) in (0_u32..).zip(&members) {
            let last = ((core(star).y1 - 1 - top) / STRIP) as usize;
            for above in above.iter_mut().take(last + 1).skip(strip(star) + 1) {
                above.push(member);
            }
        }
        let tasks = above.into_iter().enumerate().collect();
        let found = run.map(
            tasks,
            || (),
            |(), (s, above): (usize, Vec<u32>)| {
                let own = firsts[s]..firsts[s + 1];
                Ok(Strip::new(planes, own, above, |member| {
                    core(members[member as usize])
                }))
            },
        )?;
        let mut pairs = Vec::new();
        let mut strips = Vec::with_capacity(found.len());
        for (strip, own) in found {
            pairs.extend(own);
            strips.push(strip);
        }
        let sums = Sums {
            matrix: Blocks::new(members.len(), pairs),
            gradient: vec![[0.0; P]; members.len()],
        };
        Ok((Self { members, strips }, sums))
    }

    /// Takes out the pairs that are not kept, in the order of the matrix.
    pub(super) fn retain(&mut self, is_kept: &[bool]) {
        let mut keeps = is_kept.iter();
        for strip in &mut self.strips {
            let mut links = std::mem::take(&mut strip.links).into_iter();
            for visit in &mut strip.visits {
                let first = strip.links.len();
                let own = links.by_ref().take(visit.n_links as usize);
                strip
                    .links
                    .extend(own.filter(|_| keeps.next() == Some(&true)));
                visit.n_links = (strip.links.len() - first) as u32;
            }
            strip.n_pairs = strip.links.len();
        }
    }

    /// Adds up the normal equations of one exposure after another.
    pub(super) fn sum<const P: usize>(
        &self,
        fitter: &Fitter<'_>,
        planes: &[Plane],
        cores: &[PixelBox],
        parameters: &[Parameters],
        sums: &mut Sums<P>,
    ) -> Result<(), Error> {
        let Sums { matrix, gradient } = sums;
        let (mut diagonal, mut values) = (&mut matrix.diagonal[..], &mut matrix.values[..]);
        let mut gradient = &mut gradient[..];
        let mut tasks = Vec::with_capacity(self.strips.len());
        for strip in &self.strips {
            let (own, rest) = diagonal.split_at_mut(strip.n_own);
            let (own_values, rest_values) = values.split_at_mut(strip.n_pairs);
            let (own_gradient, rest_gradient) = gradient.split_at_mut(strip.n_own);
            (diagonal, values, gradient) = (rest, rest_values, rest_gradient);
            tasks.push((strip, own, own_values, own_gradient));
        }
        let work = |scratch: &mut Scratch, (strip, diagonal, values, gradient): Task<'_, P>| {
            diagonal.fill([[0.0; P]; P]);
            values.fill([[0.0; P]; P]);
            gradient.fill([0.0; P]);
            let star = |member: u32| {
                let star = self.members[member as usize] as usize;
                (cores[star], &parameters[star])
            };
            for plane in planes {
                strip.sum(
                    fitter,
                    plane,
                    &star,
                    scratch,
                    (&mut *diagonal, &mut *values, &mut *gradient),
                );
            }
            Ok(())
        };
        fitter.run.map(tasks, Scratch::default, work)?;
        Ok(())
    }
}

type Task<'a, const P: usize> = (
    &'a Strip,
    &'a mut [Block<P>],
    &'a mut [Block<P>],
    &'a mut [[f64; P]],
);

#[derive(Default)]
struct Scratch {
    /// Of the PSF: values, then derivatives.
    profile: Vec<f64>,
    slots: Vec<Planes>,
    /// A star's derivatives times the weights.
    weighted: Vec<f64>,
}

impl Strip {
    fn new(
        planes: &[Plane],
        own: std::ops::Range<usize>,
        above: Vec<u32>,
        core: impl Fn(u32) -> PixelBox,
    ) -> (Self, Vec<(u32, u32)>) {
        let mut strip = Self {
            first: own.start,
            n_own: own.len(),
            ..Self::default()
        };
        let mut sequence = above;
        sequence.extend(own.clone().map(|member| member as u32));
        sequence.sort_unstable_by_key(|&member| (core(member).x0, member));
        let mut pairs = Vec::new();
        // Those that later ones can still meet, with their slots.
        let (mut alive, mut free): (Vec<(u32, u32)>, Vec<u32>) = (Vec::new(), Vec::new());
        for member in sequence {
            let here = core(member);
            alive.retain(|&(other, slot)| {
                let stays = core(other).x1 > here.x0;
                if !stays {
                    free.push(slot);
                }
                stays
            });
            let is_own = own.contains(&(member as usize));
            let first = strip.links.len();
            for &(other, slot) in &alive {
                let shared = core(other).intersection(&here);
                let is_pair = (is_own || own.contains(&(other as usize)))
                    && !shared.is_empty()
                    && planes.iter().any(|plane| plane.has_weight(shared));
                if is_pair {
                    pairs.push((member.max(other), member.min(other)));
                    strip.links.push(Link {
                        slot,
                        member: other,
                    });
                }
            }
            let slot = free.pop().unwrap_or_else(|| {
                strip.n_slots += 1;
                strip.n_slots as u32 - 1
            });
            alive.push((member, slot));
            strip.visits.push(Visit {
                member,
                is_own,
                slot,
                n_links: (strip.links.len() - first) as u32,
            });
        }
        strip.n_pairs = pairs.len();
        (strip, pairs)
    }

    fn sum<'a, const P: usize>(
        &self,
        fitter: &Fitter<'_>,
        plane: &Plane,
        star: &impl Fn(u32) -> (PixelBox, &'a Parameters),
        scratch: &mut Scratch,
        (diagonal, values, gradient): (&mut [Block<P>], &mut [Block<P>], &mut [[f64; P]]),
    ) {
        let Scratch {
            profile,
            slots,
            weighted,
        } = scratch;
        if slots.len() < self.n_slots {
            slots.resize_with(self.n_slots, Planes::default);
        }
        let (mut links, mut blocks) = (self.links.iter(), values.iter_mut());
        for visit in &self.visits {
            let (core, parameters) = star(visit.member);
            let mut own = std::mem::take(&mut slots[visit.slot as usize]);
            own.fill::<P>(fitter, plane, core, parameters, profile);
            let residual = |row: usize| plane.row(core.y0 + row as i64, own.first, own.stride);
            weigh(&own.values, own.stride, P, &residual, weighted);
            if visit.is_own {
                let k = visit.member as usize - self.first;
                for row in 0..core.height() {
                    let (residual, _) = residual(row);
                    let planes = &weighted[row * P * own.stride..][..P * own.stride];
                    add_gradient(planes, residual, &mut gradient[k]);
                }
                let whole = (own.first, own.first + own.stride);
                let rows = (core.y0, core.y1);
                add_pair((weighted, &own), &own, rows, whole, &mut diagonal[k]);
            }
            for link in links.by_ref().take(visit.n_links as usize) {
                let Some(block) = blocks.next() else { break };
                let other = &slots[link.slot as usize];
                let rows = (core.y0.max(other.core.y0), core.y1.min(other.core.y1));
                let columns = (
                    own.first.max(other.first),
                    (own.first + own.stride).min(other.first + other.stride),
                );
                let mut sums = [[0.0; P]; P];
                add_pair((weighted, &own), other, rows, columns, &mut sums);
                // Rows are the later member's.
                for i in 0..P {
                    for j in 0..P {
                        block[i][j] += if visit.member > link.member {
                            sums[i][j]
                        } else {
                            sums[j][i]
                        };
                    }
                }
            }
            slots[visit.slot as usize] = own;
        }
    }
}

impl Planes {
    /// The derivatives of a star on its core.
    fn fill<const P: usize>(
        &mut self,
        fitter: &Fitter<'_>,
        plane: &Plane,
        core: PixelBox,
        parameters: &Parameters,
        profile: &mut Vec<f64>,
    ) {
        let (n, width) = (core.len(), core.width());
        let n_planes = 3 + fitter.psf.shape_names().len();
        if profile.len() < n_planes * n {
            profile.resize(n_planes * n, 0.0);
        }
        let (values, gradient) = profile.split_at_mut(n);
        let at = fitter.placement(parameters);
        fitter.psf.fill_with_gradient(at, core, values, gradient);
        self.core = core;
        (self.first, self.stride) = plane.lanes(core);
        let before = (core.x0 - plane.window().x0) as usize - self.first;
        let size = core.height() * P * self.stride;
        self.values.clear();
        self.values.resize(size, 0.0);
        let rows = self.values.chunks_exact_mut(self.stride);
        for (k, row) in rows.enumerate() {
            let (y, parameter) = (k / P, fitter.free[k % P]);
            let (source, factor) = if parameter == FLUX {
                (&values[y * width..(y + 1) * width], 1.0)
            } else {
                let first = (parameter - 1) * n + y * width;
                (&gradient[first..first + width], parameters[FLUX])
            };
            for (value, derivative) in row[before..before + width].iter_mut().zip(source) {
                *value = factor * derivative;
            }
        }
    }
}

/// Derivatives times the weights of their pixels.
fn weigh<'a>(
    values: &[f64],
    stride: usize,
    n_planes: usize,
    row: &impl Fn(usize) -> (&'a [f64], &'a [f64]),
    weighted: &mut Vec<f64>,
) {
    if weighted.len() < values.len() {
        weighted.resize(values.len(), 0.0);
    }
    let rows = values.chunks_exact(n_planes * stride);
    let targets = weighted.chunks_exact_mut(n_planes * stride);
    for (y, (planes, target)) in rows.zip(targets).enumerate() {
        let (_, weights) = row(y);
        let planes = planes.chunks_exact(stride);
        for (plane, target) in planes.zip(target.chunks_exact_mut(stride)) {
            for ((t, v), w) in target.iter_mut().zip(plane).zip(weights) {
                *t = v * w;
            }
        }
    }
}

#[inline(always)]
#[allow(clippy::inline_always)] // a kernel
fn gradient_kernel<const FMA: bool, const P: usize>(
    planes: &[f64],
    residual: &[f64],
    gradient: &mut [f64; P],
) {
    let stride = residual.len();
    for (k, gradient) in gradient.iter_mut().enumerate() {
        let plane = planes[k * stride..(k + 1) * stride].as_chunks::<LANES>().0;
        let mut sum = Four::<FMA>::ZERO;
        for (a, r) in plane.iter().zip(residual.as_chunks::<LANES>().0) {
            sum = Four::new(a).mul_add(Four::new(r), sum);
        }
        *gradient += sum.sum();
    }
}

dispatch! {
    fn add_gradient[const P: usize](
        planes: &[f64], residual: &[f64], gradient: &mut [f64; P],
    ) = gradient_kernel[P]
}

/// Adds to a block the products of two stars' derivatives over the rows and lanes
/// that both have; `weighted` are those of the first times the weights.
#[inline(always)]
#[allow(clippy::inline_always)]
fn pair_kernel<const FMA: bool, const P: usize>(
    (weighted, own): (&[f64], &Planes),
    other: &Planes,
    rows: (i64, i64),
    columns: (usize, usize),
    block: &mut Block<P>,
) {
    let mut sums = [[Four::<FMA>::ZERO; P]; P];
    for y in rows.0..rows.1 {
        let lanes = |values: &[f64], of: &Planes, k: usize| {
            let row = (y - of.core.y0) as usize * P + k;
            row * of.stride + columns.0 - of.first
                ..(row * of.stride + columns.1 - of.first).min(values.len())
        };
        let a: [_; P] =
            std::array::from_fn(|k| weighted[lanes(weighted, own, k)].as_chunks::<LANES>().0);
        let b: [_; P] = std::array::from_fn(|k| {
            other.values[lanes(&other.values, other, k)]
                .as_chunks::<LANES>()
                .0
        });
        let n = a
            .iter()
            .chain(&b)
            .map(|plane| plane.len())
            .min()
            .unwrap_or(0);
        let (a, b) = (a.map(|plane| &plane[..n]), b.map(|plane| &plane[..n]));
        for c in 0..n {
            let (a, b) = (a.map(|p| Four::new(&p[c])), b.map(|p| Four::new(&p[c])));
            for i in 0..P {
                for j in 0..P {
                    sums[i][j] = a[i].mul_add(b[j], sums[i][j]);
                }
            }
        }
    }
    for i in 0..P {
        for j in 0..P {
            block[i][j] += sums[i][j].sum();
        }
    }
}

dispatch! {
    fn add_pair[const P: usize](
        own: (&[f64], &Planes), other: &Planes, rows: (i64, i64), columns: (usize, usize),
        block: &mut Block<P>,
    ) = pair_kernel[P]
}
