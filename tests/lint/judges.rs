//! Our models beside the real readers: partman-auto's decoder and GRUB's parser. Skipped aloud where they aren't there.

use std::process::Command;

use ironstrap::grammar::{grub, recipe};

use super::expect;

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn pick<'t>(&mut self, from: &[&'t str]) -> &'t str {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        from[(self.0 >> 33) as usize % from.len()]
    }

    fn text(&mut self, pieces: &[&str], count: usize, between: &str) -> String {
        (0..count).map(|_| self.pick(pieces)).collect::<Vec<_>>().join(between)
    }
}

const RECIPES: [&str; 18] = [
    "web ::\n500 10000 -1 ext4 method{ format } format{ } mountpoint{ / } .\n",
    "a :: 538 538 1075 free $iflabel{ gpt } $reusemethod{ } method{ efi } format{ } .\n1 1 1 ext3 $iflabel{ msdos } $primary{ } . 64 512 200% linux-swap method{ swap } format{ } .",
    "8G 100 -1 ext4 . 100 1000 -1 ext4 mountpoint{ / } .",
    "1.5 2 3 ext4 .",
    "100 1000 -1 zfs mountpoint{ / } .",
    "100 50 20 ext4 .",
    "100 1000 8G btrfs filesystem{ btrfs } .",
    "100% 200% 300% linux-swap . 50+10% 60+20% 70+30% ext4 .",
    "100 1000 -1 $default_filesystem mountpoint{ / } .",
    "1 2 3 ext4 mountpoint{ / } . 1 2 3 ext4 mountpoint{ /a }",
    "1 2 3 ext4 mountpoint{ / } . 1 2 3 ext4 mountpoint{ /a }. 1 2 3 ext4 mountpoint{ /b } .",
    "one : 1 2 3 ext4 . two :: 4 5 6 ext4 .",
    "1 2 3 ext4 stray two :: 4 5 6 ext4 .",
    "-1 -1 -1 ext4 .",
    "1 -1 -2 ext4 .",
    "10 max max ext4 .",
    "1 2 3 ext4 $iflabel{ gpt} . 4 5 6 ext4 $iflabel{gpt } . 7 8 9 ext4 $iflabel{ a b } .",
    "1 2 3 ext4 $iflabel{ msdos } $iflabel{ gpt } . 1 2 3 ext4 $iflabel{ gpt } $iflabel{ msdos } . 5 5 5 xfs .",
];

#[test]
fn recipes_are_decoded_as_the_installer_decodes_them() {
    let (Some(script), Some(udeb)) = (expect::shared("tools/check_recipe.sh"), expect::partman_auto()) else {
        return;
    };
    let mut dice = Dice(1);
    let pieces = [
        "1",
        "20",
        "300",
        "8G",
        "10%",
        "5+20%",
        "-1",
        "x",
        "ext4",
        "zfs",
        "free",
        "method{ a }",
        "$iflabel{ gpt }",
        "$iflabel{ msdos }",
        "lv_name{ r }",
    ];
    let made = (0..40).map(|_| {
        let partition = |dice: &mut Dice| format!("{} .", dice.text(&pieces, 6, " "));
        (0..3).map(|_| partition(&mut dice)).collect::<Vec<_>>().join("\n")
    });
    let recipes: Vec<String> = RECIPES.iter().map(|text| (*text).to_owned()).chain(made).collect();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("recipe");
    let machine = recipe::Machine { label: Some("gpt"), ..recipe::Machine::default() };
    for text in recipes {
        std::fs::write(&file, &text).unwrap();
        let output = Command::new(&script).arg(&udeb).arg(&file).output().unwrap();
        assert!(output.status.success(), "{text}: {}", String::from_utf8_lossy(&output.stderr));
        let printed = String::from_utf8(output.stdout).unwrap();
        let (_, scheme) = printed.split_once('\n').unwrap();
        let real: Vec<_> = scheme.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
        let ours = recipe::decode(recipe::words(&text), &machine);
        let ours: Vec<_> =
            ours.partitions.iter().map(|partition| partition.to_string().trim_end().to_owned()).collect();
        assert_eq!(ours, real, "{text}");
    }
}

const SCRIPTS: [&str; 52] = [
    "menuentry x { }",
    "menuentry x {\nlinux /a\n}",
    "if true; then\nfi",
    "if true; then echo; fi",
    "for i in a b; do echo $i; done",
    "function f { echo; }\nf",
    "function f { echo }\nf",
    "menuentry x { echo }",
    "a | b",
    "a & b",
    "a ;; b",
    ";",
    "a}b",
    "echo a{b",
    "echo { echo b; }",
    "if",
    "echo if",
    "{ echo; }",
    "while true; do echo; done",
    "echo \"a",
    "echo 'a",
    "echo $\"a\"",
    "echo ${a",
    "echo $",
    "echo a\\",
    "a <b",
    "echo #x",
    "echo \"$(x)\"",
    "until x; do y; done",
    "case x",
    "echo ]]",
    "[[ a ]]",
    "echo a]]",
    "for 1 in a; do b; done",
    "\"for\" x",
    "for i in; do a; done",
    "for i; do a; done",
    "a { b; } { c; }",
    "f() { a; }",
    "if a; then b; elif c; then d; else e; fi",
    "if a; then b; else c; elif d; then e; fi",
    "a;\n;b",
    "a;\n\nb",
    "menuentry x\n{\n a\n}",
    "if a; then function f { b\n}\nfi",
    "set a=b{c}",
    "linux /k ds=nocloud;s=http://x/ ---",
    "a {\n#x\nb\n}",
    "",
    "# x",
    "echo ${1} $? \"$@\"",
    "if [ a = b ]; then c; fi",
];

#[test]
fn scripts_are_refused_if_and_only_if_grub_refuses_them() {
    if Command::new("grub-script-check").arg("--version").output().is_err() {
        return expect::missing_program("grub-script-check", "grub-common");
    }
    let mut dice = Dice(7);
    let pieces = [
        "a",
        " ",
        "\n",
        ";",
        "{",
        "}",
        " { ",
        "\n}\n",
        "if ",
        "; then ",
        "; fi",
        "\nfi\n",
        "else ",
        "for i in x",
        "; do ",
        "; done\n",
        "while ",
        "function f {\n",
        "$a",
        "${b}",
        "'q r'",
        "\"s $t\"",
        "#c\n",
        "\\\n",
        "\\;",
        "x=y",
        "menuentry m ",
        "echo ",
        "elif ",
        "]]",
        "[[",
        "in",
    ];
    let made = (0..400).map(|at| dice.text(&pieces, 2 + at % 12, "")).collect::<Vec<_>>();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("grub.cfg");
    let mut wrong = Vec::new();
    let (mut good, mut bad) = (0, 0);
    for text in SCRIPTS.iter().map(|text| (*text).to_owned()).chain(made) {
        std::fs::write(&file, format!("{text}\n")).unwrap();
        let real = Command::new("grub-script-check").arg(&file).output().unwrap().status.success();
        let ours = grub::parse(&format!("{text}\n"));
        if real {
            good += 1
        } else {
            bad += 1
        }
        if ours.is_ok() != real {
            wrong.push(format!(
                "{text:?}: GRUB {}, we say {ours:?}",
                if real { "takes it" } else { "refuses it" }
            ));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), good + bad, wrong.join("\n"));
    assert!(good > 40 && bad > 40, "{good} good, {bad} bad");
}
