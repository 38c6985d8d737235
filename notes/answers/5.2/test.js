// build: server_handoff net_client
const fs = require('fs')
const { exercise, same } = require('../../../tests/notes/exercise.js')

const stopped = pid => /^\d+ \(.*\) T/.test(fs.readFileSync(`/proc/${pid}/stat`, 'utf8'))

exercise(async ({ start, run }) => {
  const demo = await start('build/demos/server_handoff')
  const all = await run('build/clients/net_client --count 100')
  const served = new Set(all.lines.map(line => line.replace(/ 子.*/, '')))
  same(all.lines.length, 100, 'how many answers')
  if (![...served].some(name => /^http server\d$/.test(name))) throw 'no worker has answered any of a hundred clients'

  for (const pid of demo.workers) process.kill(pid, 'SIGSTOP')
  try {
    while (!demo.workers.every(stopped)) await new Promise(resolve => setImmediate(resolve))
    const client = await run('build/clients/net_client --count 3 --timeout 2000')
    same(client.lines.map(line => line.replace(/：.*/, '：')), Array(3).fill('http server main 子进程：'), 'the answers')
    if (client.lines.some(line => line.includes('：worker'))) throw 'the PID is a worker\'s, not the main\'s'
  } finally {
    for (const pid of demo.workers) process.kill(pid, 'SIGCONT')
  }
  await demo.stop()
})
