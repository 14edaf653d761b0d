//! Autoinstall → profile.
//!
//! The file is taken apart into nodes: a key with its value, an item of a list, or the line that begins a map or list. Each node
//! has its lines and an entry; what a handler doesn't take is kept if ironstrap's own file says it anyway, else refused.
//! Commands become scripts; `user-data` becomes the hand-off's, with its comments and without what cloud-init refuses.

mod network;
mod nodes;
mod storage;
mod system;
mod user_data;

use crate::answers::Answers;
use crate::grammar::autoinstall::Release;
use crate::grammar::autoinstall::yaml::{self, Node};
use crate::grammar::{self, Finding};
use crate::host::Os;

use super::layout::Part;
use super::line_report::Id;
use super::reader::{Reader, RenderedLines, has_words_of};
use super::reading::Reading;
use super::secret;
use nodes::Nodes;

/// The configuration, and the entries of its parts.
struct Given<'d> {
    config: &'d Node,
    nodes: Nodes,
}

impl<'d> Given<'d> {
    /// A part, by its path: `ssh.authorized-keys`.
    fn get(&self, path: &str) -> Option<&'d Node> {
        path.split('.').try_fold(self.config, Node::get)
    }

    /// The text of a part that is one.
    fn text(&self, path: &str) -> Option<(Id, &'d str)> {
        let text = self.get(path)?.text()?;
        Some((self.id(path), text)).filter(|(_, text)| !text.is_empty())
    }

    /// The entry of a part, or of what it stands in.
    fn id(&self, path: &str) -> Id {
        self.nodes.id(path)
    }
}

const NO_AUTOINSTALL: &str =
    "no autoinstall in it: cloud-init's user-data is named in `handoff: { cloud_init: { user_data: … } }`";

impl Reader for Release {
    /// Whether there is anything in a file that could be taken over.
    fn readable(&self, text: &str) -> Result<(), String> {
        parts(&yaml::document(text, &mut Vec::new())).map(drop)
    }

    /// Autoinstall files don't say which release they are for.
    fn release(&self, _: &str) -> Option<Os> {
        None
    }

    fn read(&self, text: &str, reading: &mut Reading<'_>) {
        read(*self, text, reading);
    }

    fn rendered_lines(&self, answers: &Answers) -> RenderedLines {
        rendered_lines(&answers.text)
    }

    fn laid_out(&self, answers: &Answers) -> Option<Vec<Part>> {
        Some(laid_out(&answers.text))
    }

    /// A value within a section; of those outside one is as good as another.
    fn agrees(&self, claim: &str, line: &str) -> bool {
        let path = claim.split_whitespace().next().unwrap_or_default();
        !path.contains('.') || has_words_of(claim, line)
    }

    /// An empty text is as good as none.
    fn says_nothing(&self, claim: &str) -> bool {
        claim.ends_with(" \"\"")
    }
}

/// A document and the configuration in it.
fn parts(opened: &Result<yaml::Document, Finding>) -> Result<(&yaml::Document, &Node), String> {
    match opened {
        Ok(document) => match config(&document.root) {
            Some(config) => Ok((document, config)),
            None => Err(NO_AUTOINSTALL.to_owned()),
        },
        Err(finding) => Err(format!("line {}: {}", finding.line, finding.message)),
    }
}

fn read(release: Release, text: &str, reading: &mut Reading<'_>) {
    reading.draft.push("classes", reading.os().name(), Id::NOBODY);
    reading.draft.put("installer", "subiquity", Id::NOBODY);
    let mut found = Vec::new();
    let opened = yaml::document(text, &mut found);
    let (document, config) = match parts(&opened) {
        Ok(parts) => parts,
        Err(why) => return whole(text, &why, reading),
    };
    let nodes = Nodes::enter(text, document, config, reading);
    tell(&found, document, reading);
    let given = Given { config, nodes };
    system::read(&given, reading);
    user_data::read(release, text, &given, reading);
    network::read(&given, reading);
    storage::read(&given, reading);
    given.nodes.settle(reading);
}

/// What readers of YAML 1.1 take for something else; of a key that is said twice its lines tell already.
fn tell(found: &[Finding], document: &yaml::Document, reading: &mut Reading<'_>) {
    let again = |line| document.asides.iter().any(|aside| aside.why == yaml::Why::Again(line));
    for finding in grammar::errors(found).filter(|finding| !again(finding.line)) {
        if let Some(id) = reading.report.of_line(finding.line) {
            reading.report.note(id, secret::shown(&finding.message));
        }
    }
}

/// Below `autoinstall:` in user-data; the whole file where it isn't cloud-config.
fn config(root: &Node) -> Option<&Node> {
    root.get("autoinstall").or_else(|| root.get("version").map(|_| root))
}

/// One refusal for all of a file.
fn whole(text: &str, why: &str, reading: &mut Reading<'_>) {
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        match line.trim_start().starts_with('#') {
            true => reading.report.comment(number, line),
            false => {
                let id = reading.report.enter(number, number, line);
                reading.report.refuse(id, why);
            }
        }
    }
}

/// What a rendered file says.
fn rendered_lines(text: &str) -> RenderedLines {
    let Ok(root) = yaml::parse(text, &mut Vec::new()) else { return RenderedLines::new() };
    config(&root).map(nodes::rendered_lines).unwrap_or_default()
}

/// What a rendered file lays out on disks.
fn laid_out(text: &str) -> Vec<Part> {
    let Ok(root) = yaml::parse(text, &mut Vec::new()) else { return Vec::new() };
    config(&root).map(|config| storage::laid_out(config, nodes::shown)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_value_is_not_the_same_in_other_words_and_an_empty_one_is_none() {
        let reader = Release::Ubuntu2404;
        assert!(reader.agrees("source.id \"server\"", "source.id \"server\""));
        assert!(!reader.agrees("source.id \"minimal\"", "source.id \"server\""));
        assert!(reader.says_nothing("identity.realname \"\"") && !reader.says_nothing("proxy \"x\""));
    }
}
