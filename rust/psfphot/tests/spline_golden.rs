//! The spline against scipy's `RectBivariateSpline(kx=3, ky=3, s=0)`.
//!
//! The file is made by `tests/data/make_golden.py`: for each image a line
//! `image NY NX`, its rows, a line `points N`, and N lines `x y value dx dy`.

use std::str::FromStr;

use psfphot::image::Image;
use psfphot::psf::{Placement, Psf, SampledPsf, Sampling};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/spline.txt");

struct Words<'a>(std::str::SplitWhitespace<'a>);

impl Words<'_> {
    fn next<T: FromStr>(&mut self) -> Option<T> {
        self.0.next()?.parse().ok()
    }
}

#[test]
fn values_and_derivatives_are_those_of_scipy() {
    let text: String = std::fs::read_to_string(GOLDEN)
        .unwrap()
        .lines()
        .filter(|line| !line.starts_with('#'))
        .flat_map(|line| [line, "\n"])
        .collect();
    let mut words = Words(text.split_whitespace());
    let mut n_images = 0;
    while let Some(word) = words.0.next() {
        assert_eq!(word, "image");
        let shape: (usize, usize) = (words.next().unwrap(), words.next().unwrap());
        let samples: Vec<f64> = (0..shape.0 * shape.1)
            .map(|_| words.next().unwrap())
            .collect();
        let peak = samples.iter().fold(0.0_f64, |peak, v| peak.max(v.abs()));
        // One sample per pixel and the source on sample 0: pixels are samples.
        let sampling = Sampling::new((1.0, 1.0)).with_origin((0.0, 0.0));
        let psf = SampledPsf::new(Image::new(&samples, shape).unwrap(), sampling).unwrap();
        let at = Placement {
            x: 0.0,
            y: 0.0,
            shape: &[],
        };
        assert_eq!(words.0.next(), Some("points"));
        for _ in 0..words.next::<usize>().unwrap() {
            let [x, y, value, dx, dy] = [(); 5].map(|()| words.next::<f64>().unwrap());
            let mut gradient = [0.0; 2];
            let ours = psf.value_and_gradient(at, x, y, &mut gradient);
            // Derivatives by the position are minus those by the pixel.
            for (ours, scipy) in [(ours, value), (-gradient[0], dx), (-gradient[1], dy)] {
                assert!(
                    (ours - scipy).abs() < 1e-12 * peak,
                    "({x}, {y}) of {shape:?}: {ours} {scipy}"
                );
            }
        }
        n_images += 1;
    }
    assert!(n_images >= 9);
}
