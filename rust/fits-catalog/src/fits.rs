//! The image of a FITS file, by the crate `fitsrs`.

use std::error::Error;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use fitsrs::hdu::header::Header;
use fitsrs::hdu::header::extension::image::Image as ImageHeader;
use fitsrs::wcs::{ImgXY, WCS};
use fitsrs::{Fits, HDU, Pixels};

/// The first image of two axes in a file.
pub(crate) struct FitsImage {
    /// Row by row; NaN where BLANK says that there is no value.
    pub(crate) data: Vec<f64>,
    /// (ny, nx).
    pub(crate) shape: (usize, usize),
    wcs: Option<WCS>,
}

impl FitsImage {
    /// Reads the first image of two axes.
    pub(crate) fn read(path: &Path) -> Result<Self, Box<dyn Error>> {
        let named = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let file = File::open(path).map_err(|error| named(&error))?;
        let mut fits = Fits::from_reader(BufReader::new(file));
        while let Some(hdu) = fits.next() {
            let (HDU::Primary(hdu) | HDU::XImage(hdu)) = hdu.map_err(|error| named(&error))? else {
                continue;
            };
            let header = hdu.get_header();
            let &[nx, ny] = header.get_xtension().get_naxis() else {
                continue;
            };
            let data = scaled(fits.get_data(&hdu).pixels(), header);
            let shape = (usize::try_from(ny)?, usize::try_from(nx)?);
            if data.len() != shape.0 * shape.1 {
                return Err(named(&"the image ends early").into());
            }
            let wcs = hdu.wcs().ok();
            return Ok(Self { data, shape, wcs });
        }
        Err(named(&"there is no image of two axes").into())
    }

    /// Right ascension and declination of a pixel position, degrees; `None`
    /// without a world coordinate system, or where it has no sky.
    pub(crate) fn sky(&self, x: f64, y: f64) -> Option<(f64, f64)> {
        // The world coordinate system counts pixels from 1.
        let sky = self
            .wcs
            .as_ref()?
            .unproj_lonlat(&ImgXY::new(x + 1.0, y + 1.0))?;
        Some((
            sky.lon().to_degrees().rem_euclid(360.0),
            sky.lat().to_degrees(),
        ))
    }
}

/// The values that the stored ones stand for (FITS standard 4.0, section 4.4.2).
fn scaled<R: std::io::Read>(pixels: Pixels<R>, header: &Header<ImageHeader>) -> Vec<f64> {
    let number = |key| header.get_parsed::<f64>(key).ok();
    let (scale, zero) = (
        number("BSCALE").unwrap_or(1.0),
        number("BZERO").unwrap_or(0.0),
    );
    let blank = header.get_parsed::<i64>("BLANK").ok();
    let integer = |value: i64| {
        if blank == Some(value) {
            f64::NAN
        } else {
            zero + scale * value as f64
        }
    };
    match pixels {
        Pixels::U8(values) => values.map(|v| integer(v.into())).collect(),
        Pixels::I16(values) => values.map(|v| integer(v.into())).collect(),
        Pixels::I32(values) => values.map(|v| integer(v.into())).collect(),
        Pixels::I64(values) => values.map(integer).collect(),
        Pixels::F32(values) => values.map(|v| zero + scale * f64::from(v)).collect(),
        Pixels::F64(values) => values.map(|v| zero + scale * v).collect(),
    }
}
