//! Paths that stay below a directory: of files in a bundle, an archive, a modules' folder.

/// Whether a relative path, joined to a directory, stays below it whatever is in it: names between single slashes, none of
/// them empty, `.` or `..`, and nothing that another system would take for a separator or an end.
pub fn stays_inside(path: &str) -> bool {
    path.split('/').all(|part| !matches!(part, "" | "." | "..")) && !path.contains(['\\', '\0'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stays_inside_or_is_found_out() {
        for path in ["a", "a/b.c", "..a/b..", "blobs/0123", "a b", ".hidden", "ü/…"] {
            assert!(stays_inside(path), "{path}");
        }
        for path in ["", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "../a", "a/.", "a\\..\\b", "a\0"] {
            assert!(!stays_inside(path), "{path:?}");
        }
    }
}
