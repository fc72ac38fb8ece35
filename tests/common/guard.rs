//! An allocator that ends the program when a thread allocates more than it was granted. It catches a parser that
//! allocates by a header's word, however the system would have answered.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    io::Write,
};

thread_local! {
    static HELD: Cell<usize> = const { Cell::new(0) };
    static GRANTED: Cell<usize> = const { Cell::new(usize::MAX) };
    static WHAT: Cell<&'static str> = const { Cell::new("") };
}

/// For `#[global_allocator]`.
pub struct Guard;

// SAFETY: all memory comes from the system's allocator and goes back to it with the same layout.
unsafe impl GlobalAlloc for Guard {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.get().wrapping_add(layout.size());
        // Freeing memory of other threads may have made the count wrap.
        if held > GRANTED.get() && held < usize::MAX / 2 {
            GRANTED.set(usize::MAX);
            let _ = writeln!(std::io::stderr(), "{}: took more memory than it was granted", WHAT.get());
            std::process::abort();
        }
        HELD.set(held);
        // SAFETY: the caller gives the same guarantees.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        HELD.set(HELD.get().wrapping_sub(layout.size()));
        // SAFETY: the caller gives the same guarantees.
        unsafe { System.dealloc(place, layout) }
    }
}

/// Does some work with `bytes` bytes, besides what this thread holds already.
pub fn granted<T>(bytes: usize, what: &'static str, work: impl FnOnce() -> T) -> T {
    WHAT.set(what);
    GRANTED.set(HELD.get().wrapping_add(bytes));
    let outcome = work();
    GRANTED.set(usize::MAX);
    outcome
}
