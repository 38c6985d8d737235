// node tests/page/record.js
//
// Makes notes/recordings/: a short run of each example, its events and its client's as they came, in the order of their times.
'use strict'
const fs = require('fs')
const path = require('path')
const { run_client, start_demo } = require('../events/recorded.js')

const folder = path.join(__dirname, '../../notes/recordings')
const recordings = [
  ['socket_fanout', [], 'net_client', 5],
  ['server_handoff', [], 'net_client', 5],
  ['http_cluster', [], 'http_client', 5]
]

async function record(name, words, client, count) {
  const demo = await start_demo(name, words)
  const asked = await run_client(client, demo.port, ['--count', count])
  const { events } = await demo.stop()
  const all = [...events, ...asked.events].sort((a, b) => a.t_us - b.t_us)
  fs.writeFileSync(path.join(folder, `${name}.jsonl`), all.map(one => JSON.stringify(one) + '\n').join(''))
}

(async () => {
  fs.mkdirSync(folder, { recursive: true })
  for (const one of recordings) await record(...one)
})()
