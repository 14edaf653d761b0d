//! The story of an install, told once from top to bottom.

use std::path::Path;
use std::process::ExitCode;

use super::console::Consoles;
use super::init::SAID_WHY;
use super::modules::Loader;

/// Runs the install in a child of PID 1; the exit code tells PID 1 what to do next.
pub(super) fn main() -> ExitCode {
    let consoles = Consoles::open();
    consoles.line("started");
    match Loader::new(Path::new("/")) {
        Ok(mut loader) => {
            loader.load_for_devices(Path::new("/sys"));
            consoles.line(&format!("loaded {} modules", loader.loaded));
            for problem in &loader.problems {
                consoles.line(&format!("module {problem}"));
            }
        }
        Err(error) => consoles.line(&format!("no modules: {error:#}")),
    }
    ExitCode::from(SAID_WHY)
}
