// redis_stream.cjs PORT KEY COUNT: reads a stream from its beginning and waits for more, until it has COUNT entries; prints each in one line,
// its id and then its fields as JSON.
const Redis = require('ioredis')

const [port, key, count] = process.argv.slice(2)

async function main() {
  const redis = new Redis({ host: '127.0.0.1', port: Number(port) })
  let last = '0-0'
  for (let left = Number(count); left > 0; ) {
    const streams = await redis.xread('BLOCK', 1000, 'STREAMS', key, last)
    for (const [id, values] of streams?.[0][1] ?? []) {
      const fields = {}
      for (let i = 0; i < values.length; i += 2) fields[values[i]] = values[i + 1]
      console.log(`${id} ${JSON.stringify(fields)}`)
      last = id
      left -= 1
    }
  }
  redis.disconnect()
}

main()
