//! The shaders without an adapter: naga accepts every module, and what Rust and WGSL must agree on, they agree on.

use std::{collections::BTreeSet, fs, mem::offset_of, path::Path};

use naga::{AddressSpace, Module, StorageAccess, TypeInner, valid};
use rbm_gpu::{
    backend::Params,
    gpu::{kernels::Kernel, tile::Tile},
};

fn modules() -> Vec<(Kernel, Option<Tile>, String, Module)> {
    let parse = |kernel: Kernel, tile: Option<Tile>| {
        let source = kernel.source(tile);
        let module = naga::front::wgsl::parse_str(&source)
            .unwrap_or_else(|error| panic!("{}", error.emit_to_string(&source)));
        (kernel, tile, source, module)
    };
    Kernel::ALL
        .into_iter()
        .flat_map(|kernel| kernel.variants().into_iter().map(move |tile| parse(kernel, tile)))
        .collect()
}

#[test]
fn every_module_is_valid_without_optional_features() {
    for (kernel, _, source, module) in modules() {
        let mut validator =
            valid::Validator::new(valid::ValidationFlags::all(), valid::Capabilities::empty());
        if let Err(error) = validator.validate(&module) {
            panic!("{kernel:?}: {}", error.emit_to_string(&source));
        }
    }
}

#[test]
fn params_have_the_same_layout_in_rust_and_wgsl() {
    macro_rules! offsets { ($($field:ident),*) => { [$((stringify!($field), offset_of!(Params, $field) as u32)),*] } }
    #[rustfmt::skip]
    let rust = offsets![
        rows, visible, hidden, first_row, beta, learning_rate, momentum, weight_decay,
        seed_low, seed_high, step, draw, flags, uniforms_at, first_chain, data_scale,
        chains, rate, l1, sparsity_target, sparsity_cost, largest_norm, first_correction, second_correction
    ];
    for (kernel, _, _, module) in modules() {
        let (_, ty) = module
            .types
            .iter()
            .find(|(_, ty)| ty.name.as_deref() == Some("Params"))
            .expect("every kernel has Params");
        let TypeInner::Struct { members, span } = &ty.inner else { panic!("Params is a struct") };
        let wgsl: Vec<_> =
            members.iter().map(|member| (member.name.as_deref().unwrap(), member.offset)).collect();
        assert_eq!(wgsl, rust, "{kernel:?}");
        assert_eq!(*span as usize, size_of::<Params>(), "{kernel:?}");
    }
}

#[test]
fn the_table_matches_the_shaders() {
    for (kernel, _, _, module) in modules() {
        let [entry] = module.entry_points.as_slice() else { panic!("{kernel:?} has one entry point") };
        assert_eq!(entry.name, kernel.name());
        let mut storage: Vec<_> = module
            .global_variables
            .iter()
            .filter_map(|(_, variable)| match variable.space {
                AddressSpace::Storage { access } => {
                    Some((variable.binding.unwrap().binding, access.contains(StorageAccess::STORE)))
                }
                _ => None,
            })
            .collect();
        storage.sort_unstable();
        let table: Vec<_> = (1..).zip(kernel.writes().iter().copied()).collect();
        assert_eq!(storage, table, "{kernel:?}: bindings and which of them are written");
    }
    let files: BTreeSet<String> = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(files, Kernel::ALL.map(|kernel| kernel.name().to_string()).into(), "files in shaders/");
}

#[test]
fn kernels_keep_to_the_default_limits_of_webgpu() {
    for (kernel, tile, _, module) in modules() {
        let [x, y, z] = module.entry_points[0].workgroup_size;
        assert!(x * y * z <= 256, "{kernel:?} {tile:?}: {x}×{y}×{z} invocations");
        assert!(kernel.writes().len() <= 8, "{kernel:?}: storage buffers");
        let mut layouter = naga::proc::Layouter::default();
        layouter.update(module.to_ctx()).unwrap();
        let shared = module
            .global_variables
            .iter()
            .filter(|(_, variable)| variable.space == AddressSpace::WorkGroup)
            .map(|(_, variable)| layouter[variable.ty].size)
            .sum::<u32>();
        assert!(shared <= 16 << 10, "{kernel:?} {tile:?}: {shared} bytes of workgroup memory");
    }
}
