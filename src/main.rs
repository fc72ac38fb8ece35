//! Parse, run, print the error; nothing else.

use std::process::ExitCode;
#[cfg(unix)]
use std::sync::{Arc, atomic::AtomicBool};

mod cli;

use cli::terminal;

fn main() -> ExitCode {
    // Exceeding the file size limit (ulimit -f) becomes an error, as on a full disk, instead of a signal that kills the
    // program.
    #[cfg(unix)]
    let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::new(AtomicBool::new(false)));
    // Without a desktop, Mesa's device-select layer prints spurious errors. We rank the devices ourselves and don't need it.
    if std::env::var_os("XDG_RUNTIME_DIR").is_none() {
        // SAFETY: no other thread has been started yet.
        unsafe { std::env::set_var("NODEVICE_SELECT", "1") };
    }
    let code = match cli::Cli::read() {
        // On a thread of the pool, which can then share its work without waking other threads each time.
        Ok(cli) => rayon::scope(|_| cli::run(cli)).unwrap_or_else(|error| {
            terminal::error(terminal::words(&error));
            ExitCode::from(error.exit_code())
        }),
        Err(code) => code,
    };
    terminal::finish(code)
}
