//! What stands on the screen while a machine waits after a run that installed nothing: the code, what it means, what to do, and a QR
//! code for whoever stands before it with a telephone.
//!
//! Promise: it fits a console of 80 columns and 25 rows, with room for the lines that say what comes next. Pure.

use qrcode::{Color, EcLevel, QrCode};

use crate::spec::Code;
use crate::value::{HostName, HttpUrl};

/// Most bytes that the QR code says; more make its squares too many for the rows.
const MOST_SAID: usize = 80;
/// Columns of a console.
const COLUMNS: usize = 80;
/// Squares of light around the code: readers look for them.
const MARGIN: isize = 2;

/// The screen, with line breaks; `page` is where the site's server shows its hosts.
pub fn screen(code: Code, host: Option<&HostName>, page: Option<&HttpUrl>) -> String {
    let picture = drawn(&said(code, host, page));
    let width = picture.first().map_or(0, |row| row.chars().count());
    let name = host.map(|host| format!(" {host}")).unwrap_or_default();
    let room = COLUMNS.saturating_sub(width + 3);
    let mut words = wrapped(&format!("{code}{name}"), room);
    for text in [code.meaning(), &format!("What to do: {}.", code.advice())] {
        words.push(String::new());
        words.extend(wrapped(text, room));
    }
    let rows = picture.len().max(words.len());
    let row = |at: usize| {
        let (left, right) = (picture.get(at), words.get(at).map_or("", String::as_str));
        let left = left.map_or_else(|| " ".repeat(width), Clone::clone);
        format!("{left}  {right}").trim_end().to_owned() + "\n"
    };
    (0..rows).map(row).collect()
}

/// What the QR code says: code, host, and where more stands, as much of it as there is room for.
fn said(code: Code, host: Option<&HostName>, page: Option<&HttpUrl>) -> String {
    let words = |host: &str, page: &str| {
        let words = [code.name(), host, page].into_iter().filter(|word| !word.is_empty());
        words.collect::<Vec<_>>().join(" ")
    };
    let (host, page) =
        (host.map_or("", |host| host.as_str()), page.map(ToString::to_string).unwrap_or_default());
    let whole = [words(host, &page), words(host, "")].into_iter().find(|text| text.len() <= MOST_SAID);
    // names of hosts are ASCII
    let text = whole.unwrap_or_else(|| words(host, "")[..MOST_SAID].to_owned());
    // in capitals it takes fewer squares; names of hosts mean the same in any case, and so do addresses without a path
    let capitals = text.to_ascii_uppercase();
    let has_path = page.trim_end_matches('/').matches('/').count() > 2;
    if has_path { text } else { capitals }
}

/// Two rows of squares in each line: the light ones are drawn, since consoles are dark.
fn drawn(text: &str) -> Vec<String> {
    let Ok(code) = QrCode::with_error_correction_level(text, EcLevel::L) else { return Vec::new() };
    let (width, colors) = (code.width() as isize, code.to_colors());
    let is_light = |x: isize, y: isize| {
        let inside = (0..width).contains(&x) && (0..width).contains(&y);
        !inside || colors.get((y * width + x) as usize) == Some(&Color::Light)
    };
    let square = |x: isize, y: isize| match (is_light(x, y), is_light(x, y + 1)) {
        (true, true) => '█',
        (true, false) => '▀',
        (false, true) => '▄',
        (false, false) => ' ',
    };
    let line = |y: isize| (-MARGIN..width + MARGIN).map(|x| square(x, y)).collect();
    (-MARGIN..width + MARGIN).step_by(2).map(line).collect()
}

/// A text in lines of at most so many characters; a longer word has a line of its own and is cut.
fn wrapped(text: &str, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let word: String = word.chars().take(room).collect();
        match lines.last_mut() {
            Some(line) if line.is_empty() => *line = word,
            Some(line) if line.chars().count() + 1 + word.chars().count() <= room => {
                *line += &format!(" {word}")
            }
            _ => lines.push(word),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Rows for the lines that say what comes next.
    const ROOM_BELOW: usize = 4;

    fn long_host() -> HostName {
        format!("{}.example.com", ["rack17", "row4", "hall-b", "fra2"].join(".")).parse().unwrap()
    }

    #[test]
    fn every_code_fits_a_screen() {
        let page: HttpUrl = "http://provisioning.fra2.example.com:8080".parse().unwrap();
        let endless: HostName = [["a"; 60].concat().as_str(); 4].join(".").parse().unwrap();
        for code in Code::ALL {
            for host in [None, Some(&long_host()), Some(&endless)] {
                for page in [None, Some(&page)] {
                    let screen = screen(*code, host, page);
                    assert!(
                        screen.lines().count() <= 25 - ROOM_BELOW,
                        "{code}: {}\n{screen}",
                        screen.lines().count()
                    );
                    assert!(screen.lines().all(|line| line.chars().count() <= COLUMNS), "{code}\n{screen}");
                    let words: String = screen.chars().filter(|c| !"█▀▄".contains(*c)).collect();
                    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
                    assert!(words.contains(code.name()), "{code}: {words}");
                    assert!(words.ends_with(&format!("{}.", code.advice())), "{code}: {words}");
                }
            }
        }
    }

    #[test]
    fn what_is_too_long_loses_the_page_first() {
        let page: HttpUrl = "http://10.0.0.1:8080".parse().unwrap();
        let long: HostName = [["a"; 60].concat().as_str(); 2].join(".").parse().unwrap();
        let short: HostName = "web01".parse().unwrap();
        assert_eq!(said(Code::ForeignData, Some(&short), Some(&page)), "IS-203 WEB01 HTTP://10.0.0.1:8080");
        assert_eq!(said(Code::ForeignData, None, None), "IS-203");
        let cut = said(Code::ForeignData, Some(&long), Some(&page));
        assert!(cut.len() == MOST_SAID && cut.starts_with("IS-203 AAAA") && !cut.contains("HTTP"), "{cut}");
        let path: HttpUrl = "http://10.0.0.1/Site".parse().unwrap();
        assert_eq!(said(Code::ForeignData, Some(&short), Some(&path)), "IS-203 web01 http://10.0.0.1/Site");
    }

    /// A dark console with this screen, a character of 8 by 16 points.
    fn photograph(screen: &str) -> Vec<u8> {
        const WIDE: usize = 8;
        const HIGH: usize = 16;
        let mut points = vec![vec![0_u8; (COLUMNS + 2) * WIDE]; 27 * HIGH];
        for (row, line) in screen.lines().enumerate() {
            for (column, c) in line.chars().enumerate() {
                let lit = match c {
                    '█' => 0..HIGH,
                    '▀' => 0..HIGH / 2,
                    '▄' => HIGH / 2..HIGH,
                    _ => continue,
                };
                for y in lit {
                    let x = (column + 1) * WIDE;
                    points[(row + 1) * HIGH + y][x..x + WIDE].fill(255);
                }
            }
        }
        let head = format!("P5\n{} {}\n255\n", points[0].len(), points.len());
        [head.into_bytes(), points.concat()].concat()
    }

    #[test]
    fn a_reader_of_another_hand_reads_the_code_off_the_screen() {
        if Command::new("zbarimg").arg("--version").output().is_err() {
            return crate::expect::missing_program("zbarimg", "zbar-tools");
        }
        let page: HttpUrl = "http://provisioning.fra2.example.com/Site".parse().unwrap();
        for (host, page) in [(None, None), (Some(&long_host()), None), (Some(&long_host()), Some(&page))] {
            let dir = tempfile::tempdir().unwrap();
            let file = dir.path().join("screen.pgm");
            std::fs::write(&file, photograph(&screen(Code::ClockUnknown, host, page))).unwrap();
            let read = Command::new("zbarimg").args(["-q", "--raw"]).arg(&file).output().unwrap();
            assert_eq!(
                String::from_utf8_lossy(&read.stdout).trim_end(),
                said(Code::ClockUnknown, host, page)
            );
        }
    }
}
