// build: cluster
const { exercise } = require('../../../tests/notes/exercise.js')

exercise(async ({ start, answer }) => {
  const demo = await start('build/demos/cluster --workers 1 --trace')
  const said = await demo.stop()
  const before = said.slice(0, said.findIndex(line => line.startsWith('listening on ')))
  answer(before.filter(line => line.includes('NODE_CLUSTER')).length)
})
