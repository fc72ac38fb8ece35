//! Output for people: the one place that writes to standard output and to standard error.
//!
//! Names and messages may come from strangers' files, and a terminal obeys control characters. All that is printed is a
//! [`Text`], which has none of them except for the program's own styles.

use std::{
    fmt::Display,
    io::{self, ErrorKind, Write},
    ops::AddAssign,
    process::ExitCode,
    sync::{Mutex, MutexGuard, PoisonError},
};

use anstyle::{AnsiColor, Style};
use indicatif::ProgressBar;
use rbm_gpu::command::flag;
use serde::Serialize;

/// The progress bar that lines are printed above, if there is one.
static BAR: Mutex<Option<ProgressBar>> = Mutex::new(None);
/// The first error of writing to standard output.
static UNWRITTEN: Mutex<Option<io::Error>> = Mutex::new(None);

/// Text without control characters, except for styles.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Text(String);

impl Text {
    /// Words in a style.
    pub fn styled(style: Style, words: &str) -> Self {
        Self(format!("{style}{}{style:#}", shown(words)))
    }

    /// The program's own text, unchanged: help and scripts. Nothing that comes from outside.
    pub fn own(text: String) -> Self {
        Self(text)
    }

    /// The text without its styles.
    pub fn plain(&self) -> String {
        anstream::adapter::strip_str(&self.0).to_string()
    }
}

impl<T: AsRef<str>> From<T> for Text {
    fn from(text: T) -> Self {
        Self(shown(text.as_ref()))
    }
}

impl<T: Into<Text>> AddAssign<T> for Text {
    fn add_assign(&mut self, more: T) {
        self.0 += &more.into().0;
    }
}

/// Whether a terminal obeys a character instead of showing it: control characters, and those that change the direction of
/// writing.
fn is_obeyed(letter: char) -> bool {
    letter.is_control() || matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn shown(text: &str) -> String {
    let is_harmless = |letter| !is_obeyed(letter) || matches!(letter, '\n' | '\t');
    text.chars().map(|letter| if is_harmless(letter) { letter } else { '\u{fffd}' }).collect()
}

/// Prints to standard output, without colours if that is no terminal or NO_COLOR is set. [`finish`] reports a failure to
/// write; a closed pipe, as with `head`, is no failure.
pub fn print(text: impl Into<Text>) {
    let Text(text) = text.into();
    above_the_bar(|| {
        let mut out = anstream::stdout().lock();
        let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        if let Err(error) = written
            && error.kind() != ErrorKind::BrokenPipe
        {
            keep(error);
        }
    });
}

/// Prints one JSON value. Characters that a terminal obeys can only be in its strings, where they are escaped: the
/// value is unchanged.
pub fn print_json(value: &impl Serialize) {
    match serde_json::to_value(value) {
        Ok(value) => print(Text::own(escaped(&value.to_string()) + "\n")),
        Err(error) => keep(error.into()),
    }
}

/// Keeps the error of a failure to print, for [`finish`].
fn keep(reason: io::Error) {
    lock(&UNWRITTEN).get_or_insert(reason);
}

fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for letter in json.chars() {
        match is_obeyed(letter) {
            true => text += &format!("\\u{:04x}", u32::from(letter)),
            false => text.push(letter),
        }
    }
    text
}

/// Prints to standard error. A failure cannot be reported anywhere.
pub fn note(text: impl Into<Text>) {
    let Text(text) = text.into();
    above_the_bar(|| {
        let _ = anstream::stderr().lock().write_all(text.as_bytes());
    });
}

/// An error's message, with options in the command line's spelling.
pub fn words(error: &rbm_gpu::Error) -> String {
    error.message(flag)
}

/// Prints an error.
pub fn error(error: impl Display) {
    let mut text = Text::styled(AnsiColor::Red.on_default().bold(), "error:");
    text += format!(" {error}\n");
    note(text);
}

/// The program's exit code: that of its work, or a failure if the work was done but could not be printed.
pub fn finish(code: ExitCode) -> ExitCode {
    let Some(reason) = lock(&UNWRITTEN).take() else { return code };
    error(format!(
        "cannot write to standard output: {reason}; some of what was printed is lost: make room, or write to another place, \
         and ask again"
    ));
    if code == ExitCode::SUCCESS { ExitCode::FAILURE } else { code }
}

/// Sets the bar that lines are printed above; `None` for no bar.
pub fn set_bar(bar: Option<ProgressBar>) {
    *lock(&BAR) = bar;
}

fn above_the_bar(print: impl FnOnce()) {
    match &*lock(&BAR) {
        Some(bar) => bar.suspend(print),
        None => print(),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_character_is_obeyed_but_in_our_styles() {
        let letters: String = (0..=0x2100).filter_map(char::from_u32).collect();
        let mut text = Text::from(&letters);
        assert_eq!(text.0.chars().count(), letters.chars().count());
        let obeyed = |text: &str| text.chars().filter(|&letter| is_obeyed(letter)).collect::<String>();
        assert_eq!(obeyed(&text.0), "\t\n");
        assert_eq!(text.0.matches('\u{fffd}').count(), 32 - 2 + 1 + 32 + 5 + 4);
        let red = AnsiColor::Red.on_default();
        text += Text::styled(red, "a\u{1b}[2Jb\u{9b}2J");
        assert_eq!(obeyed(&text.0), "\t\n\u{1b}\u{1b}");
        assert!(text.0.ends_with(&format!("{red}a\u{fffd}[2Jb\u{fffd}2J{red:#}")));
        assert!(text.plain().ends_with("\u{fffd}[2Jb\u{fffd}2J"));
    }

    #[test]
    fn escaped_json_is_the_same_value() {
        let letters: String = (0..=0x2100).filter_map(char::from_u32).collect();
        let value = serde_json::json!({ &letters: [&letters, 1.5] });
        let json = escaped(&value.to_string());
        assert!(!json.chars().any(is_obeyed), "{json:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap(), value);
    }
}
