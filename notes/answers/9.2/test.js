// build: cluster http_client
const { exercise, same } = require('../../../tests/notes/exercise.js')

exercise(async ({ start, run }) => {
  const demo = await start('build/demos/cluster --workers 3 --delay 20') // time for 'accepted' to get there
  const client = await run('build/clients/http_client --count 9 --concurrency 1')
  const answers = client.lines.filter(line => line !== 'end')
  same(answers.length, 9, 'how many answers')
  same(new Set(answers).size, 1, 'how many workers have answered')
  await demo.stop()
})
