//! The seam between the learning algorithms and the devices.
//!
//! [`Backend`] has one method for each kernel, fused as far as it can be: a product, its bias, the sigmoid and the
//! draw are one call. A WGSL file, a textbook function in [`crate::reference`] and a differential test have the method's
//! name, and its numbers are a struct of [`operation`]. A method names every buffer that it reads or writes: which
//! model, which units. The algorithms are written once, above this line, and don't know what they run on.

mod handle;
mod info;
pub mod operation;

pub use handle::{Buffer, Data, Model, Offsets, Pair, Path, Units, Values};
pub use info::DeviceInfo;
pub use operation::{
    Ascent, ClampVisible, Combine, Contrast, Copy, Draw, Energy, FreeEnergy, Gather, HalfStep, LimitNorms,
    MultiplyAdd, Recentre, SquaredError, Swap, Track, Update,
};

use std::pin::Pin;

use crate::{
    data::RowLayout,
    error::Result,
    rbm::{Layers, Rbm, Shape, Side},
};

/// Numbers on their way from a device.
pub type Reading = Pin<Box<dyn Future<Output = Result<Vec<f32>>> + Send>>;

/// Room on a device for models of one shape. All of it starts as zeros.
pub trait Memory {
    /// What its models are made of.
    fn layers(&self) -> &Layers;
    /// How many units its models have.
    fn shape(&self) -> Shape {
        self.layers().shape()
    }

    /// Makes room for the parameters of a model.
    ///
    /// # Errors
    /// [`crate::Error::Usage`] when the device has no room; so for the next four.
    fn model(&mut self) -> Result<Model>;
    /// Makes room for the units of a layer, for up to `rows` cases.
    fn units(&mut self, layer: Side, rows: usize) -> Result<Units>;
    /// Makes room for `rows` packed rows and an order of as many entries.
    fn data(&mut self, layout: RowLayout, rows: usize) -> Result<Data>;
    /// Makes room for `count` numbers.
    fn values(&mut self, count: usize) -> Result<Values>;
    /// Makes room for `count` uniforms from the host.
    fn uniforms(&mut self, count: usize) -> Result<()>;

    /// Makes room for the units of both layers.
    ///
    /// # Errors
    /// [`crate::Error::Usage`] when the device has no room.
    fn pair(&mut self, rows: usize) -> Result<Pair> {
        Ok(Pair { visible: self.units(Side::Visible, rows)?, hidden: self.units(Side::Hidden, rows)? })
    }
}

/// What a device can reach at all: for benchmarks.
pub trait Ceiling {
    /// values = x·(1 − 2⁻¹⁰) + 2⁻¹⁰, [`operation::MULTIPLY_ADDS`] times over: what arithmetic can reach.
    fn multiply_add(&mut self, op: &MultiplyAdd, values: Values);
    /// to = from: what the memory can reach.
    fn copy(&mut self, op: &Copy, from: Values, to: Values);
}

/// A device that computes half Gibbs steps and what learning needs beside them.
///
/// The verbs only record work; [`Backend::submit`] sends it off, and only reading waits. A device that fails keeps its error
/// until the next `submit` or reading.
pub trait Backend: Memory + Ceiling + Send {
    /// What this device is.
    fn info(&self) -> &DeviceInfo;

    /// Replaces the parameters of a model.
    fn write_model(&mut self, model: Model, rbm: &Rbm);
    /// Replaces the first rows of packed data.
    fn write_data(&mut self, data: Data, words: &[u32]);
    /// Replaces the beginning of the order in which minibatches take rows.
    fn write_order(&mut self, data: Data, order: &[u32]);
    /// Replaces the beginning of the host's uniforms.
    fn write_uniforms(&mut self, uniforms: &[f32]);
    /// Replaces the means and the states of the first rows of a layer.
    fn write_units(&mut self, units: Units, means: &[f32], states: &[f32]);
    /// Replaces the first numbers.
    fn write_values(&mut self, values: Values, numbers: &[f32]);

    /// states = the minibatch's rows, unpacked; or, where they are drawn, u < value.
    fn gather(&mut self, op: &Gather, data: Data, visible: Units);
    /// Half a Gibbs step, to the other layer: means = p(h=1|v) = σ(β(c + vW)), or p(v=1|h) = σ(β(b + hWᵀ) + (1−β) b0);
    /// states = u < mean, or the means where nothing is drawn.
    fn sample(&mut self, op: &HalfStep, path: Path, from: Units, to: Units);
    /// Half a Gibbs step of two minibatches in one model, such as the data and the chains. A device may do both in one pass over W.
    fn sample_twice(&mut self, model: Model, minibatches: [(&HalfStep, Units, Units); 2]) {
        for (op, from, to) in minibatches {
            self.sample(op, model.into(), from, to);
        }
    }

    /// The gradient of log p(v): ⟨v h⟩ of `positive` − ⟨v h⟩ of `negative` for W, ⟨v⟩ − ⟨v⟩ for b, ⟨h⟩ − ⟨h⟩ for c, where v
    /// are states, h means, and ⟨·⟩ means over the cases of the positive phase and over the chains of the negative one.
    ///
    /// Centred, v and h are taken as v − μ and h − λ, μ and λ being the offsets (Montavon and Müller 2012; Melchior, Fischer and
    /// Wiskott 2016, algorithm 1). What it gives is the gradient of the centred model: [`Backend::recentre`] comes after the step.
    ///
    /// Sparse, `sparsity_cost`·(λ_j − `sparsity_target`) is taken off each hidden unit's mean in the positive phase, λ being the
    /// running means that [`Backend::track`] keeps: the gradient of the cross entropy between the target and the unit's activity,
    /// for its bias and its weights alike (Hinton 2010, section 11).
    fn gradient(
        &mut self,
        op: &Contrast,
        positive: Pair,
        negative: Pair,
        offsets: Option<Offsets>,
        gradient: Model,
    );
    /// A step up a gradient, which is left with the step itself; only weights decay.
    ///
    /// [`Ascent::MOMENTUM`]: velocity = momentum·velocity + rate·(gradient − decay·W − l1·sign W), θ += velocity.
    ///
    /// [`Ascent::NESTEROV`]: θ += momentum·velocity + rate·(…): parameters are kept where the momentum leads to, which is where
    /// the gradient is taken (Bengio, Boulanger-Lewandowski and Pascanu 2013, equation 7, after Sutskever et al. 2013).
    ///
    /// [`Ascent::ADAM`]: velocity and `squares` are the running means of the gradient and of its square, and
    /// θ += rate·(velocity·c₁ / (√(squares·c₂) + ε) − decay·W − l1·sign W), with c₁ and c₂ correcting for their start at 0
    /// (Kingma and Ba 2015, algorithm 1; the decay as in Loshchilov and Hutter 2019).
    ///
    /// # Panics
    /// By Adam's rule without `squares`.
    fn ascend(&mut self, op: &Ascent, gradient: Model, model: Model, velocity: Model, squares: Option<Model>);
    /// b −= ΔW λ and c −= ΔWᵀ μ after a centred step ΔW: the centred model's biases stay where they are when its weights change,
    /// this one's do not (Melchior, Fischer and Wiskott 2016, equations 8 and 9).
    fn recentre(&mut self, step: Model, offsets: Offsets, model: Model);
    /// Gradient, plain ascent and, where it is centred, recentring in one. Without a `velocity` there is no momentum, and the
    /// step is not kept.
    fn update(
        &mut self,
        op: &Update,
        positive: Pair,
        negative: Pair,
        offsets: Option<Offsets>,
        model: Model,
        velocity: Option<Model>,
    );
    /// W_·j ·= min(1, largest / ‖W_·j‖): the weights of no hidden unit are longer (Hinton et al. 2012, "Improving neural networks
    /// by preventing co-adaptation of feature detectors").
    fn limit_norms(&mut self, op: &LimitNorms, model: Model);
    /// means += rate·(⟨p(h|v)⟩ − means), one for each hidden unit, ⟨·⟩ over the rows.
    fn track(&mut self, op: &Track, hidden: Units, means: Values);
    /// model = keep·model + add·other: averages, copies, fast weights. What is kept with the factor 0 is not read.
    fn combine(&mut self, op: &Combine, other: Model, model: Model);

    /// values += Σ_i (x_i − p_i)², of the states of `visible` and the means of `reconstruction`.
    fn squared_error(&mut self, op: &SquaredError, visible: Units, reconstruction: Units, values: Values);
    /// values = F(v) = −(β b + (1−β) b0)ᵀv − Σ_j softplus(β(c_j + (vW)_j)), of the states of `visible`; or that less what was
    /// there.
    fn free_energy(&mut self, op: &FreeEnergy, path: Path, visible: Units, values: Values);
    /// values = U(v,h) = −vᵀWh − (b − b0)ᵀv − cᵀh, of the states of both layers: E(v,h) where there is no base. It is what β
    /// multiplies along the path.
    fn energy(&mut self, op: &Energy, path: Path, pair: Pair, values: Values);
    /// Exchanges the states of a layer of the same chain in two neighbouring replicas, with the probability
    /// min(1, e^(factor·(E_cold − E_hot))) (Metropolis; Geyer 1991). Each side's values are the energies of its chains, and after
    /// them a mark for each chain, which goes with the states: 1 where they were at the hottest end since they were last the
    /// model's own. Adds 1 to `accepted`, from `counts_at` on, for an exchange, and to `trips` for marked states that come to the
    /// model.
    fn swap(
        &mut self,
        op: &Swap,
        cold: (Units, Values),
        hot: (Units, Values),
        accepted: Values,
        trips: Values,
    );
    /// v_i = x_i where the `mask`, one number a visible unit, is not 0: the states of `visible` become those of `known` there.
    fn clamp_visible(&mut self, op: &ClampVisible, known: Units, mask: Values, visible: Units);

    /// Sends off what was recorded; waits only where the device is more than one submission behind.
    ///
    /// # Errors
    /// [`crate::Error::Device`] when the device failed; so for every reading.
    fn submit(&mut self) -> Result<()>;
    /// Sends off what was recorded and gives what a buffer has then, for its first `rows` rows or numbers; all of a model.
    fn read(&mut self, buffer: Buffer, rows: usize) -> Reading;
    /// Waits for everything.
    fn wait(&mut self) -> Result<()>;
    /// Ends the device, as a driver may at any time: for tests. What the host computes on stays.
    #[doc(hidden)]
    fn lose(&mut self) {}
}

/// What every backend can do by its verbs. Reading waits here, and nowhere else.
pub trait BackendExt: Backend {
    /// Waits for everything and gives the parameters of a model.
    ///
    /// # Errors
    /// [`crate::Error::Device`] when the device failed; so for the next two.
    fn read_model(&mut self, model: Model) -> Result<Rbm> {
        let parameters = pollster::block_on(self.read(Buffer::Model(model), 1))?;
        Ok(Rbm::from_parameters(self.layers(), parameters))
    }

    /// Waits for everything and gives the means and the states of the first rows.
    ///
    /// # Errors
    /// As for the last one.
    fn read_units(&mut self, units: Units, rows: usize) -> Result<(Vec<f32>, Vec<f32>)> {
        let (means, states) = (self.read(Buffer::Means(units), rows), self.read(Buffer::States(units), rows));
        Ok((pollster::block_on(means)?, pollster::block_on(states)?))
    }

    /// Waits for everything and gives the first numbers.
    ///
    /// # Errors
    /// As for the last one.
    fn read_values(&mut self, values: Values, count: usize) -> Result<Vec<f32>> {
        pollster::block_on(self.read(Buffer::Values(values), count))
    }

    /// Makes room for a model and writes it there.
    ///
    /// # Errors
    /// As for the last one.
    fn model_of(&mut self, rbm: &Rbm) -> Result<Model> {
        let model = self.model()?;
        self.write_model(model, rbm);
        Ok(model)
    }
}

impl<B: Backend + ?Sized> BackendExt for B {}
