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

/// `a * b + c` of four elements, in one instruction where the kernel is compiled with FMA
/// for x86-64.
///
/// Left to find the vectors itself, the compiler makes them across sums that are added up
/// after the loop, with a shuffle for most products, or none at all: nine sums of products
/// of planes took five times as many instructions.
#[inline(always)]
#[allow(clippy::inline_always)] // must take on the caller's target features
pub(crate) fn mul_add_4<const FMA: bool>(a: [f64; 4], b: [f64; 4], c: [f64; 4]) -> [f64; 4] {
    #[cfg(target_arch = "x86_64")]
    if FMA {
        use std::arch::x86_64::{__m256d, _mm256_fmadd_pd};
        use std::mem::transmute;
        // SAFETY: kernels are compiled with FMA only for processors that have it, and with
        // it AVX; vectors are four numbers.
        #[allow(unsafe_code)]
        return unsafe {
            let [a, b, c] = transmute::<[[f64; 4]; 3], [__m256d; 3]>([a, b, c]);
            transmute::<__m256d, [f64; 4]>(_mm256_fmadd_pd(a, b, c))
        };
    }
    std::array::from_fn(|l| mul_add::<FMA>(a[l], b[l], c[l]))
}

/// Their sum.
#[inline(always)]
#[allow(clippy::inline_always)]
pub(crate) fn total([a, b, c, d]: [f64; 4]) -> f64 {
    (a + b) + (c + d)
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
