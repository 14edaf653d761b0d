//! The only way in which a value gets into a shell script.

/// The text as one word of a POSIX shell, whatever it holds. A NUL, which no shell variable and no argument can hold, is
/// dropped.
pub fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\0', "").replace('\'', r"'\''"))
}
