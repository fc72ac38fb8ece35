//! `rbm-gpu devices`

use std::process::ExitCode;

use rbm_gpu::{Result, config::DeviceChoice, cpu::Level, device::Candidate, gpu::adapter};

use super::print;

pub fn run() -> Result<ExitCode> {
    Level::chosen()?;
    let candidates = Candidate::all();
    let auto = candidates.iter().position(|candidate| candidate.is_chosen_by(&DeviceChoice::Auto));
    for (index, candidate) in candidates.iter().enumerate() {
        let info = candidate.info();
        let mark = if auto == Some(index) { "  <- auto takes this one" } else { "" };
        print(format!("{}{mark}\n  type     {}\n", info.name, info.kind));
        print(format!("  backend  {}\n  driver   {}\n", info.backend, info.driver));
        if let Candidate::Adapter(adapter) = candidate {
            let limits = adapter.limits();
            print(format!(
                "  limits   buffer {:.2} GB, storage binding {:.2} GB, {} invocations and {} KiB a workgroup, \
                 {} workgroups a dimension\n",
                limits.max_buffer_size as f64 * 1e-9,
                adapter::largest_buffer(adapter) as f64 * 1e-9,
                limits.max_compute_invocations_per_workgroup,
                limits.max_compute_workgroup_storage_size / 1024,
                limits.max_compute_workgroups_per_dimension,
            ));
        }
    }
    Ok(ExitCode::SUCCESS)
}
