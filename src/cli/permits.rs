//! The site's permits: a file a host, and the last one of a host that was disarmed.

use std::io;

use anyhow::{Context, Result};

use super::paths::SitePaths;
use crate::spec::order::Permit;
use crate::sys::files;
use crate::value::HostName;

/// No permit is longer.
const LONGEST: u64 = 64 << 10;

/// The permit of an armed host.
///
/// # Errors
/// When it is there and can't be read.
pub fn read(paths: &SitePaths, host: &HostName) -> Result<Option<Permit>> {
    read_file(&paths.permit(host))
}

/// The permits in force, by host name.
///
/// # Errors
/// When one can't be read.
pub fn all(paths: &SitePaths) -> Result<Vec<Permit>> {
    let directory = paths.permits();
    let names = match std::fs::read_dir(&directory) {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("reading {}", directory.display())),
    };
    let mut permits = Vec::new();
    for name in names {
        let path = name.with_context(|| format!("reading {}", directory.display()))?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            permits.extend(read_file(&path)?);
        }
    }
    permits.sort_by(|a, b| a.host.cmp(&b.host));
    Ok(permits)
}

/// The newest permit that a host ever had, disarmed or not: generations count on from it.
///
/// # Errors
/// When it is there and can't be read.
pub fn newest(paths: &SitePaths, host: &HostName) -> Result<Option<Permit>> {
    let both = [read(paths, host)?, read_file(&paths.disarmed_permit(host))?];
    Ok(both.into_iter().flatten().max_by_key(|permit| permit.generation))
}

/// Puts a permit in force.
///
/// # Errors
/// When it can't be written.
pub fn write(paths: &SitePaths, permit: &Permit) -> Result<()> {
    let mut text = serde_json::to_vec_pretty(permit).context("writing a permit")?;
    text.push(b'\n');
    files::write_whole(&paths.permit(&permit.host), 0o600, &text)
}

/// Takes a permit out of force; false where there was none. It is kept under another name, for its generation.
///
/// # Errors
/// When it can't be moved.
pub fn revoke(paths: &SitePaths, host: &HostName) -> Result<bool> {
    match std::fs::rename(paths.permit(host), paths.disarmed_permit(host)) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).with_context(|| format!("disarming {host}")),
    }
}

fn read_file(path: &std::path::Path) -> Result<Option<Permit>> {
    if !path.exists() {
        return Ok(None);
    }
    let text = files::read_text(path, LONGEST)?;
    serde_json::from_str(&text).map(Some).with_context(|| format!("reading {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::{MintRequest, mint};
    use crate::spec::image::ImagePin;
    use crate::value::{Digest, Timestamp};

    #[test]
    fn a_disarmed_host_is_not_armed_and_its_generation_counts_on() {
        let dir = tempfile::tempdir().unwrap();
        let paths = SitePaths::new(dir.path());
        let host: HostName = "web01".parse().unwrap();
        let image = ImagePin { image: "a@1".parse().unwrap(), manifest: Digest::of(b"a") };
        let target = serde_json::from_str(r#"{"serial":"A"}"#).unwrap();
        let request = MintRequest {
            host: &host,
            image: &image,
            target: &target,
            matching: &Default::default(),
            wipe: Default::default(),
            now: Timestamp::from_unix(9),
            validity: 1,
        };
        assert!(!revoke(&paths, &host).unwrap());
        for generation in 1..=3 {
            let permit = mint(&request, [generation as u8; 16], newest(&paths, &host).unwrap().as_ref());
            assert_eq!(permit.generation, generation);
            write(&paths, &permit).unwrap();
            assert_eq!(read(&paths, &host).unwrap(), Some(permit));
            assert!(revoke(&paths, &host).unwrap());
            assert_eq!(read(&paths, &host).unwrap(), None);
        }
    }
}
