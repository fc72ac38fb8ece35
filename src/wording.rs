//! How texts of the core name an option: as `‹batch›`, or with a value as `‹device=cpu›`. Each front has its own spelling of
//! it, `--batch` on the command line, `batch=` in a script, and writes errors ([`crate::Error::message`]), what a run says
//! ([`crate::train::Event::spelled`]) and what is reported in it.

/// How a front writes an option: from its name and, where one is meant, a value.
pub type Spelling = fn(&str, Option<&str>) -> String;

/// The name and the value alone, where there is no front.
pub fn plain(name: &str, value: Option<&str>) -> String {
    value.map_or(name.to_string(), |value| format!("{name} {value}"))
}

/// A text in which each marked option is written in this spelling. All else stays, so a text can be spelled twice.
pub fn spelled(text: &str, spelling: Spelling) -> String {
    let is_option = |text: &str| {
        text.chars()
            .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || "-=.".contains(letter))
    };
    let (mut message, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, after)) = rest.split_once('‹') {
        message += before;
        // Names of files may have such marks, too.
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
