//! Small marks, drawn pixel by pixel.

use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::Point;
use embedded_graphics::pixelcolor::BinaryColor;

/// Rows of every mark.
const HEIGHT: usize = 7;

/// A picture in rows of text; `#` is lit.
pub struct Icon([&'static str; HEIGHT]);

pub const CAMERA: Icon =
    Icon(["#######...", "#######..#", "#######.##", "##########", "#######.##", "#######..#", "#######..."]);

pub const CAMERA_STARTING: Icon =
    Icon(["#######...", "#.....#..#", "#.....#.##", "#.....##.#", "#.....#.##", "#.....#..#", "#######..."]);

pub const CAMERA_LOST: Icon =
    Icon(["#######...", "#.....#..#", "#.#.#.#.##", "#..#..##.#", "#.#.#.#.##", "#.....#..#", "#######..."]);

pub const CAMERA_OFF: Icon =
    Icon(["#######...", "#....##..#", "#...#.#.##", "#..#..##.#", "#.#...#.##", "##....#..#", "#######..."]);

pub const BROKER: Icon =
    Icon(["....##....", "..######..", ".########.", ".########.", "##########", "##########", ".########."]);

pub const BROKER_AWAY: Icon =
    Icon(["....##....", "..##..##..", ".#.#..#.#.", ".#..##..#.", "#...##...#", "#..#..#..#", ".########."]);

/// Stands before the number of faces.
pub const PERSON: Icon = Icon([".##.", ".##.", "....", "####", "####", "####", "####"]);

impl Icon {
    pub fn width(&self) -> i32 {
        self.0[0].len() as i32
    }

    /// Draws it with its upper left corner at `corner`.
    pub fn draw<D>(&self, target: &mut D, corner: Point) -> Result<(), D::Error>
    where
        D: DrawTarget<Color = BinaryColor>,
    {
        let rows = self.0.iter().zip(corner.y..);
        target.draw_iter(rows.flat_map(|(row, y)| {
            row.bytes()
                .zip(corner.x..)
                .filter(|(dot, _)| *dot == b'#')
                .map(move |(_, x)| Pixel(Point::new(x, y), BinaryColor::On))
        }))
    }
}
