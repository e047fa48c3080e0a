#!/bin/sh
# Makes the shipped emotion model again and compares the two on the same faces. The argument is a folder with fer2013.csv (or
# .gz, .xz, .zip), fer2013new.csv and ckplus48/. Without ckplus48/ it makes ferplus-distilled, with the nets that taught it.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
source=${1:?usage: make models DATA=FOLDER (with fer2013.csv, fer2013new.csv and ckplus48/)}
faces=$(find "$source" -maxdepth 1 -name 'fer2013.csv*' | head -n 1)
runs=$root/models/runs
export PYTHONPATH="$root/models/training"
python=$("$root/scripts/training-venv.sh")/bin/python
if [ -d "$source/ckplus48" ]; then
    name=ferplus-posed shipped=emotion data=$runs/data-posed
    set -- --pictures "$source/ckplus48" --test-share 0 --choosing-share 0.1 --choosing-from fer2013
else
    name=ferplus-distilled shipped=ferplus-distilled data=$runs/data
    set --
fi
run=$runs/$name
[ -f "$data/prepared.json" ] ||
    "$python" -m face_training prepare --fer2013 "$faces" --votes "$source/fer2013new.csv" --out "$data" "$@"
"$python" -m face_training chain --recipe "$root/models/recipes/$name.toml" --data "$data" --runs "$runs"
"$python" -m face_training export --run "$run" --data "$data" --out "$run/emotion" --float "$run/emotion.keras"
"$python" -m face_training report --run "$run" --data "$data" --model "$run/emotion.tflite" \
    --card "$run/emotion.card.md" --against "$root/models/$shipped.tflite"
sed -n '/^## Compared/,/^## Classes/p' "$run/emotion.card.md"
"$python" -m face_training evaluate --model "$run/emotion.tflite" --data "$data" \
    --against "$root/models/$shipped.tflite"
