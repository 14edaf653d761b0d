//! Where this install's bytes come from: the medium that carries them, else the order's server.

#[cfg(test)]
pub mod faults;
pub mod fetch;
#[cfg(test)]
mod flip_tests;
pub mod folder;
mod http;
#[cfg(test)]
pub mod memory_source;
pub mod source;
pub mod stick;

use std::sync::Arc;

use self::http::HttpSource;
use self::source::BlobSource;
use self::stick::StickSource;
use super::Failure;
use super::report::console::Consoles;
use crate::image::read::Index;
use crate::spec::Code;
use crate::spec::image::{Blob, ImageManifest, MAX_INDEX};
use crate::spec::order::InstallOrder;
use crate::trust::Verified;

/// Larger than any manifest.
pub const MAX_MANIFEST: u64 = 4 << 20;

/// The place of an install's blobs.
#[derive(Debug)]
pub enum Payload {
    /// The boot medium.
    Stick(StickSource),
    /// A web server.
    Server(HttpSource),
}

impl Payload {
    /// The medium if it carries the order's image, else the server that the order names.
    ///
    /// # Errors
    /// [`Code::PayloadUnreachable`] when there is neither.
    pub fn choose(
        order: &InstallOrder,
        stick: Option<StickSource>,
        consoles: &Arc<Consoles>,
    ) -> Result<Self, Failure> {
        match (stick, &order.payload) {
            (Some(stick), _) if stick.has(&order.image.manifest) => Ok(Self::Stick(stick)),
            (_, Some(base)) => Ok(Self::Server(HttpSource::new(base, Arc::clone(consoles))?)),
            (stick, None) => {
                let medium = stick.map_or("no medium with a payload is here".to_owned(), |stick| {
                    format!("the medium {} doesn't carry it", stick.name())
                });
                let text = format!("image {}: {medium}, and the order names no server", order.image.image);
                Err(Failure::new(Code::PayloadUnreachable, text))
            }
        }
    }

    /// Whether a network is needed.
    pub fn is_remote(&self) -> bool {
        matches!(self, Self::Server(_))
    }

    /// The source of packs.
    pub fn source(&self) -> &dyn BlobSource {
        match self {
            Self::Stick(stick) => stick,
            Self::Server(server) => server,
        }
    }

    /// Fetches the manifest that the order pins.
    ///
    /// # Errors
    /// It doesn't arrive, isn't what was pinned, or has an unknown version.
    pub fn manifest(&self, order: &InstallOrder) -> Result<Verified<ImageManifest>, Failure> {
        let digest = &order.image.manifest;
        let bytes = match self {
            Self::Stick(stick) => {
                let size = stick.size_of(digest).unwrap_or(0);
                source::fetch(stick, &Blob { digest: *digest, size }, MAX_MANIFEST)?
            }
            Self::Server(server) => server.document(digest, MAX_MANIFEST)?,
        };
        bytes.parse_json().map_err(|error| {
            Failure::new(Code::OrderVersion, format!("manifest of image {}: {error}", order.image.image))
        })
    }

    /// Fetches the index.
    ///
    /// # Errors
    /// It doesn't arrive, or isn't an index of this image.
    pub fn index(&self, manifest: &ImageManifest) -> Result<Index, Failure> {
        let bytes = source::fetch(self.source(), &manifest.index, MAX_INDEX)?;
        Index::parse(bytes, manifest).map_err(|error| {
            Failure::new(Code::PayloadDamaged, format!("index of {}: {error:#}", manifest.image))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::{build, fixtures};

    #[test]
    fn without_medium_and_server_there_is_no_payload() {
        let order = build(&fixtures::permit(), fixtures::parts(), &fixtures::key(), fixtures::now()).unwrap();
        let failure = Payload::choose(&order, None, &Arc::new(Consoles::none())).unwrap_err();
        assert_eq!(failure.code, Code::PayloadUnreachable);
        assert!(failure.message.contains("names no server"), "{failure}");
        let order = InstallOrder { payload: Some("http://10.0.2.2".parse().unwrap()), ..order };
        assert!(Payload::choose(&order, None, &Arc::new(Consoles::none())).unwrap().is_remote());
    }
}
