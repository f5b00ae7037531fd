//! Contents in the pieces in which they go up.

use bytes::Bytes;
use object_store::PutPayload;

use crate::backend::Blob;

/// Content that is longer goes up in parts of this length, so that a broken connection costs one part. R2 wants parts of one
/// length, of at least 5 MiB (<https://developers.cloudflare.com/r2/objects/multipart-objects/>).
pub(super) const PART_LEN: usize = 8 << 20;

/// Whether what was found is the content, in whatever pieces.
pub(super) fn is_same(found: &Bytes, content: &Blob) -> bool {
    let mut rest = &found[..];
    let is_prefix = |piece: &Bytes| rest.strip_prefix(&piece[..]).map(|after| rest = after).is_some();
    content.0.iter().all(is_prefix) && rest.is_empty()
}

/// The content in parts of [`PART_LEN`], of which the last may be shorter. Nothing is copied.
pub(super) fn parts(content: &Blob) -> Vec<PutPayload> {
    let mut parts = Vec::new();
    let (mut pieces, mut room) = (Vec::new(), PART_LEN);
    for piece in &content.0 {
        let mut piece = piece.clone();
        while !piece.is_empty() {
            let taken = piece.split_to(piece.len().min(room));
            room -= taken.len();
            pieces.push(taken);
            if room == 0 {
                parts.push(PutPayload::from_iter(std::mem::take(&mut pieces)));
                room = PART_LEN;
            }
        }
    }
    if !pieces.is_empty() {
        parts.push(PutPayload::from_iter(pieces));
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_have_one_length_but_for_the_last() {
        let zeros = |length| Bytes::from(vec![0; length]);
        let content = Blob(vec![zeros(200), zeros(0), zeros(3 * PART_LEN), zeros(PART_LEN - 100), zeros(7)]);
        let lengths: Vec<usize> = parts(&content).iter().map(PutPayload::content_length).collect();
        assert_eq!(lengths, [PART_LEN, PART_LEN, PART_LEN, PART_LEN, 107]);
        let whole = Blob(vec![zeros(2 * PART_LEN)]);
        assert_eq!(parts(&whole).len(), 2);
    }

    #[test]
    fn the_same_is_the_same_in_any_pieces() {
        let content = Blob(vec![Bytes::from_static(b"ab"), Bytes::new(), Bytes::from_static(b"c")]);
        for (found, expected) in [("abc", true), ("abcd", false), ("ab", false), ("abd", false), ("", false)] {
            assert_eq!(is_same(&Bytes::from_static(found.as_bytes()), &content), expected, "{found}");
        }
    }
}
