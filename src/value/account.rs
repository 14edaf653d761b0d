//! Users, password hashes and SSH keys, checked before they become lines of `/etc/passwd` and its kin.

use std::fmt;
use std::str::FromStr;

use super::{SECRET, ValueError, schema_of_text, serde_through_text};

/// A user or group name that `useradd` would accept: lower case, at most 32 characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountName(String);

impl AccountName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for AccountName {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let good = (1..=32).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-');
        if !good {
            return Err(ValueError::new(format!(
                "`{}` is not an account name (lower-case letters, digits, `_`, `-`; at most 32)",
                text.escape_debug()
            )));
        }
        Ok(Self(text.to_owned()))
    }
}

serde_through_text!(AccountName, {
    "description": "The name of a user or group: lower-case letters, digits, `_`, `-`; at most 32.",
    "pattern": "^[a-z_][a-z0-9_-]{0,31}$",
    "examples": ["ops"],
});

/// The name of a person, the first part of the fifth field of passwd(5): none of what would end it, at most 100 bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FullName(String);

impl FullName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FullName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for FullName {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        // `chfn` refuses the same
        let is_bad = |c: char| ":,=\"".contains(c) || c.is_control();
        let is_plain = !text.contains(is_bad) && text.trim() == text;
        if text.is_empty() || text.len() > 100 || !is_plain {
            return Err(ValueError::new(format!(
                "`{}` is not a person's name (no `:`, `,`, `=`, `\"`; at most 100 bytes)",
                text.escape_debug()
            )));
        }
        Ok(Self(text.to_owned()))
    }
}

serde_through_text!(FullName, {
    "description": "The name of a person, without `:`, `,`, `=` and quotes.",
    "pattern": "^[^:,=\"]+$",
    "examples": ["Jane Doe"],
});

/// A crypt(5) hash for `/etc/shadow`. Never printed by `Debug`; clear-text passwords do not parse.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// The hash itself, for the one place that writes it; call it nowhere near a log.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

impl FromStr for PasswordHash {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        // crypt(5): $id$…; yescrypt, gost-yescrypt, bcrypt, SHA-512, SHA-256. MD5 and DES are too weak to install.
        const SCHEMES: [&str; 6] = ["$y$", "$gy$", "$2b$", "$2y$", "$6$", "$5$"];
        let scheme = SCHEMES.iter().find(|scheme| text.starts_with(**scheme));
        let legal = |b: u8| b.is_ascii_alphanumeric() || b"./$=,-_".contains(&b);
        match scheme {
            Some(_) if text.len() <= 256 && text.bytes().all(legal) && text.matches('$').count() >= 3 => {
                Ok(Self(text.to_owned()))
            }
            // the text may be a clear password: it is not shown
            _ => Err(ValueError::new(
                "not a password hash; make one with `ironstrap passwd` (schemes: yescrypt, bcrypt, SHA-512, SHA-256)",
            )),
        }
    }
}

impl serde::Serialize for PasswordHash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(SECRET, &self.0)
    }
}

impl<'de> serde::Deserialize<'de> for PasswordHash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

schema_of_text!(PasswordHash, {
    "description": "A password's hash as in `/etc/shadow`: `ironstrap passwd` makes one. Clear passwords are refused.",
    "pattern": "^\\$(y|gy|2b|2y|6|5)\\$[A-Za-z0-9./=,_-]*\\$[A-Za-z0-9./$=,_-]*$",
});

/// A boot loader password as `grub-mkpasswd-pbkdf2` prints it. Never printed by `Debug`; clear-text passwords do not parse.
#[derive(Clone, PartialEq, Eq)]
pub struct GrubHash(String);

impl GrubHash {
    /// The hash itself, for the one place that writes it; call it nowhere near a log.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for GrubHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GrubHash(…)")
    }
}

impl FromStr for GrubHash {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        // grub.pbkdf2.sha512.ROUNDS.SALT.HASH, both in hexadecimal (GRUB manual, section `password_pbkdf2`)
        let parts: Vec<_> = text.split('.').collect();
        let hex = |part: &str| part.len() >= 32 && part.bytes().all(|b| b.is_ascii_hexdigit());
        match parts[..] {
            ["grub", "pbkdf2", "sha512", rounds, salt, hash]
                if text.len() <= 1024 && rounds.parse::<u32>().is_ok() && hex(salt) && hex(hash) =>
            {
                Ok(Self(text.to_owned()))
            }
            // the text may be a clear password: it is not shown
            _ => Err(ValueError::new(
                "not a boot loader password's hash; make one with `grub-mkpasswd-pbkdf2`",
            )),
        }
    }
}

impl serde::Serialize for GrubHash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_newtype_struct(SECRET, &self.0)
    }
}

schema_of_text!(GrubHash, {
    "description": "The hash of a boot loader password: `grub-mkpasswd-pbkdf2` makes one. Clear passwords are refused.",
    "pattern": "^grub\\.pbkdf2\\.sha512\\.[0-9]+\\.[0-9A-Fa-f]+\\.[0-9A-Fa-f]+$",
});

impl<'de> serde::Deserialize<'de> for GrubHash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// One public key in OpenSSH's one-line form, parsed and printed canonically (RFC 4253, section 6.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshPublicKey(String);

impl SshPublicKey {
    /// The line for `authorized_keys`, without a newline.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SshPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for SshPublicKey {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let wrong = |why: String| {
            ValueError::new(format!("not an SSH public key (like `ssh-ed25519 AAAA… name`): {why}"))
        };
        if text.contains("PRIVATE KEY") {
            return Err(ValueError::new("this is a private key; put the line of the `.pub` file here"));
        }
        if text.chars().any(char::is_control) {
            return Err(wrong("it holds a control character".to_owned()));
        }
        let key = ssh_key::PublicKey::from_openssh(text.trim()).map_err(|error| wrong(error.to_string()))?;
        key.to_openssh().map(Self).map_err(|error| wrong(error.to_string()))
    }
}

serde_through_text!(SshPublicKey, {
    "description": "The line of an SSH key's `.pub` file.",
    "examples": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ ops@example"],
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clear_passwords_do_not_parse_and_are_not_shown() {
        let error = "hunter2".parse::<PasswordHash>().unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
        let hash: PasswordHash = "$6$abcdefgh$0123456789abcdef".parse().unwrap();
        assert_eq!(format!("{hash:?}"), "PasswordHash(…)");
    }

    #[test]
    fn boot_loader_passwords_are_hashes_and_are_not_shown() {
        let error = "hunter2".parse::<GrubHash>().unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
        let text = format!("grub.pbkdf2.sha512.10000.{0}.{0}", "AB".repeat(64));
        assert_eq!(format!("{:?}", text.parse::<GrubHash>().unwrap()), "GrubHash(…)");
    }

    #[test]
    fn account_names_can_not_break_a_line_of_passwd() {
        for text in ["", "a:b", "A", "a b", "a\n", "1a", "root\0"] {
            assert!(text.parse::<AccountName>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn ssh_keys_are_parsed_not_trusted() {
        let good =
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ ops@example";
        assert_eq!(good.parse::<SshPublicKey>().unwrap().as_str(), good);
        for text in [
            "ssh-ed25519 AAAA",
            "ssh-rsa",
            &format!("{good}\nssh-rsa x"),
            "-----BEGIN OPENSSH PRIVATE KEY-----",
        ] {
            assert!(text.parse::<SshPublicKey>().is_err(), "{text}");
        }
    }
}
