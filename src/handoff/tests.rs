//! What hosts are refused, what their files say, and hostile values that stay values.

use super::*;
use crate::host::handoff::{AnsiblePull, CloudInit, Handoff, Script};
use crate::host::{Host, testing};
use crate::image_rules::testing::MapTree;
use crate::spec::image::ImagePin;
use crate::spec::system::User;
use crate::value::Digest;

mod real_tests;
mod run_tests;

fn order() -> OrderId {
    OrderId::from_random([7; 16])
}

fn host(handoff: Handoff) -> LockedHost {
    let image: crate::value::ImageRef = "debian-12-base@1.3.0".parse().unwrap();
    let host = Host { image: Some(ImageSource::Store(image.clone())), handoff, ..testing::host() };
    LockedHost { host, image: ImagePin { image, manifest: Digest::of(b"") } }
}

fn site(server: Option<&str>) -> Site {
    Site { server: server.map(|server| server.parse().unwrap()), ..testing::site() }
}

fn image(tools: &[&str]) -> ImageSystem {
    ImageSystem {
        os: "debian".to_owned(),
        os_version: "12".to_owned(),
        kernel: "6.1.0".to_owned(),
        network: NetworkStack::Networkd,
        selinux_enforcing: false,
        tools: tools.iter().map(|tool| (*tool).to_owned()).collect(),
    }
}

const ALL: &[&str] =
    &["ansible-pull", "cloud-init", "curl", "git", "python3", "ssh-keygen", "sshd", "sudo", "wget"];

fn made(handoff: Handoff) -> SystemSpec {
    system(&host(handoff), &site(Some("http://10.0.2.2:8080")), &image(ALL), &MapTree::usual(), &order())
        .unwrap()
}

fn refusal(handoff: Handoff) -> String {
    system(&host(handoff), &site(None), &image(ALL), &MapTree::usual(), &order()).unwrap_err().to_string()
}

fn content<'a>(system: &'a SystemSpec, path: &str) -> &'a str {
    &system.files.iter().find(|file| file.path == path).unwrap_or_else(|| panic!("no {path}")).content
}

fn cloud_init(user_data: &str) -> Handoff {
    Handoff::to(CloudInit { user_data: user_data.to_owned() })
}

fn ansible(playbook: &str, revision: Option<&str>) -> Handoff {
    Handoff::to(AnsiblePull {
        url: "http://git.example/site.git".parse().unwrap(),
        playbook: playbook.to_owned(),
        revision: revision.map(str::to_owned),
    })
}

fn script(content: &str) -> Handoff {
    Handoff::to(Script { content: content.to_owned() })
}

#[test]
fn the_profile_s_accounts_and_zone_are_carried_over() {
    let mut host = host(Handoff::none());
    host.host.users.push(User {
        name: "ops".parse().unwrap(),
        full_name: None,
        uid: Some(1500),
        password: None,
        groups: Vec::new(),
        ssh_keys: Vec::new(),
        sudo: Sudo::Nopasswd,
        shell: "/bin/sh".to_owned(),
    });
    let system = system(&host, &site(None), &image(ALL), &MapTree::usual(), &order()).unwrap();
    assert_eq!(system.users, host.host.users);
    assert_eq!(system.hostname, host.host.name);
    assert_eq!(system.timezone.as_deref(), Some("Europe/Berlin"));
    assert_eq!(system.units, ["ironstrap-handoff.service"]);
}

#[test]
fn cloud_init_reads_our_seed_and_nothing_else() {
    let user_data = "#cloud-config\nruncmd: [[touch, /etc/x]]\n";
    let system = made(cloud_init(user_data));
    assert_eq!(content(&system, "/var/lib/cloud/seed/nocloud/user-data"), user_data);
    let meta: serde_json::Value =
        serde_json::from_str(content(&system, "/var/lib/cloud/seed/nocloud/meta-data")).unwrap();
    assert_eq!(meta["instance-id"], format!("ironstrap-{}", order()));
    assert_eq!(meta["local-hostname"], "web01.example.com");
    let config: serde_yaml::Value =
        serde_yaml::from_str(content(&system, "/etc/cloud/cloud.cfg.d/99-ironstrap.cfg")).unwrap();
    assert_eq!(config["datasource_list"][0], "NoCloud");
    assert!(config["datasource"]["NoCloud"]["fs_label"].is_null());
    assert_eq!(config["ssh_deletekeys"], false);
    assert_eq!(config["network"]["config"], "disabled");
    assert!(system.units.contains(&"cloud-init.target".to_owned()));
    let seed = system.files.iter().find(|file| file.path.ends_with("/user-data")).unwrap();
    assert_eq!(seed.mode, 0o600);
}

#[test]
fn an_image_s_cloud_init_is_off_where_nobody_asked_for_it() {
    let off =
        |system: &SystemSpec| system.files.iter().any(|file| file.path == "/etc/cloud/cloud-init.disabled");
    assert!(off(&made(Handoff::none())) && off(&made(script("#!/bin/sh\n"))));
    assert!(!off(&made(cloud_init("#cloud-config\n"))));
    let without =
        system(&host(Handoff::none()), &site(None), &image(&[]), &MapTree::usual(), &order()).unwrap();
    assert!(!off(&without));
}

#[test]
fn user_data_that_cloud_init_would_ignore_is_refused() {
    for good in ["#cloud-config", "#!/bin/sh\n", "## template: jinja\n#cloud-config\n", "#cloud-config \r\n"]
    {
        made(cloud_init(good));
    }
    made(cloud_init("Content-Type: multipart/mixed; boundary=x\nMIME-Version: 1.0\n"));
    for bad in ["", "hostname: x\n", "# cloud-config\n", "#cloud-confg\n", "\n#cloud-config\n"] {
        let error = refusal(cloud_init(bad));
        assert!(error.contains("handoff.cloud_init.user_data: the first line"), "{error}");
    }
}

#[test]
fn ansible_pull_clones_in_full_and_runs_locally() {
    let system = made(ansible("site/web.yml", Some("v1.2")));
    let text = content(&system, "/usr/lib/ironstrap/handoff-run");
    for part in [
        "--url 'http://git.example/site.git'",
        "--directory /var/lib/ironstrap/ansible --full",
        "--inventory \"$work/inventory\"",
        "--limit \"$host,$short,localhost\" --connection local --checkout 'v1.2' 'site/web.yml' 2>&1",
        "host='web01.example.com'\n",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    let head = made(ansible("web.yml", None));
    assert!(content(&head, "/usr/lib/ironstrap/handoff-run").contains("--connection local 'web.yml' 2>&1"));
}

#[test]
fn playbooks_and_revisions_that_a_shell_or_git_would_read_are_refused() {
    let hostile = [
        "",
        "$(reboot)",
        "`x`",
        "a b",
        "a'b",
        "a\"b",
        "a\nb",
        "-e",
        "../x",
        "/etc/x",
        "a//b",
        "a;b",
        "{{x}}",
        "@URL@",
        "a/-x",
    ];
    for text in hostile {
        let playbook = refusal(ansible(text, None));
        assert!(playbook.contains("handoff.ansible.pull.playbook: `"), "{playbook}");
        let revision = refusal(ansible("web.yml", Some(text)));
        assert!(revision.contains("handoff.ansible.pull.revision: `"), "{revision}");
    }
    let both = refusal(ansible("$(a)", Some("$(b)")));
    assert!(both.contains("$(a)") && both.contains("$(b)"), "{both}");
}

#[test]
fn a_script_needs_an_interpreter() {
    for text in ["", "echo hi\n", "#!\n", "#! sh\n", "#!/bin/sh\r\necho\r\n", "#!/bin/sh\n\0"] {
        let error = refusal(script(text));
        assert!(error.contains("handoff.script: "), "{error}");
    }
    let text = "#!/bin/sh\necho \"$(id)\" 'x' %n\n";
    let system = made(script(text));
    let file = system.files.iter().find(|file| file.path == "/usr/lib/ironstrap/handoff-run").unwrap();
    assert_eq!((file.content.as_str(), file.mode), (text, 0o700));
}

#[test]
fn everything_that_the_image_lacks_is_named_at_once() {
    let mut host = host(ansible("web.yml", None));
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ ops@example";
    host.host.root.ssh_keys.push(key.parse().unwrap());
    let bare = ImageSystem { network: NetworkStack::Unknown, ..image(&[]) };
    let error = system(&host, &site(Some("http://10.0.2.2")), &bare, &MapTree::usual(), &order())
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("web01.example.com: can't be installed with debian-12-base@1.3.0:"), "{error}");
    for part in ["`sshd`", "`ansible-pull`", "`git`", "`curl`, `wget`, `python3`", "network stack"] {
        assert!(error.contains(part), "{part} in {error}");
    }
    let error =
        system(&super::tests::host(cloud_init("x")), &site(None), &image(&[]), &MapTree::usual(), &order());
    let error = error.unwrap_err().to_string();
    assert!(error.contains("no `cloud-init`") && error.contains("the first line is `…`"), "{error}");
}

#[test]
fn units_hold_nothing_that_systemd_would_expand() {
    for handoff in
        [Handoff::none(), cloud_init("#cloud-config"), ansible("web.yml", None), script("#!/bin/sh")]
    {
        let system = made(handoff);
        let units = system.files.iter().filter(|file| file.path.starts_with("/etc/systemd/"));
        for unit in units {
            assert!(!unit.content.contains(['%', '$', '"']), "{}", unit.content);
        }
    }
}

#[test]
fn what_the_manifest_and_what_the_tree_tells_is_refused_together() {
    let mut host = host(cloud_init("#cloud-config\n{}\n"));
    host.host.locale.timezone = "Mars/Olympus".to_owned();
    let tree = MapTree::usual().without("/lib/systemd/system/cloud-init.target");
    let error = system(&host, &site(None), &image(&[]), &tree, &order()).unwrap_err().to_string();
    for wanted in ["no `cloud-init`", "time zone `Mars/Olympus`", "no unit `cloud-init.target`"] {
        assert!(error.contains(wanted), "{wanted} is missing: {error}");
    }
}
