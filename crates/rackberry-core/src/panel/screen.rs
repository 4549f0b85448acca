//! What the small display shows: the mode, the address, a bar for each node, and what is wrong in words. Pure: it
//! draws on anything that has dots.

use embedded_graphics::{
    mono_font::{MonoTextStyle, ascii::FONT_5X8},
    pixelcolor::BinaryColor,
    prelude::*,
    primitives::{PrimitiveStyle, Rectangle},
    text::{Baseline, Text},
};

use super::{PanelFacts, PanelNode, StatusMode};
use crate::ids::Stage;

/// The display's size in dots.
pub const SIZE: Size = Size::new(128, 64);
/// Dots of a character.
const CHARACTER: Size = Size::new(5, 8);
/// Characters of a line.
const LETTERS: usize = 25;
/// Lines below the heading.
const LINES: usize = 6;
/// From where on the lines go: below the heading and a gap.
const TOP: i32 = 11;
/// Dots from one line to the next.
const STEP: i32 = 9;
/// Letters of a node's name, and where its bar begins.
const NAME: usize = 9;
const BAR_LEFT: i32 = 48;

/// How many pages there are.
pub fn pages(facts: &PanelFacts) -> usize {
    lines(facts).len().div_ceil(LINES).max(1)
}

/// Draws a page, counted from 0; numbers behind the last begin again.
///
/// # Errors
/// Those of the target.
pub fn draw<D: DrawTarget<Color = BinaryColor>>(
    target: &mut D,
    facts: &PanelFacts,
    page: usize,
) -> Result<(), D::Error> {
    target.clear(BinaryColor::Off)?;
    let pages = pages(facts);
    let page = page % pages;
    heading(target, facts, page, pages)?;
    for (at, line) in lines(facts).iter().skip(page * LINES).take(LINES).enumerate() {
        let top = TOP + STEP * i32::try_from(at).unwrap_or_default();
        match line {
            Line::Words(words) => text(target, words, Point::new(0, top), BinaryColor::On)?,
            Line::Node(node) => self::node(target, node, top)?,
        }
    }
    Ok(())
}

/// A line of the display.
enum Line<'a> {
    Words(String),
    Node(&'a PanelNode),
}

/// Everything there is to show: trouble first, then nodes that failed, then the others.
fn lines(facts: &PanelFacts) -> Vec<Line<'_>> {
    let mut lines = Vec::new();
    for (trouble, words) in facts.troubles.iter().rev() {
        let words = if words.is_empty() { trouble.meaning().0 } else { words };
        lines.extend(wrapped(&format!("! {words}")).into_iter().map(Line::Words));
    }
    let (failed, fine): (Vec<_>, Vec<_>) = facts
        .nodes
        .iter()
        .filter(|node| node.stage != Stage::Idle)
        .partition(|node| node.stage == Stage::Failed);
    for node in failed {
        let words = format!("! {} {}: {}", label(node), node.failed_in, node.reason);
        lines.extend(wrapped(&words).into_iter().take(3).map(Line::Words));
    }
    lines.extend(fine.into_iter().map(Line::Node));
    if lines.is_empty() {
        let hint = match facts.mode {
            StatusMode::Starting => "starting",
            StatusMode::Safe => "nobody installs. Hold the button for 2 s to arm.",
            StatusMode::Armed => "power the nodes on; they install from the network.",
            StatusMode::Finishing => "installs finish",
        };
        lines.extend(wrapped(hint).into_iter().map(Line::Words));
    }
    lines
}

fn heading<D: DrawTarget<Color = BinaryColor>>(
    target: &mut D,
    facts: &PanelFacts,
    page: usize,
    pages: usize,
) -> Result<(), D::Error> {
    let bar = Rectangle::new(Point::zero(), Size::new(SIZE.width, CHARACTER.height + 2));
    // Armed is white on black the other way round: nobody should overlook it.
    let (ground, ink) = match facts.mode {
        StatusMode::Armed => (BinaryColor::On, BinaryColor::Off),
        _ => (BinaryColor::Off, BinaryColor::On),
    };
    bar.into_styled(PrimitiveStyle::with_fill(ground)).draw(target)?;
    let mode = match facts.mode {
        StatusMode::Starting => "starting",
        StatusMode::Safe => "safe",
        StatusMode::Armed => "ARMED",
        StatusMode::Finishing => "finishing",
    };
    text(target, mode, Point::new(1, 1), ink)?;
    let right = match pages {
        1 => facts.address.clone(),
        _ => format!("{} {}/{pages}", facts.address, page + 1),
    };
    let width = i32::try_from(right.chars().count()).unwrap_or_default() * CHARACTER.width.cast_signed();
    text(target, &right, Point::new(SIZE.width.cast_signed() - 1 - width, 1), ink)?;
    Rectangle::new(Point::new(0, bar.size.height.cast_signed()), Size::new(SIZE.width, 1))
        .into_styled(PrimitiveStyle::with_fill(BinaryColor::On))
        .draw(target)
}

/// A name, and how far the node is: a bar that is full when its disk is written, or the stage in words.
fn node<D: DrawTarget<Color = BinaryColor>>(
    target: &mut D,
    node: &PanelNode,
    top: i32,
) -> Result<(), D::Error> {
    let name: String = label(node).chars().take(NAME).collect();
    text(target, &name, Point::new(0, top), BinaryColor::On)?;
    if node.stage != Stage::Installing {
        return text(target, node.stage.name(), Point::new(BAR_LEFT, top), BinaryColor::On);
    }
    let (sent, total) = node.image;
    let percent = if total == 0 { 0 } else { u128::from(sent) * 100 / u128::from(total) };
    let percent = u32::try_from(percent).unwrap_or(100).min(100);
    let words = format!("{percent:>3}%");
    let width = SIZE.width - BAR_LEFT.cast_unsigned() - 4 * CHARACTER.width - 2;
    let frame = Rectangle::new(Point::new(BAR_LEFT, top), Size::new(width, CHARACTER.height - 1));
    frame.into_styled(PrimitiveStyle::with_stroke(BinaryColor::On, 1)).draw(target)?;
    Rectangle::new(frame.top_left, Size::new(width * percent / 100, frame.size.height))
        .into_styled(PrimitiveStyle::with_fill(BinaryColor::On))
        .draw(target)?;
    let right = SIZE.width.cast_signed() - 4 * CHARACTER.width.cast_signed();
    text(target, &words, Point::new(right, top), BinaryColor::On)
}

/// The name, or the part of its address that tells it from its neighbours.
fn label(node: &PanelNode) -> String {
    if node.name.is_empty() { node.mac.to_string()[9..].to_owned() } else { node.name.clone() }
}

fn text<D: DrawTarget<Color = BinaryColor>>(
    target: &mut D,
    words: &str,
    place: Point,
    ink: BinaryColor,
) -> Result<(), D::Error> {
    let style = MonoTextStyle::new(&FONT_5X8, ink);
    Text::with_baseline(words, place, style, Baseline::Top).draw(target).map(drop)
}

/// Words on lines that fit; a word that is longer than a line is broken.
fn wrapped(words: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in words.split_whitespace() {
        let letters: Vec<char> = word.chars().collect();
        for part in letters.chunks(LETTERS) {
            match lines.last_mut().filter(|line| line.chars().count() + 1 + part.len() <= LETTERS) {
                Some(line) => {
                    line.push(' ');
                    line.extend(part);
                }
                None => lines.push(part.iter().collect()),
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests;
