//! The instruction sets that the native path's loops are compiled for. One is chosen at run time.

use std::{any::TypeId, env, fmt};

use pulp::{Arch, Scalar128b, Simd, WithSimd};

use crate::error::{Result, excerpt, usage};

/// Environment variable with the instruction set to use instead of the widest one.
const VARIABLE: &str = "RBM_GPU_INSTRUCTIONS";

/// An instruction set of this processor.
#[derive(Clone, Copy, Debug)]
pub struct Level {
    name: &'static str,
    /// None for the baseline.
    arch: Option<Arch>,
}

/// Instructions of every processor of this architecture, with vectors of four floats.
const BASELINE: Level = Level { name: "baseline", arch: None };

impl Level {
    /// All instruction sets of this processor, from the narrowest to the widest.
    pub fn all() -> Vec<Self> {
        [BASELINE].into_iter().chain(wider()).collect()
    }

    fn widest() -> Self {
        wider().last().unwrap_or(BASELINE)
    }

    /// The widest one, or the one in the environment variable `RBM_GPU_INSTRUCTIONS`.
    ///
    /// # Errors
    /// [`crate::Error::Usage`] if this processor doesn't have the named one.
    pub fn chosen() -> Result<Self> {
        let Some(wanted) = env::var_os(VARIABLE) else { return Ok(Self::widest()) };
        let (wanted, all) = (wanted.to_string_lossy(), Self::all());
        match all.iter().find(|level| level.name.eq_ignore_ascii_case(&wanted)) {
            Some(level) => Ok(*level),
            None => {
                let names: Vec<_> = all.iter().map(|level| level.name).collect();
                usage!(
                    "{VARIABLE}={}: expected an instruction set of this processor ({}); name one of these, or unset it",
                    excerpt(&wanted),
                    names.join(", ")
                )
            }
        }
    }

    /// Runs loops compiled for this instruction set. A closure must be marked `#[inline(always)]` and passed as an
    /// `FnOnce`: called through another trait, it may stay a separate function, compiled for the baseline.
    #[inline(always)]
    pub(crate) fn dispatch<W: WithSimd>(self, work: W) -> W::Output {
        match self.arch {
            Some(arch) => arch.dispatch(work),
            None => Scalar128b.vectorize(work),
        }
    }

    /// [`Level::dispatch`] for a closure, which becomes an `FnOnce` here.
    #[inline(always)]
    pub(crate) fn run<R>(self, work: impl FnOnce() -> R) -> R {
        self.dispatch(work)
    }

    /// This one, without AVX-512: for loops that transpose. The compiler would scatter and gather their numbers, which takes
    /// longer than AVX2's loads and stores.
    pub(crate) fn without_scatters(self) -> Self {
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        if let Some(Arch::V4(simd)) = self.arch {
            return Self { arch: Some(Arch::V3(*simd)), ..self };
        }
        self
    }

    /// Whether its vectors are the baseline's.
    pub(crate) fn is_baseline(self) -> bool {
        self.arch.is_none()
    }

    /// Whether it has BMI2. All processors with AVX2 do.
    #[cfg(target_arch = "x86_64")]
    pub(crate) fn has_bmi2(self) -> bool {
        matches!(self.arch, Some(Arch::V3(_) | Arch::V4(_)))
    }
}

impl Default for Level {
    /// The chosen one, or the widest one if the choice is invalid; [`crate::device::choose`] refuses an invalid choice.
    fn default() -> Self {
        Self::chosen().unwrap_or_else(|_| Self::widest())
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(if self.is_baseline() { "baseline instructions" } else { self.name })
    }
}

/// Instruction sets beyond the baseline, x86-64.
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
fn wider() -> impl Iterator<Item = Level> {
    let avx2 = pulp::x86::V3::try_new().map(|simd| Level { name: "AVX2", arch: Some(Arch::V3(simd)) });
    let avx512 = pulp::x86::V4::try_new().map(|simd| Level { name: "AVX-512", arch: Some(Arch::V4(simd)) });
    avx2.into_iter().chain(avx512)
}

/// Instruction sets beyond the baseline.
#[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
fn wider() -> impl Iterator<Item = Level> {
    let arch = Arch::new();
    let name = if cfg!(target_arch = "aarch64") { "NEON" } else { "vectors" };
    (!matches!(arch, Arch::Scalar)).then_some(Level { name, arch: Some(arch) }).into_iter()
}

/// a·b + c, rounded once where the instruction set allows. For portable vectors pulp would call a function per number.
#[inline(always)]
pub(crate) fn multiply_add<S: Simd>(simd: S, a: S::f32s, b: S::f32s, c: S::f32s) -> S::f32s {
    if TypeId::of::<S>() == TypeId::of::<Scalar128b>() {
        simd.add_f32s(simd.mul_f32s(a, b), c)
    } else {
        simd.mul_add_e_f32s(a, b, c)
    }
}
