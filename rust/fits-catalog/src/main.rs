//! From a FITS image to a CSV catalogue of its stars, without Python:
//!
//! ```text
//! fits-catalog IMAGE.fits FWHM CATALOG.csv
//! ```
//!
//! An example of the crate `psfphot` as a native program uses it. It takes the first
//! image of two axes, measures and subtracts the sky, finds the stars of S/N 5 and fits
//! a round Gaussian of that full width at half maximum (pixels), integrated over the
//! pixels, to those that overlap together. `psfphot fit` does much more.

mod fits;
mod measure;

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use fits::FitsImage;
use psfphot::photometry::FittedSource;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [image, fwhm, catalog] = arguments.as_slice() else {
        eprintln!("usage: fits-catalog IMAGE.fits FWHM CATALOG.csv");
        return ExitCode::from(2);
    };
    match run(Path::new(image), fwhm, Path::new(catalog)) {
        Ok(n_stars) => {
            eprintln!("{n_stars} stars in {catalog}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("fits-catalog: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(image: &Path, fwhm: &str, catalog: &Path) -> Result<usize, Box<dyn Error>> {
    let fwhm = fwhm
        .parse()
        .map_err(|_| format!("FWHM has to be a number of pixels, got {fwhm:?}"))?;
    let image = FitsImage::read(image)?;
    let stars = measure::measure(&image.data, image.shape, fwhm)?;
    write(catalog, &image, &stars)?;
    Ok(stars.len())
}

/// Writes a row for each star; positions count from 0 at the centre of the first
/// pixel, and what is not known is empty.
fn write(path: &Path, image: &FitsImage, stars: &[FittedSource]) -> Result<(), Box<dyn Error>> {
    let mut table = csv::Writer::from_path(path)?;
    table.write_record([
        "id", "x", "y", "x_err", "y_err", "flux", "flux_err", "flags", "ra", "dec",
    ])?;
    let known = |value: f64| {
        if value.is_finite() {
            value.to_string()
        } else {
            String::new()
        }
    };
    for (row, star) in stars.iter().enumerate() {
        let sky = image.sky(star.x(), star.y());
        let (ra, dec) = sky.unwrap_or((f64::NAN, f64::NAN));
        let mut record = vec![(row + 1).to_string()];
        record.extend(
            [
                star.x(),
                star.y(),
                star.errors[psfphot::fit::X],
                star.errors[psfphot::fit::Y],
                star.flux(),
                star.flux_error(),
            ]
            .map(known),
        );
        record.push(star.flags.to_string());
        record.extend([ra, dec].map(known));
        table.write_record(&record)?;
    }
    table.flush()?;
    Ok(())
}
