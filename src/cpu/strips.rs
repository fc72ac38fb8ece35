//! A row-major matrix that several threads write to, each its own rows or columns.

use std::{marker::PhantomData, ops::Range};

/// A row-major matrix whose parts are lent to several threads at a time.
pub struct Strips<'a, T> {
    values: *mut T,
    len: usize,
    width: usize,
    matrix: PhantomData<&'a mut [T]>,
}

// SAFETY: the pointer stands for a mutable borrow of what may be sent; `row` asks its callers for parts that
// don't overlap.
unsafe impl<T: Send> Sync for Strips<'_, T> {}

impl<'a, T> Strips<'a, T> {
    /// A matrix with rows of `width`.
    pub fn new(values: &'a mut [T], width: usize) -> Self {
        Self { values: values.as_mut_ptr(), len: values.len(), width, matrix: PhantomData }
    }

    /// Some columns of a row.
    ///
    /// # Safety
    /// As long as this borrow lives, no other may contain one of these elements.
    #[expect(clippy::mut_from_ref, reason = "that the parts don't overlap is the caller's promise")]
    pub unsafe fn row(&self, row: usize, columns: &Range<usize>) -> &mut [T] {
        assert!(columns.start <= columns.end && columns.end <= self.width);
        assert!(row * self.width + columns.end <= self.len);
        // SAFETY: within the matrix, by the assertions; not shared, by the caller's promise.
        unsafe {
            std::slice::from_raw_parts_mut(self.values.add(row * self.width + columns.start), columns.len())
        }
    }
}
