//! How the core's texts name an option: as `‹batch›`, or with a value as `‹device=cpu›`. Each front end has its own
//! spelling, `--batch` on the command line, `batch=` in a script, and applies it to errors
//! ([`crate::Error::message`]), to events ([`crate::train::Event::spelled`]) and to reports.

/// How a front end writes an option, from its name and its value, if it has one.
pub type Spelling = fn(&str, Option<&str>) -> String;

/// The name and the value alone, without a front end.
pub fn plain(name: &str, value: Option<&str>) -> String {
    value.map_or(name.to_string(), |value| format!("{name} {value}"))
}

/// A text in which each marked option is written in this spelling. The rest is unchanged, so a text can be spelled twice.
pub fn spelled(text: &str, spelling: Spelling) -> String {
    let is_option = |text: &str| {
        text.chars()
            .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || "-=.".contains(letter))
    };
    let (mut message, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, after)) = rest.split_once('‹') {
        message += before;
        // Names of files may contain such marks, too.
        rest = match after.split_once('›') {
            Some((named, after)) if is_option(named) => {
                let (name, value) =
                    named.split_once('=').map_or((named, None), |(name, value)| (name, Some(value)));
                message += &spelling(name, value);
                after
            }
            _ => {
                message.push('‹');
                after
            }
        };
    }
    message + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_front_writes_options_in_its_own_way() {
        let text = "a smaller ‹batch›, ‹momentum=0.5› or ‹device=cpu›; 3 ‹ 4, ‹A›";
        assert_eq!(spelled(text, plain), "a smaller batch, momentum 0.5 or device cpu; 3 ‹ 4, ‹A›");
        let script: Spelling = |name, value| format!("{name}={}", value.unwrap_or("…"));
        assert_eq!(spelled(text, script), "a smaller batch=…, momentum=0.5 or device=cpu; 3 ‹ 4, ‹A›");
    }
}
