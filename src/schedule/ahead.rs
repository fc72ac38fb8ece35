//! Works on one buffer while a separate thread fills the next. That thread doesn't use the native path's pool, which may be
//! waiting for it.

/// Buffers in the ring: one in use, one ready, one being filled.
pub(crate) const RING: usize = 3;

/// Fills a buffer for each part, in order, and runs `work` on it while the next is filled. Buffers are reused: `fill` finds
/// old contents in them. Stops at the first error. A browser has no threads; there each buffer is filled after `work` is
/// done with the previous one.
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
        // At most two buffers wait in the channels.
        let (ready, filled) = sync_channel(RING);
        let (done, free) = sync_channel(RING);
        (0..RING).try_for_each(|_| done.send(Buffer::default())).unwrap_or_default();
        scope.spawn(move || {
            for part in parts {
                // A closed channel means that `work` failed, and nothing is left to do.
                let Ok(mut buffer) = free.recv() else { return };
                fill(&mut buffer, part);
                if ready.send(buffer).is_err() {
                    return;
                }
            }
        });
        for buffer in filled {
            work(&buffer)?;
            let _ = done.send(buffer); // fails after the last part, when nobody receives
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
