//! A row-major matrix that several threads write, each in its own rows or columns.

use std::{marker::PhantomData, ops::Range};

/// A row-major matrix whose parts can be borrowed by several threads at once.
pub struct Strips<'a, T> {
    values: *mut T,
    len: usize,
    width: usize,
    matrix: PhantomData<&'a mut [T]>,
}

// SAFETY: the pointer stands for a mutable borrow of `Send` data; callers of `row` must borrow disjoint parts.
unsafe impl<T: Send> Sync for Strips<'_, T> {}

impl<'a, T> Strips<'a, T> {
    /// A matrix with rows of `width`.
    pub fn new(values: &'a mut [T], width: usize) -> Self {
        Self { values: values.as_mut_ptr(), len: values.len(), width, matrix: PhantomData }
    }

    /// Borrows some columns of a row.
    ///
    /// # Safety
    /// No element may be borrowed twice at the same time.
    #[expect(clippy::mut_from_ref, reason = "that the parts don't overlap is the caller's promise")]
    pub unsafe fn row(&self, row: usize, columns: &Range<usize>) -> &mut [T] {
        assert!(columns.start <= columns.end && columns.end <= self.width);
        assert!(row * self.width + columns.end <= self.len);
        // SAFETY: in bounds by the assertions; not aliased by the caller's promise.
        unsafe {
            std::slice::from_raw_parts_mut(self.values.add(row * self.width + columns.start), columns.len())
        }
    }
}
