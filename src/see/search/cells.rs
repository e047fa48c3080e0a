//! What our own detectors say: a logit, a box and five points for each cell of some feature maps. The
//! formula is that of the toolkit (`face_training/tasks/detector/grid.py`).

use super::boxes::{Candidate, sigmoid};
use crate::nets::engine::{Engine, dequantize};
use crate::nets::sidecar::{CellHeads, Input, Unfit};

/// Values of a cell: distances to the edges; eyes, nose and corners of the mouth, x and y each.
const EDGES: usize = 4;
const POINTS: usize = 10;

/// Where a cell is and how large its units are, in pixels of the input.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Cell {
    x: f32,
    y: f32,
    stride: f32,
}

/// Reads a net's outputs, which are quantised.
pub struct Cells {
    cells: Vec<Cell>,
    /// Length of the points' unit, in strides.
    point_unit: f32,
    /// Numbers of the outputs.
    boxes: usize,
    points: usize,
    scores: usize,
    /// The last answers as numbers.
    values: [Vec<f32>; 3],
}

impl Cells {
    /// # Errors
    /// When the engine's outputs are not those that the sidecar names.
    pub fn new(heads: &CellHeads, input: &Input, engine: &dyn Engine) -> Result<Self, Unfit> {
        if heads.strides.is_empty() || heads.strides.contains(&0) {
            return Err(Unfit(format!("strides {:?} are none", heads.strides)));
        }
        let cells = cells(&heads.strides, input.width, input.height);
        let find = |name: &str, values: usize| {
            let place = heads.outputs.iter().position(|output| output.name == name);
            let tensor = place.and_then(|index| engine.outputs().get(index));
            match (place, tensor) {
                (Some(index), Some(tensor)) if tensor.elements() == cells.len() * values => Ok(index),
                (_, tensor) => Err(Unfit(format!(
                    "{} cells want {values} values each of output {name}, which is {:?}",
                    cells.len(),
                    tensor.map(|tensor| &tensor.shape)
                ))),
            }
        };
        let (boxes, points, scores) = (find("boxes", EDGES)?, find("points", POINTS)?, find("scores", 1)?);
        let point_unit = heads.point_unit;
        Ok(Self { cells, point_unit, boxes, points, scores, values: Default::default() })
    }

    /// Cells whose score is at least `min_score`, with boxes and points in units of the `width` and
    /// `height` of the input.
    pub fn decode(
        &mut self,
        engine: &dyn Engine,
        (width, height): (u32, u32),
        min_score: f32,
    ) -> Vec<Candidate> {
        let [boxes, points, scores] = &mut self.values;
        for (index, values) in [(self.boxes, &mut *boxes), (self.points, points), (self.scores, scores)] {
            dequantize(engine.output(index), &engine.outputs()[index], values);
        }
        let [boxes, points, scores] = &self.values;
        // Compared as logits, so that only candidates cost a sigmoid.
        let min_logit = (min_score / (1.0 - min_score)).ln();
        let (width, height) = (width as f32, height as f32);
        let answers = scores.iter().zip(boxes.as_chunks::<EDGES>().0).zip(points.as_chunks::<POINTS>().0);
        self.cells
            .iter()
            .zip(answers)
            .filter(|(_, ((logit, _), _))| **logit >= min_logit)
            .map(|(cell, ((logit, edges), points))| {
                let [left, top, right, bottom] = edges.map(|edge| edge * cell.stride);
                let unit = self.point_unit * cell.stride;
                let point = |x: f32, y: f32| [(cell.x + x * unit) / width, (cell.y + y * unit) / height];
                let [rx, ry, lx, ly, nx, ny, mrx, mry, mlx, mly] = *points;
                let mouth = point((mrx + mlx) / 2.0, (mry + mly) / 2.0);
                Candidate {
                    score: sigmoid(*logit),
                    bounds: [
                        (cell.x - left) / width,
                        (cell.y - top) / height,
                        (left + right) / width,
                        (top + bottom) / height,
                    ],
                    points: [point(rx, ry), point(lx, ly), point(nx, ny), mouth],
                }
            })
            .collect()
    }
}

/// Map by map, row by row. The last row and column of a map may reach beyond the input.
fn cells(strides: &[u32], width: u32, height: u32) -> Vec<Cell> {
    let mut cells = Vec::new();
    for &stride in strides {
        let middle = |index: u32| (index as f32 + 0.5) * stride as f32;
        for row in 0..height.div_ceil(stride) {
            for column in 0..width.div_ceil(stride) {
                cells.push(Cell { x: middle(column), y: middle(row), stride: stride as f32 });
            }
        }
    }
    cells
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::nets::engine::{DType, EngineError, Quantization, TensorInfo};
    use crate::see::search::nms;

    /// Answers the same whatever it is shown.
    struct Fixed {
        outputs: Vec<TensorInfo>,
        bytes: Vec<Vec<u8>>,
    }

    impl Engine for Fixed {
        fn inputs(&self) -> &[TensorInfo] {
            &[]
        }
        fn outputs(&self) -> &[TensorInfo] {
            &self.outputs
        }
        fn run(&mut self, _: &[u8]) -> Result<(), EngineError> {
            Ok(())
        }
        fn output(&self, index: usize) -> &[u8] {
            &self.bytes[index]
        }
        fn delegate(&self) -> &str {
            "fixed"
        }
    }

    fn floats(values: &Value) -> Vec<f32> {
        let values = values.as_array().expect("numbers").iter();
        values.map(|value| value.as_f64().expect("number") as f32).collect()
    }

    /// The toolkit's golden table: from the same int8 answers to the same faces.
    #[test]
    fn answers_become_the_toolkits_faces() {
        let golden: Value =
            serde_json::from_str(include_str!("../../../tests/golden/detector.json")).expect("JSON");
        let number = |key: &str| golden[key].as_f64().expect("number") as f32;
        let (width, height) = (number("width") as u32, number("height") as u32);
        let names = ["boxes", "points", "scores"];
        let count = golden["answers"]["scores"]["int8"].as_array().expect("answers").len();
        let mut engine = Fixed { outputs: Vec::new(), bytes: Vec::new() };
        for name in names {
            let answer = &golden["answers"][name];
            let counts = floats(&answer["int8"]);
            engine.outputs.push(TensorInfo {
                name: name.to_owned(),
                dtype: DType::Int8,
                shape: vec![1, count as i32, (counts.len() / count) as i32],
                quantization: Some(Quantization {
                    scale: answer["scale"].as_f64().expect("scale") as f32,
                    zero_point: answer["zero_point"].as_i64().expect("zero point") as i32,
                }),
            });
            engine.bytes.push(counts.iter().map(|count| (*count as i8).cast_unsigned()).collect());
        }
        let heads: CellHeads = serde_json::from_value(serde_json::json!({
            "strides": golden["strides"],
            "point_unit": golden["point_unit"],
            "outputs": names.map(|name| serde_json::json!({ "name": name })),
        }))
        .expect("heads");
        let input = serde_json::from_value(serde_json::json!({
            "width": width, "height": height, "channels": 3, "dtype": "int8", "mean": 0, "std": 255,
        }))
        .expect("input");
        let mut cells = Cells::new(&heads, &input, &engine).expect("fitting outputs");
        let candidates = cells.decode(&engine, (width, height), number("min_score"));
        let faces = nms::surest(candidates, number("iou"));
        let expected = golden["faces"].as_array().expect("faces");
        assert_eq!(faces.len(), expected.len(), "{faces:?}");
        for (face, expected) in faces.iter().zip(expected) {
            let (theirs, points) = (floats(&expected["box"]), expected["points"].as_array().expect("points"));
            let [x, y, w, h] = face.bounds;
            let own = [x, y, x + w, y + h];
            let size = [width, height].map(|side| side as f32);
            for (index, (own, theirs)) in own.iter().zip(theirs).enumerate() {
                assert!((own * size[index % 2] - theirs).abs() < 1e-3, "{face:?} {expected}");
            }
            let (eye, right, left) = (floats(&points[0]), floats(&points[3]), floats(&points[4]));
            let mouth = [(right[0] + left[0]) / 2.0, (right[1] + left[1]) / 2.0];
            for axis in 0..2 {
                assert!((face.points[0][axis] * size[axis] - eye[axis]).abs() < 1e-3, "{face:?} {expected}");
                assert!(
                    (face.points[3][axis] * size[axis] - mouth[axis]).abs() < 1e-3,
                    "{face:?} {expected}"
                );
            }
            assert!((f64::from(face.score) - expected["score"].as_f64().expect("score")).abs() < 1e-5);
        }
    }
}
