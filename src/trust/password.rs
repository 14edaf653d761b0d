//! Clear passwords → crypt(5) hashes that the C libraries of the targets read.
//!
//! The only place where a clear password is worked with. It is never kept, shown or put into an error; whoever passes one in
//! wipes it. Pure: the salt is made of random bytes that come in.

use std::fmt;
use std::str::FromStr;

use sha_crypt::{Algorithm, Params, PasswordHasher as _, ShaCrypt};
use yescrypt::Yescrypt;

use crate::value::{PasswordHash, ValueError};

/// The longest password that libxcrypt reads, in bytes (`CRYPT_MAX_PASSPHRASE_SIZE` with its closing zero is 512).
const LONGEST: usize = 511;

/// Shorter ones are guessed too easily; they are allowed all the same.
pub const SHORT: usize = 12;

/// Rounds of SHA-512 crypt. Its default of 5,000 dates from 2007; this is a twentieth of a second on a server of today.
const SHA512_ROUNDS: u32 = 100_000;

/// SHA-512 crypt takes 16 characters of salt and ignores what follows: 12 bytes. With more, the text that was hashed and the
/// text that is printed differ, and nobody could log in.
const SHA512_SALT: usize = 12;

/// How a password is hashed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Method {
    /// yescrypt with the parameters of Debian's mkpasswd (`$y$j9T$`): hard for graphics cards; needs libxcrypt 4.3 (2018).
    #[default]
    Yescrypt,
    /// SHA-512 crypt (`$6$`): for targets whose C library doesn't know yescrypt, like Enterprise Linux 8.
    Sha512,
}

impl Method {
    /// All of them.
    pub const ALL: &'static [Self] = &[Self::Yescrypt, Self::Sha512];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Yescrypt => "yescrypt",
            Self::Sha512 => "sha512",
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Method {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = || Self::ALL.iter().map(|method| method.name()).collect::<Vec<_>>().join(", ");
        let found = Self::ALL.iter().find(|method| method.name() == text);
        found.copied().ok_or_else(|| format!("`{text}` is not a method; known are {}", known()))
    }
}

/// Hashes a password with a salt made of 16 random bytes.
///
/// # Errors
/// A password that nobody could log in with: empty, over 511 bytes, or with a control character.
pub fn hash(method: Method, password: &[u8], random: [u8; 16]) -> Result<PasswordHash, ValueError> {
    usable(password)?;
    // parameters and salt are ours and right; an error would be the libraries' own
    let failed = |error: &dyn fmt::Display| ValueError::new(format!("hashing by {method}: {error}"));
    let text = match method {
        Method::Yescrypt => Yescrypt::default()
            .hash_password_with_salt(password, &random)
            .map_err(|error| failed(&error))?
            .to_string(),
        Method::Sha512 => {
            let params = Params::new(SHA512_ROUNDS).map_err(|error| failed(&error))?;
            ShaCrypt::new(Algorithm::Sha512Crypt, params)
                .hash_password_with_salt(password, &random[..SHA512_SALT])
                .map_err(|error| failed(&error))?
                .to_string()
        }
    };
    text.parse()
}

/// Whether somebody can type it at a login prompt, and the C library takes all of it.
fn usable(password: &[u8]) -> Result<(), ValueError> {
    if password.is_empty() {
        return Err(ValueError::new("the password is empty"));
    }
    if password.len() > LONGEST {
        let length = password.len();
        return Err(ValueError::new(format!(
            "the password has {length} bytes; {LONGEST} is the most that targets read"
        )));
    }
    if password.iter().any(u8::is_ascii_control) {
        return Err(ValueError::new(
            "the password holds a control character (a tab, an arrow key, a carriage return?): it couldn't be typed at a login",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
