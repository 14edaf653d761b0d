//! What a report calls kept or changed is there: the line's own words are looked for in what the imported profile renders.
//!
//! Nothing of the import's own comparison is used: lines are read by a few lines of code here, as a person would.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ironstrap::answers::{self, Format, Seed, Templates};
use ironstrap::host::{self, Os};
use ironstrap::import::{Imported, Verdict};
use ironstrap::profile::load;
use ironstrap::spec::lock::LockFile;
use serde_json::Value;

use super::{expect, imported, newest, root};

/// The file for the installer, and the kernel arguments and scripts that go with it.
fn rendered(imported: &Imported, os: Os) -> (String, String) {
    let texts = imported.scripts.iter().map(|script| (script.path.as_str(), script.text.as_str()));
    let tree = load::of_host(imported.name.as_str(), &imported.profile, texts);
    let mut resolved = host::resolve(&tree);
    assert!(resolved.diagnostics.is_empty(), "{:?}\n{}", resolved.diagnostics, imported.profile);
    let host = resolved.hosts.pop().unwrap();
    let site = host::Site {
        name: "none".to_owned(),
        server: None,
        exports: None,
        debian_installer: Default::default(),
        order_validity: 3600,
    };
    let (files, units) = ironstrap::handoff::seed(&host, &site).unwrap();
    let templates = Templates::new(|_| Ok(None)).unwrap();
    let seed = Seed { files, units };
    let answers = answers::render(os, &site, &host, &LockFile::default(), &seed, &templates).unwrap();
    let scripts: String = imported.scripts.iter().map(|script| script.text.as_str()).collect();
    let beside: String = answers.companions.iter().map(|companion| companion.text.as_str()).collect();
    let all =
        format!("{}\n{}\n{}\n{beside}\n{scripts}", answers.text, answers.kernel_args.join("\n"), host.name);
    let hidden = decoded(&all);
    (answers.text, format!("{all}\n{hidden}"))
}

/// Files of which only base64 stands in a text.
fn decoded(text: &str) -> String {
    let word = |c: char| !(c.is_ascii_alphanumeric() || "+/=".contains(c));
    let long = text.split(word).filter(|word| word.len() >= 16);
    let read = long.filter_map(|word| String::from_utf8(BASE64_STANDARD.decode(word).ok()?).ok());
    read.collect::<Vec<_>>().join("\n")
}

fn option<'l>(line: &'l str, name: &str) -> Option<&'l str> {
    let rest = line.split_once(&format!(" {name}")).map(|(_, rest)| rest)?;
    let rest = rest.strip_prefix(['=', ' '])?.trim_start();
    let value = rest.split_whitespace().next()?;
    Some(value.trim_matches(['"', '\'']))
}

/// Words that stand together on a rendered line, for one line of a Kickstart.
fn of_kickstart(line: &str) -> Vec<Vec<String>> {
    let words: Vec<_> = line.split_whitespace().collect();
    let all = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let alone = |names: &[&str]| {
        let values = names.iter().filter_map(|name| option(line, name));
        values
            .flat_map(|value| value.split(','))
            .map(|value| vec![value.trim_end_matches('/').to_owned()])
            .collect::<Vec<_>>()
    };
    match *words.first().unwrap_or(&"") {
        "part" | "partition" | "logvol" | "raid" => {
            let mut together: Vec<String> = Vec::new();
            let place = words.iter().skip(1).find(|word| word.starts_with('/') || **word == "swap");
            together.extend(place.map(|place| format!(" {place} ")));
            together.extend(option(line, "--size").map(|size| format!("--size={size}")));
            together.extend(
                option(line, "--fstype").filter(|_| place.is_some()).map(|fs| format!("--fstype={fs}")),
            );
            vec![together]
        }
        "user" => option(line, "--name")
            .map(|name| vec!["user ".to_owned(), format!("--name={name}")])
            .into_iter()
            .collect(),
        "url" => alone(&["--url", "--mirrorlist", "--metalink"]),
        "repo" => alone(&["--baseurl", "--mirrorlist", "--metalink"]),
        "network" => alone(&["--ip", "--gateway", "--nameserver", "--hostname", "--mtu", "--vlanid"]),
        "lang" | "timezone" => {
            words[1..].iter().filter(|word| !word.starts_with("--")).map(|word| all(&[word])).collect()
        }
        "bootloader" => option(&line.replace("--append=\"", "--append="), "--append")
            .map(|word| all(&[word]))
            .into_iter()
            .collect(),
        "services" => alone(&["--enabled", "--disabled"]),
        _ => Vec::new(),
    }
}

/// The same for a question of a preseed.
fn of_preseed(lines: &str) -> Vec<Vec<String>> {
    let joined = lines.replace("\\\n", " ");
    let mut words = joined.split_whitespace().skip(1);
    let (Some(key), _) = (words.next(), words.next()) else { return Vec::new() };
    let value: Vec<_> = words.collect();
    let listed = [
        "passwd/username",
        "passwd/user-fullname",
        "mirror/http/hostname",
        "mirror/http/directory",
        "mirror/http/proxy",
        "mirror/suite",
        "time/zone",
        "netcfg/get_ipaddress",
        "netcfg/get_gateway",
        "netcfg/get_nameservers",
        "netcfg/get_hostname",
        "pkgsel/include",
        "debian-installer/locale",
        "debian-installer/add-kernel-opts",
        "clock-setup/ntp-server",
    ];
    if listed.contains(&key) || key.starts_with("apt-setup/local") {
        return value.iter().map(|word| vec![word.trim_end_matches('/').to_owned()]).collect();
    }
    if key != "partman-auto/expert_recipe" {
        return Vec::new();
    }
    let parts = value.split(|word| *word == ".");
    let field = |part: &[&str], name: &str| {
        let at = part.iter().position(|word| word.strip_suffix('{') == Some(name))?;
        Some(format!("{name}{{ {} }}", part.get(at + 1)?))
    };
    parts
        .flat_map(|part| ["mountpoint", "filesystem"].map(|name| field(part, name)))
        .flatten()
        .map(|field| vec![field])
        .collect()
}

/// The same for what stands on lines of an autoinstall, but its layout.
fn of_autoinstall(lines: &str) -> Vec<Vec<String>> {
    let text = lines.trim();
    let (key, value) = text.trim_start_matches("- ").split_once(": ").unwrap_or(("", text));
    let value =
        value.split(" #").next().unwrap_or(value).trim().trim_matches(['"', '\'']).trim_end_matches('/');
    match key {
        "locale" | "timezone" | "hostname" | "username" | "uri" | "proxy" | "macaddress" | "mtu" => {
            vec![vec![value.to_owned()]]
        }
        "" if text.starts_with("- ") && !text.contains(['{', '[']) => {
            vec![vec![value.trim_start_matches("- ").to_owned()]]
        }
        _ => Vec::new(),
    }
}

/// The actions in some text of an autoinstall, by id.
fn actions(text: &str) -> Vec<Value> {
    let Ok(read) = serde_yaml::from_str::<Value>(text) else { return Vec::new() };
    let config = read.get("autoinstall").unwrap_or(&read);
    config["storage"]["config"].as_array().cloned().unwrap_or_default()
}

fn file_system(actions: &[Value], mount: &Value) -> Option<String> {
    let format =
        actions.iter().find(|action| action["id"] == mount["device"] && action["type"] == "format")?;
    Some(format["fstype"].as_str()?.replace("fat32", "vfat"))
}

/// Whether what an action of a layout is for is there.
fn action_is_there(action: &Value, original: &[Value], rendered: &[Value]) -> bool {
    let mut same = rendered.iter().filter(|other| other["type"] == action["type"]);
    match action["type"].as_str().unwrap_or_default() {
        "mount" if action["path"].as_str().is_some_and(|path| path.starts_with('/')) => same.any(|other| {
            other["path"] == action["path"] && file_system(rendered, other) == file_system(original, action)
        }),
        "format" => same.any(|other| {
            let fs = |action: &Value| {
                action["fstype"]
                    .as_str()
                    .map(|fs| fs.replace("fat32", "vfat").replace("fat", "vfat").replace("vvfat", "vfat"))
            };
            fs(other) == fs(action)
        }),
        "partition" | "lvm_partition" => {
            let size = match &action["size"] {
                Value::Number(bytes) => bytes.as_u64(),
                Value::String(text) => {
                    let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
                    let shift = match text.chars().nth(digits.len()) {
                        Some('K') => 10,
                        Some('M') => 20,
                        Some('G') => 30,
                        Some('T') => 40,
                        _ => 0,
                    };
                    digits.parse::<u64>().ok().map(|number| number << shift)
                }
                _ => None,
            };
            same.any(|other| size.is_none() || other["size"].as_u64() == size)
        }
        _ => true,
    }
}

/// Fails with each kept or changed line of which something isn't there; says how many lines were looked at.
fn holds(file: &str, format: Format, text: &str, os: Os) -> usize {
    let imported = imported(file, text, os);
    let (installer, all) = rendered(&imported, os);
    let lines: Vec<_> = text.split('\n').collect();
    let (ours, theirs) = (actions(text), actions(&installer));
    let (mut missing, mut looked, mut packages) = (Vec::new(), 0, false);
    for entry in &imported.report.entries {
        let raw = lines[entry.first - 1..entry.last].join("\n");
        let line = raw.split(" #").next().unwrap_or_default().trim();
        packages = line.starts_with("%packages") || packages && !line.starts_with("%end");
        if !matches!(entry.verdict, Verdict::Kept | Verdict::Changed) {
            continue;
        }
        let wanted = match format {
            Format::Kickstart if packages && !line.starts_with('%') => vec![vec![line.to_owned()]],
            Format::Kickstart => of_kickstart(line),
            Format::Preseed => of_preseed(&raw),
            Format::Autoinstall => of_autoinstall(&raw),
        };
        looked += usize::from(!wanted.is_empty());
        for together in wanted {
            if !all.lines().any(|line| together.iter().all(|word| format!("{line} ").contains(word.as_str())))
            {
                missing.push(format!("{file}:{}: {}: {together:?}", entry.first, entry.text));
            }
        }
        let item: Option<Vec<Value>> = serde_yaml::from_str(&raw).ok();
        for action in item.into_iter().flatten().filter(|action| action["type"].is_string()) {
            looked += 1;
            if format == Format::Autoinstall && !action_is_there(&action, &ours, &theirs) {
                missing.push(format!("{file}:{}: {}", entry.first, entry.text));
            }
        }
    }
    assert!(missing.is_empty(), "not in what renders:\n{}\n{installer}", missing.join("\n"));
    looked
}

fn each(folder: &Path, format: impl Fn(&str) -> Option<Format>) -> usize {
    let paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    let mut looked = 0;
    for path in paths {
        let name = path.file_name().unwrap().to_str().unwrap();
        let Some(format) = format(name) else { continue };
        let text = std::fs::read_to_string(&path).unwrap();
        let os = ironstrap::import::release(format, &text).unwrap_or(newest(format));
        looked += holds(name, format, &text, os);
    }
    println!("{}: {looked} things looked for", folder.display());
    looked
}

#[test]
fn what_is_kept_or_changed_of_others_files_is_found_in_what_renders() {
    let Some(corpora) = expect::shared("corpora") else { return };
    assert!(each(&corpora.join("almalinux-cloud-images/http"), |_| Some(Format::Kickstart)) > 300);
    let bento = corpora.join("bento/packer_templates/http");
    each(&bento.join("rhel"), |_| Some(Format::Kickstart));
    each(&bento.join("debian"), |_| Some(Format::Preseed));
    each(&bento.join("ubuntu"), |name| (name == "user-data").then_some(Format::Autoinstall));
    each(&corpora.join("subiquity/examples/autoinstall"), |_| Some(Format::Autoinstall));
}

#[test]
fn what_is_kept_or_changed_of_our_own_samples_is_found_in_what_renders() {
    for (case, name, format) in [
        ("kickstart", "input.ks", Format::Kickstart),
        ("kickstart-bare", "input.ks", Format::Kickstart),
        ("preseed", "input.cfg", Format::Preseed),
        ("autoinstall", "input.yaml", Format::Autoinstall),
        ("autoinstall-bios", "input.yaml", Format::Autoinstall),
    ] {
        let text = std::fs::read_to_string(root().join("tests/import/cases").join(case).join(name)).unwrap();
        assert!(holds(name, format, &text, newest(format)) > 1, "{case}");
    }
}
