//! Every kernel against its twin, in every way that it is used, at awkward sizes.

use super::{Check, Open, SIZES};
use crate::{
    backend::{BackendExt, Draw, HalfStep, Pair},
    check::{
        cases,
        stage::{Size, observe},
        wrong_states,
    },
    error::Result,
    host::Host,
    rbm::{Rbm, Shape, Side},
    reference::Reference,
    rng::{Address, Stream},
};

/// The device's uniforms, visible as u < p, for seeds, steps and chains far apart.
pub fn random_words(open: &Open) -> Result<Vec<Check>> {
    let (shape, rows) = (Shape { visible: 1001, hidden: 1 }, 40);
    let mut backend = open(shape.into(), rows)?;
    let mut biased = Rbm::zeros(shape);
    biased.visible_bias_mut().iter_mut().zip(-500..).for_each(|(b, i)| *b = i as f32 * 0.01);
    let model = backend.model_of(&biased)?;
    // The hidden units start at 0, so p = σ(b).
    let Pair { visible, hidden } = backend.pair(rows)?;
    let mut check = Check::new("random words", "states that are not u < p", 0.0);
    for (seed, step, sweep, first_chain) in
        [(0, 0, 0, 0), (1, 2, 3, 4), (u64::MAX, u32::MAX, Address::SWEEPS - 1, 1 << 31)]
    {
        let draw = Draw::of(seed, Stream::Train, Side::Visible, step).sweep(sweep).chains_from(first_chain);
        backend.sample(&HalfStep::new(rows, draw), model.into(), hidden, visible);
        let (means, states) = backend.read_units(visible, rows)?;
        let wrong = wrong_states(&draw, shape.visible, &means, &states);
        check.see(wrong as f64, || format!("seed {seed}, step {step}, sweep {sweep}, chain {first_chain}"));
        check.cases += rows * shape.visible - 1;
    }
    Ok(vec![check])
}

/// All kernels at all sizes, one check each.
pub fn kernels(open: &Open) -> Result<Vec<Check>> {
    let mut checks: Vec<Check> = Vec::new();
    for (layers, case) in cases::all() {
        let known = checks.iter().position(|check| check.name == case.kernel);
        let at = known.unwrap_or(checks.len());
        if known.is_none() {
            checks.push(Check::new(case.kernel, "tolerances", 1.0));
        }
        let check = &mut checks[at];
        for ((rows, visible, hidden), seed) in SIZES.into_iter().zip(7..) {
            let size = Size { rows, shape: Shape { visible, hidden } };
            let layers = layers(size.shape);
            let mut device = open(layers.clone(), rows + 3)?;
            let mut reference = Host::new(Reference, device.info().clone(), layers);
            let found = observe(case.prepare, &mut *device, size, seed)?;
            for deviation in found.deviations(&observe(case.prepare, &mut reference, size, seed)?) {
                let share = if deviation.wrong > 0 { f64::INFINITY } else { deviation.share };
                check.see(share, || match deviation.wrong {
                    0 => format!(
                        "{}, {size}: {:.1e} of {:.0e}",
                        case.way, deviation.error, deviation.tolerance
                    ),
                    wrong => format!("{}, {size}: {wrong} wrong", case.way),
                });
            }
        }
    }
    Ok(checks)
}
