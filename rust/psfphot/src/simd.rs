//! Run-time choice of the instruction set: the one module with `unsafe`.
//!
//! A kernel is written once, as an `#[inline(always)]` function generic over
//! `const FMA: bool`, in plain safe code that the compiler vectorises.
//! [`dispatch!`](crate::simd::dispatch) calls it with FMA where every processor
//! of the target has it. On x86-64 it compiles it twice, once with AVX2 and FMA,
//! and calls the version that the processor has.

/// Whether all processors of the target have FMA.
pub(crate) const HAS_FMA: bool = cfg!(any(target_arch = "aarch64", target_feature = "fma"));

/// `a * b + c`, fused where the kernel is compiled with FMA (elsewhere
/// `mul_add` would be a library call).
#[inline(always)]
#[allow(clippy::inline_always)] // must take on the caller's target features
pub(crate) fn mul_add<const FMA: bool>(a: f64, b: f64, c: f64) -> f64 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// Asks for the memory of `values`, to be near once they are read: of many places at
/// once, where reading waits for a few.
#[inline]
pub(crate) fn prefetch<T>(values: &[T]) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        const LINE: usize = 64;
        let lines = values.iter().step_by((LINE / size_of::<T>().max(1)).max(1));
        for value in lines.chain(values.last()) {
            // SAFETY: it changes nothing, whatever the address.
            #[allow(unsafe_code)]
            unsafe {
                _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(value).cast());
            }
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = values;
}

/// Four numbers that are worked on at once. Of loops over `[f64; 4]` the compiler makes
/// vectors of four or of two, or none, by what is compiled beside them.
///
/// `FMA` is that of the kernel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Four<const FMA: bool>([f64; 4]);

#[allow(clippy::inline_always)] // parts of kernels
impl<const FMA: bool> Four<FMA> {
    pub(crate) const ZERO: Self = Self([0.0; 4]);

    #[inline(always)]
    pub(crate) fn new(numbers: &[f64; 4]) -> Self {
        Self(*numbers)
    }

    #[inline(always)]
    pub(crate) fn splat(number: f64) -> Self {
        Self([number; 4])
    }

    /// `self * b + c`, each of the four.
    #[inline(always)]
    pub(crate) fn mul_add(self, b: Self, c: Self) -> Self {
        #[cfg(target_arch = "x86_64")]
        if FMA {
            use std::arch::x86_64::{__m256d, _mm256_fmadd_pd};
            use std::mem::transmute;
            // By value: of pointers to the numbers some builds make copies in memory.
            // SAFETY: kernels are compiled with FMA where processors have AVX and FMA
            // alone; a vector is four numbers.
            #[allow(unsafe_code)]
            return unsafe {
                let [a, b, c] = [self, b, c].map(|four| transmute::<[f64; 4], __m256d>(four.0));
                Self(transmute::<__m256d, [f64; 4]>(_mm256_fmadd_pd(a, b, c)))
            };
        }
        Self(std::array::from_fn(|l| {
            mul_add::<FMA>(self.0[l], b.0[l], c.0[l])
        }))
    }

    /// Writes them into four places.
    #[inline(always)]
    pub(crate) fn store(self, numbers: &mut [f64]) {
        numbers.copy_from_slice(&self.0);
    }

    #[inline(always)]
    pub(crate) fn sum(self) -> f64 {
        let [a, b, c, d] = self.0;
        (a + b) + (c + d)
    }
}

/// Defines a function `$name(args)` that runs `$kernel::<FMA, ..>(args)`
/// with the best instruction set of this processor.
macro_rules! dispatch {
    (
        $(#[$doc:meta])*
        $vis:vis fn $name:ident $([$($generic:tt)*])? ($($arg:ident : $type:ty),* $(,)?) $(-> $ret:ty)?
            = $kernel:ident $([$($param:tt)*])?
    ) => {
        $(#[$doc])*
        #[allow(clippy::too_many_arguments)]
        $vis fn $name $(<$($generic)*>)? ($($arg: $type),*) $(-> $ret)? {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,fma")]
                #[allow(clippy::too_many_arguments)]
                fn with_avx2 $(<$($generic)*>)? ($($arg: $type),*) $(-> $ret)? {
                    $kernel::<true $(, $($param)*)?>($($arg),*)
                }
                if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                    // SAFETY: the processor has the features that the function needs.
                    #[allow(unsafe_code)]
                    return unsafe { with_avx2($($arg),*) };
                }
            }
            $kernel::<{ $crate::simd::HAS_FMA } $(, $($param)*)?>($($arg),*)
        }
    };
}
pub(crate) use dispatch;

#[cfg(test)]
mod tests {
    use super::*;

    dispatch! {
        fn product_and_sum(a: f64, b: f64, c: f64) -> f64 = kernel
    }

    fn kernel<const FMA: bool>(a: f64, b: f64, c: f64) -> f64 {
        mul_add::<FMA>(a, b, c)
    }

    #[test]
    fn products_are_fused_where_the_processor_can() {
        #[cfg(target_arch = "x86_64")]
        let is_fused = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        #[cfg(not(target_arch = "x86_64"))]
        let is_fused = cfg!(target_arch = "aarch64");
        // a² is 1 + 2⁻²⁹ + 2⁻⁶⁰, of which f64 holds all but the last.
        let a = 1.0 + 2.0_f64.powi(-30);
        let left = product_and_sum(a, a, -(a * a));
        let expected = if is_fused { 2.0_f64.powi(-60) } else { 0.0 };
        assert_eq!(left.to_bits(), expected.to_bits());
    }
}
