//! The test `hostile` as a program, which tries every string, or one of as many as its argument says: see `main.rs` beside it. A test would be built without optimisation, and
//! with all that it uses for a second time.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "a test may panic, and says aloud what it skips"
)]

mod choice;
#[path = "../support/expect.rs"]
mod expect;
mod fields;
mod model;
mod readers;
mod reference;
mod render;
mod shell;
mod strings;

fn main() {
    let step = std::env::args().nth(1).map_or(1, |word| word.parse().expect("the argument is a number"));
    strings::STEP.set(step).expect("it is set once");
    fields::whole_model();
    for all in [
        fields::in_kickstart,
        fields::in_preseed,
        fields::in_autoinstall,
        fields::for_loaders_and_in_the_hand_off,
    ] {
        all();
    }
}
