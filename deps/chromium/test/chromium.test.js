'use strict';

const assert = require('node:assert/strict');
const { execFileSync, spawn } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { test } = require('node:test');
const { until } = require('../../kafka/test/support.js');
const { NAMES, executable, launch } = require('../index.js');

/** Sets variables of the environment until the test ends. @param {import('node:test').TestContext} t @param {Record<string, string>} values */
function environment(t, values) {
  const before = { ...process.env };
  Object.assign(process.env, values);
  t.after(() => {
    for (const name of Object.keys(values)) {
      if (before[name] === undefined) delete process.env[name];
      else process.env[name] = before[name];
    }
  });
}

test('a page is shown, its script runs, and a screenshot can be taken', async (t) => {
  const browser = await launch();
  t.after(() => browser.close());
  const page = await browser.newPage();
  await page.setContent('<h1>Hello</h1><script>document.querySelector("h1").textContent += " world"</script>');
  assert.equal(await page.textContent('h1'), 'Hello world');
  assert.deepEqual([...(await page.screenshot()).subarray(1, 4)], [...Buffer.from('PNG')]);
});

test('the browser dies when the process that started it is SIGKILLed', async () => {
  const mark = `kafka-native-chromium-test-${process.pid}`;
  const script = `
    require(${JSON.stringify(path.join(__dirname, '../index.js'))}).launch({ args: ['--user-agent=${mark}'] }).then(() => console.log('up'));
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  assert.ok(processesWith(mark).length > 1);
  child.kill('SIGKILL');
  await until(() => processesWith(mark).length === 0);
});

test('any of the names in PATH is found, and CHROMIUM goes before them', (t) => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'kafka-native-chromium-'));
  t.after(() => fs.rmSync(dir, { recursive: true }));
  environment(t, { CHROMIUM: '', PATH: dir });
  assert.throws(executable, { message: "there is no 'chromium' or 'chromium-browser' or 'google-chrome': apt-get install chromium, or name one with CHROMIUM" });
  fs.mkdirSync(path.join(dir, 'chromium')); // a folder is none
  assert.throws(executable, /there is no/);
  fs.rmdirSync(path.join(dir, 'chromium'));
  for (const name of [...NAMES].reverse()) {
    fs.writeFileSync(path.join(dir, name), '', { mode: 0o755 });
    assert.equal(executable(), path.join(dir, name));
  }
  environment(t, { CHROMIUM: 'google-chrome' });
  assert.equal(executable(), path.join(dir, 'google-chrome'));
});

test('a browser that is not there is named, with what to do', async (t) => {
  environment(t, { CHROMIUM: '/nowhere/chromium' });
  await assert.rejects(launch(), { message: "there is no '/nowhere/chromium': apt-get install chromium, or name one with CHROMIUM" });
});

/** The processes of browsers that have this user agent: their command lines. @param {string} agent */
function processesWith(agent) {
  const lines = process.platform === 'linux' ? fs.readdirSync('/proc').map(commandLine) : execFileSync('ps', ['-axo', 'args='], { encoding: 'utf8' }).split('\n');
  return lines.filter((line) => line.split(/[\0 ]/).includes(`--user-agent=${agent}`));
}

/** @param {string} pid */
function commandLine(pid) {
  try {
    return /^\d+$/.test(pid) ? fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8') : '';
  } catch {
    return ''; // it ended meanwhile
  }
}
