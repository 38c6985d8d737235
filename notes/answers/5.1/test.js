// build: server_handoff
const fs = require('fs')
const { exercise, same } = require('../../../tests/notes/exercise.js')

const listening = () => new Set(fs.readFileSync('/proc/net/tcp', 'utf8').trim().split('\n').slice(1)
  .map(line => line.trim().split(/\s+/)).filter(fields => fields[3] === '0A').map(fields => `socket:[${fields[9]}]`))

const links = pid => {
  try {
    return fs.readdirSync(`/proc/${pid}/fd`).map(fd => fs.readlinkSync(`/proc/${pid}/fd/${fd}`))
  } catch { return [] } // ended, or somebody else's
}

exercise(async ({ start, answer }) => {
  const demo = await start('build/demos/server_handoff --workers 3')
  const found = listening()
  const shared = links(demo.workers[0]).find(link => found.has(link))
  const processes = fs.readdirSync('/proc').filter(name => /^\d+$/.test(name))
  answer(processes.filter(pid => links(pid).includes(shared)).length)
})
