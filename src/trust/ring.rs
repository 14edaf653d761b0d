//! How a site's keys come and go: `ironstrap.pub` says which is current, `ironstrap.keys` what is known of all that ever were.
//!
//! Promises: a rotation can be cut off anywhere. The list that it writes first reads the same with the old current key and with
//! the new one: a listed key that was never given up is trusted only as the current one. So the moment at which
//! `ironstrap.pub` gets its new content is the one at which the site has another key. A retired key never counts again.

use serde::{Deserialize, Serialize};

use super::{SitePublicKey, TrustError, TrustedKeys};
use crate::spec::FormatVersion;
use crate::value::{KeyId, Timestamp};

/// What is known of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Its public half.
    pub key: SitePublicKey,
    /// Since when it signs, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// When another took its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Since when it isn't trusted any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retired: Option<Timestamp>,
}

impl Record {
    fn of(key: SitePublicKey, since: Option<Timestamp>) -> Self {
        Self { key, since, until: None, retired: None }
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    version: FormatVersion<1>,
    keys: Vec<Record>,
}

/// The keys of a site. One of them is current, and that one isn't retired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRing {
    current: SitePublicKey,
    /// All that ever were, the oldest first, the current one among them.
    records: Vec<Record>,
}

/// Why a key isn't retired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RetireError {
    /// It signs what is new.
    Current(KeyId),
    /// It isn't one of the site's former keys; these are.
    Unknown {
        /// Which was asked for.
        asked: KeyId,
        /// The former ones.
        former: Vec<KeyId>,
    },
    /// It is no more trusted already.
    Already(KeyId, Timestamp),
}

impl std::fmt::Display for RetireError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Current(id) => write!(
                f,
                "{id} is the site's current key; `ironstrap key rotate` makes another one, then it can be retired"
            ),
            Self::Unknown { asked, former } if former.is_empty() => {
                write!(f, "the site has no former key, and so none {asked}")
            }
            Self::Unknown { asked, former } => {
                let former: Vec<_> = former.iter().map(ToString::to_string).collect();
                write!(f, "{asked} is no former key of this site; former are {}", former.join(", "))
            }
            Self::Already(id, time) => write!(f, "{id} was retired at {time} already"),
        }
    }
}

impl std::error::Error for RetireError {}

impl KeyRing {
    /// A site's first key.
    pub fn first(current: SitePublicKey, now: Timestamp) -> Self {
        Self { records: vec![Record::of(current.clone(), Some(now))], current }
    }

    /// Reads `ironstrap.pub` and `ironstrap.keys`. A site without the list never had another key.
    ///
    /// # Errors
    /// Damaged texts, a key listed twice, or a current key that was retired.
    pub fn parse(current: &str, list: Option<&str>) -> Result<Self, TrustError> {
        let current = SitePublicKey::from_text(current)?;
        let list = match list {
            Some(text) => serde_json::from_str(text).map_err(|error| TrustError::Key(error.to_string()))?,
            None => List::default(),
        };
        let mut ring = Self { current, records: list.keys };
        let mut ids: Vec<_> = ring.records.iter().map(|record| record.key.id()).collect();
        ids.sort_unstable();
        if let Some(pair) = ids.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(TrustError::Key(format!("the key {} is listed twice", pair[0])));
        }
        let id = ring.current.id();
        match ring.records.iter().find(|record| record.key.id() == id) {
            None => ring.records.push(Record::of(ring.current.clone(), None)),
            Some(record) if record.key != ring.current => {
                return Err(TrustError::Key(format!("another key than the current one is listed as {id}")));
            }
            Some(Record { retired: Some(time), .. }) => {
                return Err(TrustError::Key(format!("the current key {id} was retired at {time}")));
            }
            Some(_) => {}
        }
        Ok(ring)
    }

    /// The text of `ironstrap.keys`.
    pub fn list_text(&self) -> String {
        let list = List { version: FormatVersion, keys: self.records.clone() };
        // strings and times only: there is nothing in it that JSON can't say
        serde_json::to_string_pretty(&list).unwrap_or_default() + "\n"
    }

    /// The key that signs.
    pub fn current(&self) -> &SitePublicKey {
        &self.current
    }

    /// Since when it does, where that is known.
    pub fn since(&self) -> Option<Timestamp> {
        self.records.iter().find(|record| record.key == self.current)?.since
    }

    /// The keys before it that aren't retired, the oldest first.
    pub fn former(&self) -> impl Iterator<Item = &Record> {
        self.others().filter(|record| record.until.is_some() && record.retired.is_none())
    }

    /// Those that were retired.
    pub fn retired(&self) -> impl Iterator<Item = &Record> {
        self.others().filter(|record| record.retired.is_some())
    }

    /// What is known of all of them, the oldest first.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        // one that a rotation listed which was cut off is none of the site's
        self.records.iter().filter(|record| record.until.is_some() || record.key == self.current)
    }

    /// Which of them signed at a time; the older one in the second of a rotation, the oldest before all dates.
    pub fn at(&self, time: Timestamp) -> &SitePublicKey {
        let signed =
            |record: &&Record| record.key == self.current || record.until.is_some_and(|until| time <= until);
        self.records().find(signed).map_or(&self.current, |record| &record.key)
    }

    fn others(&self) -> impl Iterator<Item = &Record> {
        self.records.iter().filter(|record| record.key != self.current)
    }

    /// The keys that count.
    pub fn trusted(&self) -> TrustedKeys {
        let former = self.former().map(|record| record.key.clone()).collect();
        // parsed, first and rotated rings hold no id twice
        TrustedKeys::new(self.current.clone(), former).unwrap_or_else(|_| self.current.clone().into())
    }

    /// The same keys after another one took the place of the current one.
    ///
    /// # Errors
    /// When the next one has the id of one that was there before.
    pub fn rotated(&self, next: SitePublicKey, now: Timestamp) -> Result<Self, TrustError> {
        let mut records: Vec<_> = self.records().cloned().collect();
        if records.iter().any(|record| record.key.id() == next.id()) {
            return Err(TrustError::Key(format!("the site had a key {} before", next.id())));
        }
        let old = records.iter_mut().find(|record| record.key == self.current);
        old.into_iter().for_each(|record| record.until = Some(now));
        records.push(Record::of(next.clone(), Some(now)));
        Ok(Self { current: next, records })
    }

    /// The same keys without trust in a former one, and that one's record.
    ///
    /// # Errors
    /// [`RetireError`].
    pub fn retire(&self, id: KeyId, now: Timestamp) -> Result<(Self, Record), RetireError> {
        if self.current.id() == id {
            return Err(RetireError::Current(id));
        }
        if let Some(record) = self.retired().find(|record| record.key.id() == id) {
            return Err(RetireError::Already(id, record.retired.unwrap_or(now)));
        }
        let former: Vec<_> = self.former().map(|record| record.key.id()).collect();
        let mut ring = self.clone();
        let found = ring.records.iter_mut().find(|record| record.key.id() == id);
        match found.filter(|_| former.contains(&id)) {
            None => Err(RetireError::Unknown { asked: id, former }),
            Some(record) => {
                record.retired = Some(now);
                let record = record.clone();
                Ok((ring, record))
            }
        }
    }
}

#[cfg(test)]
#[path = "ring_tests.rs"]
mod tests;
