//! What depmod(8) makes of modules, from what they say of themselves: the udebs come without tables, and on the target it would be late.
//!
//! Pure. A module's `.modinfo` section has `depends=` (made by modpost from the symbols that it uses), `alias=` and `softdep=`.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail, ensure};

use super::udeb::is_module;
use crate::image_rules::modinfo::{module_info, unpack_module};
use crate::spec::depmod::{module_name, plain_name};

/// What of a module's own words gets into the tables.
const TOLD: [&str; 3] = [DEPENDS, ALIAS, SOFTDEP];
const DEPENDS: &str = "depends=";
const ALIAS: &str = "alias=";
const SOFTDEP: &str = "softdep=";

/// `modules.dep`, `modules.alias` and `modules.softdep` of these files, by path in their folder. What
/// a module depends on is there or in `modules.builtin`: on the target it would be too late to miss it.
///
/// # Errors
/// A module that is no ELF file or whose packing is damaged; a name or a value that would end its line or its word in the tables;
/// all dependencies that aren't there.
pub fn tables(files: &BTreeMap<String, Vec<u8>>) -> Result<BTreeMap<String, Vec<u8>>> {
    let modules: Vec<_> = files.iter().filter(|(path, _)| is_module(path)).collect();
    let by_name: BTreeMap<_, _> =
        modules.iter().map(|(path, _)| (module_name(path), path.as_str())).collect();
    let builtin = files.get("modules.builtin").map(|list| String::from_utf8_lossy(list)).unwrap_or_default();
    let builtin: BTreeSet<_> = builtin.lines().map(module_name).collect();
    let mut open = BTreeSet::new();
    let (mut dep, mut alias, mut softdep) = (String::new(), String::new(), String::new());
    for (path, content) in &modules {
        ensure!(
            path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':'),
            "the module `{}` has a name that modules.dep can't hold",
            path.escape_debug()
        );
        let info = unpack_module(path, content).and_then(|plain| module_info(path, &plain))?;
        let odd =
            |text: &&String| text.contains(char::is_control) && TOLD.iter().any(|key| text.starts_with(key));
        if let Some(text) = info.iter().find(odd) {
            bail!("{path} says `{}` of itself, with a control character", text.escape_debug());
        }
        let name = module_name(path);
        let values = |key: &'static str| info.iter().filter_map(move |text| text.strip_prefix(key));
        let needs = values(DEPENDS).flat_map(|names| names.split(',')).map(plain_name);
        dep.push_str(&format!("{path}:"));
        for need in needs.filter(|need| !need.is_empty()) {
            match by_name.get(&need) {
                Some(file) => dep.push_str(&format!(" {file}")),
                None if builtin.contains(&need) => {}
                None => _ = open.insert(format!("{need}, for {name}")),
            }
        }
        dep.push('\n');
        values(ALIAS).for_each(|pattern| alias.push_str(&format!("alias {pattern} {name}\n")));
        values(SOFTDEP).for_each(|wishes| softdep.push_str(&format!("softdep {name} {wishes}\n")));
    }
    ensure!(
        open.is_empty(),
        "modules that others depend on are neither there nor built in; name their packages as well:\n  {}",
        open.into_iter().collect::<Vec<_>>().join("\n  ")
    );
    let named = [("modules.dep", dep), ("modules.alias", alias), ("modules.softdep", softdep)];
    let mut tables: BTreeMap<_, _> =
        named.into_iter().map(|(name, text)| (name.to_owned(), text.into_bytes())).collect();
    if !files.contains_key("modules.builtin") {
        tables.insert("modules.builtin".to_owned(), Vec::new());
    }
    Ok(tables)
}
