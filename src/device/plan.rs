//! Predicts the memory of some work, by running its allocation on a memory that only counts.

use crate::{
    backend::{Data, Memory, Model, Units, Values},
    data::RowLayout,
    error::Result,
    rbm::{Layers, Shape, Side},
};

/// A memory that only counts, in the kernels' layout. A size that overflows is too large for every device.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    layers: Layers,
    /// Models, and whatever has one number per parameter.
    pub(super) models: u64,
    /// Rows of the largest minibatch.
    pub(super) rows: usize,
    /// Bytes of the largest layer's means, states or moments.
    pub(super) largest_layer: u64,
    /// Bytes of all means, states and moments.
    pub(super) units: u64,
    /// Bytes of scratch for the inputs of hidden units that are not all binary.
    pub(super) inputs: u64,
    /// Bytes of uniforms from the host.
    pub(super) uniforms: u64,
    /// Bytes of the largest packed rows.
    pub(super) largest_data: u64,
    /// Bytes of packed rows and their orders.
    pub(super) data: u64,
    /// Bytes of other numbers.
    pub(super) values: u64,
}

/// Bytes of `rows` × `columns` numbers. Each row has a bias unit and is padded to a whole vec4.
fn matrix(rows: usize, columns: usize) -> u64 {
    (rows as u64).saturating_mul((columns as u64).saturating_add(4)).saturating_mul(4)
}

impl Plan {
    /// An empty plan.
    pub fn new(layers: impl Into<Layers>) -> Self {
        Self {
            layers: layers.into(),
            models: 0,
            rows: 0,
            largest_layer: 0,
            units: 0,
            inputs: 0,
            uniforms: 0,
            largest_data: 0,
            data: 0,
            values: 0,
        }
    }

    /// Bytes of one model.
    pub(super) fn model_bytes(&self) -> u64 {
        let Shape { visible, hidden } = self.layers.shape();
        let Layers { visible: of_visible, hidden: of_hidden } = &self.layers;
        let planes = [of_visible, of_hidden].map(|layer| matrix(layer.planes() - 1, layer.columns()));
        planes.iter().fold(matrix(visible.saturating_add(4), hidden), |sum, &bytes| sum.saturating_add(bytes))
    }
}

impl Memory for Plan {
    fn layers(&self) -> &Layers {
        &self.layers
    }

    fn model(&mut self) -> Result<Model> {
        self.models += 1;
        Ok(Model(0))
    }

    fn units(&mut self, side: Side, rows: usize) -> Result<Units> {
        let layer = self.layers.side(side);
        let bytes = matrix(rows, layer.columns());
        let moments = bytes.saturating_mul(layer.planes() as u64 - 1);
        self.rows = self.rows.max(rows);
        self.largest_layer = self.largest_layer.max(bytes).max(moments);
        self.units = self.units.saturating_add(bytes.saturating_mul(2)).saturating_add(moments);
        if side == Side::Visible && !self.layers.hidden.is_binary() {
            let inputs = matrix(rows, self.layers.hidden.columns());
            self.inputs = self.inputs.max(inputs);
            self.largest_layer = self.largest_layer.max(inputs);
        }
        Ok(Units { number: 0, layer: side })
    }

    fn data(&mut self, layout: RowLayout, rows: usize) -> Result<Data> {
        let [words, order] =
            [layout.words() as u64, 1].map(|words| words.saturating_mul(rows as u64).saturating_mul(4));
        self.largest_data = self.largest_data.max(words);
        self.data = self.data.saturating_add(words).saturating_add(order);
        Ok(Data(0))
    }

    fn values(&mut self, count: usize) -> Result<Values> {
        self.values = self.values.saturating_add(matrix(1, count));
        Ok(Values(0))
    }

    fn uniforms(&mut self, count: usize) -> Result<()> {
        self.uniforms = matrix(1, count);
        Ok(())
    }
}
