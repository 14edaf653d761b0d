//! Recipes: what an image is built from, as a YAML file.
//!
//! Promises: a recipe that parses can be handed to a shell script and to the package manager's command line; nothing in
//! it can break out of its place. No effects here.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use super::assemble::image_size;
use crate::spec::FormatVersion;
use crate::value::{ByteSize, HttpUrl, ImageRef, KernelArg};

/// Without these an image boots on no machine or can't be installed; they are named so that they stay when what pulled
/// them in goes.
const NEEDED: [&str; 9] = [
    "e2fsprogs",
    "grub-efi-amd64-signed",
    "initramfs-tools",
    "kmod",
    "linux-image-amd64",
    "shim-signed",
    "systemd-sysv",
    "udev",
    "util-linux",
];

/// A recipe.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Format of this document.
    #[allow(dead_code, reason = "its check is that it parses")]
    version: FormatVersion<1>,
    /// What the image is called.
    pub image: ImageRef,
    /// Release to install; `bookworm` is what is tested.
    pub suite: Suite,
    /// Where packages come from; Debian's own servers, with security updates, if absent.
    pub mirror: Option<HttpUrl>,
    /// Packages beside those that every image needs.
    #[serde(default)]
    packages: Vec<Word>,
    /// Size of the whole image; the root grows on the target, so this is what the packages need and some room.
    size: ByteSize,
    /// Words for the kernel's command line.
    #[serde(default)]
    pub kernel_args: Vec<KernelArg>,
    /// systemd units to enable.
    #[serde(default)]
    pub units: Vec<Word>,
    /// Files of packages that are left out, as dpkg's path globs.
    #[serde(default)]
    pub exclude: Vec<PathGlob>,
    /// Exceptions to `exclude`.
    #[serde(default)]
    pub include: Vec<PathGlob>,
    /// Files to put into the image.
    #[serde(default)]
    pub files: Vec<RecipeFile>,
}

/// One file that a recipe adds; owned by root.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecipeFile {
    /// Absolute path in the image.
    pub path: FilePath,
    /// Its text.
    pub content: String,
    /// Whether it may be executed.
    #[serde(default)]
    pub executable: bool,
}

macro_rules! checked_text {
    ($(#[doc = $doc:literal])* $name:ident, $good:expr, $expected:literal) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                let good: fn(&str) -> bool = $good;
                match good(&text) {
                    true => Ok(Self(text)),
                    false => Err(format!("`{}` is not {}", text.escape_debug(), $expected)),
                }
            }
        }
    };
}

fn is_word(text: &str, extra: &[u8]) -> bool {
    (1..=128).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || extra.contains(&b))
}

fn is_path(text: &str, extra: &[u8]) -> bool {
    text.len() > 1
        && text.starts_with('/')
        && !text.split('/').any(|part| part == "." || part == "..")
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-+@:".contains(&b) || extra.contains(&b))
}

checked_text!(
    /// A release's code name.
    Suite, |text| is_word(text, b"-"), "a Debian release like `bookworm`"
);
checked_text!(
    /// A package (also `name=version`, `name/suite`) or a unit.
    Word, |text| is_word(text, b".+-:~=/@_\\"), "the name of a package or unit"
);
checked_text!(
    /// dpkg's `path-exclude` and `path-include`.
    PathGlob, |text| is_path(text, b"*?[]"), "an absolute path, `*` allowed"
);
checked_text!(
    /// Where a file goes.
    FilePath, |text| is_path(text, b"") && !text.ends_with('/'), "an absolute path of a file"
);

impl Recipe {
    /// Reads a recipe.
    ///
    /// # Errors
    /// Not this format; the message has the line.
    pub fn parse(text: &str) -> Result<Self> {
        let recipe: Self = serde_yaml::from_str(text).context("reading the recipe")?;
        let least = image_size(256 << 20);
        ensure!(
            recipe.size.as_bytes() >= least,
            "size {} is too small for a system; {} is the least",
            recipe.size,
            ByteSize::bytes(least)
        );
        if let Some(network) =
            recipe.packages.iter().find(|package| package.0.starts_with("linux-image-cloud"))
        {
            bail!("{} has no drivers of real machines; every image gets linux-image-amd64", network.0);
        }
        Ok(recipe)
    }

    /// All packages, sorted, each once.
    pub fn packages(&self) -> Vec<&str> {
        let all: BTreeSet<_> = NEEDED.into_iter().chain(self.packages.iter().map(Word::as_str)).collect();
        all.into_iter().collect()
    }

    /// Size of the root file system.
    pub fn root_size(&self) -> u64 {
        let whole = self.size.as_bytes() >> 20 << 20;
        whole - image_size(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECIPE: &str = "version: 1\nimage: a@1\nsuite: bookworm\nsize: 1G\npackages: [curl, udev]\n";

    #[test]
    fn needed_packages_are_always_there_and_once() {
        let recipe = Recipe::parse(RECIPE).unwrap();
        let packages = recipe.packages();
        assert!(packages.contains(&"curl") && packages.contains(&"shim-signed"));
        assert_eq!(packages.iter().filter(|name| **name == "udev").count(), 1);
        assert_eq!(image_size(recipe.root_size()), 1 << 30);
    }

    #[test]
    fn what_could_break_out_of_its_place_does_not_parse() {
        for line in [
            "packages: ['a b']",
            "packages: ['a,b']",
            "packages: ['--x']",
            "packages: [\"a'\"]",
            "suite: 'x;y'",
            "exclude: [relative/*]",
            "files: [{path: /etc/../x, content: ''}]",
            "files: [{path: \"/etc/a'b\", content: ''}]",
            "units: ['$(x)']",
            "unknown: 1",
            "size: 1M",
            "packages: [linux-image-cloud-amd64]",
        ] {
            let key = line.split(':').next().unwrap();
            let others: String = RECIPE
                .lines()
                .filter(|other| !other.starts_with(&format!("{key}:")))
                .map(|l| format!("{l}\n"))
                .collect();
            assert!(Recipe::parse(&format!("{others}{line}\n")).is_err(), "{line}");
        }
        assert!(Recipe::parse(&RECIPE.replace("version: 1", "version: 2")).is_err());
    }
}
