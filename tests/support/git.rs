//! A Git repository that a static web server can serve.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::text;

/// Makes a bare repository with one commit of these files below a new directory in `dir`; returns the directory to serve.
///
/// # Errors
/// When `git` fails.
pub fn repository(dir: &Path, name: &str, files: &[(&str, &str)]) -> Result<PathBuf> {
    let (work, web) = (dir.join("git-work"), dir.join("git-web"));
    std::fs::create_dir_all(&web).with_context(|| format!("creating {}", web.display()))?;
    text(git().args(["init", "--quiet", "--initial-branch=main"]).arg(&work))?;
    for (path, content) in files {
        std::fs::write(work.join(path), content).with_context(|| format!("writing {path}"))?;
    }
    text(git().arg("-C").arg(&work).args(["add", "--all"]))?;
    text(git().arg("-C").arg(&work).args(["commit", "--quiet", "--message", "Configure"]))?;
    let bare = web.join(name);
    text(git().args(["clone", "--quiet", "--bare"]).arg(&work).arg(&bare))?;
    text(git().arg("-C").arg(&bare).arg("update-server-info"))?;
    Ok(web)
}

/// Git without the user's configuration.
fn git() -> Command {
    let mut command = Command::new("git");
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
    for role in ["AUTHOR", "COMMITTER"] {
        command
            .env(format!("GIT_{role}_NAME"), "operator")
            .env(format!("GIT_{role}_EMAIL"), "operator@example.org");
    }
    command
}
