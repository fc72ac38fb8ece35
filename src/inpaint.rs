//! What is missing from a case, given the rest: Gibbs steps in which the known visible units are held at what they are.
//!
//! The mean of p(v|h) over such a chain is the expectation of the unknown units given the known ones, which is the guess
//! with the least expected squared error. The chain starts from the mean of the training cases.

mod mask;

pub use mask::{Mask, Region};

use crate::{backend::Params, data::Rows, error::Result, inference::Inference, rng::Stream};

/// Fills in the units whose `unknown` is true: cases × visible units, row-major; the known units are as they were. Takes
/// `steps` Gibbs steps, and the mean of p(v|h) over the second half of them.
///
/// # Errors
/// [`crate::Error::Device`] if the device failed.
///
/// # Panics
/// If `unknown` and `mean` don't have a value for each visible unit.
pub fn inpaint(
    inference: &mut Inference,
    rows: &Rows,
    unknown: &[bool],
    mean: &[f32],
    steps: usize,
) -> Result<Vec<f32>> {
    let visible = inference.shape().visible;
    assert!(unknown.len() == visible && mean.len() == visible, "a value for each visible unit");
    let mask = inference.backend.values(visible)?;
    let known: Vec<f32> = unknown.iter().map(|&unknown| f32::from(!unknown)).collect();
    inference.backend.write_values(mask, &known);
    let burn_in = steps / 2;
    let mut filled: Vec<f32> = Vec::with_capacity(rows.len() * visible);
    inference.parts(rows, |this, params, cases| {
        let (known, hidden, chain) = (this.visible, this.hidden, this.reconstruction);
        let starts = mean.repeat(cases.len());
        let mut sums = vec![0.0_f64; starts.len()];
        this.backend.write_units(chain, &starts, &starts);
        for step in 0..steps {
            let params = Params { step: step as u32, ..*params };
            this.backend.clamp_visible(&params, known, mask, chain);
            this.backend.sample_hidden(&params.sample(Stream::SampledHidden, 0), chain, hidden);
            this.backend.sample_visible(&params.sample(Stream::SampledVisible, 0), hidden, chain);
            this.backend.submit()?;
            if step >= burn_in {
                let (means, _) = this.backend.read_units(chain, cases.len())?;
                sums.iter_mut().zip(means).for_each(|(sum, mean)| *sum += f64::from(mean));
            }
        }
        let kept = (steps - burn_in) as f64;
        for (case, sums) in cases.zip(sums.chunks(visible)) {
            let values = rows.values(case).zip(sums).zip(unknown);
            filled.extend(values.map(|((x, sum), &unknown)| if unknown { (sum / kept) as f32 } else { x }));
        }
        Ok(())
    })?;
    Ok(filled)
}

/// The mean over cases of Σ (x − y)² over the units whose `unknown` is true; both are cases × visible units.
pub fn squared_error(cases: &[f32], guesses: &[f32], unknown: &[bool]) -> f64 {
    let squared = |(case, guess): (&[f32], &[f32])| -> f64 {
        let units = case.iter().zip(guess).zip(unknown).filter(|(_, unknown)| **unknown);
        units.map(|((x, y), _)| f64::from(x - y).powi(2)).sum()
    };
    let count = cases.len() / unknown.len();
    cases.chunks(unknown.len()).zip(guesses.chunks(unknown.len())).map(squared).sum::<f64>() / count as f64
}
