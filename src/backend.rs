//! The seam between the learning algorithms and the devices.
//!
//! [`Backend`] has one method per kernel, fused as far as possible: a product, its bias, the sigmoid and the draw are one
//! call. A WGSL file, a textbook function in [`crate::reference`] and a differential test share the method's name; its
//! scalar arguments are a struct of [`operation`]. A method names every buffer that it reads or writes. The algorithms are
//! written once, above this line, and don't know what they run on.

mod handle;
mod info;
pub mod operation;

pub use handle::{Buffer, Data, Model, Offsets, Pair, Path, Units, Values, Variances};
pub use info::{DeviceInfo, DeviceKind};
pub use operation::{
    Ascent, ClampUnits, Clip, Combine, Contrast, Copy, Cumulants, Draw, Energy, FillMissing, FinishUnits,
    FixGauge, FreeEnergy, Gather, GradientOfPotentials, HalfStep, LimitNorms, MultiplyAdd, Penalise,
    Potentials, Recentre, SquaredError, Standardise, Swap, Track, TrackVariances, Update,
};

use std::pin::Pin;

use crate::{
    data::RowLayout,
    error::Result,
    rbm::{Layers, Rbm, Shape, Side},
};

/// Numbers on their way from a device.
pub type Reading = Pin<Box<dyn Future<Output = Result<Vec<f32>>> + Send>>;

/// Allocates buffers on a device for models of one shape, filled with zeros.
pub trait Memory {
    /// The layers of its models.
    fn layers(&self) -> &Layers;
    /// The number of units of its models.
    fn shape(&self) -> Shape {
        self.layers().shape()
    }

    /// Allocates the parameters of a model.
    ///
    /// # Errors
    /// [`crate::Error::Usage`] when the device has no room.
    fn model(&mut self) -> Result<Model>;
    /// Allocates the units of a layer for up to `rows` cases. Fails as [`Memory::model`].
    fn units(&mut self, layer: Side, rows: usize) -> Result<Units>;
    /// Allocates `rows` packed rows and an order of `rows` entries. Fails as [`Memory::model`].
    fn data(&mut self, layout: RowLayout, rows: usize) -> Result<Data>;
    /// Allocates `count` numbers. Fails as [`Memory::model`].
    fn values(&mut self, count: usize) -> Result<Values>;
    /// Allocates `count` uniforms from the host. Fails as [`Memory::model`].
    fn uniforms(&mut self, count: usize) -> Result<()>;

    /// Allocates the units of both layers.
    ///
    /// # Errors
    /// [`crate::Error::Usage`] when the device has no room.
    fn pair(&mut self, rows: usize) -> Result<Pair> {
        Ok(Pair { visible: self.units(Side::Visible, rows)?, hidden: self.units(Side::Hidden, rows)? })
    }
}

/// Kernels that measure the peak rates of a device, for benchmarks.
pub trait Ceiling {
    /// values = x·(1 − 2⁻¹⁰) + 2⁻¹⁰, [`operation::MULTIPLY_ADDS`] times: peak arithmetic rate.
    fn multiply_add(&mut self, op: &MultiplyAdd, values: Values);
    /// to = from: peak memory bandwidth.
    fn copy(&mut self, op: &Copy, from: Values, to: Values);
}

/// A device that computes half Gibbs steps and the rest of learning.
///
/// The methods only record work; [`Backend::submit`] sends it, and only reading waits. A device that fails keeps its error
/// until the next `submit` or reading.
pub trait Backend: Memory + Ceiling + Send {
    /// What this device is.
    fn info(&self) -> &DeviceInfo;

    /// Replaces the parameters of a model.
    fn write_model(&mut self, model: Model, rbm: &Rbm);
    /// Replaces the first rows of packed data.
    fn write_data(&mut self, data: Data, words: &[u32]);
    /// Replaces the beginning of the order, in which minibatches take rows.
    fn write_order(&mut self, data: Data, order: &[u32]);
    /// Replaces the beginning of the host's uniforms.
    fn write_uniforms(&mut self, uniforms: &[f32]);
    /// Replaces the means and the states of the first rows of a layer.
    fn write_units(&mut self, units: Units, means: &[f32], states: &[f32]);
    /// Replaces the first numbers.
    fn write_values(&mut self, values: Values, numbers: &[f32]);

    /// states = the minibatch's rows, unpacked; if drawn, states = u < value.
    fn gather(&mut self, op: &Gather, data: Data, visible: Units);
    /// Half a Gibbs step, to the other layer: means = p(h=1|v) = σ(β(c + vW)), or p(v=1|h) = σ(β(b + hWᵀ) + (1−β) b0);
    /// states = u < mean, or the means if nothing is drawn. Units of other kinds have the means, moments and states that
    /// [`crate::units::Unit`] defines.
    fn sample(&mut self, op: &HalfStep, path: Path, from: Units, to: Units);
    /// Half a Gibbs step of two minibatches in one model, such as the data and the chains. A device may do both in one pass
    /// over W.
    fn sample_twice(&mut self, model: Model, minibatches: [(&HalfStep, Units, Units); 2]) {
        for (op, from, to) in minibatches {
            self.sample(op, model.into(), from, to);
        }
    }

    /// The gradient of log p(v): ⟨v h⟩ of `positive` − ⟨v h⟩ of `negative` for W, ⟨v⟩ − ⟨v⟩ for b, ⟨h⟩ − ⟨h⟩ for c. v are
    /// states, h are means, and ⟨·⟩ is the mean over the cases (positive phase) or the chains (negative phase).
    ///
    /// Centred: v and h become v − μ and h − λ, with μ and λ the offsets (Montavon and Müller 2012; Melchior, Fischer and
    /// Wiskott 2016, algorithm 1). The result is the gradient of the centred model; call [`Backend::recentre`] after the
    /// step.
    ///
    /// Sparse: `sparsity_cost`·(λ_j − `sparsity_target`) is subtracted from each hidden unit's mean in the positive phase,
    /// with λ the running means that [`Backend::track`] keeps. This is the gradient of the cross entropy between the target
    /// and the unit's activity, for its bias and its weights alike (Hinton 2010, section 11).
    fn gradient(
        &mut self,
        op: &Contrast,
        positive: Pair,
        negative: Pair,
        offsets: Option<Offsets>,
        gradient: Model,
    );
    /// The step up a centred gradient in standardised coordinates, (v−μ)/σ and (h−λ)/τ, as one of the plain parameters:
    /// gradient_ij /= σ_i² τ_j². In E = −xᵀŴy − b̂ᵀx − ĉᵀy with x = (v−μ)/σ and y = (h−λ)/τ, W_ij is Ŵ_ij/σ_iτ_j, so ∂/∂Ŵ_ij is
    /// 1/σ_iτ_j of the centred gradient, and a step along it moves W_ij by 1/σ_iτ_j of itself. A bias has only its own unit's
    /// factor, 1/σ_i² or 1/τ_j²; so has δ, which belongs to |s|, while γ, which belongs to s², has 1/σ_i⁴ or 1/τ_j⁴. Call
    /// [`Backend::recentre`] after the step. `variances` are σ² and τ², to which [`Standardise::ridge`] is added.
    ///
    /// Offsets: Montavon and Müller 2012, "Deep Boltzmann machines and the centering trick". Scales: `StandardizedRBM` of
    /// RestrictedBoltzmannMachines.jl (Fernandez-de-Cossio-Diaz, Cocco and Monasson 2023), which scales weights alone.
    fn standardise(&mut self, op: &Standardise, variances: Variances, gradient: Model);
    /// gradient −= that of a penalty on the weights, strength/2 · Σ_j S_j², with S_j = Σ_i s_i |W_ij|: strength · S_j s_i sign W_ij.
    /// `scales` are s, one for each visible column: 1/√q for a unit of q states (Tubiana, Cocco and Monasson 2019, "Learning protein
    /// constitutive motifs from sequence data", equation 8). It makes the weights of a hidden unit sparse, and more so where they
    /// are large, so that no unit gives up all of them.
    fn penalise(&mut self, op: &Penalise, scales: Values, model: Model, gradient: Model);
    /// gradient ·= min(1, largest / ‖gradient‖), the norm being over all parameters (Pascanu, Mikolov and Bengio 2013, "On the
    /// difficulty of training recurrent neural networks", algorithm 1).
    fn clip(&mut self, op: &Clip, gradient: Model);
    /// A step up a gradient. Leaves the step in `gradient`; only weights decay. A precision may at most halve or double.
    ///
    /// [`Ascent::MOMENTUM`]: velocity = momentum·velocity + rate·(gradient − decay·W − l1·sign W), θ += velocity.
    ///
    /// [`Ascent::NESTEROV`]: θ += momentum·velocity + rate·(…). Parameters are stored at the look-ahead point, where the
    /// gradient is taken (Bengio, Boulanger-Lewandowski and Pascanu 2013, equation 7, after Sutskever et al. 2013).
    ///
    /// [`Ascent::ADAM`]: velocity and `squares` are the running means of the gradient and of its square, and
    /// θ += rate·(velocity·c₁ / (√(squares·c₂) + ε) − decay·W − l1·sign W), where c₁ and c₂ correct the bias of starting at 0
    /// (Kingma and Ba 2015, algorithm 1; decoupled decay as in Loshchilov and Hutter 2019).
    ///
    /// # Panics
    /// If the rule is Adam and there are no `squares`.
    fn ascend(&mut self, op: &Ascent, gradient: Model, model: Model, velocity: Model, squares: Option<Model>);
    /// b −= ΔW λ and c −= ΔWᵀ μ after a centred step ΔW, which leaves the centred model's biases unchanged and so shifts
    /// those of the plain model (Melchior, Fischer and Wiskott 2016, equations 8 and 9).
    fn recentre(&mut self, step: Model, offsets: Offsets, model: Model);
    /// Gradient, plain ascent and, if centred, recentring in one. Without a `velocity` there is no momentum, and the step
    /// is not kept.
    fn update(
        &mut self,
        op: &Update,
        positive: Pair,
        negative: Pair,
        offsets: Option<Offsets>,
        model: Model,
        velocity: Option<Model>,
    );
    /// W_·j ·= min(1, largest / ‖W_·j‖): limits the norm of each hidden unit's weights (Hinton et al. 2012, "Improving
    /// neural networks by preventing co-adaptation of feature detectors").
    fn limit_norms(&mut self, op: &LimitNorms, model: Model);
    /// The zero-sum gauge of Potts units (Tubiana, Cocco and Monasson 2019, "Learning protein constitutive motifs from sequence
    /// data", methods). For each unit and each column j of the other side, the mean over the unit's states a of W_aj goes from
    /// W_aj to the first parameter of column j. The energies stay, because one of the states is 1 and the others are 0. The mean
    /// of the unit's own biases is subtracted from them: it is added to every energy and taken from log Z, so the distribution
    /// stays. Visible units come first, then hidden ones. Without Potts units, a no-op.
    fn fix_gauge(&mut self, model: Model);
    /// means += rate·(⟨p(h|v)⟩ − means), one per hidden unit, with ⟨·⟩ the mean over the rows.
    fn track(&mut self, op: &Track, hidden: Units, means: Values);
    /// variances += rate·(⟨(h − λ)²⟩ − variances), one per hidden column, with ⟨·⟩ the mean over the rows and over p(h|v), and λ the
    /// running means of [`Backend::track`].
    fn track_variances(&mut self, op: &Track, hidden: Units, means: Values, variances: Values);
    /// model = keep·model + add·other: averages, copies, fast weights. With keep = 0 the model is not read.
    fn combine(&mut self, op: &Combine, other: Model, model: Model);

    /// values += Σ_i (x_i − p_i)², with x the states of `visible` and p the means of `reconstruction`.
    fn squared_error(&mut self, op: &SquaredError, visible: Units, reconstruction: Units, values: Values);
    /// values = F(v) = −(β b + (1−β) b0)ᵀv − Σ_j softplus(β(c_j + (vW)_j)), with v the states of `visible`.
    /// [`FreeEnergy::less`] subtracts the old values.
    fn free_energy(&mut self, op: &FreeEnergy, path: Path, visible: Units, values: Values);
    /// values = U(v,h) = −vᵀWh − (b − b0)ᵀv − cᵀh, from the states of both layers: the term that β multiplies along the
    /// path, and E(v,h) without a base.
    fn energy(&mut self, op: &Energy, path: Path, pair: Pair, values: Values);
    /// Swaps the states of one layer between two neighbouring replicas of a chain, with probability
    /// min(1, e^(factor·(E_cold − E_hot))) (Metropolis; Geyer 1991). Each side's values are the energies of its chains, followed
    /// by a mark per chain. The mark travels with the states: 1 after a visit to the hottest replica, until they return to
    /// the coldest. Adds 1 to `accepted`, from `counts_at` on, per swap, and to `trips` per return of marked states.
    fn swap(
        &mut self,
        op: &Swap,
        cold: (Units, Values),
        hot: (Units, Values),
        accepted: Values,
        trips: Values,
    );
    /// s_i = x_i where `mask` is not 0, with x the states of `known` and s those of `units`, of the same layer. The mask has a
    /// number for each column, of all cases or of each ([`ClampUnits::per_row`]); [`ClampUnits::where_zero`] turns it around.
    fn clamp_units(&mut self, op: &ClampUnits, known: Units, mask: Values, units: Units);
    /// s_i = x_i where x_i is a number, and the column's `fill` where it is NaN, which stands for a missing value; x are the states of
    /// `observed`, s those of `units`, both of visible units. `mask` becomes 1 where x_i is a number, and 0 elsewhere: cases × visible
    /// columns.
    fn fill_missing(&mut self, op: &FillMissing, observed: Units, fill: Values, mask: Values, units: Units);

    /// Sends the recorded work; waits only if the device is more than one submission behind.
    ///
    /// # Errors
    /// [`crate::Error::Device`] when the device failed; every reading fails likewise.
    fn submit(&mut self) -> Result<()>;
    /// Sends the recorded work and returns what a buffer will then hold: its first `rows` rows or numbers, or all of a model.
    fn read(&mut self, buffer: Buffer, rows: usize) -> Reading;
    /// Waits for everything that was sent.
    fn wait(&mut self) -> Result<()>;
    /// Loses the device, as a driver may at any time: for tests. A no-op on the host.
    #[doc(hidden)]
    fn lose(&mut self) {}
}

/// Blocking reads, for every backend. Reading waits here, and nowhere else.
pub trait BackendExt: Backend {
    /// Waits for everything and returns the parameters of a model.
    ///
    /// # Errors
    /// [`crate::Error::Device`] when the device failed.
    fn read_model(&mut self, model: Model) -> Result<Rbm> {
        let parameters = pollster::block_on(self.read(Buffer::Model(model), 1))?;
        Ok(Rbm::from_parameters(self.layers(), parameters))
    }

    /// Waits for everything and returns the means and the states of the first rows, each rows × units.
    ///
    /// # Errors
    /// [`crate::Error::Device`] when the device failed.
    fn read_units(&mut self, units: Units, rows: usize) -> Result<(Vec<f32>, Vec<f32>)> {
        let (means, states) = (self.read(Buffer::Means(units), rows), self.read(Buffer::States(units), rows));
        Ok((pollster::block_on(means)?, pollster::block_on(states)?))
    }

    /// Waits for everything and returns the means of the statistics after the first, of the first rows: see [`Buffer::Moments`].
    ///
    /// # Errors
    /// [`crate::Error::Device`] when the device failed.
    fn read_moments(&mut self, units: Units, rows: usize) -> Result<Vec<f32>> {
        pollster::block_on(self.read(Buffer::Moments(units), rows))
    }

    /// Waits for everything and returns the first `count` numbers.
    ///
    /// # Errors
    /// [`crate::Error::Device`] when the device failed.
    fn read_values(&mut self, values: Values, count: usize) -> Result<Vec<f32>> {
        pollster::block_on(self.read(Buffer::Values(values), count))
    }

    /// Allocates a model and writes `rbm` to it.
    ///
    /// # Errors
    /// [`crate::Error::Usage`] when the device has no room.
    fn model_of(&mut self, rbm: &Rbm) -> Result<Model> {
        let model = self.model()?;
        self.write_model(model, rbm);
        Ok(model)
    }
}

impl<B: Backend + ?Sized> BackendExt for B {}
