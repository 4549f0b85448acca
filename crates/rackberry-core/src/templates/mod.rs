//! Texts made for one node from templates: configurations, install scripts, kernel arguments.
//!
//! Templates are minijinja's, and strict: a name that is not there is an error with its line, because a machine
//! with half a configuration is worse than one that was not installed.

mod check;
mod context;
mod preseed;

use std::sync::Arc;

use minijinja::{Environment, ErrorKind, UndefinedBehavior, syntax::SyntaxConfig, value::Serde};

use crate::profiles;

pub use check::{ConfigFormatError, Facts, check, check_large};
pub use context::{Context, FileFacts, NodeFacts};
pub use preseed::answers;

/// A text that a template may include.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// A template, too.
    Template(Arc<str>),
    /// A text that stays as it is.
    Plain(Arc<str>),
}

/// The first line of a template whose name does not say that it is one; it is taken out.
pub const MARK: &str = "{# template #}";

/// Why a text can't be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}{place}: {reason}", place = line.map(|line| format!(":{line}")).unwrap_or_default())]
pub struct TemplateError {
    /// The template.
    pub name: String,
    /// The line in it, from 1.
    pub line: Option<usize>,
    /// What is wrong there.
    pub reason: String,
}

/// Makes a text from the template called `name`, which may include those that `find` knows.
///
/// # Errors
/// [`TemplateError`] says where and why.
pub fn render(
    name: &str,
    text: &str,
    find: impl Fn(&str) -> Option<Piece> + Send + Sync + 'static,
    context: &Context,
) -> Result<String, TemplateError> {
    let mut environment = environment();
    environment.set_loader(move |name| Ok(find(name).map(source)));
    let rendered = environment.render_named_str(name, &without_mark(text), Serde(context));
    rendered.map_err(|error| explain(name, &error))
}

/// What stands for an included text.
fn source(piece: Piece) -> String {
    match piece {
        Piece::Template(text) => without_mark(&text),
        // A string literal: nothing in it is looked at.
        Piece::Plain(text) => format!("{{{{ {} }}}}", serde_json::Value::from(&*text)),
    }
}

/// The text without its first line, if that only says that it is a template. Its end goes into the comment, so that
/// lines keep their numbers.
fn without_mark(text: &str) -> String {
    let line = text.lines().next().filter(|line| line.trim_end() == MARK);
    let rest = line.and_then(|line| text.get(line.len()..));
    let Some(rest) = rest else { return text.to_owned() };
    let end = rest.len() - rest.trim_start_matches(['\r', '\n']).len();
    let end = rest[..end].find('\n').map_or(end, |at| at + 1);
    format!("{{#{}#}}{}", &rest[..end], &rest[end..])
}

/// Makes a text from a template of a profile, called `name` in errors. It may include the parts that scripts share
/// ([`profiles::part`]).
///
/// # Errors
/// [`TemplateError`] says why.
pub fn render_line(name: &str, line: &str, context: &Context) -> Result<String, TemplateError> {
    let mut environment = environment();
    environment.set_loader(|name| Ok(profiles::part(name).map(str::to_owned)));
    let rendered = environment.render_named_str(name, line, Serde(context));
    rendered.map_err(|error| explain(name, &error))
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    // Without it, errors of a release build don't know what was not defined.
    environment.set_debug(true);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    // Line ends stay as they are, those behind blocks too: without them, a line that ends in `{% endfor %}` would
    // swallow the next one.
    let mut syntax = SyntaxConfig::builder();
    syntax.keep_trailing_newline(true);
    if let Ok(syntax) = syntax.build() {
        environment.set_syntax(syntax);
    }
    environment.add_filter("quoted", quoted);
    environment
}

/// Text that fits between a shell's single quotes.
fn quoted(text: &str) -> String {
    text.replace('\'', r"'\''")
}

fn explain(name: &str, error: &minijinja::Error) -> TemplateError {
    // The innermost error is in the text that a template includes.
    let mut innermost = error;
    while let Some(source) = std::error::Error::source(innermost).and_then(|source| source.downcast_ref()) {
        innermost = source;
    }
    let reason = match (innermost.kind(), innermost.detail()) {
        (ErrorKind::UndefinedError, _) => undefined(innermost),
        (_, Some(detail)) => detail.to_owned(),
        (kind, None) => kind.to_string(),
    };
    TemplateError { name: innermost.name().unwrap_or(name).to_owned(), line: innermost.line(), reason }
}

fn undefined(error: &minijinja::Error) -> String {
    let what = error.template_source().zip(error.range()).and_then(|(text, range)| text.get(range));
    match what {
        Some(what) => format!("{what:?} is not defined"),
        None => "something that it names is not defined".to_owned(),
    }
}

#[cfg(test)]
mod tests;
