//! What a host wants and whoever would do it can't: keys and reasons as data, and the words that people see.
//!
//! Whoever finds it keeps it so up to the command: `check` and `render` print it, `import` takes the key out of its draft.
//! Nobody reads a sentence to learn what it is about.

use crate::host::Host;
use crate::value::HostName;

/// One thing that can't be said, or not so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsupported {
    /// The key in the profile, as `network[52:54:00:12:34:56].mtu`.
    pub key: String,
    /// Why not, and the way out: lower case, no full stop. Of an installer it is the rest of a sentence that begins with its name.
    pub reason: String,
}

/// All that is refused of a host, told at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    host: HostName,
    by: Option<&'static str>,
    found: Vec<Unsupported>,
}

impl Refusal {
    /// Nothing yet, by an installer: `el-9`, `native`.
    pub fn by(installer: &'static str, host: &Host) -> Self {
        Self { host: host.name.clone(), by: Some(installer), found: Vec::new() }
    }

    /// Of what nobody could do, whoever installs.
    pub fn of(host: &HostName, found: Vec<Unsupported>) -> Self {
        Self { host: host.clone(), by: None, found }
    }

    /// Notes one thing.
    pub fn add(&mut self, key: &str, reason: impl std::fmt::Display) {
        self.found.push(Unsupported { key: key.to_owned(), reason: reason.to_string() });
    }

    /// Notes more of them.
    pub fn extend(&mut self, more: impl IntoIterator<Item = Unsupported>) {
        self.found.extend(more);
    }

    /// What was found, in that order.
    pub fn found(&self) -> &[Unsupported] {
        &self.found
    }

    /// What one of them says, without the host: a sentence.
    pub fn sentence(&self, Unsupported { key, reason }: &Unsupported) -> String {
        match self.by {
            Some(installer) => format!("{key}: {installer} {reason}"),
            None => format!("{key}: {reason}"),
        }
    }

    /// Lets a host pass of which nothing was refused.
    ///
    /// # Errors
    /// Itself.
    pub fn unless_empty(self) -> Result<(), Self> {
        if self.found.is_empty() { Ok(()) } else { Err(self) }
    }
}

impl std::error::Error for Refusal {}

/// A line each, which begins with the host.
impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (number, found) in self.found.iter().enumerate() {
            let end = if number == 0 { "" } else { "\n" };
            write!(f, "{end}{}: {}", self.host, self.sentence(found))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing;

    #[test]
    fn a_refusal_names_host_key_installer_and_reason_a_line_each() {
        let mut refusal = Refusal::by("el-9", &testing::host());
        assert_eq!(refusal.clone().unless_empty(), Ok(()));
        refusal.add("mirror", "needs one");
        refusal.add("finish", "restarts always");
        let told =
            "web01.example.com: mirror: el-9 needs one\nweb01.example.com: finish: el-9 restarts always";
        assert_eq!(refusal.unless_empty().unwrap_err().to_string(), told);
        let found = vec![Unsupported { key: "handoff.script".to_owned(), reason: "no".to_owned() }];
        let refusal = Refusal::of(&testing::host().name, found);
        assert_eq!(refusal.to_string(), "web01.example.com: handoff.script: no");
    }
}
