//! Where a golden image comes from: the store, or a registry of container images.

use std::fmt;
use std::str::FromStr;

use super::{Digest, ImageRef, ValueError, serde_through_text};

/// How a container image begins in a profile.
const OCI: &str = "oci:";
const SHA256: &str = "sha256:";
/// No name is longer (the distribution specification's bound).
const LONGEST_NAME: usize = 255;

/// A container image by content. Text form: `oci:registry.example.com/os/web@sha256:<64 hexadecimal digits>`.
///
/// The registry is always named: which one is meant otherwise depends on the machine. A tag may not stand beside the digest,
/// since the tools that fetch it (containers/image) refuse both.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OciRef {
    name: String,
    digest: Digest,
}

impl OciRef {
    /// Registry, name and digest, as the tools that fetch it want it: `registry.example.com/os/web@sha256:…`.
    pub fn pull(&self) -> String {
        format!("{}@{SHA256}{}", self.name, self.digest)
    }
}

impl fmt::Display for OciRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{OCI}{}", self.pull())
    }
}

impl FromStr for OciRef {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let shown = || text.escape_debug();
        let bare = text.strip_prefix(OCI).unwrap_or(text);
        let (name, digest) = bare.split_once('@').ok_or_else(|| {
            ValueError::new(format!(
                "`{}` names no content, and a tag means another image tomorrow; write oci:REGISTRY/NAME@sha256:DIGEST",
                shown()
            ))
        })?;
        let digest = digest
            .strip_prefix(SHA256)
            // registries know lower case only
            .filter(|digest| digest.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)))
            .ok_or_else(|| ValueError::new(format!("`{}` has no digest of the form sha256:…", shown())))?
            .parse()?;
        let (registry, path) = name.split_once('/').unwrap_or((name, ""));
        if path.contains(':') {
            return Err(ValueError::new(format!(
                "`{}` has a tag beside its digest, which the installers' tools refuse; leave the tag out",
                shown()
            )));
        }
        let good = name.len() <= LONGEST_NAME
            && is_registry(registry)
            && !path.is_empty()
            && path.split('/').all(is_component);
        if !good {
            return Err(ValueError::new(format!(
                "`{}` is not the name of a container image: a registry with a dot or a port, `/`, and parts of lower-case letters and digits with `.`, `_` and `-` between them",
                shown()
            )));
        }
        Ok(Self { name: name.to_owned(), digest })
    }
}

/// A host with a dot or a port, or `localhost`: anything else would be a name at somebody's default registry.
fn is_registry(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    host.split('.').all(label)
        && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
        && (port.is_some() || host.contains('.') || host == "localhost")
}

fn is_component(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let ends = [text.bytes().next(), text.bytes().last()];
    ends.into_iter().all(|end| end.is_some_and(inner))
        && text.bytes().all(|b| inner(b) || b"._-".contains(&b))
        && !text.contains("..")
}

/// The golden image of a host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ImageSource {
    /// One of the store, by name and version.
    Store(ImageRef),
    /// A container image that boots, by content.
    Oci(OciRef),
}

impl ImageSource {
    /// The one of the store, if it is one.
    pub fn stored(&self) -> Option<&ImageRef> {
        match self {
            Self::Store(image) => Some(image),
            Self::Oci(_) => None,
        }
    }
}

impl fmt::Display for ImageSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(image) => image.fmt(f),
            Self::Oci(image) => image.fmt(f),
        }
    }
}

impl FromStr for ImageSource {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        if text.starts_with(OCI) { text.parse().map(Self::Oci) } else { text.parse().map(Self::Store) }
    }
}

serde_through_text!(ImageSource, {
    "description": "A golden image: NAME@VERSION of the store, or oci:REGISTRY/NAME@sha256:DIGEST, which only Anaconda installs.",
    "pattern": "^(oci:[A-Za-z0-9.:-]+/[a-z0-9._/-]+@sha256:[0-9a-f]{64}|[A-Za-z0-9][A-Za-z0-9._-]*@[A-Za-z0-9][A-Za-z0-9._+~-]*)$",
    "examples": ["debian-12-base@1.3.0"],
});

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    #[test]
    fn an_image_is_of_the_store_or_of_a_registry() {
        let stored: ImageSource = "el-9-base@1.0".parse().unwrap();
        assert_eq!(stored.stored().unwrap().to_string(), "el-9-base@1.0");
        for name in ["registry.example.com/os/web", "10.0.0.1:5000/a", "localhost/a-b/c_d.e"] {
            let text = format!("oci:{name}@{DIGEST}");
            let image: ImageSource = text.parse().unwrap();
            assert_eq!((image.to_string(), image.stored()), (text, None));
        }
    }

    #[test]
    fn what_could_mean_another_image_tomorrow_or_elsewhere_is_refused() {
        let refused = |text: &str| text.parse::<ImageSource>().unwrap_err().to_string();
        assert!(refused("oci:registry.example.com/web:latest").contains("names no content"));
        assert!(refused(&format!("oci:registry.example.com/web:1@{DIGEST}")).contains("tag beside"));
        assert!(refused("oci:registry.example.com/web@sha512:00").contains("sha256:"));
        for name in [
            "web",
            "fedora/web",
            "registry.example.com",
            "registry.example.com/Web",
            "r.e/a//b",
            "r.e/a..b",
            "r.e:0/a",
            "r.e/-a",
            "-r.e/a",
            "r.e/a b",
            "r.e/a'b",
            "docker://r.e/a",
        ] {
            let text = format!("oci:{name}@{DIGEST}");
            assert!(refused(&text).contains("not the name of a container image"), "{text}");
        }
        assert!(format!("oci:r.e/a@{}0", &DIGEST).parse::<ImageSource>().is_err());
    }
}
