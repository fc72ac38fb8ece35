//! Work on one buffer while the next is being filled, on a thread of its own. That thread asks nothing of the pool of the
//! native path, which may be waiting for it.

/// Buffers in the ring: one on the device's way, one ready, one being filled.
pub(crate) const RING: usize = 3;

/// Fills a buffer for each part, in order, and runs `work` on it while the next is being filled. Every buffer is used again:
/// `fill` gets what it, or an earlier part, has left there. Stops at the first error. In a browser, which gives no threads,
/// each buffer is filled when `work` is done with the one before.
///
/// # Errors
/// The first error of `work`.
#[cfg(not(target_arch = "wasm32"))]
pub(super) fn ahead<Part, Buffer: Default + Send, E>(
    parts: impl Iterator<Item = Part> + Send,
    mut fill: impl FnMut(&mut Buffer, Part) + Send,
    mut work: impl FnMut(&Buffer) -> Result<(), E>,
) -> Result<(), E> {
    use std::sync::mpsc::sync_channel;

    std::thread::scope(|scope| {
        // Two buffers wait in the channels at most.
        let (ready, filled) = sync_channel(RING);
        let (done, free) = sync_channel(RING);
        (0..RING).try_for_each(|_| done.send(Buffer::default())).unwrap_or_default();
        scope.spawn(move || {
            for part in parts {
                // A channel that is closed means that `work` failed: there is nothing left to do.
                let Ok(mut buffer) = free.recv() else { return };
                fill(&mut buffer, part);
                if ready.send(buffer).is_err() {
                    return;
                }
            }
        });
        for buffer in filled {
            work(&buffer)?;
            let _ = done.send(buffer); // nobody takes it after the last
        }
        Ok(())
    })
}

#[cfg(target_arch = "wasm32")]
pub(super) fn ahead<Part, Buffer: Default, E>(
    mut parts: impl Iterator<Item = Part>,
    mut fill: impl FnMut(&mut Buffer, Part),
    mut work: impl FnMut(&Buffer) -> Result<(), E>,
) -> Result<(), E> {
    let mut buffer = Buffer::default();
    parts.try_for_each(|part| {
        fill(&mut buffer, part);
        work(&buffer)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_in_order_and_buffers_are_used_again() {
        let mut seen = Vec::new();
        let mut filled = 0;
        let fill = |buffer: &mut Vec<usize>, part| {
            filled += 1;
            buffer.push(part);
        };
        let result = ahead(0..10, fill, |buffer: &Vec<usize>| {
            seen.push((buffer.len(), buffer[buffer.len() - 1]));
            if seen.len() < 8 { Ok(()) } else { Err("enough") }
        });
        let expected: Vec<(usize, usize)> = (0..8).map(|part| (part / RING + 1, part)).collect();
        assert_eq!((result, seen), (Err("enough"), expected));
        assert!((8..=10).contains(&filled));
    }
}
