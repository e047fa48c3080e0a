//! From key points to the square that a descriptor net wants: the similarity (turn, scale, shift) that
//! brings the face's points nearest to where the net was trained to see them.

use crate::nets::sidecar::ChipPoints;
use crate::see::classify::crop::Square;
use crate::vocabulary::emotion::Landmarks;
use crate::vocabulary::frame::Point;

/// The square that puts the points nearest to `chip`, in the least-squares sense (Umeyama 1991,
/// doi:10.1109/34.88573, in the plane, where it has a closed form). `None` where the points
/// are all one, as no face's are.
pub fn square(points: &Landmarks, chip: &ChipPoints) -> Option<Square> {
    let found = [points.right_eye, points.left_eye, points.mouth];
    let wanted = [chip.right_eye, chip.left_eye, chip.mouth].map(|[x, y]| Point { x, y });
    let (of_found, of_wanted) = (mean(&found), mean(&wanted));
    // The linear part is x = a u - b v, y = b u + a v.
    let (mut a, mut b, mut spread) = (0.0, 0.0, 0.0);
    for (found, wanted) in found.iter().zip(&wanted) {
        let (u, v) = (wanted.x - of_wanted.x, wanted.y - of_wanted.y);
        let (x, y) = (found.x - of_found.x, found.y - of_found.y);
        a += u * x + v * y;
        b += u * y - v * x;
        spread += u * u + v * v;
    }
    let (a, b) = (a / spread, b / spread);
    let side = a.hypot(b);
    if !side.is_normal() {
        return None;
    }
    // The middle of the unit square, where a chip's points are measured.
    let (u, v) = (0.5 - of_wanted.x, 0.5 - of_wanted.y);
    let center = Point { x: of_found.x + a * u - b * v, y: of_found.y + b * u + a * v };
    Some(Square { center, side, angle: b.atan2(a) })
}

fn mean(points: &[Point]) -> Point {
    let count = points.len() as f32;
    Point {
        x: points.iter().map(|point| point.x).sum::<f32>() / count,
        y: points.iter().map(|point| point.y).sum::<f32>() / count,
    }
}

/// How far the nose is beside the middle of the eyes, in units of their distance and along their line:
/// 0 for a face seen from the front, about ±0.5 for one half turned. On a flat photo that is turned
/// it stays what it is, since then everything is foreshortened alike.
pub fn turn(points: &Landmarks) -> f32 {
    let Landmarks { right_eye, left_eye, nose, .. } = *points;
    let (dx, dy) = (left_eye.x - right_eye.x, left_eye.y - right_eye.y);
    let (x, y) = (nose.x - (right_eye.x + left_eye.x) / 2.0, nose.y - (right_eye.y + left_eye.y) / 2.0);
    let squared = dx * dx + dy * dy;
    if squared > 0.0 { (x * dx + y * dy) / squared } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHIP: ChipPoints = ChipPoints { right_eye: [0.3, 0.3], left_eye: [0.7, 0.3], mouth: [0.5, 0.7] };

    fn near(a: f32, b: f32) -> bool {
        (a - b).abs() < 1e-3
    }

    fn level(scale: f32) -> Landmarks {
        let point = |x: f32, y: f32| Point { x: 50.0 + scale * x, y: 20.0 + scale * y };
        Landmarks {
            right_eye: point(0.3, 0.3),
            left_eye: point(0.7, 0.3),
            mouth: point(0.5, 0.7),
            nose: point(0.5, 0.5),
        }
    }

    #[test]
    fn a_face_where_the_net_wants_it_is_cut_as_it_is() {
        let square = square(&level(100.0), &CHIP).expect("a face");
        assert!(near(square.side, 100.0) && near(square.angle, 0.0), "{square:?}");
        assert!(near(square.center.x, 100.0) && near(square.center.y, 70.0), "{square:?}");
        assert_eq!(super::square(&Landmarks::default(), &CHIP), None);
    }

    #[test]
    fn a_turned_and_larger_face_is_turned_back() {
        // By a quarter, clockwise, around the origin, and twice as large.
        let turned = |point: Point| Point { x: -2.0 * point.y, y: 2.0 * point.x };
        let face = level(100.0);
        let face = Landmarks {
            right_eye: turned(face.right_eye),
            left_eye: turned(face.left_eye),
            mouth: turned(face.mouth),
            nose: turned(face.nose),
        };
        let square = square(&face, &CHIP).expect("a face");
        assert!(near(square.side, 200.0) && near(square.angle, std::f32::consts::FRAC_PI_2), "{square:?}");
        assert!(near(square.center.x, -140.0) && near(square.center.y, 200.0), "{square:?}");
        assert!(near(turn(&face), 0.0));
    }

    #[test]
    fn a_turned_head_moves_the_nose_and_a_turned_photo_does_not() {
        let mut face = level(100.0);
        face.nose.x += 16.0;
        assert!(near(turn(&face), 0.4), "{}", turn(&face));
        let squeezed = |point: Point| Point { x: 0.5 * point.x, ..point };
        let photo = Landmarks {
            right_eye: squeezed(face.right_eye),
            left_eye: squeezed(face.left_eye),
            nose: squeezed(face.nose),
            ..face
        };
        assert!(near(turn(&photo), 0.4), "{}", turn(&photo));
    }
}
