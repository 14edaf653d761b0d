//! Account files: what is added, kept and refused.

use super::*;
use crate::spec::system::Sudo;

fn files() -> AccountFiles {
    AccountFiles {
        passwd: "root:x:0:0:root:/root:/bin/bash\n# kept: as it is\ndebian:x:1000:1000:Debian:/home/debian:/bin/sh\n"
            .to_owned(),
        shadow: "root:$6$old$hash:19000:0:99999:7:::\ndebian:!:19000:0:99999:7:::\n".to_owned(),
        group: "root:x:0:\nsudo:x:27:debian\ndebian:x:1000:\nbuild:x:1001:\n".to_owned(),
        gshadow: Some("root:*::\nsudo:*::debian\ndebian:!::\n".to_owned()),
    }
}

fn user(name: &str, uid: Option<u32>, groups: &[&str]) -> User {
    User {
        name: name.parse().unwrap(),
        full_name: None,
        uid,
        password: None,
        groups: groups.iter().map(|group| group.parse().unwrap()).collect(),
        ssh_keys: Vec::new(),
        sudo: Sudo::No,
        shell: "/bin/bash".to_owned(),
    }
}

#[test]
fn new_accounts_get_free_ids_and_groups() {
    let users = [user("ops", None, &["sudo", "docker"]), user("fixed", Some(1002), &["docker"])];
    let (after, homes) = edit(&files(), &RootAccount::default(), &users).unwrap();
    assert_eq!(
        after.passwd,
        files().passwd + "fixed:x:1002:1002::/home/fixed:/bin/bash\nops:x:1003:1003::/home/ops:/bin/bash\n"
    );
    assert_eq!(
        after.shadow,
        "root:*::0:99999:7:::\ndebian:!:19000:0:99999:7:::\nfixed:*::0:99999:7:::\nops:*::0:99999:7:::\n"
    );
    assert_eq!(
        after.group,
        "root:x:0:\nsudo:x:27:debian,ops\ndebian:x:1000:\nbuild:x:1001:\nfixed:x:1002:\nops:x:1003:\ndocker:x:1004:ops,fixed\n"
    );
    assert_eq!(
        after.gshadow.unwrap(),
        "root:*::\nsudo:*::debian,ops\ndebian:!::\nfixed:!::\nops:!::\ndocker:!::ops,fixed\n"
    );
    let names: Vec<_> = homes.iter().map(|home| (home.path.as_str(), home.uid)).collect();
    assert_eq!(names, [("/root", 0), ("/home/ops", 1003), ("/home/fixed", 1002)]);
}

#[test]
fn editing_twice_changes_nothing_more() {
    let users = [user("ops", None, &["sudo", "docker"]), user("debian", None, &["docker"])];
    let root = RootAccount { password: Some("$6$abcdefgh$0123".parse().unwrap()), ssh_keys: Vec::new() };
    let (once, homes) = edit(&files(), &root, &users).unwrap();
    let (twice, homes_again) = edit(&once, &root, &users).unwrap();
    assert!(once == twice);
    assert_eq!(homes, homes_again);
    assert!(once.shadow.starts_with("root:$6$abcdefgh$0123::"));
}

#[test]
fn an_existing_account_keeps_its_ids_and_home() {
    let mut debian = user("debian", None, &[]);
    debian.shell = "/bin/zsh".to_owned();
    debian.password = Some("$y$j9T$abc$def".parse().unwrap());
    let (after, homes) = edit(&files(), &RootAccount::default(), &[debian]).unwrap();
    assert!(after.passwd.contains("debian:x:1000:1000:Debian:/home/debian:/bin/zsh\n"), "{}", after.passwd);
    assert!(after.shadow.contains("debian:$y$j9T$abc$def::0:99999:7:::\n"));
    assert_eq!(after.group, files().group);
    assert_eq!(homes[1].path, "/home/debian");
}

#[test]
fn a_person_s_name_leaves_what_stands_behind_it_and_an_absent_one_leaves_all() {
    let before = AccountFiles { passwd: files().passwd.replace(":Debian:", ":Debian,Room 5:"), ..files() };
    let named = |name| User { full_name: Some("Jane Doe".parse().unwrap()), ..user(name, None, &[]) };
    let (after, _) = edit(&before, &RootAccount::default(), &[named("debian"), named("ops")]).unwrap();
    assert!(after.passwd.contains(":Jane Doe,Room 5:/home/debian:"), "{}", after.passwd);
    assert!(after.passwd.contains(":Jane Doe:/home/ops:"), "{}", after.passwd);
    let (after, _) = edit(&before, &RootAccount::default(), &[user("debian", None, &[])]).unwrap();
    assert!(after.passwd.contains(":Debian,Room 5:"), "{}", after.passwd);
}

#[test]
fn a_system_without_gshadow_gets_none() {
    let before = AccountFiles { gshadow: None, ..files() };
    let (after, _) = edit(&before, &RootAccount::default(), &[user("ops", None, &["sudo"])]).unwrap();
    assert_eq!(after.gshadow, None);
    assert!(after.group.contains("sudo:x:27:debian,ops\n"));
}

#[test]
fn a_group_that_waits_for_its_user_is_used() {
    let (after, homes) = edit(&files(), &RootAccount::default(), &[user("build", Some(2000), &[])]).unwrap();
    assert!(after.passwd.ends_with("build:x:2000:1001::/home/build:/bin/bash\n"));
    assert_eq!((homes[1].uid, homes[1].gid), (2000, 1001));
}

#[test]
fn an_account_before_a_nis_line_is_found() {
    let before = AccountFiles { passwd: files().passwd + "+::::::\n", ..files() };
    let (after, _) = edit(&before, &RootAccount::default(), &[user("ops", None, &[])]).unwrap();
    assert!(after.passwd.ends_with("ops:x:1002:1002::/home/ops:/bin/bash\n+::::::\n"), "{}", after.passwd);
}

#[test]
fn what_collides_or_would_break_a_line_is_refused() {
    let with_shell = |shell: &str| User { shell: shell.to_owned(), ..user("ops", None, &[]) };
    let cases = [
        (vec![user("ops", Some(1000), &[])], "uid 1000 belongs to `debian`"),
        (vec![user("ops", Some(1001), &[])], "group id 1001 belongs to `build`"),
        (vec![user("debian", Some(1500), &[])], "the image has it with uid 1000"),
        (vec![user("ops", None, &[]), user("ops", None, &[])], "twice"),
        (vec![user("root", None, &[])], "`root:`"),
        (vec![with_shell("/bin/sh\nevil:x:0:0::/:/bin/sh")], "not the path of a shell"),
        (vec![with_shell("/bin/sh:x")], "not the path of a shell"),
        (vec![with_shell("bash")], "not the path of a shell"),
    ];
    for (users, expected) in cases {
        let error = edit(&files(), &RootAccount::default(), &users).err().unwrap();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn every_account_that_can_not_be_made_is_named() {
    let users =
        [user("ops", Some(1000), &["sudo"]), user("dev", Some(1001), &[]), user("fine", None, &["sudo"])];
    let Err(Incompatible(found)) = edit(&files(), &RootAccount::default(), &users) else {
        panic!("it was made")
    };
    assert_eq!(
        found,
        ["account `ops`: uid 1000 belongs to `debian`", "account `dev`: group id 1001 belongs to `build`"]
    );
}
