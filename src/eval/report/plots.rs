//! The report's plots, as SVG.

use plotters::chart::MeshStyle;
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::register_font;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::eval::bootstrap::{ClassIntervals, Interval};
use crate::eval::metrics::PerClass;
use crate::eval::summary::Reliability;

/// What went wrong while drawing.
pub type DrawError = Box<dyn std::error::Error>;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

type Mesh<'a, 'b, 's> = MeshStyle<'a, 'b, RangedCoordf64, RangedCoordf64, SVGBackend<'s>>;

const FONT: &str = "system-ui, sans-serif";
/// plotters divides sizes by 1.24, so these are 13 and 11 pixels.
const TEXT: f64 = 13.0 * 1.24;
const SMALL: f64 = 11.0 * 1.24;

/// The colours of a plot.
#[derive(Clone, Copy, Debug)]
pub struct Theme {
    pub ink: RGBColor,
    pub muted: RGBColor,
    pub grid: RGBColor,
    /// Ends of the scale of shares.
    pub none: RGBColor,
    pub all: RGBColor,
    /// Three series that differ in hue and lightness.
    pub series: [RGBColor; 3],
    pub warning: RGBColor,
}

pub const LIGHT: Theme = Theme {
    ink: RGBColor(31, 35, 40),
    muted: RGBColor(89, 99, 110),
    grid: RGBColor(222, 226, 230),
    none: RGBColor(243, 246, 250),
    all: RGBColor(20, 80, 160),
    series: [RGBColor(42, 120, 214), RGBColor(27, 175, 122), RGBColor(237, 161, 0)],
    warning: RGBColor(201, 60, 55),
};

pub const DARK: Theme = Theme {
    ink: RGBColor(230, 237, 243),
    muted: RGBColor(152, 162, 173),
    grid: RGBColor(55, 62, 71),
    none: RGBColor(29, 35, 43),
    all: RGBColor(121, 184, 255),
    series: [RGBColor(57, 135, 229), RGBColor(25, 158, 112), RGBColor(201, 133, 0)],
    warning: RGBColor(240, 113, 103),
};

/// Draws on a transparent ground of `size` pixels.
fn draw(
    size: (u32, u32),
    what: impl FnOnce(&Area<'_>) -> Result<(), DrawError>,
) -> Result<String, DrawError> {
    // Only to estimate the place that texts take: the page is shown in the viewer's own font.
    register_font(FONT, FontStyle::Normal, dejavu::sans_condensed::bold())
        .map_err(|_| "the font cannot be read")?;
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        what(&area)?;
        area.present()?;
    }
    Ok(svg)
}

fn style(size: f64, color: RGBColor, h_pos: HPos, v_pos: VPos) -> TextStyle<'static> {
    (FONT, size).into_font().color(&color).pos(Pos::new(h_pos, v_pos))
}

/// Thin lines across, and small labels.
fn ruled<'m, 'a, 'b, 's>(mesh: &'m mut Mesh<'a, 'b, 's>, theme: &Theme) -> &'m mut Mesh<'a, 'b, 's> {
    let label = style(SMALL, theme.muted, HPos::Left, VPos::Top);
    mesh.disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(theme.grid)
        .axis_style(theme.grid)
        .label_style(label.clone())
        .axis_desc_style(label)
}

/// Rows are true classes, columns answers; each cell has its count and its share of the row.
/// `no_face`: a last column, drawn where there is any.
pub fn confusion(
    theme: &Theme,
    labels: &[&str],
    rows: &[Vec<u64>],
    no_face: &[u64],
) -> Result<String, DrawError> {
    const CELL: (i32, i32) = (70, 52);
    const ORIGIN: (i32, i32) = (100, 48);
    let mut columns: Vec<&str> = labels.to_vec();
    let with_no_face = no_face.iter().any(|count| *count > 0);
    if with_no_face {
        columns.push("no face");
    }
    let size = (
        (ORIGIN.0 + CELL.0 * columns.len() as i32 + 4) as u32,
        (ORIGIN.1 + CELL.1 * labels.len() as i32 + 4) as u32,
    );
    draw(size, |area| {
        let axis = style(SMALL, theme.muted, HPos::Left, VPos::Top);
        area.draw_text("answer →", &axis, (ORIGIN.0 + 2, 4))?;
        area.draw_text("truth ↓", &axis, (4, 26))?;
        for (index, label) in columns.iter().enumerate() {
            let at = (ORIGIN.0 + CELL.0 * index as i32 + CELL.0 / 2, ORIGIN.1 - 14);
            area.draw_text(label, &style(TEXT, theme.ink, HPos::Center, VPos::Center), at)?;
        }
        for (row, (label, counts)) in labels.iter().zip(rows).enumerate() {
            let top = ORIGIN.1 + CELL.1 * row as i32;
            let at = (ORIGIN.0 - 10, top + CELL.1 / 2);
            area.draw_text(label, &style(TEXT, theme.ink, HPos::Right, VPos::Center), at)?;
            let mut counts = counts.clone();
            if with_no_face {
                counts.push(no_face[row]);
            }
            let total: u64 = counts.iter().sum();
            for (column, count) in counts.iter().enumerate() {
                let corner = (ORIGIN.0 + CELL.0 * column as i32, top);
                cell(area, theme, corner, CELL, *count, total)?;
            }
        }
        Ok(())
    })
}

fn cell(
    area: &Area<'_>,
    theme: &Theme,
    corner: (i32, i32),
    size: (i32, i32),
    count: u64,
    total: u64,
) -> Result<(), DrawError> {
    let share = if total == 0 { 0.0 } else { count as f64 / total as f64 };
    let fill = mix(theme.none, theme.all, share);
    // Two pixels between cells.
    let opposite = (corner.0 + size.0 - 2, corner.1 + size.1 - 2);
    area.draw(&Rectangle::new([corner, opposite], fill.filled()))?;
    if count == 0 {
        return Ok(());
    }
    let ink = ink_on(fill);
    let center = (corner.0 + size.0 / 2 - 1, corner.1 + size.1 / 2 - 1);
    let middle = |size| style(size, ink, HPos::Center, VPos::Center);
    area.draw_text(&count.to_string(), &middle(TEXT), (center.0, center.1 - 8))?;
    area.draw_text(&format!("{:.0} %", 100.0 * share), &middle(SMALL), (center.0, center.1 + 9))?;
    Ok(())
}

/// Nearly black or white, whichever has more contrast.
fn ink_on(fill: RGBColor) -> RGBColor {
    if luminance(fill) > 0.179 { BLACK } else { WHITE }
}

fn mix(from: RGBColor, to: RGBColor, share: f64) -> RGBColor {
    let channel = |a: u8, b: u8| (f64::from(a) + (f64::from(b) - f64::from(a)) * share).round() as u8;
    RGBColor(channel(from.0, to.0), channel(from.1, to.1), channel(from.2, to.2))
}

/// Relative luminance (WCAG 2.2, definitions), 0 to 1, with the power 2.2 for sRGB's curve.
fn luminance(color: RGBColor) -> f64 {
    let linear = |value: u8| (f64::from(value) / 255.0).powf(2.2);
    0.2126 * linear(color.0) + 0.7152 * linear(color.1) + 0.0722 * linear(color.2)
}

/// Precision, recall and F1 of each class, with their intervals as whiskers.
pub fn per_class(
    theme: &Theme,
    classes: &[(&'static str, PerClass)],
    intervals: &[(&'static str, ClassIntervals)],
) -> Result<String, DrawError> {
    draw(((70 + 92 * classes.len() as u32).max(460), 330), |area| {
        legend(area, theme, &["precision", "recall", "F1"])?;
        let (_, below) = area.split_vertically(30);
        let mut chart = ChartBuilder::on(&below)
            .margin_right(10)
            .margin_top(8)
            .x_label_area_size(44)
            .y_label_area_size(52)
            .build_cartesian_2d(0.0..classes.len() as f64, 0.0..1.0)?;
        ruled(&mut chart.configure_mesh(), theme)
            .disable_x_axis()
            .y_labels(6)
            .y_label_formatter(&percent)
            .draw()?;
        for (index, ((_, class), (_, ends))) in classes.iter().zip(intervals).enumerate() {
            let bars = [(class.precision, ends.precision), (class.recall, ends.recall), (class.f1, ends.f1)];
            for (series, (height, Interval(low, high))) in bars.into_iter().enumerate() {
                let left = index as f64 + 0.14 + 0.25 * series as f64;
                let bar = Rectangle::new([(left, 0.0), (left + 0.22, height)], theme.series[series].filled());
                let whisker = PathElement::new(vec![(left + 0.11, low), (left + 0.11, high)], theme.ink);
                let end = |at| PathElement::new(vec![(left + 0.07, at), (left + 0.15, at)], theme.ink);
                chart.draw_series([bar])?;
                chart.draw_series([whisker, end(low), end(high)])?;
            }
        }
        for (index, (label, class)) in classes.iter().enumerate() {
            let (x, y) = chart.backend_coord(&(index as f64 + 0.5, 0.0));
            area.draw_text(label, &style(TEXT, theme.ink, HPos::Center, VPos::Top), (x, y + 6))?;
            let support = format!("n = {}", class.support);
            area.draw_text(&support, &style(SMALL, theme.muted, HPos::Center, VPos::Top), (x, y + 24))?;
        }
        Ok(())
    })
}

fn legend(area: &Area<'_>, theme: &Theme, names: &[&str]) -> Result<(), DrawError> {
    let mut x = 52;
    for (name, color) in names.iter().zip(theme.series) {
        area.draw(&Rectangle::new([(x, 9), (x + 12, 21)], color.filled()))?;
        area.draw_text(name, &style(TEXT, theme.ink, HPos::Left, VPos::Center), (x + 18, 15))?;
        x += 44 + 7 * name.len() as i32;
    }
    Ok(())
}

/// Share of right answers against their confidence, above how many answers have that confidence.
pub fn reliability(theme: &Theme, bins: &[Reliability]) -> Result<String, DrawError> {
    draw((470, 470), |area| {
        let (above, below) = area.split_vertically(330);
        right_answers(&above, theme, bins)?;
        answers(&below, theme, bins)
    })
}

fn percent(share: &f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

/// The ends of a bar within its bin.
fn sides(bin: &Reliability) -> (f64, f64) {
    (bin.from + 0.004, bin.to - 0.004)
}

fn right_answers(area: &Area<'_>, theme: &Theme, bins: &[Reliability]) -> Result<(), DrawError> {
    let mut chart = ChartBuilder::on(area)
        .margin_right(24)
        .margin_top(10)
        .x_label_area_size(8)
        .y_label_area_size(64)
        .build_cartesian_2d(0.0..1.0, 0.0..1.0)?;
    ruled(&mut chart.configure_mesh(), theme)
        .x_labels(0)
        .y_labels(6)
        .y_label_formatter(&percent)
        .y_desc("right answers")
        .draw()?;
    for bin in bins {
        let (from, to) = sides(bin);
        let bar = [(from, 0.0), (to, bin.accuracy)];
        chart.draw_series([Rectangle::new(bar, theme.series[0].filled())])?;
        // From what is to what should be.
        let gap = [(from, bin.accuracy), (to, bin.mean_confidence)];
        chart.draw_series([Rectangle::new(gap, theme.warning.filled())])?;
    }
    chart.draw_series([PathElement::new(vec![(0.0, 0.0), (1.0, 1.0)], theme.ink.stroke_width(1))])?;
    Ok(())
}

fn answers(area: &Area<'_>, theme: &Theme, bins: &[Reliability]) -> Result<(), DrawError> {
    let most = bins.iter().map(|bin| bin.samples).max().unwrap_or(1);
    let mut counts = ChartBuilder::on(area)
        .margin_right(24)
        .margin_top(6)
        .x_label_area_size(40)
        .y_label_area_size(64)
        .build_cartesian_2d(0.0..1.0, 0.0..most as f64 * 1.05)?;
    ruled(&mut counts.configure_mesh(), theme)
        .x_labels(6)
        .y_labels(3)
        .x_label_formatter(&percent)
        .y_label_formatter(&|count| format!("{count:.0}"))
        .x_desc("confidence")
        .y_desc("answers")
        .draw()?;
    counts.draw_series(bins.iter().map(|bin| {
        let (from, to) = sides(bin);
        Rectangle::new([(from, 0.0), (to, bin.samples as f64)], theme.muted.filled())
    }))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `EMOTIOND_BLESS=1 cargo test` draws the golden plots anew: look at them.
    fn assert_golden(name: &str, svg: &str) {
        let path = format!("{}/tests/golden/eval-{name}.svg", env!("CARGO_MANIFEST_DIR"));
        if std::env::var_os("EMOTIOND_BLESS").is_some() {
            std::fs::write(&path, svg).expect("writes");
        }
        let golden = std::fs::read_to_string(&path).expect("golden plot");
        assert!(golden == svg, "{path} differs from what is drawn");
    }

    #[test]
    fn plots_are_the_golden_ones() {
        let rows = [vec![20, 5, 0], vec![3, 40, 1], vec![0, 0, 7]];
        let svg = confusion(&LIGHT, &["angry", "happy", "surprise"], &rows, &[0, 2, 0]).expect("drawn");
        assert_golden("confusion", &svg);

        let class = PerClass { precision: 0.8, recall: 0.6, f1: 0.69, support: 25 };
        let ends = ClassIntervals {
            precision: Interval(0.7, 0.9),
            recall: Interval(0.45, 0.75),
            f1: Interval(0.6, 0.8),
        };
        let bars =
            per_class(&DARK, &[("angry", class), ("happy", class)], &[("angry", ends), ("happy", ends)]);
        assert_golden("classes", &bars.expect("drawn"));

        let bin = |from: f64, accuracy, samples| Reliability {
            from,
            to: from + 0.0667,
            samples,
            mean_confidence: from + 0.04,
            accuracy,
        };
        let bins = [bin(0.4, 0.6, 12), bin(0.6, 0.5, 40), bin(0.9333, 0.96, 300)];
        assert_golden("reliability", &reliability(&LIGHT, &bins).expect("drawn"));
    }

    #[test]
    fn ink_can_be_read_on_every_fill() {
        // WCAG 2.2, 1.4.3: 4.5 to 1 for text.
        for theme in [LIGHT, DARK] {
            for share in 0..=100 {
                let fill = mix(theme.none, theme.all, f64::from(share) / 100.0);
                let (a, b) = (luminance(fill) + 0.05, luminance(ink_on(fill)) + 0.05);
                assert!(a.max(b) / a.min(b) >= 4.5, "{theme:?} {share} %");
            }
        }
    }
}
