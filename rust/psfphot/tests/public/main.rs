//! The crate as its users call it: one program, so that what all tests call is
//! compiled and linked once.

mod analytic_psfs;
mod approach;
mod bounds;
mod covariance;
mod epsf;
mod finders;
mod photometry;
mod psf_models;
mod score;
