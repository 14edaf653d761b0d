//! Files that others wrote for real machines.

use std::path::Path;

use ironstrap::answers::Format;
use ironstrap::host::Os;
use ironstrap::import::Verdict;

use super::{accounts_for_each_line, counts, expect, imported, newest};

/// Imports every file of a folder that `format` finds one for; returns how many lines met which end.
fn all(folder: &Path, format: impl Fn(&str) -> Option<Format>) -> (usize, Vec<(Verdict, usize)>) {
    let (mut files, mut total) = (0, Verdict::ALL.map(|verdict| (verdict, 0)).to_vec());
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap().to_str().unwrap();
        let Some(format) = format(name) else { continue };
        let text = std::fs::read_to_string(&path).unwrap();
        let os = ironstrap::import::release(format, &text).unwrap_or(newest(format));
        let imported = imported(name, &text, os);
        accounts_for_each_line(&text, &imported.report).unwrap_or_else(|why| panic!("{name}: {why}"));
        // many of them make their partitions in a script, and name these: no layout of theirs can be taken over
        let open = &imported.report.open;
        let keeps_disk =
            open.len() == 1 && open[0].starts_with("the original keeps what is on a disk already");
        assert!(open.is_empty() || keeps_disk, "{name}: {open:#?}");
        for (sum, (_, count)) in total.iter_mut().zip(counts(&imported.report)) {
            sum.1 += count;
        }
        files += 1;
    }
    println!("{}: {files} files, lines: {total:?}", folder.display());
    (files, total)
}

fn of(total: &[(Verdict, usize)], verdict: Verdict) -> usize {
    total.iter().find(|(known, _)| *known == verdict).unwrap().1
}

#[test]
fn almalinux_cloud_images_become_hosts_that_render() {
    let Some(corpora) = expect::shared("corpora") else { return };
    let (files, total) = all(&corpora.join("almalinux-cloud-images/http"), |_| Some(Format::Kickstart));
    assert!(files >= 41);
    assert!(of(&total, Verdict::Kept) >= 700, "{total:?}");
    assert!(of(&total, Verdict::Refused) <= 550, "{total:?}");
}

#[test]
fn files_of_bento_become_hosts_that_render() {
    let Some(corpora) = expect::shared("corpora") else { return };
    let http = corpora.join("bento/packer_templates/http");
    assert_eq!(all(&http.join("rhel"), |_| Some(Format::Kickstart)).0, 2);
    assert_eq!(all(&http.join("debian"), |_| Some(Format::Preseed)).0, 1);
    let user_data = |name: &str| (name == "user-data").then_some(Format::Autoinstall);
    assert_eq!(all(&http.join("ubuntu"), user_data).0, 1);
    let (_, total) = all(&http.join("amazon"), user_data);
    assert_eq!(of(&total, Verdict::Kept), 0, "cloud-config without autoinstall is no answer file");
}

#[test]
fn examples_of_subiquity_become_hosts_that_render() {
    let Some(corpora) = expect::shared("corpora") else { return };
    let (files, _) = all(&corpora.join("subiquity/examples/autoinstall"), |_| Some(Format::Autoinstall));
    assert!(files >= 12);
}

#[test]
fn the_release_of_a_file_is_told_from_its_trees_and_suites() {
    let of = |format, text| ironstrap::import::release(format, text);
    assert_eq!(
        of(Format::Kickstart, "url --url https://repo.almalinux.org/almalinux/8/BaseOS/x86_64/os"),
        Some(Os::El8)
    );
    assert_eq!(of(Format::Kickstart, "#version=F44\n"), Some(Os::Fedora44));
    assert_eq!(of(Format::Kickstart, "lang C\n"), None);
    assert_eq!(of(Format::Preseed, "d-i mirror/suite string trixie\n"), Some(Os::Debian13));
    assert_eq!(of(Format::Autoinstall, "version: 1\n"), None);
}
