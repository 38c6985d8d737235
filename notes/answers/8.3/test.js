// build: reuse_port net_client
const fs = require('fs')
const { exercise, same } = require('../../../tests/notes/exercise.js')

const listening = () => new Set(fs.readFileSync('/proc/net/tcp', 'utf8').trim().split('\n').slice(1)
  .map(line => line.trim().split(/\s+/)).filter(fields => fields[3] === '0A').map(fields => `socket:[${fields[9]}]`))

const links = pid => fs.readdirSync(`/proc/${pid}/fd`).map(fd => fs.readlinkSync(`/proc/${pid}/fd/${fd}`))

exercise(async ({ start, run }) => {
  const demo = await start('build/demos/reuse_port 8888')
  const found = listening()
  const held = demo.workers.map(pid => links(pid).filter(link => found.has(link)))
  same(held.map(own => own.length), [1, 1, 1, 1], 'listening sockets of each worker')
  same(new Set(held.flat()).size, 4, 'different listening sockets')
  const client = await run('build/clients/net_client --count 100')
  same(client.lines.length, 100, 'how many answers')
  if (new Set(client.lines).size < 2) throw 'one worker answered a hundred connections'
  await demo.stop()

  const again = await start('build/demos/reuse_port 8888')
  await again.kill() // its children have to end too
})
