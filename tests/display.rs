use embedded_graphics::geometry::Point;
use emotiond::config::DisplaySize;
use emotiond::display::*;
use emotiond::emotion::*;

#[test]
fn sheet() {
    let mut all: Vec<View> = Emotion::ALL
        .iter()
        .enumerate()
        .map(|(i, e)| View {
            state: State::Emotion(*e),
            confidence: 0.93 - 0.05 * i as f32,
            faces: 1 + i % 3,
            camera: CameraMark::Reading,
            broker: BrokerMark::Connected,
        })
        .collect();
    all.push(View {
        state: State::Uncertain,
        confidence: 0.31,
        faces: 1,
        camera: CameraMark::Reading,
        broker: BrokerMark::Away,
    });
    for camera in [CameraMark::Reading, CameraMark::Lost, CameraMark::Off, CameraMark::Starting] {
        all.push(View { camera, ..View::default() });
    }
    for size in [DisplaySize::W128H64, DisplaySize::W128H32] {
        let pics: Vec<_> = all
            .iter()
            .map(|v| {
                let png = preview::png(&screen::picture(v, size, Point::new(0, 0)));
                image::load_from_memory(&png).unwrap().to_rgb8()
            })
            .collect();
        let (w, h) = pics[0].dimensions();
        let mut sheet = image::RgbImage::from_pixel(
            3 * (w + 12) + 12,
            (pics.len() as u32).div_ceil(3) * (h + 12) + 12,
            image::Rgb([60, 60, 60]),
        );
        for (i, p) in pics.iter().enumerate() {
            image::imageops::replace(
                &mut sheet,
                p,
                (12 + (i as u32 % 3) * (w + 12)) as i64,
                (12 + (i as u32 / 3) * (h + 12)) as i64,
            );
        }
        sheet.save(format!("/tmp/sheet-{h}.png")).unwrap();
    }
}
