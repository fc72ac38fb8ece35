//! Inpainting and imputation: samples the unknown visible units of a case given the known ones, by Gibbs steps with the known units
//! clamped.
//!
//! The mean of p(v|h) over such a chain is the expectation of the unknown units given the known ones, the guess with the
//! least expected squared error. Several chains per case start from the mean of the training cases. β rises from 0 to 1 on
//! the [`Path`] from independent units, so that a chain doesn't get stuck in the first mode it meets.

pub(crate) mod mask;

pub use mask::{Mask, Region};

use crate::{
    backend::{BackendExt, Draw, HalfStep, Path},
    base::Base,
    data::Rows,
    error::Result,
    inference::Inference,
    rbm::{Shape, Side},
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

/// What is asked besides the means of the missing values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The means of the hidden units.
    pub hidden: bool,
    /// The last states of each chain: samples of the missing values.
    pub draws: bool,
}

/// What is known of units given the observed ones.
#[derive(Clone, Debug, Default)]
pub struct Imputed {
    /// Means of the visible columns, cases × columns; observed ones as they are.
    pub visible: Vec<f32>,
    /// Standard deviations of the visible columns, cases × columns: 0 where they are observed.
    pub deviations: Vec<f32>,
    /// Means of the hidden columns, cases × columns; empty unless wanted.
    pub hidden: Vec<f32>,
    /// The visible states at the end of each chain, chains × cases × columns; empty unless wanted.
    pub draws: Vec<f32>,
}

/// The expectations of the missing values of cases, NaN in `rows`, given the observed ones. Chains start at the means of independent
/// units, `of`.
///
/// # Errors
/// [`crate::Error::Device`] if the device failed.
///
/// # Panics
/// If there is no chain or no step.
pub fn impute(
    inference: &mut Inference,
    rows: &Rows,
    of: &Base,
    effort: Effort,
    wanted: Wanted,
) -> Result<Imputed> {
    assert!(effort.chains > 0 && effort.steps > 0, "at least one chain and one step");
    let Shape { visible, hidden } = inference.shape();
    let completion = inference.completion(of)?;
    let mean: Vec<f32> = of.marginals().means.iter().map(|&mean| mean as f32).collect();
    let backend = &mut inference.backend;
    let base = backend.values(backend.layers().base_len())?;
    backend.write_values(base, of.potentials());
    let (path, seed) = (Path { model: inference.model, base: Some(base) }, inference.seed);
    let (warm, len) = (effort.steps / 2, rows.len() * visible);
    let kept = (effort.chains * (effort.steps - warm)) as f64;
    let draws = vec![0.0; if wanted.draws { effort.chains * len } else { 0 }];
    let mut imputed = Imputed { draws, ..Imputed::default() };
    inference.parts_into(rows, completion.observed(), |this, cases| {
        let (units, chain, count) = (this.hidden, this.reconstruction, cases.len());
        let starts = mean.repeat(count);
        let [mut means, mut squares] = [0, 1].map(|_| vec![0.0_f64; count * visible]);
        let mut of_hidden = vec![0.0_f64; count * hidden];
        for number in 0..effort.chains {
            completion.fill(&mut *this.backend, count, chain);
            this.backend.write_units(chain, &starts, &starts);
            for step in 0..effort.steps {
                let beta = if step < warm { (step + 1) as f32 / (warm + 1) as f32 } else { 1.0 };
                let half_step = |layer| {
                    let draw = Draw::of(seed, Stream::Sample, layer, step as u32).sweep(number as u32);
                    HalfStep::new(count, draw.chains_from(cases.start as u32)).at(beta)
                };
                completion.clamp(&mut *this.backend, count, chain);
                this.backend.sample(&half_step(Side::Hidden), path, chain, units);
                this.backend.sample(&half_step(Side::Visible), path, units, chain);
                this.backend.submit()?;
                if step >= warm {
                    let (of_units, states) = this.backend.read_units(chain, count)?;
                    means.iter_mut().zip(of_units).for_each(|(sum, mean)| *sum += f64::from(mean));
                    squares.iter_mut().zip(&states).for_each(|(sum, &x)| *sum += f64::from(x).powi(2));
                    if wanted.hidden {
                        let (of_units, _) = this.backend.read_units(units, count)?;
                        of_hidden.iter_mut().zip(of_units).for_each(|(sum, mean)| *sum += f64::from(mean));
                    }
                    if wanted.draws && step + 1 == effort.steps {
                        imputed.draws[number * len + cases.start * visible..][..states.len()]
                            .copy_from_slice(&states);
                    }
                }
            }
        }
        for (case, (sums, squares)) in cases.zip(means.chunks(visible).zip(squares.chunks(visible))) {
            for (x, (sum, square)) in rows.values(case).zip(sums.iter().zip(squares)) {
                let mean = sum / kept;
                let deviation = (square / kept - mean * mean).max(0.0).sqrt();
                let (value, deviation) = if x.is_nan() { (mean as f32, deviation as f32) } else { (x, 0.0) };
                imputed.visible.push(value);
                imputed.deviations.push(deviation);
            }
        }
        if wanted.hidden {
            imputed.hidden.extend(of_hidden.iter().map(|sum| (sum / kept) as f32));
        }
        Ok(())
    })?;
    // A chain's last states have observed units drawn, too.
    for (number, states) in imputed.draws.chunks_mut(visible).enumerate() {
        let known = rows.values(number % rows.len()).zip(states).filter(|(x, _)| !x.is_nan());
        known.for_each(|(x, state)| *state = x);
    }
    Ok(imputed)
}

/// Fills in the units whose `unknown` is true: cases × visible units, row-major. Known units keep their values.
///
/// # Errors
/// Those of [`impute`].
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
    Ok(impute(inference, &rows.without(unknown), of, effort, Wanted::default())?.visible)
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
