//! Neighbours: which points are near which.
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`cells`] | square cells of points, for pairs within one given distance |
//! | [`tree`] | a k-d tree, for the nearest point and for any distance |
//! | [`disjoint`] | the sets that links between neighbours make |
//!
//! [`group`](crate::group), [`matching`](crate::matching), the finders and the
//! search for duplicates stand on it.

pub(crate) mod cells;
pub(crate) mod disjoint;
pub(crate) mod tree;
