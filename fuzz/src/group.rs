//! Friends-of-friends groups.

use psfphot::group::{group as find_groups, thin};

use crate::bytes::Bytes;
use crate::calls::call;
use crate::field::positions;

/// Groups are numbered from 1 in the order of their first members; near sources
/// share one, and every member of a larger one has another near it. Of thinned
/// sources none is near another, and who went has one that stayed near it.
///
/// # Panics
/// Where the core breaks a promise.
pub fn group(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    let side = 1 + bytes.below(60);
    let (x, mut y) = positions(&mut bytes, (side, side), 40);
    if bytes.one_in(32) {
        y.pop();
    }
    let separation = bytes.number(0.0, 8.0);
    let n = x.len();
    let groups = call(&mut bytes, Some(n), |run| {
        find_groups(&x, &y, separation, run)
    });
    let stays = call(&mut bytes, Some(n), |run| thin(&x, &y, separation, run));
    let near = |i: usize, j: usize, slack: f64| {
        let distance = (x[i] - x[j]).hypot(y[i] - y[j]);
        distance <= separation * (1.0 + slack)
    };
    // Squares that over- or underflow compare otherwise.
    let is_tame = (1e-100..1e100).contains(&separation);
    if let Ok(groups) = groups {
        assert_eq!(groups.len(), n, "a number for each source");
        check_numbers(&groups);
        if is_tame {
            check_groups(&groups, near);
        }
    }
    if let Ok(stays) = stays {
        assert_eq!(stays.len(), n, "an answer for each source");
        if is_tame {
            check_thinned(&stays, near);
        }
    }
}

fn check_numbers(groups: &[i64]) {
    let mut last = 0;
    for &id in groups {
        assert!((1..=last + 1).contains(&id), "{groups:?}");
        last = last.max(id);
    }
}

fn check_groups(groups: &[i64], near: impl Fn(usize, usize, f64) -> bool) {
    for i in 0..groups.len() {
        let others = || (0..groups.len()).filter(move |&j| j != i);
        for j in others().filter(|&j| near(i, j, -1e-9)) {
            assert_eq!(groups[i], groups[j], "{i} and {j} are near");
        }
        let is_shared = others().any(|j| groups[i] == groups[j]);
        let has_friend = others().any(|j| groups[i] == groups[j] && near(i, j, 1e-9));
        assert_eq!(is_shared, has_friend, "{i} in {groups:?}");
    }
}

fn check_thinned(stays: &[bool], near: impl Fn(usize, usize, f64) -> bool) {
    for i in 0..stays.len() {
        let mut earlier = (0..i).filter(|&j| stays[j]);
        if stays[i] {
            assert!(!earlier.any(|j| near(i, j, -1e-9)), "{i} stays");
        } else {
            assert!(earlier.any(|j| near(i, j, 1e-9)), "{i} goes");
        }
    }
}
