//! Two hosts from one image are no twins: every entry of the list is tried, also those that are added later.

use std::collections::BTreeMap;

use super::*;
use crate::image_rules::identity::{Fate, Maker, Place, TRACES, carried};

/// In all that must not be seen again.
const GOLDEN: &str = "golden";
const KEPT: &str = "not this machine's";

fn sample(fate: Fate) -> String {
    match fate {
        Fate::Anew(Maker::IscsiName) => format!("InitiatorName=iqn.1993-08.org.debian:01:{GOLDEN}\n"),
        Fate::Anew(Maker::NvmeName) => format!("nqn.2014-08.org.nvmexpress:uuid:{GOLDEN}\n"),
        Fate::Anew(Maker::PopconId) => format!("PARTICIPATE=\"yes\"\nMY_HOSTID=\"{GOLDEN}\"\n"),
        Fate::Anew(Maker::Resolver) => format!("nameserver 192.0.2.1 # {GOLDEN}\n"),
        _ => GOLDEN.to_owned(),
    }
}

/// An image with everything on the list.
fn golden() -> Image {
    let image = Image::debian();
    let put = |path: &str, text: &str| {
        if image.path(path).is_dir() {
            image.put(&format!("{path}/file"), text);
        } else {
            image.put(path, text);
        }
    };
    for trace in TRACES {
        for place in trace.places {
            match place {
                Place::Path(path) => put(path.trim_start_matches('/'), &sample(trace.fate)),
                Place::Inside(directory) => {
                    put(&format!("{directory}/file")[1..], &sample(trace.fate));
                    put(&format!("{directory}/below/file")[1..], &sample(trace.fate));
                }
                Place::Named { directory, prefix, suffix, except } => {
                    put(&format!("{directory}/{prefix}x{suffix}")[1..], &sample(trace.fate));
                    except.iter().for_each(|name| put(&format!("{directory}/{name}")[1..], KEPT));
                }
                Place::Esp(path) => {
                    let path = image.dir.path().join("esp").join(path.trim_start_matches('/'));
                    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                    std::fs::write(path, sample(trace.fate)).unwrap();
                }
            }
        }
    }
    image.put("usr/sbin/make-ssl-cert", "");
    symlink("ssl-cert-snakeoil.pem", image.path("etc/ssl/certs/0123abcd.0")).unwrap();
    image
}

fn files(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    fn visit(directory: &Path, root: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let kind = std::fs::symlink_metadata(&path).unwrap().file_type();
            if kind.is_dir() {
                visit(&path, root, found);
            } else if kind.is_file() {
                let content = std::fs::read(&path).unwrap();
                found.insert(path.strip_prefix(root).unwrap().to_owned(), content);
            }
        }
    }
    let mut found = BTreeMap::new();
    visit(directory, directory, &mut found);
    found
}

/// The files of an image that stand at a place.
fn at(place: &Place, image: &Image, files: &BTreeMap<PathBuf, Vec<u8>>) -> BTreeMap<PathBuf, Vec<u8>> {
    let found = match place {
        Place::Esp(path) => vec![format!("esp{path}")],
        place => {
            let paths = place.find(&RootedDir::open(&image.path("")).unwrap()).unwrap();
            paths.into_iter().map(|path| format!("root{path}")).collect()
        }
    };
    let below = |path: &Path| found.iter().any(|place| path.starts_with(place));
    files.iter().filter(|(path, _)| below(path)).map(|(path, text)| (path.clone(), text.clone())).collect()
}

#[test]
fn two_hosts_of_one_image_share_no_entry_of_the_list() {
    let (image, one, two) = (golden(), golden(), golden());
    one.apply(&spec(), 1).unwrap();
    two.apply(&spec(), 2).unwrap();
    let all = [&image, &one, &two].map(|image| files(image.dir.path()));
    for trace in TRACES {
        for place in trace.places {
            let before = at(place, &image, &all[0]);
            assert!(!before.is_empty(), "{}: the image has none", place.pattern());
            let [first, second] = [(&one, &all[1]), (&two, &all[2])].map(|(host, files)| {
                let mut found = at(place, host, files);
                // systemd makes what is empty
                found.retain(|_, content| !content.is_empty());
                found
            });
            assert_eq!(first.keys().collect::<Vec<_>>(), second.keys().collect::<Vec<_>>());
            for (path, content) in &first {
                assert!(matches!(trace.fate, Fate::Anew(_)), "{} is still there", path.display());
                assert_ne!(*content, second[path], "{} is the same on both hosts", path.display());
                assert_ne!(Some(content), before.get(path), "{} is the image's", path.display());
            }
        }
    }
    for (path, content) in all[1].iter().chain(&all[2]) {
        let leaked = content.windows(GOLDEN.len()).any(|window| window == GOLDEN.as_bytes());
        assert!(!leaked, "{} holds what the image brought", path.display());
    }
}

#[test]
fn what_is_made_anew_has_the_form_that_its_readers_ask_for() {
    let host = golden();
    host.apply(&spec(), 1).unwrap();
    let name = host.text("etc/iscsi/initiatorname.iscsi");
    let drawn = name.trim().strip_prefix("InitiatorName=iqn.1993-08.org.debian:01:").unwrap();
    assert!(drawn.len() == 12 && drawn.bytes().all(|byte| byte.is_ascii_hexdigit()), "{name}");
    let id: uuid::Uuid = host.text("etc/nvme/hostid").trim().parse().unwrap();
    assert_eq!(host.text("etc/nvme/hostnqn"), format!("nqn.2014-08.org.nvmexpress:uuid:{id}\n"));
    assert_eq!(id.get_version_num(), 4);
    assert_eq!(std::fs::read(host.path("etc/hostid")).unwrap().len(), 4);
    let popcon = host.text("etc/popularity-contest.conf");
    let drawn = popcon.strip_prefix("PARTICIPATE=\"yes\"\nMY_HOSTID=\"").unwrap().trim_end_matches("\"\n");
    assert!(drawn.len() == 32 && drawn.bytes().all(|byte| byte.is_ascii_hexdigit()), "{popcon}");
    assert!(std::fs::symlink_metadata(host.path("etc/ssl/certs/0123abcd.0")).is_err());
    let unit = "etc/systemd/system/multi-user.target.wants/ironstrap-snakeoil.service";
    assert!(std::fs::symlink_metadata(host.path(unit)).is_ok());
    for trace in TRACES {
        for place in trace.places {
            if let Place::Named { directory, except, .. } = place {
                except
                    .iter()
                    .for_each(|name| assert_eq!(host.text(&format!("{directory}/{name}")[1..]), KEPT));
            }
        }
    }
}

#[test]
fn an_image_without_them_gets_none_of_them() {
    let host = Image::debian();
    host.apply(&spec(), 1).unwrap();
    for path in ["etc/iscsi", "etc/nvme", "etc/hostid", "etc/popularity-contest.conf", "etc/resolv.conf"] {
        assert!(!host.path(path).exists(), "{path}");
    }
    // a pair, and no tool to make it with: the old key goes all the same
    let host = golden();
    std::fs::remove_file(host.path("usr/sbin/make-ssl-cert")).unwrap();
    host.apply(&spec(), 1).unwrap();
    assert!(!host.path("etc/ssl/private/ssl-cert-snakeoil.key").exists());
    assert!(!host.path("etc/systemd/system/ironstrap-snakeoil.service").exists());
}

#[test]
fn making_a_host_of_everything_twice_gives_the_same_tree() {
    let host = golden();
    host.apply(&spec(), 1).unwrap();
    let once = host.snapshot();
    host.apply(&spec(), 1).unwrap();
    assert_eq!(host.snapshot(), once);
}

#[test]
fn everything_that_an_image_carries_is_told() {
    let image = golden();
    let root = RootedDir::open(&image.path("")).unwrap();
    let esp = RootedDir::open(&image.dir.path().join("esp")).unwrap();
    let told: Vec<_> = carried(&root, &esp).unwrap().into_iter().map(|carried| carried.trace).collect();
    assert_eq!(told, TRACES.iter().collect::<Vec<_>>());
}

#[test]
fn the_unit_is_one_that_systemd_reads() {
    let host = golden();
    host.apply(&spec(), 1).unwrap();
    let unit = host.path("etc/systemd/system/ironstrap-snakeoil.service");
    // the programs that it names are those of this machine
    match std::process::Command::new("systemd-analyze").arg("verify").arg("--man=no").arg(&unit).output() {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            let ours: Vec<_> = said
                .lines()
                .filter(|line| line.contains("ironstrap-snakeoil") && !line.contains("not executable"))
                .collect();
            assert!(ours.is_empty(), "{ours:?}");
        }
        Err(error) => println!("systemd-analyze was not tried: {error}"),
    }
}
