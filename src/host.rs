//! A [`Backend`] in the host's own memory: buffers for any set of kernels that work on slices. The oracle and the
//! native CPU path are two such sets; this file is what they share.

use crate::{
    backend::{Backend, Data, DeviceInfo, Kept, Params, Units, Values},
    data::RowLayout,
    error::Result,
    rbm::{Layer, Rbm, Shape},
    rng,
};

/// Where a kernel takes its uniforms from: the host's buffer, or the generator.
#[derive(Clone, Copy)]
pub struct Uniforms<'a>(Option<&'a [f32]>);

impl<'a> Uniforms<'a> {
    fn of(params: &Params, buffer: &'a [f32]) -> Self {
        Self(params.has(Params::HOST_UNIFORMS).then(|| &buffer[params.uniforms_at as usize..]))
    }

    /// The uniform for one unit of one row, in a layer of `units`.
    pub fn at(&self, params: &Params, units: usize, row: usize, unit: usize) -> f32 {
        match self.0 {
            Some(buffer) => buffer[row * units + unit],
            None => {
                let chain = params.first_chain.wrapping_add(row as u32);
                rng::uniform_at(params.seed(), params.step, params.draw, chain, unit as u32)
            }
        }
    }

    /// A unit's state, given its mean: u < mean, or the mean where nothing is to be drawn.
    pub fn state(&self, params: &Params, units: usize, row: usize, unit: usize, mean: f32) -> f32 {
        if params.has(Params::SAMPLE) { f32::from(self.at(params, units, row, unit) < mean) } else { mean }
    }

    /// The uniforms of some units of a row in a layer of `units`, from a multiple of four on; more may be asked for than
    /// there are, and some number stands for each of the others.
    #[inline(always)]
    pub fn fill(&self, params: &Params, units: usize, row: usize, first: usize, out: &mut [f32]) {
        match self.0 {
            Some(buffer) => {
                let len = out.len().min(units - first);
                out[..len].copy_from_slice(&buffer[row * units + first..][..len]);
            }
            None => {
                let chain = params.first_chain.wrapping_add(row as u32);
                rng::fill(params.seed(), params.step, params.draw, chain, first as u32, out);
            }
        }
    }
}

/// The units of a layer in host memory: for each row, their means and their states.
pub trait HostUnits: Default + Send {
    /// Room for so many rows of `width` units; all zero.
    fn new(width: usize, rows: usize) -> Self;
    /// Writes the first rows.
    fn write(&mut self, means: &[f32], states: &[f32]);
    /// The means and the states of the first rows.
    fn read(&self, rows: usize) -> (Vec<f32>, Vec<f32>);
    /// Exchanges the states of a row.
    fn exchange(&mut self, other: &mut Self, row: usize);
}

/// Units as plain numbers, rows × width.
#[derive(Clone, Debug, Default)]
pub struct PlainUnits {
    /// Units in a row.
    pub width: usize,
    /// p(unit = 1).
    pub means: Vec<f32>,
    /// 0 or 1, or what a mean is used as.
    pub states: Vec<f32>,
}

impl HostUnits for PlainUnits {
    fn new(width: usize, rows: usize) -> Self {
        let zeros = vec![0.0; rows * width];
        Self { width, means: zeros.clone(), states: zeros }
    }

    fn write(&mut self, means: &[f32], states: &[f32]) {
        self.means[..means.len()].copy_from_slice(means);
        self.states[..states.len()].copy_from_slice(states);
    }

    fn read(&self, rows: usize) -> (Vec<f32>, Vec<f32>) {
        let first = |all: &[f32]| all[..rows * self.width].to_vec();
        (first(&self.means), first(&self.states))
    }

    fn exchange(&mut self, other: &mut Self, row: usize) {
        let range = row * self.width..(row + 1) * self.width;
        self.states[range.clone()].swap_with_slice(&mut other.states[range]);
    }
}

/// What the update takes from one phase: the states of the visible units and the means of the hidden ones.
pub struct Phase<'a, U> {
    /// Cases or chains.
    pub rows: usize,
    /// v, rows × visible units, in its states.
    pub visible: &'a U,
    /// p(h|v), rows × hidden units, in its means.
    pub hidden: &'a U,
}

impl<U> Clone for Phase<'_, U> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<U> Copy for Phase<'_, U> {}

/// What becomes hidden units.
pub struct HalfStep<'a, U> {
    /// Rows, temperature, and which draws.
    pub params: &'a Params,
    /// v, rows × visible units, in its states.
    pub visible: &'a U,
    /// Where random numbers come from.
    pub uniforms: Uniforms<'a>,
    /// What takes p(h|v) and the states.
    pub hidden: &'a mut U,
}

/// What a centred update takes off the units.
#[derive(Clone, Default)]
pub struct Offsets {
    /// μ, one for each visible unit.
    pub visible: Vec<f32>,
    /// λ, one for each hidden unit.
    pub hidden: Vec<f32>,
}

/// What an update keeps from step to step beside the parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Moments {
    /// The update that momentum carries on; for Adam, the running mean of the gradient.
    pub velocity: Rbm,
    /// For Adam, the running mean of the gradient's square.
    pub squares: Rbm,
}

impl Moments {
    /// All zero.
    pub fn zeros(shape: Shape) -> Self {
        Self { velocity: Rbm::zeros(shape), squares: Rbm::zeros(shape) }
    }
}

/// Fast weights, and what chains take for the parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Fast {
    /// The fast weights and biases.
    pub weights: Rbm,
    /// θ + fast weights.
    pub sum: Rbm,
}

impl Fast {
    /// All zero.
    pub fn zeros(shape: Shape) -> Self {
        Self { weights: Rbm::zeros(shape), sum: Rbm::zeros(shape) }
    }
}

/// The verbs of [`Backend`] on memory: the same names, the same order of arguments.
#[expect(missing_docs, reason = "each is documented where it is declared first, in Backend")]
pub trait HostKernels: Send {
    type Units: HostUnits;
    fn gather(
        &mut self,
        params: &Params,
        layout: RowLayout,
        words: &[u32],
        order: &[u32],
        uniforms: Uniforms,
        visible: &mut Self::Units,
    );
    fn sample_hidden(
        &mut self,
        params: &Params,
        rbm: &Rbm,
        visible: &Self::Units,
        uniforms: Uniforms,
        hidden: &mut Self::Units,
    );
    /// See [`Backend::sample_hidden_twice`].
    fn sample_hidden_twice(&mut self, rbm: &Rbm, minibatches: [HalfStep<Self::Units>; 2]) {
        for HalfStep { params, visible, uniforms, hidden } in minibatches {
            self.sample_hidden(params, rbm, visible, uniforms, hidden);
        }
    }
    fn sample_visible(
        &mut self,
        params: &Params,
        rbm: &Rbm,
        hidden: &Self::Units,
        uniforms: Uniforms,
        visible: &mut Self::Units,
    );
    fn update(
        &mut self,
        params: &Params,
        positive: Phase<Self::Units>,
        negative: Phase<Self::Units>,
        offsets: &Offsets,
        rbm: &mut Rbm,
        moments: &mut Moments,
    );
    fn limit_norms(&mut self, params: &Params, rbm: &mut Rbm);
    fn fast_weights(&mut self, params: &Params, rbm: &Rbm, velocity: &Rbm, fast: &mut Fast);
    fn track(&mut self, params: &Params, hidden: &Self::Units, offsets: &mut [f32]);
    fn average(&mut self, params: &Params, rbm: &Rbm, average: &mut Rbm);
    fn squared_error(
        &mut self,
        params: &Params,
        visible: &Self::Units,
        reconstruction: &Self::Units,
        values: &mut [f32],
    );
    fn free_energy(&mut self, params: &Params, rbm: &Rbm, visible: &Self::Units, values: &mut [f32]);
    fn energy(
        &mut self,
        params: &Params,
        rbm: &Rbm,
        visible: &Self::Units,
        hidden: &Self::Units,
        values: &mut [f32],
    );
    fn temper_bias(&mut self, params: &Params, rbm: &Rbm, base: &[f32], values: &mut [f32]);
    fn swap(
        &mut self,
        params: &Params,
        cold: (&mut Self::Units, &mut [f32]),
        hot: (&mut Self::Units, &mut [f32]),
        accepted: &mut [f32],
        trips: &mut [f32],
    );
    fn clamp_visible(
        &mut self,
        params: &Params,
        known: &Self::Units,
        mask: &[f32],
        visible: &mut Self::Units,
    );
    fn set_visible_bias(&mut self, params: &Params, values: &[f32], rbm: &mut Rbm);
    fn multiply_add(&mut self, params: &Params, values: &mut [f32]);
    fn copy(&mut self, params: &Params, from: &[f32], to: &mut [f32]);
}

struct DataBuffer {
    layout: RowLayout,
    words: Vec<u32>,
    order: Vec<u32>,
}

/// Buffers in host memory, and the kernels that work on them.
pub struct Host<K: HostKernels> {
    kernels: K,
    info: DeviceInfo,
    rbm: Rbm,
    moments: Moments,
    fast: Option<Fast>,
    snapshots: Vec<Rbm>,
    average: Option<Rbm>,
    offsets: Offsets,
    units: Vec<K::Units>,
    data: Vec<DataBuffer>,
    values: Vec<Vec<f32>>,
    uniforms: Vec<f32>,
}

impl<K: HostKernels> Host<K> {
    /// Room for a model of this shape.
    pub fn new(kernels: K, info: DeviceInfo, shape: Shape) -> Self {
        Self {
            kernels,
            info,
            rbm: Rbm::zeros(shape),
            moments: Moments::zeros(shape),
            fast: None,
            snapshots: Vec::new(),
            average: None,
            offsets: Offsets { visible: vec![0.0; shape.visible], hidden: vec![0.0; shape.hidden] },
            units: Vec::new(),
            data: Vec::new(),
            values: Vec::new(),
            uniforms: Vec::new(),
        }
    }

    /// What is kept beside the parameters.
    fn kept(&mut self, kept: Kept) -> &mut Rbm {
        let shape = self.rbm.shape;
        match kept {
            Kept::Average => self.average.get_or_insert_with(|| Rbm::zeros(shape)),
            Kept::Squares => &mut self.moments.squares,
            Kept::Fast => &mut self.fast.get_or_insert_with(|| Fast::zeros(shape)).weights,
            Kept::FastSum => &mut self.fast.get_or_insert_with(|| Fast::zeros(shape)).sum,
            Kept::Snapshot(number) => &mut self.snapshots[number],
        }
    }

    /// Lends the buffer of `output` while the other buffers are read.
    fn with_units(&mut self, output: Units, kernel: impl FnOnce(&mut Self, &mut K::Units)) {
        let mut buffer = std::mem::take(&mut self.units[output.0]);
        kernel(self, &mut buffer);
        self.units[output.0] = buffer;
    }
}

/// The parameters that a half step or a free energy takes.
fn parameters<'a>(params: &Params, rbm: &'a Rbm, fast: &'a Option<Fast>, snapshots: &'a [Rbm]) -> &'a Rbm {
    match (params.snapshot(), fast) {
        (Some(number), _) => &snapshots[number],
        (None, Some(fast)) if params.has(Params::FAST) => &fast.sum,
        _ => rbm,
    }
}

impl<K: HostKernels> Backend for Host<K> {
    fn info(&self) -> &DeviceInfo {
        &self.info
    }

    fn units(&mut self, layer: Layer, rows: usize) -> Result<Units> {
        let width = self.rbm.shape.units(layer);
        self.units.push(HostUnits::new(width, rows));
        Ok(Units(self.units.len() - 1))
    }

    fn data(&mut self, layout: RowLayout, rows: usize) -> Result<Data> {
        self.data.push(DataBuffer { layout, words: vec![0; rows * layout.words()], order: vec![0; rows] });
        Ok(Data(self.data.len() - 1))
    }

    fn values(&mut self, rows: usize) -> Result<Values> {
        self.values.push(vec![0.0; rows]);
        Ok(Values(self.values.len() - 1))
    }

    fn uniforms(&mut self, count: usize) -> Result<()> {
        self.uniforms = vec![0.0; count];
        Ok(())
    }

    fn moments(&mut self) -> Result<()> {
        self.moments = Moments::zeros(self.rbm.shape);
        Ok(())
    }

    fn fast_room(&mut self) -> Result<()> {
        self.fast = Some(Fast::zeros(self.rbm.shape));
        Ok(())
    }

    fn snapshot_room(&mut self, count: usize) -> Result<()> {
        self.snapshots = vec![Rbm::zeros(self.rbm.shape); count];
        Ok(())
    }

    fn write_rbm(&mut self, rbm: &Rbm, velocity: &Rbm) {
        self.rbm.clone_from(rbm);
        self.moments.velocity.clone_from(velocity);
    }

    fn write_offsets(&mut self, visible: &[f32], hidden: &[f32]) {
        self.offsets.visible.copy_from_slice(visible);
        self.offsets.hidden.copy_from_slice(hidden);
        self.average = None;
    }

    fn write_kept(&mut self, kept: Kept, values: &Rbm) {
        self.kept(kept).clone_from(values);
    }

    fn write_data(&mut self, data: Data, words: &[u32]) {
        self.data[data.0].words[..words.len()].copy_from_slice(words);
    }

    fn write_order(&mut self, data: Data, order: &[u32]) {
        self.data[data.0].order[..order.len()].copy_from_slice(order);
    }

    fn write_uniforms(&mut self, uniforms: &[f32]) {
        self.uniforms[..uniforms.len()].copy_from_slice(uniforms);
    }

    fn write_units(&mut self, units: Units, means: &[f32], states: &[f32]) {
        self.units[units.0].write(means, states);
    }

    fn write_values(&mut self, values: Values, numbers: &[f32]) {
        self.values[values.0][..numbers.len()].copy_from_slice(numbers);
    }

    fn gather(&mut self, params: &Params, data: Data, visible: Units) {
        self.with_units(visible, |host, out| {
            let uniforms = Uniforms::of(params, &host.uniforms);
            let data = &host.data[data.0];
            host.kernels.gather(params, data.layout, &data.words, &data.order, uniforms, out);
        });
    }

    fn sample_hidden(&mut self, params: &Params, visible: Units, hidden: Units) {
        self.with_units(hidden, |host, out| {
            let uniforms = Uniforms::of(params, &host.uniforms);
            let rbm = parameters(params, &host.rbm, &host.fast, &host.snapshots);
            host.kernels.sample_hidden(params, rbm, &host.units[visible.0], uniforms, out);
        });
    }

    fn sample_hidden_twice(&mut self, [one, other]: [(&Params, Units, Units); 2]) {
        let model = |params: &Params| (params.has(Params::FAST), params.snapshot());
        assert_eq!(model(one.0), model(other.0), "two models for one product");
        self.with_units(one.2, |host, first| {
            host.with_units(other.2, |host, second| {
                let half_steps =
                    [(one, first), (other, second)].map(|((params, visible, _), hidden)| HalfStep {
                        params,
                        visible: &host.units[visible.0],
                        uniforms: Uniforms::of(params, &host.uniforms),
                        hidden,
                    });
                let rbm = parameters(one.0, &host.rbm, &host.fast, &host.snapshots);
                host.kernels.sample_hidden_twice(rbm, half_steps);
            });
        });
    }

    fn sample_visible(&mut self, params: &Params, hidden: Units, visible: Units) {
        self.with_units(visible, |host, out| {
            let uniforms = Uniforms::of(params, &host.uniforms);
            let rbm = parameters(params, &host.rbm, &host.fast, &host.snapshots);
            host.kernels.sample_visible(params, rbm, &host.units[hidden.0], uniforms, out);
        });
    }

    fn update(&mut self, params: &Params, positive: (Units, Units), negative: (Units, Units)) {
        let phase = |(v, h): (Units, Units), rows: u32| Phase {
            rows: rows as usize,
            visible: &self.units[v.0],
            hidden: &self.units[h.0],
        };
        let (positive, negative) = (phase(positive, params.rows), phase(negative, params.chains));
        let (rbm, moments) = (&mut self.rbm, &mut self.moments);
        self.kernels.update(params, positive, negative, &self.offsets, rbm, moments);
    }

    fn limit_norms(&mut self, params: &Params) {
        self.kernels.limit_norms(params, &mut self.rbm);
    }

    fn track(&mut self, params: &Params, hidden: Units) {
        self.kernels.track(params, &self.units[hidden.0], &mut self.offsets.hidden);
    }

    fn average(&mut self, params: &Params) {
        let average = self.average.get_or_insert_with(|| Rbm::zeros(self.rbm.shape));
        self.kernels.average(params, &self.rbm, average);
    }

    fn fast_weights(&mut self, params: &Params) {
        if let Some(fast) = &mut self.fast {
            self.kernels.fast_weights(params, &self.rbm, &self.moments.velocity, fast);
        }
    }

    fn keep(&mut self, snapshot: usize) {
        self.snapshots[snapshot].clone_from(&self.rbm);
    }

    fn exchange_average(&mut self) {
        let average = self.average.get_or_insert_with(|| Rbm::zeros(self.rbm.shape));
        std::mem::swap(&mut self.rbm, average);
    }

    fn squared_error(&mut self, params: &Params, visible: Units, reconstruction: Units, values: Values) {
        let (visible, reconstruction) = (&self.units[visible.0], &self.units[reconstruction.0]);
        self.kernels.squared_error(params, visible, reconstruction, &mut self.values[values.0]);
    }

    fn free_energy(&mut self, params: &Params, visible: Units, values: Values) {
        let visible = &self.units[visible.0];
        let rbm = parameters(params, &self.rbm, &self.fast, &self.snapshots);
        self.kernels.free_energy(params, rbm, visible, &mut self.values[values.0]);
    }

    fn energy(&mut self, params: &Params, visible: Units, hidden: Units, values: Values) {
        let (visible, hidden) = (&self.units[visible.0], &self.units[hidden.0]);
        self.kernels.energy(params, &self.rbm, visible, hidden, &mut self.values[values.0]);
    }

    fn temper_bias(&mut self, params: &Params, base: Values, values: Values) {
        let mut out = std::mem::take(&mut self.values[values.0]);
        self.kernels.temper_bias(params, &self.rbm, &self.values[base.0], &mut out);
        self.values[values.0] = out;
    }

    fn swap(
        &mut self,
        params: &Params,
        cold: (Units, Values),
        hot: (Units, Values),
        accepted: Values,
        trips: Values,
    ) {
        let mut take = |values: Values| std::mem::take(&mut self.values[values.0]);
        let [mut cold_values, mut hot_values, mut accepted_counts, mut trip_counts] =
            [cold.1, hot.1, accepted, trips].map(&mut take);
        self.with_units(cold.0, |host, cold| {
            host.with_units(hot.0, |host, hot| {
                let (cold, hot) = ((cold, &mut cold_values[..]), (hot, &mut hot_values[..]));
                host.kernels.swap(params, cold, hot, &mut accepted_counts, &mut trip_counts);
            });
        });
        for (values, numbers) in
            [(cold.1, cold_values), (hot.1, hot_values), (accepted, accepted_counts), (trips, trip_counts)]
        {
            self.values[values.0] = numbers;
        }
    }

    fn clamp_visible(&mut self, params: &Params, known: Units, mask: Values, visible: Units) {
        self.with_units(visible, |host, out| {
            let (known, mask) = (&host.units[known.0], &host.values[mask.0]);
            host.kernels.clamp_visible(params, known, mask, out);
        });
    }

    fn set_visible_bias(&mut self, params: &Params, values: Values) {
        self.kernels.set_visible_bias(params, &self.values[values.0], &mut self.rbm);
    }

    fn multiply_add(&mut self, params: &Params, values: Values) {
        self.kernels.multiply_add(params, &mut self.values[values.0]);
    }

    fn copy(&mut self, params: &Params, from: Values, to: Values) {
        let mut copies = std::mem::take(&mut self.values[to.0]);
        self.kernels.copy(params, &self.values[from.0], &mut copies);
        self.values[to.0] = copies;
    }

    fn submit(&mut self) -> Result<()> {
        Ok(())
    }

    fn read_rbm(&mut self) -> Result<(Rbm, Rbm)> {
        Ok((self.rbm.clone(), self.moments.velocity.clone()))
    }

    fn read_kept(&mut self, kept: Kept) -> Result<Rbm> {
        Ok(self.kept(kept).clone())
    }

    fn read_offsets(&mut self) -> Result<(Vec<f32>, Vec<f32>)> {
        Ok((self.offsets.visible.clone(), self.offsets.hidden.clone()))
    }

    fn read_units(&mut self, units: Units, rows: usize) -> Result<(Vec<f32>, Vec<f32>)> {
        Ok(self.units[units.0].read(rows))
    }

    fn read_values(&mut self, values: Values, rows: usize) -> Result<Vec<f32>> {
        Ok(self.values[values.0][..rows].to_vec())
    }

    fn wait(&mut self) -> Result<()> {
        Ok(())
    }
}
