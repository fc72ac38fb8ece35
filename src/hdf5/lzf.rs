//! LZF, h5py's quick compression: each run of bytes is there as it is, or repeats one before it.

use hdf5_reader::error::{Error, Result};

/// The number of the filter.
pub const ID: u16 = 32000;

/// Unpacks a chunk to at most `most` bytes.
///
/// ```text
/// 000LLLLL <L+1 bytes>                          as they are
/// LLLooooo oooooooo                             L+2 bytes from o+1 bytes before
/// 111ooooo LLLLLLLL oooooooo                    L+9 bytes from o+1 bytes before
/// ```
///
/// # Errors
/// Of a run that is not there.
pub fn unpack(packed: &[u8], most: usize) -> Result<Vec<u8>> {
    let broken = || Error::DecompressionError("LZF: a run of bytes is not there".into());
    let mut unpacked: Vec<u8> = Vec::new();
    let mut bytes = packed.iter();
    while let Some(&control) = bytes.next() {
        let control = usize::from(control);
        if control < 32 {
            let rest = bytes.as_slice();
            let run = rest.get(..control + 1).ok_or_else(broken)?;
            unpacked.extend_from_slice(run);
            bytes = rest[run.len()..].iter();
        } else {
            let mut next = || bytes.next().map(|&byte| usize::from(byte)).ok_or_else(broken);
            let length = if control >> 5 == 7 { next()? + 9 } else { (control >> 5) + 2 };
            let back = ((control & 31) << 8 | next()?) + 1;
            let from = unpacked.len().checked_sub(back).ok_or_else(broken)?;
            // What is repeated may be what is being written.
            for at in from..from + length {
                unpacked.push(unpacked[at]);
            }
        }
        if unpacked.len() > most {
            return Err(Error::ResourceLimit(format!("LZF: more than {most} bytes")));
        }
    }
    Ok(unpacked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_copied_and_repeated() {
        assert_eq!(unpack(&[2, b'a', b'b', b'c', 0x20, 2], 99).unwrap(), b"abcabc");
        assert_eq!(unpack(&[0, b'a', 0xe0, 1, 0], 99).unwrap(), [b'a'; 11]);
        for broken in [&[2, b'a'][..], &[0x20, 0], &[0, b'a', 0x20, 1], &[0xe0]] {
            assert!(unpack(broken, 99).is_err(), "{broken:?}");
        }
        assert!(unpack(&[0, b'a', 0xe0, 1, 0], 10).is_err());
    }
}
