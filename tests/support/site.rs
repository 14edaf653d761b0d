//! Sites of tests: `ironstrap init`'s, with hosts of their own and the golden image's key and store.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use ironstrap::order::SealedPermit;
use ironstrap::trust::SiteKey;
use ironstrap::value::Timestamp;

use super::image_fixture::Golden;
use super::ironstrap;

/// A site's directory.
#[derive(Debug)]
pub struct Site {
    root: PathBuf,
}

impl Site {
    /// A site in `dir` with these hosts (name and YAML). `server` is where its targets find `serve`.
    ///
    /// # Errors
    /// When the golden image can't be built or the site can't be written.
    pub fn new(dir: &Path, server: Option<&str>, hosts: &[(&str, String)]) -> Result<Self> {
        let site = Self { root: dir.join("site") };
        for part in ["hosts", "files", "scripts"] {
            let path = site.path(part);
            std::fs::create_dir_all(&path).with_context(|| format!("creating {}", path.display()))?;
        }
        let server = server.map_or_else(String::new, |server| format!("server: {server}\n"));
        site.write("site.yaml", &format!("name: test\n{server}"))?;
        for (name, yaml) in hosts {
            site.write(&format!("hosts/{name}.yaml"), yaml)?;
        }
        site.borrow(&Golden::get()?)?;
        Ok(site)
    }

    /// The example site that `ironstrap init` makes.
    ///
    /// # Errors
    /// When the golden image can't be built or `init` fails.
    pub fn example(dir: &Path) -> Result<Self> {
        let site = Self { root: dir.join("site") };
        ironstrap(dir, &["init", &site.root.to_string_lossy()])?;
        std::fs::remove_dir_all(site.path(".ironstrap")).context("removing the example's own key")?;
        site.borrow(&Golden::get()?)?;
        Ok(site)
    }

    /// Takes over a golden image: its store and the key that signed it.
    ///
    /// # Errors
    /// When they can't be copied or linked.
    pub fn borrow(&self, golden: &Golden) -> Result<()> {
        std::fs::create_dir_all(self.path(".ironstrap")).context("creating .ironstrap")?;
        for part in ["ironstrap.pub", ".ironstrap/site.key"] {
            let from = golden.site().join(part);
            std::fs::copy(&from, self.path(part)).with_context(|| format!("copying {}", from.display()))?;
        }
        let store = self.path(".ironstrap/store");
        if store.is_symlink() {
            std::fs::remove_file(&store).context("giving a store back")?;
        }
        std::os::unix::fs::symlink(golden.site().join(".ironstrap/store"), store)
            .context("borrowing the store")
    }

    /// Its directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A path in it.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// Writes one of its files.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn write(&self, relative: &str, text: &str) -> Result<()> {
        let path = self.path(relative);
        std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))
    }

    /// Gives the site a store of its own in place of the borrowed one: for tests that put an image into it.
    ///
    /// # Errors
    /// When the link can't be replaced.
    pub fn own_store(&self) -> Result<()> {
        let store = self.path(".ironstrap/store");
        std::fs::remove_file(&store).and_then(|()| std::fs::create_dir(&store)).context("making an own store")
    }

    /// Checks, pins the image and arms the hosts, whatever may be lost.
    ///
    /// # Errors
    /// When ironstrap refuses.
    pub fn arm(&self, hosts: &[&str]) -> Result<()> {
        self.run(&["lock"])?;
        self.run(&["check"])?;
        self.run(&[&["arm", "--yes"], hosts].concat()).map(drop)
    }

    /// Lets a host's permit end in so many seconds; `arm` gives none for less than an hour.
    ///
    /// # Errors
    /// When the host isn't armed.
    pub fn shorten_permit(&self, host: &str, seconds: u64) -> Result<()> {
        let path = self.path(&format!(".ironstrap/orders/{host}.json"));
        let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        let mut permit = SealedPermit::from_text(&text)?.permit().clone();
        let end = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_secs() + seconds;
        permit.not_after = Timestamp::from_unix(end.try_into()?);
        let key = SiteKey::from_text(&std::fs::read_to_string(self.path(".ironstrap/site.key"))?)?;
        std::fs::write(&path, SealedPermit::new(permit, &key)?.to_text()?)
            .with_context(|| format!("writing {}", path.display()))
    }

    /// Builds a stick's image beside the site.
    ///
    /// # Errors
    /// When ironstrap refuses.
    pub fn stick(&self, name: &str) -> Result<PathBuf> {
        let path = self.root.with_file_name(name);
        self.run(&["bundle", "--usb", &path.to_string_lossy()])?;
        Ok(path)
    }

    /// Builds the tree for TFTP and HTTP beside the site.
    ///
    /// # Errors
    /// When ironstrap refuses.
    pub fn tree(&self, name: &str) -> Result<PathBuf> {
        let path = self.root.with_file_name(name);
        self.run(&["bundle", "--pxe", &path.to_string_lossy()])?;
        Ok(path)
    }

    /// Runs ironstrap in this site and returns what it printed.
    ///
    /// # Errors
    /// When it doesn't succeed.
    pub fn run(&self, args: &[&str]) -> Result<String> {
        ironstrap(&self.root, args)
    }
}
