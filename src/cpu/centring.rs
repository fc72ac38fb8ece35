//! What a centred update does to the biases beside their own gradients: the centred model's stay where they are when its
//! weights change, so this one's follow by −ΔWλ and −μΔW (Melchior, Fischer and Wiskott 2016, algorithm 1).

use pulp::Arch;
use rayon::prelude::*;

use super::{Units, math::dot, vectorize};
use crate::{
    host::{Offsets, Phase},
    rbm::Rbm,
};

/// ΔWλ and μΔW.
pub struct Shifts {
    visible: Vec<f32>,
    hidden: Vec<f32>,
}

impl Shifts {
    /// Where ΔW = Σ scale · (v − μ)(h − λ), summed over both phases, and nothing else: by way of (h − λ)·λ and (v − μ)·μ of
    /// each case, so that ΔW is not read again. The hidden units are those of the gradient.
    pub fn of_gradient(
        arch: Arch,
        phases: [(Phase<Units>, f32); 2],
        hidden: [&[f32]; 2],
        offsets: &Offsets,
    ) -> Self {
        let Offsets { visible: mu, hidden: lambda } = offsets;
        let mut shifts = Self { visible: vec![0.0; mu.len()], hidden: vec![0.0; lambda.len()] };
        vectorize(
            arch,
            #[inline(always)]
            || {
                let mut scratch = vec![0.0; mu.len()];
                let (of_mu, of_lambda) = (dot(mu, mu), dot(lambda, lambda));
                let (mut visible_sum, mut hidden_sum) = (0.0, 0.0);
                for ((phase, scale), hidden) in phases.into_iter().zip(hidden) {
                    for (row, h) in hidden.chunks(lambda.len()).enumerate() {
                        let v = phase.visible.row(row, &mut scratch);
                        let along_lambda = scale * (dot(h, lambda) - of_lambda);
                        let along_mu = scale * (dot(v, mu) - of_mu);
                        add(&mut shifts.visible, along_lambda, v);
                        add(&mut shifts.hidden, along_mu, h);
                        visible_sum += along_lambda;
                        hidden_sum += along_mu;
                    }
                }
                add(&mut shifts.visible, -visible_sum, mu);
                add(&mut shifts.hidden, -hidden_sum, lambda);
            },
        );
        shifts
    }

    /// Of any ΔW, visible × hidden units.
    pub fn of_weights(arch: Arch, change: &[f32], offsets: &Offsets) -> Self {
        let Offsets { visible: mu, hidden: lambda } = offsets;
        let units = lambda.len();
        let rows = change.par_chunks(units).with_min_len(64);
        let visible = rows.map(|row| {
            vectorize(
                arch,
                #[inline(always)]
                || dot(row, lambda),
            )
        });
        let mut shifts = Self { visible: visible.collect(), hidden: vec![0.0; units] };
        const STRIP: usize = 64;
        shifts.hidden.par_chunks_mut(STRIP).enumerate().for_each(|(strip, shifts)| {
            vectorize(
                arch,
                #[inline(always)]
                || {
                    let mut sums = [0.0; STRIP];
                    for (row, mu) in change.chunks(units).zip(mu) {
                        for (sum, change) in sums.iter_mut().zip(&row[strip * STRIP..]) {
                            *sum += change * mu;
                        }
                    }
                    shifts.copy_from_slice(&sums[..shifts.len()]);
                },
            );
        });
        shifts
    }

    /// Takes the shifts off the biases.
    pub fn follow(&self, rbm: &mut Rbm) {
        for (biases, shifts) in [(&mut rbm.visible_bias, &self.visible), (&mut rbm.hidden_bias, &self.hidden)]
        {
            biases.iter_mut().zip(shifts).for_each(|(bias, shift)| *bias -= shift);
        }
    }
}

/// sums += factor · x.
#[inline(always)]
fn add(sums: &mut [f32], factor: f32, x: &[f32]) {
    for (sum, x) in sums.iter_mut().zip(x) {
        *sum += factor * x;
    }
}
