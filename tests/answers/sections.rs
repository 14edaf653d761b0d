//! The scripts in rendered Kickstarts, run by shells on made-up machines: several disks, cards by address, connection
//! files, and the site's own scripts.

use std::path::Path;
use std::process::{Command, Output};

use super::disks::{BLANK, Disk, machine, script};
use super::rendered_if;

/// The Kickstart of one golden file.
fn kickstart(name: &str) -> String {
    let found = rendered_if(|path| path.file_name().is_some_and(|have| have == name));
    found.into_iter().next().unwrap().1
}

/// The script of the section that has this log.
fn section<'t>(text: &'t str, log: &str) -> &'t str {
    let (_, rest) = text.split_once(&format!("--log={log}\n")).unwrap();
    rest.split_once("\n%end").unwrap().0
}

fn run(shell: &str, script: &str) -> Output {
    Command::new(shell).args(["-c", script]).output().unwrap()
}

fn write(path: &Path, content: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, content).unwrap();
}

/// What the selection of a host with a further disk says, in each shell.
fn disks(name: &str, variable: &str, disks: &[Disk], wwid: Option<(&str, &str)>) -> Vec<String> {
    let script = script(&kickstart(name), "cat > /tmp");
    ["dash", "bash"]
        .map(|shell| {
            let dir = tempfile::tempdir().unwrap();
            machine(dir.path(), disks);
            if let Some((disk, wwid)) = wwid {
                write(&dir.path().join("sys").join(disk).join("wwid"), wwid);
            }
            let tmp = dir.path().display();
            let script = script
                .replace("/sys/block", &format!("{tmp}/sys"))
                .replace("disk=/dev/", &format!("disk={tmp}/dev/"));
            let whole = format!(
                "udevadm() {{ :; }}\nrefuse() {{ echo \"refused: $1\"; exit 0; }}\n{script}\necho \"$found ${variable}\"\n"
            );
            String::from_utf8(run(shell, &whole).stdout).unwrap().trim().to_owned()
        })
        .to_vec()
}

#[test]
fn each_disk_of_a_layout_is_found_by_its_own_selector() {
    let disk = |name, serial| Disk { name, serial, ..BLANK };
    let said = |disks: &[Disk]| self::disks("subvolumes@fedora-44.kickstart", "disk_second", disks, None);
    for said in said(&[disk("vda", "B2"), disk("vdb", "B1"), disk("vdc", "OTHER")]) {
        assert_eq!(said, "vdb vda");
    }
    for said in said(&[disk("vdb", "B1")]) {
        assert!(said.starts_with("refused: 0 disks match 'storage.disks[second]'"), "{said}");
    }
    for said in said(&[disk("vda", "B2"), disk("vdb", "B1"), disk("vdc", "B2")]) {
        assert!(said.starts_with("refused: 2 disks match 'storage.disks[second]'"), "{said}");
    }
    for said in said(&[Disk { data: Some(5), ..disk("vda", "B2") }, disk("vdb", "B1")]) {
        assert!(said.contains("vda holds data"), "{said}");
    }
}

#[test]
fn no_disk_is_taken_twice() {
    let wwid = Some(("vda", "naa.5000c500a1b2c3d4"));
    let one = [Disk { name: "vda", serial: "G1", ..BLANK }];
    for said in disks("twice@el-9.kickstart", "disk_data", &one, wwid) {
        assert!(said.starts_with("refused: vda matches storage.target of the host and another"), "{said}");
    }
    let two = [Disk { name: "vda", serial: "OTHER", ..BLANK }, Disk { name: "vdb", serial: "G1", ..BLANK }];
    for said in disks("twice@el-9.kickstart", "disk_data", &two, wwid) {
        assert_eq!(said, "vdb vda");
    }
}

/// What the cards of the golden host `stack` are called on a machine with these: name, address, whether it is a device.
fn cards(have: &[(&str, &str, bool)], bonded: Option<(&str, &str)>) -> Vec<String> {
    let script = script(&kickstart("stack@el-9.kickstart"), "cat > /tmp/ironstrap-network.ks");
    ["dash", "bash"]
        .map(|shell| {
            let dir = tempfile::tempdir().unwrap();
            for (name, address, is_device) in have {
                write(&dir.path().join(name).join("address"), &format!("{address}\n"));
                if *is_device {
                    write(&dir.path().join(name).join("device/vendor"), "");
                }
            }
            if let Some((name, address)) = bonded {
                write(&dir.path().join(name).join("bonding_slave/perm_hwaddr"), &format!("{address}\n"));
            }
            let script = script.replace("/sys/class/net", &dir.path().display().to_string());
            let whole = format!(
                "refuse() {{ echo \"refused: $1\"; exit 0; }}\n{script}\necho \"$card0 $card1 $card2\"\n"
            );
            String::from_utf8(run(shell, &whole).stdout).unwrap().trim().to_owned()
        })
        .to_vec()
}

#[test]
fn members_of_bonds_and_bridges_are_found_by_their_addresses() {
    let [a, b, c] = ["52:54:00:00:02:06", "52:54:00:00:02:07", "52:54:00:00:02:08"];
    let all = [("ens5", c, true), ("eth0", a, true), ("ens4", b, true), ("bond0", a, false)];
    assert_eq!(cards(&all, None), ["eth0 ens4 ens5"; 2]);
    // in a bond all members show one address
    let bonded = [("ens5", c, true), ("eth0", a, true), ("ens4", a, true)];
    assert!(cards(&bonded, None)[0].starts_with(&format!("refused: 2 network cards have the address {a}")));
    assert_eq!(cards(&bonded, Some(("ens4", b))), ["eth0 ens4 ens5"; 2]);
    for said in cards(&[("ens5", c, true), ("eth0", a, true)], None) {
        assert_eq!(said, format!("refused: 0 network cards have the address {b}, not one"));
    }
}

/// Runs the additions of the golden host `cards` on these connection files and returns them, or what was said.
fn connections(shell: &str, files: &[(&str, &str)]) -> Result<Vec<String>, String> {
    let text = kickstart("cards@el-9.kickstart");
    let dir = tempfile::tempdir().unwrap();
    let (net, etc) = (dir.path().join("net"), dir.path().join("etc"));
    for (name, address) in [("ens3", "52:54:00:00:02:01"), ("ens4", "52:54:00:00:02:02")] {
        write(&net.join(name).join("address"), &format!("{address}\n"));
        write(&net.join(name).join("device/vendor"), "");
    }
    for (name, content) in files {
        write(&etc.join(name), content);
    }
    let script = section(&text, "/var/log/ironstrap-network.log")
        .replace("/sys/class/net", &net.display().to_string())
        .replace("/etc/NetworkManager/system-connections", &etc.display().to_string());
    let output = run(shell, &script);
    if !output.status.success() {
        return Err(String::from_utf8(output.stdout).unwrap());
    }
    Ok(files.iter().map(|(name, _)| std::fs::read_to_string(etc.join(name)).unwrap()).collect())
}

#[test]
fn more_addresses_and_routes_are_added_to_the_one_connection_of_each_link() {
    let files = [
        ("ens3.nmconnection", "[connection]\ninterface-name=ens3\n\n[ipv4]\naddress1=10.0.0.11/24\n"),
        ("Wired 1.nmconnection", "[ethernet]\nmac-address=52:54:00:00:02:02\n"),
        ("v100.nmconnection", "[connection]\ninterface-name=v100\n[vlan]\nparent=ens3\n"),
    ];
    for shell in ["dash", "bash"] {
        let [ens3, wired, vlan] = connections(shell, &files).unwrap().try_into().unwrap();
        let added = "\n[ipv4]\naddress2=10.0.0.12/24\naddress3=10.1.0.12/24\nroute1=10.9.0.0/16,10.0.0.254,100\n\
            [ipv6]\naddress2=2001:db8::12/64\nroute1=2001:db8:9::/48,2001:db8::fe\n";
        assert_eq!(ens3, format!("{}{added}", files[0].1));
        assert!(wired.ends_with("\n[ipv4]\nroute1=10.8.0.0/16,10.7.0.1\n"), "{wired}");
        assert!(vlan.ends_with("\n[ipv4]\naddress2=10.100.0.12/24\n"), "{vlan}");
        // none, or two: the install fails and says why
        let said = connections(shell, &files[..2]).unwrap_err();
        assert_eq!(said, "ironstrap: 0 connections are for v100 none, not one\n");
        let twice = [files[0], ("other.nmconnection", files[0].1), files[1], files[2]];
        assert!(
            connections(shell, &twice).unwrap_err().starts_with("ironstrap: 2 connections are for ens3 ")
        );
    }
}

#[test]
fn the_site_s_scripts_run_in_the_installer_which_has_no_base64() {
    let text = kickstart("full.example.com@el-9.kickstart");
    for (log, said) in [
        ("/tmp/ironstrap-site-pre.log", "pre"),
        ("/tmp/ironstrap-on-error.log", "error"),
        ("/mnt/sysroot/var/log/ironstrap-outside.log", "outside"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let script = section(&text, log).replace("/tmp/ironstrap", &dir.path().display().to_string());
        assert!(!script.contains("base64 -d"), "{script}");
        for shell in ["dash", "bash"] {
            let output = run(shell, &script);
            // the golden scripts go on with lines that their shell doesn't know
            let told = String::from_utf8(output.stdout).unwrap();
            assert_eq!(told.lines().nth(1), Some(said), "{log}: {told}");
            assert!(told.starts_with("ironstrap: running scripts/"), "{told}");
        }
    }
}

/// What the check of a golden image says where only these programs are there, and the shadow file holds this of `ops`.
fn image(name: &str, programs: &[&str], password: &str) -> Vec<(bool, String)> {
    let text = kickstart(name);
    let script = section(&text, "/var/log/ironstrap-image.log");
    ["dash", "bash"]
        .map(|shell| {
            let known = programs.join("|");
            let stubs = format!(
                "command() {{ case $2 in {known}) ;; *) return 1;; esac; }}\ngetent() {{ echo 'ops:{password}:1:::::'; }}\n"
            );
            let output = run(shell, &(stubs + script));
            (output.status.success(), String::from_utf8(output.stdout).unwrap())
        })
        .to_vec()
}

#[test]
fn an_image_without_what_the_host_needs_fails_the_installation_aloud() {
    const HASH: &str = "$6$abcdefgh$0123456789abcdef";
    let all = ["sshd", "sudo", "ansible-pull", "git"];
    for name in ["tar.example.com@el-9.kickstart", "tar.example.com@fedora-44.kickstart"] {
        for said in image(name, &all, HASH) {
            assert_eq!(said, (true, String::new()), "{name}");
        }
        for said in image(name, &["sshd", "sudo", "git"], HASH) {
            assert!(!said.0 && said.1.contains("the golden image has no ansible-pull"), "{said:?}");
        }
        // the installer leaves an account of the image as it is
        for said in image(name, &all, "!!") {
            assert!(!said.0 && said.1.contains("an account of its own named ops"), "{said:?}");
        }
    }
    for said in image("container@el-10.kickstart", &["sshd", "sudo"], HASH) {
        assert_eq!(said, (true, String::new()));
    }
}

#[test]
fn nothing_of_a_container_image_s_own_is_written_to() {
    let text = kickstart("container@fedora-44.kickstart");
    let script = section(&text, "/var/log/ironstrap-setup.log");
    let written: Vec<_> = script
        .lines()
        .filter_map(|line| line.rsplit_once("> ").map(|(_, path)| path.trim_end_matches(" <<'IRONSTRAP'")))
        .filter(|path| path.starts_with('/') && !path.starts_with("/dev/"))
        .collect();
    assert!(written.len() > 6, "{written:?}");
    for path in written {
        assert!(path.starts_with("/etc/") || path.starts_with("/var/"), "{path} can't be written there");
    }
    assert!(!script.contains("/usr/lib/ironstrap"));
}
