//! States of a given size, and sending them as Terraform does.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use md5::{Digest as _, Md5};

use crate::Failure;
use crate::stage::ControlPlane;

/// A state of about this size in bytes that looks like one: one output, whose value does not compress well.
pub(crate) fn state(serial: u64, size: usize) -> Bytes {
    let head = format!(
        r#"{{"version":4,"terraform_version":"1.11.4","serial":{serial},"lineage":"6f0f1c9e-0000-4000-8000-00000000{size:04x}","outputs":{{"value":{{"type":"string","value":""#
    );
    let tail = r#""}},"resources":[],"check_results":null}"#;
    let mut text = head;
    let length = size.saturating_sub(text.len() + tail.len());
    text.reserve(length + tail.len());
    let mut noise = serial.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for _ in 0..length {
        noise ^= noise << 13;
        noise ^= noise >> 7;
        noise ^= noise << 17;
        // Six bits of it, as a character that JSON does not escape.
        text.push(char::from(b'0' + u8::try_from(noise >> 58).unwrap_or_default()).to_ascii_lowercase());
    }
    text.push_str(tail);
    // A backslash is the one of these characters that means something.
    text.replace('\\', "-").into()
}

/// The checksum that Terraform sends along.
pub(crate) fn md5(content: &[u8]) -> String {
    STANDARD.encode(Md5::digest(content))
}

/// Writes a state.
pub(crate) async fn write(up: &ControlPlane, name: &str, content: Bytes, md5: &str) -> Result<(), Failure> {
    let request = up.http.post(up.state(name)).basic_auth("bench", Some(&up.token)).header("content-md5", md5);
    let answer = request.header("content-type", "application/json").body(content).send().await?;
    let status = answer.status();
    if status.is_success() {
        Ok(())
    } else {
        Err(format!("a state was refused: {status}: {}", answer.text().await?).into())
    }
}

/// Reads a state; its length.
pub(crate) async fn read(up: &ControlPlane, name: &str) -> Result<usize, Failure> {
    let request = up.http.get(up.state(name)).basic_auth("bench", Some(&up.token));
    let mut answer = request.send().await?.error_for_status()?;
    let mut length = 0;
    while let Some(piece) = answer.chunk().await? {
        length += piece.len();
    }
    Ok(length)
}
