//! What every target does: a parser gets bytes, and memory for them and for 64 MiB of its own.

#[path = "../../tests/common/guard.rs"]
mod guard;

#[global_allocator]
static GUARD: guard::Guard = guard::Guard;

/// Feeds the parser of this name.
pub fn feed(name: &'static str, bytes: &[u8]) {
    let parse = rbm_gpu::untrusted::parser(name);
    let _ = guard::granted((64 << 20) + bytes.len(), name, || parse(bytes));
}
