//! The JSON Schemas of texts: an example parses, and a pattern refuses nothing that parses.

use std::fmt::Display;
use std::str::FromStr;

use boon::{Compiler, Schemas};
use proptest::prelude::Strategy;
use proptest::strategy::ValueTree;
use schemars::JsonSchema;
use serde_json::Value;

use super::*;

/// Whether a schema accepts a text.
fn judge<T: JsonSchema>() -> (Value, impl Fn(&str) -> bool) {
    let schema = schemars::schema_for!(T).to_value();
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    compiler.add_resource("http://localhost/x.json", schema.clone()).unwrap();
    let index = compiler.compile("http://localhost/x.json", &mut schemas).unwrap();
    (schema, move |text: &str| schemas.validate(&Value::from(text), index).is_ok())
}

fn examples_parse<T: JsonSchema + FromStr<Err = ValueError>>(bad: &str) {
    let (schema, accepts) = judge::<T>();
    for example in schema["examples"].as_array().into_iter().flatten() {
        let text = example.as_str().unwrap();
        assert!(text.parse::<T>().is_ok() && accepts(text), "{text}");
    }
    if !schema["pattern"].is_null() {
        assert!(!accepts(bad), "{bad} fits {}", schema["pattern"]);
        assert!(bad.parse::<T>().is_err(), "{bad}");
    }
}

#[test]
fn examples_parse_and_patterns_refuse_something() {
    examples_parse::<AccountName>("Ops");
    examples_parse::<ByteSize>("8 GiBi");
    examples_parse::<FullName>("a:b");
    examples_parse::<HostName>("-web01");
    examples_parse::<HttpUrl>("ftp://example.com");
    examples_parse::<ImageRef>("debian-12-base");
    examples_parse::<KernelArg>("a b");
    examples_parse::<Mac>("52:54:00:12:34");
    examples_parse::<PackageName>("a b");
    examples_parse::<PasswordHash>("hunter2");
    examples_parse::<Pattern>("");
    examples_parse::<SerialNumber>("");
    examples_parse::<SshPublicKey>("");
    examples_parse::<SystemUuid>("");
    examples_parse::<LinkName>("Bond0");
    examples_parse::<Mtu>("900");
    examples_parse::<VlanId>("0");
    examples_parse::<StorageId>("a-b");
    examples_parse::<MountPath>("var");
    examples_parse::<MountOption>("a,b");
    examples_parse::<FsLabel>("a-label-of-13");
    examples_parse::<GrubHash>("hunter2");
}

/// Messages reach terminals, and a line each.
fn shows_what_it_found<T: FromStr<Err = ValueError>>() {
    for text in ["http://\0", "[\u{1b}[2J", "a\nb: c", "http://h/\n'", "ftp://\r", "http://h/?\u{85}"] {
        if let Err(error) = text.parse::<T>() {
            assert!(!error.to_string().chars().any(char::is_control), "{error:?}");
        }
    }
}

#[test]
fn what_was_found_is_shown_without_its_control_characters() {
    shows_what_it_found::<AccountName>();
    shows_what_it_found::<ByteSize>();
    shows_what_it_found::<Digest>();
    shows_what_it_found::<FsLabel>();
    shows_what_it_found::<FullName>();
    shows_what_it_found::<GrubHash>();
    shows_what_it_found::<HostName>();
    shows_what_it_found::<HttpUrl>();
    shows_what_it_found::<ImageRef>();
    shows_what_it_found::<KernelArg>();
    shows_what_it_found::<LinkName>();
    shows_what_it_found::<Mac>();
    shows_what_it_found::<MountOption>();
    shows_what_it_found::<MountPath>();
    shows_what_it_found::<Mtu>();
    shows_what_it_found::<OrderId>();
    shows_what_it_found::<PackageName>();
    shows_what_it_found::<PasswordHash>();
    shows_what_it_found::<Pattern>();
    shows_what_it_found::<SerialNumber>();
    shows_what_it_found::<SshPublicKey>();
    shows_what_it_found::<StorageId>();
    shows_what_it_found::<SystemUuid>();
    shows_what_it_found::<Timestamp>();
    shows_what_it_found::<VlanId>();
}

fn accepts_all_that_parses<T: JsonSchema + FromStr<Err = ValueError> + Display>(strategy: &str) {
    let (_, accepts) = judge::<T>();
    accepts_texts::<T>(strategy, accepts);
}

fn accepts_texts<T: FromStr<Err = ValueError>>(strategy: &str, accepts: impl Fn(&str) -> bool) {
    let texts = proptest::string::string_regex(strategy).unwrap();
    let mut parsed = 0;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for _ in 0..2000 {
        let text = texts.new_tree(&mut runner).unwrap().current();
        if text.parse::<T>().is_ok() {
            parsed += 1;
            assert!(accepts(&text), "{text:?} parses");
        }
    }
    assert!(parsed > 20, "only {parsed} texts parsed");
}

#[test]
fn a_pattern_accepts_all_that_parses() {
    accepts_all_that_parses::<AccountName>("[a-cA_0-]{0,4}");
    accepts_all_that_parses::<ByteSize>("[0-9]{1,3}[ \t]?[KMGTk]?i?B?[ ]?");
    accepts_all_that_parses::<HostName>("[a-cA0.-]{0,5}");
    accepts_all_that_parses::<HttpUrl>("[ ]?[hH][tT]tp[sS]?:/{0,3}[a-c.]{1,4}/?[ ]?");
    accepts_all_that_parses::<ImageRef>("[aB0._+~-]{0,3}@[aB0._+~-]{0,3}");
    accepts_all_that_parses::<KernelArg>("[-a0_=.,:/@+%~^*\\[\\]!# ]{0,4}");
    accepts_all_that_parses::<Mac>("[0-4A-F]{2}([:-][0a]{2}){5}");
    let (_, accepts) = judge::<PasswordHash>();
    accepts_texts::<PasswordHash>("\\$(y|gy|2b|6|5)[$a./=,_-]{1,6}", accepts);
}
