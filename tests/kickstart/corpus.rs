//! Real files that install real machines: no error may be found in them.

use ironstrap::grammar::Severity;
use ironstrap::grammar::kickstart::{Release, lint, parse};

#[test]
fn almalinux_files_have_no_errors_and_lose_nothing() {
    let Some(dir) = super::expect::shared("corpora/almalinux-cloud-images/http") else { return };
    let mut seen = 0;
    for path in std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()) {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let release = if name.starts_with("almalinux-8") {
            Release::Rhel8
        } else if name.starts_with("almalinux-9") {
            Release::Rhel9
        } else {
            Release::Rhel10
        };
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(parse(&text).text(), text, "{name}");
        let errors: Vec<_> =
            lint(&text, release).into_iter().filter(|found| found.severity == Severity::Error).collect();
        assert!(errors.is_empty(), "{name}: {errors:#?}");
        seen += 1;
    }
    assert!(seen >= 41, "only {seen} files in {}", dir.display());
}
