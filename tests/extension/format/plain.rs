//! Plain cloud-config, for a live system whose cloud-init installs: what it can't say, scripts do.

use anyhow::Result;
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use ironstrap::answers::format::Scripts;
use ironstrap::answers::{AnswerFormat, BuiltIn, Companion, Escape, Job, Prepared, View};
use ironstrap::grammar::{Finding, cloud_config};
use ironstrap::host::{Host, Refusal};
use minijinja::{Value, context};

/// Its only release.
#[derive(Debug)]
pub struct Plain;

impl AnswerFormat for Plain {
    fn name(&self) -> &'static str {
        "plain"
    }

    fn templates(&self) -> &'static [BuiltIn] {
        const FILE: BuiltIn =
            BuiltIn { name: "plain.j2", text: include_str!("plain.j2"), escape: Escape::Yaml };
        &[FILE]
    }

    fn prepare(&self, job: &Job<'_>, view: &mut View, refusal: &mut Refusal) -> Result<Prepared> {
        // the live system's accounts aren't the installed one's: the script for that makes them
        view.script_accounts = true;
        if job.host.image.is_some() {
            refusal.add("image", "installs packages only: leave it out, or use another `installer`");
        }
        let kernel_args = vec!["ds=nocloud;s=URL/".to_owned()];
        Ok(Prepared { kernel_args, values: context! {}, document: None })
    }

    fn parts(&self, _: &Job<'_>, _: &View, _: &Prepared, scripts: &Scripts<'_>) -> Result<Value> {
        Ok(
            context! { disk_script => BASE64.encode(&scripts.disk), setup_script => BASE64.encode(&scripts.setup) },
        )
    }

    fn lint(&self, text: &str) -> Vec<Finding> {
        cloud_config::lint(text, None)
    }

    fn companions(&self, host: &Host) -> Vec<Companion> {
        let text = serde_json::json!({ "instance-id": host.name.as_str() }).to_string();
        vec![Companion { name: "meta-data", text }]
    }
}
