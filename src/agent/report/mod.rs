//! Who hears of a run: the consoles, the medium's recorder, the server.
//!
//! [`reporter`] tells all of them the same; [`run_state`] is what it keeps for whoever speaks if the worker can't any more. No
//! sink ever stops an install.

pub mod console;
pub mod last_screen;
mod poster;
pub mod promise;
pub mod recorder;
pub mod reporter;
pub mod run_state;
