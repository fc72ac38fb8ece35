//! Writes every WGSL module as it is compiled, kernel and shared parts together, for other tools to read:
//! `cargo run --example shaders -- FOLDER`

use std::{env, fs, path::PathBuf};

use rbm_gpu::gpu::kernels::{Kernel, Tile};

fn main() -> std::io::Result<()> {
    let folder = PathBuf::from(env::args().nth(1).unwrap_or("target/shaders".into()));
    fs::create_dir_all(&folder)?;
    for kernel in Kernel::ALL {
        for tile in Tile::ALL {
            let variant = match (kernel.is_product(), tile.workgroup_memory) {
                (false, true) => continue, // the tile makes no difference
                (false, false) => "",
                (true, false) => ".streaming",
                (true, true) => ".tiled",
            };
            fs::write(folder.join(format!("{}{variant}.wgsl", kernel.name())), kernel.source(tile))?;
        }
    }
    Ok(())
}
