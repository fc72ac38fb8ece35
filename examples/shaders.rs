//! Writes every WGSL module as it is compiled, kernel and shared parts together, for other tools:
//! `cargo run --example shaders -- FOLDER`

use std::{env, fs, path::PathBuf};

use rbm_gpu::gpu::kernels::Kernel;

fn main() -> std::io::Result<()> {
    let folder = PathBuf::from(env::args().nth(1).unwrap_or("target/shaders".into()));
    fs::create_dir_all(&folder)?;
    for kernel in Kernel::ALL {
        for tile in kernel.variants() {
            let variant = tile.map_or(String::new(), |tile| format!(".{}", tile.name()));
            fs::write(folder.join(format!("{}{variant}.wgsl", kernel.name())), kernel.source(tile))?;
        }
    }
    Ok(())
}
