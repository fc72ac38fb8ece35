//! Ctrl-C, SIGTERM and the loss of the terminal (SIGHUP). The first asks the run to end between two steps; a second
//! Ctrl-C or SIGTERM ends it at once. A step may take an hour, so a separate thread answers them.

use std::{
    ffi::c_int,
    io,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag, low_level,
};

use crate::cli::{screen, terminal};

/// Time between two checks for signals.
const EVERY: Duration = Duration::from_millis(50);

/// Whether a signal has asked the run to end.
pub struct Stop(Arc<Asked>);

#[derive(Default)]
struct Asked {
    /// The last signal, if any.
    signal: Arc<AtomicUsize>,
    /// Number of Ctrl-C and SIGTERM signals. The loss of a terminal does not count, as both the shell and the system
    /// may signal it.
    requests: Arc<AtomicUsize>,
    speaks: AtomicBool,
    answered: Mutex<bool>,
}

impl Stop {
    /// Starts to listen.
    pub fn listen() -> io::Result<Self> {
        let asked = Arc::new(Asked::default());
        for number in [SIGINT, SIGTERM] {
            flag::register_usize(number, asked.signal.clone(), number as usize)?;
            count(number, &asked.requests)?;
        }
        #[cfg(unix)]
        if !hang_up::is_ignored() {
            flag::register_usize(hang_up::SIGHUP, asked.signal.clone(), hang_up::SIGHUP as usize)?;
        }
        let its = asked.clone();
        thread::Builder::new().name("signals".into()).spawn(move || its.watch())?;
        Ok(Self(asked))
    }

    /// From now on, reports a signal when it arrives.
    pub fn speak(&self) {
        self.0.speaks.store(true, Ordering::SeqCst);
    }

    /// The exit code of a program that this signal ended, if there was one.
    pub fn exit_code(&self) -> Option<u8> {
        self.0.code().map(|code| code as u8)
    }

    /// Returns once the end of the run has been announced, if it must be.
    pub fn answer(&self) {
        self.0.answer();
    }
}

impl Asked {
    fn code(&self) -> Option<c_int> {
        match self.signal.load(Ordering::SeqCst) {
            0 => None,
            number => Some(128 + number as c_int),
        }
    }

    fn watch(self: Arc<Self>) {
        let mut answers = false;
        loop {
            thread::sleep(EVERY);
            let Some(code) = self.code() else { continue };
            if self.requests.load(Ordering::SeqCst) > 1 {
                screen::give_back();
                low_level::exit(code);
            }
            if !answers && self.speaks.load(Ordering::SeqCst) {
                answers = true;
                let its = self.clone();
                // A blocked terminal may delay the answer, which must not delay the second signal.
                let _ = thread::Builder::new().spawn(move || its.answer());
            }
        }
    }

    fn answer(&self) {
        let mut answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        if !*answered && self.speaks.load(Ordering::SeqCst) {
            *answered = true;
            screen::give_back();
            terminal::note(
                "stopping when this step is done; Ctrl-C again ends the run at once, without what it did since its last \
                 checkpoint\n",
            );
        }
    }
}

fn count(signal: c_int, count: &Arc<AtomicUsize>) -> io::Result<()> {
    let count = count.clone();
    let action = move || {
        count.fetch_add(1, Ordering::SeqCst);
    };
    // SAFETY: the action only adds to an atomic number.
    unsafe { low_level::register(signal, action) }.map(|_| ())
}

#[cfg(unix)]
mod hang_up {
    pub use signal_hook::consts::SIGHUP;

    /// Whether the program was started with SIGHUP ignored, as nohup does: then it stays ignored.
    pub fn is_ignored() -> bool {
        // SAFETY: an all-zero action is valid, and without a new action the call only reads the old one.
        unsafe {
            let mut found: libc::sigaction = std::mem::zeroed();
            libc::sigaction(SIGHUP, std::ptr::null(), &mut found) == 0 && found.sa_sigaction == libc::SIG_IGN
        }
    }
}
