//! Thousands of small files, made by breaking good lines, judged by pykickstart and by us.
//!
//! Whatever it refuses, we must call an error; whatever it takes, we mustn't, but for rules that it doesn't have.

use ironstrap::grammar::Severity;
use ironstrap::grammar::kickstart::{Arity, Release, State, Table, ValueShape, lint};

/// Lines that are right in some release, for what the tables alone don't make; `\n` stands for a line end.
const LINES: &str = include_str!("lines.ks");

/// Beginnings of our errors that pykickstart has no rule for, or only a warning.
const OURS: &[&str] = &[
    "network: --",
    "liveimg: ",
    "the password looks like a hash",
    "is defined nowhere",
    "is in line",
    "is no RAID member",
    "is no physical volume",
    "makes the thin pool",
    "isn't in its volume group",
    "are ignored, because",
    "is ignored:",
    "--maxsize is less",
    "is less than 0",
    "--noformat needs --onpart",
    "no logvol",
    "a backslash at the end",
    "names no file",
    // it only looks at part and logvol there
    "raid: rhel10 has no btrfs",
    "realm: it takes a comment",
    // pykickstart takes the option for a physical volume
    "volgroup: unknown option",
];

#[test]
fn we_refuse_what_pykickstart_refuses_and_little_else() {
    let Some(python) = super::expect::python() else { return };
    let mut files = Vec::new();
    for release in Release::ALL {
        let lines = LINES
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with("# "))
            .map(|line| line.replace("\\n", "\n"));
        let mut lines: Vec<_> = lines.collect();
        lines.extend(lines.clone().iter().flat_map(|line| broken(line)));
        lines.extend(from_tables(release));
        lines.sort();
        lines.dedup();
        if !super::expect::strict() {
            // a fourth of them is enough between two commits; the whole run judges all
            lines = lines.into_iter().step_by(4).collect();
        }
        // the include keeps rules about what is missing silent
        files.extend(lines.into_iter().map(|line| (release, format!("%include /tmp/x\n{line}\n"))));
    }
    let answers = super::judge(&python, &files);
    let refused = answers.iter().flatten().count();
    assert!(refused > 1500 && files.len() - refused > 1500, "{refused} of {} refused", files.len());
    let mut wrong = Vec::new();
    for ((release, text), answer) in files.iter().zip(&answers) {
        let errors: Vec<_> = lint(text, *release)
            .into_iter()
            .filter(|found| found.severity == Severity::Error)
            .map(|found| found.message)
            .collect();
        let theirs = errors.iter().filter(|what| !OURS.iter().any(|ours| what.contains(ours))).count();
        match answer {
            Some(why) if errors.is_empty() => wrong
                .push(format!("{release}: only pykickstart refuses {text:?}: {}", why.replace('\n', " "))),
            None if theirs > 0 => wrong.push(format!("{release}: only we refuse {text:?}: {errors:?}")),
            _ => {}
        }
    }
    let some = wrong[..wrong.len().min(100)].join("\n");
    assert!(wrong.is_empty(), "{} of {} differ:\n{some}", wrong.len(), files.len());
    eprintln!("{} files, {refused} of them refused by both", files.len());
}

/// A value of a kind.
fn value(kind: &ValueShape) -> &str {
    match kind {
        ValueShape::Text | ValueShape::List => "abc",
        ValueShape::Int => "5",
        ValueShape::Bool => "yes",
        ValueShape::Choice(known) | ValueShape::Word(known) => known[0],
    }
}

/// For each command and option of a release: what must be given, and that option, with both ways to write its value.
fn from_tables(release: Release) -> Vec<String> {
    let mut lines = Vec::new();
    for name in Table::of(release).commands() {
        let shape = Table::of(release).get(name).unwrap();
        assert_eq!(shape.state, State::Known);
        let mut base = name.to_owned();
        for positional in shape.positionals.iter().flatten().filter(|one| one.arity == Arity::One) {
            base += &format!(" {}", positional.choices.first().unwrap_or(&"/abc"));
        }
        for option in shape.options.iter().filter(|option| option.required) {
            base += &format!(" {}={}", option.names[0], value(&option.kind));
        }
        for option in &shape.options {
            for written in &option.names {
                if option.arity == Arity::Zero {
                    lines.push(format!("{base} {written}"));
                } else {
                    lines.push(format!("{base} {written}={}", value(&option.kind)));
                    lines.push(format!("{base} {written} {}", value(&option.kind)));
                }
                let beginning = &written[..written.len() - 1];
                lines.push(format!("{base} {beginning}"));
            }
        }
        lines.push(base);
    }
    lines
}

/// A line with one thing wrong, or with one thing odd, in every way that we could think of.
fn broken(line: &str) -> Vec<String> {
    let words: Vec<_> = line.split(' ').collect();
    let mut lines = vec![
        format!("x{line}"),
        format!("{line} --unknown"),
        format!("{line} --unknown=value"),
        format!("{line} surplus"),
        format!("{line} '"),
        format!("{line} \\"),
        format!("{line} # a comment"),
        format!("{line}#glued"),
        format!("{line} -"),
        format!("{line} -5"),
        format!("{line} -x"),
        format!("{line} \"\""),
    ];
    for at in 1..words.len() {
        let with = |word: &str| {
            let mut words = words.clone();
            words[at] = word;
            words.join(" ")
        };
        let mut without = words.clone();
        without.remove(at);
        lines.push(without.join(" "));
        let mut moved = words.clone();
        let word = moved.remove(at);
        moved.push(word);
        lines.push(moved.join(" "));
        lines.push(with(&format!("{}x", words[at])));
        if let Some((name, _)) = words[at].split_once('=') {
            lines.extend([
                with(name),
                with(&format!("{name}=")),
                with(&format!("{name}=8G")),
                with(&format!("{name}=0")),
            ]);
        } else if words[at].starts_with("--") {
            lines.push(with(&format!("{}=yes", words[at])));
        }
    }
    lines
}
