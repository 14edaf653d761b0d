//! Progress bars: on a terminal only, on standard error, never in a log.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar of bytes that appears with its first step and goes when it is dropped.
#[derive(Debug, Default)]
pub struct Bytes {
    bar: Option<(&'static str, ProgressBar)>,
}

impl Bytes {
    /// Shows that so many bytes of a step are done; another step begins a new bar.
    pub fn show(&mut self, step: &'static str, done: u64, total: u64) {
        match &self.bar {
            Some((name, bar)) if *name == step => bar.set_position(done),
            _ => {
                let bar = ProgressBar::new(total).with_message(step);
                // a template that doesn't parse leaves the default style
                if let Ok(style) =
                    ProgressStyle::with_template("{msg:>12} {wide_bar} {bytes}/{total_bytes} {eta}")
                {
                    bar.set_style(style);
                }
                bar.set_position(done);
                self.clear();
                self.bar = Some((step, bar));
            }
        }
    }

    /// Takes the bar off the screen.
    pub fn clear(&mut self) {
        if let Some((_, bar)) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Bytes {
    fn drop(&mut self) {
        self.clear();
    }
}

/// A sign of life for work that can't say how far it is.
#[derive(Debug)]
pub struct Spinner(ProgressBar);

impl Spinner {
    /// Shows this text with the time it takes.
    pub fn new(text: String) -> Self {
        let bar = ProgressBar::new_spinner().with_message(text);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(std::time::Duration::from_millis(200));
        Self(bar)
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
