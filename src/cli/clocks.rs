//! What `check` and `bundle` say of machines whose clock is dead: which of them won't be installed, and what it costs that others
//! will.

use crate::spec::order::InstallOrder;
use crate::value::HostName;

/// What to know of a stick with these orders; nothing where all of them do without a clock.
pub fn warn_of_stick<'a>(orders: impl Iterator<Item = &'a InstallOrder>) -> String {
    let Some(order) = orders.into_iter().find(|order| !order.allow_dead_clock) else { return String::new() };
    let unless = match &order.server {
        Some(server) => format!("unless it reaches {server}, which tells it the time"),
        None => "for the site has no `server` that could tell it the time".to_owned(),
    };
    format!(
        "note: a machine with a dead clock (empty battery) is not installed from this stick, {unless}; set the clock first, or \
         see `policy: {{ allow_dead_clock: true }}`\n"
    )
}

/// What it costs these hosts that a dead clock is allowed; nothing where there are none.
pub fn cost_of_allowing<'a>(hosts: impl Iterator<Item = &'a HostName>) -> String {
    let names: Vec<_> = hosts.map(HostName::as_str).collect();
    if names.is_empty() {
        return String::new();
    }
    format!(
        "note: {}: `policy: {{ allow_dead_clock: true }}`: while the clock is dead and nothing tells the time, an order that wasn't \
         carried out never expires; keep old media from such machines\n",
        names.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::order::{build, fixtures};

    fn order(allow_dead_clock: bool, server: Option<&str>) -> InstallOrder {
        let order = build(&fixtures::permit(), fixtures::parts(), &fixtures::key(), fixtures::now()).unwrap();
        InstallOrder { allow_dead_clock, server: server.map(|server| server.parse().unwrap()), ..order }
    }

    #[test]
    fn a_stick_warns_of_dead_clocks_once_and_names_the_way_out() {
        let (careful, daring) = (order(false, Some("http://10.0.0.1")), order(true, Some("http://10.0.0.1")));
        let note = warn_of_stick([&daring, &careful, &careful].into_iter());
        for part in ["dead clock", "unless it reaches http://10.0.0.1", "allow_dead_clock: true"] {
            assert!(note.contains(part), "{part} is missing: {note}");
        }
        assert_eq!(note.lines().count(), 1);
        assert!(warn_of_stick([&order(false, None)].into_iter()).contains("no `server`"));
        assert_eq!(warn_of_stick([&daring].into_iter()), "");
    }

    #[test]
    fn hosts_that_allow_dead_clocks_are_told_what_it_costs() {
        let names: Vec<HostName> = ["web01", "web02"].map(|name| name.parse().unwrap()).into();
        let note = cost_of_allowing(names.iter());
        assert!(note.starts_with("note: web01, web02: ") && note.contains("never expires"), "{note}");
        assert_eq!(cost_of_allowing(std::iter::empty()), "");
    }
}
