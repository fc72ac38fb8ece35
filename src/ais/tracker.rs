//! log Z of a model while it is being trained, from look to look.
//!
//! Replicas stay where the last look left them. The model has changed little since, and they need few rounds to follow it
//! (Desjardins, Courville and Bengio 2011, "On tracking the partition function"). Each look finds log Z from its own rounds
//! alone, so errors do not add up; a run that is gone on with starts its replicas anew.

use super::{Base, Tempered, replicas::Replicas};
use crate::{
    backend::{Backend, Params},
    data::Rows,
    error::Result,
    rbm::{Layer, Shape},
};

/// Chains, each with its replicas.
const CHAINS: usize = 20;
/// Replicas of a chain.
const REPLICAS: usize = 20;
/// Rounds before the first look, in which chains forget where they started; then temperatures are moved, and kept.
const FIRST: usize = 100;
/// Rounds to follow the model since the last look.
const FOLLOWING: usize = 20;
/// Rounds that count.
const COUNTED: usize = 10;

/// Replicas that follow a model.
pub struct Tracker {
    replicas: Replicas,
    has_started: bool,
}

impl Tracker {
    /// Rows of units that it needs room for.
    pub const ROWS: usize = CHAINS * REPLICAS;

    /// Makes room beside a model of this shape.
    ///
    /// # Errors
    /// [`crate::Error::Device`] when there is no room.
    pub fn new(backend: &mut dyn Backend, shape: Shape) -> Result<Self> {
        let coldest = (backend.units(Layer::Visible, CHAINS)?, backend.units(Layer::Hidden, CHAINS)?);
        let params = Params::new(shape, CHAINS, 1);
        Ok(Self { replicas: Replicas::new(backend, params, coldest, REPLICAS)?, has_started: false })
    }

    /// log Z of the model on the device, which stays as it is. `data` are binary, and half of the chains start from them.
    ///
    /// # Errors
    /// [`crate::Error::Device`] if the device failed.
    pub fn look(&mut self, backend: &mut dyn Backend, base: &Base, data: &Rows) -> Result<Tempered> {
        if !self.has_started {
            self.replicas.start(backend, base, data)?;
            self.replicas.advance(backend, FIRST)?;
            self.replicas.adapt(backend)?;
            self.has_started = true;
        }
        self.replicas.advance(backend, FOLLOWING)?;
        let tempered = self.replicas.measure(backend, base, COUNTED)?;
        backend.submit()?;
        Ok(tempered)
    }
}
