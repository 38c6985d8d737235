// build: cluster
const fs = require('fs')
const { exercise } = require('../../../tests/notes/exercise.js')

const is_gone = pid => !fs.existsSync(`/proc/${pid}`)

exercise(async ({ start, answer }) => {
  const demo = await start('build/demos/cluster --workers 1 --trace')
  process.kill(demo.main, 'SIGUSR2')
  while (!is_gone(demo.workers[0])) await new Promise(resolve => setTimeout(resolve, 10))
  const said = await demo.stop()
  const listens = said.findIndex(line => line.startsWith('listening on '))
  const stops = said.findIndex(line => line.startsWith('stopping: '))
  answer(said.slice(listens, stops).filter(line => line.includes('NODE_CLUSTER')).length)
})
