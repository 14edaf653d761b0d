//! `ironstrap image lint`: whether an image is fit for hardware, before anybody wipes a disk.

use std::path::PathBuf;

use anyhow::{Result, ensure};

use super::print_json;
use crate::cli::output;
use crate::image::lint::Linter;
use crate::image::store::Store;
use crate::image::stored::StoredImage;
use crate::image_lint::presets::{self, Preset};
use crate::image_lint::{Finding, Hardware, rules};
use crate::profile::rule::{Rule, Severity};
use crate::site::facts;
use crate::spec::image::ImageManifest;
use crate::sys::clock::{Clock as _, SystemClock};
use crate::trust::Verified;
use crate::value::{ImageRef, nearest};

/// Judge an image: whether its kernel, firmware and initrd suit hardware, and what shouldn't be in it.
///
/// Hardware is that of recorded facts (`ironstrap facts`), or of presets; without either, only what holds for any machine is judged.
/// Exit code 1 if there are errors; warnings are printed only. `ironstrap explain RULE` says more of a finding.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which.
    #[arg(value_name = "NAME@VERSION")]
    image: ImageRef,
    /// Facts of a machine, as `ironstrap facts` prints them; can be given several times.
    #[arg(long, value_name = "FILE")]
    facts: Vec<PathBuf>,
    /// Devices of a common driver, such as ahci, nvme, megaraid_sas or ixgbe; several, with commas or one by one.
    #[arg(long, value_name = "PRESET", value_delimiter = ',', value_parser = preset)]
    hardware: Vec<&'static Preset>,
    /// Findings of this rule are counted, and are neither told nor errors; can be given several times.
    #[arg(long, value_name = "RULE", value_parser = allowed)]
    allow: Vec<&'static Rule>,
}

impl Args {
    /// Which image.
    pub fn image(&self) -> &ImageRef {
        &self.image
    }
}

fn preset(name: &str) -> Result<&'static Preset, String> {
    let names = || presets::ALL.iter().map(|preset| preset.name);
    presets::find(name).ok_or_else(|| match nearest(name, names()) {
        Some(near) => format!("there is no such hardware; did you mean `{near}`?"),
        None => {
            let all = presets::ALL.iter().map(|preset| format!("{} ({})", preset.name, preset.what));
            format!("there is no such hardware; there are {}", all.collect::<Vec<_>>().join(", "))
        }
    })
}

fn allowed(id: &str) -> Result<&'static Rule, String> {
    let rule = rules::ALL.iter().find(|rule| rule.id() == id).copied();
    rule.ok_or_else(|| match nearest(id, rules::ALL.iter().map(|rule| rule.id())) {
        Some(near) => format!("there is no such rule of images; did you mean `{near}`?"),
        None => "there is no such rule of images; docs/image-lint.md has all".to_owned(),
    })
}

/// Prints the findings.
///
/// # Errors
/// An image that is damaged, facts that can't be read, and any finding that is an error.
pub fn run(args: &Args, json: bool, store: &Store, manifest: &Verified<ImageManifest>) -> Result<()> {
    let Args { image, facts: files, hardware, allow } = args;
    let linter = Linter::open(&StoredImage::open(store, manifest)?, SystemClock.now())?;
    let mut found = linter.general()?.to_vec();
    if !hardware.is_empty() {
        found.extend(linter.on_hardware(&presets::hardware(hardware))?);
    }
    for file in files {
        let modaliases = facts::read(file)?.facts.machine.modaliases;
        ensure!(
            !modaliases.is_empty(),
            "{} says of no device which driver it needs: record it anew with this version's `ironstrap facts`",
            file.display()
        );
        found.extend(linter.on_hardware(&Hardware { modaliases })?);
    }
    found.sort();
    found.dedup();
    let (allowed, found): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|finding| allow.contains(&finding.rule));
    if json {
        print_json(&serde_json::json!({
            "version": 1, "image": image, "findings": found, "allowed": allowed,
        }))?;
    } else if found.is_empty() {
        let without = match allowed.len() {
            0 => String::new(),
            1 => "; 1 finding allowed".to_owned(),
            count => format!("; {count} findings allowed"),
        };
        output::print(&format!("{image}: nothing to say{without}\n"))?;
    } else {
        output::print(&found.iter().map(line).collect::<String>())?;
    }
    let errors = found.iter().filter(|finding| finding.severity == Severity::Error).count();
    ensure!(errors == 0, "{errors} error{} in {image}", if errors == 1 { "" } else { "s" });
    Ok(())
}

fn line(finding: &Finding) -> String {
    let help = finding.help.as_ref().map(|help| format!("  help: {help}\n")).unwrap_or_default();
    format!("{}[{}]: {finding}\n{help}", finding.severity.name(), finding.rule)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check;
    use crate::image::testing;
    use crate::site::keys;
    use crate::site::paths::SitePaths;

    fn lint(paths: &SitePaths, more: &[&str]) -> Result<(), String> {
        let command =
            <Args as clap::Args>::augment_args(clap::Command::new("ironstrap").no_binary_name(true));
        let matches =
            command.try_get_matches_from([&["test@1"], more].concat()).map_err(|error| error.to_string())?;
        let args = <Args as clap::FromArgMatches>::from_arg_matches(&matches).unwrap();
        let store = Store::open(&paths.store()).unwrap();
        let digest = store.find(args.image()).unwrap().unwrap();
        let manifest = store.manifest(args.image(), &digest, &keys::trusted(paths).unwrap()).unwrap();
        run(&args, false, &store, &manifest).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn errors_are_counted_unless_they_are_allowed_and_hardware_is_known_by_name() {
        let in_root = |root: &std::path::Path| {
            testing::root_files(root);
            std::fs::write(root.join("etc/fstab"), "/dev/sda1 /data ext4 nofail 0 0\n").unwrap();
            std::fs::write(root.join("lib/modules/6.1.0-9-amd64/modules.builtin"), "").unwrap();
        };
        let Some(root) = testing::root_device(in_root, &[]) else { return };
        let device: std::sync::Arc<dyn crate::sys::block::BlockDevice> =
            std::sync::Arc::new(testing::image_with(&root, testing::esp_files()));
        let (_dir, paths) = check::testing::site("");
        check::testing::lock(&paths, &device);
        assert_eq!(lint(&paths, &[]).unwrap_err(), "1 error in test@1");
        assert_eq!(lint(&paths, &["--allow", "image-fstab-device"]), Ok(()));
        assert_eq!(lint(&paths, &["--hardware", "ahci,nvme"]).unwrap_err(), "3 errors in test@1");
        assert!(lint(&paths, &["--hardware", "ahcy"]).unwrap_err().contains("did you mean `ahci`?"));
        assert!(
            lint(&paths, &["--allow", "image-fstab-devices"]).unwrap_err().contains("`image-fstab-device`")
        );
    }
}
