//! A background for skies that are steep within a box.
//!
//! The gradient inside a box is no noise, and a mesh of medians is flat in its
//! outer half box. So a surface is fitted to the mesh and subtracted, and then
//! meshes of what is left are added to it: within a box nothing remains but
//! noise and stars, and beyond its edge the mesh goes on as a parabola.

use std::ops::Range;

use super::boxes::{BoxSettings, BoxSpace, BoxStatistics};
use super::cuts::{Cuts, check_box_shape};
use super::distance_weights::{DistanceWeights, fill_nodes};

use super::median::median_filter;
use super::polynomial::{Node, Polynomial};
use super::quantum::Quantum;
use super::rendered::Rendered;
use super::sheet::{Sheet, range};
use super::slope::{continue_nodes, smooth};
use super::sources::source_mask;
use crate::background::estimator::Scatter;
use crate::image::{Frame, Image, Pixel};
use crate::{Error, Run};

/// A box takes part if this part of it can be used; of the usable pixels at
/// least this part is never masked as sources.
const LEAST_PART: f64 = 0.1;

/// A box bears the surface if it has this part of the pixels of the fullest one.
const WHOLE_PART: f64 = 0.7;

/// How a background is measured on residuals.
#[derive(Debug, Clone, PartialEq)]
pub struct ResidualSettings {
    /// About how many pixels a box has along y and x.
    pub box_shape: (usize, usize),
    /// What is measured in each box.
    pub statistics: BoxSettings,
    /// The highest degree of the surface, up to 5.
    pub highest_degree: usize,
    /// How many meshes of residuals are added to the surface.
    pub rounds: usize,
    /// The full width at half maximum of stars: they are masked for one mesh
    /// more. `None` for no masking.
    pub fwhm: Option<f64>,
    /// How many standard deviations of the filtered image sources stand out by.
    pub threshold: f64,
}

/// A background and its noise at each pixel.
#[derive(Debug, Clone, PartialEq)]
pub struct ResidualBackground<T> {
    /// The background.
    pub level: Vec<T>,
    /// The noise, 1 sigma of a pixel.
    pub scatter: Vec<T>,
    /// In the boxes: background, noise, and how many pixels gave it.
    pub mesh: BoxStatistics,
    /// Boxes with too few usable pixels, filled by their neighbours.
    pub excluded: Vec<bool>,
    /// The degree of the surface.
    pub degree: usize,
    /// The pixels masked as sources, if they were looked for.
    pub sources: Option<Vec<bool>>,
}

/// A background and its noise as splines on a mesh, which tell them at any pixel
/// without an image of them.
#[derive(Debug, Clone, PartialEq)]
pub struct ResidualSheets {
    /// The background.
    pub level: Sheet,
    /// The noise, 1 sigma of a pixel; between [`Self::limits`].
    pub scatter: Sheet,
    /// The lowest and the highest noise.
    pub limits: (f64, f64),
    /// In the boxes: background, noise, and how many pixels gave it.
    pub mesh: BoxStatistics,
    /// Boxes with too few usable pixels, filled by their neighbours.
    pub excluded: Vec<bool>,
    /// The degree of the surface.
    pub degree: usize,
    /// The pixels masked as sources, if they were looked for.
    pub sources: Option<Vec<bool>>,
}

/// The background of an image whose sky may be steep.
///
/// # Errors
/// [`Error::InvalidArgument`] if a side of the boxes is 0, the degree above 5,
/// the FWHM not positive, or no pixel can be used; [`Error::Cancelled`].
pub fn residual_background<T: Pixel>(
    frame: &Frame<'_, T>,
    settings: &ResidualSettings,
    run: Run<'_>,
) -> Result<ResidualBackground<T>, Error> {
    let shape = frame.data().shape();
    let everything = (f64::NEG_INFINITY, f64::INFINITY);
    let sheets = residual_sheets(frame, settings, run)?;
    Ok(ResidualBackground {
        level: sheets.level.over(shape).image(everything, run)?,
        scatter: sheets.scatter.over(shape).image(sheets.limits, run)?,
        mesh: sheets.mesh,
        excluded: sheets.excluded,
        degree: sheets.degree,
        sources: sheets.sources,
    })
}

/// The background of an image whose sky may be steep, as splines: what
/// [`residual_background`] makes images of.
///
/// # Errors
/// As [`residual_background`].
pub fn residual_sheets<T: Pixel>(
    frame: &Frame<'_, T>,
    settings: &ResidualSettings,
    run: Run<'_>,
) -> Result<ResidualSheets, Error> {
    check(settings)?;
    let work = Work::new(frame, settings, run)?;
    let plain = work.measure(None, None, Scatter::Std)?;
    let excluded = work.excluded(&plain)?;
    let surface = Polynomial::fit(
        &nodes(&plain, &excluded),
        work.cuts.shape(),
        settings.highest_degree,
    );
    let mut sheet = Sheet::polynomial(work.cuts.shape(), |v, u| surface.value(v, u));
    let mut last = plain;
    for _ in 0..settings.rounds {
        last = work.improve(&mut sheet, &excluded, None)?;
    }
    let mut sources = None;
    if let Some(fwhm) = settings.fwhm {
        let rms = work.render_scatter(&last, &excluded)?;
        let models = (&work.render(&sheet), &rms);
        let mask = source_mask(frame, models, fwhm, settings.threshold, run)?;
        work.improve(&mut sheet, &excluded, Some(&mask))?;
        sources = Some(mask);
    }
    let rendered = work.render(&sheet);
    let scatter = settings.statistics.scatter;
    let mut mesh = work.measure(Some(&rendered), sources.as_deref(), scatter)?;
    let scatter = work.smooth_scatter(&mesh, &excluded)?;
    let limits = range(&scatter);
    let noise = Sheet::mirrored(Image::new(&scatter, mesh.shape)?);
    mesh.level = work.at_nodes(&sheet);
    mesh.scatter = scatter;
    Ok(ResidualSheets {
        level: sheet,
        scatter: noise,
        limits,
        mesh,
        excluded,
        degree: surface.degree(),
        sources,
    })
}

fn check(settings: &ResidualSettings) -> Result<(), Error> {
    check_box_shape(settings.box_shape)?;
    if settings.highest_degree > 5 {
        let got = settings.highest_degree;
        return Err(Error::invalid("highest_degree", "be at most 5", got));
    }
    if let Some(fwhm) = settings.fwhm {
        Error::check_positive("fwhm", fwhm)?;
    }
    Ok(())
}

/// The nodes that take part in the surface: those of boxes that are mostly
/// usable, because the pixels of others lie to one side of the node; all if
/// those are few.
fn nodes(mesh: &BoxStatistics, excluded: &[bool]) -> Vec<Node> {
    let columns = mesh.shape.1;
    let usable: Vec<usize> = (0..excluded.len())
        .filter(|&k| !excluded[k] && mesh.level[k].is_finite())
        .collect();
    let most = usable.iter().map(|&k| mesh.n_pixels[k]).max().unwrap_or(0) as f64;
    let is_whole = |k: &usize| mesh.n_pixels[*k] as f64 >= WHOLE_PART * most;
    let whole: Vec<usize> = usable.iter().copied().filter(is_whole).collect();
    let chosen = if 2 * whole.len() > usable.len() {
        whole
    } else {
        usable
    };
    chosen
        .into_iter()
        .map(|k| Node {
            row: k / columns,
            column: k % columns,
            value: mesh.level[k],
            weight: mesh.n_pixels[k] as f64,
        })
        .collect()
}

/// Rows and columns of a box.
type Place = (Range<usize>, Range<usize>);

/// What all steps share.
struct Work<'a, T> {
    frame: &'a Frame<'a, T>,
    settings: &'a ResidualSettings,
    run: Run<'a>,
    cuts: Cuts,
    /// The step of the pixels' values, if they lie on a lattice.
    quantum: Option<Quantum>,
}

impl<'a, T: Pixel> Work<'a, T> {
    fn new(
        frame: &'a Frame<'a, T>,
        settings: &'a ResidualSettings,
        run: Run<'a>,
    ) -> Result<Self, Error> {
        Ok(Self {
            frame,
            settings,
            run,
            cuts: Cuts::even(frame.data().shape(), settings.box_shape),
            quantum: Quantum::of(frame, run)?,
        })
    }

    /// Measures what a model leaves in each box.
    fn measure(
        &self,
        model: Option<&Rendered>,
        sources: Option<&[bool]>,
        scatter: Scatter,
    ) -> Result<BoxStatistics, Error> {
        let shape = self.frame.data().shape();
        let hidden = sources.map(|mask| Image::new(mask, shape)).transpose()?;
        let settings = BoxSettings {
            scatter,
            ..self.settings.statistics
        };
        let gather = |space: &mut BoxSpace, place: &Place, quantum| {
            space.collect(self.frame, None, place.clone(), model, quantum);
            if hidden.is_some() {
                let least = LEAST_PART * space.values.len() as f64;
                space.collect(self.frame, hidden, place.clone(), model, quantum);
                if (space.values.len() as f64) < least {
                    space.collect(self.frame, None, place.clone(), model, quantum);
                }
            }
        };
        let results = self.cuts.map(self.run, BoxSpace::default, |space, place| {
            gather(space, &place, self.quantum);
            let (level, scatter, n) = space.measure(&settings, self.run)?;
            let Some(quantum) = self.quantum else {
                return Ok((level, scatter, n));
            };
            let mut scatter = quantum.without_dither(scatter);
            if quantum.is_coarse(scatter) {
                gather(space, &place, None);
                let clip = settings.clip.map(|clip| (clip.lower, clip.upper));
                let limits = clip.unwrap_or((f64::INFINITY, f64::INFINITY));
                scatter = quantum.coarse_scatter(&space.values, level, limits);
            }
            Ok((level, scatter, n))
        })?;
        Ok(BoxStatistics::new(self.cuts.shape(), &results))
    }

    /// The boxes with too few pixels; all that have any are taken if there is
    /// no better one.
    fn excluded(&self, mesh: &BoxStatistics) -> Result<Vec<bool>, Error> {
        let shape = self.frame.data().shape();
        let (rows, columns) = mesh.shape;
        let area = (shape.0 * shape.1) as f64 / (rows * columns) as f64;
        let below = |least: f64| -> Vec<bool> {
            let numbers = mesh.n_pixels.iter();
            numbers.map(|&n| (n as f64) < least || n == 0).collect()
        };
        let excluded = below(LEAST_PART * area);
        if excluded.contains(&false) {
            return Ok(excluded);
        }
        let empty = below(1.0);
        if empty.contains(&false) {
            return Ok(empty);
        }
        Err(Error::invalid("data", "have pixels to be used", "none"))
    }

    /// Adds the mesh of the residual, which is returned. Its scatter is the
    /// standard deviation, which costs a third less than one of deviations.
    fn improve(
        &self,
        sheet: &mut Sheet,
        excluded: &[bool],
        sources: Option<&[bool]>,
    ) -> Result<BoxStatistics, Error> {
        let mesh = self.measure(Some(&self.render(sheet)), sources, Scatter::Std)?;
        let level = Image::new(&mesh.level, mesh.shape)?;
        let mut filled = fill_nodes(level, excluded, &DistanceWeights::default(), self.run)?;
        continue_nodes(&mut filled, excluded, mesh.shape);
        let filtered = smooth(&filled, mesh.shape, self.run)?;
        sheet.add(&Sheet::continued(Image::new(&filtered, mesh.shape)?));
        Ok(mesh)
    }

    fn smooth_scatter(&self, mesh: &BoxStatistics, excluded: &[bool]) -> Result<Vec<f64>, Error> {
        let scatter = Image::new(&mesh.scatter, mesh.shape)?;
        let filled = fill_nodes(scatter, excluded, &DistanceWeights::default(), self.run)?;
        median_filter(Image::new(&filled, mesh.shape)?, (3, 3), self.run)
    }

    fn render_scatter(&self, mesh: &BoxStatistics, excluded: &[bool]) -> Result<Rendered, Error> {
        let scatter = self.smooth_scatter(mesh, excluded)?;
        Ok(self.render(&Sheet::mirrored(Image::new(&scatter, mesh.shape)?)))
    }

    fn render(&self, sheet: &Sheet) -> Rendered {
        sheet.over(self.frame.data().shape())
    }

    /// The background at the centres of the boxes.
    fn at_nodes(&self, sheet: &Sheet) -> Vec<f64> {
        let (rows, columns) = self.cuts.shape();
        let rendered = sheet.render((rows, columns), (1.0, 1.0));
        let mut values = vec![0.0; rows * columns];
        for (row, line) in values.chunks_exact_mut(columns).enumerate() {
            rendered.row(row, 0..columns, line);
        }
        values
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::background::{Clip, Level};
    use crate::run::CancelAfter;

    const SHAPE: (usize, usize) = (180, 150);

    fn settings() -> ResidualSettings {
        ResidualSettings {
            box_shape: (20, 20),
            statistics: BoxSettings {
                clip: Some(Clip::default()),
                level: Level::Median,
                scatter: Scatter::MadStd,
            },
            highest_degree: 5,
            rounds: 2,
            fwhm: Some(2.5),
            threshold: 5.0,
        }
    }

    fn sky(k: usize) -> f64 {
        let (y, x) = ((k / SHAPE.1) as f64, (k % SHAPE.1) as f64);
        900.0 + 12.0 * x + 0.1 * x * y + 6.0 * (y / 30.0).sin()
    }

    /// Uniform noise of a standard deviation of 1, and bright pixels.
    fn image() -> Vec<f64> {
        let mut state = 1_u64;
        (0..SHAPE.0 * SHAPE.1)
            .map(|k| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                let uniform = (state >> 11) as f64 / 2f64.powi(53) - 0.5;
                sky(k) + 12f64.sqrt() * uniform + if k % 97 == 0 { 3e4 } else { 0.0 }
            })
            .collect()
    }

    #[test]
    fn a_steep_sky_is_found_up_to_the_corners() -> Result<(), Error> {
        let mut data = image();
        data[..40 * SHAPE.1].fill(f64::NAN);
        let frame = Frame::new(Image::new(&data, SHAPE)?);
        let found = residual_background(&frame, &settings(), Run::new())?;
        for k in 40 * SHAPE.1..data.len() {
            let error = found.level[k] - sky(k);
            assert!(error.abs() < 3.0, "{k} {error}");
            // Of uniform noise the MAD is √3 / 2.
            assert!((found.scatter[k] / 1.284 - 1.0).abs() < 0.15, "{k}");
        }
        assert!(found.excluded[..2 * 8].iter().all(|&excluded| excluded));
        assert!(found.sources.is_some_and(|mask| mask[97 * 100]));
        Ok(())
    }

    #[test]
    fn threads_change_no_bit_and_runs_can_be_cancelled() -> Result<(), Error> {
        let data = image();
        let frame = Frame::new(Image::new(&data, SHAPE)?);
        let run = |run: Run<'_>| residual_background(&frame, &settings(), run);
        assert_eq!(run(Run::new())?, run(Run::new().serial())?);
        for n in [0, 3, 10, 20] {
            let monitor = CancelAfter::new(n);
            let stopped = run(Run::new().serial().with_monitor(&monitor));
            assert_eq!(stopped.err(), Some(Error::Cancelled));
        }
        Ok(())
    }

    #[test]
    fn images_of_any_size_have_a_background() -> Result<(), Error> {
        for shape in [(1, 1), (1, 50), (7, 3), (33, 1)] {
            let data = vec![5.0_f32; shape.0 * shape.1];
            let frame = Frame::new(Image::new(&data, shape)?);
            let found = residual_background(&frame, &settings(), Run::new())?;
            assert!(
                found.level.iter().all(|v| (v - 5.0).abs() < 1e-5),
                "{shape:?}"
            );
        }
        Ok(())
    }

    #[test]
    fn bad_calls_are_named() -> Result<(), Error> {
        let data = [f64::NAN; 12];
        let frame = Frame::new(Image::new(&data, (3, 4))?);
        let message = |settings: ResidualSettings| {
            let result = residual_background(&frame, &settings, Run::new());
            result
                .err()
                .map(|error| error.to_string())
                .unwrap_or_default()
        };
        assert!(message(settings()).starts_with("data must have pixels"));
        let fwhm = Some(0.0);
        assert!(message(ResidualSettings { fwhm, ..settings() }).starts_with("fwhm must"));
        let highest_degree = 6;
        let high = ResidualSettings {
            highest_degree,
            ..settings()
        };
        assert!(message(high).starts_with("highest_degree must"));
        let box_shape = (0, 1);
        let thin = ResidualSettings {
            box_shape,
            ..settings()
        };
        assert!(message(thin).starts_with("box_size must"));
        Ok(())
    }
}
