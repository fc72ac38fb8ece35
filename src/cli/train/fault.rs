//! A fault on demand, for tests: `RBM_GPU_TEST_FAULT=WHAT@STEP`, where WHAT is `kill` (as by SIGKILL), `panic`, `lose` (the
//! device, each time that the step is reached) or `lose-once`. Step 0 is before there is a config.json.

use std::env;

use rbm_gpu::train::Trainer;

/// What is to happen, and after which step.
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
    /// The one that was asked for.
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

    /// Lets it happen; gives what is left to happen later.
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
