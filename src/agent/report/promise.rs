//! What a run can promise about where its order and its image come from.

use crate::spec::boot::StartedFrom;
use crate::spec::facts::SecureBoot;

/// What this run can promise, in words: nothing more than is true.
pub fn trust_sentence(secure_boot: SecureBoot, way: Option<StartedFrom>) -> String {
    let firmware = match secure_boot {
        SecureBoot::On => "Secure Boot is on and covers loader and kernel, not this agent",
        SecureBoot::Off => "Secure Boot is off",
        SecureBoot::Absent => "the firmware has no Secure Boot",
        SecureBoot::Unread => "whether Secure Boot is on couldn't be read",
    };
    let way = match way {
        Some(StartedFrom::Stick) => {
            "order and image are verified with the public key on this medium: whoever can change the medium can change both"
        }
        Some(StartedFrom::Network) | None => {
            "the boot files came over an unsigned network boot, which protects against accidents only"
        }
    };
    format!("{firmware}; {way}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trust_sentence_never_says_that_the_agent_is_authenticated() {
        assert!(trust_sentence(SecureBoot::On, Some(StartedFrom::Stick)).contains("not this agent"));
        assert!(trust_sentence(SecureBoot::Off, Some(StartedFrom::Network)).contains("accidents only"));
    }
}
