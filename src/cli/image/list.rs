//! `ironstrap image list`: what is in the store, what it takes, and who needs it.

use anyhow::Result;

use super::{mebibytes, print_json};
use crate::cli::output;
use crate::image::store::Store;
use crate::image::store::housekeeping::Holding;
use crate::site::image_users::Users;
use crate::site::paths::SitePaths;
use crate::sys::clock::{Clock as _, SystemClock, whole_seconds};

/// Runs the command.
///
/// # Errors
/// A store, or a state of the site, that can't be read.
pub fn run(store: &Store, json: bool, paths: &SitePaths) -> Result<()> {
    let (holdings, users) = (store.holdings()?, Users::of(paths, SystemClock.now())?);
    if json {
        let entry = |holding: &Holding| {
            let Holding { image, manifest, imported, size } = holding;
            serde_json::json!({
                "image": image, "manifest": manifest, "imported": whole_seconds(*imported),
                "own": size.map(|size| size.own), "shared": size.map(|size| size.shared),
                "users": users.of_image(manifest),
            })
        };
        return print_json(&holdings.iter().map(entry).collect::<Vec<_>>());
    }
    if holdings.is_empty() {
        output::note("the store is empty; `ironstrap image build` or `image import` fill it\n");
    }
    let lines: String = holdings.iter().map(|holding| line(holding, &users)).collect();
    output::print(&lines)?;
    Ok(())
}

fn line(holding: &Holding, users: &Users) -> String {
    let Holding { image, manifest, imported, size } = holding;
    let day = whole_seconds(*imported).to_string();
    let day = day.split('T').next().unwrap_or_default();
    let size = match size {
        Some(size) => format!("{} own, {} shared", mebibytes(size.own), mebibytes(size.shared)),
        None => "damaged: its manifest can't be read".to_owned(),
    };
    let users: Vec<_> = users.of_image(manifest).iter().map(ToString::to_string).collect();
    let users = if users.is_empty() { "-".to_owned() } else { users.join(", ") };
    format!("{manifest}  {image}  {day}  {size}  {users}\n")
}
