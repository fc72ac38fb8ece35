//! Progress of an estimate.

use std::sync::Arc;

/// Callback with the number of Gibbs steps done since its last call.
#[derive(Clone, Default)]
pub struct Progress(Option<Arc<dyn Fn(u64) + Send + Sync>>);

impl Progress {
    /// Calls `tell`.
    pub fn new(tell: impl Fn(u64) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(tell)))
    }

    /// Reports `steps` more steps.
    pub fn add(&self, steps: u64) {
        if let Some(tell) = &self.0 {
            tell(steps);
        }
    }
}
