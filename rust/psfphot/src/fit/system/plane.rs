//! The pixels of one exposure that a system is fitted to.

use crate::bands::{Bands, RENDERED};
use crate::fit::exposure::Exposure;
use crate::fit::model::Model;
use crate::fit::pixels::{LANES, padded};
use crate::fit::source::Source;
use crate::fit::weighting::{Loss, Row, Weighting, highest_neighbours};
use crate::fit::{FLUX, Fitter, Parameters};
use crate::image::{NO_LEVEL, Patch, PixelBox};
use crate::{Error, Run};

/// The residual and the weights of the pixels that a system is fitted to, on the
/// grid around them; elsewhere weights are 0.
#[derive(Debug)]
pub(super) struct Plane {
    /// The pixels of the grid; its rows have whole lanes.
    window: PixelBox,
    residual: Vec<f64>,
    weight: Vec<f64>,
    /// Pixels with a weight.
    n_good: usize,
}

/// The image of a star that is added to the model on some pixels of the image.
#[derive(Debug, Clone, Copy)]
pub(super) struct Image {
    pub(super) pixels: PixelBox,
    /// Pixels among them that are left out, or an empty box.
    pub(super) hole: PixelBox,
    pub(super) parameters: Parameters,
    /// 1, or −1 to take it away.
    pub(super) sign: f64,
}

impl Plane {
    /// The pixels of the sources' windows, minus the local backgrounds.
    pub(super) fn new(
        exposure: &Exposure,
        sources: &[Source],
        run: Run<'_>,
    ) -> Result<Self, Error> {
        let windows = sources.iter().map(|source| source.window);
        let around = windows.reduce(PixelBox::hull);
        let mut window = around.unwrap_or_default();
        window.x1 = window.x0 + padded(window.width()) as i64;
        let mut plane = Self {
            window,
            residual: vec![0.0; window.len()],
            weight: vec![0.0; window.len()],
            n_good: 0,
        };
        let bands = plane.bands(sources);
        let weights = plane.weight.chunks_mut(plane.window.width() * RENDERED);
        let rows = plane.residual.chunks_mut(plane.window.width() * RENDERED);
        let tasks = rows.zip(weights).enumerate().collect();
        let counts = run.map(tasks, Levels::default, |levels, (band, (data, weight))| {
            let window = band_window(&bands, band, plane.window);
            gather(exposure, sources, bands.boxes(band), window, levels, data);
            for &i in bands.boxes(band) {
                let part = sources[i].window.intersection(&window);
                copy(exposure, part, window, weight, |_, weight| weight.max(0.0));
            }
            Ok(weight.iter().filter(|&&w| w > 0.0).count())
        })?;
        plane.n_good = counts.into_iter().sum();
        Ok(plane)
    }

    /// The bands of the grid's rows that sources' windows touch.
    fn bands(&self, sources: &[Source]) -> Bands {
        let boxes: Vec<_> = sources.iter().map(|s| self.local(s.window)).collect();
        Bands::new(&boxes, self.window.height(), RENDERED)
    }

    /// A box of pixels in the grid's own coordinates.
    pub(super) fn local(&self, pixels: PixelBox) -> PixelBox {
        let pixels = pixels.intersection(&self.window);
        if pixels.is_empty() {
            return PixelBox::default();
        }
        let (x0, y0) = (self.window.x0, self.window.y0);
        PixelBox::new(
            pixels.x0 - x0,
            pixels.x1 - x0,
            pixels.y0 - y0,
            pixels.y1 - y0,
        )
    }

    /// The grid.
    pub(super) fn window(&self) -> PixelBox {
        self.window
    }

    /// Pixels with a weight.
    pub(super) fn n_good(&self) -> usize {
        self.n_good
    }

    /// From the lane that holds the first column of a box on, whole lanes that hold
    /// its columns: the offset from the row's first pixel, and how many.
    pub(super) fn lanes(&self, pixels: PixelBox) -> (usize, usize) {
        let first = (pixels.x0 - self.window.x0) as usize / LANES * LANES;
        let end = padded((pixels.x1 - self.window.x0) as usize);
        (first, end - first)
    }

    /// Residuals and weights of `n` pixels of row y of the image, from the column
    /// that is `first` from the grid's.
    pub(super) fn row(&self, y: i64, first: usize, n: usize) -> (&[f64], &[f64]) {
        let start = (y - self.window.y0) as usize * self.window.width() + first;
        (
            &self.residual[start..start + n],
            &self.weight[start..start + n],
        )
    }

    /// Residuals and weights of so many pixels after another.
    pub(super) fn chunks(&self, size: usize) -> impl Iterator<Item = (&[f64], &[f64])> {
        self.residual.chunks(size).zip(self.weight.chunks(size))
    }

    /// chi^2 of the pixels of a box.
    pub(super) fn chi2(&self, pixels: PixelBox) -> f64 {
        let first = (pixels.x0 - self.window.x0) as usize;
        let mut sum = 0.0;
        for y in pixels.y0..pixels.y1 {
            let (residual, weight) = self.row(y, first, pixels.width());
            let terms = residual.iter().zip(weight).map(|(r, w)| w * r * r);
            sum += terms.sum::<f64>();
        }
        sum
    }

    /// chi^2 of all pixels.
    pub(super) fn total_chi2(&self, run: Run<'_>) -> Result<f64, Error> {
        let row = self.window.width().max(1);
        let rows = self.chunks(row);
        let sum = |(): &mut (), (r, w): (&[f64], &[f64])| {
            let terms = r.iter().zip(w).map(|(r, w)| w * r * r);
            Ok(terms.sum::<f64>())
        };
        Ok(run.map(rows.collect(), || (), sum)?.into_iter().sum())
    }

    /// Whether some pixel of a box has a weight.
    pub(super) fn has_weight(&self, pixels: PixelBox) -> bool {
        let first = (pixels.x0 - self.window.x0) as usize;
        (pixels.y0..pixels.y1).any(|y| {
            let (_, weight) = self.row(y, first, pixels.width());
            weight.iter().any(|&w| w > 0.0)
        })
    }

    /// The largest weight of the pixels of a box, and that of one pixel (0 off the
    /// grid).
    pub(super) fn weights(&self, pixels: PixelBox, centre: (i64, i64)) -> (f64, f64) {
        let pixels = pixels.intersection(&self.window);
        let mut largest = 0.0;
        if !pixels.is_empty() {
            let first = (pixels.x0 - self.window.x0) as usize;
            for y in pixels.y0..pixels.y1 {
                let weights = self.row(y, first, pixels.width()).1;
                largest = weights.iter().copied().fold(largest, f64::max);
            }
        }
        if !self.window.contains(centre.0, centre.1) {
            return (largest, 0.0);
        }
        let first = (centre.0 - self.window.x0) as usize;
        (largest, self.row(centre.1, first, 1).1[0])
    }

    /// Adds images of stars to the model, in their order, band by band.
    pub(super) fn add(&mut self, fitter: &Fitter<'_>, images: &[Image]) -> Result<(), Error> {
        if images.is_empty() {
            return Ok(());
        }
        let boxes: Vec<_> = images.iter().map(|i| self.local(i.pixels)).collect();
        let bands = Bands::new(&boxes, self.window.height(), RENDERED);
        let size = (RENDERED * self.window.width()).max(1);
        let (window, rows) = (self.window, self.residual.chunks_mut(size));
        let tasks = rows
            .enumerate()
            .filter(|(band, _)| !bands.boxes(*band).is_empty())
            .collect();
        let add_to = |profile: &mut Vec<f64>, (band, pixels): (usize, &mut [f64])| {
            let window = band_window(&bands, band, window);
            let mut patch = Patch::new(window, pixels);
            for &i in bands.boxes(band) {
                let Image {
                    pixels,
                    hole,
                    parameters,
                    sign,
                } = &images[i];
                let part = pixels.intersection(&window);
                if profile.len() < part.len() {
                    profile.resize(part.len(), 0.0);
                }
                fitter.psf.fill(fitter.placement(parameters), part, profile);
                cut(profile, part, hole.intersection(&part));
                patch.add(part, profile, -sign * parameters[FLUX], NO_LEVEL);
            }
            Ok(())
        };
        fitter.run.map(tasks, Vec::new, add_to)?;
        Ok(())
    }

    /// The model on the grid: data minus residual.
    pub(super) fn light(
        &self,
        exposure: &Exposure,
        sources: &[Source],
        run: Run<'_>,
    ) -> Result<Vec<f64>, Error> {
        let bands = self.bands(sources);
        let size = (RENDERED * self.window.width()).max(1);
        let mut light = vec![0.0; self.residual.len()];
        let rows = light.chunks_mut(size).zip(self.residual.chunks(size));
        run.map(
            rows.enumerate().collect(),
            Levels::default,
            |levels, (band, (light, residual)): (usize, (&mut [f64], &[f64]))| {
                let window = band_window(&bands, band, self.window);
                gather(exposure, sources, bands.boxes(band), window, levels, light);
                for (light, residual) in light.iter_mut().zip(residual) {
                    *light -= residual;
                }
                Ok(())
            },
        )?;
        Ok(light)
    }

    /// Makes the weights that belong to the model; returns the largest change of one, as
    /// a part of it.
    pub(super) fn reweigh(
        &mut self,
        exposure: &Exposure,
        sources: &[Source],
        rule: &Weighting<'_>,
        loss: Option<&Loss>,
        run: Run<'_>,
    ) -> Result<f64, Error> {
        let light = self.light(exposure, sources, run)?;
        let (grid, width) = (self.window, self.window.width().max(1));
        let near = loss.map(|_| highest_neighbours(&light, width));
        let near = near.as_deref().unwrap_or(&light);
        let bands = self.bands(sources);
        let size = RENDERED * width;
        let planes = light.chunks(size).zip(near.chunks(size));
        let planes = planes.zip(self.residual.chunks(size));
        let tasks = self.weight.chunks_mut(size).zip(planes).enumerate();
        let image_width = exposure.image().width();
        let changes = run.map(
            tasks.collect(),
            Vec::new,
            |given: &mut Vec<f64>, (band, (weights, ((light, near), residual)))| {
                let window = band_window(&bands, band, grid);
                given.clear();
                given.resize(weights.len(), 0.0);
                for &i in bands.boxes(band) {
                    let part = sources[i].window.intersection(&window);
                    copy(exposure, part, window, given, |_, weight| weight.max(0.0));
                }
                let mut change: f64 = 0.0;
                let columns = window.x0 as usize..exposure.image().x1.min(window.x1) as usize;
                for (k, weights) in weights.chunks_mut(width).enumerate() {
                    // The lanes' padding is off the image.
                    let pixels = k * width..k * width + columns.len();
                    let row = Row {
                        first: (window.y0 as usize + k) * image_width + columns.start,
                        given: &given[pixels.clone()],
                        model: &light[pixels.clone()],
                        residual: &residual[pixels.clone()],
                        near: &near[pixels],
                    };
                    change = change.max(rule.weigh(&row, loss, weights));
                }
                Ok(change)
            },
        )?;
        Ok(changes.into_iter().fold(0.0, f64::max))
    }

    /// All weights, to be put back.
    pub(super) fn weight(&self) -> &[f64] {
        &self.weight
    }

    /// Puts other weights in the place of all, which are returned.
    pub(super) fn replace_weight(&mut self, weight: Vec<f64>) -> Vec<f64> {
        std::mem::replace(&mut self.weight, weight)
    }

    /// All residuals and weights.
    pub(super) fn pixels(&self) -> impl Iterator<Item = (f64, f64)> {
        self.residual
            .iter()
            .copied()
            .zip(self.weight.iter().copied())
    }

    /// The model on the grid, as what is left of the plane.
    pub(super) fn into_model(
        self,
        exposure: &Exposure,
        sources: &[Source],
        run: Run<'_>,
    ) -> Result<Model, Error> {
        let light = self.light(exposure, sources, run)?;
        Ok(Model::new(vec![(self.window, 0)], light, self.weight))
    }
}

/// Sets the pixels of `hole`, which lies in `part`, to 0.
///
/// Four boxes around it would do as well, but the PSFs that are formulas are computed
/// row by column: one box of 31 pixels takes half of the time of four around its core.
fn cut(profile: &mut [f64], part: PixelBox, hole: PixelBox) {
    if hole.is_empty() {
        return;
    }
    let column = (hole.x0 - part.x0) as usize;
    let first = (hole.y0 - part.y0) as usize * part.width();
    let rows = profile[first..part.len()].chunks_mut(part.width());
    for row in rows.take(hole.height()) {
        row[column..column + hole.width()].fill(0.0);
    }
}

/// The rows of a band of a grid, on the image.
pub(super) fn band_window(bands: &Bands, band: usize, grid: PixelBox) -> PixelBox {
    let rows = bands.window(band, grid.width());
    PixelBox::new(grid.x0, grid.x1, grid.y0 + rows.y0, grid.y0 + rows.y1)
}

/// Sums of local backgrounds, and how many there are in each pixel.
#[derive(Default)]
struct Levels {
    sums: Vec<f64>,
    counts: Vec<f64>,
}

/// Copies pixels of an exposure to the rows of `window`.
fn copy(
    exposure: &Exposure,
    part: PixelBox,
    window: PixelBox,
    target: &mut [f64],
    value: impl Fn(f64, f64) -> f64,
) {
    if part.is_empty() {
        return;
    }
    let column = (part.x0 - window.x0) as usize;
    let first = (part.y0 - window.y0) as usize * window.width();
    let rows = target[first..].chunks_mut(window.width());
    for (target, (residual, weight)) in rows.zip(exposure.rows(part)) {
        let pixels = target[column..].iter_mut().zip(residual.iter().zip(weight));
        for (target, (&r, &w)) in pixels {
            *target = value(r, w);
        }
    }
}

/// The data of the sources' pixels in `window`, minus the mean local background of
/// the boxes that hold each.
fn gather(
    exposure: &Exposure,
    sources: &[Source],
    members: &[usize],
    window: PixelBox,
    levels: &mut Levels,
    data: &mut [f64],
) {
    let own = || members.iter().map(|&i| &sources[i]);
    for source in own() {
        let part = source.window.intersection(&window);
        copy(exposure, part, window, data, |value, _| value);
    }
    if own().all(|source| source.background == 0.0) {
        return;
    }
    for plane in [&mut levels.sums, &mut levels.counts] {
        plane.clear();
        plane.resize(data.len(), 0.0);
    }
    for source in own() {
        let part = source.window.intersection(&window);
        for (x, y) in part.pixels() {
            let k = window.index_of(x, y);
            levels.sums[k] += source.background;
            levels.counts[k] += 1.0;
        }
    }
    let planes = levels.sums.iter().zip(&levels.counts);
    for (value, (sum, count)) in data.iter_mut().zip(planes) {
        *value -= sum / f64::max(*count, 1.0);
    }
}
