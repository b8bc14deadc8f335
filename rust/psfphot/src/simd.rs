//! Run-time choice of the instruction set: the one module with `unsafe`.
//!
//! A kernel is written once, as an `#[inline(always)]` function generic over
//! `const FMA: bool`, in plain safe code that the compiler vectorises.
//! [`dispatch!`](crate::simd::dispatch) compiles it twice, once with AVX2 and
//! FMA, and calls the version that the processor has.

/// `a * b + c`, fused where the kernel is compiled with FMA (elsewhere
/// `mul_add` would be a library call).
#[inline(always)]
#[allow(clippy::inline_always)] // must take on the caller's target features
pub(crate) fn mul_add<const FMA: bool>(a: f64, b: f64, c: f64) -> f64 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
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
            $kernel::<false $(, $($param)*)?>($($arg),*)
        }
    };
}
pub(crate) use dispatch;
