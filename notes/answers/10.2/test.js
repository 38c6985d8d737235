// build: cluster http_client
const { exercise, same } = require('../../../tests/notes/exercise.js')

exercise(async ({ start, run }) => {
  const demo = await start('build/demos/cluster --workers 2 --respawn')
  const answers = {} // of each worker, how many
  for (const limit = Date.now() + 10000; Object.keys(answers).length < 3 && Date.now() < limit;) {
    const client = await run('build/clients/http_client --count 60 --concurrency 4')
    same(client.exit, 0, 'the exit code of the client')
    for (const line of client.lines)
      if (line !== 'end') answers[line] = (answers[line] ?? 0) + 1
  }
  same(Object.keys(answers).length, 3, 'how many workers have answered')
  same(Math.min(...Object.keys(answers).filter(line => /worker-worker/.test(line)).map(line => answers[line])), 10,
    'how many connections one of the first two has served')
  await demo.stop()
})
