//! Which characters of a foreign text are put before people, on a terminal or in a file. Knows nothing of what the
//! text is about.

/// What of a foreign text may stand in a message: its beginning, without characters that act on a terminal.
pub(crate) fn printable(text: &str, length: usize) -> String {
    text.chars().take(length).map(|character| if is_printable(character) { character } else { '\u{fffd}' }).collect()
}

/// Whether a character is seen where it stands: no control, no mark that turns the direction of writing, no line
/// separator, and none that a YAML 1.1 reader refuses (<https://yaml.org/spec/1.1/#c-printable>).
pub(crate) fn is_printable(character: char) -> bool {
    !character.is_control()
        && !matches!(
            character,
            '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
                | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fdd0}'..='\u{fdef}' | '\u{e0000}'..='\u{e007f}'
        )
        && u32::from(character) & 0xfffe != 0xfffe
}
