// redis_subscribe.cjs PORT PATTERN COUNT: says "subscribed" on stderr, then one line for each message, the channel and what it holds; ends
// after COUNT.
const Redis = require('ioredis')

const [port, pattern, count] = process.argv.slice(2)
const redis = new Redis({ host: '127.0.0.1', port: Number(port) })
let left = Number(count)
redis.on('pmessage', (_, channel, message) => {
  console.log(`${channel} ${message}`)
  if (--left === 0) redis.disconnect()
})
redis.psubscribe(pattern).then(() => console.error('subscribed'))
