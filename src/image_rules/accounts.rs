//! `passwd`, `shadow`, `group` and `gshadow` as text: pure edits, without the image's own tools.
//!
//! The agent writes what [`edit`] gives; at build time the same edit is made only to see whether it can be.
//!
//! Lines that aren't touched stay as they are, byte by byte (comments, NIS lines, odd entries). An existing account keeps
//! its ids, home and other groups; a wanted id that collides is an error, never a silent other number. A locked password
//! is `*`, which sshd accepts for logins by key even without PAM, unlike `!`.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};

use super::{Incompatible, Judged, RootView};
use crate::spec::system::{RootAccount, User};
use crate::value::{AccountName, FullName};

/// First id for people, as in login.defs(5).
const FIRST_ID: u32 = 1000;
/// Last id that is handed out; `nobody` and systemd's dynamic users lie above.
const LAST_ID: u32 = 59_999;
const LOCKED: &str = "*";

/// The four files. `gshadow` is absent on some systems and then stays so.
#[derive(Clone, PartialEq, Eq)]
pub struct AccountFiles {
    /// `/etc/passwd`.
    pub passwd: String,
    /// `/etc/shadow`.
    pub shadow: String,
    /// `/etc/group`.
    pub group: String,
    /// `/etc/gshadow`.
    pub gshadow: Option<String>,
}

impl std::fmt::Debug for AccountFiles {
    /// Without the content: it holds password hashes.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccountFiles").finish_non_exhaustive()
    }
}

impl AccountFiles {
    /// The files of an image. All that are missing are named at once.
    ///
    /// # Errors
    /// When one can't be read.
    pub fn read(tree: &dyn RootView) -> Judged<Self> {
        let mut missing = Vec::new();
        let mut need = |path: &str| {
            let text = tree.text(path)?;
            if text.is_none() {
                missing.push(format!("the image has no {path}"));
            }
            anyhow::Ok(text.unwrap_or_default())
        };
        let (passwd, shadow, group) = (need("/etc/passwd")?, need("/etc/shadow")?, need("/etc/group")?);
        if !missing.is_empty() {
            return Ok(Err(Incompatible(missing)));
        }
        Ok(Ok(Self { passwd, shadow, group, gshadow: tree.text("/etc/gshadow")? }))
    }
}

/// Where an account lives, for its home directory and keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    /// Login name.
    pub name: String,
    /// The directory, absolute.
    pub path: String,
    /// Numeric owner.
    pub uid: u32,
    /// Its primary group.
    pub gid: u32,
}

/// The files with these accounts in them, and the accounts' homes: root's first, then the users' in their order.
///
/// # Errors
/// An id that another account has, an account twice, a name or shell that would break a line; for every account that
/// can't be made what stands in its way.
pub fn edit(
    files: &AccountFiles,
    root: &RootAccount,
    users: &[User],
) -> Result<(AccountFiles, Vec<Home>), Incompatible> {
    let mut tables = Tables::parse(files);
    let mut found = Vec::new();
    tables.set_password("root", root.password.as_ref().map(|hash| hash.expose()));
    let mut homes = Vec::new();
    match tables.home("root").context("the image has no account `root`") {
        Ok(home) => homes.push(home),
        Err(error) => found.push(format!("{error:#}")),
    }
    // explicit ids first, so that none is handed out to somebody else before
    let (fixed, free): (Vec<_>, Vec<_>) = users.iter().partition(|user| user.uid.is_some());
    let mut refused = BTreeSet::new();
    for user in fixed.into_iter().chain(free) {
        if let Err(error) = tables.put(user) {
            found.push(format!("account `{}`: {error:#}", user.name));
            refused.insert(&user.name);
        }
    }
    // of one that isn't there, nothing more can be said
    let made: Vec<_> = users.iter().filter(|user| !refused.contains(&user.name)).collect();
    for (at, user) in made.iter().enumerate() {
        if made[..at].iter().any(|other| other.name == user.name) {
            found.push(format!("account `{}` is in the order twice", user.name));
        }
        match tables.complete(user) {
            Ok(home) => homes.push(home),
            Err(error) => found.push(format!("account `{}`: {error:#}", user.name)),
        }
    }
    if found.is_empty() { Ok((tables.render(files), homes)) } else { Err(Incompatible(found)) }
}

/// A file as lines of fields.
#[derive(Debug)]
struct Table(Vec<Vec<String>>);

impl Table {
    fn parse(text: &str) -> Self {
        Self(text.lines().map(|line| line.split(':').map(str::to_owned).collect()).collect())
    }

    fn render(&self) -> String {
        self.0.iter().map(|fields| fields.join(":") + "\n").collect()
    }

    /// Lines with at least this many fields and this name; shorter ones are not entries.
    fn find(&mut self, name: &str, fields: usize) -> Option<&mut Vec<String>> {
        self.0.iter_mut().find(|line| line.len() >= fields && line[0] == name)
    }

    fn ids(&self) -> impl Iterator<Item = (&str, u32)> {
        self.0
            .iter()
            .filter(|line| line.len() >= 4)
            .filter_map(|line| Some((&*line[0], line[2].parse().ok()?)))
    }

    /// Before a trailing NIS line (`+::::`), after which the C library looks no further in the file.
    fn add(&mut self, line: Vec<String>) {
        let end = self.0.iter().position(|line| line[0].starts_with('+')).unwrap_or(self.0.len());
        self.0.insert(end, line);
    }
}

struct Tables {
    passwd: Table,
    shadow: Table,
    group: Table,
    gshadow: Option<Table>,
}

fn line(fields: &[&str]) -> Vec<String> {
    fields.iter().map(|field| (*field).to_owned()).collect()
}

impl Tables {
    fn parse(files: &AccountFiles) -> Self {
        Self {
            passwd: Table::parse(&files.passwd),
            shadow: Table::parse(&files.shadow),
            group: Table::parse(&files.group),
            gshadow: files.gshadow.as_deref().map(Table::parse),
        }
    }

    fn render(&self, before: &AccountFiles) -> AccountFiles {
        let Self { passwd, shadow, group, gshadow } = self;
        // an untouched file without a newline at its end stays so
        let keep = |table: &Table, before: &str| {
            let after = table.render();
            if after.strip_suffix('\n') == Some(before) { before.to_owned() } else { after }
        };
        AccountFiles {
            passwd: keep(passwd, &before.passwd),
            shadow: keep(shadow, &before.shadow),
            group: keep(group, &before.group),
            gshadow: gshadow.as_ref().zip(before.gshadow.as_deref()).map(|(table, text)| keep(table, text)),
        }
    }

    fn put(&mut self, user: &User) -> Result<()> {
        let name = user.name.as_str();
        ensure!(name != "root", "root is set by `root:`, not as a user");
        let shell_is_plain = user.shell.starts_with('/')
            && !user.shell.contains(':')
            && !user.shell.chars().any(char::is_control);
        ensure!(shell_is_plain, "`{}` is not the path of a shell", user.shell.escape_debug());
        if let Some(entry) = self.passwd.find(name, 7) {
            let found: Option<u32> = entry[2].parse().ok();
            ensure!(
                user.uid.is_none() || user.uid == found,
                "the image has it with uid {}, and its files belong to that number; drop `uid` or the account from the image",
                entry[2]
            );
            entry[1] = "x".to_owned();
            entry[6].clone_from(&user.shell);
            if let Some(full_name) = &user.full_name {
                // room, telephone and the like stand behind it
                let rest = entry[4].find(',').map(|at| entry[4].split_off(at));
                entry[4] = format!("{full_name}{}", rest.unwrap_or_default());
            }
        } else {
            self.create(user)?;
        }
        self.set_password(name, user.password.as_ref().map(|hash| hash.expose()));
        Ok(())
    }

    fn create(&mut self, user: &User) -> Result<()> {
        let name = user.name.as_str();
        let own_group = self.group.ids().find(|(group, _)| *group == name).map(|(_, gid)| gid);
        let uid = match user.uid {
            Some(uid) => {
                let owner = self.passwd.ids().find(|(_, id)| *id == uid);
                ensure!(owner.is_none(), "uid {uid} belongs to `{}`", owner.map_or("", |(name, _)| name));
                uid
            }
            None => self.free_id()?,
        };
        let gid = own_group.unwrap_or(uid);
        if own_group.is_none() {
            let owner = self.group.ids().find(|(_, id)| *id == gid);
            ensure!(owner.is_none(), "group id {gid} belongs to `{}`", owner.map_or("", |(name, _)| name));
            self.add_group(name, gid);
        }
        let home = format!("/home/{name}");
        let full_name = user.full_name.as_ref().map(FullName::as_str).unwrap_or_default();
        self.passwd.add(line(&[
            name,
            "x",
            &uid.to_string(),
            &gid.to_string(),
            full_name,
            &home,
            &user.shell,
        ]));
        Ok(())
    }

    /// Puts a user that is there into its groups. New groups come after all users: the lowest ids are for people.
    fn complete(&mut self, user: &User) -> Result<Home> {
        for group in &user.groups {
            self.join(user.name.as_str(), group)?;
        }
        self.home(user.name.as_str())
    }

    /// The lowest number that is neither a user's nor a group's.
    fn free_id(&self) -> Result<u32> {
        let taken: BTreeSet<_> = self.passwd.ids().chain(self.group.ids()).map(|(_, id)| id).collect();
        (FIRST_ID..=LAST_ID).find(|id| !taken.contains(id)).context("no free user id is left")
    }

    fn add_group(&mut self, name: &str, gid: u32) {
        self.group.add(line(&[name, "x", &gid.to_string(), ""]));
        if let Some(gshadow) = &mut self.gshadow
            && gshadow.find(name, 4).is_none()
        {
            gshadow.add(line(&[name, "!", "", ""]));
        }
    }

    fn join(&mut self, user: &str, group: &AccountName) -> Result<()> {
        let group = group.as_str();
        if self.group.find(group, 4).is_none() {
            let gid = self.free_id()?;
            self.add_group(group, gid);
        }
        let entries =
            [self.group.find(group, 4), self.gshadow.as_mut().and_then(|gshadow| gshadow.find(group, 4))];
        for entry in entries.into_iter().flatten() {
            let members = &mut entry[3];
            if !members.split(',').any(|member| member == user) {
                if !members.is_empty() {
                    members.push(',');
                }
                members.push_str(user);
            }
        }
        Ok(())
    }

    /// The date of the last change is left empty: no clock is asked, and the password doesn't age.
    fn set_password(&mut self, name: &str, hash: Option<&str>) {
        let hash = hash.unwrap_or(LOCKED).to_owned();
        match self.shadow.find(name, 3) {
            Some(entry) => {
                entry[1] = hash;
                entry[2].clear();
            }
            None => self.shadow.add(line(&[name, &hash, "", "0", "99999", "7", "", "", ""])),
        }
        // an entry with its hash in passwd would win over shadow
        if let Some(entry) = self.passwd.find(name, 7) {
            entry[1] = "x".to_owned();
        }
    }

    fn home(&mut self, name: &str) -> Result<Home> {
        let entry = self.passwd.find(name, 7).context("no entry in passwd")?;
        let number = |at: usize| entry[at].parse::<u32>().with_context(|| format!("id `{}`", entry[at]));
        Ok(Home { name: name.to_owned(), path: entry[5].clone(), uid: number(2)?, gid: number(3)? })
    }
}

#[cfg(test)]
mod tests;
