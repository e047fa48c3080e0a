//! Faces and other figures drawn with a few strokes, in any size.
//!
//! Coordinates are those of a drawing whose head has the radius 30 and its centre at (0, 0), x to the
//! right and y down; they are scaled to the size on the panel.

use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{Dimensions, Point, Size};
use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::prelude::{Drawable, Primitive};
use embedded_graphics::primitives::{Circle, PrimitiveStyle, Rectangle};

use super::view::CameraMark;
use crate::vocabulary::emotion::{Emotion, State};

/// Radius of the head in the drawing's own coordinates.
const RADIUS: f32 = 30.0;

type Place = (f32, f32);

/// Draws `state`'s face into the square of side `size` (even) whose upper left corner is `corner`.
pub fn face<D>(target: &mut D, state: State, corner: Point, size: u32) -> Result<(), D::Error>
where
    D: DrawTarget<Color = BinaryColor>,
{
    let mut pen = Pen::new(target, corner, size);
    match state {
        State::None => nobody(&mut pen),
        State::Uncertain => uncertain(&mut pen),
        State::Emotion(emotion) => {
            pen.head()?;
            match emotion {
                Emotion::Angry => angry(&mut pen),
                Emotion::Disgust => disgust(&mut pen),
                Emotion::Fear => fear(&mut pen),
                Emotion::Happy => happy(&mut pen),
                Emotion::Sad => sad(&mut pen),
                Emotion::Surprise => surprise(&mut pen),
                Emotion::Neutral => neutral(&mut pen),
                Emotion::Contempt => contempt(&mut pen),
            }
        }
    }
}

/// Draws a camera that does not deliver, and why, into the same square.
pub fn camera<D>(target: &mut D, mark: CameraMark, corner: Point, size: u32) -> Result<(), D::Error>
where
    D: DrawTarget<Color = BinaryColor>,
{
    let mut pen = Pen::new(target, corner, size);
    let (left, top, right, bottom) = (-25.0, -15.0, 9.0, 16.0);
    pen.outline(&[(left, top), (right, top), (right, bottom), (left, bottom)])?;
    pen.outline(&[(right, 0.0), (26.0, -11.0), (26.0, 12.0)])?;
    match mark {
        CameraMark::Starting => [-18.0, -8.0, 2.0].into_iter().try_for_each(|x| pen.dot((x, 0.5), 2.4)),
        CameraMark::Damaged | CameraMark::Lost => {
            pen.line((-15.0, -7.0), (-1.0, 8.0))?;
            pen.line((-1.0, -7.0), (-15.0, 8.0))
        }
        CameraMark::Off => {
            pen.gap((-22.0, 26.0), (20.0, -25.0))?;
            pen.line((-22.0, 26.0), (20.0, -25.0))
        }
        CameraMark::Reading => pen.dot((-8.0, 0.5), 6.0),
    }
}

fn neutral<D: DrawTarget<Color = BinaryColor>>(pen: &mut Pen<'_, D>) -> Result<(), D::Error> {
    pen.both(|pen| {
        pen.fine_line((-16.0, -15.0), (-7.0, -15.0))?;
        pen.dot((-11.0, -6.0), 3.2)?;
        pen.line((-11.0, 13.0), (0.0, 13.0))
    })
}

fn happy<D: DrawTarget<Color = BinaryColor>>(pen: &mut Pen<'_, D>) -> Result<(), D::Error> {
    pen.both(|pen| {
        pen.curve((-17.0, -4.0), (-11.0, -17.0), (-5.0, -4.0))?;
        pen.filled((-16.0, 6.0), (0.0, 6.0), |x| 6.0 + 15.0 * (1.0 - (x / 16.5).powi(2)).max(0.0).sqrt())
    })
}

fn sad<D: DrawTarget<Color = BinaryColor>>(pen: &mut Pen<'_, D>) -> Result<(), D::Error> {
    pen.both(|pen| {
        pen.line((-18.0, -12.0), (-7.0, -18.0))?;
        pen.dot((-11.0, -4.0), 3.2)?;
        pen.curve((-12.0, 19.0), (-6.0, 11.0), (0.0, 11.0))
    })?;
    pen.drop((-15.0, 9.0), 3.4)
}

fn angry<D: DrawTarget<Color = BinaryColor>>(pen: &mut Pen<'_, D>) -> Result<(), D::Error> {
    pen.both(|pen| {
        pen.line((-20.0, -17.0), (-4.0, -8.0))?;
        pen.dot((-10.0, -3.0), 3.2)?;
        // Bared teeth.
        pen.fine_line((-12.0, 9.0), (0.0, 9.0))?;
        pen.fine_line((-12.0, 20.0), (0.0, 20.0))?;
        pen.fine_line((-12.0, 9.0), (-12.0, 20.0))?;
        pen.hairline((-12.0, 14.5), (0.0, 14.5))?;
        pen.hairline((-6.0, 9.0), (-6.0, 20.0))?;
        pen.hairline((0.0, 9.0), (0.0, 20.0))
    })
}

fn disgust<D: DrawTarget<Color = BinaryColor>>(pen: &mut Pen<'_, D>) -> Result<(), D::Error> {
    pen.both(|pen| {
        // Eyes pinched shut under lowered brows, and a wrinkled nose.
        pen.fine_line((-19.0, -15.0), (-6.0, -11.0))?;
        pen.fine_line((-18.0, -4.0), (-6.0, -6.0))?;
        pen.hairline((-3.0, -4.0), (-5.0, 2.0))?;
        pen.curve((-14.0, 13.0), (-8.0, 6.0), (0.0, 8.0))
    })?;
    // The tongue.
    pen.fine_curve((-2.0, 9.0), (-2.0, 24.0), (5.0, 24.0))?;
    pen.fine_curve((5.0, 24.0), (12.0, 24.0), (12.0, 11.0))?;
    pen.hairline((5.0, 12.0), (5.0, 18.0))
}

fn fear<D: DrawTarget<Color = BinaryColor>>(pen: &mut Pen<'_, D>) -> Result<(), D::Error> {
    pen.both(|pen| {
        pen.fine_curve((-18.0, -14.0), (-12.0, -15.0), (-6.0, -20.0))?;
        pen.ring((-10.5, -3.0), 7.5)?;
        pen.dot((-10.5, -3.0), 2.0)
    })?;
    pen.wave((-12.0, 15.0), 24.0, 2.5, 3.0)
}

fn surprise<D: DrawTarget<Color = BinaryColor>>(pen: &mut Pen<'_, D>) -> Result<(), D::Error> {
    pen.both(|pen| {
        pen.fine_curve((-17.0, -14.0), (-12.0, -23.0), (-6.0, -16.0))?;
        pen.dot((-11.0, -7.0), 3.6)
    })?;
    pen.ring((0.0, 13.0), 9.0)
}

fn contempt<D: DrawTarget<Color = BinaryColor>>(pen: &mut Pen<'_, D>) -> Result<(), D::Error> {
    // Half-closed eyes that look aside, one brow raised, one corner of the mouth pulled up.
    for x in [-11.0, 11.0] {
        pen.fine_line((x - 7.0, -7.0), (x + 6.0, -7.0))?;
        pen.filled((x - 1.0, -7.0), (x + 6.0, -7.0), |at| {
            -6.0 + 5.0 * (1.0 - ((at - x - 2.5) / 3.8).powi(2)).max(0.0).sqrt()
        })?;
    }
    pen.fine_line((-18.0, -13.0), (-6.0, -12.0))?;
    pen.fine_curve((5.0, -15.0), (12.0, -22.0), (18.0, -14.0))?;
    pen.line((-10.0, 15.0), (3.0, 15.0))?;
    pen.curve((3.0, 15.0), (12.0, 15.0), (15.0, 7.0))
}

fn uncertain<D: DrawTarget<Color = BinaryColor>>(pen: &mut Pen<'_, D>) -> Result<(), D::Error> {
    pen.dashed_head()?;
    // A question mark for a nose, and a crooked mouth.
    pen.both(|pen| pen.dot((-16.0, -5.0), 3.2))?;
    pen.fine_curve((-7.0, -12.0), (-6.0, -20.0), (1.0, -20.0))?;
    pen.fine_curve((1.0, -20.0), (9.0, -19.0), (7.0, -11.0))?;
    pen.fine_curve((7.0, -11.0), (0.0, -6.0), (0.0, 0.0))?;
    pen.dot((0.0, 6.5), 1.6)?;
    pen.wave((-11.0, 17.0), 22.0, 1.0, 3.0)
}

/// The corners of a viewfinder around an empty head and shoulders.
fn nobody<D: DrawTarget<Color = BinaryColor>>(pen: &mut Pen<'_, D>) -> Result<(), D::Error> {
    pen.both(|pen| {
        for y in [-28.0, 28.0_f32] {
            pen.fine_line((-28.0, y), (-17.0, y))?;
            pen.fine_line((-28.0, y), (-28.0, y.signum() * 17.0))?;
        }
        pen.fine_curve((-17.0, 20.0), (-17.0, 7.0), (0.0, 7.0))?;
        pen.fine_line((-17.0, 20.0), (0.0, 20.0))
    })?;
    pen.ring((0.0, -8.0), 10.0)
}

/// Draws strokes of the scaled drawing.
struct Pen<'a, D> {
    target: &'a mut D,
    /// The pixel below and to the right of the centre.
    center: Point,
    size: u32,
    /// Everything is drawn a second time with left and right swapped.
    mirrored: bool,
    color: BinaryColor,
}

impl<'a, D: DrawTarget<Color = BinaryColor>> Pen<'a, D> {
    fn new(target: &'a mut D, corner: Point, size: u32) -> Self {
        let center = corner + Size::new_equal(size / 2);
        Self { target, center, size, mirrored: false, color: BinaryColor::On }
    }

    /// What `half` draws of the left half, on both sides.
    fn both(&mut self, half: impl FnOnce(&mut Self) -> Result<(), D::Error>) -> Result<(), D::Error> {
        self.mirrored = true;
        let drawn = half(self);
        self.mirrored = false;
        drawn
    }

    fn scale(&self) -> f32 {
        self.size as f32 / (2.0 * RADIUS)
    }

    /// Thickness of a stroke in pixels.
    fn stroke(&self) -> u32 {
        if self.size >= 40 { 3 } else { 2 }
    }

    /// Thickness of what would fill up in a small face.
    fn fine_stroke(&self) -> u32 {
        self.stroke() - 1
    }

    /// Draws `shape`, and its mirror image where asked for.
    fn put(&mut self, shape: &impl Drawable<Color = BinaryColor>) -> Result<(), D::Error> {
        if self.mirrored {
            shape.draw(&mut Mirrored { axis: 2 * self.center.x - 1, target: self.target })?;
        }
        shape.draw(self.target).map(|_| ())
    }

    fn head(&mut self) -> Result<(), D::Error> {
        let style = PrimitiveStyle::with_stroke(self.color, 2);
        let corner = self.center - Size::new_equal(self.size / 2 - 1);
        let outline = Circle::new(corner, self.size - 2).into_styled(style);
        self.put(&outline)
    }

    fn dashed_head(&mut self) -> Result<(), D::Error> {
        const DASHES: usize = 12;
        const STEPS: usize = 12;
        for step in (0..DASHES * STEPS).filter(|step| step % STEPS < STEPS * 2 / 3) {
            let angle = std::f32::consts::TAU * step as f32 / (DASHES * STEPS) as f32;
            self.stamp((28.0 * angle.cos(), 28.0 * angle.sin()), 2)?;
        }
        Ok(())
    }

    /// A square of `thickness` pixels around `place`.
    fn stamp(&mut self, place: Place, thickness: u32) -> Result<(), D::Error> {
        let pixel = |value: f32| (value * self.scale() - thickness as f32 / 2.0).round() as i32;
        let corner = self.center + Point::new(pixel(place.0), pixel(place.1));
        let square = Rectangle::new(corner, Size::new_equal(thickness));
        self.put(&square.into_styled(PrimitiveStyle::with_fill(self.color)))
    }

    /// A path whose point at 0 to 1 is `path(t)`.
    fn path(&mut self, thickness: u32, path: impl Fn(f32) -> Place) -> Result<(), D::Error> {
        // No stroke is longer than the head is wide: no pixel is left out.
        let steps = 2 * self.size;
        (0..=steps).try_for_each(|step| self.stamp(path(step as f32 / steps as f32), thickness))
    }

    fn curve(&mut self, from: Place, control: Place, to: Place) -> Result<(), D::Error> {
        self.path(self.stroke(), bezier(from, control, to))
    }

    fn fine_curve(&mut self, from: Place, control: Place, to: Place) -> Result<(), D::Error> {
        self.path(self.fine_stroke(), bezier(from, control, to))
    }

    fn line(&mut self, from: Place, to: Place) -> Result<(), D::Error> {
        self.path(self.stroke(), along(from, to))
    }

    fn fine_line(&mut self, from: Place, to: Place) -> Result<(), D::Error> {
        self.path(self.fine_stroke(), along(from, to))
    }

    /// One pixel thick in any size.
    fn hairline(&mut self, from: Place, to: Place) -> Result<(), D::Error> {
        self.path(1, along(from, to))
    }

    /// A closed polygon.
    fn outline(&mut self, corners: &[Place]) -> Result<(), D::Error> {
        let next = corners.iter().cycle().skip(1);
        corners.iter().zip(next).try_for_each(|(&from, &to)| self.fine_line(from, to))
    }

    /// Darkness around a stroke that crosses others.
    fn gap(&mut self, from: Place, to: Place) -> Result<(), D::Error> {
        let lit = std::mem::replace(&mut self.color, BinaryColor::Off);
        let drawn = self.path(self.stroke() + 4, along(from, to));
        self.color = lit;
        drawn
    }

    /// A sine wave of `periods` that starts at `from` and swings by `height` to either side.
    fn wave(&mut self, from: Place, length: f32, periods: f32, height: f32) -> Result<(), D::Error> {
        self.path(self.fine_stroke(), |t| {
            (from.0 + t * length, from.1 - height * (std::f32::consts::TAU * periods * t).sin())
        })
    }

    fn dot(&mut self, center: Place, radius: f32) -> Result<(), D::Error> {
        let disc = self.circle(center, radius).into_styled(PrimitiveStyle::with_fill(self.color));
        self.put(&disc)
    }

    fn ring(&mut self, center: Place, radius: f32) -> Result<(), D::Error> {
        let style = PrimitiveStyle::with_stroke(self.color, self.fine_stroke());
        let ring = self.circle(center, radius).into_styled(style);
        self.put(&ring)
    }

    fn circle(&self, center: Place, radius: f32) -> Circle {
        // An even diameter lies evenly around the axis, and small discs look round.
        let diameter = (2 * (radius * self.scale()).round() as u32).max(2);
        let center = self.center
            + Point::new((center.0 * self.scale()).round() as i32, (center.1 * self.scale()).round() as i32);
        Circle::new(center - Size::new_equal(diameter / 2), diameter)
    }

    /// A falling drop whose round end is at `center`.
    fn drop(&mut self, center: Place, radius: f32) -> Result<(), D::Error> {
        self.dot(center, radius)?;
        let tip = (center.0, center.1 - 2.4 * radius);
        for side in [-1.0, 0.0, 1.0] {
            self.hairline((center.0 + side * 0.6 * radius, center.1), tip)?;
        }
        Ok(())
    }

    /// The area below the line `from` to `to` and above `bottom(x)`.
    fn filled(&mut self, from: Place, to: Place, bottom: impl Fn(f32) -> f32) -> Result<(), D::Error> {
        let steps = (2 * self.size) as i32;
        for step in 0..=steps {
            let x = from.0 + (to.0 - from.0) * step as f32 / steps as f32;
            self.hairline((x, from.1), (x, bottom(x)))?;
        }
        Ok(())
    }
}

/// The points of a straight line, by a parameter from 0 to 1.
fn along(from: Place, to: Place) -> impl Fn(f32) -> Place {
    move |t| (from.0 + t * (to.0 - from.0), from.1 + t * (to.1 - from.1))
}

/// The points of a quadratic Bézier curve, by a parameter from 0 to 1.
fn bezier(from: Place, control: Place, to: Place) -> impl Fn(f32) -> Place {
    let blend =
        |a: f32, b: f32, c: f32, t: f32| (1.0 - t) * (1.0 - t) * a + 2.0 * (1.0 - t) * t * b + t * t * c;
    move |t| (blend(from.0, control.0, to.0, t), blend(from.1, control.1, to.1, t))
}

/// Draws with left and right swapped: column x becomes `axis - x`.
struct Mirrored<'a, D> {
    target: &'a mut D,
    axis: i32,
}

impl<D: DrawTarget> Dimensions for Mirrored<'_, D> {
    fn bounding_box(&self) -> Rectangle {
        self.target.bounding_box()
    }
}

impl<D: DrawTarget> DrawTarget for Mirrored<'_, D> {
    type Color = D::Color;
    type Error = D::Error;

    fn draw_iter<I>(&mut self, pixels: I) -> Result<(), D::Error>
    where
        I: IntoIterator<Item = Pixel<D::Color>>,
    {
        let axis = self.axis;
        self.target
            .draw_iter(pixels.into_iter().map(|Pixel(at, color)| Pixel(Point::new(axis - at.x, at.y), color)))
    }
}
