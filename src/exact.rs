//! Exact figures of small models: the partition function by enumeration, and with it the log-likelihood and its gradient.
//! In `f64`; equations (22)–(28).

mod enumeration;
pub(crate) mod product;

use crate::{
    data::Rows,
    error::{Result, usage},
    rbm::{Rbm, Shape, Side},
    reference::{free_energy, hidden_input, sigmoid},
};

/// The most units of the enumerated layer: 2^25 states of 784 units take seconds.
pub const LARGEST_LAYER: usize = 25;

/// Whether a layer is small enough for [`log_partition_function`].
pub fn is_enumerable(shape: Shape) -> bool {
    shape.visible.min(shape.hidden) <= LARGEST_LAYER
}

/// log Z = log Σ_v Σ_h e^(−E(v,h)): enumerates the smaller layer and sums the other in closed form, on all cores. The
/// relative error is about 1e-14.
///
/// # Errors
/// [`crate::Error::Usage`] when both layers have more than [`LARGEST_LAYER`] units, or a parameter is not finite.
pub fn log_partition_function(rbm: &Rbm) -> Result<f64> {
    let smaller = if rbm.shape().visible <= rbm.shape().hidden { Side::Visible } else { Side::Hidden };
    log_partition_function_over(rbm, smaller)
}

/// [`log_partition_function`] by enumerating a given layer.
///
/// # Errors
/// [`crate::Error::Usage`] when this layer has more than [`LARGEST_LAYER`] units, or a parameter is not finite.
pub fn log_partition_function_over(rbm: &Rbm, layer: Side) -> Result<f64> {
    if rbm.shape().units(layer) > LARGEST_LAYER {
        let Shape { visible, hidden } = rbm.shape();
        return usage!(
            "exact log Z needs a layer of at most {LARGEST_LAYER} units; this model has {visible} × {hidden}"
        );
    }
    if let Some((tensor, index, value)) = rbm.non_finite() {
        return usage!("log Z needs finite parameters; {tensor}[{index}] is {value}");
    }
    Ok(enumeration::log_partition_function(rbm, layer))
}

/// The mean of log p(v) over `rows`, in nats: equation (22) divided by the number of cases.
///
/// # Errors
/// Those of [`log_partition_function`].
pub fn log_likelihood(rbm: &Rbm, rows: &Rows) -> Result<f64> {
    let log_z = log_partition_function(rbm)?;
    let sum: f64 =
        (0..rows.len()).map(|row| -free_energy(rbm, 1.0, &rows.values(row).collect::<Vec<_>>())).sum();
    Ok(sum / rows.len() as f64 - log_z)
}

/// The gradient of [`log_likelihood`], equations (26)–(28), with the model's means by enumeration over v: for tiny models.
/// Gradients of the weights, visible × hidden, the visible biases and the hidden biases.
///
/// # Errors
/// [`crate::Error::Usage`] when there are more than [`LARGEST_LAYER`] visible units.
pub fn log_likelihood_gradient(rbm: &Rbm, rows: &Rows) -> Result<[Vec<f64>; 3]> {
    check_visible(rbm)?;
    let log_z = log_partition_function(rbm)?;
    let mut gradient = Statistics::zeros(rbm.shape());
    for row in 0..rows.len() {
        gradient.add(rbm, 1.0 / rows.len() as f64, &rows.values(row).collect::<Vec<_>>());
    }
    for_each_state(rbm.shape().visible, |visible| {
        let probability = (-free_energy(rbm, 1.0, visible) - log_z).exp();
        gradient.add(rbm, -probability, visible);
    });
    Ok([gradient.associations, gradient.visible, gradient.hidden])
}

/// p(v) for every v, in the order of [`for_each_state`].
///
/// # Errors
/// [`crate::Error::Usage`] when there are more than [`LARGEST_LAYER`] visible units.
pub fn visible_distribution(rbm: &Rbm) -> Result<Vec<f64>> {
    check_visible(rbm)?;
    let log_z = log_partition_function(rbm)?;
    let mut distribution = Vec::new();
    for_each_state(rbm.shape().visible, |v| distribution.push((-free_energy(rbm, 1.0, v) - log_z).exp()));
    Ok(distribution)
}

fn check_visible(rbm: &Rbm) -> Result<()> {
    if rbm.shape().visible > LARGEST_LAYER {
        return usage!(
            "enumeration of visible states needs at most {LARGEST_LAYER} visible units; \
             this model has {}",
            rbm.shape().visible
        );
    }
    Ok(())
}

/// Calls `visit` with each of the 2^`units` binary states; unit i is bit i of the state's index.
pub fn for_each_state(units: usize, mut visit: impl FnMut(&[f32])) {
    let mut state = vec![0.0; units];
    for number in 0u64..1 << units {
        for (bit, unit) in state.iter_mut().enumerate() {
            *unit = (number >> bit & 1) as f32;
        }
        visit(&state);
    }
}

/// Means over data or model, whose difference is the gradient.
struct Statistics {
    /// ⟨v p(h|v)⟩, visible × hidden.
    associations: Vec<f64>,
    /// ⟨v⟩.
    visible: Vec<f64>,
    /// ⟨p(h|v)⟩.
    hidden: Vec<f64>,
}

impl Statistics {
    fn zeros(Shape { visible, hidden }: Shape) -> Self {
        Self {
            associations: vec![0.0; visible * hidden],
            visible: vec![0.0; visible],
            hidden: vec![0.0; hidden],
        }
    }

    fn add(&mut self, rbm: &Rbm, weight: f64, visible: &[f32]) {
        for (sum, &v) in self.visible.iter_mut().zip(visible) {
            *sum += weight * f64::from(v);
        }
        let units = self.hidden.len();
        for j in 0..units {
            let mean = sigmoid(hidden_input(rbm, visible, j));
            self.hidden[j] += weight * mean;
            for (i, &v) in visible.iter().enumerate() {
                self.associations[i * units + j] += weight * f64::from(v) * mean;
            }
        }
    }
}

/// log Σ e^x over a stream of x, without overflow.
pub(crate) struct LogSum {
    largest: f64,
    sum: f64,
}

impl Default for LogSum {
    fn default() -> Self {
        Self { largest: f64::NEG_INFINITY, sum: 0.0 }
    }
}

impl LogSum {
    pub(crate) fn add(&mut self, x: f64) {
        if x > self.largest {
            self.sum *= (self.largest - x).exp();
            self.largest = x;
        }
        self.sum += (x - self.largest).exp();
    }

    pub(crate) fn value(&self) -> f64 {
        self.largest + self.sum.ln()
    }
}
