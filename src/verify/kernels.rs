//! Every kernel against its twin, on random data, with rows beyond the last that nothing may touch.

use super::{Check, Open, SIZES};
use crate::{
    backend::{Backend, Kept, MULTIPLY_ADDS, Params, Units},
    check::{TOLERANCE, largest_difference, largest_rbm_difference, random_rbm, random_states, wrong_states},
    data::Rows,
    error::Result,
    host::Host,
    rbm::{Layer, Rbm, Shape},
    reference::Reference,
    rng::{Stream, uniform_at},
};

/// Rows beyond the last, in every buffer.
const GUARD: usize = 2;
/// What they hold.
const UNTOUCHED: f32 = 7.5;

/// The device's uniforms, which show themselves as u < p, for seeds, steps and chains far apart.
pub fn random_words(open: &Open) -> Result<Vec<Check>> {
    let (shape, rows) = (Shape { visible: 1001, hidden: 1 }, 40);
    let mut backend = open(shape, rows)?;
    let mut biased = Rbm::zeros(shape);
    biased.visible_bias.iter_mut().zip(-500..).for_each(|(b, i)| *b = i as f32 * 0.01);
    backend.write_rbm(&biased, &Rbm::zeros(shape));
    // The hidden units start off, so p = σ(b).
    let hidden = backend.units(Layer::Hidden, rows)?;
    let visible = backend.units(Layer::Visible, rows)?;
    let mut check = Check::new("random words", "states that are not u < p", 0.0);
    for (seed, step, sweep, first_chain) in
        [(0, 0, 0, 0), (1, 2, 3, 4), (u64::MAX, u32::MAX, (1 << 28) - 1, 1 << 31)]
    {
        let params = Params { step, first_chain, ..Params::new(shape, rows, seed) };
        let params = params.sample(Stream::Visible, sweep);
        backend.sample_visible(&params, hidden, visible);
        let (means, states) = backend.read_units(visible, rows)?;
        let wrong = wrong_states(&params, shape.visible, &means, &states);
        check.see(wrong as f64, || format!("seed {seed}, step {step}, sweep {sweep}, chain {first_chain}"));
        check.cases += rows * shape.visible - 1;
    }
    Ok(vec![check])
}

/// One size: the device and the reference, with the same model.
struct Case {
    rows: usize,
    shape: Shape,
    seed: u64,
    sides: [Box<dyn Backend>; 2],
}

impl Case {
    fn new(open: &Open, (rows, visible, hidden): (usize, usize, usize), seed: u64) -> Result<Self> {
        let shape = Shape { visible, hidden };
        let device = open(shape, rows + GUARD)?;
        let reference = Host::new(Reference, device.info().clone(), shape);
        let mut sides: [Box<dyn Backend>; 2] = [device, Box::new(reference)];
        let (rbm, velocity) = (random_rbm(shape, 0.3, seed), random_rbm(shape, 0.1, seed + 1));
        sides.iter_mut().for_each(|side| side.write_rbm(&rbm, &velocity));
        Ok(Self { rows, shape, seed, sides })
    }

    fn params(&self) -> Params {
        Params { step: 5, ..Params::new(self.shape, self.rows, self.seed) }
    }

    fn name(&self) -> String {
        format!("rows={} visible={} hidden={}", self.rows, self.shape.visible, self.shape.hidden)
    }

    /// Units on both sides, with these values in their first rows.
    fn units(&mut self, layer: Layer, values: &[f32]) -> Result<[Units; 2]> {
        let mut all = vec![UNTOUCHED; (self.rows + GUARD) * self.shape.units(layer)];
        all[..values.len()].copy_from_slice(values);
        let mut units = Vec::new();
        for side in &mut self.sides {
            let handle = side.units(layer, self.rows + GUARD)?;
            side.write_units(handle, &all, &all);
            units.push(handle);
        }
        Ok([units[0], units[1]])
    }

    /// Means and states; a guarded row that was touched makes the first mean NaN.
    fn read(&mut self, side: usize, layer: Layer, units: Units) -> Result<(Vec<f32>, Vec<f32>)> {
        let (mut means, mut states) = self.sides[side].read_units(units, self.rows + GUARD)?;
        let used = self.rows * self.shape.units(layer);
        let touched = means[used..].iter().chain(&states[used..]).any(|&x| x != UNTOUCHED);
        means.truncate(used);
        states.truncate(used);
        if touched {
            means[0] = f32::NAN;
            states[0] = f32::NAN;
        }
        Ok((means, states))
    }

    fn half_steps(&mut self, means: &mut [Check; 2], wrong: &mut Check) -> Result<()> {
        for (at, (from, to)) in
            [(Layer::Visible, Layer::Hidden), (Layer::Hidden, Layer::Visible)].into_iter().enumerate()
        {
            let width = self.shape.units(from);
            let binary = random_states(self.rows, width, self.seed);
            let grey: Vec<f32> =
                binary.iter().zip(0..).map(|(x, i)| x * 0.75 + (i % 97) as f32 / 400.0).collect();
            for input in [binary, grey] {
                for params in [self.params(), Params { beta: 0.4, ..self.params() }.sample(Stream::Hidden, 2)]
                {
                    let inputs = self.units(from, &input)?;
                    let outputs = self.units(to, &[])?;
                    for ((side, input), output) in self.sides.iter_mut().zip(inputs).zip(outputs) {
                        match to {
                            Layer::Hidden => side.sample_hidden(&params, input, output),
                            Layer::Visible => side.sample_visible(&params, input, output),
                        }
                    }
                    let (found, expected) = (self.read(0, to, outputs[0])?, self.read(1, to, outputs[1])?);
                    means[at].see(largest_difference(&found.0, &expected.0).into(), || self.name());
                    let count = wrong_states(&params, self.shape.units(to), &found.0, &found.1);
                    wrong.see(count as f64, || self.name());
                }
            }
        }
        Ok(())
    }

    fn gather(&mut self, check: &mut Check) -> Result<()> {
        let units = self.shape.visible;
        let bytes: Vec<u8> = (0..(self.rows + 5) * units).map(|i| (i * 89 % 256) as u8).collect();
        let bits: Vec<bool> = bytes.iter().map(|byte| byte % 3 == 0).collect();
        let order: Vec<u32> =
            (0..self.rows as u32 + 2).map(|row| (row * 7 + 3) % (self.rows as u32 + 5)).collect();
        for rows in [Rows::from_bytes(units, &bytes, 1.0 / 255.0), Rows::from_bits(units, &bits)] {
            let plain = self.params().layout(rows.layout()).minibatch(2, self.rows);
            for params in [plain, plain.sample(Stream::Binarize, 0)] {
                let outputs = self.units(Layer::Visible, &[])?;
                for (side, output) in self.sides.iter_mut().zip(outputs) {
                    let data = side.data(rows.layout(), rows.len())?;
                    side.write_data(data, rows.words());
                    side.write_order(data, &order);
                    side.gather(&params, data, output);
                }
                let found = self.read(0, Layer::Visible, outputs[0])?.1;
                let expected = self.read(1, Layer::Visible, outputs[1])?.1;
                check.see(largest_difference(&found, &expected).into(), || self.name());
            }
        }
        Ok(())
    }

    /// The update, plain and centred, and what follows parameters: offsets and averages.
    fn updates(&mut self, checks: &mut [Check; 3]) -> Result<()> {
        let Shape { visible, hidden } = self.shape;
        let rate =
            Params { learning_rate: 0.3, momentum: 0.7, weight_decay: 0.05, rate: 0.25, ..self.params() };
        let centred = Params { flags: Params::CENTRED, chains: rate.rows.div_ceil(2), ..rate };
        let sparse = Params { l1: 0.02, sparsity_target: 0.1, sparsity_cost: 0.3, ..rate };
        let nesterov = Params { flags: Params::NESTEROV | Params::SPARSE, ..sparse };
        let adam = Params { learning_rate: 0.02, ..rate }.adam(0);
        let grey = |units, seed| -> Vec<f32> {
            let states = random_states(self.rows, units, seed);
            states.iter().zip(0..).map(|(x, i)| x * 0.75 + (i % 89) as f32 / 400.0).collect()
        };
        let values = [
            (Layer::Visible, random_states(self.rows, visible, 1)),
            (Layer::Hidden, grey(hidden, 2)),
            (Layer::Visible, grey(visible, 3)),
            (Layer::Hidden, grey(hidden, 4)),
        ];
        let offsets = [grey(visible, 5)[..visible].to_vec(), grey(hidden, 6)[..hidden].to_vec()];
        let mut units = Vec::new();
        for (layer, values) in &values {
            units.push(self.units(*layer, values)?);
        }
        for params in [rate, centred, nesterov, adam] {
            let mut results = Vec::new();
            for (side, at) in self.sides.iter_mut().zip(0..) {
                side.moments()?;
                side.write_offsets(&offsets[0], &offsets[1]);
                side.update(&params, (units[0][at], units[1][at]), (units[2][at], units[3][at]));
                side.average(&params);
                side.track(&params, units[1][at]);
                results.push((side.read_rbm()?, side.read_kept(Kept::Average)?, side.read_offsets()?));
            }
            let [(found, average, offsets), (expected, expected_average, expected_offsets)] = &results[..]
            else {
                continue;
            };
            // A centred bias takes in the errors of a whole row of weights.
            let terms = if params.has(Params::CENTRED) { visible.max(hidden) as f32 / 20.0 } else { 1.0 };
            let of_velocity = largest_rbm_difference(&found.1, &expected.1) / terms.max(1.0);
            checks[0].see(of_velocity.into(), || self.name());
            // Adam makes a whole step of a gradient that is nothing but its rounding error.
            if !params.has(Params::ADAM) {
                let error = largest_rbm_difference(&found.0, &expected.0) / terms.max(1.0);
                checks[0].see(error.into(), || self.name());
                let error = largest_rbm_difference(average, expected_average) / terms.max(1.0);
                checks[1].see(error.into(), || self.name());
            }
            let error = largest_difference(&offsets.1, &expected_offsets.1);
            checks[2].see(error.into(), || self.name());
            let (rbm, velocity) = expected.clone();
            self.sides.iter_mut().for_each(|side| side.write_rbm(&rbm, &velocity));
        }
        Ok(())
    }

    /// What shortens weights, what chains take beside them, and the exchange of a model with its average.
    fn models(&mut self, checks: &mut [Check; 3]) -> Result<()> {
        let Shape { visible, hidden } = self.shape;
        let (rbm, velocity) = self.sides[1].read_rbm()?;
        let params = Params { rate: 0.4, largest_norm: 0.3 * (visible as f32).sqrt(), ..self.params() };
        let v = self.units(Layer::Visible, &random_states(self.rows, visible, self.seed))?;
        let h = self.units(Layer::Hidden, &[])?;
        let mut models = Vec::new();
        for (side, at) in self.sides.iter_mut().zip(0..) {
            side.limit_norms(&params);
            let limited = side.read_rbm()?.0;
            side.write_rbm(&rbm, &velocity);
            // Begins the average anew.
            side.write_offsets(&vec![0.0; visible], &vec![0.0; hidden]);
            side.average(&params);
            side.exchange_average();
            let exchanged = side.read_rbm()?.0;
            side.exchange_average();
            side.fast_room()?;
            (0..2).for_each(|_| side.fast_weights(&params));
            side.sample_hidden(&Params { flags: Params::FAST, ..params }, v[at], h[at]);
            models.push((limited, exchanged));
        }
        let (found, expected) = (self.read(0, Layer::Hidden, h[0])?.0, self.read(1, Layer::Hidden, h[1])?.0);
        for (check, error) in checks.iter_mut().zip([
            largest_rbm_difference(&models[0].0, &models[1].0),
            largest_rbm_difference(&models[0].1, &models[1].1),
            largest_difference(&found, &expected),
        ]) {
            check.see(error.into(), || self.name());
        }
        Ok(())
    }

    /// Half steps and free energies of parameters as they were, when the model is another.
    fn snapshots(&mut self, checks: &mut [Check; 2]) -> Result<()> {
        let Shape { visible, hidden } = self.shape;
        let (rbm, velocity) = self.sides[1].read_rbm()?;
        let params = self.params();
        let x = self.units(Layer::Visible, &random_states(self.rows, visible, 8))?;
        let (h, v) = (self.units(Layer::Hidden, &[])?, self.units(Layer::Visible, &[])?);
        let mut results = Vec::new();
        for (side, at) in self.sides.iter_mut().zip(0..) {
            side.snapshot_room(2)?;
            side.keep(1);
            side.write_rbm(&random_rbm(self.shape, 0.3, self.seed + 2), &velocity);
            let (kept, energies) = (params.of_snapshot(1), side.values(self.rows)?);
            side.free_energy(&params, x[at], energies);
            side.free_energy(&Params { flags: kept.flags | Params::LESS, ..kept }, x[at], energies);
            side.sample_hidden(&kept, x[at], h[at]);
            side.sample_visible(&kept, h[at], v[at]);
            results.push((side.read_kept(Kept::Snapshot(1))?, side.read_values(energies, self.rows)?));
            side.write_rbm(&rbm, &velocity);
        }
        let [(kept, found), (_, expected)] = &results[..] else { return Ok(()) };
        // A difference has the errors of what it is between, which are of the size of a case's terms.
        let size = ((visible + hidden) as f32).max(1.0);
        checks[0].see((largest_difference(found, expected) / size).into(), || self.name());
        let [found, expected] = [0, 1].map(|side| -> Result<Vec<f32>> {
            Ok([self.read(side, Layer::Hidden, h[side])?.0, self.read(side, Layer::Visible, v[side])?.0]
                .concat())
        });
        let means = largest_difference(&found?, &expected?);
        checks[1].see(means.max(largest_rbm_difference(kept, &rbm)).into(), || self.name());
        Ok(())
    }

    fn clamp_visible(&mut self, check: &mut Check) -> Result<()> {
        let visible = self.shape.visible;
        let known = self.units(Layer::Visible, &random_states(self.rows, visible, 5))?;
        let units = self.units(Layer::Visible, &random_states(self.rows, visible, 6))?;
        let mask: Vec<f32> = (0..visible).map(|i| (i * 7 % 3) as f32).collect();
        let params = self.params();
        for (side, at) in self.sides.iter_mut().zip(0..) {
            let values = side.values(visible)?;
            side.write_values(values, &mask);
            side.clamp_visible(&params, known[at], values, units[at]);
        }
        let (found, expected) =
            (self.read(0, Layer::Visible, units[0])?.1, self.read(1, Layer::Visible, units[1])?.1);
        check.see(largest_difference(&found, &expected).into(), || self.name());
        Ok(())
    }

    /// Swaps of replicas: which chains, what goes with them, and what is counted.
    fn swap(&mut self, check: &mut Check) -> Result<()> {
        let rows = self.rows;
        let number = |row: usize, seed: u64| {
            uniform_at(seed, 0, Stream::Synthetic.draw(3), row as u32, 0) * 12.0 - 6.0
        };
        let values = |seed: u64| -> Vec<f32> {
            let marks = (0..rows).map(|row| f32::from(number(row, seed + 9) > 0.0));
            (0..rows).map(|row| number(row, seed)).chain(marks).collect()
        };
        for (layer, flags) in
            [(Layer::Hidden, 0), (Layer::Hidden, Params::COLDEST), (Layer::Visible, Params::HOTTEST)]
        {
            let width = self.shape.units(layer);
            let params =
                Params { rate: 0.3, first_row: 2, draw: Stream::Swap.draw(5), flags, ..self.params() };
            let units = [
                self.units(layer, &random_states(rows, width, 1))?,
                self.units(layer, &random_states(rows, width, 2))?,
            ];
            let mut results = Vec::new();
            for (side, at) in self.sides.iter_mut().zip(0..) {
                let mut buffers = Vec::new();
                for _ in 0..4 {
                    buffers.push(side.values(2 * rows + 2)?);
                }
                side.write_values(buffers[0], &values(1));
                side.write_values(buffers[1], &values(4));
                let (cold, hot) = ((units[0][at], buffers[0]), (units[1][at], buffers[1]));
                side.swap(&params, cold, hot, buffers[2], buffers[3]);
                let mut numbers = Vec::new();
                for buffer in buffers {
                    numbers.extend(side.read_values(buffer, 2 * rows)?);
                }
                results.push(numbers);
            }
            for (side, result) in results.iter_mut().enumerate() {
                for replicas in units {
                    result.extend(self.read(side, layer, replicas[side])?.1);
                }
            }
            check.see(largest_difference(&results[0], &results[1]).into(), || self.name());
        }
        Ok(())
    }

    /// The kernels that give a number a row, or take one.
    fn numbers(&mut self, checks: &mut [Check; 7]) -> Result<()> {
        let Shape { visible, hidden } = self.shape;
        let params = Params { beta: 0.8, rate: 0.6, ..self.params() };
        let h = self.units(Layer::Hidden, &random_states(self.rows, hidden, 3))?;
        let x = self.units(Layer::Visible, &random_states(self.rows, visible, 1))?;
        let p: Vec<f32> = (0..self.rows * visible).map(|i| (i % 89) as f32 / 89.0).collect();
        let p = self.units(Layer::Visible, &p)?;
        let bias: Vec<f32> = (0..visible).map(|i| (i % 13) as f32 * 0.5 - 3.0).collect();
        let mut results = Vec::new();
        for (side, at) in self.sides.iter_mut().zip(0..) {
            let mut read = Vec::new();
            let energies = side.values(self.rows)?;
            side.free_energy(&params, x[at], energies);
            read.push(side.read_values(energies, self.rows)?);
            let errors = side.values(self.rows)?;
            side.write_values(errors, &vec![1.5; self.rows]);
            side.squared_error(&params, x[at], p[at], errors);
            read.push(side.read_values(errors, self.rows)?);
            let biases = side.values(visible)?;
            side.write_values(biases, &bias);
            side.set_visible_bias(&Params::new(self.shape, 1, 0), biases);
            read.push(side.read_rbm()?.0.visible_bias);
            let (from, to) = (side.values(self.rows)?, side.values(self.rows)?);
            let numbers: Vec<f32> = (0..self.rows).map(|row| row as f32 / 128.0 - 0.25).collect();
            side.write_values(from, &numbers);
            side.copy(&params, from, to);
            read.push(side.read_values(to, self.rows)?);
            side.multiply_add(&params, from);
            read.push(side.read_values(from, self.rows)?);
            let energies = side.values(self.rows)?;
            side.energy(&params, x[at], h[at], energies);
            read.push(side.read_values(energies, self.rows)?);
            let tempered = side.values(visible)?;
            side.temper_bias(&Params { rows: 1, ..params }, biases, tempered);
            read.push(side.read_values(tempered, visible)?);
            results.push(read);
        }
        for ((check, found), expected) in checks.iter_mut().zip(&results[0]).zip(&results[1]) {
            // A sum has an error of the size of its terms.
            let size = expected.iter().fold(1.0_f32, |size, x| size.max(x.abs()));
            check.see((largest_difference(found, expected) / size).into(), || self.name());
        }
        Ok(())
    }
}

/// All kernels at all sizes.
pub fn kernels(open: &Open) -> Result<Vec<Check>> {
    let tolerance = f64::from(TOLERANCE);
    let mut gather = Check::new("gather", "states", 0.0);
    let mut means = ["sample_hidden", "sample_visible"].map(|name| Check::new(name, "means", tolerance));
    let mut wrong = Check::new("half steps", "states that are not u < p", 0.0);
    let mut updates = [("update", "parameters"), ("average", "parameters"), ("track", "offsets")]
        .map(|(name, of)| Check::new(name, of, tolerance));
    let mut numbers = [
        Check::new("free_energy", "share of the largest", 2e-6),
        Check::new("squared_error", "share of the largest", 2e-6),
        Check::new("set_visible_bias", "biases", 0.0),
        Check::new("copy", "numbers", 0.0),
        // Each of its roundings may be fused or not.
        Check::new("multiply_add", "numbers", MULTIPLY_ADDS as f64 * 6e-8),
        Check::new("energy", "share of the largest", tolerance),
        Check::new("temper_bias", "biases", tolerance),
    ];
    let mut models = [
        Check::new("limit_norms", "parameters", tolerance),
        Check::new("exchange_average", "parameters", tolerance),
        Check::new("fast_weights", "means", 2.0 * tolerance),
    ];
    let mut snapshots = [
        Check::new("free_energy of snapshots", "differences, a unit", 2e-6),
        Check::new("half steps of snapshots", "means", 2.0 * tolerance),
    ];
    let mut swap = Check::new("swap", "states and counts", 0.0);
    let mut clamp_visible = Check::new("clamp_visible", "states", 0.0);
    for (size, seed) in SIZES.into_iter().zip(7..) {
        let mut case = Case::new(open, size, seed)?;
        case.gather(&mut gather)?;
        case.half_steps(&mut means, &mut wrong)?;
        case.updates(&mut updates)?;
        case.numbers(&mut numbers)?;
        case.models(&mut models)?;
        case.snapshots(&mut snapshots)?;
        case.swap(&mut swap)?;
        case.clamp_visible(&mut clamp_visible)?;
    }
    let mut all = vec![gather];
    all.extend(means);
    all.push(wrong);
    all.extend(updates);
    all.extend(numbers);
    all.extend(models);
    all.extend(snapshots);
    all.push(swap);
    all.push(clamp_visible);
    Ok(all)
}
