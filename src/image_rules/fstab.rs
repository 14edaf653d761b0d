//! What `/etc/fstab` of a system mounts, as fstab(5) and systemd-fstab-generator(8) read it.
//!
//! Pure. Whether a device is there is for the caller to know; so is what is wrong with one that isn't.

/// A line that mounts something, or would.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// In the file, from 1.
    pub number: usize,
    /// What is mounted, as it is written but for its escapes.
    pub device: String,
    /// Where.
    pub place: String,
    options: String,
}

impl Line {
    /// Whether a start waits for it: systemd doesn't wait for the others, or not for ever.
    pub fn is_waited_for(&self) -> bool {
        let mut options = self.options.split(',');
        !options.any(|option| ["nofail", "noauto", "x-systemd.automount"].contains(&option))
    }
}

/// The lines of a text.
pub fn lines(text: &str) -> impl Iterator<Item = Line> {
    text.lines().zip(1..).filter_map(|(line, number)| {
        let mut words = line.split_whitespace();
        let device = words.next().filter(|word| !word.starts_with('#'))?;
        let place = words.next()?;
        let options = words.nth(1).unwrap_or_default().to_owned();
        Some(Line { number, device: unescaped(device), place: unescaped(place), options })
    })
}

/// Blanks and the like are written as `\040`: a backslash and three octal digits (getmntent(3)).
fn unescaped(word: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = word.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let code =
            behind.get(..3).and_then(|code| u8::from_str_radix(std::str::from_utf8(code).ok()?, 8).ok());
        match code.filter(|_| *first == b'\\') {
            Some(code) => {
                bytes.push(code);
                rest = &behind[3..];
            }
            None => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_with_their_escapes_and_comments_are_not() {
        let text = "# a b\n  #c d\n\nUUID=1 / ext4\nLABEL=my\\040disk\t/a\\011b\\134 xfs ro,nofail 0 0\n/dev/sdb1 none swap noauto\nlonely\n\\9 \\04\n";
        let found: Vec<_> =
            lines(text).map(|line| (line.number, line.is_waited_for(), line.device, line.place)).collect();
        let line =
            |number, waits, device: &str, place: &str| (number, waits, device.to_owned(), place.to_owned());
        assert_eq!(
            found,
            [
                line(4, true, "UUID=1", "/"),
                line(5, false, "LABEL=my disk", "/a\tb\\"),
                line(6, false, "/dev/sdb1", "none"),
                line(8, true, "\\9", "\\04"),
            ]
        );
    }
}
