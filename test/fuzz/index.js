'use strict';
// npm run fuzz: every fuzzer of this folder, one after the other. SEED repeats a run; SECONDS is the time of all of them, or ROUNDS is what each does.

const fs = require('node:fs');
const path = require('node:path');
const { spawn } = require('node:child_process');
const { seed } = require('../support/random.js');

const FUZZERS = ['public-api.js', 'workers.js', 'garble.js', 'encode.js'].filter((name) => fs.existsSync(path.join(__dirname, name)));
const rounds = process.env.ROUNDS;
const seconds = Number(process.env.SECONDS ?? 120);
/** Seconds that a fuzzer may take beyond its share: it watches itself, this watches it. */
const GRACE = 120;

/** Resolves with whether it found nothing. */
function run(name, share) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [path.join(__dirname, name)], { stdio: 'inherit', env: { ...process.env, SEED: String(seed), SECONDS: String(share) } });
    const late = rounds === undefined && setTimeout(() => {
      console.error(`${name} has not ended ${GRACE} s after its time`);
      child.kill('SIGKILL');
    }, (share + GRACE) * 1000);
    child.on('close', (code) => {
      if (late) clearTimeout(late);
      resolve(code === 0);
    });
  });
}

async function main() {
  const length = rounds === undefined ? `${seconds} s` : `${rounds} rounds each`;
  console.log(`Fuzzing for ${length} with SEED=${seed}`);
  const share = Math.max(1, Math.floor(seconds / FUZZERS.length));
  const found = [];
  for (const name of FUZZERS) if (!(await run(name, share))) found.push(name);
  for (const name of found) console.error(`To repeat it: SEED=${seed} ${rounds === undefined ? `SECONDS=${share}` : `ROUNDS=${rounds}`} node test/fuzz/${name}`);
  process.exitCode = found.length > 0 ? 1 : 0;
}

main();
