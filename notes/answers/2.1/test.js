// build: server_handoff
const fs = require('fs')
const { exercise, same } = require('../../../tests/notes/exercise.js')

// The sockets that listen, by inode: state 0A in /proc/net/tcp.
const listening = () => new Set(fs.readFileSync('/proc/net/tcp', 'utf8').trim().split('\n').slice(1)
  .map(line => line.trim().split(/\s+/)).filter(fields => fields[3] === '0A').map(fields => fields[9]))

const sockets = pid => fs.readdirSync(`/proc/${pid}/fd`)
  .map(fd => fs.readlinkSync(`/proc/${pid}/fd/${fd}`).match(/^socket:\[(\d+)\]$/)?.[1]).filter(Boolean)

exercise(async ({ start, answer }) => {
  const demo = await start('build/demos/server_handoff --workers 3')
  const found = listening()
  const held = demo.workers.map(pid => sockets(pid).filter(inode => found.has(inode)))
  same(held.map(inodes => inodes.length), [1, 1, 1], 'listening sockets in each worker')
  answer(new Set(held.flat()).size)
})
