//! What a build would do, without doing it.

use std::process::Output;

use super::*;

const EXAMPLE: &str = include_str!("../../profiles/example/recipes/debian-12-base.yaml");

#[test]
fn the_example_recipe_asks_for_what_it_says() {
    let recipe = Recipe::parse(EXAMPLE).unwrap();
    let arguments: Vec<_> =
        arguments(&recipe, Path::new("/w")).into_iter().map(|a| a.into_string().unwrap()).collect();
    assert!(arguments.iter().any(|a| a.starts_with("--include=") && a.contains("linux-image-amd64,")));
    assert!(arguments.contains(&"--customize-hook=/w/hook".to_owned()));
    assert_eq!(arguments[arguments.len() - 2..], ["bookworm", "-"]);
}

#[test]
fn the_menu_boots_the_newest_kernel_from_the_images_own_root() {
    let recipe = Recipe::parse(EXAMPLE).unwrap();
    let identity = Identity::of(&recipe.image);
    let menu = grub_menu(&recipe, &identity);
    let line =
        format!("\tlinux /vmlinuz root=UUID={} ro console=tty0 console=ttyS0,115200n8\n", identity.root);
    assert!(menu.contains(&line), "{menu}");
    assert!(grub_finder(&identity).contains(&identity.root.to_string()));
    assert!(fstab(&identity).contains(&identity.esp_uuid()));
}

/// A mmdebstrap that fails as the real one does.
struct Failing(&'static str);

impl Runner for Failing {
    fn run(&self, _: &str, _: &[OsString]) -> std::io::Result<Output> {
        use std::os::unix::process::ExitStatusExt as _;
        let status = std::process::ExitStatus::from_raw(256);
        Ok(Output { status, stdout: Vec::new(), stderr: self.0.as_bytes().to_vec() })
    }
}

#[test]
fn a_missing_tool_and_packages_that_do_not_fit_are_said_plainly() {
    let recipe = Recipe::parse(EXAMPLE).unwrap();
    let tools = tempfile::tempdir().unwrap();
    let bare = build(&recipe, &Failing(""), tools.path().as_os_str()).unwrap_err();
    if !Path::new("/usr/sbin/mmdebstrap").exists() {
        assert!(bare.to_string().contains("package `mmdebstrap`"), "{bare}");
    }
    for tool in ["mmdebstrap", "mke2fs", "unshare"] {
        fs::write(tools.path().join(tool), "").unwrap();
    }
    let full = Failing(
        "mke2fs: Could not allocate block in ext2 filesystem while populating file system\nE: hook\n",
    );
    let error = format!("{:#}", build(&recipe, &full, tools.path().as_os_str()).unwrap_err());
    assert!(error.contains("raise `size`"), "{error}");
    let unknown = Failing("E: Unable to locate package nonesuch\n");
    let error = format!("{:#}", build(&recipe, &unknown, tools.path().as_os_str()).unwrap_err());
    assert!(error.contains("nonesuch"), "{error}");
}

#[test]
fn nobody_else_gets_at_the_image_before_it_is_signed() {
    let recipe = Recipe::parse(EXAMPLE).unwrap();
    let work = tempfile::tempdir().unwrap();
    if let Err(error) = prepare(work.path(), &recipe, &Identity::of(&recipe.image)) {
        return eprintln!("skipped: {error:#}");
    }
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
    // of an access list, the group's bits show what the one admitted user may
    assert_eq!(mode(work.path()) & 0o707, 0o700);
    if rustix::process::geteuid().is_root() {
        assert_eq!((mode(work.path()) & 0o777, mode(&work.path().join("root.img")) & 0o777), (0o700, 0o600));
    }
}
