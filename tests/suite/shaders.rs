//! The shaders without an adapter: naga accepts every module, and Rust and WGSL agree where they must.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    mem::offset_of,
    path::Path,
};

use naga::{AddressSpace, Module, StorageAccess, TypeInner, valid};
use rbm_gpu::{
    backend::{
        Ascent, ClampUnits, Clip, Combine, Contrast, Copy, Cumulants, Draw, Energy, FillMissing, FinishUnits,
        FixGauge, FreeEnergy, Gather, GradientOfPotentials, HalfStep, LimitNorms, MultiplyAdd, Penalise,
        Potentials, Recentre, SquaredError, Standardise, Swap, Track, TrackVariances, Update,
    },
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

/// The fields of a Rust struct with their offsets, and its size in bytes.
type Layout = (Vec<(&'static str, u32)>, u32);

/// The layouts of every operation, and of the parts that several share.
fn layouts() -> BTreeMap<&'static str, Layout> {
    macro_rules! layouts {
        ($($name:ident: $($field:ident),*;)*) => {
            [$((stringify!($name), (
                vec![$((stringify!($field), offset_of!($name, $field) as u32)),*],
                size_of::<$name>() as u32,
            ))),*]
        };
    }
    #[rustfmt::skip]
    let layouts = layouts! {
        Draw: seed_low, seed_high, layer, purpose, step, first_chain, source, uniforms_at;
        Gather: draw, rows, first_row, packing, scale;
        HalfStep: draw, rows, beta;
        Contrast: rows, chains, centred, sparsity_target, sparsity_cost;
        Ascent: rule, rate, momentum, weight_decay, l1, first_correction, second_correction;
        Update: rows, chains, centred, sparsity_target, sparsity_cost, rate, momentum, weight_decay;
        Standardise: ridge;
        Penalise: strength;
        Clip: largest;
        Recentre: ;
        LimitNorms: largest;
        FixGauge: side, first, units, columns;
        Combine: keep, add;
        Track: rows, rate;
        TrackVariances: rows, rate, kind, first, units;
        SquaredError: rows;
        FreeEnergy: rows, beta, less;
        Energy: rows;
        Swap: draw, rows, factor, units, counts_at, coldest, hottest;
        ClampUnits: rows, units, per_row, where_zero;
        FillMissing: rows;
        FinishUnits: draw, rows, beta, side, kind, first, units, columns, numbers;
        Cumulants: rows, beta, side, kind, first, units, columns, numbers;
        Potentials: rows, side, kind, first, units, first_number, numbers, own, of_base, keep;
        GradientOfPotentials: rows, chains, side, kind, first, units, numbers;
        MultiplyAdd: rows;
        Copy: rows;
    };
    layouts.into()
}

/// The layout of a struct in a module.
fn layout_in<'a>(module: &'a Module, inner: &'a TypeInner) -> (Vec<(&'a str, u32)>, u32) {
    let TypeInner::Struct { members, span } = inner else { panic!("no struct: {inner:?} of {module:?}") };
    (members.iter().map(|member| (member.name.as_deref().unwrap(), member.offset)).collect(), *span)
}

#[test]
fn operations_have_the_same_layout_in_rust_and_wgsl() {
    let rust = layouts();
    let mut seen = BTreeSet::from(["Draw"]);
    for (kernel, _, _, module) in modules() {
        let of_type = |name: &str| {
            let mut types = module.types.iter().map(|(_, ty)| ty);
            types.find(|ty| ty.name.as_deref() == Some(name)).map(|ty| layout_in(&module, &ty.inner))
        };
        assert_eq!(of_type("Draw"), rust.get("Draw").cloned(), "{kernel:?}");
        let mut uniforms =
            module.global_variables.iter().filter(|(_, variable)| variable.space == AddressSpace::Uniform);
        let (Some((_, variable)), None) = (uniforms.next(), uniforms.next()) else {
            panic!("{kernel:?} has one uniform")
        };
        assert_eq!(variable.binding.unwrap().binding, 0, "{kernel:?}");
        // The host writes the operation, and after it how many columns there are, and how many parameters each has.
        let name = module.types[variable.ty].name.as_deref().unwrap();
        let (name, (fields, size)) = rust.get_key_value(name).expect("an operation");
        let geometry = ["visible", "hidden", "visible_parameters", "hidden_parameters"];
        let geometry: Vec<_> = geometry.into_iter().zip((*size..).step_by(4)).collect();
        let expected = Some(([&fields[..], &geometry].concat(), size + 16));
        assert_eq!(of_type(name), expected, "{kernel:?}: {name}");
        seen.insert(name);
    }
    assert_eq!(seen, rust.keys().copied().collect(), "every operation has a kernel");
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
