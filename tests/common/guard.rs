//! An allocator that ends the program when a thread takes more memory than it was granted: a parser that allocates by a
//! header's word is caught, however the system would have answered.

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

/// To be made the global allocator.
pub struct Guard;

// SAFETY: memory comes from the system's allocator and goes back to it, with the layout that it came with.
unsafe impl GlobalAlloc for Guard {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.get().wrapping_add(layout.size());
        // What other threads took and this one gave back may have made the count wrap.
        if held > GRANTED.get() && held < usize::MAX / 2 {
            GRANTED.set(usize::MAX);
            let _ = writeln!(std::io::stderr(), "{}: took more memory than it was granted", WHAT.get());
            std::process::abort();
        }
        HELD.set(held);
        // SAFETY: the caller's promises are the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        HELD.set(HELD.get().wrapping_sub(layout.size()));
        // SAFETY: the caller's promises are the same.
        unsafe { System.dealloc(place, layout) }
    }
}

/// Does some work with so many bytes beside what this thread holds already.
pub fn granted<T>(bytes: usize, what: &'static str, work: impl FnOnce() -> T) -> T {
    WHAT.set(what);
    GRANTED.set(HELD.get().wrapping_add(bytes));
    let outcome = work();
    GRANTED.set(usize::MAX);
    outcome
}
