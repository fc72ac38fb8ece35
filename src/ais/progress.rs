//! How far an estimate has come, for whoever waits for it.

use std::sync::Arc;

/// Told how many Gibbs steps of chains were done since it was last told.
#[derive(Clone, Default)]
pub struct Progress(Option<Arc<dyn Fn(u64) + Send + Sync>>);

impl Progress {
    /// Tells `tell`.
    pub fn new(tell: impl Fn(u64) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(tell)))
    }

    /// So many steps more are done.
    pub fn add(&self, steps: u64) {
        if let Some(tell) = &self.0 {
            tell(steps);
        }
    }
}
