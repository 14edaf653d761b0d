//! Certificates as far as they are compared: who is who, by name, key and hash.

use der::{Decode as _, Encode as _};
use serde::{Deserialize, Serialize};
use x509_cert::Certificate as X509;
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, SubjectKeyIdentifier};

use crate::value::{Digest, hex};

/// One that a firmware knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// Whose it is: a distinguished name as RFC 4514 writes it.
    pub subject: String,
    /// SHA-256 of all of it.
    pub digest: Digest,
    /// Its key's identifier, hexadecimal, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// SHA-256 of what is signed in it. Facts of earlier versions don't say it of a firmware's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Digest>,
}

/// One that a program's signature brings along.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signer {
    /// Itself.
    #[serde(flatten)]
    pub certificate: Certificate,
    /// Who vouches for it: a distinguished name.
    pub issuer: String,
    /// Identifier of the key that vouches for it, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer_key: Option<String>,
}

impl Certificate {
    /// Reads one that is written in DER; `None` where it isn't one.
    pub fn from_der(der: &[u8]) -> Option<Self> {
        Signer::from_der(der).map(|signer| signer.certificate)
    }

    /// The common name, or all of the name where it has none.
    pub fn name(&self) -> &str {
        common_name(&self.subject)
    }

    /// Whether what this signer signed counts as signed by this certificate: it is the same, or has vouched for it.
    pub fn vouches_for(&self, signer: &Signer) -> bool {
        let same_key = match (&self.key, &signer.issuer_key) {
            (Some(own), Some(wanted)) => own == wanted,
            _ => true,
        };
        self.digest == signer.certificate.digest || (self.subject == signer.issuer && same_key)
    }
}

impl Signer {
    /// Reads one that is written in DER; `None` where it isn't one.
    pub fn from_der(der: &[u8]) -> Option<Self> {
        let x509 = X509::from_der(der).ok()?;
        let body = &x509.tbs_certificate;
        let key = body.get::<SubjectKeyIdentifier>().ok().flatten();
        let issuer_key = body.get::<AuthorityKeyIdentifier>().ok().flatten();
        Some(Self {
            certificate: Certificate {
                subject: body.subject.to_string(),
                digest: Digest::of(der),
                key: key.map(|(_, key)| hex(key.0.as_bytes())),
                body: Some(Digest::of(&body.to_der().ok()?)),
            },
            issuer: body.issuer.to_string(),
            issuer_key: issuer_key.and_then(|(_, key)| key.key_identifier).map(|key| hex(key.as_bytes())),
        })
    }

    /// The common name of who vouches for it.
    pub fn issuer_name(&self) -> &str {
        common_name(&self.issuer)
    }
}

fn common_name(name: &str) -> &str {
    name.split(',').find_map(|part| part.trim_start().strip_prefix("CN=")).unwrap_or(name)
}
