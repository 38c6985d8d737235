// build: http_cluster http_client
const { exercise, same } = require('../../../tests/notes/exercise.js')

exercise(async ({ start, run }) => {
  const demo = await start("build/demos/http_cluster --child 'node demos/http_cluster/child.js'")
  const client = await run('build/clients/http_client')
  same(client.exit, 0, "the client's exit code")
  same(client.lines.map(line => line.replace(/\d$/, '')),
    Array(5).fill(['Request handled by worker-worker ', 'end']).flat(), 'the five answers')
  await demo.stop() // complains when a child outlives the end of its channel
})
