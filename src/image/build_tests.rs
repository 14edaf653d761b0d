//! What a build would do, without doing it.

use std::process::Output;

use super::*;

const EXAMPLE: &str = include_str!("../../profiles/example/recipes/debian-12-base.yaml");

#[test]
fn the_example_recipe_asks_for_what_it_says() {
    let recipe = Recipe::read("recipe.yaml", EXAMPLE).unwrap();
    let arguments: Vec<_> =
        arguments(&recipe, Path::new("/w")).into_iter().map(|a| a.into_string().unwrap()).collect();
    assert!(arguments.iter().any(|a| a.starts_with("--include=") && a.contains("linux-image-amd64,")));
    assert!(arguments.contains(&"--customize-hook=/w/hook".to_owned()));
    assert_eq!(arguments[arguments.len() - 2..], ["bookworm", "-"]);
}

/// Every user of a machine sees the arguments of every process.
#[test]
fn no_text_of_a_recipe_that_may_be_a_secret_is_an_argument() {
    let recipe = EXAMPLE.replace("\nfiles:\n", "\nfiles:\n  - path: /etc/token\n    content: canary7\n");
    let recipe = recipe.replace("kernel_args: [", "kernel_args: [token=canary7, ");
    let recipe = Recipe::read("recipe.yaml", &recipe).unwrap();
    assert!(recipe.files.iter().any(|file| file.content.contains("canary7")));
    let arguments = arguments(&recipe, Path::new("/w"));
    assert!(!format!("{arguments:?}").contains("canary7"), "{arguments:?}");
    let mirror = format!("{EXAMPLE}\nmirror: http://ops:canary7@mirror.example/debian\n");
    let error = Recipe::read("recipe.yaml", &mirror).unwrap_err().0.render(false);
    assert!(error.contains("user name or password") && !error.contains("canary7"), "{error}");
}

#[test]
fn the_menu_boots_the_newest_kernel_from_the_images_own_root() {
    let recipe = Recipe::read("recipe.yaml", EXAMPLE).unwrap();
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
    let recipe = Recipe::read("recipe.yaml", EXAMPLE).unwrap();
    let tools = tempfile::tempdir().unwrap();
    let bare = build(&recipe, &Failing(""), tools.path().as_os_str()).unwrap_err();
    if !Path::new("/usr/sbin/mmdebstrap").exists() {
        assert!(bare.to_string().contains("package `mmdebstrap`"), "{bare}");
    }
    for tool in ["mmdebstrap", "mke2fs", "unshare", "newuidmap"] {
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
    let recipe = Recipe::read("recipe.yaml", EXAMPLE).unwrap();
    let work = tempfile::tempdir().unwrap();
    if let Err(error) = prepare(work.path(), &recipe, &Identity::of(&recipe.image)) {
        return crate::expect::unavailable(&format!("{error:#}"));
    }
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
    // of an access list, the group's bits show what the one admitted user may
    assert_eq!(mode(work.path()) & 0o707, 0o700);
    if rustix::process::geteuid().is_root() {
        assert_eq!((mode(work.path()) & 0o777, mode(&work.path().join("root.img")) & 0o777), (0o700, 0o600));
    }
}

/// Runs the hook as mmdebstrap would in its second stage, in a user namespace, on a system that holds little but `tar`.
/// `None`, said aloud, where that isn't possible.
fn run_hook(recipe: &Recipe, root: &Path, work: &Path) -> Option<()> {
    prepare(work, recipe, &Identity::of(&recipe.image)).unwrap();
    let mut hook = std::process::Command::new("unshare");
    hook.args(["--map-root-user", "--mount"]).arg(work.join("hook")).arg(root);
    let output = hook.env("MMDEBSTRAP_HOOK", "customize").output();
    let said = output.as_ref().map(|output| String::from_utf8_lossy(&output.stderr).into_owned());
    match said {
        Ok(said) if !said.starts_with("unshare:") => {
            assert!(output.unwrap().status.success(), "{said}");
            Some(())
        }
        other => {
            crate::expect::unavailable(&format!("no user namespace here: {other:?}"));
            None
        }
    }
}

/// `/bin`, `/lib` and `/lib64` as Debian has them, `tar` with the libraries it needs, and directories with modes of
/// their own.
fn small_system(root: &Path) {
    let made = |path: &str, mode| {
        fs::create_dir_all(root.join(path)).unwrap();
        fs::set_permissions(root.join(path), fs::Permissions::from_mode(mode)).unwrap();
    };
    for (path, mode) in [("usr/bin", 0o755), ("root", 0o700), ("tmp", 0o1777), ("run", 0o755), ("var", 0o755)]
    {
        made(path, mode);
    }
    ["etc", "usr/lib", "usr/lib64"].into_iter().for_each(|path| made(path, 0o755));
    for name in ["bin", "lib", "lib64"] {
        std::os::unix::fs::symlink(format!("usr/{name}"), root.join(name)).unwrap();
    }
    // absolute, as Debian's is: it must lead to the image's directory, not to this machine's
    std::os::unix::fs::symlink("/run", root.join("var/run")).unwrap();
    let needs = std::process::Command::new("ldd").arg("/usr/bin/tar").output().unwrap();
    let needs = String::from_utf8(needs.stdout).unwrap();
    let libraries = needs.split_whitespace().filter(|word| word.starts_with('/'));
    for file in libraries.chain(["/usr/bin/tar"]) {
        let to = root.join(file.trim_start_matches('/'));
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(file, to).unwrap();
    }
}

#[test]
fn files_of_a_recipe_leave_the_images_directories_as_they_are() {
    let (before, _) = EXAMPLE.split_once("\nfiles:\n").unwrap();
    let files = r#"files: [{path: /root/.bashrc, content: "one"}, {path: /tmp/gone, content: "two"}, {path: /new/dir/run, content: "three", executable: true},
 {path: /lib/modules-load.d/a.conf, content: "four"}, {path: /var/run/inside, content: "five"}, {path: /etc/resolv.conf, content: "six"}]"#;
    let mut recipe = Recipe::read("recipe.yaml", &format!("{before}\n{files}\n")).unwrap();
    recipe.units.clear();
    let dir = tempfile::tempdir().unwrap();
    let (root, work) = (dir.path().join("root"), dir.path().join("work"));
    fs::create_dir(&work).unwrap();
    small_system(&root);
    if run_hook(&recipe, &root, &work).is_none() {
        return;
    }
    let mode = |path: &str| fs::metadata(root.join(path)).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode("root"), mode("tmp"), mode("usr/lib")), (0o700, 0o1777, 0o755));
    assert_eq!((mode("root/.bashrc"), mode("new"), mode("new/dir/run")), (0o644, 0o755, 0o755));
    let device = FileDevice::new(File::open(work.join("root.img")).unwrap(), recipe.root_size(), 512);
    let tree = Ext4Tree::open(Arc::new(device), 0, recipe.root_size()).unwrap();
    assert_eq!(
        tree.read("usr/lib/modules-load.d/a.conf").unwrap(),
        b"four",
        "links of the image are followed"
    );
    assert!(tree.exists("etc/fstab").unwrap() && !tree.exists("ironstrap-overlay.tar").unwrap());
    assert!(!tree.exists("tmp/gone").unwrap() && !Path::new("/run/inside").exists());
}
