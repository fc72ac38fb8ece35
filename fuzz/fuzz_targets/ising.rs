#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rbm_gpu_fuzz::feed("ising", bytes));
