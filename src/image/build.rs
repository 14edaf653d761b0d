//! Building an image from a recipe, without loop devices and, where the kernel allows user namespaces, without root.
//!
//! mmdebstrap installs the packages; its hook makes the root file system with `mke2fs -d`; the rest is assembled here.
//! Promises: what is built boots with empty NVRAM under Secure Boot, with Debian's signed loaders taken from the image
//! itself. Two builds differ in what the archive had that day; a lock pins one of them.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};

use super::assemble::{Identity, assemble, image_size};
use super::recipe::Recipe;
use super::system::NET_GRUB;
use super::tree::{Ext4Tree, ReadTree as _};
use crate::failure::{Blame, BlameExt as _};
use crate::sys::access;
use crate::sys::block::{BlockDevice, FileDevice};
use crate::sys::fat::FatFile;
use crate::sys::interrupt;
use crate::sys::process::{Runner, is_installed, run_tool};

const HOOK: &str = include_str!("customize.sh");
/// Signed by Microsoft's and Debian's keys; where Debian's packages put them.
const SHIM: &str = "/usr/lib/shim/shimx64.efi.signed";
const MOK_MANAGER: &str = "/usr/lib/shim/mmx64.efi.signed";
const GRUB: &str = "/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed";

/// A built image: a raw file in a directory that goes with this value.
#[derive(Debug)]
pub struct Built {
    _work: tempfile::TempDir,
    /// The raw whole-disk image.
    pub raw: PathBuf,
}

/// Builds the image; takes a minute or three.
///
/// # Errors
/// A tool that isn't installed, packages that can't be had or don't fit, no space.
pub fn build(recipe: &Recipe, runner: &dyn Runner, path: &std::ffi::OsStr) -> Result<Built> {
    require_tools(path).blame(Blame::Environment)?;
    let identity = Identity::of(&recipe.image);
    let work =
        tempfile::Builder::new().prefix("ironstrap-build-").tempdir().context("making a work directory")?;
    prepare(work.path(), recipe, &identity).context("preparing the build")?;
    let output = run_tool(runner, "mmdebstrap", "mmdebstrap", &arguments(recipe, work.path()));
    // else the message would be that of a tool that was stopped
    interrupt::check()?;
    output.map_err(|error| explain(error, recipe)).context("installing the packages")?;
    let raw = work.path().join("image.raw");
    put_together(&work.path().join("root.img"), &raw, recipe, &identity).context("assembling the image")?;
    Ok(Built { _work: work, raw })
}

fn require_tools(path: &std::ffi::OsStr) -> Result<()> {
    let mut path = path.to_owned();
    path.push(":/usr/sbin:/sbin");
    let mut tools = vec![("mmdebstrap", "mmdebstrap"), ("mke2fs", "e2fsprogs"), ("unshare", "util-linux")];
    if !rustix::process::geteuid().is_root() {
        // mmdebstrap works in a user namespace then, and this one lets it have more than one user there
        tools.push(("newuidmap", "uidmap"));
    }
    for (program, package) in tools {
        if !is_installed(program, &path) {
            bail!("`{program}` is not installed; it is in Debian's package `{package}`");
        }
    }
    Ok(())
}

/// A full file system is the recipe's mistake, and mke2fs doesn't say so.
fn explain(error: anyhow::Error, recipe: &Recipe) -> anyhow::Error {
    if error.to_string().contains("Could not allocate block") {
        return error.context(format!(
            "the packages don't fit into {} MiB of root file system; raise `size` in the recipe",
            recipe.root_size() >> 20
        ));
    }
    error
}

/// The hook, the files it copies and their list, a place to mount on, and an empty root file system. Nobody else gets in, or could change the image before
/// it is signed; but without root, mmdebstrap works as another user in its user namespace, and that one is let in.
fn prepare(work: &Path, recipe: &Recipe, identity: &Identity) -> Result<()> {
    let readable = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode));
    readable(work, 0o700)?;
    if !rustix::process::geteuid().is_root() {
        access::admit_user(work, access::namespace_root()?)?;
    }
    let units: Vec<_> = recipe.units.iter().map(|unit| unit.as_str()).collect();
    // recipe and UUID hold no quote; the directory is from us
    let values =
        format!("work='{}'\nunits='{}'\nroot_uuid='{}'\n", work.display(), units.join(" "), identity.root);
    let (first, rest) = HOOK.split_once('\n').context("the hook has one line")?;
    let hook = work.join("hook");
    fs::write(&hook, format!("{first}\n{values}{rest}"))?;
    readable(&hook, 0o755)?;
    fs::create_dir(work.join("bound"))?;
    let mut names = String::new();
    for (path, content, mode) in overlay(recipe, identity) {
        let name = path.trim_start_matches('/');
        // a path in a recipe holds no line break; the dot keeps it from being an option
        let _ = writeln!(names, "./{name}");
        let path = work.join("overlay").join(name);
        let parent = path.parent().context("a file has a directory")?;
        fs::create_dir_all(parent)?;
        fs::write(&path, content)?;
        readable(&path, mode)?;
        // whoever the hook runs as can read them; it makes the directories that the image lacks, with the same mode
        parent.ancestors().take_while(|dir| *dir != work).try_for_each(|dir| readable(dir, 0o755))?;
    }
    let list = work.join("files");
    fs::write(&list, names)?;
    readable(&list, 0o644)?;
    readable(&work.join("bound"), 0o755)?;
    let root = work.join("root.img");
    File::create(&root)?.set_len(recipe.root_size())?;
    // the directory keeps everybody out but the user that may write this
    readable(&root, if rustix::process::geteuid().is_root() { 0o600 } else { 0o666 })?;
    Ok(())
}

/// What is put over the packages' files: path, content, mode.
fn overlay(recipe: &Recipe, identity: &Identity) -> Vec<(String, String, u32)> {
    let text = |path: &str, content: String| (path.to_owned(), content, 0o644);
    let mut files = vec![
        text("/etc/fstab", fstab(identity)),
        text("/etc/hostname", "localhost\n".to_owned()),
        text("/etc/hosts", "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n".to_owned()),
        text("/boot/grub/grub.cfg", grub_menu(recipe, identity)),
    ];
    files.extend(recipe.files.iter().map(|file| {
        let mode = if file.executable { 0o755 } else { 0o644 };
        (file.path.as_str().to_owned(), file.content.clone(), mode)
    }));
    files
}

fn fstab(identity: &Identity) -> String {
    format!(
        "UUID={} / ext4 errors=remount-ro 0 1\nUUID={} /boot/efi vfat umask=0077,nofail 0 2\n",
        identity.root,
        identity.esp_uuid()
    )
}

/// Static, so that it needs no GRUB tools on the target: Debian's kernel packages keep `/vmlinuz` and `/initrd.img`.
fn grub_menu(recipe: &Recipe, identity: &Identity) -> String {
    let root = identity.root;
    let mut words = format!("root=UUID={root} ro");
    for word in &recipe.kernel_args {
        // writing to a String doesn't fail
        let _ = write!(words, " {word}");
    }
    format!(
        "set default=0\nset timeout=1\nsearch --no-floppy --fs-uuid --set=root {root}\nmenuentry '{}' {{\n\tlinux /vmlinuz {words}\n\tinitrd /initrd.img\n}}\nmenuentry '{} (previous kernel)' {{\n\tlinux /vmlinuz.old {words}\n\tinitrd /initrd.img.old\n}}\n",
        recipe.image, recipe.image
    )
}

/// What the signed GRUB reads in the ESP.
fn grub_finder(identity: &Identity) -> String {
    format!(
        "search --no-floppy --fs-uuid --set=root {}\nset prefix=($root)/boot/grub\nconfigfile $prefix/grub.cfg\n",
        identity.root
    )
}

fn arguments(recipe: &Recipe, work: &Path) -> Vec<OsString> {
    let mode = if rustix::process::geteuid().is_root() { "root" } else { "unshare" };
    let mut arguments = vec![
        format!("--mode={mode}"),
        "--variant=minbase".to_owned(),
        "--format=null".to_owned(),
        "--architectures=amd64".to_owned(),
        // the hook has cleaned before it made the file system; the rest is thrown away
        "--skip=cleanup/apt,cleanup/mmdebstrap,cleanup/reproducible".to_owned(),
        "--aptopt=Apt::Install-Recommends \"false\"".to_owned(),
        "--aptopt=Acquire::Languages \"none\"".to_owned(),
    ];
    arguments.extend(recipe.exclude.iter().map(|glob| format!("--dpkgopt=path-exclude={}", glob.as_str())));
    arguments.extend(recipe.include.iter().map(|glob| format!("--dpkgopt=path-include={}", glob.as_str())));
    arguments.push(format!("--include={}", recipe.packages().join(",")));
    let hook = work.join("hook");
    arguments.extend(["essential", "customize"].map(|stage| format!("--{stage}-hook={}", hook.display())));
    arguments.extend([recipe.suite.as_str().to_owned(), "-".to_owned()]);
    arguments.extend(recipe.mirror.iter().map(ToString::to_string));
    arguments.into_iter().map(OsString::from).collect()
}

fn put_together(root: &Path, raw: &Path, recipe: &Recipe, identity: &Identity) -> Result<()> {
    let root = File::open(root).context("opening the root file system")?;
    let root: Arc<dyn BlockDevice> = Arc::new(FileDevice::new(root, recipe.root_size(), 512));
    let tree = Ext4Tree::open(Arc::clone(&root), 0, root.size())?;
    if !tree.exists(NET_GRUB)? {
        bail!("the packages brought no {NET_GRUB}, from which machines boot over the network");
    }
    let size = image_size(root.size());
    let file =
        File::options().read(true).write(true).create_new(true).open(raw).context("making the image")?;
    file.set_len(size).context("making the image")?;
    assemble(&FileDevice::new(file, size, 512), &*root, esp_files(&tree, identity)?, identity)
}

/// Shim and GRUB where firmware looks on a disk it doesn't know, and where Debian's GRUB looks for its configuration. No
/// `fbx64.efi` beside `BOOTX64.EFI`: it would write boot entries and restart.
fn esp_files(tree: &Ext4Tree, identity: &Identity) -> Result<Vec<FatFile<'static>>> {
    let (shim, grub) = (tree.read(SHIM)?, tree.read(GRUB)?);
    let mok = if tree.exists(MOK_MANAGER)? { Some(tree.read(MOK_MANAGER)?) } else { None };
    let mut files = Vec::new();
    for (dir, first) in [("EFI/BOOT", "BOOTX64.EFI"), ("EFI/debian", "shimx64.efi")] {
        let mut put = |name: &str, content: Vec<u8>| {
            files.push(FatFile::new(format!("{dir}/{name}"), std::io::Cursor::new(content)));
        };
        put(first, shim.clone());
        put("grubx64.efi", grub.clone());
        put("grub.cfg", grub_finder(identity).into_bytes());
        if let Some(mok) = &mok {
            put("mmx64.efi", mok.clone());
        }
    }
    Ok(files)
}

#[cfg(test)]
#[path = "build_tests.rs"]
mod tests;
