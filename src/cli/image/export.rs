//! `ironstrap image export`: a golden image as the tar that Anaconda's `liveimg` unpacks.

use std::fmt::Write as _;
use std::path::PathBuf;

use super::print_json;
use crate::cli::output;
use crate::cli::progress::Bytes;
use crate::image::export::Export;
use crate::image::export::packed::{self, Packing, Written};
use crate::image::store::Store;
use crate::image::stored::StoredImage;
use crate::spec::image::ImageManifest;
use crate::spec::lock::LockFile;
use crate::sys::{files, interrupt};
use crate::trust::Verified;
use crate::value::{Digest, ImageRef};
use anyhow::{Result, bail};

/// Write an image's root file system as a tar, for Anaconda's liveimg. The same image gives the same bytes.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which.
    #[arg(value_name = "NAME@VERSION")]
    pub image: ImageRef,
    /// Write to this file; its name says how it is packed: .tar, .tar.xz or .tar.zst.
    #[arg(long, short = 'o', value_name = "FILE")]
    output: PathBuf,
    /// For other readers than Anaconda: don't ask whether it could install the image.
    #[arg(long)]
    unchecked: bool,
}

/// Runs the command.
///
/// # Errors
/// An image that is damaged or that Anaconda couldn't install, a file whose name says no packing, no space, other bytes than
/// the lock file pins, an interruption. The file is then as it was before.
pub fn run(
    args: &Args,
    json: bool,
    store: &Store,
    manifest: &Verified<ImageManifest>,
    lock: &LockFile,
) -> Result<()> {
    let packing = Packing::of(&args.output)?;
    files::require_replaceable(&args.output)?;
    let export = Export::open(&StoredImage::open(store, manifest)?)?;
    if !args.unchecked {
        export.require_installable(manifest)?;
    }
    let length = export.length()?;
    if packing == Packing::None {
        files::require_space(&args.output, length)?;
    }
    let pin = Pin::of(lock, &args.image, store.find(&args.image)?.as_ref());
    let mut written = None;
    files::write_whole_with(&args.output, 0o644, |file| {
        let done = packed::write(&export, file, packing, progress("exporting", length))?;
        if let (Pin::This(wanted), Packing::None) = (pin, packing)
            && wanted != done.digest
        {
            bail!(
                "ironstrap.lock pins the tar {wanted}, but this one is {}, as another version of ironstrap may write it; `ironstrap lock --update` pins it",
                done.digest
            );
        }
        written = Some(done);
        Ok(())
    })?;
    if let Some(written) = written {
        report(args, json, &written)?;
        output::note(&notes(packing, pin, &written, manifest));
    }
    Ok(())
}

/// What the lock file says of an image's tar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pin {
    /// Nothing.
    None,
    /// Its digest.
    This(Digest),
    /// The image's name meant another image when it was pinned.
    Other,
}

impl Pin {
    fn of(lock: &LockFile, image: &ImageRef, manifest: Option<&Digest>) -> Self {
        match (lock.exports.get(image), manifest) {
            (Some(pinned), Some(manifest)) if pinned.manifest == *manifest => Self::This(pinned.tar),
            (Some(_), _) => Self::Other,
            (None, _) => Self::None,
        }
    }
}

/// A bar that an interruption ends.
pub(in crate::cli) fn progress(step: &'static str, length: u64) -> impl FnMut(u64) -> Result<()> {
    let mut bar = Bytes::default();
    let mut done = 0;
    move |bytes| {
        done += bytes;
        bar.show(step, done, length);
        interrupt::check()
    }
}

fn report(args: &Args, json: bool, written: &Written) -> Result<()> {
    let Written { digest, size, summary } = written;
    if json {
        return print_json(&serde_json::json!({
            "version": 1, "image": args.image, "file": args.output, "sha256": digest, "size": size,
            "members": summary.members, "left_out": summary.left_out,
            "identity_left_out": summary.identity,
        }));
    }
    output::print(&format!("{digest}  {}\n", args.output.display()))?;
    Ok(())
}

/// What else is worth to know; nothing where all is usual.
fn notes(packing: Packing, pin: Pin, written: &Written, manifest: &ImageManifest) -> String {
    let mut text = String::new();
    if pin == Pin::Other {
        text.push_str("note: ironstrap.lock pins another image of this name: hosts that it was rendered for refuse this tar; `ironstrap lock --update` pins it\n");
    }
    if packing == Packing::Xz && matches!(pin, Pin::This(_)) {
        text.push_str("note: ironstrap.lock pins the tar as it is, and Kickstart files ask for that: export NAME@VERSION.tar for them\n");
    }
    if packing == Packing::Zstd {
        text.push_str(
            "note: Anaconda takes a .tar.zst for a file system and fails; give it .tar or .tar.xz\n",
        );
    }
    if written.summary.left_out > 0 {
        // writing to a String doesn't fail
        let _ = writeln!(text, "note: {} sockets were left out, no tar holds them", written.summary.left_out);
    }
    if written.summary.identity > 0 {
        let _ = writeln!(
            text,
            "note: {} of the files that belong to one machine were left out; `ironstrap image inspect` names them",
            written.summary.identity
        );
    }
    if manifest.system.selinux_enforcing {
        text.push_str(
            "note: the image enforces SELinux: Anaconda labels only what it writes, so files must have their labels in the image\n",
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;
    use crate::image::export::tar_digest;
    use crate::image::{import, testing};
    use crate::spec::lock;
    use crate::sys::fat::FatFile;

    /// A store with an image that Anaconda could install, and the lock that pins its tar.
    fn stored() -> Option<(tempfile::TempDir, Store, Verified<ImageManifest>, LockFile)> {
        let root = testing::root_device(testing::anaconda_files, &[])?;
        let shim = FatFile::new("EFI/redhat/shimx64.efi", &b"MZ"[..]);
        let files = testing::esp_files().into_iter().chain([shim]).collect();
        let device: std::sync::Arc<dyn crate::sys::block::BlockDevice> =
            std::sync::Arc::new(testing::image_with(&root, files));
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let (key, image) = (testing::key(), "test@1".parse::<ImageRef>().unwrap());
        let digest =
            import::import(&store, &device, &image, &key, false, &mut |_, _, _| Ok(())).unwrap().digest;
        let manifest = store.manifest(&image, &digest, &key.alone()).unwrap();
        let mut lock = LockFile::default();
        let tar = tar_digest(&store, &manifest, &|_| Box::new(|_| Ok(()))).unwrap();
        lock.images.insert(image.clone(), digest);
        lock.exports.insert(image, lock::Export { manifest: digest, tar });
        Some((dir, store, manifest, lock))
    }

    fn args(output: PathBuf) -> Args {
        Args { image: "test@1".parse().unwrap(), output, unchecked: false }
    }

    #[test]
    fn the_file_is_what_the_lock_pins_or_it_isn_t_written() {
        let Some((dir, store, manifest, mut lock)) = stored() else { return };
        let args = args(dir.path().join("test@1.tar"));
        run(&args, true, &store, &manifest, &lock).unwrap();
        let written = Digest::of(&std::fs::read(&args.output).unwrap());
        let pinned = lock.tar(&args.image).unwrap();
        assert_eq!(written, pinned);

        std::fs::write(&args.output, "before").unwrap();
        let pin = lock.exports.get_mut(&args.image).unwrap();
        pin.tar = Digest::of(b"of another version");
        let error = format!("{:#}", run(&args, true, &store, &manifest, &lock).unwrap_err());
        assert!(error.contains(&pinned.to_string()) && error.contains("lock --update"), "{error}");
        assert_eq!(std::fs::read_to_string(&args.output).unwrap(), "before");
        let found = std::fs::read_dir(dir.path()).unwrap().count();
        assert_eq!(found, 2, "a half-written file stayed");

        let pin = lock.exports.get_mut(&args.image).unwrap();
        pin.manifest = Digest::of(b"another image");
        run(&args, true, &store, &manifest, &lock).unwrap();
    }

    #[test]
    fn packed_tars_hold_the_same_and_are_the_same_each_time() {
        let Some((dir, store, manifest, lock)) = stored() else { return };
        let plain = args(dir.path().join("plain.tar"));
        run(&plain, true, &store, &manifest, &lock).unwrap();
        let plain = std::fs::read(&plain.output).unwrap();
        for end in ["xz", "zst"] {
            let [first, second] =
                ["first", "second"].map(|name| args(dir.path().join(format!("{name}.tar.{end}"))));
            for args in [&first, &second] {
                run(args, true, &store, &manifest, &lock).unwrap();
            }
            let packed = std::fs::read(&first.output).unwrap();
            assert!(packed == std::fs::read(&second.output).unwrap() && packed.len() < plain.len());
            let unpacked = match end {
                "xz" => {
                    let mut bytes = Vec::new();
                    liblzma::read::XzDecoder::new(&packed[..]).read_to_end(&mut bytes).unwrap();
                    bytes
                }
                _ => zstd::decode_all(&packed[..]).unwrap(),
            };
            assert!(unpacked == plain, "{end}");
        }
    }
}
