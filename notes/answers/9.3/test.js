// build: cluster_child http_client
const { exercise, same } = require('../../../tests/notes/exercise.js')

exercise(async ({ start, run }) => {
  const demo = await start('node demos/cluster/main.js 8888')
  same(demo.workers.length, 4, 'how many workers')
  const client = await run('build/clients/http_client --count 8 --concurrency 1')
  const answers = client.lines.filter(line => line !== 'end')
  same(answers.length, 8, 'how many answers')
  for (const line of answers) same(line.replace(/\d$/, ''), 'Request handled by worker-worker ', 'an answer')
  same(new Set(answers).size, 4, 'how many workers have answered')
  await demo.stop()
})
