// poisoned_receiver.cjs SECRET_FILE: takes webhooks, but for those with an event whose data has "poison". Verifies all by the secret in
// the file, once there is one. Prints its port, then each event that it takes ("aggregate sequence"), and how many it refuses at a time.
const fs = require('fs')
const http = require('http')
const { setTimeout } = require('timers/promises')
const { Webhook } = require('standardwebhooks')

async function secret () {
  const file = process.argv[2]
  while (!fs.existsSync(file) || fs.statSync(file).size === 0) await setTimeout(2)
  return fs.readFileSync(file, 'utf8')
}

const server = http.createServer((request, response) => {
  let body = ''
  request.on('data', (piece) => { body += piece })
  request.on('end', async () => {
    const { events } = new Webhook(await secret()).verify(body, request.headers)
    const refused = events.some((event) => event.data.poison)
    if (refused) console.log(`refused ${events.length}`)
    else for (const event of events) console.log(`${event.aggregateId} ${event.sequenceNumber}`)
    response.statusCode = refused ? 500 : 204
    response.end()
  })
})
server.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`))
