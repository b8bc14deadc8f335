//! The boxes of fitted stars, looked at one by one.

use crate::Error;
use crate::image::PixelBox;
use crate::render::RenderSource;
use crate::run::{Run, chunks};

/// Stars that make a task.
const TASK: usize = 64;

/// What `look` tells of each star with the part of its box that is on an image; a thread's
/// buffers go from star to star.
///
/// # Errors
/// [`Error::Cancelled`].
pub(super) fn look_at<W: Default, R: Send>(
    stars: &[RenderSource<'_>],
    fit_shape: (usize, usize),
    image: PixelBox,
    run: Run<'_>,
    look: impl Fn(&mut W, &RenderSource<'_>, PixelBox) -> R + Sync,
) -> Result<Vec<R>, Error> {
    let parts = run.map(chunks(stars.len(), TASK), W::default, |work, range| {
        let looks = stars[range].iter().map(|star| {
            let window = PixelBox::around(star.x, star.y, fit_shape);
            look(work, star, window.intersection(&image))
        });
        Ok(looks.collect::<Vec<_>>())
    })?;
    Ok(parts.into_iter().flatten().collect())
}
