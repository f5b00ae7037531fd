//! How a document lies in a store that only knows bytes.
//!
//! A line goes before it: the format, the SHA-256 of what follows, and a mark that tells one write from every other. So a
//! flipped bit in a version list is found when it is read and not taken for another version; and a writer whose answer was
//! lost can tell its own value from that of a rival who wrote the same. A removed document is a line with nothing after it.

use bytes::{BufMut as _, Bytes, BytesMut};
use sha2::{Digest as _, Sha256};

/// What each value begins with.
const FORMAT: &str = "alfred-state-document/1 ";

const DIGEST_LEN: usize = 64;
const MARK_LEN: usize = 32;

/// Length of the line. A value that is no longer is a removed document.
pub(super) const LINE_LEN: usize = FORMAT.len() + DIGEST_LEN + 1 + MARK_LEN + 1;

/// Tells one write from every other.
pub(super) type Mark = [u8; MARK_LEN / 2];

/// The bytes to store: of a document, or that there is none any more.
pub(super) fn frame(content: Option<&Bytes>, mark: &Mark) -> Bytes {
    let content = content.map_or(&[][..], |content| &content[..]);
    let mut framed = BytesMut::with_capacity(LINE_LEN + content.len());
    framed.put_slice(FORMAT.as_bytes());
    put_hexadecimal(&mut framed, &digest(mark, content));
    framed.put_u8(b' ');
    put_hexadecimal(&mut framed, mark);
    framed.put_u8(b'\n');
    framed.put_slice(content);
    framed.freeze()
}

/// Reads what [`frame`] wrote. The error says what is wrong with it.
pub(super) fn unframe(stored: &Bytes) -> Result<Option<Bytes>, &'static str> {
    let Some((line, _)) = stored.split_at_checked(LINE_LEN) else {
        return Err("it is cut short");
    };
    if !line.starts_with(FORMAT.as_bytes()) {
        return Err("it does not begin as a document does");
    }
    let content = stored.slice(LINE_LEN..);
    let mark = mark(stored).ok_or("its first line is damaged")?;
    if *frame_line(&mark, &content) != *line {
        return Err("its checksum does not fit its content");
    }
    Ok((!content.is_empty()).then_some(content))
}

/// The mark in the line of a stored value, whatever follows it.
pub(super) fn mark(stored: &[u8]) -> Option<Mark> {
    let digits = stored.get(LINE_LEN - 1 - MARK_LEN..LINE_LEN - 1)?;
    let mut mark = [0; MARK_LEN / 2];
    for (byte, pair) in mark.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(mark)
}

fn frame_line(mark: &Mark, content: &[u8]) -> Bytes {
    let mut line = BytesMut::with_capacity(LINE_LEN);
    line.put_slice(FORMAT.as_bytes());
    put_hexadecimal(&mut line, &digest(mark, content));
    line.put_u8(b' ');
    put_hexadecimal(&mut line, mark);
    line.put_u8(b'\n');
    line.freeze()
}

fn digest(mark: &Mark, content: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(mark).chain_update(content).finalize().into()
}

fn put_hexadecimal(into: &mut BytesMut, bytes: &[u8]) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        into.put_u8(DIGITS[usize::from(byte >> 4)]);
        into.put_u8(DIGITS[usize::from(byte & 15)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_framed_is_read_back() {
        let content = Bytes::from_static(b"{}");
        let framed = frame(Some(&content), &[7; 16]);
        assert_eq!(framed.len(), LINE_LEN + 2);
        assert_eq!(unframe(&framed), Ok(Some(content)));
        assert_eq!(mark(&framed), Some([7; 16]));
        assert_eq!(unframe(&frame(None, &[1; 16])), Ok(None));
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_found() {
        let framed = frame(Some(&Bytes::from_static(b"{\"versions\":[]}")), &[0xab; 16]);
        for length in 0..framed.len() {
            assert!(unframe(&framed.slice(..length)).is_err(), "cut to {length}");
        }
        for bit in 0..framed.len() * 8 {
            let mut damaged = framed.to_vec();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(unframe(&damaged.into()).is_err(), "bit {bit}");
        }
    }
}
