//! Rust source as the floor checks need it: words and marks with their lines, comments and literals left out.

/// A word (identifier or keyword), `::`, or one other mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    /// Its line, from 1.
    pub(crate) line: usize,
    /// The word or mark itself.
    pub(crate) text: String,
}

/// A path in code, `crate::auth::Sessions` or one branch of `use crate::{auth::Sessions, domain::Clock}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CodePath {
    /// Its line.
    pub(crate) line: usize,
    /// Its words.
    pub(crate) words: Vec<String>,
}

/// A function with a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Function {
    /// Its name.
    pub(crate) name: String,
    /// The line of its `fn`.
    pub(crate) line: usize,
    /// Lines from `fn` to its closing brace.
    pub(crate) length: usize,
}

/// The tokens of a file.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let (mut at, mut line, mut found) = (0, 1, Vec::new());
    while at < chars.len() {
        let end = match chars[at] {
            '/' if chars.get(at + 1) == Some(&'/') => line_end(&chars, at),
            '/' if chars.get(at + 1) == Some(&'*') => block_comment_end(&chars, at),
            '"' => string_end(&chars, at),
            'r' | 'b' | 'c' if raw_string_hashes(&chars, at).is_some() => raw_string_end(&chars, at),
            '\'' => quote_end(&chars, at),
            c if c.is_alphanumeric() || c == '_' => {
                let end = run(&chars, at, |c| c.is_alphanumeric() || c == '_');
                found.push(Token { line, text: chars[at..end].iter().collect() });
                end
            }
            c if c.is_whitespace() => at + 1,
            ':' if chars.get(at + 1) == Some(&':') => {
                found.push(Token { line, text: "::".to_owned() });
                at + 2
            }
            c => {
                found.push(Token { line, text: c.to_string() });
                at + 1
            }
        };
        line += chars[at..end].iter().filter(|c| **c == '\n').count();
        at = end;
    }
    found
}

/// Leaves out what is compiled for tests only: items after `#[cfg(test)]`.
pub(crate) fn without_tests(tokens: &[Token]) -> Vec<Token> {
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if is_cfg_test(&tokens[at..]) {
            at = item_end(tokens, at + CFG_TEST.len());
        } else {
            kept.push(tokens[at].clone());
            at += 1;
        }
    }
    kept
}

/// Names of modules declared as `#[cfg(test)] mod NAME;`, whose files are tests as a whole.
pub(crate) fn test_modules(tokens: &[Token]) -> Vec<String> {
    (0..tokens.len())
        .filter(|at| is_cfg_test(&tokens[*at..]))
        .filter_map(|at| match &tokens[at + CFG_TEST.len()..] {
            [keyword, name, end, ..] if keyword.text == "mod" && end.text == ";" => Some(name.text.clone()),
            _ => None,
        })
        .collect()
}

/// Every path of two words or more, with the groups of `use` spelled out.
pub(crate) fn paths(tokens: &[Token]) -> Vec<CodePath> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let starts = is_word(&tokens[at].text)
            && tokens.get(at + 1).is_some_and(|next| next.text == "::")
            && (at == 0 || tokens[at - 1].text != "::");
        if starts {
            at = read_path(tokens, at, &[], &mut found);
        } else {
            at += 1;
        }
    }
    found
}

/// Every function that has a body.
pub(crate) fn functions(tokens: &[Token]) -> Vec<Function> {
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate().filter(|(_, token)| token.text == "fn") {
        let Some(name) = tokens.get(at + 1).filter(|next| is_word(&next.text)) else { continue };
        let end = item_end(tokens, at + 1);
        if let Some(last) = tokens.get(end - 1).filter(|last| last.text == "}") {
            found.push(Function {
                name: name.text.clone(),
                line: token.line,
                length: last.line - token.line + 1,
            });
        }
    }
    found
}

const CFG_TEST: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];

fn is_cfg_test(tokens: &[Token]) -> bool {
    tokens.len() > CFG_TEST.len() && CFG_TEST.iter().zip(tokens).all(|(mark, token)| token.text == *mark)
}

/// Behind the item that begins at `at`: after its `;`, or after the brace that closes its body.
fn item_end(tokens: &[Token], at: usize) -> usize {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate().skip(at) {
        match token.text.as_str() {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" => {
                depth = depth.saturating_sub(1);
                if depth == 0 && token.text == "}" {
                    return index + 1;
                }
            }
            ";" if depth == 0 => return index + 1,
            _ => {}
        }
    }
    tokens.len()
}

/// Reads a path that begins at `at`, after the words of an enclosing group, and returns where it ends.
fn read_path(tokens: &[Token], at: usize, before: &[String], found: &mut Vec<CodePath>) -> usize {
    let mut words = before.to_vec();
    let line = tokens[at].line;
    let mut at = at;
    loop {
        match tokens.get(at).map(|token| token.text.as_str()) {
            Some("{") if !words.is_empty() => return read_group(tokens, at + 1, &words, found),
            Some(word) if is_word(word) => words.push(word.to_owned()),
            _ => break,
        }
        at += 1;
        if tokens.get(at).is_none_or(|next| next.text != "::") {
            break;
        }
        at += 1;
    }
    found.push(CodePath { line, words });
    at
}

fn read_group(tokens: &[Token], at: usize, before: &[String], found: &mut Vec<CodePath>) -> usize {
    let mut at = at;
    while let Some(token) = tokens.get(at) {
        match token.text.as_str() {
            "}" => return at + 1,
            "as" => at += 2,
            word if is_word(word) => at = read_path(tokens, at, before, found),
            _ => at += 1,
        }
    }
    at
}

fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

fn run(chars: &[char], at: usize, belongs: impl Fn(char) -> bool) -> usize {
    chars[at..].iter().position(|c| !belongs(*c)).map_or(chars.len(), |length| at + length)
}

fn line_end(chars: &[char], at: usize) -> usize {
    run(chars, at, |c| c != '\n')
}

fn block_comment_end(chars: &[char], at: usize) -> usize {
    let (mut at, mut depth) = (at, 0_usize);
    while at + 1 < chars.len() {
        match (chars[at], chars[at + 1]) {
            ('/', '*') => (at, depth) = (at + 2, depth + 1),
            ('*', '/') => (at, depth) = (at + 2, depth - 1),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    chars.len()
}

fn string_end(chars: &[char], at: usize) -> usize {
    let mut at = at + 1;
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(chars.len())
}

/// How many `#` a raw string at `at` has; none if there is no raw string.
fn raw_string_hashes(chars: &[char], at: usize) -> Option<usize> {
    if at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_') {
        return None;
    }
    let r = run(chars, at, |c| c == 'b' || c == 'c').min(at + 1);
    let hashes =
        if chars.get(r) == Some(&'r') { run(chars, r + 1, |c| c == '#') - (r + 1) } else { return None };
    (chars.get(r + 1 + hashes) == Some(&'"')).then_some(hashes)
}

fn raw_string_end(chars: &[char], at: usize) -> usize {
    let hashes = raw_string_hashes(chars, at).unwrap_or(0);
    let open = run(chars, at, |c| c != '"');
    (open + 1..chars.len())
        .find(|end| {
            chars[*end] == '"' && chars[*end + 1..].iter().take_while(|c| **c == '#').count() >= hashes
        })
        .map_or(chars.len(), |end| end + 1 + hashes)
}

/// Behind a character literal, or behind the quote alone if it is that of a lifetime.
fn quote_end(chars: &[char], at: usize) -> usize {
    match (chars.get(at + 1), chars.get(at + 2)) {
        (Some('\\'), _) => run(chars, at + 3, |c| c != '\'') + 1,
        (Some(_), Some('\'')) => at + 3,
        _ => at + 1,
    }
}
