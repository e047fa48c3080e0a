// The descriptors that the package's own code computes:
//   node descriptors.cjs MODULES CHIPS OUT     150 x 150 x 3 bytes a chip; 128 float32 each
const fs = require('node:fs');
const path = require('node:path');

const SIDE = 150;
const [modules, chips, out] = process.argv.slice(2);
const load = (name) => require(path.join(modules, 'node_modules', name));

const tf = load('@tensorflow/tfjs');
const wasm = load('@tensorflow/tfjs-backend-wasm');
const faceapi = load('@vladmandic/face-api/dist/face-api.node-wasm.js');

async function main() {
  wasm.setWasmPaths(path.join(modules, 'node_modules/@tensorflow/tfjs-backend-wasm/dist/'));
  await tf.setBackend('wasm');
  await tf.ready();
  const net = faceapi.nets.faceRecognitionNet;
  await net.loadFromDisk(path.join(modules, 'node_modules/@vladmandic/face-api/model'));
  const bytes = fs.readFileSync(chips);
  const size = SIDE * SIDE * 3;
  const found = [];
  for (let at = 0; at < bytes.length; at += size) {
    const chip = tf.tensor3d(new Uint8Array(bytes.subarray(at, at + size)), [SIDE, SIDE, 3], 'int32');
    found.push(Buffer.from((await net.forwardInput(new faceapi.NetInput([chip])).data()).buffer));
  }
  fs.writeFileSync(out, Buffer.concat(found));
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
