//! The screen: a face, the emotion's name, how sure it is, and small status marks.
//!
//! Everything lies within a margin of one pixel, so that the whole screen can be moved by one pixel
//! in any direction without being cut.

use embedded_graphics::draw_target::{DrawTarget, DrawTargetExt};
use embedded_graphics::geometry::{Point, Size};
use embedded_graphics::mono_font::ascii::{
    FONT_5X8, FONT_6X10, FONT_7X13_BOLD, FONT_9X15_BOLD, FONT_9X18_BOLD,
};
use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::prelude::{Drawable, Primitive};
use embedded_graphics::primitives::{PrimitiveStyle, Rectangle, RoundedRectangle};

use super::figure;
use super::font::{Family, NAMES};
use super::icon;
use super::picture::Picture;
use super::text::Word;
use super::view::{BrokerMark, CameraMark, View};
use crate::config::DisplaySize;
use crate::vocabulary::emotion::State;

/// Where the parts are, in pixels.
struct Layout {
    /// Upper left corner and side of the face or another figure.
    figure: (Point, u32),
    /// Words stand centred about this column, wherever their corners would be.
    middle: Option<i32>,
    /// Upper left corner of what is said large.
    name: Point,
    name_font: Family,
    /// Where the name's second word goes; `None`: beside the first.
    second_word: Option<Point>,
    bar: Rectangle,
    /// Upper right corner of the percentage.
    percent: Point,
    percent_font: Family,
    /// Of hints.
    small_font: Family,
    /// Upper left corner of a person's name, and how wide it may be.
    person: (Point, i32),
    /// Where percentage (its upper right corner) and bar go below a person's name; `None`: they make room.
    small: Option<(Point, Rectangle)>,
    /// Upper left corner of what is said below the name when there is no bar.
    hint: Point,
    /// Upper right corner of the first mark, and the step to the next.
    marks: (Point, Point),
}

const fn layout(size: DisplaySize) -> Layout {
    match size {
        DisplaySize::W128H64 => Layout {
            figure: (Point::new(1, 7), 52),
            middle: None,
            name: Point::new(56, 14),
            name_font: &[&FONT_9X18_BOLD],
            second_word: Some(Point::new(56, 31)),
            bar: Rectangle::new(Point::new(56, 53), Size::new(71, 9)),
            percent: Point::new(127, 37),
            percent_font: &[&FONT_9X15_BOLD],
            small_font: &[&FONT_6X10],
            person: (Point::new(56, 37), 71),
            small: Some((Point::new(127, 52), Rectangle::new(Point::new(56, 53), Size::new(43, 9)))),
            hint: Point::new(56, 52),
            marks: (Point::new(127, 2), Point::new(-13, 0)),
        },
        DisplaySize::W128H32 => Layout {
            figure: (Point::new(1, 1), 30),
            middle: None,
            name: Point::new(35, 0),
            name_font: &[&FONT_9X18_BOLD],
            second_word: None,
            bar: Rectangle::new(Point::new(35, 22), Size::new(49, 8)),
            percent: Point::new(114, 21),
            percent_font: &[&FONT_6X10],
            small_font: &[&FONT_6X10],
            person: (Point::new(35, 21), 92),
            small: None,
            hint: Point::new(35, 21),
            marks: (Point::new(127, 2), Point::new(0, 10)),
        },
        DisplaySize::W64H128 => Layout {
            figure: (Point::new(6, 17), 52),
            middle: Some(32),
            name: Point::new(1, 76),
            name_font: &[&FONT_7X13_BOLD],
            second_word: Some(Point::new(1, 90)),
            bar: Rectangle::new(Point::new(1, 115), Size::new(62, 9)),
            percent: Point::new(63, 96),
            percent_font: &[&FONT_9X15_BOLD],
            small_font: &[&FONT_5X8],
            person: (Point::new(1, 91), 62),
            small: Some((Point::new(63, 103), Rectangle::new(Point::new(1, 115), Size::new(62, 9)))),
            hint: Point::new(1, 110),
            marks: (Point::new(63, 2), Point::new(-13, 0)),
        },
    }
}

impl Layout {
    /// Draws a word with its upper left corner at `corner`, or centred below it.
    fn put<D>(&self, target: &mut D, word: &Word<'_>, corner: Point) -> Result<(), D::Error>
    where
        D: DrawTarget<Color = BinaryColor>,
    {
        let x = self.middle.map_or(corner.x, |middle| middle - word.width() / 2);
        word.draw(target, Point::new(x, corner.y))
    }
}

/// The picture of `view`, moved by `shift` (each coordinate -1 to 1).
pub fn picture(view: &View, size: DisplaySize, shift: Point) -> Picture {
    let mut picture = Picture::new(size);
    let Ok(()) = draw(&mut picture.translated(shift), view, size);
    picture
}

/// Draws `view` on `target`, which is `size` large and dark.
///
/// # Errors
/// Those of `target`.
pub fn draw<D>(target: &mut D, view: &View, size: DisplaySize) -> Result<(), D::Error>
where
    D: DrawTarget<Color = BinaryColor>,
{
    let layout = layout(size);
    let (corner, side) = layout.figure;
    if view.camera == CameraMark::Reading {
        figure::face(target, view.state, corner, side)?;
    } else {
        figure::camera(target, view.camera, corner, side)?;
    }
    let (text, hint) = match (view.camera, view.state) {
        (CameraMark::Reading, State::None) => ("No face", "waiting"),
        (CameraMark::Reading, state) => {
            name(target, &layout, &title(state.name()))?;
            match &view.person {
                Some(person) => known(target, &layout, &person.text(), view.confidence)?,
                None => confidence(target, &layout, view.confidence)?,
            }
            return marks(target, &layout, view);
        }
        (CameraMark::Damaged, _) => ("Bad image", "trying again"),
        (CameraMark::Lost, _) => ("No camera", "trying again"),
        (CameraMark::Off, _) => ("Camera off", "privacy"),
        (CameraMark::Starting, _) => ("Starting", "one moment"),
    };
    name(target, &layout, text)?;
    layout.put(target, &Word::new(hint, layout.small_font), layout.hint)?;
    marks(target, &layout, view)
}

/// With a capital letter.
fn title(name: &str) -> String {
    let (first, rest) = name.split_at(1);
    first.to_ascii_uppercase() + rest
}

/// What is said large: an emotion, or why there is none.
fn name<D>(target: &mut D, layout: &Layout, text: &str) -> Result<(), D::Error>
where
    D: DrawTarget<Color = BinaryColor>,
{
    let mut put = |text, place| layout.put(target, &Word::new(text, layout.name_font), place);
    match (layout.second_word, text.split_once(' ')) {
        (Some(second), Some((one, two))) => {
            put(one, layout.name)?;
            put(two, second)
        }
        _ => put(text, layout.name),
    }
}

/// A bar and a percentage.
fn confidence<D>(target: &mut D, layout: &Layout, confidence: f32) -> Result<(), D::Error>
where
    D: DrawTarget<Color = BinaryColor>,
{
    percent(target, layout, confidence, layout.percent, layout.percent_font)?;
    bar(target, confidence, layout.bar)
}

/// A person's name, and how sure the emotion is, smaller, where there is room.
fn known<D>(target: &mut D, layout: &Layout, person: &str, confidence: f32) -> Result<(), D::Error>
where
    D: DrawTarget<Color = BinaryColor>,
{
    let (corner, room) = layout.person;
    let (text, family) = fitted(person, room, layout.small_font);
    layout.put(target, &Word::new(&text, family), corner)?;
    let Some((corner, place)) = layout.small else { return Ok(()) };
    percent(target, layout, confidence, corner, &[&FONT_6X10])?;
    bar(target, confidence, place)
}

/// The name in the largest font in which it has room: whole, else with initials after the first word, else as much of
/// that as there is room for.
fn fitted(name: &str, room: i32, largest: Family) -> (String, Family) {
    let fits = |text: &str, family| Word::new(text, family).width() <= room;
    let height = |family: Family| family[0].character_size.height;
    let sizes = || NAMES.into_iter().filter(|family| height(family) <= height(largest));
    let mut words = name.split_whitespace();
    let mut short = words.next().unwrap_or_default().to_owned();
    let forms = [name.to_owned(), short.clone() + &words.map(initial).collect::<String>(), short.clone()];
    for form in forms {
        if let Some(family) = sizes().find(|family| fits(&form, family)) {
            return (form, family);
        }
    }
    let smallest = NAMES[NAMES.len() - 1];
    while !fits(&(short.clone() + "."), smallest) && short.pop().is_some() {}
    (short + ".", smallest)
}

/// ` M.` of `Maria`.
fn initial(word: &str) -> String {
    word.chars().next().map_or_else(String::new, |letter| format!(" {letter}."))
}

/// With its upper right corner at `corner`, or centred.
fn percent<D>(
    target: &mut D,
    layout: &Layout,
    confidence: f32,
    corner: Point,
    font: Family,
) -> Result<(), D::Error>
where
    D: DrawTarget<Color = BinaryColor>,
{
    let text = format!("{:.0}%", confidence.clamp(0.0, 1.0) * 100.0);
    let percent = Word::new(&text, font);
    layout.put(target, &percent, corner - Point::new(percent.width(), 0))
}

fn bar<D>(target: &mut D, confidence: f32, place: Rectangle) -> Result<(), D::Error>
where
    D: DrawTarget<Color = BinaryColor>,
{
    let share = confidence.clamp(0.0, 1.0);
    let round = Size::new_equal(3);
    RoundedRectangle::with_equal_corners(place, round)
        .into_styled(PrimitiveStyle::with_stroke(BinaryColor::On, 1))
        .draw(target)?;
    let inside = place.offset(-2);
    let filled = (share * inside.size.width as f32).round() as u32;
    Rectangle::new(inside.top_left, Size::new(filled, inside.size.height))
        .into_styled(PrimitiveStyle::with_fill(BinaryColor::On))
        .draw(target)
}

fn marks<D>(target: &mut D, layout: &Layout, view: &View) -> Result<(), D::Error>
where
    D: DrawTarget<Color = BinaryColor>,
{
    let camera = match view.camera {
        CameraMark::Reading => icon::CAMERA,
        CameraMark::Starting => icon::CAMERA_STARTING,
        CameraMark::Damaged | CameraMark::Lost => icon::CAMERA_LOST,
        CameraMark::Off => icon::CAMERA_OFF,
    };
    let broker = match view.broker {
        BrokerMark::Connected => Some(icon::BROKER),
        BrokerMark::Away => Some(icon::BROKER_AWAY),
        BrokerMark::Off => None,
    };
    let (mut corner, step) = layout.marks;
    for icon in [Some(camera), broker].into_iter().flatten() {
        icon.draw(target, corner - Point::new(icon.width(), 0))?;
        corner += step;
    }
    if view.faces > 1 {
        let number = if view.faces < 10 { view.faces.to_string() } else { "+".to_owned() };
        let number = Word::new(&number, &[&FONT_5X8]);
        corner -= Point::new(number.width(), 0);
        number.draw(target, corner)?;
        icon::PERSON.draw(target, corner - Point::new(icon::PERSON.width() + 2, 0))?;
    }
    Ok(())
}
