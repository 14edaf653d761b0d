//! The golden image that all machines of a run get: built once, kept under `target/golden/` until its recipe or what
//! builds it changes.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, ensure};
use sha2::{Digest as _, Sha256};

use super::{ironstrap, say, target_dir};

/// What is built: the example site's image, which has what every hand-off needs.
const EXAMPLE: &str = include_str!("../../profiles/example/recipes/debian-12-base.yaml");
/// But for the time daemon: no server of time is within these machines' reach, and each hand-off would wait for one in vain.
const TIME_DAEMON: &str = "  - systemd-timesyncd\n";
/// And but for what no machine of the tests has or uses: each of dozens writes it, reads it back and boots from it. Benches and the demo
/// have it: see [`take_whole`].
const UNUSED: &str = "exclude:
  - /lib/udev/hwdb.d/*
  - /usr/lib/grub/x86_64-efi/*
  - /usr/lib/x86_64-linux-gnu/gconv/*
  - /usr/share/i18n/*
  - /lib/modules/*/kernel/drivers/block/drbd/*
  - /lib/modules/*/kernel/drivers/gpu/*
  - /lib/modules/*/kernel/drivers/infiniband/*
  - /lib/modules/*/kernel/drivers/net/can/*
  - /lib/modules/*/kernel/drivers/net/ethernet/cavium/*
  - /lib/modules/*/kernel/drivers/net/ethernet/chelsio/*
  - /lib/modules/*/kernel/drivers/net/ethernet/netronome/*
  - /lib/modules/*/kernel/drivers/net/ethernet/qlogic/*
  - /lib/modules/*/kernel/drivers/net/ethernet/sfc/*
  - /lib/modules/*/kernel/drivers/net/usb/*
  - /lib/modules/*/kernel/drivers/platform/*
  - /lib/modules/*/kernel/drivers/scsi/bfa/*
  - /lib/modules/*/kernel/drivers/scsi/lpfc/*
  - /lib/modules/*/kernel/drivers/scsi/qla2xxx/*
  - /lib/modules/*/kernel/drivers/staging/*
  - /lib/modules/*/kernel/drivers/target/*
  - /lib/modules/*/kernel/drivers/usb/gadget/*
  - /lib/modules/*/kernel/drivers/usb/serial/*
  - /lib/modules/*/kernel/drivers/video/*
  - /lib/modules/*/kernel/fs/btrfs/*
  - /lib/modules/*/kernel/fs/ceph/*
  - /lib/modules/*/kernel/fs/gfs2/*
  - /lib/modules/*/kernel/fs/ocfs2/*
  - /lib/modules/*/kernel/fs/smb/*
  - /lib/modules/*/kernel/lib/test_bpf.ko
";
/// Its size, in the example's words.
const SIZE: &str = "size: 1280M ";
/// What the image is made with; a change makes another image.
const MAKERS: [&str; 12] = [
    include_str!("../../src/spec/image.rs"),
    include_str!("../../src/image/assemble.rs"),
    include_str!("../../src/image/build.rs"),
    include_str!("../../src/image/chunk.rs"),
    include_str!("../../src/image/customize.sh"),
    include_str!("../../src/image/import.rs"),
    include_str!("../../src/image/layout.rs"),
    include_str!("../../src/image/pack.rs"),
    include_str!("../../src/image/recipe.rs"),
    include_str!("../../src/image/system.rs"),
    include_str!("../../src/sys/fat.rs"),
    include_str!("../../src/sys/gpt.rs"),
];
/// The recipe's name and version.
pub const IMAGE: &str = "debian-12-base@1.0.0";

/// A site whose store holds the image. Other sites borrow its key and its store.
#[derive(Debug)]
pub struct Golden {
    site: PathBuf,
}

impl Golden {
    /// The image of this checkout, built now if need be. Tests that need it at the same time wait for one build.
    ///
    /// # Errors
    /// When `ironstrap init` or `ironstrap image build` fails.
    pub fn get() -> Result<Self> {
        Self::of(recipe()?)
    }

    /// The same system in an image of 8 GiB.
    ///
    /// # Errors
    /// As for [`Golden::get`].
    pub fn large() -> Result<Self> {
        let recipe = recipe()?;
        ensure!(recipe.contains(SIZE), "the example's recipe has no `{}`", SIZE.trim());
        Self::of(recipe.replace(SIZE, "size: 8G "))
    }

    fn of(recipe: String) -> Result<Self> {
        let all = target_dir().join("golden");
        let dir = all.join(key(&recipe));
        std::fs::create_dir_all(&dir).with_context(|| format!("creating {}", dir.display()))?;
        let lock = File::create(dir.join("lock")).context("creating the lock of the golden image")?;
        lock.lock().context("locking the golden image")?;
        let site = dir.join("site");
        let done = dir.join("built");
        if !done.exists() {
            build(&dir, &site, &recipe)?;
            File::create(&done).context("noting that the golden image is built")?;
        }
        Ok(Self { site })
    }

    /// The site that owns the image.
    pub fn site(&self) -> &Path {
        &self.site
    }
}

/// Whether the image is the example's, whole.
static WHOLE: AtomicBool = AtomicBool::new(false);

/// From now on, [`Golden::get`] gives the example's image, whole: its figures are what people see.
pub fn take_whole() {
    WHOLE.store(true, Ordering::Relaxed);
}

fn recipe() -> Result<String> {
    let without = |recipe: &str, part: &str, other: &str| -> Result<String> {
        ensure!(recipe.contains(part), "the example's recipe has no line `{}`", part.trim());
        Ok(recipe.replace(part, other))
    };
    let recipe = without(EXAMPLE, TIME_DAEMON, "")?;
    if WHOLE.load(Ordering::Relaxed) { Ok(recipe) } else { without(&recipe, "exclude:\n", UNUSED) }
}

fn key(recipe: &str) -> String {
    let digest = MAKERS.iter().fold(Sha256::new().chain_update(recipe), Sha256::chain_update).finalize();
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn build(dir: &Path, site: &Path, text: &str) -> Result<()> {
    if site.exists() {
        std::fs::remove_dir_all(site)
            .with_context(|| format!("removing the unfinished {}", site.display()))?;
    }
    say("building the golden image (a minute or two; kept for the next time)");
    let started = std::time::Instant::now();
    ironstrap(dir, &["init", &site.to_string_lossy()])?;
    let recipe = dir.join("recipe.yaml");
    std::fs::write(&recipe, text).with_context(|| format!("writing {}", recipe.display()))?;
    ironstrap(site, &["image", "build", &recipe.to_string_lossy()])?;
    say(&format!("built the golden image in {} s", started.elapsed().as_secs()));
    Ok(())
}
