//! What is said of network cards, whichever format names them.

/// Where a file means any card: that is what a profile without cards says.
pub const ANY: &str = "DHCP on every card with a link";

/// Why a card that only a kernel name tells isn't taken over.
pub fn unknown(name: &str) -> String {
    let name = name.escape_debug();
    format!("`{name}` is a kernel name, which may be another card's tomorrow: import with --card {name}=MAC")
}
