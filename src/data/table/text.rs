//! From the bytes of a text file to cells: the encoding, the lines, what parts the fields, and comments.

use std::{
    collections::VecDeque,
    io::{self, BufRead, BufReader, Read},
    path::Path,
};

use csv::{ReaderBuilder, StringRecord};

use super::cells::{Cell, Cells};
use crate::error::{Error, Result, bad_data};

/// The most bytes of a line: a million numbers with all their digits.
const LONGEST_LINE: u64 = 16 << 20;

/// What stands for a missing value, besides NaN and `--missing`.
const MARKS: [&str; 11] = ["", "NA", "N/A", "n/a", "#N/A", "<NA>", "null", "NULL", "Null", "None", "?"];

/// A text file as cells. The first line is a row, too: whether it has names is yet to be found.
pub struct Text {
    /// The fields of the first line.
    pub first: Vec<String>,
    /// All rows.
    pub cells: Cells,
    /// How the file was read, where that is not plain.
    pub notes: Vec<String>,
}

/// What parts the fields of a line.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Separator {
    Byte(u8),
    /// Spaces and tabs, one or more.
    Spaces,
}

impl Separator {
    fn parts(self, byte: u8) -> bool {
        match self {
            Self::Byte(separator) => byte == separator,
            Self::Spaces => byte == b' ' || byte == b'\t',
        }
    }

    /// What parts the fields of the first line. A file of one column has none, whatever its name is: a space only parts where
    /// the second line has as many.
    fn of(first: &str, second: &str) -> Self {
        let fields = |separator: Self| separator.fields(first);
        let count = |byte: u8| fields(Self::Byte(byte)).len() - 1;
        // A comma may be in the numbers.
        let has_decimals = |byte: u8| {
            let fields = fields(Self::Byte(byte));
            fields.len() > 1
                && fields.iter().all(|field| field.trim().is_empty() || number(field, true).is_some())
        };
        for byte in [b';', b'\t'] {
            if first.contains(',') && has_decimals(byte) {
                return Self::Byte(byte);
            }
        }
        let counts = [b';', b'\t', b','].map(|byte| (count(byte), byte));
        let (most, byte) = counts.into_iter().max_by_key(|&(count, _)| count).unwrap_or((0, b','));
        let [spaces, below] = [first, second].map(|line| Self::Spaces.fields(line).len());
        // The names of rows may have no name.
        let are_alike = second.is_empty() || spaces == below || spaces + 1 == below;
        if most == 0 && are_alike && spaces.max(below) > 1 { Self::Spaces } else { Self::Byte(byte) }
    }

    /// The fields of a line.
    fn fields(self, line: &str) -> StringRecord {
        let mut fields = StringRecord::new();
        self.split(line, &mut fields);
        fields
    }

    /// Splits a line.
    fn split(self, line: &str, fields: &mut StringRecord) {
        fields.clear();
        if !line.contains('"') {
            match self {
                Self::Byte(byte) => fields.extend(line.split(char::from(byte))),
                Self::Spaces => fields.extend(line.split_ascii_whitespace()),
            }
            return;
        }
        let (line, byte) = match self {
            Self::Byte(byte) => (line.to_string(), byte),
            Self::Spaces => (one_space(line), b' '),
        };
        // Spaces around quotes are no part of the field.
        let mut reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(byte)
            .buffer_capacity(line.len())
            .from_reader(line.as_bytes());
        if !reader.read_record(fields).unwrap_or(false) {
            fields.clear();
        }
    }
}

/// The line with each run of spaces outside quotes as one space.
fn one_space(line: &str) -> String {
    let (mut quoted, mut out) = (false, String::with_capacity(line.len()));
    for letter in line.trim_matches([' ', '\t']).chars() {
        quoted ^= letter == '"';
        match letter {
            ' ' | '\t' if !quoted => {
                if !out.ends_with(' ') {
                    out.push(' ');
                }
            }
            _ => out.push(letter),
        }
    }
    out
}

/// Whether a quoted field goes on in the next line.
fn is_open(line: &str, parts: impl Fn(u8) -> bool) -> bool {
    let mut bytes = line.bytes().peekable();
    let (mut at_start, mut quoted) = (true, false);
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' if quoted && bytes.peek() == Some(&b'"') => {
                bytes.next();
            }
            b'"' if quoted => quoted = false,
            b'"' if at_start => quoted = true,
            _ if !quoted => at_start = parts(byte),
            _ => {}
        }
    }
    quoted
}

/// The lines of a file that have something in them, as UTF-8.
struct Lines<'a> {
    name: &'a str,
    path: &'a Path,
    file: Box<dyn BufRead + 'a>,
    /// The last byte of each line.
    end: u8,
    /// The number of the line, from 1.
    line: u64,
    bytes: Vec<u8>,
    /// Whether a line is no UTF-8, so that all are Latin-1.
    is_latin: bool,
    /// Whether there were letters beyond ASCII in UTF-8.
    is_utf8: bool,
}

impl<'a> Lines<'a> {
    fn new(name: &'a str, path: &'a Path, mut file: impl BufRead + 'a) -> Result<Self> {
        let start = file.fill_buf().map_err(Error::read(path))?;
        let utf16 = match start {
            [0xff, 0xfe, ..] => Some(false),
            [0xfe, 0xff, ..] => Some(true),
            _ => None,
        };
        let mut file: Box<dyn BufRead + 'a> = match utf16 {
            Some(is_big_endian) => {
                Box::new(BufReader::new(Utf16 { file, is_big_endian, out: Vec::new(), high: None }))
            }
            None => Box::new(file),
        };
        let start = file.fill_buf().map_err(Error::read(path))?;
        // Lines of old Macintosh programs end with a carriage return alone.
        let is_mac = !start.contains(&b'\n') && start.iter().rev().skip(1).any(|&byte| byte == b'\r');
        let end = if is_mac { b'\r' } else { b'\n' };
        Ok(Self { name, path, file, end, line: 0, bytes: Vec::new(), is_latin: false, is_utf8: false })
    }

    /// Reads one more line, or a part of one, to the end of `text`; false at the end of the file.
    fn read(&mut self, text: &mut String) -> Result<bool> {
        self.bytes.clear();
        let left = LONGEST_LINE.saturating_sub(text.len() as u64);
        let mut rest = self.file.by_ref().take(left);
        if rest.read_until(self.end, &mut self.bytes).map_err(Error::read(self.path))? == 0 && left > 0 {
            return Ok(false);
        }
        self.line += 1;
        if self.bytes.len() as u64 == left {
            return bad_data!(
                "{}: line {}: expected a line of less than {} MiB, found a longer one; is this a table of numbers?",
                self.name,
                self.line,
                LONGEST_LINE >> 20
            );
        }
        let bytes = self.bytes.strip_suffix(&[self.end]).unwrap_or(&self.bytes);
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        if bytes.contains(&0) {
            return bad_data!(
                "{}: line {}: expected text, found a byte of 0; save the table as text, in UTF-8",
                self.name,
                self.line
            );
        }
        match std::str::from_utf8(bytes) {
            Ok(part) if !self.is_latin || part.is_ascii() => {
                self.is_utf8 |= !part.is_ascii();
                text.push_str(if self.line == 1 {
                    part.strip_prefix('\u{feff}').unwrap_or(part)
                } else {
                    part
                });
            }
            _ if self.is_utf8 => {
                return bad_data!(
                    "{}: line {}: expected UTF-8, as in the lines before it, found other bytes",
                    self.name,
                    self.line
                );
            }
            _ => {
                self.is_latin = true;
                text.extend(bytes.iter().map(|&byte| char::from(byte)));
            }
        }
        Ok(true)
    }

    /// Goes to the next line that is not blank; `None` at the end. Returns its number.
    fn next(&mut self, text: &mut String, parts: impl Fn(u8) -> bool) -> Result<Option<u64>> {
        loop {
            text.clear();
            if !self.read(text)? {
                return Ok(None);
            }
            let line = self.line;
            while !text.starts_with('#') && text.contains('"') && is_open(text, &parts) {
                text.push('\n');
                if !self.read(text)? {
                    return bad_data!(
                        "{}: line {line}: expected a quote after the field, found the end of the file",
                        self.name
                    );
                }
            }
            if !text.trim().is_empty() {
                return Ok(Some(line));
            }
        }
    }
}

/// A field as a number.
fn number(field: &str, has_comma: bool) -> Option<f32> {
    let field = field.trim();
    if let Ok(x) = field.parse() {
        return Some(x);
    }
    // Only one comma, and no point: others part thousands.
    let is_decimal = has_comma && field.contains(',') && !field.contains('.');
    if is_decimal { field.replacen(',', ".", 1).parse().ok() } else { None }
}

/// Reads a file. `texts` says, from the first line, which columns are also kept as text; `marks` stand for missing values, too.
pub fn read(
    name: &str,
    path: &Path,
    file: impl BufRead,
    marks: &[String],
    texts: impl Fn(&[String]) -> Vec<usize>,
) -> Result<Text> {
    let mut lines = Lines::new(name, path, file)?;
    let any = |byte: u8| b",;\t ".contains(&byte);
    let (mut comment, mut comments) = (None, 0_usize);
    let mut line = String::new();
    let first_line = loop {
        match lines.next(&mut line, any)? {
            None if comments == 0 => {
                return bad_data!("{name}: expected one case per line, found an empty file");
            }
            None => return bad_data!("{name}: expected one case per line, found only comments"),
            Some(at) if line.starts_with('#') => {
                comments += 1;
                comment = Some((at, line[1..].trim().to_string()));
            }
            Some(number) => break number,
        }
    };
    // Lines that were read ahead.
    let mut ahead = VecDeque::from([(first_line, line.clone())]);
    if let Some(number) = lines.next(&mut line, any)? {
        ahead.push_back((number, line.clone()));
    }
    let line_ahead = |at: usize| ahead.get(at).map_or("", |(_, line)| line.as_str());
    let separator = Separator::of(line_ahead(0), line_ahead(1));
    let has_comma = separator != Separator::Byte(b',');
    let split = |line: &str| separator.fields(line);
    let is_word = |field: &str| number(field, has_comma).is_none() && !MARKS.contains(&field);
    let are_words = |fields: &StringRecord| fields.iter().all(|field| is_word(field.trim()));
    // `# a b c`, as numpy.savetxt writes a header.
    let top = split(line_ahead(0));
    let named = comment.map(|(number, line)| (number, split(&line)));
    let named =
        named.filter(|(_, fields)| fields.len() == top.len() && are_words(fields) && !are_words(&top));
    let ((first_line, mut fields), second) = match named {
        Some(named) => {
            comments -= 1;
            (named, top)
        }
        None => ((first_line, top), split(line_ahead(1))),
    };
    let mut first: Vec<String> = fields.iter().map(|field| field.trim().to_string()).collect();
    // R leaves out what its row names are called.
    let is_of_r = separator == Separator::Spaces || line_ahead(0).starts_with('"');
    if are_words(&fields) && second.len() == first.len() + 1 && is_of_r {
        first.insert(0, String::new());
    }
    if first_line == ahead[0].0 {
        ahead.pop_front();
    }

    let width = first.len();
    let mut cells = Cells::new(width, texts(&first));
    let (mut points, mut commas, mut empty) = (None, None, 0_usize);
    let mut add = |line: u64, fields: &mut dyn Iterator<Item = &str>| {
        for (column, field) in fields.enumerate() {
            let field = field.trim();
            let found = number(field, has_comma);
            if has_comma && found.is_some() && field.contains([',', '.']) {
                *(if field.contains(',') { &mut commas } else { &mut points }) = Some(line);
            }
            let is_mark =
                |mark: &String| mark == field || found.is_some() && number(mark, has_comma) == found;
            let is_missing = found.is_none() && MARKS.contains(&field) || marks.iter().any(is_mark);
            let cell = if is_missing { Some(Cell::MISSING) } else { found.map(Cell::number) };
            cells.push(column, field, cell);
        }
        cells.lines.push(line);
    };
    add(first_line, &mut first.iter().map(String::as_str));
    // Whether the first column has words, so that one may begin with #.
    let mut begins_with_words: Option<bool> = None;
    loop {
        let at = match ahead.pop_front() {
            Some((at, text)) => {
                line = text;
                at
            }
            None => match lines.next(&mut line, |byte| separator.parts(byte))? {
                Some(at) => at,
                None => break,
            },
        };
        separator.split(&line, &mut fields);
        // A line that could be a case is a comment only if its first field would be a number without the mark.
        let is_comment = || match begins_with_words {
            _ if fields.len() != width || width == 1 => true,
            Some(are_words) => !are_words,
            None => number(&fields[0][1..], has_comma).is_some(),
        };
        if line.starts_with('#') && is_comment() {
            comments += 1;
            continue;
        }
        if fields.len() != width {
            return bad_data!(
                "{name}: line {at}: expected {width} columns, as in the first line, found {}",
                fields.len()
            );
        }
        if width > 1 && fields.iter().all(|field| field.trim().is_empty()) {
            empty += 1;
            continue;
        }
        begins_with_words.get_or_insert_with(|| is_word(fields[0].trim()));
        add(at, &mut fields.iter());
    }
    if let (Some(point), Some(comma)) = (points, commas) {
        return bad_data!(
            "{name}: expected numbers with a decimal point, or all with a decimal comma; found a point in line {point} and \
             a comma in line {comma}"
        );
    }
    let lines_of = |count: usize| if count == 1 { "1 line".into() } else { format!("{count} lines") };
    let notes = [
        commas.map(|_| "numbers with a decimal comma".to_string()),
        lines.is_latin.then(|| "the text is no UTF-8: read as Latin-1".to_string()),
        (comments > 0).then(|| format!("left out: {} of comments, which begin with #", lines_of(comments))),
        (empty > 0).then(|| format!("left out: {} of empty fields", lines_of(empty))),
    ];
    Ok(Text { first, cells, notes: notes.into_iter().flatten().collect() })
}

/// Text in UTF-16 as UTF-8.
struct Utf16<R> {
    file: R,
    is_big_endian: bool,
    /// Bytes that were not taken yet, in reverse.
    out: Vec<u8>,
    /// The first half of a letter.
    high: Option<u16>,
}

impl<R: BufRead> Read for Utf16<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let broken = || {
            io::Error::new(
                io::ErrorKind::InvalidData,
                "expected UTF-16, as the file begins, found other bytes",
            )
        };
        let mut count = 0;
        while count < buffer.len() {
            if let Some(byte) = self.out.pop() {
                buffer[count] = byte;
                count += 1;
                continue;
            }
            // No letter is half in a buffer.
            if count > 0 && self.file.fill_buf()?.len() < 2 {
                break;
            }
            let mut pair = [0; 2];
            match self.file.read(&mut pair[..1])? {
                0 if self.high.is_some() => return Err(broken()),
                0 => break,
                _ => self.file.read_exact(&mut pair[1..]).map_err(|_| broken())?,
            }
            let unit = if self.is_big_endian { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) };
            if self.high.is_none() && (0xd800..0xdc00).contains(&unit) {
                self.high = Some(unit);
                continue;
            }
            let units = self.high.take().into_iter().chain([unit]);
            for letter in char::decode_utf16(units) {
                let mut bytes = [0; 4];
                self.out.extend(letter.map_err(|_| broken())?.encode_utf8(&mut bytes).bytes());
            }
            self.out.reverse();
        }
        Ok(count)
    }
}
