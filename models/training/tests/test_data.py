"""Votes, CSV files and prepared data."""

import gzip
import lzma
import zipfile

import numpy as np
import pytest
from conftest import face_row, write_faces, write_votes
from PIL import Image

from face_training.errors import TrainingError
from face_training.tasks.emotion import dataset, fer2013
from face_training.tasks.emotion.labels import balance_weights, distribution, majority

GREY = np.full(48 * 48, 7)


@pytest.mark.parametrize(
    ("votes", "label"),
    [
        # neutral, happy, surprise, sad, angry, disgust, fear, contempt, unknown, NF
        ([6, 0, 1, 1, 0, 0, 0, 0, 2, 0], 0),  # 6 of 8 left
        ([4, 0, 0, 1, 3, 2, 0, 0, 0, 0], -1),  # 4 of 9 left: no majority
        ([4, 0, 0, 1, 2, 1, 1, 1, 0, 0], 0),  # 4 of 6 left, though 4 of 10 given
        ([5, 5, 0, 0, 0, 0, 0, 0, 0, 0], -1),  # exactly half is not more than half
        ([0, 0, 0, 0, 0, 0, 0, 0, 0, 10], -1),  # no face
        ([2, 0, 0, 0, 0, 0, 0, 0, 8, 0], -1),  # unknown
        ([1, 1, 1, 1, 1, 1, 1, 1, 1, 1], -1),  # nothing is left
        ([0, 0, 0, 0, 0, 0, 0, 7, 3, 0], 7),  # contempt
    ],
)
def test_majority(votes, label):
    assert majority([votes]).tolist() == [label]


def test_distribution():
    targets, keep = distribution(
        [
            [4, 0, 0, 1, 3, 2, 0, 0, 0, 0],
            [3, 0, 0, 0, 0, 0, 0, 0, 5, 2],
            [4, 0, 0, 0, 0, 0, 0, 0, 4, 0],
            [1, 1, 1, 1, 1, 1, 1, 1, 1, 1],
        ]
    )
    assert keep.tolist() == [True, False, False, False]
    np.testing.assert_allclose(targets[0], [4 / 9, 0, 0, 0, 3 / 9, 2 / 9, 0, 0], rtol=1e-6)


def test_balance():
    targets = np.eye(8, dtype=np.float32)[[0] * 16 + [1] * 4]
    np.testing.assert_allclose(balance_weights(targets, 0.0), 1)
    half = balance_weights(targets, 0.5)
    assert half.mean() == pytest.approx(1)
    assert half[-1] / half[0] == pytest.approx(2)  # 4 times as rare, to the power 0.5


def _zip(path, text):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "no CSV")
        archive.writestr("fer2013/fer2013.csv", text)


WRITERS = {
    "csv": lambda path, text: path.write_bytes(text),
    "csv.gz": lambda path, text: path.write_bytes(gzip.compress(text)),
    "csv.xz": lambda path, text: path.write_bytes(lzma.compress(text)),
    "zip": _zip,
}


@pytest.mark.parametrize("ending", WRITERS)
def test_reads_every_form(tmp_path, ending):
    path = tmp_path / f"fer2013.{ending}"
    pixels = np.arange(48 * 48) % 256
    text = f"emotion, Usage, pixels\n6, PublicTest, {' '.join(map(str, pixels))}\n"
    WRITERS[ending](path, text.encode())
    faces = fer2013.read_faces(path)
    assert (faces.emotion.tolist(), faces.usage.tolist()) == ([6], ["PublicTest"])
    assert faces.pixels.dtype == np.uint8
    np.testing.assert_array_equal(faces.pixels[0], pixels.reshape(48, 48))


@pytest.mark.parametrize(
    ("row", "cause"),
    [
        (face_row(0, GREY[1:], "Training"), "row 3: 2303 pixels, not 2304"),
        (face_row(7, GREY, "Training"), "row 3: unknown label '7'"),
        (face_row("glad", GREY, "Training"), "row 3: unknown label 'glad'"),
        (face_row(0, np.full(2304, 256), "Training"), "row 3: bad pixel value"),
        ("0,1 2 x,Training", "row 3: bad pixel value"),
        ("0", "row 3: 1 columns, too few"),
        (face_row(0, GREY, "Trainning"), "row 3: unknown Usage 'Trainning'"),
    ],
)
def test_names_the_bad_row(tmp_path, row, cause):
    path = write_faces(tmp_path / "f.csv", [face_row(0, GREY, "Training"), row])
    with pytest.raises(TrainingError, match=cause):
        fer2013.read_faces(path)


def test_refuses_cut_and_foreign_files(tmp_path):
    cut = tmp_path / "f.csv.xz"
    cut.write_bytes(lzma.compress(b"emotion,pixels,Usage\n" * 1000)[:-20])
    with pytest.raises(TrainingError, match="unable to read .*f.csv.xz"):
        fer2013.read_faces(cut)
    other = tmp_path / "o.csv"
    other.write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(TrainingError, match="no column emotion, pixels, Usage"):
        fer2013.read_faces(other)
    with pytest.raises(TrainingError, match="a header and no row"):
        fer2013.read_faces(write_faces(tmp_path / "e.csv", []))


@pytest.mark.parametrize("vote", [99, -1])
def test_refuses_votes_of_more_taggers_than_there_are(tmp_path, vote):
    votes = write_votes(tmp_path / "v.csv", [("Training", [vote, 0, 0, 0, 0, 0, 0, 0, 0, 0])])
    with pytest.raises(TrainingError, match="row 2: votes .* not 0 to 10 together"):
        fer2013.read_votes(votes)


def test_data_without_anything_to_learn_from_is_refused(tmp_path):
    faces = write_faces(tmp_path / "f.csv", [face_row(0, GREY, "PublicTest")])
    with pytest.raises(TrainingError, match="no row of Training is left"):
        _prepare(faces, None, tmp_path / "out")
    assert (
        _prepare(faces, None, tmp_path / "out", test_only=True)["splits"]["PublicTest"]["rows"] == 1
    )


def _source(faces, votes):
    return lambda _: fer2013.rows(faces, votes)


def _prepare(faces, votes, out, **how):
    return dataset.prepare([_source(faces, votes)], out, dataset.How(**how))


def test_refuses_votes_of_other_faces(tmp_path):
    faces = write_faces(tmp_path / "f.csv", [face_row(0, GREY, "Training")])
    votes = [10, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    two = write_votes(tmp_path / "two.csv", [("Training", votes), ("Training", votes)])
    with pytest.raises(TrainingError, match="2 rows for 1 faces"):
        _prepare(faces, two, tmp_path / "out")
    moved = write_votes(tmp_path / "moved.csv", [("PublicTest", votes)])
    with pytest.raises(TrainingError, match="row 2 is PublicTest, the face of that row Training"):
        _prepare(faces, moved, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f.csv", "moved.csv", "two.csv"]


def test_prepare_joins_repeats_and_drops_leaks(tmp_path):
    random = np.random.default_rng(5)
    one, two, three = random.integers(0, 255, (3, 48 * 48))
    # Brighter by one grey level: the same photo in other bytes.
    pictures = [("Training", one), ("Training", two), ("Training", one), ("PublicTest", two)]
    pictures += [("Training", three + 1), ("PrivateTest", three)]
    faces = write_faces(
        tmp_path / "f.csv",
        [face_row(3 if usage == "Training" else 4, pixels, usage) for usage, pixels in pictures],
    )
    happy, sad = [0, 10, 0, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 10, 0, 0, 0, 0, 0, 0]
    votes = [("Training", happy), ("Training", happy), ("Training", sad), ("PublicTest", sad)]
    votes += [("Training", happy), ("PrivateTest", sad)]
    counts = _prepare(faces, write_votes(tmp_path / "v.csv", votes), tmp_path / "out")
    assert (counts["leaked"], counts["near"], counts["repeats"]) == (1, 1, 1)
    splits = dataset.load(tmp_path / "out")
    assert [face[0, 0] for face in splits["Training"].pictures] == [one[0]]
    assert splits["Training"].votes.tolist() == [[0, 10, 0, 10, 0, 0, 0, 0, 0, 0]]
    assert splits["Training"].labels.tolist() == [[0, 2, 0, 0, 0, 0, 0, 0]]
    assert majority(splits["PublicTest"].votes).tolist() == [3]
    assert splits["PublicTest"].origin.tolist() == ["f.csv, row 5"]
    counts = _prepare(faces, tmp_path / "v.csv", tmp_path / "kept", keep_leaked=True)
    assert (counts["leaked"], counts["near"], counts["splits"]["Training"]["rows"]) == (1, 1, 3)


def _smooth(random):
    """A face-like picture: large soft shapes."""
    small = Image.fromarray(random.integers(0, 256, (6, 6), np.uint8))
    return np.asarray(small.resize((48, 48), Image.Resampling.BICUBIC))


def test_near_repeats_are_found_mirrored_and_within_a_split(tmp_path):
    random = np.random.default_rng(1)
    one, two = _smooth(random), _smooth(random)
    noisy = np.clip(one + random.normal(0, 12, one.shape), 0, 255).astype(np.uint8)
    rows = [("Training", one), ("Training", noisy), ("Training", two), ("PublicTest", two[:, ::-1])]
    faces = write_faces(tmp_path / "f.csv", [face_row(3, face, usage) for usage, face in rows])
    counts = _prepare(faces, None, tmp_path / "out")
    assert (counts["near"], counts["near_within"]) == (1, 1)
    training = dataset.split(tmp_path / "out", "Training")
    assert len(training) == 2 and len(set(training.group)) == 1


def test_the_choosing_split_keeps_near_repeats_together(tmp_path):
    random = np.random.default_rng(2)
    rows = []
    for _ in range(20):
        face = _smooth(random)
        rows += [face_row(3, face, "Training"), face_row(3, face[:, ::-1], "Training")]
    faces = write_faces(tmp_path / "f.csv", rows)
    _prepare(faces, None, tmp_path / "out", choosing_share=0.25)
    splits = dataset.load(tmp_path / "out")
    assert len(splits["Choosing"]) == 10
    assert not set(splits["Choosing"].group) & set(splits["Training"].group)
