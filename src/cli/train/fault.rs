//! A fault on demand, for tests: `RBM_GPU_TEST_FAULT=WHAT@STEP`, where WHAT is `kill` (as by SIGKILL), `panic`, `lose`
//! (the device, each time that the step is reached) or `lose-once`. Step 0 is before config.json is written.

use std::env;

use rbm_gpu::train::Trainer;

/// A fault, and the step after which it happens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fault {
    what: What,
    pub step: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum What {
    Kill,
    Panic,
    Lose,
    LoseOnce,
}

impl Fault {
    /// The fault in the environment, if any.
    pub fn wanted() -> Option<Self> {
        let text = env::var("RBM_GPU_TEST_FAULT").ok()?;
        let (what, step) = text.split_once('@')?;
        let what = match what {
            "kill" => What::Kill,
            "panic" => What::Panic,
            "lose" => What::Lose,
            "lose-once" => What::LoseOnce,
            _ => return None,
        };
        Some(Self { what, step: step.parse().ok()? })
    }

    /// Causes the fault; returns what is left for later.
    pub fn strike(self, trainer: &mut Trainer) -> Option<Self> {
        match self.what {
            What::Kill => {
                #[cfg(unix)]
                let _ = signal_hook::low_level::raise(signal_hook::consts::SIGKILL);
                std::process::abort()
            }
            What::Panic => panic!("RBM_GPU_TEST_FAULT asks for a panic"),
            What::Lose | What::LoseOnce => trainer.lose_device(),
        }
        (self.what == What::Lose).then_some(self)
    }
}
