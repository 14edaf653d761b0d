//! Places, limits and bad texts.

use proptest::prelude::*;

use super::*;
use crate::profile::diag::Diagnostic;
use crate::profile::source::SourceId;

fn read(text: &str) -> (Option<Node>, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    let node = parse(SourceId(0), text, &mut diagnostics);
    (node, diagnostics)
}

fn messages(text: &str) -> Vec<String> {
    read(text).1.into_iter().map(|diagnostic| diagnostic.message).collect()
}

fn entries(node: &Node) -> &[Entry] {
    match &node.data {
        Data::Map(entries) => entries,
        other => panic!("{other:?}"),
    }
}

#[test]
fn places_are_bytes_even_behind_other_letters() {
    let text = "ä: 'ö'\nb: [x, é, z]\n";
    let (node, diagnostics) = read(text);
    assert_eq!(diagnostics, []);
    let node = node.unwrap();
    let at = |span: Span| &text[span.start as usize..span.end as usize];
    assert_eq!(at(entries(&node)[0].key.span), "ä");
    assert_eq!(at(entries(&node)[0].value.span), "'ö'");
    let Data::List(items) = &entries(&node)[1].value.data else { panic!() };
    assert_eq!(items.iter().map(|item| at(item.span)).collect::<Vec<_>>(), ["x", "é", "z"]);
}

#[test]
fn a_byte_order_mark_moves_nothing() {
    let text = "\u{feff}a: b\nc: d\n";
    let (node, diagnostics) = read(text);
    assert_eq!(diagnostics, []);
    let node = node.unwrap();
    let span = entries(&node)[1].key.span;
    assert_eq!(&text[span.start as usize..span.end as usize], "c");
}

#[test]
fn the_second_of_equal_keys_is_a_mistake_and_the_first_counts() {
    let (node, diagnostics) = read("a: 1\nb: 2\na: 3\na: 4\n");
    assert_eq!(entries(&node.unwrap()).len(), 2);
    assert_eq!(diagnostics.len(), 2);
    assert_eq!(diagnostics[1].related.as_ref().map(|(span, _)| span.start), Some(0));
}

#[test]
fn aliases_are_copies_and_can_not_explode() {
    let (node, diagnostics) = read("a: &x [1, 2]\nb: *x\n");
    assert_eq!(diagnostics, []);
    assert!(matches!(&entries(&node.unwrap())[1].value.data, Data::List(items) if items.len() == 2));
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let alias = format!("*a{}, ", level - 1).repeat(9);
        bomb.push_str(&format!("a{level}: &a{level} [{alias}]\n"));
    }
    assert_eq!(messages(&bomb), ["more than 50000 values in one file, repeated aliases counted"]);
    assert_eq!(messages("a: &x [*x]\n"), ["an alias within what it names"]);
}

#[test]
fn depth_is_bounded() {
    assert_eq!(messages(&"[".repeat(100_000)), ["nested more than 32 levels deep"]);
    let blocks: String = (0..200).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    assert_eq!(messages(&blocks), ["nested more than 32 levels deep"]);
}

#[test]
fn what_a_file_can_not_be_is_told() {
    assert_eq!(messages("a: 1\n---\nb: 2\n"), ["a second document in one file; a file describes one thing"]);
    assert_eq!(messages("a: {{ b }}\n"), ["a key must be a single word"]);
    assert_eq!(messages("a: !!binary x\n").len(), 1);
    assert_eq!(messages("a: !replace x\n"), ["`!replace` on a single value"]);
    assert_eq!(messages("a: [1\nb: 2\n").len(), 1);
    assert_eq!(messages(""), Vec::<String>::new());
}

proptest! {
    #[test]
    fn no_text_panics_and_every_place_is_in_it(text in "[-a&*!:\\[\\]{}\"'|>#%?,~é\\n\\t 0]{0,80}") {
        fn check(node: &Node, text: &str) {
            let Span { start, end, .. } = node.span;
            assert!(text.get(start as usize..end as usize).is_some(), "{start}..{end} of {text:?}");
            match &node.data {
                Data::Scalar { .. } => {}
                Data::List(items) => items.iter().for_each(|item| check(item, text)),
                Data::Map(entries) => entries.iter().for_each(|entry| check(&entry.value, text)),
            }
        }
        if let (Some(node), _) = read(&text) {
            check(&node, &text);
        }
    }
}
