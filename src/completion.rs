//! Missing values of cases: their units are sampled given the observed ones, by Gibbs steps with the observed units clamped.
//!
//! The gradient of the log-likelihood of what was observed, log Σ_m p(o, m), is that of a complete case, averaged over
//! p(m | o) (Dempster, Laird and Rubin 1977, "Maximum likelihood from incomplete data via the EM algorithm"; for Boltzmann machines
//! Ghahramani and Jordan 1994, "Supervised learning from incomplete data via an EM approach"). So the positive phase of a case with
//! missing values uses a sample of them.

use crate::{
    backend::{Backend, ClampUnits, Draw, FillMissing, HalfStep, Memory, Model, Pair, Units, Values},
    base::Base,
    error::Result,
    rbm::Side,
    rng::Stream,
};

/// Gibbs steps for the missing values of a case that is looked at.
pub const STEPS: u32 = 10;

/// Buffers for cases with missing values on a device.
#[derive(Clone, Copy, Debug)]
pub struct Completion {
    /// The cases as they are, with NaN where a value is missing.
    observed: Units,
    /// 1 where a value is observed, else 0: cases × visible columns.
    mask: Values,
    /// Where chains of the missing units start: the columns' means.
    fill: Values,
    columns: usize,
}

impl Completion {
    /// Allocates buffers for `rows` cases.
    ///
    /// # Errors
    /// [`crate::Error::Usage`] when there is no room.
    pub fn new(memory: &mut dyn Memory, rows: usize) -> Result<Self> {
        let columns = memory.shape().visible;
        Ok(Self {
            observed: memory.units(Side::Visible, rows)?,
            mask: memory.values(rows.saturating_mul(columns))?,
            fill: memory.values(columns)?,
            columns,
        })
    }

    /// Starts chains of missing units at the means of independent units.
    pub fn start(&self, backend: &mut dyn Backend, base: &Base) {
        self.start_at(backend, &base.marginals().means);
    }

    /// Starts chains of missing units at these means of the columns.
    pub fn start_at(&self, backend: &mut dyn Backend, means: &[f64]) {
        let fill: Vec<f32> = means.iter().map(|&mean| mean as f32).collect();
        backend.write_values(self.fill, &fill);
    }

    /// Where the cases are gathered, with NaN for missing values.
    pub fn observed(&self) -> Units {
        self.observed
    }

    /// Fills the missing values of gathered cases with means, and leaves the cases in `visible`.
    pub fn fill(&self, backend: &mut dyn Backend, rows: usize, visible: Units) {
        backend.fill_missing(
            &FillMissing { rows: rows as u32 },
            self.observed,
            self.fill,
            self.mask,
            visible,
        );
    }

    /// Sets the observed units of `visible`.
    pub fn clamp(&self, backend: &mut dyn Backend, rows: usize, visible: Units) {
        let op = ClampUnits::new(rows, self.columns).per_row();
        backend.clamp_units(&op, self.observed, self.mask, visible);
    }

    /// Fills in the missing units of gathered cases by `steps` Gibbs steps, and leaves the cases in the pair's visible units.
    pub fn complete(
        &self,
        backend: &mut dyn Backend,
        model: Model,
        pair: Pair,
        rows: usize,
        steps: u32,
        mut draw: impl FnMut(Side, u32) -> Draw,
    ) {
        let Pair { visible, hidden } = pair;
        self.fill(backend, rows, visible);
        for step in 0..steps {
            let [up, down] = [Side::Hidden, Side::Visible].map(|side| HalfStep::new(rows, draw(side, step)));
            backend.sample(&up, model.into(), visible, hidden);
            backend.sample(&down, model.into(), hidden, visible);
            self.clamp(backend, rows, visible);
        }
    }

    /// [`Completion::complete`] for cases that are looked at, the first of which is `first_case`: always with the same random
    /// numbers.
    pub fn show(
        &self,
        backend: &mut dyn Backend,
        model: Model,
        pair: Pair,
        (first_case, rows): (usize, usize),
        seed: u64,
    ) {
        self.complete(backend, model, pair, rows, STEPS, |side, step| {
            Draw::of(seed, Stream::Complete, side, 0).sweep(step).chains_from(first_case as u32)
        });
    }

    /// Gives the missing units of `visible` the states of a reconstruction, so that they add nothing to its error.
    pub fn forgive(&self, backend: &mut dyn Backend, rows: usize, reconstruction: Units, visible: Units) {
        let op = ClampUnits::new(rows, self.columns).per_row().where_zero();
        backend.clamp_units(&op, reconstruction, self.mask, visible);
    }
}
