//! The command line, a file a subcommand: arguments → request → a function of the library → words and an exit code. Parsing performs
//! no effect; nothing below this module knows clap, prints or asks.
//!
//! [`main`] is the only place that decides the exit code and prints an error chain.

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

mod arm;
mod bundle;
mod check;
mod clocks;
mod dev;
mod dhcp;
mod disarm;
mod explain;
mod facts;
mod formats;
mod image;
mod import;
mod init;
mod key;
mod lint;
mod lock;
mod output;
mod passwd;
mod progress;
mod proven;
mod recorder;
mod render;
mod schema;
mod serve;
mod simulate;
mod status;
mod status_log;
mod text_file;

/// Unattended bare-metal installs, done safely.
#[derive(Debug, Parser)]
#[command(name = "ironstrap", version, arg_required_else_help = true)]
struct Cli {
    /// The site's directory.
    #[arg(long, short = 'C', global = true, default_value = ".", value_name = "DIR")]
    site: std::path::PathBuf,
    /// Machine-readable output: arm, check, explain, formats, image (but not verify), import, key
    /// show, lint, recorder, simulate, status.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Arm(arm::Args),
    Bundle(bundle::Args),
    Check(check::Args),
    #[command(hide = true)]
    Dev(dev::Args),
    Dhcp(dhcp::Args),
    Disarm(disarm::Args),
    Explain(explain::Args),
    Facts(facts::Args),
    Formats(formats::Args),
    Image(image::Args),
    Import(import::Args),
    Init(init::Args),
    Key(key::Args),
    Lint(lint::Args),
    Lock(lock::Args),
    Passwd(passwd::Args),
    Recorder(recorder::Args),
    Render(render::Args),
    Schema(schema::Args),
    Serve(serve::Args),
    Simulate(simulate::Args),
    Status(status::Args),
}

impl Command {
    /// Whether it heeds `--json`: an option that is ignored would break the program that reads.
    fn speaks_json(&self) -> bool {
        match self {
            Self::Arm(_) | Self::Check(_) | Self::Explain(_) | Self::Formats(_) => true,
            Self::Import(_) | Self::Lint(_) | Self::Recorder(_) | Self::Simulate(_) | Self::Status(_) => true,
            Self::Image(args) => args.speaks_json(),
            Self::Key(args) => args.speaks_json(),
            Self::Bundle(_) | Self::Dev(_) | Self::Dhcp(_) | Self::Disarm(_) | Self::Init(_) => false,
            Self::Lock(_) | Self::Passwd(_) | Self::Render(_) => false,
            Self::Facts(_) | Self::Schema(_) | Self::Serve(_) => false,
        }
    }
}

/// Runs the operator's command.
pub fn main() -> ExitCode {
    std::panic::set_hook(Box::new(die_of_a_bug));
    let cli = Cli::parse();
    if cli.json && !cli.command.speaks_json() {
        let text = "this command has no machine-readable output; leave out --json";
        Cli::command().error(clap::error::ErrorKind::ArgumentConflict, text).exit();
    }
    match run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::error(&error);
            crate::failure::exit_code(&error)
        }
    }
}

/// A panic ends in one sentence and the exit code of a bug, not in a backtrace or a signal.
fn die_of_a_bug(panic: &std::panic::PanicHookInfo<'_>) {
    let place = panic.location().map(|place| format!(" ({place})")).unwrap_or_default();
    let what = panic.payload_as_str().unwrap_or("a panic");
    output::note(&format!("error: {}: {what}{place}\n", crate::failure::Blame::Bug));
    #[allow(clippy::exit, reason = "the last thing a process does whose state can't be trusted")]
    std::process::exit(4)
}

fn run(cli: &Cli) -> anyhow::Result<()> {
    let paths = crate::site::paths::SitePaths::new(&cli.site);
    match &cli.command {
        Command::Arm(args) => arm::run(args, cli.json, &paths),
        Command::Bundle(args) => bundle::run(args, &paths),
        Command::Check(args) => check::run(args, cli.json, &paths),
        Command::Formats(args) => formats::run(args, cli.json),
        Command::Image(args) => image::run(args, cli.json, &paths),
        Command::Import(args) => import::run(args, cli.json, &paths),
        Command::Dev(args) => dev::run(args, &paths),
        Command::Dhcp(args) => dhcp::run(args, &paths),
        Command::Disarm(args) => disarm::run(args, &paths),
        Command::Explain(args) => explain::run(args, cli.json, &paths),
        Command::Facts(args) => facts::run(args, &paths),
        Command::Init(args) => init::run(args),
        Command::Key(args) => key::run(args, cli.json, &paths),
        Command::Lint(args) => lint::run(args, cli.json),
        Command::Lock(args) => lock::run(args, &paths),
        Command::Passwd(args) => passwd::run(args),
        Command::Recorder(args) => recorder::run(args, cli.json),
        Command::Render(args) => render::run(args, &paths),
        Command::Schema(args) => schema::run(args),
        Command::Serve(args) => serve::run(args, &paths),
        Command::Simulate(args) => simulate::run(args, cli.json, &paths),
        Command::Status(args) => status::run(args, cli.json, &paths),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_for_the_commands_that_heed_it() {
        let speaks = |words: &str| Cli::try_parse_from(words.split(' ')).unwrap().command.speaks_json();
        for words in [
            "i --json check",
            "i arm web01 --json",
            "i image list --json",
            "i status --json",
            "i key show --json",
            "i explain web01 --json",
        ] {
            assert!(speaks(words), "{words}");
        }
        for words in [
            "i --json lock",
            "i key rotate --json",
            "i disarm web01 --json",
            "i image verify --json",
            "i bundle --usb x --json",
        ] {
            assert!(!speaks(words), "{words}");
        }
    }
}
