//! Recipes: what an image is built from, as a YAML file.
//!
//! Promises: a recipe that is read can be handed to a shell script and to the package manager's command line; nothing in
//! it can break out of its place. It is read as profiles are ([`decode`]): all mistakes at once, each at its place. No effects
//! here.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::assemble::image_size;
use crate::profile::decode::decode;
use crate::profile::diag::{Diagnostic, Mistakes, Report};
use crate::profile::source::{Sources, Span};
use crate::profile::spanned::Spanned;
use crate::profile::yaml;
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    /// What the image is called.
    pub image: ImageRef,
    /// Release to install; `bookworm` is what is tested.
    pub suite: Suite,
    /// Where packages come from; Debian's own servers, with security updates, if absent.
    pub mirror: Option<HttpUrl>,
    /// Packages beside those that every image needs.
    packages: Vec<Word>,
    /// Size of the whole image; the root grows on the target, so this is what the packages need and some room.
    size: ByteSize,
    /// Words for the kernel's command line.
    pub kernel_args: Vec<KernelArg>,
    /// systemd units to enable.
    pub units: Vec<Word>,
    /// Files of packages that are left out, as dpkg's path globs.
    pub exclude: Vec<PathGlob>,
    /// Exceptions to `exclude`.
    pub include: Vec<PathGlob>,
    /// Files to put into the image.
    pub files: Vec<RecipeFile>,
}

/// One file that a recipe adds; owned by root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecipeFile {
    /// Absolute path in the image.
    pub path: FilePath,
    /// Its text.
    pub content: String,
    /// Whether it may be executed.
    pub executable: bool,
}

/// A recipe as it is written.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RawRecipe {
    version: Option<FormatVersion<1>>,
    image: Option<ImageRef>,
    suite: Option<Suite>,
    mirror: Option<HttpUrl>,
    packages: Vec<Spanned<Word>>,
    size: Option<Spanned<ByteSize>>,
    kernel_args: Vec<KernelArg>,
    units: Vec<Word>,
    exclude: Vec<PathGlob>,
    include: Vec<PathGlob>,
    files: Vec<Spanned<RawFile>>,
}

/// One of its files.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RawFile {
    path: Option<FilePath>,
    content: Option<String>,
    executable: Option<bool>,
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
    /// Reads a recipe; `path` is what messages call it.
    ///
    /// # Errors
    /// All that is wrong with it, each mistake at its place; what is missing once all that is there can be read.
    pub fn read(path: &str, text: &str) -> Result<Self, Mistakes> {
        let (mut sources, mut wrong) = (Sources::default(), Vec::new());
        let source = sources.add(path, text);
        let raw: RawRecipe = match yaml::parse(source, text, &mut wrong) {
            Some(root) => decode(root, &mut wrong),
            None => RawRecipe::default(),
        };
        // of what couldn't be read nobody knows whether it is missing
        let is_whole = wrong.is_empty();
        judge(&raw, &mut wrong);
        let recipe = raw.complete(&mut |span, message, help| {
            if is_whole {
                wrong.push(Diagnostic::new(span.unwrap_or(Span::file(source)), message).help(help));
            }
        });
        recipe.filter(|_| wrong.is_empty()).ok_or_else(|| Mistakes(Report::new(sources, wrong)))
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

/// What each value allows and the whole doesn't.
fn judge(raw: &RawRecipe, wrong: &mut Vec<Diagnostic>) {
    let least = image_size(256 << 20);
    if let Some(size) = raw.size.as_ref().filter(|size| size.value.as_bytes() < least) {
        let message = format!("size {} is too small for a system", size.value);
        let help = format!("{} is the least", ByteSize::bytes(least));
        wrong.push(Diagnostic::new(size.span, message).help(help));
    }
    for package in raw.packages.iter().filter(|package| package.value.0.starts_with("linux-image-cloud")) {
        let message = format!("{} has no drivers of real machines", package.value.0);
        let help = "leave it out: every image gets linux-image-amd64";
        wrong.push(Diagnostic::new(package.span, message).help(help));
    }
}

/// Takes what is missing: where, if not in the file as a whole, what, and what to do.
type Missing<'a> = &'a mut dyn FnMut(Option<Span>, &str, &str);

impl RawRecipe {
    /// All that a recipe must have, or what is missing.
    fn complete(self, missing: Missing<'_>) -> Option<Recipe> {
        let Self {
            version,
            image,
            suite,
            mirror,
            packages,
            size,
            kernel_args,
            units,
            exclude,
            include,
            files,
        } = self;
        let mut say = |is_there: bool, message: &str, help: &str| {
            if !is_there {
                missing(None, message, help);
            }
        };
        say(version.is_some(), "the recipe doesn't say which format it has", "add `version: 1`");
        say(image.is_some(), "the image has no name", "add `image: NAME@VERSION`");
        say(suite.is_some(), "which release is installed isn't said", "add `suite: bookworm`");
        say(
            size.is_some(),
            "the image has no size",
            "add `size: 1280M`, as much as its packages need and some room",
        );
        let files: Vec<_> =
            files.into_iter().map(|file| file.value.complete(file.span, &mut *missing)).collect();
        version?;
        Some(Recipe {
            image: image?,
            suite: suite?,
            mirror,
            packages: packages.into_iter().map(|package| package.value).collect(),
            size: size?.value,
            kernel_args,
            units,
            exclude,
            include,
            files: files.into_iter().collect::<Option<_>>()?,
        })
    }
}

impl RawFile {
    fn complete(self, span: Span, missing: Missing<'_>) -> Option<RecipeFile> {
        let Self { path, content, executable } = self;
        if path.is_none() {
            missing(Some(span), "a file without a path", "add `path: /…`");
        }
        if content.is_none() {
            missing(
                Some(span),
                "a file without content",
                "add `content: …`; an empty one is `content: \"\"`",
            );
        }
        Some(RecipeFile { path: path?, content: content?, executable: executable.unwrap_or_default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECIPE: &str = "version: 1\nimage: a@1\nsuite: bookworm\nsize: 1G\npackages: [curl, udev]\n";

    #[test]
    fn needed_packages_are_always_there_and_once() {
        let recipe = Recipe::read("recipe.yaml", RECIPE).unwrap();
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
            assert!(Recipe::read("recipe.yaml", &format!("{others}{line}\n")).is_err(), "{line}");
        }
        assert!(Recipe::read("recipe.yaml", &RECIPE.replace("version: 1", "version: 2")).is_err());
    }
}
