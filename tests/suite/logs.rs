//! Logs as programs write them, each a few lines: how many costs are found under which name, and the verdict.

use rbm_gpu::doctor::log::{Log, LogFigures, Taken, parse, taken};

/// The names of the findings of all parts of a log, worse than notes; or "healthy".
fn verdict(logs: &[Log]) -> String {
    let found = logs.iter().flat_map(|log| LogFigures::measure(log).findings(None));
    let names: Vec<String> = found.map(|finding| finding.name.into()).collect();
    if names.is_empty() { "healthy".into() } else { names.join(", ") }
}

/// Epochs, and costs that fall from `from` to about a third.
fn falling(epochs: usize, from: f64) -> impl Iterator<Item = (usize, f64)> {
    (0..epochs).map(move |epoch| (epoch, from * (0.35 + 0.65 * (-(epoch as f64) / 4.0).exp())))
}

/// A line for each epoch of a cost that falls from `from`.
fn course(epochs: usize, from: f64, line: impl Fn(usize, f64) -> String) -> String {
    falling(epochs, from).map(|(epoch, cost)| line(epoch, cost)).collect()
}

/// Noise between −1 and 1, the same each time.
fn noise(at: usize) -> f64 {
    let mixed = (at as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    ((mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
}

/// A name, a text, the number of costs of each part, the costs' name, and the verdict.
type Case = (&'static str, String, &'static [usize], &'static str, &'static str);

fn known_programs() -> Vec<Case> {
    vec![
        (
            "Theano's tutorial",
            course(12, 100.0, |e, x| format!("Training epoch {e}, cost is  {}\n", -x))
                + "Training took 122.4 minutes\n",
            &[12],
            "-cost",
            "healthy",
        ),
        ("echen", course(30, 9.0, |e, x| format!("Epoch {e}: error is {x}\n")), &[30], "error", "healthy"),
        (
            "DeepLearnToolbox",
            course(10, 82.0, |e, x| format!("epoch {}/10. Average reconstruction error is: {x:.4}\n", e + 1)),
            &[10],
            "reconstruction error",
            "healthy",
        ),
        (
            "GabrielBianconi",
            "Loading dataset...\nTraining RBM...\n".to_string()
                + &course(10, 1e5, |e, x| format!("Epoch Error (epoch={e}): {x:.4}\n"))
                + "Extracting features...\n",
            &[10],
            "error",
            "healthy",
        ),
        (
            "Deep Learning A-Z",
            course(10, 0.36, |e, x| format!("epoch: {} loss: tensor({x:.4})\n", e + 1))
                + "test loss: tensor(0.2412)\n",
            &[10],
            "loss",
            "healthy",
        ),
        (
            "Deep Learning A-Z on a GPU",
            course(10, 0.36, |e, x| {
                format!("epoch: {} loss: tensor({x:.4}, device='cuda:0', grad_fn=<DivBackward0>)\n", e + 1)
            }),
            &[10],
            "loss",
            "healthy",
        ),
        (
            "dl4j, flat",
            (0..40)
                .map(|i| {
                    format!(
                        "o.d.o.l.ScoreIterationListener - Score at iteration {i} is {}\n",
                        0.69 + 1e-6 * (i % 3) as f64
                    )
                })
                .collect(),
            &[40],
            "score",
            "cost-does-not-fall",
        ),
        (
            "dl4j",
            course(40, 0.7, |e, x| {
                format!("o.d.o.l.ScoreIterationListener - Score at iteration {e} is {x}\n")
            }),
            &[40],
            "score",
            "healthy",
        ),
        (
            "scikit-learn",
            course(20, 200.0, |e, x| {
                format!("[BernoulliRBM] Iteration {}, pseudo-likelihood = {:.2}, time = 1.12s\n", e + 1, -x)
            }),
            &[20],
            "-pseudo-likelihood",
            "healthy",
        ),
        (
            "scikit-learn, worse and worse",
            (1..30)
                .map(|i| {
                    format!(
                        "[BernoulliRBM] Iteration {i}, pseudo-likelihood = {}.00, time = 1.1s\n",
                        -50 - 10 * i
                    )
                })
                .collect(),
            &[29],
            "-pseudo-likelihood",
            "cost-explodes",
        ),
        (
            "Keras in lines",
            course(10, 0.7, |e, x| {
                format!(
                    "Epoch {}/10\n600/600 - 3s - loss: {x:.4} - val_loss: {:.4} - 3s/epoch - 5ms/step\n",
                    e + 1,
                    1.1 * x
                )
            }),
            &[10],
            "loss",
            "healthy",
        ),
        (
            "Keras with its bar, as a terminal got it",
            course(10, 0.7, |e, x| {
                let state = |n: usize| {
                    format!("{n}/600 [==>....] - ETA: 3s - loss: {:.4}\u{8}\u{8}\u{8}\u{8}\r", 2.0 * x)
                };
                let states: String = (1..6).map(|n| state(100 * n)).collect();
                format!("Epoch {}/10\n{states}600/600 [======] - 3s 5ms/step - loss: {x:.4}\n", e + 1)
            }),
            &[10],
            "loss",
            "healthy",
        ),
        (
            "Keras CSVLogger",
            "epoch,accuracy,loss,val_accuracy,val_loss\n".to_string()
                + &course(12, 0.7, |e, x| format!("{e},0.5,{x},0.5,{}\n", 1.2 * x)),
            &[12],
            "loss",
            "healthy",
        ),
        (
            "Keras history of pandas",
            ",loss,val_loss\n".to_string() + &course(12, 0.7, |e, x| format!("{e},{x},{}\n", 1.2 * x)),
            &[12],
            "loss",
            "healthy",
        ),
        (
            "Lightning's CSVLogger, every second line without a training loss",
            "epoch,step,train_loss,val_loss\n".to_string()
                + &course(15, 3.2, |e, x| format!("{e},{e}00,{x:.4},\n{e},{e}00,,{:.4}\n", 1.05 * x)),
            &[15],
            "train_loss",
            "healthy",
        ),
        (
            "Lightning with losses of steps and of epochs",
            "train_loss_step,train_loss_epoch,epoch,step\n".to_string()
                + &course(15, 3.2, |e, x| format!("{},,{e},{e}00\n,{x:.4},{e},{e}50\n", 2.0 + noise(e))),
            &[15],
            "train_loss_epoch",
            "healthy",
        ),
        (
            "TensorBoard",
            "Wall time,Step,Value\n".to_string() + &course(12, 5.5, |e, x| format!("1.6e9,{e},{x}\n")),
            &[12],
            "Value",
            "healthy",
        ),
        (
            "fastai",
            "epoch     train_loss  valid_loss  accuracy  time\n".to_string()
                + &course(10, 0.9, |e, x| {
                    format!("{e}         {x:.6}    {:.6}    0.84      00:07\n", 1.1 * x)
                }),
            &[10],
            "train_loss",
            "healthy",
        ),
        (
            "Hugging Face, a dictionary a line",
            course(10, 2.5, |e, x| format!("{{'loss': {x:.4}, 'learning_rate': 5e-05, 'epoch': {e}.5}}\n")),
            &[10],
            "loss",
            "healthy",
        ),
        (
            "tqdm, a bar an epoch",
            course(10, 0.7, |e, x| {
                format!(
                    "Epoch {e}:   0%|     | 0/600 [00:00<?, ?it/s]\rEpoch {e}:  50%|██ | 300/600 [00:02<00:02, 110it/s, \
                     loss=0.9]\rEpoch {e}: 100%|████| 600/600 [00:05<00:00, 110.4it/s, loss={x:.3}]\n"
                )
            }),
            &[10],
            "loss",
            "healthy",
        ),
        (
            "tqdm, one bar",
            course(20, 0.7, |e, x| format!("\r{e}%|█   | {e}/20 [00:0{}<00:02, 3it/s, loss={x:.3}]", e % 9)),
            &[20],
            "loss",
            "healthy",
        ),
        (
            "logging in colours",
            course(10, 0.7, |e, x| {
                format!("\u{1b}[32mINFO\u{1b}[0m 12:00:0{e} epoch {e} \u{1b}[1mloss\u{1b}[0m: {x:.3}\n")
            }),
            &[10],
            "loss",
            "healthy",
        ),
    ]
}

fn any_program() -> Vec<Case> {
    let list = |from: f64| {
        let all: Vec<String> = falling(12, from).map(|(_, x)| format!("{x:.4}")).collect();
        all.join(", ")
    };
    vec![
        ("a JSON list", format!("[{}]", list(5.5)), &[12], "number", "healthy"),
        (
            "a JSON list in lines",
            format!("[\n{}\n]\n", list(5.5).replace(", ", ",\n")),
            &[12],
            "number",
            "healthy",
        ),
        (
            "a JSON object of lists",
            format!("{{\"loss\": [{}], \"lr\": [0.1]}}", list(5.5)),
            &[12],
            "loss",
            "healthy",
        ),
        (
            "a printed dictionary",
            format!("{{'loss': [{}], 'val_loss': [{}]}}", list(5.5), list(6.0)),
            &[12],
            "loss",
            "healthy",
        ),
        (
            "a dictionary of NumPy's numbers",
            format!(
                "{{'val_loss': [1.0], 'loss': [np.float64({})]}}\n",
                list(5.5).replace(", ", "), np.float64(")
            ),
            &[12],
            "loss",
            "healthy",
        ),
        (
            "a dictionary after a word",
            format!("history: {{'loss': [{}]}}\n", list(5.5)),
            &[12],
            "loss",
            "healthy",
        ),
        ("a list after its name", format!("done\ncost = [{}]\n", list(5.5)), &[12], "cost", "healthy"),
        (
            "NumPy's list in lines",
            format!("loss: [{}]\n", list(5.5).replace(", ", "\n ")),
            &[12],
            "loss",
            "healthy",
        ),
        (
            "a list of objects",
            format!("[{}]", course(12, 4.0, |e, x| format!("{{\"loss\": {x}, \"epoch\": {e}}},"))),
            &[12],
            "loss",
            "healthy",
        ),
        (
            "JSON lines",
            course(12, 4.0, |e, x| {
                format!("{{\"epoch\": {e}, \"train\": {{\"loss\": {x}}}, \"note\": \"cost 7\"}}\n")
            }),
            &[12],
            "train.loss",
            "healthy",
        ),
        (
            "NaN in JSON lines",
            "{\"loss\": 3.5}\n".repeat(2) + &"{\"loss\": NaN}\n".repeat(4),
            &[6],
            "loss",
            "non-finite",
        ),
        (
            "Infinity in a table",
            "epoch,loss\n0,3.5\n1,3.1\n2,inf\n3,inf\n".into(),
            &[4],
            "loss",
            "non-finite, too-few-costs",
        ),
        (
            "cells without a number",
            "epoch,loss,val_loss\n".to_string()
                + &course(10, 2.0, |e, x| format!("{e},{x},{}\n", ["", "-", "N/A"][e % 3])),
            &[10],
            "loss",
            "healthy",
        ),
        (
            "a table of blanks",
            "epoch loss\n".to_string() + &course(10, 2.0, |e, x| format!("{e} {x}\n")),
            &[10],
            "loss",
            "healthy",
        ),
        (
            "a Markdown table",
            "| epoch | loss |\n|---|---|\n".to_string()
                + &course(10, 2.0, |e, x| format!("| {e} | {x:.3} |\n")),
            &[10],
            "loss",
            "healthy",
        ),
        ("columns without names", course(10, 2.0, |e, x| format!("{e} {x}\n")), &[10], "number", "healthy"),
        ("numbers alone", course(10, 2.0, |_, x| format!("{x}\n")), &[10], "number", "healthy"),
        (
            "NumPy's arrays",
            course(10, 2000.0, |e, x| format!("Epoch: {e}\ncost =  [ {x}]\n")),
            &[10],
            "cost",
            "healthy",
        ),
        (
            "words between",
            course(10, 2.0, |e, x| format!("loss after epoch {e} was {x:.3}\n")),
            &[10],
            "loss",
            "healthy",
        ),
        (
            "a layer and an epoch between",
            course(10, 2.0, |e, x| format!("reconstruction error of layer 1, epoch {e}: {x:.3}\n")),
            &[10],
            "reconstruction error",
            "healthy",
        ),
        (
            "steps of many",
            course(10, 2.0, |e, x| format!("loss (step {e} of 10) = {x:.3}, lr 0.1\n")),
            &[10],
            "loss",
            "healthy",
        ),
        (
            "a decimal comma",
            course(10, 2.0, |e, x| format!("epoch {e}: loss {x:.3}\n").replace('.', ",")),
            &[10],
            "loss",
            "healthy",
        ),
        (
            "thousands",
            (0..10).map(|i| format!("cost: {},{:03}.5\n", 9 - i / 2, 100 * (i % 2))).collect(),
            &[10],
            "cost",
            "healthy",
        ),
        (
            "training before held-out",
            course(10, 2.0, |e, x| format!("{e}: train_loss {x:.3} val_loss 9.0\n")),
            &[10],
            "loss",
            "healthy",
        ),
        ("another word", "mycost: 5\nglossary: 7\nterror 9\n".into(), &[], "", "healthy"),
        ("no costs", "hello\nerror: could not open the file\n".into(), &[], "", "healthy"),
        (
            "a summary at the end",
            course(10, 2.0, |e, x| format!("epoch {e} loss {x}\n")) + "best loss 0.1\n",
            &[10],
            "loss",
            "healthy",
        ),
        (
            "negative log-likelihoods",
            course(10, 200.0, |e, x| format!("{e}: negative log-likelihood: {x:.1}\n")),
            &[10],
            "log-likelihood",
            "healthy",
        ),
        (
            "log-likelihoods of numbers, which cross 0",
            (0..20)
                .map(|i| format!("log-likelihood {:.2}\n", 20.0 * (1.0 - (-0.3 * f64::from(i)).exp()) - 9.0))
                .collect(),
            &[20],
            "-log-likelihood",
            "healthy",
        ),
        (
            "losses below 0 that fall",
            course(12, 9.0, |e, x| format!("epoch {e} loss {}\n", x - 20.0)),
            &[12],
            "loss",
            "healthy",
        ),
        ("four costs", course(4, 9.0, |e, x| format!("epoch {e} loss {x}\n")), &[4], "loss", "too-few-costs"),
    ]
}

fn courses() -> Vec<Case> {
    let lines = |count: usize, cost: &dyn Fn(usize) -> f64| -> String {
        (0..count).map(|at| format!("step {at} loss {:.5}\n", cost(at))).collect()
    };
    let stack = |epochs: usize, line: &dyn Fn(usize, usize, f64) -> String| -> String {
        (0..3).map(|layer| course(epochs, 90.0 / (layer + 1) as f64, |e, x| line(layer, e, x))).collect()
    };
    vec![
        (
            "noisy losses of minibatches",
            lines(600, &|t| (0.3 + 0.4 * (-(t as f64) / 90.0).exp()) * (1.0 + 0.4 * noise(t))),
            &[600],
            "loss",
            "healthy",
        ),
        (
            "noisy losses that soon are low",
            lines(800, &|t| (0.3 + 3.0 * (-(t as f64) / 15.0).exp()) * (1.0 + 0.3 * noise(t))),
            &[800],
            "loss",
            "healthy",
        ),
        ("differences of free energies", lines(200, &|t| 3.0 * noise(t)), &[200], "loss", "healthy"),
        (
            "what is left jumps",
            lines(60, &|t| 50.0 * (-(t as f64) / 3.0).exp() + 0.02 * (1.2 + noise(t))),
            &[60],
            "loss",
            "healthy",
        ),
        (
            "a small rise at the end",
            lines(40, &|t| 50.0 / (1.0 + t as f64) + 0.02 * t as f64),
            &[40],
            "loss",
            "healthy",
        ),
        ("to and fro", lines(40, &|t| 10.0 + 4.0 * (3.0 * t as f64).cos()), &[40], "loss", "cost-oscillates"),
        ("rises", lines(30, &|t| 10.0 + 0.02 * (t as f64 - 8.0).powi(2)), &[30], "loss", "cost-rises"),
        ("explodes", lines(30, &|t| 10.0 * 1.3_f64.powi(t as i32)), &[30], "loss", "cost-explodes"),
        (
            "stands still, with noise",
            lines(400, &|t| 0.69 + 0.02 * noise(t)),
            &[400],
            "loss",
            "cost-does-not-fall",
        ),
        ("constant", lines(30, &|_| 7.25), &[30], "loss", "cost-constant"),
        ("two values", lines(40, &|t| if t % 8 == 4 { 20.0 } else { 3.0 }), &[40], "loss", "two-plateaus"),
        (
            "a stack, layer by layer",
            stack(10, &|l, e, x| format!("Pre-training layer {l}, epoch {e}, cost  {x:.3}\n")),
            &[10, 10, 10],
            "cost",
            "healthy",
        ),
        (
            "a stack with a heading for each layer",
            stack(10, &|l, e, x| {
                format!(
                    "{}epoch {e}: error {x:.3}\n",
                    if e == 0 { format!("Training RBM {l}\n") } else { String::new() }
                )
            }),
            &[10, 10, 10],
            "error",
            "healthy",
        ),
        (
            "a stack whose epochs begin anew",
            stack(10, &|_, e, x| format!("epoch {}/10. Average reconstruction error is: {x:.3}\n", e + 1)),
            &[10, 10, 10],
            "reconstruction error",
            "healthy",
        ),
        (
            "a stack in a table",
            "layer,epoch,loss\n".to_string() + &stack(10, &|l, e, x| format!("{l},{e},{x:.3}\n")),
            &[10, 10, 10],
            "loss",
            "healthy",
        ),
        (
            "a stack in JSON lines, of which one layer learns nothing",
            stack(10, &|l, e, x| {
                format!("{{\"layer\": {l}, \"loss\": {}, \"epoch\": {e}}}\n", if l == 1 { 45.0 } else { x })
            }),
            &[10, 10, 10],
            "loss",
            "cost-constant",
        ),
        (
            "minibatches within epochs are one course",
            (0..60)
                .map(|t| format!("[{}][{}/10] loss {:.3}\n", t / 10, t % 10, 9.0 / (1.0 + t as f64)))
                .collect(),
            &[60],
            "loss",
            "healthy",
        ),
        (
            "a run that was resumed is one course",
            (0..30)
                .map(|t| {
                    format!(
                        "epoch {}: loss {:.3}\n",
                        if t < 20 { t } else { t - 3 },
                        3.0 + 9.0 / (1.0 + t as f64)
                    )
                })
                .collect(),
            &[30],
            "loss",
            "healthy",
        ),
    ]
}

#[test]
fn each_log_has_its_costs_and_its_verdict() {
    let (mut wrong, mut count) = (Vec::new(), 0);
    for (name, text, counts, key, expected) in [known_programs(), any_program(), courses()].concat() {
        count += 1;
        let logs = parse(&text, None);
        let found: Vec<usize> = logs.iter().map(|log| log.costs.len()).collect();
        let key_found = logs.first().map_or("", |log| &log.key);
        let verdict = verdict(&logs);
        if (&*found, key_found, &*verdict) != (counts, key, expected) {
            wrong.push(format!(
                "{name}: {found:?} called {key_found:?}, {verdict}; expected {counts:?} {key:?} {expected}"
            ));
        }
    }
    assert!(count >= 50 && wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn keys_name_columns_and_parts_are_named() {
    let costs = |text: &str, key: &str| {
        let logs = parse(text, Some(key));
        logs.first().map_or(Vec::new(), |log| log.costs.clone())
    };
    assert_eq!(costs("epoch,loss,kl\n1,5,7\n2,4,6\n", "kl"), [7.0, 6.0]);
    assert_eq!(costs("1 5 7\n2 4 6\n", "2"), [5.0, 4.0]);
    assert_eq!(costs("epoch 1 kl is 7\nepoch 2 kl is 6\n", "KL"), [7.0, 6.0]);
    assert!(parse("epoch 1 loss 3\n", Some("nats")).is_empty());
    let stack = "layer 1 loss 3\nlayer 1 loss 2\nlayer 2 loss 3\nlayer 2 loss 2\n";
    let parts: Vec<String> = parse(stack, None).iter().map(Log::about).collect();
    assert_eq!(parts, ["layer 1: 2 costs, called \"loss\"", "layer 2: 2 costs, called \"loss\""]);
}

#[test]
fn data_are_no_log_and_a_log_is_no_data() {
    let rows = |row: &str| row.repeat(20);
    let (log, data) = (Taken { is_log: true, is_unsure: false }, Taken { is_log: false, is_unsure: false });
    let unsure = |taken: Taken| Taken { is_unsure: true, ..taken };
    let counted: String = (0..20).map(|i| format!("{i} 0.5 0.25 0.75\n")).collect();
    for (text, is_array, key, expected) in [
        ("age,capital-loss\n".to_string() + &rows("1,0\n"), true, None, unsure(data)),
        ("serror_rate,count\n".to_string() + &rows("0.5,0.25\n"), true, None, unsure(data)),
        ("glossary,terror\n".to_string() + &rows("0.5,0.25\n"), true, None, unsure(data)),
        ("epoch,low_cost\n".to_string() + &rows("1,0.25\n"), true, None, unsure(data)),
        ("x,y\n".to_string() + &rows("1,0\n"), true, None, data),
        ("x,y\n".to_string() + &rows("1,0\n"), true, Some("y"), log),
        ("x,y\n".to_string() + &rows("1,0\n"), true, Some("loss"), data),
        ("epoch,loss\n".to_string() + &rows("1,0.5\n"), true, None, log),
        ("step,val/loss\n".to_string() + &rows("1,0.5\n"), true, None, log),
        ("step,train_loss,pixel\n".to_string() + &rows("1,0.5,1\n"), true, None, unsure(log)),
        ("loss\n".to_string() + &rows("0.5\n"), true, None, log),
        ("Wall time,Step,Value\n".to_string() + &rows("1,2,3\n"), true, None, log),
        (rows("0,1,1,0\n"), true, None, data),
        (rows("0 1 1 0 0 1\n"), false, None, data),
        (rows("0.5 0.1 0.25 0.5 0.5 0.1\n"), false, None, data),
        (rows("0 1\n"), false, None, data),
        (rows("0.5 0.25\n"), false, None, unsure(log)),
        (counted, false, None, unsure(log)),
        (rows("0.5\n"), false, None, log),
        (rows("epoch 1 loss 0.5\n"), false, None, log),
        (rows("{\"loss\": 0.5}\n"), false, None, log),
        (rows("epoch 1, loss 0.5\n"), true, None, log),
    ] {
        let found = taken(&text, is_array, key);
        assert_eq!(found, expected, "{key:?} {}", text.lines().take(2).collect::<Vec<_>>().join(" / "));
    }
}
