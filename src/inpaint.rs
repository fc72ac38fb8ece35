//! Inpainting: samples the unknown visible units of a case given the known ones, by Gibbs steps with the known units clamped.
//!
//! The mean of p(v|h) over such a chain is the expectation of the unknown units given the known ones, the guess with the
//! least expected squared error. Several chains per case start from the mean of the training cases. β rises from 0 to 1 on
//! the [`Path`] from independent units, so that a chain doesn't get stuck in the first mode it meets.

pub(crate) mod mask;

pub use mask::{Mask, Region};

use crate::{
    backend::{BackendExt, ClampUnits, Draw, HalfStep, Path},
    base::Base,
    data::Rows,
    error::Result,
    inference::Inference,
    rbm::Side,
    rng::Stream,
};

/// Effort of inpainting.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Effort {
    /// Chains per case.
    pub chains: usize,
    /// Gibbs steps of each chain: the first half anneals, the second half is averaged.
    pub steps: usize,
}

/// Fills in the units whose `unknown` is true: cases × visible units, row-major. Known units keep their values. Chains
/// start at the means of independent units, `of`.
///
/// # Errors
/// [`crate::Error::Device`] if the device failed.
///
/// # Panics
/// If `unknown` doesn't have one value per visible unit, or if there is no chain or no step.
pub fn inpaint(
    inference: &mut Inference,
    rows: &Rows,
    unknown: &[bool],
    of: &Base,
    effort: Effort,
) -> Result<Vec<f32>> {
    let visible = inference.shape().visible;
    assert_eq!(unknown.len(), visible, "a value for each visible unit");
    let mean: Vec<f32> = of.marginals().means.iter().map(|&mean| mean as f32).collect();
    assert!(effort.chains > 0 && effort.steps > 0, "at least one chain and one step");
    let backend = &mut inference.backend;
    let (mask, base) = (backend.values(visible)?, backend.values(backend.layers().base_len())?);
    let known: Vec<f32> = unknown.iter().map(|&unknown| f32::from(!unknown)).collect();
    backend.write_values(mask, &known);
    backend.write_values(base, of.potentials());
    let (path, seed) = (Path { model: inference.model, base: Some(base) }, inference.seed);
    let warm = effort.steps / 2;
    let mut filled: Vec<f32> = Vec::with_capacity(rows.len() * visible);
    inference.parts(rows, |this, cases| {
        let (known, hidden, chain) = (this.visible, this.hidden, this.reconstruction);
        let starts = mean.repeat(cases.len());
        let mut sums = vec![0.0_f64; starts.len()];
        for number in 0..effort.chains {
            this.backend.write_units(chain, &starts, &starts);
            for step in 0..effort.steps {
                let beta = if step < warm { (step + 1) as f32 / (warm + 1) as f32 } else { 1.0 };
                let half_step = |layer| {
                    let draw = Draw::of(seed, Stream::Sample, layer, step as u32).sweep(number as u32);
                    HalfStep::new(cases.len(), draw.chains_from(cases.start as u32)).at(beta)
                };
                let op = ClampUnits::new(cases.len(), visible);
                this.backend.clamp_units(&op, known, mask, chain);
                this.backend.sample(&half_step(Side::Hidden), path, chain, hidden);
                this.backend.sample(&half_step(Side::Visible), path, hidden, chain);
                this.backend.submit()?;
                if step >= warm {
                    let (means, _) = this.backend.read_units(chain, cases.len())?;
                    sums.iter_mut().zip(means).for_each(|(sum, mean)| *sum += f64::from(mean));
                }
            }
        }
        let kept = (effort.chains * (effort.steps - warm)) as f64;
        for (case, sums) in cases.zip(sums.chunks(visible)) {
            let values = rows.values(case).zip(sums).zip(unknown);
            filled.extend(values.map(|((x, sum), &unknown)| if unknown { (sum / kept) as f32 } else { x }));
        }
        Ok(())
    })?;
    Ok(filled)
}

/// The mean over cases of Σ (x − y)² over the units whose `unknown` is true; both arguments are cases × visible units.
pub fn squared_error(cases: &[f32], guesses: &[f32], unknown: &[bool]) -> f64 {
    let squared = |(case, guess): (&[f32], &[f32])| -> f64 {
        let units = case.iter().zip(guess).zip(unknown).filter(|(_, unknown)| **unknown);
        units.map(|((x, y), _)| f64::from(x - y).powi(2)).sum()
    };
    let count = cases.len() / unknown.len();
    cases.chunks(unknown.len()).zip(guesses.chunks(unknown.len())).map(squared).sum::<f64>() / count as f64
}
