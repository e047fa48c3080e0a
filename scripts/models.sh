#!/bin/sh
# Makes the shipped emotion model again, with the nets that taught it, and compares the two on the same faces.
# The argument is a folder with fer2013.csv (or .gz, .xz, .zip) and fer2013new.csv.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
source=${1:?usage: make models DATA=FOLDER (with fer2013.csv and fer2013new.csv)}
faces=$(find "$source" -maxdepth 1 -name 'fer2013.csv*' | head -n 1)
runs=$root/models/runs
export PYTHONPATH="$root/models/training"
python=$("$root/scripts/training-venv.sh")/bin/python
recipe=$root/models/recipes/ferplus-distilled.toml
run=$runs/ferplus-distilled
[ -f "$runs/data/prepared.json" ] ||
    "$python" -m face_training prepare --fer2013 "$faces" --votes "$source/fer2013new.csv" --out "$runs/data"
"$python" -m face_training chain --recipe "$recipe" --data "$runs/data" --runs "$runs"
"$python" -m face_training export --run "$run" --data "$runs/data" --out "$run/emotion"
"$python" -m face_training report --run "$run" --data "$runs/data" --model "$run/emotion.tflite" \
    --card "$run/emotion.card.md" --against "$root/models/emotion.tflite"
sed -n '/^## Compared/,/^## Classes/p' "$run/emotion.card.md"
