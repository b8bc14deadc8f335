//! Fuzz targets for psfphot's core.
//!
//! Every target is a function of bytes: it makes arguments of them, likely and
//! unlikely ones, calls the core, and panics where the core breaks what it
//! promises. `cargo fuzz` calls them with bytes that lead to new code, the test
//! `bounded` with random ones.
//!
//! Of every call holds: no panic; the same bits on one thread and on two; a
//! monitor that asks to stop is obeyed or was too late; an error is of the
//! declared kinds, and [`psfphot::Error::Cancelled`] only where it was asked for.

mod aperture;
mod background;
mod bytes;
mod calls;
mod epsf;
mod field;
mod find;
mod fit;
mod group;
mod matching;
mod psfs;
mod render;
mod search;
mod system;

pub use aperture::aperture;
pub use background::background;
pub use epsf::epsf;
pub use find::find;
pub use fit::fit;
pub use group::group;
pub use matching::matching;
pub use render::render;
pub use search::search;
pub use system::system;

/// A target: what it is called, and what it does with bytes.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: &[Target] = &[
    ("aperture", aperture),
    ("background", background),
    ("epsf", epsf),
    ("find", find),
    ("fit", fit),
    ("group", group),
    ("matching", matching),
    ("render", render),
    ("search", search),
    ("system", system),
];
