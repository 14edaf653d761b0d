//! `ironstrap dev write-image`: the engine of installs, on a disk or a file of one's own, with its figures.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

use crate::agent::write_trial::{self, Held, Trial};
use crate::cli::output;
use crate::image::store::Store;
use crate::site::keys;
use crate::site::paths::SitePaths;
use crate::value::{Digest, ImageRef};

/// Write an image of the site's store and read it back, as an install does: a bench. What it leaves doesn't boot.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The image, NAME@VERSION.
    image: ImageRef,
    /// The disk or file that is overwritten.
    target: PathBuf,
    /// The target's content may be lost; without this, nothing is done.
    #[arg(long)]
    overwrite: bool,
    /// Act as a disk that can't zero by command.
    #[arg(long)]
    refuse_zeroing: bool,
    /// The target holds this image of the store, wholly or in part: use of it what is the same.
    #[arg(long, value_name = "IMAGE")]
    over: Option<ImageRef>,
    /// Work with so many hands, not as many as the machine gives.
    #[arg(long)]
    hands: Option<usize>,
}

/// Runs the command.
///
/// # Errors
/// The image isn't there, or the target can't be written or is too small.
pub fn run(args: &Args, paths: &SitePaths) -> Result<()> {
    let Args { image, target, overwrite, refuse_zeroing, over, hands } = args;
    ensure!(overwrite, "this overwrites {}; say --overwrite", target.display());
    let store = Store::open(&paths.store())?;
    let find = |image: &ImageRef| -> Result<Digest> {
        store.find(image)?.with_context(|| format!("image {image} isn't in the store"))
    };
    let digest = find(image)?;
    let over: Vec<Digest> = over.iter().map(find).collect::<Result<_>>()?;
    let same = over.contains(&digest);
    let held = Held { same, others: if same { &[] } else { &over } };
    let manifest = store.manifest(image, &digest, &keys::trusted(paths)?)?;
    let index = store.index(&manifest)?;
    let blobs = paths.store().join("blobs");
    let trial = Trial {
        manifest: &manifest,
        index: &index,
        blobs,
        target,
        held,
        refuse_zeroing: *refuse_zeroing,
        hands: *hands,
    };
    let figures = write_trial::write(&trial)?;
    let reused = figures.reused.map_or(String::new(), |reused| format!(", {reused}"));
    Ok(output::print(&format!(
        "written {:.3} s, read back {:.3} s, {} KiB at most{reused}\n",
        figures.written.as_secs_f64(),
        figures.all.as_secs_f64(),
        figures.peak_rss_kib
    ))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::read::{BACKUP_LENGTH, FIRST_PARTITION};
    use crate::image::{import, testing};

    #[test]
    fn what_is_written_is_the_image_and_nothing_is_without_the_word() {
        let Some(device) = testing::image() else { return };
        let dir = tempfile::tempdir().unwrap();
        let paths = SitePaths::new(dir.path());
        let key = testing::key();
        let store = Store::open(&paths.store()).unwrap();
        let image: ImageRef = "test@1".parse().unwrap();
        import::import(&store, &device, &image, &key, false, &mut |_, _, _| Ok(())).unwrap();
        std::fs::write(paths.public_key(), key.public().to_text()).unwrap();
        let target = dir.path().join("disk");
        let size = device.size() as usize + 4096;
        std::fs::write(&target, vec![0xee; size]).unwrap();
        let args = |overwrite, refuse_zeroing| Args {
            image: image.clone(),
            target: target.clone(),
            overwrite,
            refuse_zeroing,
            over: None,
            hands: None,
        };
        assert!(run(&args(false, false), &paths).unwrap_err().to_string().contains("--overwrite"));
        assert!(std::fs::read(&target).unwrap() == vec![0xee; size]);
        let (from, to) = (FIRST_PARTITION as usize, device.size() as usize - BACKUP_LENGTH as usize);
        let mut content = vec![0; to - from];
        device.read_at(from as u64, &mut content).unwrap();
        for refuse_zeroing in [false, true] {
            run(&args(true, refuse_zeroing), &paths).unwrap();
            let disk = std::fs::read(&target).unwrap();
            assert!(disk[from..to] == content);
            // no table, and nothing behind the image
            assert!(disk[..512] == [0xee; 512] && disk[size - 4096..] == [0xee; 4096]);
            // and again over what was damaged since
            std::fs::write(&target, [&disk[..from + 4096], &[1; 512][..], &disk[from + 4608..]].concat())
                .unwrap();
            run(&Args { over: Some(image.clone()), ..args(true, refuse_zeroing) }, &paths).unwrap();
            assert!(std::fs::read(&target).unwrap() == disk);
        }
        std::fs::write(&target, [0; 4096]).unwrap();
        assert!(run(&args(true, false), &paths).unwrap_err().to_string().contains("has 4096 bytes"));
    }
}
