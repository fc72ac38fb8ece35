//! Shared parts of the tests: the backends to test, and a skip that is never silent.

pub mod program;

use std::{
    collections::BTreeSet,
    env,
    io::Write,
    sync::{Arc, Mutex, Once, OnceLock},
};

use rbm_gpu::{
    backend::{Backend, DeviceInfo, DeviceKind},
    cpu::{Cpu, Level},
    data::{Dataset, Source},
    gpu::{Context, Gpu, adapter, tile::Tile},
    host::Host,
    rbm::Layers,
    reference::Reference,
};

/// If set, a missing adapter fails tests instead of skipping them.
const REQUIRE: &str = "RBM_GPU_REQUIRE_ADAPTER";
/// A part of the name of the adapter to test; unset, the best adapter is tested, software included.
const ADAPTER: &str = "RBM_GPU_TEST_ADAPTER";

/// Keeps Mesa's layer from printing false errors on machines without a desktop. Call it before the driver starts.
pub fn quiet_driver() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if env::var_os("XDG_RUNTIME_DIR").is_none() {
            // SAFETY: the tests read no environment variable that is set here, and the driver starts after it.
            unsafe { env::set_var("NODEVICE_SELECT", "1") };
        }
    });
}

/// The adapter to test.
fn open() -> Option<Arc<Context>> {
    quiet_driver();
    let name = env::var(ADAPTER).unwrap_or_default().to_lowercase();
    let adapter = adapter::all().into_iter().find(|a| a.get_info().name.to_lowercase().contains(&name))?;
    Some(Context::open(&adapter).expect("the adapter opens"))
}

/// Opens the adapter, once for all tests; reports a missing one.
pub fn context(test: &str) -> Option<Arc<Context>> {
    static CONTEXT: OnceLock<Option<Arc<Context>>> = OnceLock::new();
    let context = CONTEXT.get_or_init(open).clone();
    if context.is_none() {
        assert!(env::var_os(REQUIRE).is_none(), "{test}: there is no adapter, and {REQUIRE} is set");
        static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
        if SAID.lock().unwrap().insert(test.into()) {
            // Bypasses the test harness, which would capture it.
            let _ = writeln!(std::io::stderr(), "no adapter, so skipped on the GPU: {test}");
        }
    }
    context
}

/// Opens the adapter once more, so that the context has the buffers of one test only.
pub fn context_of_its_own(test: &str) -> Option<Arc<Context>> {
    context(test).and_then(|_| open())
}

/// A backend and its name in messages.
pub type Named = (String, Box<dyn Backend>);

/// The adapter, if there is one, with the best tile for each dispatch.
fn gpu(test: &str, layers: impl Into<Layers>) -> Option<Named> {
    let gpu = Gpu::new(context(test)?, layers, None).expect("room for a small model");
    Some(("gpu".into(), Box::new(gpu)))
}

/// The adapter, if there is one, once with each tile.
pub fn tiles(test: &str, layers: impl Into<Layers>) -> Vec<Named> {
    let (Some(context), layers) = (context(test), layers.into()) else { return vec![] };
    let gpu = |tile: Tile| -> Named {
        let gpu = Gpu::new(context.clone(), &layers, Some(tile)).expect("room for a small model");
        (format!("gpu {}", tile.name()), Box::new(gpu))
    };
    Tile::all().map(gpu).collect()
}

/// The oracle.
pub fn reference(layers: impl Into<Layers>) -> Host<Reference> {
    let word = || "reference".to_string();
    let kind = DeviceKind::Reference;
    Host::new(Reference, DeviceInfo { name: word(), backend: word(), kind, driver: word() }, layers)
}

/// The native path with each instruction set of this processor.
fn cpus(layers: impl Into<Layers>) -> impl Iterator<Item = Named> {
    let layers = layers.into();
    let cpu = move |level| -> Named { (format!("cpu, {level}"), Box::new(Cpu::with(level, &layers))) };
    Level::all().into_iter().map(cpu)
}

/// The backends to test against the oracle: the native path, and the adapter.
pub fn fast(test: &str, layers: impl Into<Layers>) -> Vec<Named> {
    let layers = layers.into();
    gpu(test, &layers).into_iter().chain(cpus(&layers)).collect()
}

/// The native path with its widest instruction set, and the adapter: for tests whose work does not depend on the loops.
pub fn one_of_each(test: &str, layers: impl Into<Layers>) -> Vec<Named> {
    let layers = layers.into();
    gpu(test, &layers).into_iter().chain(cpus(&layers).last()).collect()
}

/// The backends to test products on: the native path, and the adapter with each tile.
pub fn fast_products(test: &str, layers: impl Into<Layers>) -> Vec<Named> {
    let layers = layers.into();
    tiles(test, &layers).into_iter().chain(cpus(&layers)).collect()
}

/// Every backend there is.
pub fn all(test: &str, layers: impl Into<Layers>) -> Vec<Named> {
    let layers = layers.into();
    let mut backends = fast(test, &layers);
    backends.push(("reference".into(), Box::new(reference(layers))));
    backends
}

/// MNIST's first images, of which at most 3000 are for training; the files are read once for all tests.
pub fn some_mnist(train: usize, test: usize) -> Dataset {
    static MNIST: OnceLock<Dataset> = OnceLock::new();
    let load = || {
        let mut dataset = Source::Mnist.load().unwrap();
        dataset.train.rows.truncate(3000);
        dataset
    };
    let mut dataset = MNIST.get_or_init(load).clone();
    for (cases, count) in [(Some(&mut dataset.train), train), (dataset.test.as_mut(), test)] {
        let cases = cases.unwrap();
        cases.rows.truncate(count);
        cases.labels.as_mut().unwrap().truncate(count);
    }
    dataset
}
