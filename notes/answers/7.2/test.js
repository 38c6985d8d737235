// build: http_cluster http_client
const { exercise, same } = require('../../../tests/notes/exercise.js')

exercise(async ({ start, run }) => {
  await start('build/demos/http_cluster')
  const client = await run('build/clients/http_client --count 3')
  same(client.lines.map(line => line.replace(/\d$/, '')),
    Array(3).fill(['200 Request handled by worker-worker ', 'end']).flat(), 'what it prints')
  const tally = await run('build/clients/http_client --count 3 --keep-alive --concurrency 1 --tally')
  same(tally.lines.length, 1, 'bars with --tally')
})
