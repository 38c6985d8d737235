// Deno's cluster workers in our cluster. DENO says where it is; npm brings it: ./run test nodes
'use strict'
const assert = require('assert')
const fs = require('fs')
const os = require('os')
const path = require('path')
const { after, test } = require('node:test')
const { run_client, start_demo } = require('../events/recorded.js')
const { command_of } = require('../support/shell.js')

const cache = fs.mkdtempSync(path.join(os.tmpdir(), 'deno_test.'))
after(() => fs.rmSync(cache, { recursive: true }))
Object.assign(process.env, { HOST: '127.0.0.1', DENO_DIR: cache, DENO_NO_UPDATE_CHECK: '1' })

// Its CommonJS is found out by looking (--unstable-detect-cjs): child.js is what Node's workers run.
const worker = command_of([process.env.DENO, 'run', '--no-remote', '-A', '--unstable-detect-cjs', path.join(__dirname, 'node/cluster/child.js')])
const start = (...words) => start_demo('cluster', ['--workers', '2', '--child', worker, ...words])

// Who has answered each of twenty requests, made one after the other.
async function answers(port) {
  const { code, err, events } = await run_client('http_client', port, ['--count', '20', '--concurrency', '1'])
  assert.strictEqual(code, 0, err)
  const by = events.filter(one => one.ev === 'answer').map(one => /^Request handled by worker-(\d+)\nend$/.exec(one.text)?.[1] ?? one.text)
  assert.strictEqual(by.length, 20)
  return by
}

for (const policy of ['round_robin', 'least_busy']) {
  test(`in turn or by load (${policy}), Deno's workers answer, and end with their main`, async () => {
    const { port, workers, stop } = await start('--policy', policy)
    assert.deepStrictEqual([...new Set(await answers(port))].sort(), workers.map(String).sort())
    await stop()
    assert.deepStrictEqual(workers.filter(pid => fs.existsSync(`/proc/${pid}`)), [])
  })
}

test('a worker of Deno that is killed costs nobody who comes after it anything', async () => {
  const { port, workers, stop } = await start('--respawn')
  process.kill(workers[0], 'SIGKILL')
  for (const pid of await answers(port)) assert.match(pid, /^\d+$/)
  await stop()
})
